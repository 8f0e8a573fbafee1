"""How goldens stand and what is proposed, as text for people and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat.golden import pending
from savedmodel_compat.report.words import printable

if TYPE_CHECKING:
    from savedmodel_compat.golden.pending import Proposal
    from savedmodel_compat.matrix.golden_status import Standing

_LINE = 200
# A summary is one line, of which each data set says its part.
_DATA_SET = re.compile(r"(?:^|; )data set '(.*?)': (.*?)(?=; data set '|$)")


def counts(words: Sequence[str]) -> str:
    """Return how often each word stands there, such as ``2 fresh, 1 stale``."""
    found = dict.fromkeys(sorted(words))
    return ", ".join(f"{words.count(word)} {word}" for word in found) or "none"


def status_lines(
    root: Path, found: Sequence[Standing], proposals: Sequence[Proposal]
) -> Iterator[str]:
    """Yield how goldens stand and what is proposed, and the numbers of both.

    Args:
        root: of the store.
        found: the goldens.
        proposals: what waits.
    """
    for each in found:
        by = f"  by {each.manifest.recorded_by}" if each.manifest else ""
        why = f"  {each.why}" if each.why else ""
        yield printable(f"{each.state.value:8} {each.name}{by}{why}")
    for group in pending.groups(proposals):
        yield printable(f"proposed {group[0].key.name}  by {labels(group)}")
        for line in _lines(group[0].summary):
            yield printable(f"         {line}")
        yield printable(f"         {group[0].path}")
    yield f"{root}: {counts([each.state.value for each in found])}; {len(proposals)} proposed"


def labels(proposals: Sequence[Proposal]) -> str:
    """Return who left proposals that say the same."""
    who = ", ".join(proposal.label for proposal in proposals)
    return f"{who} (the same answer)" if len(proposals) > 1 else who


def _lines(summary: str) -> list[str]:
    """Return a summary with one line for each data set, none so long that nobody reads the next."""
    told: dict[str, list[str]] = {}
    for name, text in _DATA_SET.findall(summary):
        told.setdefault(name, []).append(text)
    if not told:
        return [_cut(summary)]
    lines = []
    for name, texts in told.items():
        more = f"; and {len(texts) - 1} more outputs" if len(texts) > 1 else ""
        lines.append(_cut(f"data set '{name}': {texts[0]}", _LINE - len(more)) + more)
    return lines


def _cut(text: str, length: int = _LINE) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def as_json(found: Sequence[Standing], proposals: Sequence[Proposal]) -> dict[str, Any]:
    """Return how goldens stand and what is proposed, ready for `json.dumps`. Version 1 of it may grow, not change."""
    return {
        "schema": 1,
        "goldens": [
            {
                "name": each.name,
                "state": each.state.value,
                "why": each.why or None,
                "recorded_by": each.manifest.recorded_by if each.manifest else None,
            }
            for each in found
        ],
        "proposals": [
            {
                "name": each.key.name,
                "by": each.label,
                "summary": each.summary,
                "path": str(each.path),
            }
            for each in proposals
        ],
    }

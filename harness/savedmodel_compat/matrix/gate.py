"""What expectations say of a whole run: what is expected, what is not as expected, and what no cell is like."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from savedmodel_compat.matrix.expectations import (
    Broken,
    Expectation,
    Expectations,
    Judgement,
    Misnamed,
    Verdict,
    today,
)
from savedmodel_compat.matrix.matching import Matcher, Scope, takes_model
from savedmodel_compat.matrix.seen import Seen

# Between what is misspelled and what is another model: `half_plus_two` and `half_plus_three` are 0.79 alike.
_NEAR = 0.8


def judge(
    file: Expectations,
    cells: Sequence[Seen],
    *,
    day: date | None = None,
    narrowed: Collection[str] = (),
    whole: bool = True,
) -> Judgement:
    """Return what expectations say of the cells of a run.

    Args:
        file: the expectations.
        cells: all of the run.
        day: the day on which they are to hold; None for today.
        narrowed: axes that the user has narrowed, ``signature`` or ``tags``, beside those that always may be.
        whole: whether these are all cells that the run could have had; if not, nothing is said to be stale or misnamed.
    """
    day = day or today()
    matcher = Matcher(file.entries, day)
    matches = [matcher.matching(cell) for cell in cells]
    verdicts = [matcher.verdict(cell, found) for cell, found in zip(cells, matches, strict=True)]
    matched = 0
    for found in set(matches):
        matched |= found
    unmatched = [
        each for i, each in enumerate(file.entries) if not matched >> i & 1 and each.is_live(day)
    ]
    scope = Scope(matcher, cells, narrowed) if unmatched else None
    stale = [each for each in unmatched if whole and scope is not None and scope.has(each)]
    out_of_scope = tuple(each for each in unmatched if each not in stale)
    return Judgement(
        file=file,
        expected=tuple(verdict.expected for verdict in verdicts),
        broken=tuple(
            Broken(cell=cell, verdict=verdict)
            for cell, verdict in zip(cells, verdicts, strict=True)
            if verdict.breach is not None
        ),
        stale=tuple(stale),
        expired=tuple(each for each in file.entries if not each.is_live(day)),
        out_of_scope=out_of_scope,
        misnamed=tuple(_misnamed(out_of_scope, cells)) if whole else (),
        used=_used(verdicts),
    )


def _used(verdicts: Iterable[Verdict]) -> Mapping[str, int]:
    used: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.expected:
            for each in verdict.live:
                used[each.place] = used.get(each.place, 0) + 1
    return used


def _misnamed(entries: Iterable[Expectation], cells: Iterable[Seen]) -> Iterator[Misnamed]:
    """Yield expectations that take in no model of a run, and are near to one; folders are not compared."""
    models = {cell.model: cell.full_name for cell in cells}
    by_folder = {name.rpartition("/")[2]: name for name in sorted(models, reverse=True)}
    for each in entries:
        if any(takes_model(each.models, *names) for names in models.items()):
            continue
        for pattern in each.models:
            folder = pattern.rpartition("/")[2]
            for near in difflib.get_close_matches(folder, by_folder, n=1, cutoff=_NEAR):
                yield Misnamed(expectation=each, pattern=pattern, near=by_folder[near])

"""How two SavedModels differ, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from savedmodel_compat.report.check import whole
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from savedmodel_compat.model.difference import Change, Difference, GraphDifference

SCHEMA = 1
_SECTIONS = ("signatures", "ops", "attrs", "functions", "constants", "computations", "producer")
_NOTHING = (
    "no difference in signatures, ops, attrs, what outputs compute, constants, variables (values are"
    " compared by the checksums of the index), assets, other files and producer"
)
_SHOWN = 40


def as_json(difference: Difference) -> dict[str, Any]:
    """Return how two models differ, ready for `json.dumps`. Version 1 of it may grow, not change."""
    return {
        "schema": SCHEMA,
        "a": whole(str(difference.a)),
        "b": whole(str(difference.b)),
        "parts": sorted(difference.parts()),
        "tags": _changes_json(difference.tags),
        "meta_graphs": [
            {
                "tags": list(pair.tags),
                **{name: _changes_json(getattr(pair, name)) for name in _SECTIONS},
            }
            for pair in difference.meta_graphs
        ],
        "variables": _changes_json(difference.variables),
        "assets": _changes_json(difference.assets),
        "extra_files": _changes_json(difference.extra_files),
        "files": _changes_json(difference.files),
        "notes": list(map(whole, difference.notes)),
    }


def as_text(difference: Difference) -> str:
    """Return how two models differ, as lines to read: ``-`` is what A has, ``+`` what B has."""
    lines = [f"- {difference.a}", f"+ {difference.b}", *_body(difference)]
    if not difference.parts():
        lines.append(_NOTHING)
    lines += [f"note: {note}" for note in difference.notes]
    return "\n".join(printable(line) for line in lines)


def _changes_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {
            "what": change.what,
            "name": whole(change.name),
            "before": None if change.before is None else whole(change.before),
            "after": None if change.after is None else whole(change.after),
            "meaning": whole(change.meaning) or None,
            "breaks": change.breaks,
        }
        for change in changes
    ]


def _body(difference: Difference) -> Iterator[str]:
    yield from _section("MetaGraphs", difference.tags, "")
    for pair in difference.meta_graphs:
        yield from _pair_lines(pair)
    yield from _section("variables", difference.variables, "")
    yield from _section("assets", difference.assets, "")
    yield from _section("extra files", difference.extra_files, "")
    yield from _section("files", difference.files, "")


def _pair_lines(pair: GraphDifference) -> Iterator[str]:
    lines = [line for name in _SECTIONS for line in _section(name, getattr(pair, name), "  ")]
    if lines:
        yield f"MetaGraph [{', '.join(pair.tags)}]"
        yield from lines


def _section(title: str, changes: Sequence[Change], margin: str) -> Iterator[str]:
    if not changes:
        return
    yield f"{margin}{title}"
    for change in changes[:_SHOWN]:
        yield from _change_lines(change, f"{margin}  ")
    if len(changes) > _SHOWN:
        yield f"{margin}  … and {len(changes) - _SHOWN} more"


def _change_lines(change: Change, margin: str) -> Iterator[str]:
    name = f"{change.what} {change.name}".rstrip()
    if change.before is not None:
        yield f"{margin}- {name}: {change.before}"
    if change.after is not None:
        yield f"{margin}+ {name}: {change.after}"
    if change.meaning:
        yield f"{margin}    {change.meaning}"

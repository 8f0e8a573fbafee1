"""The notes of cells, each once: what decides nothing, and is worth knowing all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from savedmodel_compat.report.words import cells, printable

_MOST = 20
_NAMED = 3
_LONGEST = 300


def told(noted: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each note, that of most cells first.

    Args:
        noted: the model and a note of a cell, for each note of each cell.
    """
    found: dict[str, list[str]] = {}
    for model, note in noted:
        found.setdefault(note, []).append(model)
    ordered = sorted(found.items(), key=lambda each: len(each[1]), reverse=True)
    for note, models in ordered[:_MOST]:
        text = printable(" ".join(note.split()))
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        yield f"{text} ({cells(len(models))} of {_named(models)})"
    if len(ordered) > _MOST:
        yield f"… and {len(ordered) - _MOST} more, which the record (--json) has"


def _named(models: Iterable[str]) -> str:
    names = [printable(name) for name in dict.fromkeys(models)]
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} models"

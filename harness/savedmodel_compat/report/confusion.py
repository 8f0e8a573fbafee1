"""What was predicted of cells against what became of them: each pair once, with the number of its cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_AGREES = {True: "yes", None: "—", False: "NO"}
_HEAD = ("predicted", "real", "agree", "cells")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair of prediction and proof.

    Args:
        predicted: in words, such as ``fails at load: attr-unknown``.
        real: the same.
        agrees: whether the two agree; None if one says nothing about the other.
        cells: how many cells show it.
    """

    predicted: str
    real: str
    agrees: bool | None
    cells: int


def confusion(cells: Iterable[dict[str, Any]]) -> list[Row]:
    """Return the table of cells that have a prediction, disagreements first, then the most frequent.

    Args:
        cells: of JSON records.
    """
    counted = Counter(
        (_predicted(cell["prediction"]), _real(cell), cell["prediction"]["agrees"])
        for cell in predicted_cells(cells)
    )
    rows = [
        Row(predicted=predicted, real=real, agrees=agrees, cells=count)
        for (predicted, real, agrees), count in counted.items()
    ]
    return sorted(rows, key=lambda row: (row.agrees is not False, -row.cells, row.predicted))


def predicted_cells(cells: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the cells that were run and have a prediction."""
    return (cell for cell in cells if cell.get("prediction") and cell["stage"] is not None)


def unknown_cells(cells: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cells of which nobody could tell what becomes of them."""
    said = predicted_cells(cells)
    return [cell for cell in said if cell["prediction"]["outcome"] == "unknown"]


def as_markdown(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table for a page of documentation."""
    yield f"| {' | '.join(_HEAD)} |"
    yield "|---|---|---|---:|"
    for row in rows:
        yield f"| {' | '.join(_fields(row))} |"


def as_text(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table for a terminal."""
    table = [_HEAD, *map(_fields, rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(_HEAD))]
    for predicted, real, agrees, cells in table:
        left = f"{predicted:<{widths[0]}}  {real:<{widths[1]}}  {agrees:<{widths[2]}}"
        yield f"{left}  {cells:>{widths[3]}}"


def _fields(row: Row) -> tuple[str, str, str, str]:
    return row.predicted, row.real, _AGREES[row.agrees], str(row.cells)


def _predicted(said: dict[str, Any]) -> str:
    if said["outcome"] == "pass":
        return "passes"
    verb = "fails" if said["outcome"] == "fail" else said["outcome"]
    return _words(verb, said["stage"], said["causes"])


def _real(cell: dict[str, Any]) -> str:
    if cell["outcome"] == "pass":
        return "passes"
    if cell["outcome"] == "fail":
        return _words("fails", cell["stage"], cell["causes"])
    return f"{cell['outcome']}: {cell['reason']}"


def _words(verb: str, stage: str | None, causes: Sequence[str]) -> str:
    where = f" at {stage}" if stage else ""
    return f"{verb}{where}" + (f": {', '.join(causes)}" if causes else "")

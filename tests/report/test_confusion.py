"""The table of predictions and proofs."""

from __future__ import annotations

from collections.abc import Callable

from savedmodel_compat.matrix.cells import Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.report.confusion import (
    Row,
    as_markdown,
    as_text,
    confusion,
    predicted_cells,
    unknown_cells,
)
from savedmodel_compat.report.record import as_cell

PASSES = Predicted(outcome=Foreseen.PASS)
REFUSED = Predicted(outcome=Foreseen.FAIL, stage=Stage.LOAD, causes=("attr-unknown",), why="w")
UNKNOWN = Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.RUN, why="which branch?")


def test_each_pair_is_counted(result: Callable[..., Result], failed: Callable[..., Result]) -> None:
    """Disagreements come first, then the most frequent; what was not run or not predicted is not counted."""
    results = [
        *[result(predicted=PASSES)] * 3,
        *[failed(predicted=REFUSED)] * 2,
        result(predicted=REFUSED),
        result(predicted=UNKNOWN),
        result(outcome=Outcome.NOT_RUN, stage=Stage.LOAD, reason="no-inputs", predicted=PASSES),
        result(outcome=Outcome.UNSUPPORTED, stage=None, predicted=PASSES),
        result(),
    ]
    cells = [as_cell(one) for one in results]
    refused = "fails at load: attr-unknown"
    assert confusion(cells) == [
        Row(predicted=refused, real="passes", agrees=False, cells=1),
        Row(predicted="passes", real="passes", agrees=True, cells=3),
        Row(predicted=refused, real=refused, agrees=True, cells=2),
        Row(predicted="passes", real="not-run: no-inputs", agrees=True, cells=1),
        Row(predicted="unknown at run", real="passes", agrees=None, cells=1),
    ]
    assert len(list(predicted_cells(cells))) == 8
    assert [cell["prediction"]["why"] for cell in unknown_cells(cells)] == ["which branch?"]


def test_as_text_and_as_markdown() -> None:
    """Columns are aligned in a terminal, and a page has a table."""
    rows = [
        Row(predicted="passes", real="fails at load: attr-unknown", agrees=False, cells=12),
        Row(predicted="unknown at run", real="passes", agrees=None, cells=3),
    ]
    assert list(as_text(rows)) == [
        "predicted       real                         agree  cells",
        "passes          fails at load: attr-unknown  NO        12",
        "unknown at run  passes                       —          3",
    ]
    assert list(as_markdown(rows))[1:] == [
        "|---|---|---|---:|",
        "| passes | fails at load: attr-unknown | NO | 12 |",
        "| unknown at run | passes | — | 3 |",
    ]


def test_records_of_older_versions(result: Callable[..., Result]) -> None:
    """Cells that know nothing of predictions are none of the table."""
    cell = as_cell(result())
    del cell["prediction"]
    assert confusion([cell]) == []

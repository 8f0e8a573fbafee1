"""Predicting anew the cells of a record: what was proved stays, and a newer predictor is put beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import DamagedModelError, UsageError
from savedmodel_compat.matrix.cells import Cell, Outcome, Result, Stage
from savedmodel_compat.matrix.predicted import Predictions
from savedmodel_compat.report.record import prediction_of

if TYPE_CHECKING:
    from savedmodel_compat.model import MetaGraph

_Key = tuple[Path, tuple[str, ...]]


def predict_anew(cells: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the cells with what is predicted of them now; those that were not run, as they are.

    Args:
        cells: of a JSON record; their models must still be where they were.

    Raises:
        UsageError: a model is not what it was when the record was made.
        NotASavedModelError: a model is no longer there.
    """
    predictions = Predictions()
    graphs: dict[_Key, MetaGraph | None] = {}
    for cell in cells:
        if cell["stage"] is None:
            yield cell
            continue
        result = _result(cell)
        key = (result.cell.path, result.cell.tags)
        if key not in graphs:
            graphs[key] = _meta_graph(result.cell)
        said = predictions.of(graphs[key], result.cell)
        yield {**cell, "prediction": prediction_of(replace(result, predicted=said))}


def _result(cell: dict[str, Any]) -> Result:
    return Result(
        cell=Cell(
            model=cell["model"],
            path=Path(cell["path"]),
            model_sha256=cell["model_sha256"],
            tags=tuple(cell["tags"]),
            strip=cell["strip"],
            producer=cell["producer"],
            consumer=cell["consumer"],
            provider=cell["provider"],
            loader=cell["loader"],
            device=cell["device"],
            signature=cell["signature"],
        ),
        outcome=Outcome(cell["outcome"]),
        stage=Stage(cell["stage"]),
        causes=tuple(cell["causes"]),
        reason=cell["reason"],
    )


def _meta_graph(cell: Cell) -> MetaGraph | None:
    if saved_models.digest(cell.path) != cell.model_sha256:
        raise UsageError(
            f"{cell.path} is not the model that the record is of: its digest is another",
            hint="make the record again, or predict where the model is as it was",
        )
    try:
        return saved_models.read(cell.path, tensor_data=False).meta_graph(cell.tags)
    except DamagedModelError:
        return None

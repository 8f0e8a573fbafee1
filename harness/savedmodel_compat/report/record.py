"""The JSON record of a matrix: the interface that other people's scripts read. Version 1 may grow, not change."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import savedmodel_compat
from savedmodel_compat.errors import InfrastructureError, UsageError
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.matrix.predicted import agreement
from savedmodel_compat.report.expectations import as_json as of_judgement

if TYPE_CHECKING:
    from datetime import datetime

    from savedmodel_compat.golden.compare import Observed
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.expectations import Judgement

SCHEMA = 1


def as_record(
    results: list[Result],
    *,
    started: datetime,
    interrupted: bool = False,
    judgement: Judgement | None = None,
) -> dict[str, Any]:
    """Return the record of a matrix, ready for `json.dumps`.

    Args:
        results: one a cell.
        started: when the matrix was started, with its time zone.
        interrupted: whether the user stopped it.
        judgement: what expectations say of it; None without any.
    """
    return of_cells(
        [as_cell(result) for result in results],
        started=started,
        interrupted=interrupted,
        judgement=judgement,
    )


def of_cells(
    cells: list[dict[str, Any]],
    *,
    started: datetime,
    interrupted: bool = False,
    judgement: Judgement | None = None,
) -> dict[str, Any]:
    """Return the record made of cells that are records already; see `as_record`."""
    outcomes = [cell["outcome"] for cell in cells]
    return {
        "schema": SCHEMA,
        "harness": savedmodel_compat.__version__,
        "started": started.isoformat(timespec="seconds"),
        "interrupted": interrupted,
        "cells": cells,
        "summary": {outcome.value: outcomes.count(outcome.value) for outcome in Outcome},
        "unclassified": sum(cell["cause"] == "unclassified" for cell in cells),
        "disagreements": sum(map(disagrees, cells)),
        "expected": sum(bool(cell.get("expected")) for cell in cells),
        "expectations": None if judgement is None else of_judgement(judgement),
    }


def as_cell(result: Result) -> dict[str, Any]:
    """Return the record of one cell."""
    cell = result.cell
    return {
        "id": cell.id,
        "model": cell.model,
        "path": str(cell.path),
        "model_sha256": cell.model_sha256,
        "tags": list(cell.tags),
        "strip": cell.strip,
        "producer": cell.producer,
        "consumer": cell.consumer,
        "tensorflow_version": result.tensorflow_version,
        "provider": cell.provider,
        "loader": cell.loader,
        "device": cell.device,
        "signature": cell.signature,
        "outcome": result.outcome.value,
        "stage": result.stage.value if result.stage else None,
        "cause": result.cause,
        "causes": list(result.causes),
        "reason": result.reason,
        "message": result.message,
        "detail": asdict(result.detail),
        "fix": result.fix,
        "reference": result.reference,
        "compared": result.compared,
        "seconds": round(result.seconds, 4),
        "expected": result.expected,
        "notes": list(result.notes),
        "log": result.log,
        "prediction": prediction_of(result),
        "image": None if result.image is None else asdict(result.image),
        "gpu": None if result.gpu is None else asdict(result.gpu),
        "golden": result.golden,
        "observed": [observed_of(each) for each in result.observed],
    }


def observed_of(observed: Observed) -> dict[str, Any]:
    """Return the record of how far an output is from its reference; null is more than any number."""
    said = asdict(observed)
    return {name: None if _is_endless(value) else value for name, value in said.items()}


def _is_endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def disagrees(cell: dict[str, Any]) -> bool:
    """Tell whether what became of a cell differs from what was predicted, by its record."""
    said = cell.get("prediction")
    return said is not None and said["agrees"] is False


def prediction_of(result: Result) -> dict[str, Any] | None:
    """Return the record of what was predicted of a cell, and whether its result agrees."""
    said = result.predicted
    if said is None:
        return None
    return {
        "outcome": said.outcome.value,
        "stage": said.stage.value if said.stage else None,
        "causes": list(said.causes),
        "why": said.why,
        "agrees": agreement(result).as_json,
    }


def write(record: dict[str, Any], path: Path) -> None:
    """Write a record whole or not at all.

    Args:
        record: what `as_record` gave.
        path: a file, which is replaced, or a device or a pipe such as ``/dev/stdout``.

    Raises:
        InfrastructureError: the file cannot be written.
    """
    text = json.dumps(record, indent=1) + "\n"
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise InfrastructureError(
            f"the record {path} cannot be written: {error.strerror}"
        ) from error


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Read the record of a run.

    Raises:
        UsageError: there is none, or it is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_record(path, str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        raise _no_record(path, "it has no cells")
    cells = found["cells"]
    if not all(isinstance(cell, dict) and "causes" in cell for cell in cells):
        raise _no_record(path, "its cells are something else")
    return found


def _no_record(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is no record of a run: {why}",
        hint="`savedmodel-compat run … --json FILE` and `--savedmodel-json=FILE` write one",
    )

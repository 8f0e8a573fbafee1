"""Predicting anew the cells of a record."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import UsageError
from savedmodel_compat.report.anew import predict_anew

MODELS = Path(__file__).parents[1] / "models"


def cell_of(path: Path, **changes: Any) -> dict[str, Any]:
    """The record of a cell that passed, made before there were predictions."""
    cell: dict[str, Any] = {
        "model": "m",
        "path": str(path),
        "model_sha256": saved_models.digest(path),
        "tags": ["serve"],
        "strip": True,
        "producer": "2.21.0",
        "consumer": "2.21.0",
        "provider": "wheel",
        "loader": "c",
        "device": "cpu",
        "signature": None,
        "outcome": "pass",
        "stage": "compare",
        "causes": [],
        "reason": None,
    }
    return cell | changes


def test_what_was_proved_stays(tmp_path: Path) -> None:
    """Each cell gets what is predicted now, and whether its result agrees; nothing else of it changes."""
    path = Path(shutil.copytree(MODELS / "module-2.21.0", tmp_path / "model"))
    refused = {"outcome": "fail", "stage": "load", "consumer": "2.4.4"}
    cells = [
        cell_of(path),
        cell_of(path, consumer="2.4.4"),
        cell_of(path, **refused, causes=["op-not-registered"]),
        cell_of(path, **refused, causes=["file-damaged"]),
        cell_of(path, outcome="unsupported", stage=None),
    ]
    found = list(predict_anew(cells))
    assert [cell.pop("prediction", {"agrees": "none"})["agrees"] for cell in found] == [
        True,
        False,
        True,
        None,
        "none",
    ]
    assert found == cells


def test_another_model(tmp_path: Path) -> None:
    """A record does not speak of a model that has changed since."""
    path = Path(shutil.copytree(MODELS / "module-2.21.0", tmp_path / "model"))
    cell = cell_of(path)
    (path / "more").touch()
    with pytest.raises(UsageError, match="is not the model that the record is of"):
        list(predict_anew([cell]))


def test_a_model_that_does_not_parse(tmp_path: Path) -> None:
    """Of a file that cannot be read nothing is predicted."""
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    [cell] = predict_anew([cell_of(tmp_path)])
    assert cell["prediction"] is None

"""The JSON record: what other people's scripts read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat import __version__
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.matrix.cells import Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.report import record

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
FIELDS = (
    "id model path model_sha256 tags strip producer consumer tensorflow_version provider loader device signature outcome stage "
    "cause causes reason message detail fix reference compared seconds expected"
).split()


def test_the_fields_of_a_cell(failed: Callable[..., Result]) -> None:
    """Every field of version 1 is there, with its value."""
    cell = record.as_cell(failed())
    assert set(FIELDS) <= set(cell)
    assert cell["id"] == "cnn:serve:unstripped:2.11.1:2.4.4:wheel:c:cpu:"
    assert (cell["outcome"], cell["stage"], cell["cause"]) == ("fail", "load", "attr-unknown")
    assert cell["causes"] == ["attr-unknown"]
    assert cell["detail"] == {
        "op": "Conv2D",
        "attr": "explicit_paddings",
        "node": "conv",
        "function": None,
    }
    assert cell["signature"] is None
    assert cell["strip"] is False
    assert cell["seconds"] == 0.0512


def test_the_fields_of_a_record(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """Schema, version, time, cells, and a count for every outcome."""
    made = record.as_record([result(), failed()], started=STARTED)
    assert made["schema"] == 1
    assert made["harness"] == __version__
    assert made["started"] == "2026-01-02T03:04:05+00:00"
    assert made["summary"] == {
        "pass": 1,
        "fail": 1,
        "unsupported": 0,
        "not-run": 0,
        "infra-error": 0,
    }
    assert [cell["outcome"] for cell in made["cells"]] == ["pass", "fail"]
    assert made["interrupted"] is False


def test_what_was_interrupted_says_so(result: Callable[..., Result]) -> None:
    """A record of a run that was stopped is complete and marked."""
    stopped = result(outcome=Outcome.NOT_RUN, reason="interrupted", stage=None, compared=0)
    made = record.as_record([stopped], started=STARTED, interrupted=True)
    assert made["interrupted"] is True
    assert made["cells"][0]["reason"] == "interrupted"


def test_unclassified_cells_are_counted(failed: Callable[..., Result]) -> None:
    """What no pattern knows is seen in one number."""
    made = record.as_record([failed(causes=("unclassified",)), failed()], started=STARTED)
    assert made["unclassified"] == 1


REFUSED = Predicted(
    outcome=Foreseen.FAIL, stage=Stage.LOAD, causes=("attr-unknown",), why="has no attr; node c"
)


def test_the_prediction_stands_beside_the_result(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """A cell has what was predicted of it and whether that agrees, or null; disagreements are counted."""
    passes = Predicted(outcome=Foreseen.PASS)
    unknown = Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.RUN, why="which branch?")
    results = [
        failed(predicted=REFUSED),
        result(predicted=REFUSED),
        result(predicted=passes),
        result(predicted=unknown),
        result(),
    ]
    made = record.as_record(results, started=STARTED)
    said = [cell["prediction"] for cell in made["cells"]]
    assert said[0] == {
        "outcome": "fail",
        "stage": "load",
        "causes": ["attr-unknown"],
        "why": "has no attr; node c",
        "agrees": True,
    }
    assert said[1] == {**said[0], "agrees": False}
    assert said[2] == {
        "outcome": "pass",
        "stage": None,
        "causes": [],
        "why": None,
        "agrees": True,
    }
    assert (said[3]["outcome"], said[3]["agrees"]) == ("unknown", None)
    assert said[4] is None
    assert made["disagreements"] == 1


def test_records_without_predictions(result: Callable[..., Result]) -> None:
    """Cells of a record that knows nothing of predictions are counted as they are."""
    cell = record.as_cell(result())
    del cell["prediction"]
    assert record.of_cells([cell], started=STARTED)["disagreements"] == 0


def test_ids_tell_cells_apart(result: Callable[..., Result]) -> None:
    """Every field of a cell that is an axis of the matrix is in its id."""
    axes: list[dict[str, Any]] = [
        {},
        {"model": "other"},
        {"consumer": "2.5.3"},
        {"producer": "2.21.0"},
        {"strip": True},
        {"strip": None},
        {"signature": "other"},
        {"loader": "v1"},
        {"tags": ("serve", "gpu")},
    ]
    ids = [result(**axis).cell.id for axis in axes]
    assert len(set(ids)) == len(ids)


def test_written_whole(tmp_path: Path, failed: Callable[..., Result]) -> None:
    """What is written is what was said, whatever the characters; nothing else is left in the folder."""
    path = tmp_path / "r.json"
    made = record.as_record([failed(message="\udcff ✗ ünï")], started=STARTED)
    record.write(made, path)
    assert json.loads(path.read_text(encoding="utf-8")) == made
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_an_old_record_is_replaced(tmp_path: Path, result: Callable[..., Result]) -> None:
    """Writing twice leaves the second."""
    path = tmp_path / "r.json"
    path.write_text("old")
    record.write(record.as_record([result()], started=STARTED), path)
    assert json.loads(path.read_text())["schema"] == 1


def test_a_folder_that_is_not_there(tmp_path: Path, result: Callable[..., Result]) -> None:
    """A record that cannot be written is an error of infrastructure that names the file."""
    made = record.as_record([result()], started=STARTED)
    with pytest.raises(InfrastructureError, match=r"gone/r\.json cannot be written: No such file"):
        record.write(made, tmp_path / "gone" / "r.json")


def test_an_old_record_survives_a_failed_write(tmp_path: Path) -> None:
    """What cannot be said as JSON leaves what was there, and no temporary file."""
    path = tmp_path / "r.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        record.write({"cells": object()}, path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("r.json", "old")]


def test_into_a_pipe(tmp_path: Path, result: Callable[..., Result]) -> None:
    """A pipe or a device is written to; it is not replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    record.write(record.as_record([result()], started=STARTED), pipe)
    assert json.loads(os.read(reader, 1 << 20))["schema"] == 1
    os.close(reader)
    assert pipe.is_fifo()


def test_through_a_link(tmp_path: Path, result: Callable[..., Result]) -> None:
    """A link stays one, and what it names is replaced."""
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    record.write(record.as_record([result()], started=STARTED), link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["schema"] == 1

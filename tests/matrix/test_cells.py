"""Tests of the cell and its result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.matrix.cells import Cell, Outcome, Result, Stage, count_outcomes

CELL = Cell(
    model="half_plus_two",
    path=Path("/models/half_plus_two/1"),
    model_sha256="0" * 64,
    tags=("serve", "gpu"),
    strip=True,
    producer="2.11.1",
    consumer="2.4.4",
    provider="wheel",
    loader="c",
    signature="serving_default",
)


def test_the_words_of_the_record() -> None:
    """Outcomes and stages are those that the record promises."""
    words = ["pass", "fail", "unsupported", "not-run", "infra-error"]
    assert [outcome.value for outcome in Outcome] == words
    assert [stage.value for stage in Stage] == ["load", "run", "compare"]


def test_an_id() -> None:
    """An id is made of the cell's own fields."""
    expected = "half_plus_two:serve+gpu:stripped:2.11.1:2.4.4:wheel:c:cpu:serving_default"
    assert CELL.id == expected


def test_an_id_of_what_is_not_known() -> None:
    """What a model does not say has a word too."""
    cell = replace(CELL, strip=None, producer=None, signature=None)
    assert cell.id == "half_plus_two:serve+gpu:unknown:unknown:2.4.4:wheel:c:cpu:"


def test_an_id_knows_no_machine() -> None:
    """Where the model lies, and what is in it, is not in the id."""
    assert replace(CELL, path=Path("/elsewhere"), model_sha256="1").id == CELL.id


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"tags": ("serve",)},
        {"strip": False},
        {"strip": None},
        {"producer": "2.12.1"},
        {"consumer": "2.5.3"},
        {"provider": "venv"},
        {"loader": "v1"},
        {"device": "gpu"},
        {"signature": "predict"},
    ],
    ids=str,
)
def test_every_field_tells_cells_apart(change: dict[str, object]) -> None:
    """Two cells that differ in a field have different ids."""
    assert replace(CELL, **change).id != CELL.id  # type: ignore[arg-type]


def test_the_first_cause_is_the_cause() -> None:
    """The most telling cause comes first; what did not fail has none."""
    failed = Result(cell=CELL, outcome=Outcome.FAIL, causes=("attr-ignored", "output-mismatch"))
    assert failed.cause == "attr-ignored"
    assert Result(cell=CELL, outcome=Outcome.PASS).cause is None


def test_counts() -> None:
    """Every outcome is counted, also those that nothing had."""
    results = [Result(cell=CELL, outcome=o) for o in (Outcome.PASS, Outcome.FAIL, Outcome.PASS)]
    expected = {"pass": 2, "fail": 1, "unsupported": 0, "not-run": 0, "infra-error": 0}
    assert count_outcomes(results) == expected

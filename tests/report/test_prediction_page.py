"""The page about predictions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix.cells import Foreseen, Predicted, Result, Stage
from savedmodel_compat.prediction import loaders
from savedmodel_compat.report import prediction_page
from savedmodel_compat.report.prediction_page import PROOF, general, page
from savedmodel_compat.report.record import as_record

PAGE = Path(__file__).parents[2] / "docs" / "prediction.md"
STARTED = datetime(2026, 1, 2, tzinfo=timezone.utc)
MOST_UNKNOWN = 2.0


def test_the_page_is_current() -> None:
    """What stands before the tables is what the code says now."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(f"\n\n{PROOF}\n")[0] == "\n".join(general())


def test_what_the_page_proves() -> None:
    """With loader `c` no cell of the table is other than predicted, in every pinned release, and next to none is unknown."""
    proof = PAGE.read_text(encoding="utf-8").partition(PROOF)[2]
    told = proof.partition("### Loader `c`")[2].partition("###")[0]
    said = re.search(r"(\d+) cells, (\d+) of them not as predicted, \d+ unknown \((.*?) %\)", told)
    assert said is not None
    assert int(said[1]) > 1000
    assert int(said[2]) == 0
    assert float(said[3]) < MOST_UNKNOWN
    assert "| NO |" not in told
    assert "fails at load: attr-unknown" in told


def test_a_page_of_records(result: Callable[..., Result], failed: Callable[..., Result]) -> None:
    """Each loader has its table, with the number of cells and why some are unknown."""
    refused = Predicted(
        outcome=Foreseen.FAIL, stage=Stage.LOAD, causes=("attr-unknown",), why="has no attr"
    )
    unknown = Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.RUN, why="a branch; node n")
    first = [failed(predicted=refused), result(consumer="2.21.0", predicted=refused)]
    second = [result(loader="v1", predicted=unknown), result(loader="v1")]
    records = [as_record(results, started=STARTED) for results in (first, second)]
    text = page(records)
    c, v1 = re.split(r"### Loader `\w+`", text)[1:]
    assert "1 models (`cnn`) of 1 producers, in 2 consumers from 2.4.4 to 2.21.0: 2 cells" in c
    assert "1 of them not as predicted, 0 unknown (0.00 %)" in c
    assert "| fails at load: attr-unknown | passes | NO | 1 |" in c
    assert "1 cells, 0 of them not as predicted, 1 unknown (100.00 %)" in v1
    assert "- a branch; node n: 1 cells, such as cnn:serve:" in v1


def test_records_that_prove_nothing(result: Callable[..., Result]) -> None:
    """Without a prediction there is no page."""
    with pytest.raises(UsageError, match="no cell of these records has a prediction"):
        page([as_record([result()], started=STARTED)])


def test_every_change_is_on_the_page() -> None:
    """No behaviour that came with some release is left out, but for the device that is told of below."""
    text = "\n".join(general())
    switches = {
        name: value
        for name, value in vars(loaders).items()
        if isinstance(value, loaders.Switch) and not name.startswith("_")
    }
    assert len(switches) > 5
    told = [switch for _, switch, _ in prediction_page._SWITCHES]
    assert [
        name for name, switch in switches.items() if not any(one is switch for one in told)
    ] == []
    assert "releases 1.12 to 2.3 have a device for that" in text

"""Tests of cells on demand: what is kept from one to the next, and what the answers are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.errors import (
    NotASavedModelError,
    SavedModelCompatError,
    UnknownReleaseError,
    UsageError,
)
from savedmodel_compat.matrix import runner as runners
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.matrix.runner import Runner, one_of
from savedmodel_compat.matrix.session import Session, Where
from savedmodel_compat.runtimes import pins
from savedmodel_compat.runtimes.requests import Limits

MISBEHAVING = Path(__file__).with_name("misbehaving.py")
OPTIONS = Options(limits=Limits(seconds=30, megabytes=2000))
WHERE = Where(on="1.15.5,2.4.4,2.21.0")


@pytest.fixture
def runner(table: pins.PinTable) -> Iterator[Runner]:
    """Return a runner whose root is the folder of the exporters of the tests."""
    session = Session(configuration=config.Configuration(), options=OPTIONS, table=table)
    with Runner(session, root=MISBEHAVING.parent) as made:
        yield made


def export(runner: Runner, function: str) -> Model:
    """Export a model by the file's name below the root."""
    return runner.export(f"{MISBEHAVING.name}::{function}", producer="2.11.1", strip=True)


@pytest.mark.parametrize("function", ["lose_kernel", "handle", "honest", "chance", "refuse"])
def test_the_same_as_a_matrix(function: str, runner: Runner) -> None:
    """Cell by cell the answers are those of a whole matrix."""
    model, where = export(runner, function), runner.consumers(WHERE)
    whole = run_matrix([model], where, OPTIONS)
    each = runner.run_all(model, WHERE)
    assert [(r.cell.id, r.outcome, r.reason, r.causes, r.reference) for r in each] == [
        (r.cell.id, r.outcome, r.reason, r.causes, r.reference) for r in whole
    ]


def test_the_order_of_cells_does_not_matter(runner: Runner) -> None:
    """The oldest consumer's cell, run first, is compared with the newest that runs."""
    model, where = export(runner, "lose_kernel"), runner.consumers(WHERE)
    [result] = runner.run(model, where[0], candidates=where)
    assert (result.outcome, result.reference) == (Outcome.PASS, "2.4.4")


def test_consumers_are_made_ready_once(runner: Runner) -> None:
    """The same question has the same answer, not only an equal one."""
    assert runner.consumers(WHERE) is runner.consumers(Where(on=WHERE.on))


def test_a_model_is_exported_once(runner: Runner) -> None:
    """An export is kept for as long as the runner."""
    assert export(runner, "honest") is export(runner, "honest")


def test_an_export_that_cannot_be(runner: Runner) -> None:
    """A problem of the producer can be asked for instead of being raised."""
    said = runner.export_or_say(f"{MISBEHAVING.name}::absent", producer="2.11.1", strip=True)
    assert said.model is None
    assert "absent" in str(said.problem)


def test_a_producer_that_refuses_is_asked_once(runner: Runner, tmp_path: Path) -> None:
    """For each leg; what it does not have it will not have for the next cell."""
    asked = tmp_path / "asked"
    exporter = tmp_path / "refusing.py"
    exporter.write_text(
        "def refuse(directory, *, strip_default_attrs, seed):\n"
        f"    with open({str(asked)!r}, 'a') as counted:\n"
        "        counted.write('asked\\n')\n"
        "    raise NotImplementedError('there is nothing of the kind')\n"
    )
    for _ in range(3):
        said = runner.export_or_say(f"{exporter}::refuse", producer="2.11.1", strip=True)
        assert str(said.problem) == "there is nothing of the kind"
    assert asked.read_text().count("asked") == 2


def test_a_release_that_is_not_pinned(runner: Runner) -> None:
    """What is no producer is an error of usage, before anything runs."""
    with pytest.raises(UnknownReleaseError, match="9.9.9"):
        runner.export(f"{MISBEHAVING.name}::honest", producer="9.9.9", strip=True)


def test_one_signature(runner: Runner) -> None:
    """A signature that is named is the only one that runs."""
    model, where = export(runner, "handle"), runner.consumers(WHERE)
    results = runner.run(model, where[-1], candidates=where, signature="serving_default")
    assert [result.cell.signature for result in results] == ["serving_default"]


def test_a_signature_that_is_not_there(runner: Runner) -> None:
    """The error names those that there are."""
    model, where = export(runner, "honest"), runner.consumers(WHERE)
    with pytest.raises(UsageError, match=r"no signature 'other'; it has \['serving_default'\]"):
        runner.run(model, where[0], candidates=where, signature="other")


def test_a_model_that_is_there(
    tmp_path: Path, table: pins.PinTable, exported: Callable[..., Model]
) -> None:
    """A model below the root is called by its path from there, and is read once."""
    folder = tmp_path / "models" / "half" / "1"
    shutil.copytree(exported("half_plus_two").path, folder)
    session = Session(configuration=config.Configuration(), options=OPTIONS, table=table)
    with Runner(session, root=tmp_path) as runner:
        model = runner.load("models/half")
        assert model.name == "models/half/1"
        assert runner.load("models/half") is model
        with pytest.raises(NotASavedModelError):
            runner.load("models/absent")


def test_workers_are_few(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more workers wait than may; one that is ended is started anew when it is needed."""
    monkeypatch.setattr(runners, "_MOST_WORKERS", 1)
    model = export(runner, "honest")
    for _ in range(2):
        assert {result.outcome for result in runner.run_all(model, WHERE)} == {Outcome.PASS}
    assert len(runner._workers) == 1


def test_one_of() -> None:
    """A consumer is found by release and loader."""
    found = [
        Consumer(release="2.4.4", provider="venv", loader=loader, device="cpu")
        for loader in ("c", "v1")
    ]
    assert one_of(found, "2.4.4", "v1") is found[1]
    with pytest.raises(SavedModelCompatError, match="2.4.4 with loader v2"):
        one_of(found, "2.4.4", "v2")

"""Tests of the whole way: consumers, exports of every combination, exit codes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.errors import ExportError, UnsupportedError, UsageError
from savedmodel_compat.matrix.cells import Cell, Outcome, Result
from savedmodel_compat.matrix.exports import Exporter, Order
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.session import (
    Exported,
    Session,
    Silent,
    Where,
    exit_code,
    export_all,
    unexported,
)
from savedmodel_compat.runtimes import pins
from savedmodel_compat.runtimes.base import Loader, Provider

MISBEHAVING = Path(__file__).with_name("misbehaving.py")
CELL = Cell(
    model="m",
    path=Path("/m"),
    model_sha256="",
    tags=("serve",),
    strip=None,
    producer=None,
    consumer="2.4.4",
    provider="wheel",
    loader="c",
)
PASS = Result(cell=CELL, outcome=Outcome.PASS, compared=1)
FAIL = Result(cell=CELL, outcome=Outcome.FAIL)
NOT_RUN = Result(cell=CELL, outcome=Outcome.NOT_RUN)
UNSUPPORTED = Result(cell=CELL, outcome=Outcome.UNSUPPORTED)
INFRA = Result(cell=CELL, outcome=Outcome.INFRA_ERROR)


class Listening(Silent):
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.exports: list[tuple[str, str | None]] = []

    def exported(self, order: Order, problem: str | None) -> None:
        """Remember the order and the problem."""
        self.exports.append((order.label, problem))


@pytest.fixture
def watcher() -> Listening:
    """Return a watcher that remembers."""
    return Listening()


@pytest.fixture
def session(table: pins.PinTable, watcher: Listening) -> Session:
    """Return a session without a configuration."""
    return Session(
        configuration=config.Configuration(),
        options=Options(jobs=2),
        watcher=watcher,
        table=table,
    )


def named(function: str) -> Exporter:
    """Return one of the exporters of the tests."""
    return Exporter(name=function, file=MISBEHAVING, function=function)


def test_consumers_of_a_specifier(session: Session) -> None:
    """A specifier gives a consumer for each release, with the C++ loader by default."""
    found = session.consumers(Where(on="2.21.0,1.15.5"))
    assert [(c.release, c.provider, c.loader) for c in found] == [
        ("1.15.5", "wheel", "c"),
        ("2.21.0", "wheel", "c"),
    ]
    assert all(consumer.runtime is not None for consumer in found)


def test_loaders_that_a_wheel_has_not(session: Session) -> None:
    """Beside one that it has, a loader that it has not is not supported; alone, it is refused."""
    found = session.consumers(Where(on="2.21.0", loaders=(Loader.C, Loader.V2)))
    assert [consumer.runtime is None for consumer in found] == [False, True]
    with pytest.raises(UnsupportedError, match="no loader v1 or v2"):
        session.consumers(Where(on="2.21.0", loaders=(Loader.V1, Loader.V2)))


def test_the_configuration_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session has the pins and exporters of the repository that it is started in."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.savedmodel-compat.exporters]\nmine = 'x.py::export'\n"
        "[tool.savedmodel-compat.sets]\nours = ['2.4.4']\n"
    )
    monkeypatch.chdir(tmp_path)
    session = Session.here()
    assert session.configuration.exporters == {"mine": f"{tmp_path}/x.py::export"}
    assert session.table.sets["ours"] == ("2.4.4",)


def test_a_reference_that_was_not_selected(session: Session) -> None:
    """A reference must be among the consumers."""
    asking = replace(session, options=Options(reference="2.4.4"))
    with pytest.raises(UsageError, match="2.4.4 is not among") as refused:
        asking.run([], asking.consumers(Where(on="2.21.0")))
    assert "--on 2.4.4" in (refused.value.hint or "")


def test_every_combination_is_exported(session: Session, watcher: Listening) -> None:
    """Exports come by exporter, then producer, then strip, whoever is first; each is told once."""
    exporters = [named("honest"), named("chance")]
    exported = export_all(session, exporters, "2.11.1,2.21.0", [False, True], 0)
    orders = [(e.order.exporter.name, e.order.producer, e.order.strip) for e in exported]
    assert orders == [
        (name, producer, strip)
        for name in ("honest", "chance")
        for producer in ("2.11.1", "2.21.0")
        for strip in (False, True)
    ]
    assert all(each.model is not None for each in exported)
    expected = [(each.order.label, None) for each in exported]
    assert sorted(watcher.exports, key=str) == sorted(expected, key=str)


def test_a_producer_that_cannot(session: Session, watcher: Listening, tmp_path: Path) -> None:
    """An exporter that refuses, and one that fails, leave the others alone."""
    file = tmp_path / "exporters.py"
    file.write_text(
        "def refuses(directory, **options):\n    raise NotImplementedError('needs 3.0')\n"
        "def fails(directory, **options):\n    raise ValueError('seeded')\n"
    )
    exporters = [
        Exporter(name=name, file=file, function=name) for name in ("refuses", "fails", "absent")
    ]
    exported = export_all(session, [*exporters, named("honest")], "2.11.1", [True], 0)
    problems = [each.problem for each in exported]
    assert [type(problem) for problem in problems] == [
        UnsupportedError,
        ExportError,
        ExportError,
        type(None),
    ]
    assert "needs 3.0" in str(problems[0])
    assert "ValueError: seeded" in str(problems[1])
    assert sum(problem is None for _, problem in watcher.exports) == 1


def test_an_interrupt_ends_exporters(session: Session, tmp_path: Path) -> None:
    """Ctrl-C does not wait for an exporter that hangs."""
    file = tmp_path / "slow.py"
    file.write_text("import time\ndef export(directory, **options):\n    time.sleep(7351)\n")
    slow = Exporter(name="slow", file=file, function="export")
    timer = threading.Timer(5.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        export_all(session, [slow], "2.11.1", [False, True], 0)
    assert time.monotonic() - began < 60


def consumer(release: str) -> Consumer:
    """Return a consumer that is not ready."""
    return Consumer(release=release, provider="wheel", loader="c", device="cpu")


def test_cells_of_what_was_not_exported() -> None:
    """A model that there is not has a cell in each consumer, with the exporter's own words."""
    order = Order(exporter=named("honest"), producer="1.4.1", strip=True)
    problems = [UnsupportedError("cannot\nstrip"), ExportError("broke")]
    exported = [Exported(order=order, problem=problem) for problem in problems]
    results = unexported(exported, [consumer("2.4.4"), consumer("2.21.0")])
    assert [(r.cell.consumer, r.outcome, r.reason) for r in results] == [
        ("2.4.4", Outcome.UNSUPPORTED, "cannot strip"),
        ("2.21.0", Outcome.UNSUPPORTED, "cannot strip"),
        ("2.4.4", Outcome.INFRA_ERROR, "broke"),
        ("2.21.0", Outcome.INFRA_ERROR, "broke"),
    ]
    assert {(r.cell.model, r.cell.producer, r.cell.strip) for r in results} == {
        ("honest", "1.4.1", True)
    }


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([PASS, NOT_RUN, UNSUPPORTED], 0),
        ([PASS, FAIL], 1),
        ([FAIL, NOT_RUN], 1),
        ([PASS, FAIL, INFRA], 7),
        ([NOT_RUN, UNSUPPORTED], 5),
        ([], 5),
    ],
)
def test_exit_codes(results: Sequence[Result], code: int) -> None:
    """The gravest thing that happened decides."""
    assert exit_code(results) == code


def test_the_exit_code_of_an_interrupt() -> None:
    """An interrupt comes before all else."""
    assert exit_code([PASS, FAIL, INFRA], interrupted=True) == 2


def test_the_default_loader() -> None:
    """Where no loader is named it is the C++ one, whatever the provider."""
    assert Where(provider=Provider.VENV).chosen_loaders == (Loader.C,)


def test_a_release_without_a_pin_for_a_gpu_says_so(table: pins.PinTable) -> None:
    """What is asked for on a CPU and on a GPU is asked for on both, also where only one of them is pinned."""
    session = Session(configuration=config.Configuration(), table=table)
    where = Where(on="1.12.3", devices=("cpu", "gpu"))
    on_cpu, on_gpu = session.consumers(where)
    assert on_cpu.runtime is not None
    assert (on_gpu.device, on_gpu.outcome) == ("gpu", Outcome.UNSUPPORTED)
    assert on_gpu.reason == "TensorFlow 1.12.3 is not pinned for gpu"

"""Tests of making runtimes ready: what becomes of each that is not, and which loaders there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from savedmodel_compat.errors import (
    DownloadError,
    InterpreterNotFoundError,
    SavedModelCompatError,
    UnsupportedError,
)
from savedmodel_compat.matrix import ready
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.runtimes import pins, wheel
from savedmodel_compat.runtimes.base import Loader, Progress, Provider, Runtime

RELEASES = ("2.21.0", "1.15.5", "2.4.4")


def problem_of(problem: SavedModelCompatError, table: pins.PinTable) -> tuple[Outcome, str]:
    """Return what becomes of a consumer with a problem."""
    [consumer] = ready.consumers([(table.get("2.4.4"), problem)], Provider.VENV, [Loader.V1], "cpu")
    assert consumer.runtime is None
    assert consumer.reason is not None
    return consumer.outcome, consumer.reason


def test_in_the_order_of_the_pins(
    table: pins.PinTable, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """Whatever is ready first, the order is that which was asked for."""
    for release in RELEASES:
        wheel_runtime(release)
    chosen = [table.get(release) for release in RELEASES]
    readied = ready.make_ready(chosen, Provider.WHEEL, jobs=3)
    assert [pin.release for pin, _ in readied] == list(RELEASES)
    assert [got.release for _, got in readied if isinstance(got, Runtime)] == list(RELEASES)


def test_one_that_cannot_be_had(table: pins.PinTable) -> None:
    """A pin that this machine has no wheel of is a problem of its own."""
    absent = replace(table.get("2.4.4"), package=None)
    [(_, got), (_, other)] = ready.make_ready([absent, table.get("2.21.0")], Provider.WHEEL, jobs=2)
    assert isinstance(got, UnsupportedError)
    assert isinstance(other, Runtime)


def test_each_runtime_has_its_progress(
    table: pins.PinTable, monkeypatch: pytest.MonkeyPatch, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """Whoever watches is asked for a callback by the runtime's label, and the provider gets it."""
    runtime, told = wheel_runtime("2.21.0"), list[tuple[str, int]]()

    def make_ready(pin: pins.Pin, *, progress: Progress | None = None) -> Runtime:
        assert progress is not None
        progress(1, 2, pin.release)
        return runtime

    def watch(label: str) -> Progress:
        return lambda done, total, what: told.append((f"{label}/{what}", done))  # noqa: ARG005

    monkeypatch.setattr(wheel, "make_ready", make_ready)
    ready.make_ready([table.get("2.4.4")], Provider.WHEEL, jobs=1, progress=watch)
    assert told == [("2.4.4 wheel/2.4.4", 1)]


def test_a_few_at_a_time(table: pins.PinTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many jobs there are, no more than three downloads run side by side."""
    lock, gate, now, most = threading.Lock(), threading.Event(), 0, 0

    def make_ready(pin: pins.Pin, *, progress: Progress | None = None) -> Runtime:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        gate.wait(0.05)
        with lock:
            now -= 1
        raise UnsupportedError(pin.release)

    monkeypatch.setattr(wheel, "make_ready", make_ready)
    ready.make_ready(table.on("cpu"), Provider.WHEEL, jobs=16)
    assert most == 3


def test_a_consumer_for_each_loader(venv_runtime: Callable[[str], Runtime]) -> None:
    """Each release has a consumer for each loader; one that it has not says so."""
    runtime = venv_runtime("1.15.5")
    found = ready.consumers(
        [(runtime.pin, runtime)], Provider.VENV, [Loader.C, Loader.V1, Loader.V2], "cpu"
    )
    assert [(c.loader, c.runtime is None) for c in found] == [
        ("c", False),
        ("v1", False),
        ("v2", True),
    ]
    assert found[2].outcome is Outcome.UNSUPPORTED
    assert found[2].reason == (
        "1.15.5 venv cpu has no loader 'v2': tf.saved_model.load is there from TensorFlow 2.0 on"
    )


def test_the_only_loader_is_nowhere(wheel_runtime: Callable[[str], Runtime]) -> None:
    """A loader that was asked for by name and that no runtime has is an error of usage."""
    runtime = wheel_runtime("2.21.0")
    with pytest.raises(UnsupportedError, match="no loader 'v2' in 2.21.0") as refused:
        ready.consumers([(runtime.pin, runtime)], Provider.WHEEL, [Loader.V2], "cpu")
    assert "--provider venv" in (refused.value.hint or "")


def test_problems_of_this_machine(table: pins.PinTable) -> None:
    """What this machine has not is not supported, and the reason has the hint."""
    problem = InterpreterNotFoundError("no CPython 3.8", python="3.8", hint="install one")
    assert problem_of(problem, table) == (Outcome.UNSUPPORTED, "no CPython 3.8 (install one)")
    assert problem_of(UnsupportedError("no"), table) == (Outcome.UNSUPPORTED, "no")


def test_problems_of_the_infrastructure(table: pins.PinTable) -> None:
    """What broke is an error of the infrastructure."""
    assert problem_of(DownloadError("cut short"), table) == (Outcome.INFRA_ERROR, "cut short")


def test_the_age_of_consumers(
    table: pins.PinTable, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """Newer is younger by version, not by text, and what is not ready is older than all."""
    runtimes = [wheel_runtime(release) for release in ("2.4.4", "2.11.1")]
    readied: list[ready.Readied] = [(runtime.pin, runtime) for runtime in runtimes]
    readied.append((table.get("2.21.0"), UnsupportedError("no")))
    found = ready.consumers(readied, Provider.WHEEL, [Loader.C], "cpu")
    by_age = sorted(found, key=lambda consumer: consumer.age)
    assert [consumer.release for consumer in by_age] == ["2.21.0", "2.4.4", "2.11.1"]

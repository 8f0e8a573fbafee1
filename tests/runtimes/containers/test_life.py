"""What containers leave behind: nothing, however their run ends, and never what belongs to a run that lives."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtimes.containers import sleepers
from tests.runtimes.containers.commands import Command, docker, own_cache, started, wait_for

from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.labels import OWNER, RUN
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun

IN_CONTAINERS = ("--provider", "docker", "--on", "1.15.5")


@pytest.fixture
def image(contained_runtime: Callable[..., Runtime]) -> str:
    """The id of an image that every test here may use."""
    container = contained_runtime("1.15.5").container
    assert container is not None
    return container.inside(native=True).image.id


@pytest.fixture
def never(tmp_path: Path, image: str) -> Path:
    """A model that does not answer."""
    return sleepers.write(tmp_path / "never", seconds=None)


@pytest.fixture
def soon(tmp_path: Path, image: str) -> Path:
    """A model that answers at once."""
    return sleepers.write(tmp_path / "soon")


def labels_of(kind: str, name: str) -> dict[str, str]:
    """The labels of a container or volume, as Docker's own command line prints them."""
    where = ".Config.Labels" if kind == "container" else ".Labels"
    form = "{{range $key, $value := " + where + '}}{{$key}}={{$value}}{{"\\n"}}{{end}}'
    lines = docker(kind, "inspect", "--format", form, name)
    return dict(line.split("=", 1) for line in lines if line)


def test_labels(never: Path, tmp_path: Path) -> None:
    """A container says which run it belongs to, and which process that is."""
    with started("run", never, *IN_CONTAINERS, folder=tmp_path) as command:
        said = labels_of("container", command.at_work())
        assert said[OWNER] == command.owner
        assert len(said[RUN]) == 16
        assert any(
            said[RUN] in Path(f"/proc/{pid}/cmdline").read_text() for pid in command.processes()
        )


def test_a_run_leaves_nothing(soon: Path, tmp_path: Path) -> None:
    """When the command has ended, so have its containers, its folders and its processes."""
    with started("run", soon, *IN_CONTAINERS, folder=tmp_path) as command:
        made = command.made()
        assert command.end() == 0, command.err
        assert made
        assert command.left() == []
        assert command.cells == [("1.15.5", "pass")]


def test_a_worker_leaves_no_thread(soon: Path, contained_runtime: Callable[..., Runtime]) -> None:
    """A worker that is closed has no thread, and no container."""
    before = set(threading.enumerate())
    with Worker(contained_runtime("1.15.5"), native=True) as worker:
        worker.run(LoadAndRun(model=soon, tags=("serve",), loader="c"), Limits())
        assert set(threading.enumerate()) != before
        running = docker("ps", "--quiet", "--filter", f"label={OWNER}={life.owner()}")
        assert len(running) == 1
    wait_for("the end of its threads", lambda: set(threading.enumerate()) <= before)
    assert not docker("ps", "--all", "--quiet", "--filter", f"id={running[0]}")


def interrupt(command: Command) -> None:
    """Do what Ctrl-C does at a terminal."""
    command.interrupt()


def interrupt_alone(command: Command) -> None:
    """Interrupt the controller and nothing else."""
    command.process.send_signal(signal.SIGINT)


def terminate(command: Command) -> None:
    """Do what a service manager or a CI does first."""
    command.process.send_signal(signal.SIGTERM)


def in_a_cell(command: Command) -> object:
    """Wait for a cell."""
    return command.at_work()


def getting_ready(command: Command) -> object:
    """Wait for a container that is not ready."""
    return command.made()


@pytest.mark.parametrize(
    ("stop", "when"),
    [
        (interrupt, in_a_cell),
        (interrupt_alone, in_a_cell),
        (terminate, in_a_cell),
        (interrupt, getting_ready),
    ],
)
def test_an_interrupt_leaves_nothing(
    stop: Callable[[Command], None],
    when: Callable[[Command], object],
    never: Path,
    soon: Path,
    tmp_path: Path,
) -> None:
    """An interrupted run ends soon, with 2, a complete record, and nothing left."""
    with started("run", never, soon, *IN_CONTAINERS, folder=tmp_path) as command:
        when(command)
        began = time.monotonic()
        stop(command)
        assert command.end() == 2, command.err
        assert time.monotonic() - began < 10
        assert command.left() == []
        assert command.err.endswith("interrupted\n")
        assert "Traceback" not in command.err
        if when is in_a_cell:
            assert command.record["interrupted"] is True
            assert sorted(cell["model"] for cell in command.record["cells"]) == ["never", "soon"]


@pytest.mark.parametrize("when", [in_a_cell, getting_ready])
def test_a_killed_run_leaves_nothing(
    when: Callable[[Command], object], never: Path, tmp_path: Path
) -> None:
    """Nobody asks a killed controller; its watcher removes what it had, within seconds."""
    cache = own_cache(tmp_path / "cache")
    with started("run", never, *IN_CONTAINERS, folder=tmp_path, environment=cache) as command:
        when(command)
        command.process.kill()
        command.process.wait()
        command.leaves_nothing()


def test_the_next_run_sweeps(never: Path, soon: Path, tmp_path: Path) -> None:
    """What a controller leaves that was killed with its watcher, the next run in that engine removes."""
    cache = own_cache(tmp_path / "cache")
    with started("run", never, *IN_CONTAINERS, folder=tmp_path / "a", environment=cache) as command:
        command.at_work()
        for pid in [*command.processes(), command.process.pid]:
            os.kill(pid, signal.SIGKILL)
        command.process.wait()
    assert command.shelves()
    with started("run", soon, *IN_CONTAINERS, folder=tmp_path / "b", environment=cache) as next_:
        assert next_.end() == 0, next_.err
    assert command.left() == next_.left() == []


SUITE = """
import pytest

@pytest.mark.savedmodel({model!r}, on="1.15.5", provider="docker")
def test_model(savedmodel_cell):
    pass
"""
PYTEST = (sys.executable, "-m", "pytest", "-pno:cacheprovider", "-pno:hypothesispytest")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_pytest_leaves_nothing(stop: signal.Signals, never: Path, tmp_path: Path) -> None:
    """A pytest run with the plugin that is interrupted or killed in the middle of a cell leaves nothing."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE.format(model=str(never)))
    rootdir = ("--rootdir", str(tmp_path), "-c", os.devnull)
    with started(suite, *rootdir, folder=tmp_path, program=PYTEST) as command:
        command.at_work()
        command.process.send_signal(stop)
        assert command.end() == (2 if stop is signal.SIGINT else -stop), command.out
        command.leaves_nothing(0.0 if stop is signal.SIGINT else 10.0)


def test_a_run_beside_another(soon: Path, tmp_path: Path) -> None:
    """A run that starts beside others sweeps nothing of theirs, and all of them end well."""
    slow = sleepers.write(tmp_path / "slow", seconds=0.5)
    with (
        started("run", slow, *IN_CONTAINERS, folder=tmp_path / "first") as first,
        started("run", slow, *IN_CONTAINERS, folder=tmp_path / "second") as second,
        started("run", soon, *IN_CONTAINERS, folder=tmp_path / "third") as third,
    ):
        frozen = [first.at_work(), second.at_work()]
        docker("pause", *frozen)
        with started("run", soon, *IN_CONTAINERS, folder=tmp_path / "fourth") as fourth:
            ends = [command.end() for command in (third, fourth)]
        assert first.process.poll() is second.process.poll() is None
        docker("unpause", *frozen)
        ends += [command.end() for command in (first, second)]
    assert ends == [0, 0, 0, 0]
    for command in (first, second, third, fourth):
        assert [cell["notes"] for cell in command.record["cells"]] == [[]]
        assert command.left() == []

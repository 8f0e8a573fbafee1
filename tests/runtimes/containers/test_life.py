"""What containers leave behind: nothing, however their run ends, and never what belongs to a run that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sleepers
from commands import Command, docker, owned, started, wait_for

from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.containers.contained import Site
from savedmodel_compat.runtimes.containers.engine import State
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


@pytest.mark.parametrize("when", [in_a_cell, getting_ready])
@pytest.mark.parametrize("stop", [interrupt, interrupt_alone, terminate])
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
    with started("run", never, *IN_CONTAINERS, folder=tmp_path) as command:
        when(command)
        command.process.kill()
        command.process.wait()
        command.leaves_nothing()


def test_the_next_run_sweeps(never: Path, soon: Path, tmp_path: Path) -> None:
    """What a controller leaves that was killed with its watcher, the next run in that engine removes."""
    with started("run", never, *IN_CONTAINERS, folder=tmp_path / "a") as command:
        container = command.at_work()
        for pid in [*command.processes(), command.process.pid]:
            os.kill(pid, signal.SIGKILL)
        command.process.wait()
    assert container in owned(command.owner)
    assert command.shelves()
    with started("run", soon, *IN_CONTAINERS, folder=tmp_path / "b") as following:
        assert following.end() == 0, following.err
    assert command.left() == following.left() == []

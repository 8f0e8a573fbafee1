"""Workers and containers that are lost in the middle of a cell: what is asked again, and what is said of it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.runtimes.containers import sleepers
from tests.runtimes.containers.commands import Command, docker, owned, started, wait_for

from savedmodel_compat.runtimes import client
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.labels import OWNER
from savedmodel_compat.runtimes.requests import Limits

IN_CONTAINERS = ("--provider", "docker", "--on", "1.15.5")


@pytest.fixture
def ready(contained_runtime: Callable[..., Runtime]) -> Runtime:
    """A runtime in the engine that is there."""
    return contained_runtime("1.15.5")


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A model that takes a second to answer."""
    return sleepers.write(tmp_path / "slow", seconds=1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer for an answer than the cell may take."""
    monkeypatch.setattr(client, "_MARGIN", 0.5)


def mine() -> str:
    """Wait until a cell of this process is at work, and return its container."""

    def look() -> str | None:
        filters = ("--filter", f"label={OWNER}={life.owner()}")
        for container in docker("ps", "--quiet", "--no-trunc", *filters):
            if len(docker("top", container, "-o", "pid")) > 2:
                return container
        return None

    return wait_for("a cell at work", look)


def kill_worker(container: str) -> None:
    """Kill the container's first process from this machine."""
    [pid] = docker("inspect", "--format", "{{.State.Pid}}", container)
    os.kill(int(pid), signal.SIGKILL)


def kill(container: str) -> None:
    """Have the engine kill the container."""
    docker("kill", container)


def remove(container: str) -> None:
    """Have the engine remove the container."""
    docker("rm", "--force", container)


def pause(container: str) -> None:
    """Have the engine freeze the container."""
    docker("pause", container)


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (kill_worker, "killed from outside by signal 9"),
        (kill, "killed from outside by signal 9"),
        # It is killed first, and may be looked at between the two.
        (remove, "from outside"),
        (pause, "paused from outside"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_lost_container(
    lose: Callable[[str], None],
    said: str,
    ready: Runtime,
    slow: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cell whose container is lost from outside is asked once more, in a new one, and answers."""
    limits = Limits(seconds=3, megabytes=1000)
    with ThreadPoolExecutor() as pool, Worker(ready, native=True) as worker:
        asked = pool.submit(worker.run, sleepers.work(slow), limits)
        lost = mine()
        lose(lost)
        verdict = asked.result(timeout=30)
        assert sleepers.answer(verdict) == [1, 2, 3]
        assert said in (verdict.asked_again or "")
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "asking once more" in caplog.text
        assert lost not in owned(life.owner())
    assert not docker("ps", "--quiet", "--all", "--filter", f"id={lost}")


def test_a_note_in_the_record(ready: Runtime, slow: Path, tmp_path: Path) -> None:
    """Who reads the record sees that a cell was asked twice; its outcome is that of the second."""
    with started("run", slow, *IN_CONTAINERS, folder=tmp_path) as command:
        kill(command.at_work())
        assert command.end() == 0, command.err
        assert command.cells == [("1.15.5", "pass")]
        [[note]] = [cell["notes"] for cell in command.record["cells"]]
        assert "asked a second time" in note
        assert "signal 9" in note
        assert "asking once more" in command.err
        assert command.left() == []


def test_lost_twice(ready: Runtime, tmp_path: Path) -> None:
    """A cell whose container is lost twice is an error of the infrastructure; the others go on in a third."""
    slow = sleepers.write(tmp_path / "a-slow", seconds=1.5)
    others = [sleepers.write(tmp_path / name) for name in ("b", "c")]
    with started("run", slow, *others, *IN_CONTAINERS, "--jobs", "1", folder=tmp_path) as command:
        first = command.at_work()
        kill(first)
        second = wait_for("a second container", lambda: another(command, first))
        kill(second)
        assert command.end() == 7, command.err
        said = {cell["model"]: cell for cell in command.record["cells"]}
        assert [said[name]["outcome"] for name in ("a-slow", "b", "c")] == [
            "infra-error",
            "pass",
            "pass",
        ]
        assert "killed from outside by signal 9" in said["a-slow"]["reason"]
        assert command.left() == []


def another(command: Command, first: str) -> str | None:
    """Another container than the first, if a cell is at work there."""
    found = command.at_work()
    return None if found == first else found

"""Workers, containers and engines that are lost in the middle: what is asked again, what is said, and how long it takes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.runtimes.containers import own_engines, sleepers
from tests.runtimes.containers.commands import Command, docker, owned, started, wait_for
from tests.runtimes.containers.own_engines import OwnEngine

from savedmodel_compat import config
from savedmodel_compat.runtimes import client
from savedmodel_compat.runtimes import docker as provider
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.labels import OWNER
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun, Port
from savedmodel_compat.runtimes.verdicts import Verdict

RELEASES = ("1.4.1", "1.15.5")
IN_CONTAINERS = ("--provider", "docker", "--on", "1.15.5")
LIMITS = Limits(seconds=30, megabytes=1000)


@pytest.fixture
def ready(contained_runtime: Callable[..., Runtime]) -> Runtime:
    """A runtime in the engine that is there."""
    return contained_runtime("1.15.5")


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A model that takes a second to answer."""
    return sleepers.write(tmp_path / "slow", seconds=1)


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
def test_a_lost_container(
    lose: Callable[[str], None],
    said: str,
    ready: Runtime,
    slow: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cell whose container is lost from outside is asked once more, in a new one, and answers."""
    monkeypatch.setattr(client, "_MARGIN", 0.5)
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


@pytest.fixture(scope="module")
def own(contained_runtime: Callable[..., Runtime]) -> Iterator[OwnEngine]:
    """An engine of ours with two releases, which tests may kill and leave as they like."""
    containers = [contained_runtime(release).container for release in RELEASES]
    images = [each.inside(native=True).image for each in containers if each is not None]
    base = provider.with_environment(config.load().docker).native_base
    with own_engines.running([base, *(image.id for image in images)]) as engine:
        yield engine


@pytest.fixture
def engine(own: OwnEngine) -> OwnEngine:
    """That engine, at work."""
    if own.docker("version", check=False).returncode:
        own.start()
    return own


def in_own(engine: OwnEngine, *releases: str) -> tuple[str, ...]:
    """Options of a run in both releases."""
    return ("--provider", "docker", "--on", ",".join(releases or RELEASES), "--jobs", "2")


def test_an_engine_that_is_killed(engine: OwnEngine, tmp_path: Path) -> None:
    """When the engine dies, what is left of a matrix is an infrastructure error, soon; the next run cleans up."""
    models = [
        sleepers.write(tmp_path / f"m{number}", seconds=None, signatures=3) for number in range(9)
    ]
    environment = {"DOCKER_HOST": engine.address}
    with started(
        "run", *models, *in_own(engine), folder=tmp_path, environment=environment
    ) as command:
        command.at_work()
        lost = command.containers()
        began = time.monotonic()
        engine.kill()
        assert command.end() == 7, command.err
        assert time.monotonic() - began < 20
        record = command.record
        assert len({cell["id"] for cell in record["cells"]}) == len(record["cells"]) == 2 * 9 * 3
        assert {cell["outcome"] for cell in record["cells"]} == {"infra-error"}
        assert all("does not answer" in cell["reason"] for cell in record["cells"])
        assert "docker info" in command.out
        engine.start()
        assert set(lost) <= set(owned(command.owner, engine.address))
    soon = sleepers.write(tmp_path / "soon")
    with started(
        "run", soon, *in_own(engine), folder=tmp_path / "next", environment=environment
    ) as following:
        assert following.end() == 0, following.err
    command.leaves_nothing()
    following.leaves_nothing()


def test_an_engine_that_is_restarted(engine: OwnEngine, tmp_path: Path) -> None:
    """An engine that is away for two seconds costs a second try, and every cell passes."""
    models = [sleepers.write(tmp_path / f"m{number}", seconds=0.4) for number in range(4)]
    environment = {"DOCKER_HOST": engine.address}
    with started(
        "run", *models, *in_own(engine, "1.15.5"), folder=tmp_path, environment=environment
    ) as command:
        command.at_work()
        engine.kill()
        time.sleep(2)
        engine.start()
        assert command.end() == 0, command.err
        assert command.cells == [("1.15.5", "pass")] * 4
        assert "asking again in" in command.err
        assert any(cell["notes"] for cell in command.record["cells"])
    command.leaves_nothing()


def test_no_engine(tmp_path: Path) -> None:
    """Without an engine the command ends at once with 7, and says what to do about it."""
    soon = sleepers.write(tmp_path / "soon", signatures=2)
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    began = time.monotonic()
    with started("run", soon, *IN_CONTAINERS, folder=tmp_path, environment=environment) as command:
        assert command.end() == 7, command.err
    assert time.monotonic() - began < 10
    assert f"{tmp_path}/nobody.sock does not answer" in command.err
    assert "No such file" in command.err
    assert "hint: start it" in command.err
    assert "--provider wheel" in command.err
    assert not command.processes()


WITHOUT_SDK = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "docker":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Nowhere())
from savedmodel_compat.cli import main
main()
"""


def test_no_sdk(tmp_path: Path) -> None:
    """Where the extra is not installed, the command ends with 4 and says how to install it."""
    soon = sleepers.write(tmp_path / "soon")
    program = (sys.executable, "-c", WITHOUT_SDK)
    with started("run", soon, *IN_CONTAINERS, folder=tmp_path, program=program) as command:
        assert command.end() == 4, command.err
    assert "pip install 'savedmodel-compat[docker]'" in command.out + command.err
    assert "Traceback" not in command.err


FORBIDDEN = """
import os, sys
import docker, requests, urllib3
from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes.containers import engine
os.setresuid(65534, 65534, 65534)
try:
    engine.connect()
except EngineError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_of_others(ready: Runtime, tmp_path: Path) -> None:
    """A user who may not use the engine's socket learns that this is why."""
    assert ready.container is not None
    address = ready.container.site.engine.address
    if not address.startswith("unix://"):
        pytest.skip(f"the engine at {address} has no socket here")
    said = subprocess.run(
        [sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=True
    ).stdout
    assert f"the Docker engine at {address} does not answer" in said
    assert "Permission denied" in said
    assert "hint: your user may not use the engine's socket" in said


IMPATIENT = """
from savedmodel_compat.runtimes import client
from savedmodel_compat.runtimes.containers import engine
client._MARGIN = engine._AFTER_SILENCE_SECONDS = 1.0
engine._ANSWER_SECONDS = 2.0
from savedmodel_compat.cli import main
main()
"""


def test_a_frozen_engine(engine: OwnEngine, tmp_path: Path) -> None:
    """An engine that is there and says nothing is waited for once, not for every cell."""
    models = [sleepers.write(tmp_path / f"m{number}", seconds=None) for number in range(20)]
    with started(
        "run",
        *models,
        *in_own(engine),
        *("--timeout", "2", "--json", tmp_path / "record.json"),
        folder=tmp_path,
        environment={"DOCKER_HOST": engine.address},
        program=(sys.executable, "-c", IMPATIENT),
    ) as command:
        command.at_work()
        began = time.monotonic()
        engine.freeze()
        try:
            assert command.end() == 7, command.err
            assert time.monotonic() - began < 20
        finally:
            engine.thaw()
        assert [outcome for _, outcome in command.cells] == ["infra-error"] * 40
        assert "timed out" in command.record["cells"][0]["reason"]
    command.leaves_nothing()


def test_an_engine_by_its_port(engine: OwnEngine, tmp_path: Path) -> None:
    """An engine that listens at a port is far, whatever machine it is on; it is asked for everything there."""
    soon = sleepers.write(tmp_path / "soon")
    environment = {"DOCKER_HOST": engine.far_address}
    with started(
        "run", soon, *in_own(engine), folder=tmp_path, environment=environment
    ) as command:
        assert any(name.startswith("savedmodel-compat-") for name in command.made())
        assert command.end() == 0, command.err
        assert command.cells == [("1.4.1", "pass"), ("1.15.5", "pass")]
        assert command.left() == []

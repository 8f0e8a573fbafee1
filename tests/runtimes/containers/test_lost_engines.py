"""Engines that are lost in the middle, or not there at all: what is asked again, what is said, and how long it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtimes.containers import own_engines, sleepers
from tests.runtimes.containers.commands import owned, started, wait_for
from tests.runtimes.containers.forwarding import forwarded
from tests.runtimes.containers.own_engines import OwnEngine

from savedmodel_compat import config
from savedmodel_compat.runtimes import docker as provider
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import RELEASE
from savedmodel_compat.runtimes.requests import Limits

RELEASES = ("1.4.1", "1.15.5")
IN_CONTAINERS = ("--provider", "docker", "--on", "1.15.5")
LIMITS = Limits(seconds=30, megabytes=1000)


@pytest.fixture(scope="module")
def own(contained_runtime: Callable[..., Runtime]) -> Iterator[OwnEngine]:
    """An engine of ours with one release and what others are built upon, which tests may kill and leave as they like."""
    container = contained_runtime("1.15.5").container
    assert container is not None
    base = provider.with_environment(config.load().docker).native_base
    with own_engines.running([base, container.inside(native=True).image.id]) as engine:
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


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_stopped(stop: signal.Signals, engine: OwnEngine, tmp_path: Path) -> None:
    """Nobody waits for the end of a build that is not wanted any more, the engine least of all; none of it stays."""
    native = ("--filter", f"label={RELEASE}=1.4.1")
    images = engine.docker("images", "--quiet", *native).stdout.split()
    if images:
        engine.docker("rmi", "--force", *images)
    soon = sleepers.write(tmp_path / "soon")
    environment = {"DOCKER_HOST": engine.address}
    options = in_own(engine, "1.4.1")
    with started("run", soon, *options, folder=tmp_path, environment=environment) as command:
        wait_for("a build", lambda: "building the image" in command.err)
        time.sleep(0.3)
        began = time.monotonic()
        command.process.send_signal(stop)
        assert command.end() == (2 if stop is signal.SIGINT else -stop), command.err
        assert time.monotonic() - began < 3
    wait_for("an idle engine", lambda: not engine.docker("ps", "--all", "--quiet").stdout)
    time.sleep(1)
    assert not engine.docker("images", "--quiet", *native).stdout
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
    assert "[docker]" in command.err.rpartition("hint: ")[2]
    assert "Traceback" not in command.err


FORBIDDEN = """
import os, sys
import docker, requests, urllib3
from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes.containers import connection
os.setresuid(65534, 65534, 65534)
try:
    connection.connect()
except EngineError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_of_others(site: Site) -> None:
    """A user who may not use the engine's socket learns that this is why."""
    address = site.engine.address
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
engine.ANSWER_SECONDS = 2.0
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
    """An engine at a port is far, whatever machine it is on; it is asked for everything there."""
    soon = sleepers.write(tmp_path / "soon")
    with (
        forwarded(engine.address.removeprefix("unix://")) as port,
        started(
            "run",
            soon,
            *in_own(engine),
            folder=tmp_path,
            environment={"DOCKER_HOST": port.address},
        ) as command,
    ):
        assert any(name.startswith("savedmodel-compat-") for name in command.made())
        assert command.end() == 0, command.err
        assert command.cells == [("1.4.1", "pass"), ("1.15.5", "pass")]
        assert command.left() == []

"""Engines of other machines: which one is meant, how models come to it, and engines that only look as if they were near."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runtimes.containers import sleepers
from tests.runtimes.containers.commands import COMMAND, Command, docker, owned, started
from tests.runtimes.containers.forwarding import Forwarder, forwarded

from savedmodel_compat.cache import default_root
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import OWNER, RUN

IN_CONTAINERS = ("--provider", "docker", "--on", "1.15.5")
MODELS = Path(__file__).parents[2] / "models"
OF_A_RUN = {"seconds", "started", "harness"}


@pytest.fixture(scope="module")
def path(site: Site, contained_runtime: Callable[..., Runtime]) -> str:
    """The socket of an engine in which a release is ready."""
    contained_runtime("1.15.5")
    if not site.engine.address.startswith("unix://"):
        pytest.skip(f"the engine at {site.engine.address} is far already")
    return site.engine.address.removeprefix("unix://")


@pytest.fixture(scope="module")
def port(path: str) -> Iterator[Forwarder]:
    """The same engine by a port."""
    with forwarded(path) as forwarder:
        yield forwarder


def told(command: Command) -> list[dict[str, Any]]:
    """The cells of a command's record, but for what differs from run to run."""
    return [
        {key: value for key, value in cell.items() if key not in OF_A_RUN}
        for cell in command.record["cells"]
    ]


def ways(container: str) -> set[str]:
    """How a container sees what it sees: by volumes, by folders of the engine's machine, or by both."""
    return set(
        docker("inspect", "--format", "{{range .Mounts}}{{.Type}} {{end}}", container)[0].split()
    )


def test_a_far_engine(port: Forwarder, tmp_path: Path) -> None:
    """Cells in an engine far away are those of one that is near; its models go there in a volume, of which nothing stays."""
    slow = sleepers.write(tmp_path / "slow", seconds=0.5)
    closed = sleepers.write(tmp_path / "closed", times=2)
    (closed / "saved_model.pb").chmod(0o600)
    models = (slow, closed, MODELS / "builder-1.15.5")
    found = {}
    for name, environment in (("near", {}), ("far", {"DOCKER_HOST": port.address})):
        with started(
            "run", *models, *IN_CONTAINERS, folder=tmp_path / name, environment=environment
        ) as command:
            container = command.at_work()
            assert ways(container) == {"near": {"bind"}, "far": {"volume"}}[name]
            volumes = [each for each in owned(command.owner) if len(each) < 64]
            assert len(volumes) == (name == "far")
            for volume in volumes:
                [said] = docker("volume", "inspect", "--format", "{{json .Labels}}", volume)
                assert json.loads(said) == {
                    OWNER: command.owner,
                    RUN: volume.removeprefix("savedmodel-compat-"),
                }
            assert command.end() == 0, command.err
            assert command.left() == []
            found[name] = told(command)
    assert found["near"] == found["far"]
    assert {cell["outcome"] for cell in found["far"]} == {"pass"}


def test_a_killed_run_far_away(port: Forwarder, tmp_path: Path) -> None:
    """A controller that is killed leaves neither containers nor volumes in a far engine."""
    never = sleepers.write(tmp_path / "never", seconds=None)
    environment = {"DOCKER_HOST": port.address}
    with started("run", never, *IN_CONTAINERS, folder=tmp_path, environment=environment) as command:
        command.at_work()
        assert len(owned(command.owner)) == 3
        command.process.kill()
        command.process.wait()
        command.leaves_nothing()


def context(folder: Path, name: str, host: str, *, chosen: bool = False) -> None:
    """Write a context into a folder of Docker's settings."""
    docker_ = ["docker", "--config", os.fspath(folder), "context"]
    subprocess.run([*docker_, "create", name, "--docker", f"host={host}"], check=True)
    if chosen:
        subprocess.run([*docker_, "use", name], check=True)


def test_which_engine_is_meant(path: str, tmp_path: Path) -> None:
    """DOCKER_HOST comes first, then DOCKER_CONTEXT, then the context that Docker's settings choose."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(forwarded(path)) for _ in range(3)]
        first, second, third = (forwarder.address for forwarder in ports)
        context(tmp_path, "second", second)
        context(tmp_path, "third", third, chosen=True)
        settings = {"DOCKER_CONFIG": str(tmp_path)}
        host, named = {"DOCKER_HOST": first}, {"DOCKER_CONTEXT": "second"}
        assert meant({**settings, **named, **host}) == first
        assert meant({**settings, **named}) == second
        assert meant(settings) == third
        assert meant({**settings, "DOCKER_CONTEXT": "default"}) == "unix:///var/run/docker.sock"
        assert (
            meant({**settings, "DOCKER_CONTEXT": "nowhere"})
            == "there is no Docker context 'nowhere'"
        )


MEANT = """
from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes.containers import connection
try:
    found = connection.connect()
    print(found.address)
    found.close()
except EngineError as error:
    print(error.message)
"""


def meant(environment: dict[str, str]) -> str:
    """The address of the engine that an environment means, or why there is none."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    done = subprocess.run(
        [sys.executable, "-c", MEANT],
        env={**others, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip("\n")


def keys(folder: Path) -> Path:
    """Make an authority, and a certificate of it for 127.0.0.1 and its users alike, by the names that Docker wants."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-new", "-newkey", "rsa:2048", "-nodes")
    openssl(*new, "-x509", "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl(*new, "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "request.pem")
    (folder / "more").write_text("subjectAltName = IP:127.0.0.1\n")
    signed = ("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial")
    openssl(*signed, "-in", "request.pem", "-extfile", "more", "-out", "cert.pem")
    return folder


def test_an_engine_with_certificates(path: str, tmp_path: Path) -> None:
    """An engine that wants TLS gets the certificates that Docker's settings name, and a stranger's engine gets nothing."""
    pems = keys(tmp_path / "keys")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pems / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(pems / "cert.pem", pems / "key.pem")
    model = sleepers.write(tmp_path / "model")
    with forwarded(path, tls) as forwarder:
        environment = {
            "DOCKER_HOST": forwarder.address,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(pems),
        }
        with started(
            "run", model, *IN_CONTAINERS, folder=tmp_path, environment=environment
        ) as command:
            assert command.end() == 0, command.err
            assert command.cells == [("1.15.5", "pass")]
            command.host = None  # the same engine, without certificates
            assert command.left() == []
        other = {**environment, "DOCKER_CERT_PATH": str(keys(tmp_path / "other"))}
        assert "certificate verify failed" in meant(other)


def elsewhere(*mounts: str) -> tuple[str, ...]:
    """A command line in a namespace of its own, after some commands of a shell; skip where there can be none."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can see other files than the engine does")
    done = subprocess.run(
        ["unshare", "--mount", "true"], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"this machine lets nobody have a namespace: {done.stderr}")
    return ("unshare", "--mount", "sh", "-euc", "; ".join([*mounts, 'exec "$0" "$@"']), *COMMAND)


def test_an_engine_that_sees_other_files(path: str, tmp_path: Path) -> None:
    """An engine by a socket of this machine that does not see the cache, as one beside a container, is taken as far."""
    slow = sleepers.write(tmp_path / "slow", seconds=0.5)
    cache = default_root() / "shelves"
    cache.mkdir(parents=True, exist_ok=True)
    program = elsewhere(f"mount -t tmpfs none {shlex.quote(str(cache))}")
    with started("run", slow, *IN_CONTAINERS, folder=tmp_path, program=program) as command:
        assert ways(command.at_work()) == {"volume"}
        assert command.end() == 0, command.err
        assert command.cells == [("1.15.5", "pass")]
        assert command.left() == []


@pytest.mark.parametrize("theirs", ["nothing", "another"])
def test_an_engine_that_sees_another_model(theirs: str, path: str, tmp_path: Path) -> None:
    """An engine that sees the cache, and where the model is nothing or another one, gets the model that is meant."""
    real = sleepers.write(tmp_path / "real")
    meant_ = tmp_path / "models" / "model"
    meant_.parent.mkdir()
    if theirs == "another":
        sleepers.write(meant_, seconds=None)
    folder, copy = shlex.quote(str(meant_.parent)), shlex.quote(str(real))
    program = elsewhere(f"mount -t tmpfs -o mode=755 none {folder}", f"cp -r {copy} {folder}/model")
    with started(
        "run", meant_, *IN_CONTAINERS, "--timeout", "3", folder=tmp_path, program=program
    ) as command:
        assert command.end() == 0, command.err
        assert command.cells == [("1.15.5", "pass")]
        assert command.left() == []

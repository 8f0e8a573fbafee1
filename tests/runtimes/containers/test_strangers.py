"""Images and settings of others: what they ask for that a sealed container does not have, and what of theirs is left alone."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.runtimes.containers import hostile

from savedmodel_compat import cli
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.config import Docker
from savedmodel_compat.errors import (
    ConfigurationError,
    EngineError,
    InfrastructureError,
    WorkerError,
)
from savedmodel_compat.runtimes import docker, pins
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import connection, seal
from savedmodel_compat.runtimes.containers.facts import Image
from savedmodel_compat.runtimes.containers.shelf import tar_of
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import RECIPE, RUN
from savedmodel_compat.runtimes.requests import Limits

Contain = Callable[..., Runtime]


@contextlib.contextmanager
def derived(site: Site, runtime: Runtime, lines: str, name: str, folder: Path) -> Iterator[Image]:
    """Yield an image that somebody builds upon one of ours."""
    assert runtime.container is not None
    native = runtime.container.native or runtime.container.installed
    assert native is not None
    file = folder / "Dockerfile"
    file.write_text(f"FROM {native.image.id}\n{lines}\n")
    context = tar_of({"Dockerfile": file})
    try:
        yield site.engine.build(context, name=name, arguments={}, labels={}, printed=[])
    finally:
        site.engine.remove_image(name)


def test_a_volume_of_an_image(site: Site, contained_runtime: Contain, tmp_path: Path) -> None:
    """A folder for which an image asks a volume is there, empty, and cannot be written: nothing reaches the engine's disk."""
    lines = "ENV PATH=/opt/tensorflow/bin:/usr/bin:/bin\nRUN mkdir /data && chmod 777 /data\nVOLUME /data"
    ours = contained_runtime("1.15.5", "v1")
    with derived(site, ours, lines, "savedmodel-compat/test-volume:1.15.5", tmp_path) as image:
        assert image.volumes == ("/data",)
        runtime = docker.make_ready(replace(ours.pin, image=image.name))
        model = hostile.writer(tmp_path / "model")
        with Worker(runtime, native=True) as worker:
            verdict = worker.run(model.ask({"path": b"/data/file", "text": b"text"}), Limits())
    assert verdict.answers[0].failure is not None
    assert "Read-only file system" in verdict.answers[0].failure.text


def test_a_place_that_can_be_written_is_refused(site: Site) -> None:
    """The worker finds what is mounted writable, wherever it comes from."""
    said = {"Seccomp": "2", "NoNewPrivs": "1", "read_only_root": True, "routes": 0}
    said |= {"CapEff": "0", "CapBnd": "0", "uid": 65534, "unlimited": [], "writable": ["/data"]}
    with pytest.raises(WorkerError, match="/data can be written"):
        seal.demand(said, "it", facts=replace(site.facts, unlimited=()))


def test_an_image_upon_one_of_ours_is_another(
    site: Site, contained_runtime: Contain, tmp_path: Path
) -> None:
    """It has our labels and not our name: it is neither taken for ours, nor listed, nor removed."""
    ours = contained_runtime("1.15.5")
    name = "example/serving:1.15"
    with derived(site, ours, "LABEL theirs=1", name, tmp_path) as theirs:
        assert RECIPE in theirs.labels
        again = contained_runtime("1.15.5")
        assert again.places == ours.places
        assert again.container == ours.container
        assert theirs.id not in {image.id for image in docker.stock()["1.15.5"]}


def test_a_second_name_of_an_image_of_ours(
    site: Site, table: pins.PinTable, tmp_path: Path
) -> None:
    """`remove` takes our name away; what somebody else calls it, they keep."""
    pin = replace(table.get("1.4.1"), release="0.0.2")
    labels = {
        RECIPE: "0124",
        "savedmodel-compat.release": "0.0.2",
        "savedmodel-compat.kind": "native",
    }
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nLABEL tiny=2\n")
    name = "savedmodel-compat/native:0.0.2-0124"
    site.engine.build(
        tar_of({"Dockerfile": file}), name=name, arguments={}, labels=labels, printed=[]
    )
    subprocess.run(["docker", "tag", name, "example/mirror:2"], check=True)
    try:
        docker.remove(pin, cache=Cache(root=default_root()))
        assert site.engine.image(name) is None
        assert site.engine.image("example/mirror:2") is not None
    finally:
        site.engine.remove_image("example/mirror:2")


def test_without_a_limit_of_a_cell_the_container_has_one(site: Site) -> None:
    """`--memory 0` is all that the engine has, and no swap."""
    found = seal.host(seal.Seal(), site.facts, megabytes=0)
    assert found["mem_limit"] == found["memswap_limit"] == site.facts.memory_bytes >> 20 << 20


def test_a_container_that_is_lost_while_it_starts(
    site: Site, contained_runtime: Contain, tmp_path: Path
) -> None:
    """It is replaced, as one that is lost in a cell; nothing was asked of it yet."""
    model = hostile.writer(tmp_path / "model")
    seen = {*site.engine.containers(RUN)}
    lost: list[str] = []

    def lose() -> None:
        deadline = time.monotonic() + 30
        while not lost and time.monotonic() < deadline:
            for container in {*site.engine.containers(RUN)} - seen:
                state = site.engine.state(container)
                if state is not None and state.running:
                    site.engine.remove(container)
                    lost.append(container)
                    return

    thread = threading.Thread(target=lose)
    thread.start()
    with Worker(contained_runtime("2.4.4"), native=True) as worker:
        verdict = worker.run(model.ask({"path": b"/tmp/file", "text": b"text"}), Limits())
    thread.join()
    assert lost
    assert verdict.worker_lost is None
    assert verdict.asked_again is not None


def test_a_version_that_is_none(table: pins.PinTable) -> None:
    """A vendor's build may call itself as it likes; it is another release."""
    assert table.get("1.15.5").is_release("1.15.5")
    assert not table.get("1.15.5").is_release("1.15-x")


def test_a_limit_on_processes_is_no_lack_of_memory(
    contained_runtime: Contain, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that is refused its threads says so, and which setting is in the way."""
    contained_runtime("1.15.5")
    monkeypatch.setattr(docker, "_seal", lambda _: seal.Seal(processes=3))
    record = tmp_path / "record.json"
    options = ["--provider", "docker", "--on", "1.15.5", "--json", str(record)]
    assert cli.run(["run", str(corpus / "half_plus_two_cpu"), *options]) == 1
    cell = json.loads(record.read_text())["cells"][0]
    assert cell["cause"] == "crashed"
    assert "`processes` in [tool.savedmodel-compat.docker]" in cell["message"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:notaport", "tcp://a:b", ":::"])
def test_an_address_that_is_none(address: str) -> None:
    """It is named, with how one is written."""
    with pytest.raises(EngineError) as caught:
        connection.connect({"DOCKER_HOST": address})
    assert caught.value.hint is not None


def test_settings_of_docker_that_are_damaged(tmp_path: Path) -> None:
    """A config.json that is no object ends in an error, and not in a traceback."""
    (tmp_path / "config.json").write_text("[]")
    code = "import sys; from savedmodel_compat import cli; sys.exit(cli.run(['runtime', 'list', '--provider', 'docker']))"
    # They are read before anything is asked, so that whoever listens need not be an engine.
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={
                "DOCKER_CONFIG": str(tmp_path),
                "DOCKER_HOST": f"unix://{tmp_path / 'socket'}",
                "HOME": str(tmp_path),
                "PYTHONPATH": ":".join(sys.path),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 7, done.stderr
    assert "Docker's settings cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_over_ssh_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said, with the command that gets it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="over ssh") as caught:
        connection.connect({"DOCKER_HOST": "ssh://somebody@somewhere"})
    assert "docker[ssh]" in str(caught.value.hint)


def test_the_end_of_a_build_is_in_the_record(
    site: Site, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed and where the whole output is are in the reason of the cells, however long it is."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nLABEL empty=2\n")
    name = "savedmodel-compat/test-no-python:1"
    site.engine.build(tar_of({"Dockerfile": file}), name=name, arguments={}, labels={}, printed=[])
    monkeypatch.setenv("SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE", name)
    record = tmp_path / "record.json"
    try:
        options = ["--provider", "docker", "--on", "1.15.5", "--json", str(record)]
        assert cli.run(["run", str(corpus / "half_plus_two_cpu"), *options]) == 7
    finally:
        site.engine.remove_image(name)
    reason = json.loads(record.read_text())["cells"][0]["reason"]
    assert "could not be built" in reason
    assert "exec:" in reason or "stat /bin/sh" in reason
    assert Path(reason.rstrip(")").rpartition(" ")[2]).is_file()


def test_an_image_without_an_interpreter_is_named(
    site: Site, contained_runtime: Contain, tmp_path: Path
) -> None:
    """So is what it would need."""
    ours = contained_runtime("1.15.5")
    name = "savedmodel-compat/test-path:1"
    with derived(site, ours, "ENV PATH=/nowhere", name, tmp_path):
        with pytest.raises(InfrastructureError, match="has no python3") as caught:
            docker.make_ready(replace(ours.pin, image=name), settings=Docker())
        assert name in caught.value.message

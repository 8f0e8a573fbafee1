"""Models of every shape in containers: mounted, on the shelf beside the engine, and in a volume of an engine far away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.runtimes.containers import sleepers
from tests.runtimes.containers.commands import docker
from tests.runtimes.containers.forwarding import forwarded

from savedmodel_compat.errors import InfrastructureError, WorkerError
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.channel import Channel
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import connection
from savedmodel_compat.runtimes.containers.shelf import NearShelf
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.requests import Limits

LIMITS = Limits(seconds=30, megabytes=1000)
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def far(site: Site) -> Iterator[Site]:
    """The engine by a port, so that it is taken for one of another machine."""
    path = site.engine.address.removeprefix("unix://")
    if path == site.engine.address:
        pytest.skip(f"the engine at {path} is far already")
    with forwarded(path) as forwarder:
        found = Site(connection.connect({"DOCKER_HOST": forwarder.address}))
        yield found
        found.close()


@pytest.fixture(scope="module")
def workers(contained_runtime: Callable[..., Runtime], far: Site) -> Iterator[dict[str, Worker]]:
    """A worker that knows no model beforehand, beside the engine and far from it."""
    near = contained_runtime("1.15.5")
    assert near.container is not None
    runtimes = {"near": near, "far": replace(near, container=replace(near.container, site=far))}
    with (
        Worker(runtimes["near"], native=True) as here,
        Worker(runtimes["far"], native=True) as far_,
    ):
        yield {"near": here, "far": far_}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that answers at once."""
    return sleepers.write(tmp_path / "model")


def answers(worker: Worker, model: Path) -> list[float]:
    """What a model answers to 1, 2, 3."""
    verdict = worker.run(sleepers.work(model), LIMITS)
    assert verdict.failure is None, verdict.failure
    assert verdict.completed, verdict
    return sleepers.answer(verdict)


def everywhere(workers: dict[str, Worker], model: Path) -> dict[str, list[float]]:
    """What it answers on the shelf, far away, and mounted as far as it can be."""
    found = {way: answers(worker, model) for way, worker in workers.items()}
    with Worker(workers["near"]._runtime, native=True, models=[model]) as worker:
        found["mounted"] = answers(worker, model)
    return found


SAME = {way: [1.0, 2.0, 3.0] for way in ("near", "far", "mounted")}


def channel_of(worker: Worker) -> Channel:
    """The channel of a worker that is started."""
    worker.start(LIMITS)
    assert worker._channel is not None
    return worker._channel


LIST = """
import hashlib, json, os, stat, sys
found = {}
for parent, folders, files in os.walk(sys.argv[1]):
    for name in folders + files:
        path = os.path.join(parent, name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            said = "-> " + os.readlink(path)
        elif stat.S_ISDIR(status.st_mode):
            said = "folder"
        else:
            said = hashlib.sha256(open(path, "rb").read()).hexdigest()
        found[os.path.relpath(path, sys.argv[1])] = said
print(json.dumps(found))
"""


def inside(worker: Worker, place: str) -> dict[str, str]:
    """What a container finds in a place: links and their targets, folders, and the digests of files."""
    [line] = docker("exec", channel_of(worker)._id, "python3", "-c", LIST, place)  # type: ignore[attr-defined]
    found: dict[str, str] = json.loads(line)
    return found


def outside(folder: Path) -> dict[str, str]:
    """The same of a folder here, but for what is no file, folder or link."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            said = f"-> {path.readlink()}"
        elif stat.S_ISDIR(mode):
            said = "folder"
        elif stat.S_ISREG(mode):
            said = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            continue
        found[str(path.relative_to(folder))] = said
    return found


def test_a_model_of_ones_own(workers: dict[str, Worker], model: Path) -> None:
    """A model that only its owner may read is read in the container, which is an ordinary user's, all the same."""
    for path in model.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    model.chmod(0o700)
    assert everywhere(workers, model) == SAME


def test_nobody_else_reads_it(workers: dict[str, Worker], model: Path) -> None:
    """What stands on the shelf for containers is no more open to other users of this machine than it was before."""
    (model / "saved_model.pb").chmod(0o600)
    answers(workers["near"], model)
    shelf = workers["near"]._runtime.container.site.shelf("")  # type: ignore[union-attr]
    assert isinstance(shelf, NearShelf)
    assert stat.S_IMODE(Path(shelf.mount.source).parent.stat().st_mode) == 0o700


def test_a_model_on_another_filesystem(workers: dict[str, Worker]) -> None:
    """A model from whose filesystem nothing can be linked is copied."""
    if not MEMORY.is_dir():
        pytest.skip(f"there is no {MEMORY}")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Path(folder).chmod(0o755)
        assert everywhere(workers, sleepers.write(Path(folder) / "model")) == SAME


def test_a_root_that_is_a_link(workers: dict[str, Worker], model: Path, tmp_path: Path) -> None:
    """A model's folder may be a link, as it is where Kubernetes mounts it."""
    (tmp_path / "..data").symlink_to(model.name)
    link = tmp_path / "served"
    link.symlink_to("..data")
    assert everywhere(workers, link) == SAME


def test_what_is_in_a_folder(workers: dict[str, Worker], model: Path) -> None:
    """Empty folders, links of every kind, odd names and small files arrive as they are; pipes and sockets do not."""
    (model / "assets").mkdir()
    (model / "variables").mkdir(mode=0o700)
    (model / "variables" / "an index").write_bytes(bytes(70_000))
    (model / "variables" / "link").symlink_to("an index")
    (model / "up").symlink_to("../model/saved_model.pb")
    (model / "out").symlink_to("/etc/passwd")
    (model / "dangling").symlink_to("nowhere")
    (model / "a, b: \u00fc\n\u65e5").write_text("x")
    (model / ("n" * 250)).mkdir()
    (model / ("n" * 250) / ("m" * 200)).write_text("y")
    (model / os.fsdecode(b"caf\xe9")).write_text("no UTF-8")
    (model / "program").write_text("z")
    (model / "program").chmod(0o700)
    wanted = outside(model)
    assert len(wanted) == 14
    os.mkfifo(model / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        # A socket's path has to be short.
        short = os.path.relpath(model / "socket")
        bound.bind(short)
    for worker in workers.values():
        assert inside(worker, channel_of(worker).place(model)) == wanted
        assert answers(worker, model) == [1, 2, 3]


@pytest.mark.parametrize("name", [b"caf\xe9", b"a:b,c=d", b"new\nline", b"-rf", b"a' \"b"])
def test_an_odd_name(name: bytes, workers: dict[str, Worker], tmp_path: Path) -> None:
    """A model's folder may be called anything."""
    assert everywhere(workers, sleepers.write(tmp_path / os.fsdecode(name))) == SAME


def test_a_link_out_of_the_model(workers: dict[str, Worker], model: Path, tmp_path: Path) -> None:
    """Nothing outside the model's folder is reached by a link in it, and every way says the same."""
    (model / "saved_model.pb").rename(tmp_path / "elsewhere.pb")
    (model / "saved_model.pb").symlink_to(tmp_path / "elsewhere.pb")
    said = set()
    with Worker(workers["near"]._runtime, native=True, models=[model]) as mounted:
        for worker in (*workers.values(), mounted):
            verdict = worker.run(sleepers.work(model), LIMITS)
            assert verdict.failure is not None
            said.add((verdict.failure.type, verdict.failure.text))
    assert len(said) == 1
    assert "NOT_FOUND" in str(said)
    assert str(model) in str(said)


def test_many_small_files(workers: dict[str, Worker], tmp_path: Path) -> None:
    """A model of two thousand files is there within seconds, the second time at once."""
    model = sleepers.write(tmp_path / "model", notes=2000)
    wanted = outside(model)
    for worker in workers.values():
        channel = channel_of(worker)
        began = time.monotonic()
        place = channel.place(model)
        took = time.monotonic() - began
        began = time.monotonic()
        assert channel.place(model) == place
        again = time.monotonic() - began
        assert inside(worker, place) == wanted
        assert took < 10
        assert again < 1


def test_a_model_that_changes(workers: dict[str, Worker], model: Path, tmp_path: Path) -> None:
    """A model that becomes another between two cells is loaded as it is then, however it becomes another."""
    assert everywhere(workers, model) == SAME
    with Worker(workers["near"]._runtime, native=True, models=[model]) as mounted:
        every = (*workers.values(), mounted)
        assert [answers(worker, model) for worker in every] == [[1, 2, 3]] * 3
        # A file that is written anew, one that is put in another's place, and a folder that is.
        sleepers.write(model, times=2)
        assert [answers(worker, model) for worker in every] == [[2, 4, 6]] * 3
        other = sleepers.write(tmp_path / "other", times=3)
        (other / "saved_model.pb").replace(model / "saved_model.pb")
        assert [answers(worker, model) for worker in every] == [[3, 6, 9]] * 3
        shutil.rmtree(model)
        sleepers.write(model, times=4)
        assert [answers(worker, model) for worker in every] == [[4, 8, 12]] * 3


def test_a_model_that_is_gone(workers: dict[str, Worker], tmp_path: Path) -> None:
    """A model that is not there is an error of its own cell, which names it, and the worker goes on."""
    model = sleepers.write(tmp_path / "model")
    with Worker(
        workers["near"]._runtime, native=True, models=[tmp_path / "gone", model]
    ) as mounted:
        for worker in (*workers.values(), mounted):
            with pytest.raises(WorkerError, match=r"gone cannot be put .* No such file"):
                worker.run(sleepers.work(tmp_path / "gone"), LIMITS)
            assert answers(worker, model) == [1, 2, 3]


@contextlib.contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Have a file that even root cannot read, as it is on a disk that is broken."""
    write_only = Path("/sys/bus/cpu/uevent")
    if os.geteuid() != 0 or not write_only.exists():
        pytest.skip("only root can have a file that cannot be read, and only where there is one")
    file.touch()
    subprocess.run(["mount", "--bind", write_only, file], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", file], check=True)
        file.unlink()


@pytest.mark.parametrize("kind", ["near", "far"])
def test_a_file_that_cannot_be_read(
    kind: str, workers: dict[str, Worker], far: Site, model: Path
) -> None:
    """A file that cannot be read is named, is no fault of the engine's, and does not stand in the way of the next try."""
    container = workers["near"]._runtime.container
    assert container is not None
    image = container.inside(native=True).image.id
    shelf = (container.site if kind == "near" else far).shelf(image)
    with unreadable(model / "broken"):
        for _ in range(2):
            with pytest.raises(InfrastructureError) as refused:
                shelf.put(model)
            assert f"{model} cannot be put" in refused.value.message
            assert "Permission denied" in refused.value.message
            assert "does not answer" not in refused.value.message
    assert answers(workers[kind], model) == [1, 2, 3]


def test_four_hundred_models(workers: dict[str, Worker], tmp_path: Path) -> None:
    """A container with hundreds of models mounted starts about as fast as one with none, and has each in its place."""
    models = [sleepers.write(tmp_path / f"{n:03d}", times=n) for n in range(1, 401)]
    runtime = workers["near"]._runtime
    with Worker(runtime, native=True) as bare, Worker(runtime, native=True, models=models) as full:
        assert len(channel_of(full).mounted) == 400
        assert full.ready_seconds < bare.ready_seconds + 3
        for n in (1, 200, 400):
            assert answers(full, models[n - 1]) == [n, 2 * n, 3 * n]

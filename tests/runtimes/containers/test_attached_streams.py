"""What travels over a container's standard streams: whole, in order, of any size, and within bounds of memory and time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.runtimes.containers import sleepers
from tests.runtimes.containers.commands import docker

from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import contained, stream
from savedmodel_compat.runtimes.containers.contained import ContainerChannel
from savedmodel_compat.runtimes.requests import Limits

LIMITS = Limits(seconds=60, megabytes=2000)
HUNDRED_MB = 25_000_000
"""Numbers of four bytes."""


@pytest.fixture(scope="module")
def runtime(contained_runtime: Callable[..., Runtime]) -> Runtime:
    """A release in a container."""
    return contained_runtime("1.15.5")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that doubles what it is given."""
    return sleepers.write(tmp_path / "model", times=2)


CHILD = """
import hashlib, resource, sys
from pathlib import Path
import numpy as np
from savedmodel_compat import config
from savedmodel_compat.runtimes import docker, pins, wheel
from savedmodel_compat.runtimes.client import Worker
from tests.runtimes.containers import sleepers, test_attached_streams as tests

pin = pins.load().get("1.15.5")
kind, model = sys.argv[1:]
runtime = wheel.make_ready(pin) if kind == "wheel" else docker.make_ready(pin, settings=config.load().docker)
x = np.arange(tests.HUNDRED_MB, dtype=np.float32)
with Worker(runtime, native=True) as worker:
    worker.start(tests.LIMITS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = worker.run(sleepers.work(Path(model), x), tests.LIMITS)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
[answer] = verdict.answers
assert np.array_equal(answer.outputs["y"], 2 * x)
print((after - before) // 1024)
"""


def test_a_hundred_megabytes(runtime: Runtime, model: Path) -> None:
    """Inputs and outputs of 100 MB each are exact, and take no more memory here than those of a child process."""
    said = {}
    for kind in ("wheel", "docker"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, kind, str(model)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said[kind] = int(done.stdout)
    assert said["docker"] < said["wheel"] + 32


def test_ten_thousand_small_ones(runtime: Runtime, model: Path) -> None:
    """Ten thousand sets of inputs have ten thousand answers, in their order."""
    feeds = tuple({"x": np.array([n, n + 0.5], np.float32)} for n in range(10_000))
    with Worker(runtime, native=True) as worker:
        verdict = worker.run(replace(sleepers.work(model), feeds=feeds), LIMITS)
    found = [answer.outputs["y"].tolist() for answer in verdict.answers if answer.outputs]
    assert found == [[2.0 * n, 2.0 * n + 1] for n in range(10_000)]


def test_many_cells_of_one_worker(runtime: Runtime, model: Path) -> None:
    """Cell after cell, each gets its own answer, and nothing of them stays in the container."""
    with Worker(runtime, native=True) as worker:
        for n in range(50):
            feeds = ({"x": np.array([n] * (n + 1), np.float32)},)
            verdict = worker.run(replace(sleepers.work(model), feeds=feeds), LIMITS)
            assert sleepers.answer(verdict) == [2.0 * n] * (n + 1)
        assert isinstance(worker._channel, ContainerChannel)
        assert len(docker("top", worker._channel._id, "-o", "pid")) == 2


BABBLER = """
import hashlib, os, random, sys

draw = random.Random(7)
block = bytes(draw.getrandbits(8) for _ in range(1 << 17))
digest = hashlib.sha256()
while sys.stdin.buffer.read(1) == b"+":
    for _ in range(400):
        at, size = draw.randrange(1 << 16), draw.randrange(1, 1 << 16)
        digest.update(block[at : at + size])
        os.write(1, block[at : at + size])
        if draw.random() < 0.5:
            os.write(2, b"log " * draw.randrange(1, 5000))
os.write(2, b"\\nthe end: " + digest.hexdigest().encode())
os.write(1, b"the end")
"""


def test_answers_among_logs(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed between answers does not get into them, and the end of it is kept."""
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "__main__.py").write_text(BABBLER)
    monkeypatch.setattr(contained, "_WORKER", tmp_path / "worker")
    assert runtime.container is not None
    inside = runtime.container.inside(native=True)
    channel = ContainerChannel(runtime.container, inside, kind="native", environment={})
    said = bytearray()
    try:
        channel.write(b"+++.")
        while not said.endswith(b"the end"):
            said += channel.read(time.monotonic() + 30)
    finally:
        log = channel.close()
    assert len(said) > 1 << 24
    assert "log log " in log
    assert log.endswith(f"the end: {hashlib.sha256(said[: -len('the end')]).hexdigest()}")


def test_nobody_takes_what_is_sent(
    runtime: Runtime, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is too large for the way to a frozen container is not waited for for ever."""
    monkeypatch.setattr(stream, "_STALLED_SECONDS", 1.0)
    x = np.arange(HUNDRED_MB // 4, dtype=np.float32)
    with Worker(runtime, native=True) as worker:
        worker.start(LIMITS)
        assert isinstance(worker._channel, ContainerChannel)
        docker("pause", worker._channel._id)
        verdict = worker.run(sleepers.work(model, x), LIMITS)
    assert "paused from outside" in (verdict.asked_again or "")
    assert sleepers.answer(verdict)[:3] == [0, 2, 4]

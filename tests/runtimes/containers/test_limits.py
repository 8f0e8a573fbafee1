"""The limits of a container: memory, processes, processors, time, and what is said of a model that comes up against them."""

from __future__ import annotations

import errno
import json
import resource
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.runtimes.containers import hostile, sealed

from savedmodel_compat import cli
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import contained as containers
from savedmodel_compat.runtimes.containers.seal import Seal
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.requests import Limits

RELEASE = "2.4.4"
LIMITS = Limits(seconds=20, megabytes=1000)
GIGABYTE = 1 << 28
"""As many float32."""


@pytest.fixture
def worker(contained: Runtime) -> Iterator[Worker]:
    """A worker in a container."""
    with Worker(contained, native=True) as started:
        yield started


@pytest.fixture
def demand_alive(tmp_path: Path) -> Callable[[Worker], None]:
    """Demand that a worker still runs a model."""
    looper = hostile.looper(tmp_path / "alive")

    def demand(worker: Worker) -> None:
        [answer] = worker.run(looper.ask({"trips": 3}), LIMITS).answers
        assert answer.outputs is not None
        assert answer.outputs["y"] == 3

    return demand


def container(worker: Worker) -> str:
    """The id of the container that a worker is in."""
    channel = worker._channel
    assert isinstance(channel, containers.ContainerChannel)
    return channel._id


@pytest.mark.parametrize("provider", ["wheel", "docker"])
def test_a_model_that_needs_too_much(
    provider: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A tensor that is larger than --memory is out of memory, by the same words with and without a container."""
    if provider == "docker":
        request.getfixturevalue("site")
    filler = hostile.filler(tmp_path / "filler")
    inputs, file = tmp_path / "inputs.npz", tmp_path / "record.json"
    np.savez(inputs, sizes=np.array([GIGABYTE], np.int32))
    asked = ["run", str(filler.path), "--on", RELEASE, "--memory", "200", "--json", str(file)]
    assert cli.run([*asked, "--inputs", str(inputs), "--provider", provider]) == 1
    cells = json.loads(file.read_text())["cells"]
    assert {(cell["outcome"], cell["cause"]) for cell in cells} == {("fail", "out-of-memory")}
    assert "OOM when allocating tensor with shape[268435456]" in cells[0]["message"]


def test_a_model_that_needs_little(worker: Worker, tmp_path: Path) -> None:
    """The same model runs where the limit allows it."""
    filler = hostile.filler(tmp_path / "filler")
    [answer] = worker.run(filler.ask({"sizes": [GIGABYTE // 2]}), LIMITS).answers
    assert answer.outputs is not None


SHARED = """
import mmap
size = {} << 20
memory = mmap.mmap(-1, size)
for at in range(0, size, 4096):
    memory[at] = 1
print("all of it")
"""


def test_memory_without_swap(site: Site, image: str) -> None:
    """The first process of a container is ended at the container's limit, whatever kind of memory it is; not below it."""
    limits = Seal(megabytes=300)
    ended = sealed.run(site, image, SHARED.format(400), limits=limits)
    assert (ended.out, ended.state.exit_code, ended.state.out_of_memory) == ("", 137, True)
    ended = sealed.run(site, image, SHARED.format(200), limits=limits)
    assert (ended.out, ended.state.exit_code) == ("all of it\n", 0)
    ended = sealed.run(site, image, SHARED.format(400), changes=sealed.UNLIMITED_MEMORY)
    assert (ended.out, ended.state.exit_code) == ("all of it\n", 0)


def test_scratch_has_an_end(site: Site, image: str) -> None:
    """The writable folder takes as much as it is given, and what is written there is memory of the container's."""
    program = (
        "try:\n"
        "    with open('/tmp/x', 'wb', 0) as file:\n"
        "        for count in range(500):\n"
        "            file.write(bytes(1 << 20))\n"
        "except OSError as error:\n"
        "    print(count, error.errno)"
    )
    ended = sealed.run(site, image, program, limits=Seal(scratch_megabytes=40))
    assert ended.out == f"40 {errno.ENOSPC}\n"
    ended = sealed.run(site, image, program, limits=Seal(scratch_megabytes=900, megabytes=100))
    assert (ended.out, ended.state.out_of_memory) == ("", True)


BOMB = """
import os, time
children = 0
try:
    for _ in range(300):
        if not os.fork():
            time.sleep(20)
            os._exit(0)
        children += 1
except OSError as error:
    print(children, error.errno)
else:
    print(children)
"""


def test_processes_have_an_end(site: Site, image: str) -> None:
    """Who forks without end comes to one, and all of it is gone with the container's first process."""
    ended = sealed.run(site, image, BOMB, limits=Seal(processes=50))
    assert ended.out == f"49 {errno.EAGAIN}\n"
    assert ended.seconds < 10
    assert sealed.run(site, image, BOMB, changes={"pids_limit": None}).out == "300\n"


BURN = """
import os, resource, time
for _ in range(3):
    os.fork()
began = time.monotonic()
while time.monotonic() - began < 1.5:
    pass
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
if os.getpid() == 1:
    took = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    held = ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"]
    counts = dict(line.split() for path in held if os.path.exists(path) for line in open(path))
    print(sum(one.ru_utime + one.ru_stime for one in took) / (time.monotonic() - began))
    print(counts.get("nr_throttled", "0"))
"""


def test_processors_have_a_limit(site: Site, image: str) -> None:
    """Eight processes that do nothing but work keep a quarter of a processor busy, if that is what they have."""
    share, held = sealed.run(site, image, BURN, limits=Seal(processors=0.25)).out.split()
    assert 0.05 < float(share) < 0.4
    assert int(held) > 3
    assert sealed.run(site, image, BURN, changes={"nano_cpus": None}).out.split()[1] == "0"


def test_a_loop_is_ended(
    worker: Worker, demand_alive: Callable[[Worker], None], tmp_path: Path
) -> None:
    """A model that counts to two thousand million is timed out, and its container does the next cell."""
    looper = hostile.looper(tmp_path / "looper")
    verdict = worker.run(looper.ask({"trips": 2_000_000_000}), Limits(seconds=1, megabytes=1000))
    assert verdict.timed_out
    assert verdict.stage == "run"
    assert verdict.seconds["cell"] < 5
    before = container(worker)
    demand_alive(worker)
    assert container(worker) == before


def test_an_abort_is_a_crash(site: Site, tmp_path: Path) -> None:
    """A model that ends in LOG(FATAL) has crashed, by its signal, with TensorFlow's last words."""
    aborter, file = hostile.aborter(tmp_path / "aborter"), tmp_path / "record.json"
    asked = ["run", str(aborter.path), "--on", RELEASE, "--json", str(file)]
    assert cli.run([*asked, "--provider", "docker"]) == 1
    for cell in json.loads(file.read_text())["cells"]:
        assert (cell["outcome"], cell["cause"]) == ("fail", "crashed")
        assert "SIGABRT" in cell["message"]
        assert "seeded abort" in cell["message"]


def test_an_end_that_nobody_meant(worker: Worker, contained: Runtime, tmp_path: Path) -> None:
    """A container that is killed while a cell runs is no crash and no lack of memory: the cell is asked once more."""
    looper = hostile.looper(tmp_path / "looper")
    worker.start(LIMITS)
    assert contained.container is not None
    kill, lost = contained.container.site.engine.kill, container(worker)
    threading.Timer(0.5, kill, [lost]).start()
    verdict = worker.run(looper.ask({"trips": 2_000_000_000}), replace(LIMITS, seconds=2))
    assert verdict.asked_again == "its container was killed from outside by signal 9"
    assert verdict.timed_out
    assert not verdict.out_of_memory


def test_a_flood_of_print(
    worker: Worker, demand_alive: Callable[[Worker], None], tmp_path: Path
) -> None:
    """Of 300 MB that a model prints, beginning and end are kept, in a memory that does not grow."""
    printer = hostile.printer(tmp_path / "printer")
    worker.start(LIMITS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = worker.run(printer.ask({"trips": 30, "text": b"x" * 10_000_000}), LIMITS)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert verdict.completed
    assert 200_000 < len(verdict.log) < 300_000
    assert "left out" in verdict.log
    assert after - before < 200 << 10
    demand_alive(worker)


def test_a_message_without_end(
    worker: Worker, demand_alive: Callable[[Worker], None], tmp_path: Path
) -> None:
    """Of a message with 70 MB of the model's own text in it, beginning and end are kept."""
    complainer = hostile.complainer(tmp_path / "complainer")
    verdict = worker.run(complainer.ask({"text": b"x" * 70_000_000}), LIMITS)
    [answer] = verdict.answers
    assert answer.failure is not None
    assert answer.failure.text.startswith("StringToNumberOp could not correctly convert string: x")
    assert "left out" in answer.failure.text
    assert len(answer.failure.text) < 100_000
    demand_alive(worker)


def test_a_large_answer(worker: Worker, tmp_path: Path) -> None:
    """An answer of 200 MB arrives as it is, in a container whose cells may use a gigabyte."""
    answerer = hostile.answerer(tmp_path / "answerer")
    [answer] = worker.run(answerer.ask({"sizes": [50_000_000]}), LIMITS).answers
    assert answer.outputs is not None
    assert float(answer.outputs["y"].sum(dtype=np.float64)) == 50_000_000

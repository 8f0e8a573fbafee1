"""What a model gets at that has found a hole in TensorFlow and runs code of its own: the cell that it is in, and nothing else.

It is in the container with the worker, as the same user. So these tests are of what the worker does for itself and for the cells to come.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.runtimes.containers import hostile

from savedmodel_compat.runtimes import client
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import contained
from savedmodel_compat.runtimes.containers.seal import Seal
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Verdict

RELEASE = "2.4.4"
INTRUDER = Path(__file__).with_name("intruder.py")
LIMITS = Limits(seconds=20, megabytes=200)

Run = Callable[..., Verdict]


@pytest.fixture(scope="module")
def runtime(
    contained_runtime: Callable[..., Runtime], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """A container of 300 MB whose worker runs an intruder's code where TensorFlow's would be."""
    folder = tmp_path_factory.mktemp("intruder") / "worker"
    shutil.copytree(client.WORKER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(INTRUDER, folder / "_native.py")
    made = contained_runtime(RELEASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contained, "_WORKER", folder)
        assert made.container is not None
        small = replace(made.container, seal=Seal(megabytes=300, processes=100))
        told = {**made.environment, "INTRUDER_RELEASE": RELEASE}
        yield replace(made, container=small, environment=told)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model to ask for; nobody looks at it."""
    return hostile.looper(tmp_path_factory.mktemp("models") / "model").path


@pytest.fixture(scope="module")
def worker(runtime: Runtime) -> Iterator[Worker]:
    """A worker as it is, in its container."""
    with Worker(runtime, native=True) as started:
        # Before any test has changed what it is told.
        started.start(LIMITS)
        yield started


@pytest.fixture
def loose(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker in the same container that has not been told that it is in one, and closes nothing."""
    told = Worker._configuration

    def configuration(self: Worker) -> Mapping[str, Any]:
        return {**told(self), "contained": False}

    monkeypatch.setattr(Worker, "_configuration", configuration)
    with Worker(runtime, native=True) as started:
        yield started


@pytest.fixture(scope="module")
def run(model: Path) -> Run:
    """Have a worker's next cell run a program."""

    def ask(worker: Worker, program: str, limits: Limits = LIMITS) -> Verdict:
        return worker.run(LoadAndRun(model=model, tags=(program,), loader="c"), limits)

    return ask


def container(worker: Worker) -> str:
    """The id of the container that a worker is in."""
    channel = worker._channel
    assert isinstance(channel, contained.ContainerChannel)
    return channel._id


MEDDLING = """
attempt("answers", lambda: open("/proc/1/fd/4", "wb"))
attempt("variables", lambda: open("/proc/1/environ"))
attempt("score", lambda: open("/proc/1/oom_score_adj", "w").write("1000"))
attempt("limits", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9)))
attempt("memory", lambda: open("/proc/1/mem", "r+b"))
"""


def test_a_cell_cannot_meddle_with_its_worker(worker: Worker, loose: Worker, run: Run) -> None:
    """The worker's memory, streams, variables and limits are out of a cell's reach, and would not be by themselves."""
    said = run(worker, MEDDLING).log.splitlines()
    assert len(said) == 5
    assert not [line for line in said if line.endswith("done")]
    assert run(worker, "").completed
    *said, _ = run(loose, MEDDLING).log.splitlines()
    # The last is refused by kernels that let nobody look into another process.
    assert [line.split()[1] for line in said] == ["done"] * 4


def test_a_cell_cannot_stop_its_worker(worker: Worker, run: Run) -> None:
    """No signal and no debugger of a cell's gets at the first process: the same container does the next cell."""
    run(worker, "")
    before = container(worker)
    signals = f"for number in range(1, {signal.NSIG}):\n    os.kill(1, number)"
    assert run(worker, signals).completed
    assert "refused" in run(worker, 'attempt("attach", lambda: call(101, 16, 1, 0, 0))').log
    assert run(worker, "").completed
    assert container(worker) == before


def test_a_worker_by_itself_would_be_stopped(loose: Worker, run: Run) -> None:
    """Python's own handler ends it; the cell is an infrastructure error, and found out at once."""
    verdict = run(loose, f"os.kill(1, {int(signal.SIGINT)})\ntime.sleep(5)")
    assert verdict.worker_lost == "its container ended with status 0"


def test_a_cell_can_go_on_with_its_own_process(worker: Worker, run: Run) -> None:
    """What is closed is closed to others: a cell has its own files in /proc, limits and signals."""
    program = (
        "open('/proc/self/fd/1', 'w').write('mine ')\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "socket.socketpair()\n"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    assert run(worker, program).log == "mine 1000\n\n"


LEAVING = """
for folder in ("/tmp", "/dev/mqueue"):
    open(folder + "/left", "w").close()
os.makedirs("/tmp/closed/inner")
os.chmod("/tmp/closed/inner", 0)
os.symlink("/shelf", "/tmp/link")
for start in ("/tmp", os.environ["TMPDIR"]):
    here = os.open(start, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=here)
        down = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = down
if not os.fork():
    os.setsid()
    time.sleep(60)
"""
LOOKING = """
own = os.environ["TMPDIR"]
print(sorted(set(glob.glob("/tmp/*")) - {own}), os.listdir(own), os.listdir("/dev/mqueue"))
print(sorted({int(pid) for pid in os.listdir("/proc") if pid.isdigit()} - {1, os.getpid()}))
"""


def test_a_cell_leaves_nothing_to_the_next(worker: Worker, loose: Worker, run: Run) -> None:
    """Files, in whatever depth, and processes are gone when the next cell begins, in the same container."""
    run(worker, "")
    before = container(worker)
    assert run(worker, LEAVING).completed
    assert run(worker, LOOKING).log == "[] [] []\n[]\n"
    assert container(worker) == before
    assert run(loose, LEAVING).completed
    assert "/tmp/left" in run(loose, LOOKING).log


def test_many_files_of_a_cell_are_removed(worker: Worker, run: Run) -> None:
    """There is an end to the files that it can make, and the worker removes them in time for the next."""
    program = (
        "count = 0\n"
        "try:\n"
        "    while True:\n"
        "        open(f'/tmp/{count}', 'w').close()\n"
        "        count += 1\n"
        "except OSError as error:\n"
        "    print(count, error.strerror)"
    )
    count, said = run(worker, program).log.split(maxsplit=1)
    assert 10_000 < int(count) < 70_000
    assert said == "No space left on device\n"
    assert run(worker, LOOKING).log == "[] [] []\n[]\n"


CALLS = """
attempt("AF_VSOCK", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("AF_ALG", lambda: socket.socket(38, socket.SOCK_SEQPACKET))
attempt("io_uring", lambda: call(425, 8, 0))
attempt("queue", lambda: call(240, b"left", os.O_CREAT | os.O_RDWR, 0o600, None))
attempt("32 bit", lambda: call(0x40000000 + 39))
"""
LASTING = """
attempt("shared memory", lambda: call(29, 1234, 4096, 0o1600))
attempt("semaphores", lambda: call(64, 1234, 1, 0o1600))
attempt("messages", lambda: call(68, 1234, 0o1600))
"""


def test_calls_that_get_out_of_the_container_or_outlast_the_cell(
    worker: Worker, loose: Worker, run: Run
) -> None:
    """Sockets that know of no network namespace, and objects that nobody's end removes, are refused."""
    said = run(worker, CALLS + LASTING).log.splitlines()
    assert len(said) == 8
    assert {line.partition(" refused ")[2] for line in said} == {"Operation not permitted"}
    assert run(loose, LASTING).log.count(" done") == 3


LIES: dict[str, str] = {
    "no list of tensors": "{}",
    "no object": "[]",
    "nothing that ends": "b'[' * 2_000_000",
    "no text": "b'\\xff\\xfe'",
    "less than none": "{'tensors': [['y', 'float32', [1], -4]]}",
    "more than came": "{'tensors': [['y', 'float32', [1], 4]]}",
    "another shape": "{'tensors': [['y', 'float32', [3], 0]], 'runs': [{'outputs': 1}]}",
    "more than there is": "{'tensors': [['y', 'string', [1 << 62], 0]], 'runs': [{'outputs': 1}]}",
    "no number of outputs": "{'tensors': [], 'runs': [{'outputs': 'many'}]}",
    "no runs": "{'tensors': [], 'runs': 5}",
    "no text of an error": "{'tensors': [], 'error': 5, 'type': []}",
    "no time": "{'tensors': [], 'seconds': {'cell': 'long'}}",
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_a_cell_has_made_up(lie: str, worker: Worker, run: Run) -> None:
    """Whatever a cell sends past the worker's code, it is that cell alone that nothing is known of."""
    verdict = run(worker, f"frame(reporter, {LIES[lie]})\nos._exit(0)")
    assert verdict.worker_lost is not None
    assert verdict.worker_lost.startswith("garbage in a cell's answer: ")
    assert run(worker, "").completed


def test_an_answer_without_end(worker: Worker, run: Run) -> None:
    """One that never ends stays in the memory of the container, which is the cell's end."""
    program = (
        "frame(reporter, {'tensors': [['y', 'float32', [1 << 38], 1 << 40]]}, 1 << 40)\n"
        "while True:\n"
        "    os.write(reporter._descriptor, bytes(1 << 20))"
    )
    verdict = run(worker, program)
    assert verdict.out_of_memory
    assert run(worker, "").completed


SHARED = """
memory = mmap.mmap(-1, 400 << 20)
for at in range(0, len(memory), 4096):
    memory[at] = 1
"""


def test_memory_that_no_limit_of_a_process_sees(worker: Worker, run: Run) -> None:
    """A cell that shares its memory with nobody but the container comes to the container's limit, and is out of memory."""
    verdict = run(worker, SHARED)
    assert verdict.out_of_memory
    assert verdict.signal == signal.SIGKILL
    assert run(worker, "").completed


def test_processes_that_each_keep_to_the_limit(worker: Worker, run: Run) -> None:
    """Ten times what one process may have is more than the container has: some of the ten are ended."""
    program = (
        "children = []\n"
        "for _ in range(10):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        held = bytearray(os.urandom(1 << 20)) * 60\n"
        "        time.sleep(2)\n"
        "        os._exit(0)\n"
        "    children.append(pid)\n"
        "print(sum(os.waitpid(pid, 0)[1] == signal.SIGKILL for pid in children))"
    )
    assert 2 < int(run(worker, program).log) < 10
    assert run(worker, "").completed


def test_a_later_end_of_a_container_is_not_for_its_memory(worker: Worker, run: Run) -> None:
    """What the engine remembers of a container that a cell was ended in for its memory is not said of another's end."""
    run(worker, SHARED)
    run(worker, "")
    assert worker._runtime.container is not None
    kill = worker._runtime.container.site.engine.kill
    threading.Timer(0.3, kill, [container(worker)]).start()
    verdict = run(worker, "time.sleep(1)")
    assert verdict.asked_again == "its container was killed from outside by signal 9"
    assert verdict.completed


BOMB = """
while True:
    try:
        if os.fork():
            os.setsid()
    except OSError:
        pass
"""


def test_a_bomb_of_processes_is_over_with_its_cell(runtime: Runtime, run: Run) -> None:
    """What forks faster than it could be killed one by one is timed out, and none of it is left."""
    with Worker(runtime, native=True) as worker:
        verdict = run(worker, BOMB, Limits(seconds=1, megabytes=200))
        assert verdict.timed_out
        assert verdict.seconds["cell"] < 10
        assert runtime.container is not None
        with contextlib.closing(runtime.container.site.engine._open_client()) as sdk:
            assert len(sdk.top(container(worker))["Processes"]) == 1
        assert run(worker, LOOKING).log == "[] [] []\n[]\n"

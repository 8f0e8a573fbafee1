"""Workers, for real: what a cell's process may do, and what becomes of the cell, the worker and the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Export, Limits, LoadAndRun, Port
from savedmodel_compat.runtimes.verdicts import Verdict

LIMITS = Limits(seconds=60, megabytes=2000)
FEEDS = ({"x": np.array([[1.0], [2.0]], np.float32)}, {"x": np.array([[-4.0]], np.float32)})


@pytest.fixture(scope="module")
def native(wheel_runtime: Callable[[str], Runtime]) -> Iterator[Worker]:
    """A native worker of the newest release."""
    with Worker(wheel_runtime("2.21.0"), native=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def producer(venv_runtime: Callable[[str], Runtime]) -> Iterator[Worker]:
    """A Python worker of the producer that the tests use."""
    with Worker(venv_runtime("2.11.1"), native=False) as worker:
        yield worker


def work(model: Model, loader: str = "c", **changes: object) -> LoadAndRun:
    """The predict signature of `half_plus_two`, as a request."""
    case = next(case for case in model.cases if case.signature == "serving_default")
    made = LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader=loader,
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
        feeds=FEEDS,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def answers(verdict: Verdict) -> list[list[float]]:
    """The outputs `y`, one list a feed."""
    found = [answer.outputs for answer in verdict.answers]
    return [output["y"].ravel().tolist() for output in found if output is not None]


def script(tmp_path: Path, body: str) -> Export:
    """An exporter whose function does ``body``."""
    file = tmp_path / "misbehave.py"
    lines = ["import os, signal, subprocess, sys, time", "def export(directory, **options):"]
    file.write_text("\n".join([*lines, *(f"    {line}" for line in body.splitlines())]) + "\n")
    return Export(
        file=file, function="export", directory=tmp_path / "out", strip_default_attrs=False, seed=0
    )


@pytest.mark.parametrize("release", ["1.15.5", "2.4.4", "2.11.1", "2.21.0"])
def test_native_answers(
    release: str,
    wheel_runtime: Callable[[str], Runtime],
    exported: Callable[..., Model],
) -> None:
    """The C++ loader of each release loads a model and answers each set of inputs."""
    with Worker(wheel_runtime(release), native=True) as worker:
        verdict = worker.run(work(exported("half_plus_two")), LIMITS)
    assert worker.tensorflow == release
    assert verdict.completed
    assert answers(verdict) == [[2.5, 3.0], [0.0]]


@pytest.mark.parametrize("loader", ["v1", "v2"])
def test_python_loaders_answer(
    loader: str, producer: Worker, exported: Callable[..., Model]
) -> None:
    """Both Python loaders load a model and answer each set of inputs."""
    verdict = producer.run(work(exported("half_plus_two"), loader), LIMITS)
    assert verdict.failure is None, verdict.failure.trace
    assert answers(verdict) == [[2.5, 3.0], [0.0]]


def test_load_only(native: Worker, exported: Callable[..., Model]) -> None:
    """A request without outputs loads and runs nothing."""
    verdict = native.run(work(exported("half_plus_two"), outputs=(), feeds=()), LIMITS)
    assert verdict.completed
    assert verdict.answers == ()
    assert verdict.stage == "load"


def test_refused_load(native: Worker, exported: Callable[..., Model]) -> None:
    """What TensorFlow says at load comes back with its code."""
    verdict = native.run(work(exported("half_plus_two"), tags=("nowhere",)), LIMITS)
    assert verdict.stage == "load"
    assert verdict.failure is not None
    assert verdict.failure.type == "NOT_FOUND"
    assert "supplied tags" in verdict.failure.text


def test_one_refused_feed_leaves_the_others(native: Worker, exported: Callable[..., Model]) -> None:
    """A feed that the graph refuses has its own failure; the others have their answers."""
    wrong = {"x": np.array([1, 2], np.int32)}
    verdict = native.run(work(exported("half_plus_two"), feeds=(FEEDS[0], wrong, FEEDS[1])), LIMITS)
    assert [answer.failure is None for answer in verdict.answers] == [True, False, True]
    assert answers(verdict) == [[2.5, 3.0], [0.0]]


def test_tensor_that_is_not_in_the_graph(native: Worker, exported: Callable[..., Model]) -> None:
    """A signature that names no tensor of the graph is a failure of the run, not a crash."""
    verdict = native.run(
        work(exported("half_plus_two"), outputs=(Port("y", "gone:0", "float32"),)), LIMITS
    )
    assert verdict.answers[0].failure is not None
    assert "'gone' is not in the graph" in verdict.answers[0].failure.text


def test_output_index_beyond_the_node(native: Worker, exported: Callable[..., Model]) -> None:
    """An output that the node does not have is told with the number that it has."""
    verdict = native.run(
        work(exported("half_plus_two"), outputs=(Port("y", "y:7", "float32"),)), LIMITS
    )
    assert verdict.answers[0].failure is not None
    assert "has 1 outputs" in verdict.answers[0].failure.text


@pytest.mark.parametrize(
    ("body", "signal_number"),
    [
        ("os.abort()", signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGSEGV)", signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL),
    ],
)
def test_a_process_that_dies_is_a_verdict(
    body: str, signal_number: int, producer: Worker, tmp_path: Path, exported: Callable[..., Model]
) -> None:
    """A signal ends one cell; the same worker does the next."""
    model = exported("half_plus_two")
    verdict = producer.export(script(tmp_path, f"print('last words', flush=True)\n{body}"), LIMITS)
    assert verdict.signal == signal_number
    assert verdict.broke_off
    assert "last words" in verdict.log
    assert answers(producer.run(work(model, "v1"), LIMITS)) == [[2.5, 3.0], [0.0]]


def test_a_process_that_ends_without_an_answer(producer: Worker, tmp_path: Path) -> None:
    """Leaving by the back door is no answer."""
    verdict = producer.export(script(tmp_path, "os._exit(3)"), LIMITS)
    assert verdict.status == 3
    assert verdict.broke_off


def test_a_process_that_hangs(producer: Worker, tmp_path: Path) -> None:
    """The time limit ends a cell and all that it started."""
    body = "subprocess.Popen(['sleep', '7341'])\ntime.sleep(7342)"
    began = time.monotonic()
    verdict = producer.export(script(tmp_path, body), Limits(seconds=1, megabytes=0))
    assert verdict.timed_out
    assert time.monotonic() - began < 20
    assert "7341" not in processes()


def test_what_a_process_leaves_running_is_ended(producer: Worker, tmp_path: Path) -> None:
    """A background process of a cell that answered does not outlive it."""
    producer.export(script(tmp_path, "subprocess.Popen(['sleep', '7343'])\nreturn {}"), LIMITS)
    assert "7343" not in processes()


def test_a_session_of_its_own_does_not_save_a_process(producer: Worker, tmp_path: Path) -> None:
    """A background process that left the cell's group and session is ended all the same."""
    body = "subprocess.Popen(['sleep', '7348'], start_new_session=True)\nreturn {}"
    assert producer.export(script(tmp_path, body), LIMITS).completed
    assert "7348" not in processes()


def test_temporary_files_of_a_cell_are_removed(producer: Worker, tmp_path: Path) -> None:
    """What a cell leaves in the temporary folder, as AutoGraph does, goes when the cell goes, however it ends."""
    seen = tmp_path / "seen"
    body = (
        "import tempfile\n"
        f"open({str(seen)!r}, 'w').write(tempfile.mkstemp()[1])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    verdict = producer.export(script(tmp_path, body), LIMITS)
    assert verdict.signal == signal.SIGKILL
    left = Path(seen.read_text())
    assert "savedmodel-compat-" in str(left)
    assert not left.parent.exists()


def test_memory_limit_of_python(producer: Worker, tmp_path: Path) -> None:
    """More memory than the limit is refused by the system, in that cell alone."""
    verdict = producer.export(
        script(tmp_path, "x = bytearray(600 << 20)\nreturn {}"), Limits(seconds=60, megabytes=200)
    )
    assert verdict.failure is not None
    assert verdict.failure.type == "MemoryError"


def test_memory_within_the_limit(producer: Worker, tmp_path: Path) -> None:
    """The same allocation is fine where the limit allows it: the limit is over what the runtime uses."""
    verdict = producer.export(
        script(tmp_path, "x = bytearray(600 << 20)\nreturn {}"), Limits(seconds=60, megabytes=900)
    )
    assert verdict.failure is None
    assert verdict.completed


def test_garbage_printed_by_a_cell_is_only_log(producer: Worker, tmp_path: Path) -> None:
    """Whatever a cell writes to its standard output, the protocol is elsewhere."""
    verdict = producer.export(
        script(tmp_path, "os.write(1, b'SMC1 garbage' * 1000)\nreturn {}"), LIMITS
    )
    assert verdict.completed
    assert "garbage" in verdict.log


def test_a_long_log_keeps_both_ends(producer: Worker, tmp_path: Path) -> None:
    """Of megabytes that a cell prints, beginning and end are kept."""
    body = "print('FIRST')\nfor _ in range(30000): print('x' * 99)\nprint('LAST')\nreturn {}"
    verdict = producer.export(script(tmp_path, body), LIMITS)
    assert verdict.log.startswith("FIRST")
    assert verdict.log.rstrip().endswith("LAST")
    assert "left out" in verdict.log
    assert len(verdict.log) < 300_000


def test_a_killed_worker_loses_one_cell(
    wheel_runtime: Callable[[str], Runtime], exported: Callable[..., Model]
) -> None:
    """A worker killed from outside is the verdict of its cell, and the next cell has a new one."""
    model = exported("half_plus_two")
    with Worker(wheel_runtime("2.21.0"), native=True) as worker:
        worker.start()
        worker.kill()
        verdict = worker.run(work(model), LIMITS)
        assert verdict.worker_lost is not None
        assert "signal 9" in verdict.worker_lost
        assert answers(worker.run(work(model), LIMITS)) == [[2.5, 3.0], [0.0]]


def test_a_worker_killed_in_the_middle_takes_its_cell_along(
    venv_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """The cell's process dies with the worker."""
    with Worker(venv_runtime("2.11.1"), native=False) as worker:
        worker.start()
        threading.Timer(1.0, worker.kill).start()
        body = "subprocess.Popen(['sleep', '7344'])\ntime.sleep(7347)"
        verdict = worker.export(script(tmp_path, body), LIMITS)
    assert verdict.worker_lost is not None
    time.sleep(0.3)
    assert "7344" not in processes()


def test_garbage_on_the_worker_s_stdout(
    wheel_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """An interpreter that prints before the protocol begins is named, with what it printed."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho Welcome to this machine\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    runtime = replace(wheel_runtime("2.21.0"), python=python)
    with (
        pytest.raises(WorkerError, match=r"garbage.*Welcome"),
        Worker(runtime, native=True) as worker,
    ):
        worker.start()


def test_a_library_that_does_not_load(
    wheel_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """A damaged library is a worker that does not start, with the loader's own words."""
    broken = tmp_path / "libtensorflow_cc.so.2"
    broken.write_bytes(b"\x7fELF" + bytes(100))
    runtime = replace(wheel_runtime("2.21.0"), libraries=(broken,))
    with (
        pytest.raises(WorkerError, match="libtensorflow_cc"),
        Worker(runtime, native=True) as worker,
    ):
        worker.start()


def test_nothing_outlives_a_controller_that_is_killed(
    venv_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """After kill -9 of the controller neither worker nor cell is left."""
    runtime = venv_runtime("2.11.1")
    work = script(tmp_path, "subprocess.Popen(['sleep', '7345'])\ntime.sleep(7346)")
    controller = tmp_path / "controller.py"
    controller.write_text(
        "from pathlib import Path\n"
        "from savedmodel_compat.runtimes import pins, venv\n"
        "from savedmodel_compat.runtimes.client import Export, Limits, Worker\n"
        f"worker = Worker(venv.make_ready(pins.load().get({runtime.release!r})), native=False)\n"
        f"worker.export(Export(file=Path({str(work.file)!r}), function='export',\n"
        f"    directory=Path({str(tmp_path / 'out')!r}), strip_default_attrs=False, seed=0),\n"
        "    Limits(seconds=600, megabytes=0))\n"
    )
    process = subprocess.Popen([sys.executable, str(controller)])
    wait_for(lambda: "7345" in processes())
    process.kill()
    process.wait()
    wait_for(lambda: "7345" not in processes())
    assert str(work.file.parent) not in processes()


def test_workers_of_two_releases_at_once(
    wheel_runtime: Callable[[str], Runtime], exported: Callable[..., Model]
) -> None:
    """Two releases answer side by side; each has its own process."""
    model = exported("half_plus_two")
    first = Worker(wheel_runtime("1.15.5"), native=True)
    second = Worker(wheel_runtime("2.21.0"), native=True)
    with first, second:
        for worker in (first, second, first, second):
            assert answers(worker.run(work(model), LIMITS)) == [[2.5, 3.0], [0.0]]


def test_no_descriptor_is_left_open(
    wheel_runtime: Callable[[str], Runtime], exported: Callable[..., Model]
) -> None:
    """A closed worker leaves neither a descriptor nor a child."""
    model = exported("half_plus_two")
    before = len(os.listdir("/proc/self/fd"))
    with Worker(wheel_runtime("2.21.0"), native=True) as worker:
        worker.run(work(model), LIMITS)
    assert len(os.listdir("/proc/self/fd")) == before


def processes() -> str:
    """The command lines of all processes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(found)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)

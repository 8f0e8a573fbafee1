"""Models that stay loaded, for real: thousands of answers of one process, and what becomes of it when one ends it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.held import Held
from savedmodel_compat.runtimes.requests import Limits, Live, LoadAndRun, Port
from savedmodel_compat.runtimes.verdicts import Verdict

LIMITS = Limits(seconds=20, megabytes=2000)
X, Y = Port("x", "x:0", "float32"), Port("y", "y:0", "float32")
FATES = """
import os, signal, time
import numpy as np
import tensorflow as tf

KILLED, HANGING, LEAVING, SPEAKING = 13.0, 14.0, 15.0, 16.0

def export(directory, *, strip_default_attrs, seed):
    asked = []
    def call(inputs):
        x = inputs["x"]
        asked.append(x)
        first = float(x.ravel()[0]) if x.size else 0.0
        if first == KILLED:
            print("going down", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if first == HANGING:
            time.sleep(600)
        if first == LEAVING and os.fork() == 0:
            time.sleep(600)
        if first == SPEAKING:
            print("a word of %d" % len(asked), flush=True)
        return {"y": np.float32(len(asked)) + 0 * x}
    x = np.zeros((1,), np.float32)
    return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": x}, "call": call}}
"""


@pytest.fixture(scope="module")
def native(wheel_runtime: Callable[[str], Runtime]) -> Iterator[Worker]:
    """A native worker."""
    with Worker(wheel_runtime("2.21.0"), native=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def python(venv_runtime: Callable[[str], Runtime]) -> Iterator[Worker]:
    """A Python worker."""
    with Worker(venv_runtime("2.11.1"), native=False) as worker:
        yield worker


def work(model: Model, loader: str = "c") -> LoadAndRun:
    """The predict signature of `half_plus_two`."""
    case = next(case for case in model.cases if case.signature == "serving_default")
    return LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader=loader,
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
    )


@pytest.fixture
def fated(python: Worker, tmp_path: Path) -> Iterator[Held]:
    """A function that does as its input says."""
    file = tmp_path / "fates.py"
    file.write_text(FATES)
    live = Live(
        file=file,
        function="export",
        strip_default_attrs=True,
        seed=0,
        tags=("serve",),
        signature="serving_default",
        inputs=(X,),
        outputs=(Y,),
    )
    with Held(python, live, Limits(seconds=3, megabytes=2000)) as held:
        yield held


def x(*values: float) -> dict[str, np.ndarray]:
    """One set of inputs."""
    return {"x": np.array(values, np.float32)}


def said(verdict: Verdict) -> list[list[float]]:
    """The outputs of each answer."""
    return [answer.outputs["y"].ravel().tolist() for answer in verdict.answers if answer.outputs]


def running(worker: Worker) -> list[int]:
    """The processes that a worker has."""
    assert worker._channel is not None
    pid = worker._channel._process.pid  # type: ignore[attr-defined]
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("release", ["1.4.1", "1.15.5", "2.4.4", "2.21.0"])
def test_many_questions_one_process(
    release: str, wheel_runtime: Callable[[str], Runtime], exported: Callable[..., Model]
) -> None:
    """One process answers all that it is asked, one at a time and many at once, in each release."""
    model = exported("half_plus_two", producer="1.15.5")
    with (
        Worker(wheel_runtime(release), native=True) as worker,
        Held(worker, work(model), LIMITS) as held,
    ):
        for number in range(50):
            assert said(held.ask([{"x": np.full((2, 1), number, np.float32)}])) == [
                [number / 2 + 2] * 2
            ]
        several = [{"x": np.full((number, 1), 2, np.float32)} for number in range(20)]
        assert said(held.ask(several)) == [[3.0] * number for number in range(20)]
        assert held.loads == 1
        assert len(running(worker)) == 1
    assert held.worker.holding is None


@pytest.mark.parametrize("loader", ["v1", "v2"])
def test_python_loaders(loader: str, python: Worker, exported: Callable[..., Model]) -> None:
    """The Python loaders are held like the C++ one."""
    with Held(python, work(exported("half_plus_two"), loader), LIMITS) as held:
        for _ in range(10):
            assert said(held.ask([{"x": np.ones((1, 1), np.float32)}])) == [[2.5]]
        assert held.loads == 1


def test_strings_in_and_out(native: Worker, exported: Callable[..., Model]) -> None:
    """Strings of all lengths go in a thousand times, and each comes back as it is."""
    model = exported("every_dtype", producer="2.21.0")
    case = next(case for case in model.cases if [port.dtype for port in case.inputs] == ["string"])
    asked = LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader="c",
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
    )
    [given], [back] = case.inputs, case.outputs
    shape = case.feeds[0][given.alias].shape
    with Held(native, asked, LIMITS) as held:
        for length in range(0, 1000, 7):
            word = bytes(number % 256 for number in range(length))
            fed = np.full(shape, word, object)
            [answer] = held.ask([{given.alias: fed}]).answers
            assert answer.outputs is not None
            assert answer.outputs[back.alias].tolist() == fed.tolist()


def test_memory_does_not_grow(native: Worker, exported: Callable[..., Model]) -> None:
    """What a run takes is given back before the next: 270 runs of 1 MB each way stay within some."""
    with Held(native, work(exported("half_plus_two")), LIMITS) as held:
        feed = {"x": np.ones((1 << 18, 1), np.float32)}
        held.ask([feed] * 3)
        [child] = running(native)
        before = resident(child)
        for _ in range(90):
            held.ask([feed] * 3)
        assert running(native) == [child]
        assert resident(child) - before < 40 << 20


def resident(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_does_not_fit(native: Worker, exported: Callable[..., Model]) -> None:
    """A missing input, one too many, and one of another type are refused, and the next is answered."""
    with Held(native, work(exported("half_plus_two")), LIMITS) as held:
        fits = {"x": np.ones((1, 1), np.float32)}
        for wrong in ({}, {**fits, "z": fits["x"]}, {"x": np.ones((1, 1), np.int32)}):
            refused, answered = held.ask([wrong, fits]).answers
            assert refused.failure is not None
            assert answered.outputs is not None
        assert held.loads == 1


def test_killed(fated: Held) -> None:
    """A process that is killed is the verdict of its question; the next question has a new one."""
    assert said(fated.ask([x(0)])) == [[1.0]]
    verdict = fated.ask([x(13)])
    assert (verdict.signal, verdict.stage, verdict.held) == (signal.SIGKILL, "run", False)
    assert "going down" in verdict.log
    assert said(fated.ask([x(0)])) == [[1.0]]
    assert fated.loads == 2


def test_hanging(fated: Held) -> None:
    """A process that does not answer is killed for it, in about the time that it has."""
    began = time.monotonic()
    verdict = fated.ask([x(14)])
    assert verdict.timed_out
    assert time.monotonic() - began < 30
    assert said(fated.ask([x(0), x(0)])) == [[1.0], [2.0]]


def test_what_it_leaves_running(fated: Held) -> None:
    """What a process has started ends with it."""
    fated.ask([x(15)])
    [child] = running(fated.worker)
    started = Path(f"/proc/{child}/task/{child}/children").read_text().split()
    assert started
    fated.close()
    assert running(fated.worker) == []
    assert not any(Path(f"/proc/{each}").exists() for each in started)


def test_a_word_belongs_to_its_question(fated: Held) -> None:
    """What is printed comes with the answer to what was asked, and only once."""
    assert "a word of 1" in fated.ask([x(16)]).log
    assert "a word of" not in fated.ask([x(0)]).log


def test_renewed(fated: Held) -> None:
    """A renewed process has no past."""
    assert said(fated.ask([x(0), x(0)])) == [[1.0], [2.0]]
    fated.renew()
    assert said(fated.ask([x(0)])) == [[1.0]]


def test_another_request_ends_it(
    fated: Held, python: Worker, exported: Callable[..., Model]
) -> None:
    """A worker that is asked for a cell does not keep the process; the next question loads anew."""
    assert said(fated.ask([x(0)])) == [[1.0]]
    model = exported("half_plus_two")
    verdict = python.run(work(model, "v2"), LIMITS)
    assert verdict.completed
    assert running(python) == []
    assert said(fated.ask([x(0)])) == [[1.0]]
    assert fated.loads == 2


def test_no_past_beyond_a_thousand(fated: Held) -> None:
    """A process is renewed now and then, so that nothing that leaks grows for ever."""
    fated.ask([x(0)] * 600)
    assert said(fated.ask([x(0)] * 600))[0] == [1.0]
    assert fated.loads == 2


def test_a_large_request(fated: Held) -> None:
    """A request that no pipe holds is sent while the process reads it."""
    [answer] = fated.ask([{"x": np.zeros(10_000_000, np.float32)}]).answers
    assert answer.outputs is not None
    assert answer.outputs["y"].shape == (10_000_000,)


def test_a_model_that_does_not_load(native: Worker, tmp_path: Path) -> None:
    """A model that is not there is a failure at load, and no process waits."""
    asked = LoadAndRun(model=tmp_path, tags=("serve",), loader="c", signature="s", outputs=(Y,))
    with Held(native, asked, LIMITS) as held:
        verdict = held.ask([{}])
        assert verdict.failure is not None
        assert verdict.stage == "load"
        assert running(native) == []

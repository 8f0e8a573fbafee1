"""A C++ program, compiled as C++ users do it, answers what loader `c` answers, and is refused in the same words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.golden.compare import compare
from savedmodel_compat.matrix.models import Case, Model, load_models
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.model.reader import read
from savedmodel_compat.runtimes import pins, venv, wheel
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.manifest import digest_of
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun, Placement
from savedmodel_compat.runtimes.verdicts import Verdict

ROOT = Path(__file__).parent.parent
SOURCE = Path(__file__).parent / "programs" / "load_and_run.cc"
FROZEN = ROOT / "golden" / "models"
TABLE = pins.load()
RELEASES = ["2.15.1", "2.21.0"]
MODELS = ["half_plus_two-1.4.1", "mnist_cnn-1.15.5"]
CODES = {(5, "NOT_FOUND"), (11, "OUT_OF_RANGE"), (15, "DATA_LOSS")}
_FLAGS = "import tensorflow.sysconfig as s; print(); print('\\n'.join(s.get_compile_flags()))"
_SECONDS = 600.0

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What the program printed.

    Args:
        outputs: by the tensor's name.
        traced: the nodes of the trace.
        error: the code and the text of what it was refused; None if it was not.
    """

    outputs: Mapping[str, Array] = field(default_factory=dict)
    traced: frozenset[str] = frozenset()
    error: tuple[int, str] | None = None


Program = Callable[..., Printed]


@pytest.fixture(scope="session")
def program() -> Callable[[str], Program]:
    """Compile the program for a release, once for all runs of the suites."""
    compiler = shutil.which("g++")
    if compiler is None:
        reason = "there is no g++ to compile a C++ program with"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def of_release(release: str) -> Program:
        runtime = venv.make_ready(TABLE.get(release))
        name = digest_of(SOURCE.read_text(), runtime.folder.name, release)
        made = Cache(root=default_root()).get(
            f"programs/{SOURCE.stem}-{release}-{name}",
            lambda folder: compile_program(compiler, runtime, folder / SOURCE.stem),
        )
        return lambda *arguments, **options: call(made / SOURCE.stem, *arguments, **options)

    return of_release


def compile_program(compiler: str, runtime: Runtime, into: Path) -> None:
    """Compile and link the program with the flags that the release names, and its libraries.

    The headers refer to more than ``libtensorflow_framework``, and a linker that leaves out what it sees no use for leaves out
    ``libtensorflow_cc``, whose kernels register themselves.
    """
    asked = subprocess.run(
        (runtime.python, "-I", "-c", _FLAGS),
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        env={**os.environ, **runtime.environment},
    )
    flags = asked.stdout.rpartition("\n\n")[2].split()
    folder = runtime.libraries[-1].parent
    done = subprocess.run(
        (
            *(compiler, "-w", *flags, str(SOURCE), "-o", str(into)),
            *(f"-L{folder}", "-Wl,--no-as-needed"),
            *(f"-l:{library.name}" for library in reversed(runtime.libraries)),
            f"-Wl,-rpath,{folder}",
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def call(
    binary: Path,
    model: Path,
    *,
    feeds: Mapping[str, Array] | None = None,
    fetches: Sequence[str] = (),
    tags: str = "serve",
    trace: bool = False,
) -> Printed:
    """Run the program, and read what it prints."""
    lines = [
        f"feed {name} {' '.join(map(str, array.shape))} : {' '.join(map(repr, array.ravel().tolist()))}"
        for name, array in (feeds or {}).items()
    ]
    lines += [f"fetch {name}" for name in fetches]
    done = subprocess.run(
        (binary, model, tags, "1", str(int(trace))),
        input="".join(f"{line}\n" for line in lines),
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.stdout.startswith("error "):
        _, code, text = done.stdout.rstrip("\n").split(" ", 2)
        return Printed(error=(int(code), text))
    assert done.returncode == 0, done.stderr[-4000:]
    *printed, last = done.stdout.splitlines() if trace else [*done.stdout.splitlines(), ""]
    return Printed(outputs=dict(map(_array, printed)), traced=frozenset(last.split()[1:]))


def _array(line: str) -> tuple[str, Array]:
    described, _, values = line.partition(" :")
    name, dtype, *sizes = described.split()
    numbers = np.array([float.fromhex(value) for value in values.split()])
    kind = {"float": np.float32, "int64": np.int64}[dtype]
    return name, numbers.astype(kind).reshape([int(size) for size in sizes])


def predict(name: str) -> tuple[Model, Case]:
    """Return a frozen model and its default signature."""
    [model] = load_models([FROZEN / name], seed=0)
    return model, next(case for case in model.cases if case.signature == "serving_default")


def in_a_cell(release: str, work: LoadAndRun) -> Verdict:
    """Return what became of a cell of loader `c`."""
    with Worker(wheel.make_ready(TABLE.get(release)), native=True) as worker:
        return worker.run(work, Limits())


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", MODELS)
def test_a_program_answers_what_a_cell_answers(
    name: str, release: str, program: Callable[[str], Program]
) -> None:
    """Fed and fetched by the names of the signature's tensors, each output is the same."""
    model, case = predict(name)
    work = work_of(model, case, "c")
    verdict = in_a_cell(release, work)
    for feed, answer in zip(work.feeds, verdict.answers, strict=True):
        printed = program(release)(
            model.path,
            feeds={port.tensor: feed[port.alias] for port in work.inputs},
            fetches=[port.tensor for port in work.outputs],
        )
        assert answer.outputs is not None
        theirs = {port.alias: printed.outputs[port.tensor] for port in work.outputs}
        found = compare(theirs, answer.outputs)
        assert not found.differences
        assert found.compared == len(work.outputs)


@pytest.mark.parametrize("release", RELEASES)
def test_another_answer_is_seen(release: str, program: Callable[[str], Program]) -> None:
    """The comparison tells the answers to other inputs apart."""
    model, case = predict(MODELS[0])
    work = work_of(model, case, "c")
    [answer, *_] = in_a_cell(release, work).answers
    other = {port.tensor: work.feeds[0][port.alias] + 1 for port in work.inputs}
    printed = program(release)(
        model.path, feeds=other, fetches=[port.tensor for port in work.outputs]
    )
    assert answer.outputs is not None
    theirs = {port.alias: printed.outputs[port.tensor] for port in work.outputs}
    [difference] = compare(theirs, answer.outputs).differences
    assert difference.cause == "output-mismatch"


@pytest.mark.parametrize("release", RELEASES)
def test_both_are_refused_in_the_same_words(
    release: str, program: Callable[[str], Program], tmp_path: Path
) -> None:
    """A tag set that is not there, a file that is cut short, no model at all."""
    cut = tmp_path / "cut"
    shutil.copytree(FROZEN / MODELS[0], cut)
    whole = (cut / "saved_model.pb").read_bytes()
    (cut / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    for path, tags in ((FROZEN / MODELS[0], "train"), (cut, "serve"), (tmp_path, "serve")):
        verdict = in_a_cell(release, LoadAndRun(model=path, tags=(tags,), loader="c"))
        printed = program(release)(path, tags=tags)
        assert verdict.failure is not None
        assert printed.error is not None
        code, text = printed.error
        assert one_line(verdict.failure.text) == one_line(text)
        assert (code, verdict.failure.type) in CODES


@pytest.mark.parametrize("release", RELEASES)
def test_options_of_a_run_reach_it_either_way(
    release: str, program: Callable[[str], Program]
) -> None:
    """A trace that a cell asks for tells of as many of the model's nodes as the program's own."""
    model, case = predict(MODELS[0])
    work = replace(work_of(model, case, "c"), placement=Placement(trace=True))
    printed = program(release)(
        model.path,
        feeds={port.tensor: work.feeds[0][port.alias] for port in work.inputs},
        fetches=[port.tensor for port in work.outputs],
        trace=True,
    )
    graph = read(model.path).meta_graphs[0].proto.graph_def
    theirs = printed.traced & {node.name for node in graph.node}
    seen = in_a_cell(release, work).traced
    assert seen is not None
    assert dict(seen.nodes) == {"CPU:0": len(theirs)}
    assert {"Mul", "y"} & theirs


def test_options_of_a_session_reach_it() -> None:
    """A session that is to have two CPUs has the second one, and by itself it has not."""
    model, case = predict(MODELS[0])
    on_second = Placement(device="CPU:1", cpus=2)
    work = replace(work_of(model, case, "c"), placement=on_second)
    assert in_a_cell("2.21.0", work).completed
    refused = in_a_cell("2.21.0", replace(work, placement=replace(on_second, cpus=1)))
    assert "CPU:1" in str(refused.device_missing)


def one_line(text: str) -> str:
    """Return a text with its lines joined."""
    return " ".join(text.split())

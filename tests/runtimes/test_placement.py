"""Where nodes run: devices that are wished for, those that are not there, and what is told of it.

Two logical CPUs stand for a CPU and a GPU: the same requests, the same code, and no card is needed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from filelock import FileLock, Timeout

from savedmodel_compat.cache import default_root
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.cells import Cell, Outcome
from savedmodel_compat.matrix.judge import judge
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import client, current, devices
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.child import ChildChannel
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun, Placement
from savedmodel_compat.runtimes.traces import traced
from savedmodel_compat.runtimes.verdicts import Verdict, verdict_of
from savedmodel_compat.runtimes.worker import _frames

LIMITS = Limits(seconds=120, megabytes=0)
TWO = Placement(trace=True, cpus=2)
SECOND = Placement(device="CPU:1", trace=True, cpus=2)
EVERYWHERE = [
    (release, loader)
    for release in ("1.15.5", "2.4.4", "2.11.1", "2.21.0")
    for loader in ("c", "v1", "v2")
    if (release, loader) != ("1.15.5", "v2")
]
Placed = Callable[[str], Model]


@dataclass(frozen=True)
class Started:
    """A worker on the CPU, and what it is of."""

    worker: Worker
    release: str
    loader: str

    def run(self, model: Model, placement: Placement | None) -> Verdict:
        """Run a model's only signature."""
        return self.worker.run(work(model, self.loader, placement), LIMITS)


@pytest.fixture(scope="module", params=EVERYWHERE, ids="-".join)
def started(
    request: pytest.FixtureRequest, venv_runtime: Callable[[str], Runtime]
) -> Iterator[Started]:
    """Each loader in each of these releases."""
    release, loader = request.param
    with Worker(venv_runtime(release), native=loader == "c") as worker:
        yield Started(worker, release, loader)


@pytest.fixture(
    scope="module", params=[("1.12.3", "c"), ("2.0.4", "v2"), *EVERYWHERE], ids="-".join
)
def compiling(
    request: pytest.FixtureRequest, venv_runtime: Callable[[str], Runtime]
) -> Iterator[Started]:
    """Each loader in each of these releases, with XLA."""
    release, loader = request.param
    runtime = devices.on_device(venv_runtime(release), devices.device("cpu-xla"))
    with Worker(runtime, native=loader == "c") as worker:
        yield Started(worker, release, loader)


def work(model: Model, loader: str, placement: Placement | None = None) -> LoadAndRun:
    """The request of a model's only signature."""
    [case] = model.cases
    return LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader=loader,
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
        feeds=case.feeds,
        placement=placement,
    )


def nodes(verdict: Verdict) -> dict[str, int]:
    """How many nodes ran on each device."""
    assert verdict.completed, verdict
    assert verdict.traced is not None
    return dict(verdict.traced.nodes)


def test_nodes_go_to_the_device(started: Started, placed: Placed) -> None:
    """What a model pins nowhere runs on the device that is wished for; the C++ loader has no say, and the cell is told so."""
    verdict = started.run(placed("free"), SECOND)
    if started.loader == "c":
        count = nodes(verdict)["CPU:0"]
        assert verdict.notes == (f"no node ran on CPU:1: {count} on CPU:0",)
    else:
        assert list(nodes(verdict)) == ["CPU:1"]
        assert verdict.notes == ()
    assert list(nodes(started.run(placed("free"), TWO))) == ["CPU:0"]


def test_nodes_that_a_model_pins_are_counted_there(started: Started, placed: Placed) -> None:
    """Nodes run where the model pins them, whichever loader, and are counted there."""
    verdict = started.run(placed("pinned"), TWO)
    assert nodes(verdict).get("CPU:1", 0) > 0
    assert verdict.notes == ()


def test_a_device_that_is_not_there(started: Started, placed: Placed) -> None:
    """A device that TensorFlow does not list is an answer, with those that it lists, before anything is loaded."""
    verdict = started.run(placed("free"), replace(SECOND, device="CPU:7"))
    assert not verdict.completed
    assert verdict.failure is None
    assert verdict.stage == "load"
    assert verdict.device_missing is not None
    assert verdict.device_missing.startswith(
        f"TensorFlow {started.release} has no CPU:7: it lists CPU:0, CPU:1"
    )


def test_no_gpu(started: Started, placed: Placed) -> None:
    """What device `gpu` wishes for is looked for by each loader, which says what there is instead."""
    verdict = started.run(placed("free"), devices.GPU.placement)
    assert verdict.device_missing is not None
    expected = f"TensorFlow {started.release} sees no GPU: it lists CPU:0"
    assert verdict.device_missing.startswith(expected)


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="there is a GPU here")  # noqa: PTH110
@pytest.mark.parametrize("loader", ["c", "v1", "v2"])
def test_no_gpu_for_provider_current(
    loader: str,
    venv_runtime: Callable[[str], Runtime],
    placed: Placed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The TensorFlow that is installed is asked for its GPU too."""
    python = venv_runtime("2.21.0").python
    [packages] = (python.parent.parent / "lib").glob("python*/site-packages")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(packages)
        patched.setattr("sys.executable", str(python))
        runtime = current.make_ready(device="gpu")
    assert runtime.label == "2.21.0 current gpu"
    with Worker(runtime, native=loader == "c") as worker:
        verdict = worker.run(work(placed("free"), loader), LIMITS)
    assert verdict.device_missing == "TensorFlow 2.21.0 sees no GPU: it lists CPU:0"


def test_a_missing_device_is_unsupported(placed: Placed) -> None:
    """A cell whose device is not there has not failed: it is unsupported, with the reason."""
    model = placed("free")
    cell = Cell(
        model=model.name,
        path=model.path,
        model_sha256=model.sha256,
        tags=model.tags,
        strip=True,
        producer="1.15.5",
        consumer="2.21.0",
        provider="wheel",
        loader="c",
        device="gpu",
        signature=None,
    )
    verdict = Verdict(device_missing="TensorFlow 2.21.0 sees no GPU: it lists CPU:0")
    result = judge(cell, verdict, None, Policy(), "2.21.0")
    assert result.outcome is Outcome.UNSUPPORTED
    assert result.reason == "TensorFlow 2.21.0 sees no GPU: it lists CPU:0"
    assert result.causes == ()


def test_xla_compiles(compiling: Started, placed: Placed) -> None:
    """On device `cpu-xla` the answer counts the clusters that were compiled and ran."""
    verdict = compiling.run(placed("free"), None)
    assert verdict.traced is not None
    assert verdict.traced.compiled > 0
    assert verdict.notes == ()


def test_xla_that_compiles_nothing(compiling: Started, placed: Placed) -> None:
    """A model of which XLA can compile nothing runs, and the cell is told so."""
    verdict = compiling.run(placed("words"), None)
    assert verdict.completed
    assert verdict.notes == ("XLA compiled nothing of it, so that it ran as on the plain CPU",)


@pytest.mark.parametrize("loader", ["c", "v1", "v2"])
def test_a_plain_cpu_is_not_traced(
    loader: str,
    placed: Placed,
    venv_runtime: Callable[[str], Runtime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cells on the CPU and its variants but XLA wish for nothing, so that nothing is listed or traced."""
    asked: list[object] = []
    encode = _frames.encode

    def spy(header: dict[str, object], tensors: object = ()) -> object:
        asked.append(header)
        return encode(header, tensors)  # type: ignore[arg-type]

    monkeypatch.setattr(_frames, "encode", spy)
    for name in ("cpu", "cpu-one-thread"):
        runtime = devices.on_device(venv_runtime("2.21.0"), devices.device(name))
        with Worker(runtime, native=loader == "c") as worker:
            verdict = worker.run(work(placed("free"), loader), LIMITS)
        assert verdict.completed
        assert verdict.traced is None
    requests = [header for header in asked if isinstance(header, dict) and "op" in header]
    assert len(requests) == 2
    assert all("place" not in header for header in requests)


def test_one_gpu_cell_at_a_time(wheel_runtime: Callable[[str], Runtime], placed: Placed) -> None:
    """A cell on the GPU waits for the lock that another holds; one on a variant of the CPU does not."""
    folder = default_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    model = placed("free")
    seen: list[bool] = []

    class Looking(Worker):
        def _ask_again(self, request: client._Request) -> Verdict:
            try:
                with FileLock(folder / "gpu.lock", timeout=0.1, is_singleton=False):
                    seen.append(False)
            except Timeout:
                seen.append(True)
            return super()._ask_again(request)

    for name in ("gpu", "cpu", "cpu-xla"):
        runtime = devices.on_device(wheel_runtime("2.21.0"), devices.device(name))
        with Looking(runtime, native=True) as worker:
            worker.run(work(model, "c"), LIMITS)
    assert seen == [True, False, False]


def test_an_image_lists_its_gpus(venv_runtime: Callable[[str], Runtime]) -> None:
    """The worker that looks into images lists GPUs with the same code; here there is none, or the driver names it."""
    python = venv_runtime("2.21.0").python
    runtime = devices.on_device(venv_runtime("2.21.0"), devices.GPU)
    channel = ChildChannel([str(python), "-I", str(client.WORKER), "image"], runtime.environment)
    decoder = _frames.Decoder()
    try:
        replies = []
        deadline = time.monotonic() + 120
        for header in ({}, {"op": "gpus", "timeout": 60, "memory_mb": 0}):
            for piece in _frames.encode(dict(header)):
                channel.write(piece)
            while (frame := decoder.frame()) is None:
                decoder.feed(channel.read(deadline))
            replies.append(frame)
    finally:
        channel.close()
    verdict = verdict_of(*replies[1])
    assert verdict.completed, verdict
    outputs = verdict.answers[0].outputs
    assert outputs is not None
    has_card = os.path.exists("/proc/driver/nvidia")  # noqa: PTH110
    assert bool(outputs["seen"].size) <= has_card
    assert bool(outputs["driver"].tolist()[0]) == has_card


def test_a_trace_that_is_none() -> None:
    """Bytes that are no trace are refused, whatever they are."""
    with pytest.raises(ValueError, match="no RunMetadata"):
        traced([b"\xff\xff\xff"], "")


def test_what_a_card_does_for_itself_is_not_counted() -> None:
    """Of a GPU's trace only the device's own nodes count: not its streams, nor what carries tensors to and fro."""
    from tensorboard.compat.proto.config_pb2 import RunMetadata

    said = RunMetadata()
    job = "/job:localhost/replica:0/task:0"
    for device, labels in {
        f"{job}/device:GPU:0": ["a = MatMul(x, y)", "b = Relu(a)", "x = _Recv()", "n = NoOp()"],
        f"{job}/device:GPU:0/stream:all": ["a = MatMul(x, y)"],
        "/gpu:0/stream:7": ["a = MatMul(x, y)"],
        f"{job}/device:CPU:0": ["x = _Arg()", "edge_1_x", "w = VarHandleOp()"],
    }.items():
        listed = said.step_stats.dev_stats.add(device=device)
        for label in labels:
            listed.node_stats.add(node_name=label.partition(" ")[0], timeline_label=label)
    found = traced([said.SerializeToString(), said.SerializeToString()], "")
    assert dict(found.nodes) == {"CPU:0": 1, "GPU:0": 2}
    assert found.compiled == 0


def test_a_cluster_in_a_graph_is_not_yet_compiled() -> None:
    """Where no steps are told, a cluster counts only if TensorFlow has said that it compiled one."""
    from tensorboard.compat.proto.config_pb2 import RunMetadata

    said = RunMetadata()
    said.partition_graphs.add().node.add(
        name="cluster_1/xla_run", op="_XlaRun", device="/job:localhost/task:0/device:CPU:0"
    )
    data = [said.SerializeToString()]
    assert traced(data, "").compiled == 0
    assert traced(data, "I x.cc:1] Compiled cluster using XLA!  This line …").compiled == 1

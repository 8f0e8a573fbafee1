"""Faults seeded in a model, one at a time, and the cause that each real loader's words are given."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.cells import Cell, Result, Stage
from savedmodel_compat.matrix.judge import judge
from savedmodel_compat.matrix.models import Case, Model
from savedmodel_compat.matrix.references import Reference
from savedmodel_compat.model import schema
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun, Port

LIMITS = Limits(seconds=30, megabytes=2000)
LOADERS = [
    *((release, "c") for release in ("1.12.3", "1.15.5", "2.4.4", "2.11.1", "2.21.0")),
    *((release, loader) for release in ("2.11.1", "2.21.0") for loader in ("v1", "v2")),
]
SHARD = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"
LOAD, RUN = Stage.LOAD, Stage.RUN

Graph = Any


def node(graph: Graph, op: str) -> Any:
    """Return the first node of an op."""
    return next(each for each in graph.graph_def.node if each.op == op)


def rename_op(graph: Graph) -> None:
    """Use an op that nobody has."""
    node(graph, "Mul").op = "NoSuchOp"


def lose_attr(graph: Graph) -> None:
    """Lose an attr that has no default."""
    del node(graph, "VariableV2").attr["shape"]


def lose_type(graph: Graph) -> None:
    """Lose the attr that the node's inputs are checked with."""
    del node(graph, "Mul").attr["T"]


def lose_value(graph: Graph) -> None:
    """Lose the value of a constant."""
    del node(graph, "Const").attr["value"]


def break_minimum(graph: Graph) -> None:
    """Give an attr a value below its minimum."""
    packed = graph.graph_def.node.add(name="packed", op="Pack")
    packed.attr["T"].type = 1
    packed.attr["N"].i = 0


def take_another_output(graph: Graph) -> None:
    """Take an output that a node does not have."""
    node(graph, "Mul").input[0] = "x:5"


def take_from_nowhere(graph: Graph) -> None:
    """Take the output of a node that is not there."""
    node(graph, "Mul").input[0] = "nowhere"


def take_another_type(graph: Graph) -> None:
    """Take an output of another type."""
    node(graph, "Mul").input[0] = "tf_example"


def take_one_more(graph: Graph) -> None:
    """Take one input more than the op has."""
    node(graph, "Mul").input.append("x")


def pin_device(graph: Graph) -> None:
    """Pin a variable to a machine that is not there."""
    node(graph, "VariableV2").device = "/job:worker/device:CPU:7"


def spoil_device(graph: Graph) -> None:
    """Pin a node to what is no device."""
    node(graph, "Mul").device = "rubbish"


def demand_consumer(graph: Graph) -> None:
    """Ask for a consumer that does not exist yet."""
    graph.graph_def.versions.min_consumer = 99999


def ban_consumers(graph: Graph) -> None:
    """Refuse every consumer that is tried."""
    graph.graph_def.versions.bad_consumers.extend([27, 134, 561, 1286, 2474])


def grow_old(graph: Graph) -> None:
    """Be of a producer that no consumer reads."""
    graph.graph_def.versions.producer = -1


def use_removed_op(graph: Graph) -> None:
    """Use an op that was removed from GraphDefs of this version."""
    found = node(graph, "Mul")
    found.op = "SelfAdjointEig"
    del found.input[1:]


def change_tags(graph: Graph) -> None:
    """Be meant for something else."""
    graph.meta_info_def.tags[0] = "train"


def restore_another_key(graph: Graph) -> None:
    """Restore a variable that the checkpoint does not have."""
    for each in graph.graph_def.node:
        if each.name.endswith("RestoreV2/tensor_names"):
            each.attr["value"].tensor.string_val[0] = b"gone"


def point_out_of_the_graph(graph: Graph) -> None:
    """Name an output that is not in the graph."""
    graph.signature_def["serving_default"].outputs["y"].name = "gone:0"


def close_a_circle(graph: Graph) -> None:
    """Let a node depend on itself."""
    node(graph, "Mul").input[0] = node(graph, "Add").name


def repeat_a_node(graph: Graph) -> None:
    """Have two nodes of one name."""
    graph.graph_def.node.add().CopyFrom(node(graph, "Mul"))


def shrink_below_nothing(graph: Graph) -> None:
    """Have a constant with a negative number of elements."""
    node(graph, "Const").attr["value"].tensor.tensor_shape.dim.add().size = -2


def restore_with_nothing(graph: Graph) -> None:
    """Name a restore op that is not there."""
    graph.saver_def.restore_op_name = "nowhere"


GRAPHS: Mapping[Callable[[Graph], None], str] = {
    rename_op: "op-not-registered",
    lose_attr: "attr-missing",
    lose_type: "attr-missing",
    lose_value: "attr-missing",
    break_minimum: "attr-value-not-allowed",
    take_another_output: "node-inputs-changed",
    take_from_nowhere: "node-inputs-changed",
    take_another_type: "node-inputs-changed",
    take_one_more: "node-inputs-changed",
    pin_device: "device-not-available",
    spoil_device: "device-not-available",
    demand_consumer: "version-gate",
    ban_consumers: "version-gate",
    grow_old: "version-gate",
    use_removed_op: "version-gate",
    change_tags: "tags-not-found",
    restore_another_key: "variable-missing",
    point_out_of_the_graph: "signature-missing",
    close_a_circle: "file-damaged",
    repeat_a_node: "file-damaged",
    shrink_below_nothing: "shape-rejected",
    restore_with_nothing: "init-failed",
}


def cut(data: bytes) -> bytes:
    """Return half of it."""
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    """Return it with one byte changed."""
    return data[:1] + bytes([data[1] ^ 255]) + data[2:]


def remove(data: bytes) -> None:
    """Return nothing: the file goes."""
    assert data


@dataclass(frozen=True, slots=True)
class FileFault:
    """What happens to a file, and what becomes of the model."""

    file: str
    change: Callable[[bytes], bytes | None]
    cause: str
    stage: Stage = LOAD


FILES = [
    FileFault("saved_model.pb", cut, "file-damaged"),
    FileFault("saved_model.pb", remove, "file-missing"),
    FileFault(SHARD, cut, "file-damaged"),
    FileFault(SHARD, flip, "file-damaged"),
    FileFault(SHARD, remove, "file-missing"),
    FileFault(INDEX, cut, "file-damaged"),
]


@pytest.fixture(scope="module")
def half(exported: Callable[..., Model]) -> Model:
    """Return the model in which the faults are seeded."""
    return exported("half_plus_two")


@pytest.fixture(scope="module", params=LOADERS, ids="-".join)
def loading(
    request: pytest.FixtureRequest,
    wheel_runtime: Callable[[str], Runtime],
    venv_runtime: Callable[[str], Runtime],
    half: Model,
) -> Any:
    """Yield a function that runs the seeded model's predict signature in one release and loader."""
    release, loader = request.param
    runtime = (wheel_runtime if loader == "c" else venv_runtime)(release)
    with Worker(runtime, native=loader == "c") as worker:

        def load(path: Path, outputs: tuple[Port, ...] | None = None) -> Result:
            case = half.cases[-1]
            work = LoadAndRun(
                model=path,
                tags=half.tags,
                loader=loader,
                signature=case.signature,
                inputs=case.inputs,
                outputs=case.outputs if outputs is None else outputs,
                feeds=case.feeds,
            )
            cell = _cell(path, release, loader, case)
            reference = Reference(name="export", outputs=case.expected or ())
            verdict = worker.run(work, LIMITS)
            return judge(cell, verdict, reference, Policy(), worker.tensorflow)

        yield load


def _cell(path: Path, release: str, loader: str, case: Case) -> Cell:
    return Cell(
        model="half",
        path=path,
        model_sha256="",
        tags=("serve",),
        strip=True,
        producer="2.11.1",
        consumer=release,
        provider="wheel" if loader == "c" else "venv",
        loader=loader,
        signature=case.signature,
    )


@pytest.fixture
def copy(half: Model, tmp_path: Path) -> Path:
    """Return a copy of the model, to be spoiled."""
    return Path(shutil.copytree(half.path, tmp_path / "half"))


@pytest.mark.parametrize("fault", GRAPHS, ids=lambda fault: fault.__name__)
def test_a_fault_in_the_graph(
    fault: Callable[[Graph], None], loading: Callable[..., Result], copy: Path
) -> None:
    """A fault in the graph has its cause, whichever release and loader tells of it."""
    file = copy / "saved_model.pb"
    saved = schema.SavedModel.FromString(file.read_bytes())
    fault(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())
    outputs = saved.meta_graphs[0].signature_def["serving_default"].outputs
    result = loading(copy, (Port("y", outputs["y"].name, "float32"),))
    assert result.causes == (GRAPHS[fault],), result.message
    assert result.cause != "signature-missing" or result.detail.node == "gone"


@pytest.mark.parametrize("fault", FILES, ids=lambda each: f"{each.change.__name__} {each.file}")
def test_a_fault_in_a_file(fault: FileFault, loading: Callable[..., Result], copy: Path) -> None:
    """A file that is cut, altered or gone has its cause, and the message its own words."""
    file = copy / fault.file
    changed = fault.change(file.read_bytes())
    file.unlink()
    if changed is not None:
        file.write_bytes(changed)
    result = loading(copy)
    assert (result.stage, result.causes) == (fault.stage, (fault.cause,)), result.message
    assert 'File "' not in result.message


def test_a_lost_index(loading: Callable[..., Result], copy: Path) -> None:
    """The C++ loader takes a missing index for a model without variables, and fails when it runs."""
    (copy / INDEX).unlink()
    result = loading(copy)
    native = result.cell.loader == "c"
    assert (result.stage, result.cause) == (
        (RUN, "variable-missing") if native else (LOAD, "file-missing")
    )


def test_no_fault(loading: Callable[..., Result], copy: Path) -> None:
    """Without a fault every release and loader answers as the producer did."""
    result = loading(copy)
    assert result.outcome.value == "pass", result.message
    assert np.isfinite(result.seconds)


ADDED_ATTR = {"1.12.3": "attr-unknown", "1.15.5": "attr-unknown", "2.4.4": "attr-unknown"}


def test_a_new_attr(loading: Callable[..., Result], copy: Path) -> None:
    """An attr that nobody knows is refused up to 2.4, and says nothing from 2.5 on."""
    file = copy / "saved_model.pb"
    saved = schema.SavedModel.FromString(file.read_bytes())
    node(saved.meta_graphs[0], "Mul").attr["no_such"].i = 1
    file.write_bytes(saved.SerializeToString())
    result = loading(copy)
    assert result.cause == ADDED_ATTR.get(result.cell.consumer)
    if result.cause is not None:
        assert (result.detail.op, result.detail.attr, result.detail.node) == (
            "Mul",
            "no_such",
            "Mul",
        )

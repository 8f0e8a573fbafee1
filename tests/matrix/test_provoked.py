"""Faults seeded in a graph built by hand, one at a time, and the cause that each real loader's words are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.cells import Cell, Result
from savedmodel_compat.matrix.judge import judge
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
FLOAT, INT32, STRING, INT64 = 1, 3, 7, 9
X = np.ones((2, 3), np.float32)

Node = Any


class Model:
    """y = x * x, through a function, and a constant b.

    Args:
        producer: the GraphDef version that it says it was made with.
    """

    def __init__(self, producer: int = 24) -> None:
        self.proto = schema.SavedModel(saved_model_schema_version=1)
        self.meta = self.proto.meta_graphs.add()
        self.meta.meta_info_def.tags.append("serve")
        self.graph = self.meta.graph_def
        self.graph.versions.producer = producer
        x = self.node("x", "Placeholder", dtype=FLOAT)
        for size in (-1, 3):
            x.attr["shape"].shape.dim.add(size=size)
        self.constant("b", np.array([1, 2, 3], np.float32), FLOAT)
        self.square = self.function("square")
        called = self.node("called", "PartitionedCall", "x")
        for attr in ("Tin", "Tout"):
            called.attr[attr].list.type.append(FLOAT)
        called.attr["f"].func.name = "square"
        self.node("y", "Identity", "called", T=FLOAT)
        self.answers("y")

    def node(self, name: str, op: str, *inputs: str, **types: int) -> Node:
        """Add a node with attrs that are types."""
        made = self.graph.node.add(name=name, op=op)
        made.input.extend(inputs)
        for attr, value in types.items():
            made.attr[attr].type = value
        return made

    def constant(self, name: str, value: Any, dtype: int) -> Node:
        """Add a constant."""
        made = self.node(name, "Const", dtype=dtype)
        tensor = made.attr["value"].tensor
        tensor.dtype = dtype
        tensor.tensor_shape.SetInParent()
        for size in np.shape(value):
            tensor.tensor_shape.dim.add(size=size)
        if dtype == STRING:
            tensor.string_val.append(value.encode())
        else:
            tensor.tensor_content = np.asarray(value).tobytes()
        return made

    def function(self, name: str) -> Any:
        """Add the function that squares."""
        made = self.graph.library.function.add()
        made.signature.name = name
        made.signature.input_arg.add(name="t", type=FLOAT)
        made.signature.output_arg.add(name="z", type=FLOAT)
        body = made.node_def.add(name="body", op="Mul", input=["t", "t"])
        body.attr["T"].type = FLOAT
        made.ret["z"] = "body:z:0"
        return made

    def answers(self, name: str, dtype: int = FLOAT) -> None:
        """Let the signature give a node's output, of no known shape."""
        signature = self.meta.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        signature.inputs["x"].name, signature.inputs["x"].dtype = "x:0", FLOAT
        for size in (-1, 3):
            signature.inputs["x"].tensor_shape.dim.add(size=size)
        signature.outputs["y"].name, signature.outputs["y"].dtype = f"{name}:0", dtype
        signature.outputs["y"].tensor_shape.unknown_rank = True


def shorten_a_list(model: Model) -> None:
    """Give a list fewer elements than the op wants."""
    pool = model.node("pool", "MaxPool", "x", T=FLOAT)
    pool.attr["ksize"].list.i.extend([1, 1])
    pool.attr["strides"].list.i.extend([1, 1, 1, 1])
    pool.attr["padding"].s = b"SAME"


def lose_a_type_in_a_function(model: Model) -> None:
    """Lose the attr that a function's node is typed with."""
    del model.square.node_def[0].attr["T"]


def take_from_nowhere_in_a_function(model: Model) -> None:
    """Take what a function does not have."""
    model.square.node_def[0].input[0] = "nowhere"


def lose_a_result_of_a_function(model: Model) -> None:
    """Let a function return what it does not have."""
    model.square.ret["z"] = "body:nowhere:0"


def lose_a_function(model: Model) -> None:
    """Call a function that is not in the library."""
    model.graph.node[2].attr["f"].func.name = "Gone"


def sit_beside_nobody(model: Model) -> None:
    """Be placed with a node that is not there."""
    model.graph.node[-1].attr["_class"].list.s.append(b"loc:@nowhere")


def misplace_a_control_input(model: Model) -> None:
    """Have an input behind a control input."""
    model.node("sum", "Add", "x", "^b", "x", T=FLOAT)


def reshape_to_another_size(model: Model) -> None:
    """Reshape to a shape of another size."""
    model.constant("shape", np.array([7], np.int32), INT32)
    model.node("reshaped", "Reshape", "b", "shape", T=FLOAT, Tshape=INT32)


def cut_a_constant(model: Model) -> None:
    """Have fewer bytes in a constant than its shape has."""
    model.graph.node[1].attr["value"].tensor.tensor_content = b"\0\0"
    model.answers("b")


def have_two_init_ops(model: Model) -> None:
    """Name two init ops."""
    model.node("one", "NoOp")
    model.node("two", "NoOp")
    model.meta.collection_def["saved_model_main_op"].node_list.value.extend(["one", "two"])


def fill_a_table_from_nowhere(model: Model) -> None:
    """Fill a table from a path of another machine, which is no asset."""
    model.constant("path", "/no/such/folder/words.txt", STRING)
    table = model.node("table", "HashTableV2", key_dtype=STRING, value_dtype=INT64)
    table.attr["shared_name"].s = b"words"
    fill = model.node("fill", "InitializeTableFromTextFileV2", "table", "path")
    fill.attr["key_index"].i, fill.attr["value_index"].i = -2, -1
    model.meta.collection_def["saved_model_main_op"].node_list.value.append("fill")


def read_a_resource_that_is_not(model: Model) -> None:
    """Gather from a variable that nothing assigns."""
    handle = model.node("v", "VarHandleOp", dtype=FLOAT)
    handle.attr["shape"].shape.dim.add(size=3)
    handle.attr["shared_name"].s = b"v"
    model.constant("indices", np.array([0], np.int32), INT32)
    model.node("gathered", "ResourceGather", "v", "indices", dtype=FLOAT, Tindices=INT32)
    model.answers("gathered")


def call_python(model: Model) -> None:
    """Call a Python function, which stayed where the model was exported."""
    call = model.node("python", "PyFunc", "x")
    call.attr["token"].s = b"pyfunc_7"
    for attr in ("Tin", "Tout"):
        call.attr[attr].list.type.append(FLOAT)
    model.answers("python")


def use_an_op_without_a_kernel(model: Model) -> None:
    """Use an op that no CPU has a kernel for."""
    reduce = model.node("reduced", "NcclAllReduce", "x", T=FLOAT)
    reduce.attr["reduction"].s, reduce.attr["num_devices"].i = b"sum", 1
    reduce.attr["shared_name"].s = b"all"
    model.answers("reduced")


def put_channels_first(model: Model) -> None:
    """Use channels first, which a CPU has only with oneDNN."""
    model.constant("image_shape", np.array([1, 3, 1, -1], np.int32), INT32)
    model.node("image", "Reshape", "x", "image_shape", T=FLOAT, Tshape=INT32)
    model.constant("filter", np.ones((1, 1, 3, 1), np.float32), FLOAT)
    conv = model.node("conv", "DepthwiseConv2dNative", "image", "filter", T=FLOAT)
    conv.attr["strides"].list.i.extend([1, 1, 1, 1])
    conv.attr["padding"].s, conv.attr["data_format"].s = b"SAME", b"NCHW"
    model.answers("conv")


def use_a_newer_module(model: Model) -> None:
    """Use a compiled module of a version that is not there yet."""
    call = model.node("module", "XlaCallModule", "x")
    call.attr["version"].i, call.attr["module"].s = 99, b"x"
    call.attr["Sout"].list.shape.add(unknown_rank=True)
    for attr in ("Tin", "Tout"):
        call.attr[attr].list.type.append(FLOAT)
    call.attr["dim_args_spec"].list.SetInParent()
    call.attr["platforms"].list.s.append(b"CPU")
    model.answers("module")


def hold_nothing(model: Model) -> None:
    """Be a file without a MetaGraph."""
    del model.proto.meta_graphs[:]


CAUSES: Mapping[Callable[[Model], None], str | None] = {
    shorten_a_list: "attr-value-not-allowed",
    lose_a_type_in_a_function: "attr-missing",
    take_from_nowhere_in_a_function: "node-inputs-changed",
    lose_a_result_of_a_function: "node-inputs-changed",
    lose_a_function: "function-missing",
    sit_beside_nobody: "file-damaged",
    misplace_a_control_input: "node-inputs-changed",
    reshape_to_another_size: "shape-rejected",
    cut_a_constant: "file-damaged",
    have_two_init_ops: "init-failed",
    fill_a_table_from_nowhere: "asset-missing",
    read_a_resource_that_is_not: "variable-missing",
    call_python: "function-missing",
    use_an_op_without_a_kernel: "kernel-missing",
    put_channels_first: None,
    use_a_newer_module: "attr-value-not-allowed",
    hold_nothing: "not-a-savedmodel",
}
# Where a release or loader sees another thing first.
OTHERWISE: Mapping[tuple[str, str, str], str] = {
    **{
        ("put_channels_first", release, "c"): "kernel-missing"
        for release in ("1.12.3", "1.15.5", "2.4.4")
    },
    **{
        ("use_a_newer_module", release, "c"): "op-not-registered"
        for release in ("1.12.3", "1.15.5", "2.4.4")
    },
    **{
        ("hold_nothing", release, "c"): "tags-not-found"
        for release, loader in LOADERS
        if loader == "c"
    },
    ("use_an_op_without_a_kernel", "1.12.3", "c"): "op-not-registered",
    ("call_python", "2.21.0", "c"): "kernel-missing",
}


@pytest.fixture(scope="module", params=LOADERS, ids="-".join)
def loading(
    request: pytest.FixtureRequest,
    wheel_runtime: Callable[[str], Runtime],
    venv_runtime: Callable[[str], Runtime],
) -> Any:
    """Yield a function that runs a model's signature in one release and loader."""
    release, loader = request.param
    runtime = (wheel_runtime if loader == "c" else venv_runtime)(release)
    with Worker(runtime, native=loader == "c") as worker:

        def load(folder: Path, output: str) -> Result:
            work = LoadAndRun(
                model=folder,
                tags=("serve",),
                loader=loader,
                signature="serving_default",
                inputs=(Port("x", "x:0", "float32"),),
                outputs=(Port("y", output, "float32"),),
                feeds=({"x": X},),
            )
            cell = Cell(
                model="built",
                path=folder,
                model_sha256="",
                tags=("serve",),
                strip=None,
                producer=None,
                consumer=release,
                provider="wheel" if loader == "c" else "venv",
                loader=loader,
                signature="serving_default",
            )
            verdict = worker.run(work, LIMITS)
            # Whatever it answers counts: what is asked is whether it does.
            answers = verdict.answers[:1]
            outputs = tuple(answer.outputs or {"y": X} for answer in answers)
            reference = Reference(name="export", outputs=outputs)
            return judge(cell, verdict, reference, Policy(), worker.tensorflow)

        yield load


def write(folder: Path, fault: Callable[[Model], None] | None) -> str:
    """Write a model with a fault; return the output that its signature gives."""
    model = Model(producer=2000 if fault is use_a_newer_module else 24)
    output = model.meta.signature_def["serving_default"].outputs["y"]
    if fault is not None:
        fault(model)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(model.proto.SerializeToString())
    return str(output.name)


@pytest.mark.parametrize("fault", CAUSES, ids=lambda fault: fault.__name__)
def test_a_fault_in_a_graph_made_by_hand(
    fault: Callable[[Model], None], loading: Callable[..., Result], tmp_path: Path
) -> None:
    """A fault has its cause, whichever release and loader tells of it, and advice that reads."""
    output = write(tmp_path / "built", fault)
    result = loading(tmp_path / "built", output)
    where = (fault.__name__, result.cell.consumer, result.cell.loader)
    assert result.cause == OTHERWISE.get(where, CAUSES[fault]), result.message
    assert result.cause is None or result.fix


def test_no_fault_in_it(loading: Callable[..., Result], tmp_path: Path) -> None:
    """Without a fault every release and loader runs it."""
    output = write(tmp_path / "built", None)
    assert loading(tmp_path / "built", output).outcome.value == "pass"

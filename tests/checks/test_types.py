"""Dtype and shape of the graph's tensors: built graphs, and real ones beside what TensorFlow itself says."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.checks.breaking import GOOD, MODELS

from savedmodel_compat.checks.types import Absent, TensorType, TensorTypes, compatible, shape_text
from savedmodel_compat.model import read, schema
from savedmodel_compat.model.values import Shape
from savedmodel_compat.runtimes.base import Runtime

# Run inside a runtime: the type and the shape of every tensor of every graph, as TensorFlow has it.
_ASK = """
import json, sys
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
for file in sys.argv[1:]:
    model = saved_model_pb2.SavedModel.FromString(open(file, "rb").read())
    for meta_graph in model.meta_graphs:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(meta_graph.graph_def, name="")
        print(json.dumps({
            op.name: [
                [t.dtype.name, None if t.shape.rank is None else t.shape.as_list()]
                for t in op.outputs
            ]
            for op in graph.get_operations()
        }))
"""


@pytest.fixture
def graph() -> Any:
    """An empty MetaGraph of today's version."""
    meta_graph = schema.MetaGraphDef()
    meta_graph.graph_def.versions.producer = 1882
    return meta_graph


def add(body: Any, op: str, name: str, inputs: list[str] | None = None, **attrs: Any) -> Any:
    """Add a node to a graph or to a function; numbers, lists of types and shapes become attrs."""
    nodes = body.node_def if hasattr(body, "node_def") else body.node
    node = nodes.add(op=op, name=name, input=inputs or [])
    for key, value in attrs.items():
        attr = node.attr[key]
        if isinstance(value, list):
            attr.list.type.extend(value)
        elif key in ("T", "dtype"):
            attr.type = value
        elif isinstance(value, int):
            attr.i = value
        elif isinstance(value, str):
            attr.func.name = value
        else:
            attr.shape.SetInParent()
            for size in value:
                attr.shape.dim.add(size=-1 if size is None else size)
    return node


def function(meta_graph: Any, name: str, args: list[str], results: dict[str, str]) -> Any:
    """Add a function of float arguments and results."""
    made = meta_graph.graph_def.library.function.add()
    made.signature.name = name
    for arg in args:
        made.signature.input_arg.add(name=arg, type=1)
    for result, source in results.items():
        made.signature.output_arg.add(name=result, type=1)
        made.ret[result] = source
    return made


def known(dtype: str | None = None, shape: Shape | None = None) -> TensorType:
    """Return what is expected of a tensor."""
    return TensorType(dtype=dtype, shape=shape)


@pytest.mark.parametrize(
    ("op", "attrs", "tensor", "expected"),
    [
        ("Placeholder", {"dtype": 1, "shape": (None, 3)}, "n", known("float32", (None, 3))),
        ("Placeholder", {"dtype": 1, "shape": ()}, "n:0", known("float32", ())),
        ("Placeholder", {"dtype": 1}, "n:0", known("float32")),
        ("Placeholder", {"shape": (1,)}, "n:0", known(None, (1,))),
        ("VarHandleOp", {"dtype": 1, "shape": (5,)}, "n:0", known("resource", ())),
        ("VariableV2", {"dtype": 1, "shape": (5,)}, "n:0", known("float32_ref", (5,))),
        ("Split", {"T": 3, "num_split": 2}, "n:1", known("int32")),
        ("Unpack", {"T": 3, "num": 3}, "n:2", known("int32")),
        ("Unpack", {"T": 3}, "n:9", known()),
        ("IdentityN", {"T": [1, 9, 7]}, "n:1", known("int64")),
        ("TopKV2", {"T": 2}, "n:1", known("int32")),
        ("TopKV2", {"T": 2}, "n:0", known("float64")),
        ("Shape", {"T": 1}, "n:0", known("int32")),
        ("Cast", {}, "n:0", known()),
        ("ParseExample", {"sparse_types": [9], "Nsparse": 1, "Tdense": [1]}, "n:2", known("int64")),
        (
            "ParseExample",
            {"sparse_types": [9], "Nsparse": 1, "Tdense": [1]},
            "n:3",
            known("float32"),
        ),
        ("OfNobody", {"T": 1}, "n:7", known()),
        ("Identity", {"T": 77}, "n:0", known("unknown(77)")),
    ],
)
def test_what_a_node_says(
    graph: Any, op: str, attrs: dict[str, Any], tensor: str, expected: TensorType
) -> None:
    """The op's definition and the node's attrs give the type, a few attrs the shape."""
    add(graph.graph_def, op, "n", **attrs)
    assert TensorTypes(graph).find(tensor) == expected


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        ("n:3", "is not there: node 'n', op IdentityN, has 3 outputs"),
        ("n:999999999", "is not there: node 'n', op IdentityN, has 3 outputs"),
        ("m:0", "is not there: the graph has no node 'm'"),
        ("", "is not the name of a tensor"),
        ("^n", "is not the name of a tensor"),
        ("n:", "is not the name of a tensor"),
        ("n:-1", "is not the name of a tensor"),
        ("n:\N{ARABIC-INDIC DIGIT ONE}", "is not the name of a tensor"),
        ("n:9999999999999999999999", "is not the name of a tensor"),
    ],
)
def test_what_is_not_there(graph: Any, tensor: str, why: str) -> None:
    """A node or an output that the graph has not, or a name that no tensor can have."""
    add(graph.graph_def, "IdentityN", "n", T=[1, 9, 7])
    assert TensorTypes(graph).find(tensor) == Absent(why=why)


def test_a_constant(graph: Any) -> None:
    """Its shape is that of its value, which is not unpacked."""
    node = add(graph.graph_def, "Const", "n", dtype=1)
    node.attr["value"].tensor.tensor_shape.dim.add(size=1 << 40)
    assert TensorTypes(graph).find("n") == known("float32", (1 << 40,))


@pytest.mark.parametrize(("producer", "shape"), [(23, None), (24, ())])
def test_an_old_scalar(graph: Any, producer: int, shape: Shape | None) -> None:
    """Up to version 23, a placeholder of no known shape was written like a scalar."""
    graph.graph_def.versions.producer = producer
    add(graph.graph_def, "Placeholder", "n", dtype=1, shape=())
    assert TensorTypes(graph).find("n:0") == known("float32", shape)


def test_what_a_variable_holds(graph: Any) -> None:
    """Reading a variable gives its shape, also through what passes it on."""
    add(graph.graph_def, "VarHandleOp", "v", dtype=1, shape=(2, 3))
    add(graph.graph_def, "ReadVariableOp", "read", ["v"], dtype=1)
    add(graph.graph_def, "Identity", "same", ["read"], T=1)
    add(graph.graph_def, "Identity", "handle", ["v"], T=20)
    types = TensorTypes(graph)
    assert types.find("same:0") == known("float32", (2, 3))
    assert types.find("handle:0") == known("resource")


def test_the_shapes_that_an_exporter_noted(graph: Any) -> None:
    """`_output_shapes` is believed where no attr says more; what it does not list is not known."""
    node = add(graph.graph_def, "TopKV2", "n", T=1)
    node.attr["_output_shapes"].list.shape.add().dim.add(size=4)
    types = TensorTypes(graph)
    assert types.find("n:0") == known("float32", (4,))
    assert types.find("n:1") == known("int32")


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall"])
def test_calls_are_followed(graph: Any, op: str) -> None:
    """The shape of a result is that of the node, or of the argument, that it comes from."""
    add(graph.graph_def, "Placeholder", "x", dtype=1, shape=(None, 7))
    add(graph.graph_def, op, "call", ["x"], Tout=[1, 9], f="outer")
    outer = function(
        graph, "outer", ["a"], {"r": "inner_call:output:1", "s": "inner_call:output:0"}
    )
    add(outer, op, "inner_call", ["a"], Tout=[1, 1], f="inner")
    inner = function(graph, "inner", ["b"], {"t": "c:output:0", "u": "same:output:0"})
    add(inner, "Identity", "same", ["b"], T=1)
    value = add(inner, "Const", "c", dtype=1).attr["value"]
    value.tensor.tensor_shape.dim.add(size=2)
    types = TensorTypes(graph)
    assert types.find("call:0") == known("float32", (None, 7))
    assert types.find("call:1") == known("int64", (2,))
    assert isinstance(types.find("call:2"), Absent)


def test_a_function_that_is_called_as_an_op(graph: Any) -> None:
    """Old graphs call a function by its name; its signature says what comes out."""
    add(graph.graph_def, "Placeholder", "x", dtype=1, shape=(7,))
    add(graph.graph_def, "f", "call", ["x"])
    function(graph, "f", ["a"], {"r": "a"})
    types = TensorTypes(graph)
    assert types.find("call:0") == known("float32", (7,))
    assert types.find("call:1") == Absent(why="is not there: node 'call', op f, has one output")


@pytest.mark.parametrize(
    "source",
    ["gone", "gone:output:0", "call:output:0", "same:nothing:0", "same", ""],
)
def test_functions_that_do_not_hold_together(graph: Any, source: str) -> None:
    """A function that calls itself, or returns what is not there, leaves the shape unknown."""
    add(graph.graph_def, "PartitionedCall", "call", [], Tout=[1], f="f")
    made = function(graph, "f", ["a"], {"r": source})
    add(made, "PartitionedCall", "call", ["call:output:0"], Tout=[1], f="f")
    add(made, "Identity", "same", ["same:output:0"], T=1)
    assert TensorTypes(graph).find("call:0") == known("float32")


def test_nodes_in_a_circle(graph: Any) -> None:
    """What passes on its own output has no shape, and the search ends."""
    add(graph.graph_def, "Identity", "a", ["b"], T=1)
    add(graph.graph_def, "Identity", "b", ["a"], T=1)
    assert TensorTypes(graph).find("a:0") == known("float32")


def test_much_to_follow_ends(graph: Any) -> None:
    """However many tensors are asked for, long chains cost a bounded time."""
    for number in range(20_000):
        add(graph.graph_def, "Identity", f"n{number}", [f"n{number + 1}"], T=1)
    types = TensorTypes(graph)
    started = time.perf_counter()
    for number in range(20_000):
        assert types.find(f"n{number}:0") == known("float32")
    assert time.perf_counter() - started < 5


def test_a_call_with_very_many_outputs(graph: Any) -> None:
    """Each output of a call is found without a walk over the others."""
    count = 20_000
    add(graph.graph_def, "PartitionedCall", "call", [], Tout=[1] * count, f="f")
    add(graph.graph_def, "g", "direct", [])
    function(graph, "g", [], {f"r{number}": "" for number in range(count)})
    types = TensorTypes(graph)
    started = time.perf_counter()
    for number in range(count):
        assert types.find(f"call:{number}") == known("float32")
        assert types.find(f"direct:{number}") == known("float32")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, (1,), True),
        ((1, 2), None, True),
        ((None, 2), (1, None), True),
        ((), (), True),
        ((), (1,), False),
        ((1, 2), (1, 3), False),
        ((1, 2), (1, 2, 3), False),
    ],
)
def test_compatible(one: Shape | None, other: Shape | None, expected: bool) -> None:
    """Two shapes are compatible if one tensor can have both."""
    assert compatible(one, other) is expected


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (None, "of unknown rank"),
        ((), "[]"),
        ((None, 28), "[?, 28]"),
        ((1,) * 11, "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, …]"),
    ],
)
def test_shape_text(shape: Shape | None, text: str) -> None:
    """A shape reads as one writes it; very many dimensions are cut off."""
    assert shape_text(shape) == text


@pytest.mark.parametrize("noted", [True, False], ids=["as they are", "without _output_shapes"])
def test_what_tensorflow_itself_says(
    noted: bool, tmp_path: Path, venv_runtime: Callable[[str], Runtime]
) -> None:
    """For every tensor of real graphs: as many outputs, the same types, and no shape that TensorFlow denies."""
    models = [read(MODELS / name) for name in GOOD]
    files = [str(model.file) for model in models]
    command = [str(venv_runtime("2.21.0").python), "-c", _ASK, *files]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    meta_graphs = [meta_graph.proto for model in models for meta_graph in model.meta_graphs]
    shapes = 0
    for meta_graph, line in zip(meta_graphs, lines, strict=True):
        if not noted:
            forget_shapes(meta_graph)
        types = TensorTypes(meta_graph)
        for node, outputs in json.loads(line).items():
            assert isinstance(types.find(f"{node}:{len(outputs)}"), Absent)
            for port, (dtype, shape) in enumerate(outputs):
                found = types.find(f"{node}:{port}")
                assert isinstance(found, TensorType)
                assert found.dtype == dtype
                assert compatible(found.shape, shape)
                shapes += found.shape is not None
    assert shapes > (100 if noted else 50)


def forget_shapes(meta_graph: Any) -> None:
    """Take away what the exporter noted of shapes."""
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(made.node_def for made in graph.library.function)):
        for node in nodes:
            node.attr.pop("_output_shapes", None)

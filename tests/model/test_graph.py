"""Tests of `savedmodel_compat.model.graph`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from savedmodel_compat import model as saved_models
from savedmodel_compat.model import graph, schema

Function = Callable[..., schema.FunctionDef]


@pytest.fixture
def meta_graph() -> schema.MetaGraphDef:
    """A MetaGraph without nodes."""
    return schema.MetaGraphDef()


@pytest.fixture
def node(meta_graph: schema.MetaGraphDef) -> Callable[..., schema.NodeDef]:
    """Add a node to the graph."""

    def add(name: str, op: str = "NoOp", inputs: Sequence[str] = ()) -> schema.NodeDef:
        return meta_graph.graph_def.node.add(name=name, op=op, input=inputs)

    return add


@pytest.fixture
def function(meta_graph: schema.MetaGraphDef) -> Function:
    """Add a function whose body has one node for each op."""

    def add(name: str, *ops: str) -> schema.FunctionDef:
        made = meta_graph.graph_def.library.function.add()
        made.signature.name = name
        for op in ops:
            made.node_def.add(name=f"{op.lower()}_node", op=op)
        return made

    return add


def test_walk_yields_graph_and_functions(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """Every node comes once, with the function that holds it."""
    node("a")
    function("f", "Add", "Mul")
    function("g", "Sub")

    found = [(item.function, item.node.name) for item in graph.walk(meta_graph)]

    assert found == [(None, "a"), ("f", "add_node"), ("f", "mul_node"), ("g", "sub_node")]


def test_ops_used_looks_into_functions(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """Ops of bodies that nobody calls count; the name of a function does not."""
    node("a", "Relu")
    node("b", "f")
    function("f", "Add")

    assert graph.ops_used(meta_graph) == {"Relu", "Add"}


@pytest.mark.parametrize("source", ["a", "a:0", "a:1", "^a"])
def test_inputs_are_followed(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], source: str
) -> None:
    """Data inputs of any output and control inputs lead to their node."""
    node("a")
    node("b", inputs=[source])
    node("unrelated", inputs=["b"])

    assert graph.reachable(meta_graph, ["b:0"]) == {(None, "a"), (None, "b")}


def test_what_is_fed_is_not_computed(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef]
) -> None:
    """Nothing runs for a tensor that is given; its node runs for its other tensors, and for their order."""
    node("source")
    node("split", inputs=["source"])
    node("one", inputs=["split"])
    node("two", inputs=["split:1"])
    node("after", inputs=["^split"])

    def reached(root: str, *fed: str) -> set[str]:
        return {name for _, name in graph.reachable(meta_graph, [root], fed)}

    assert reached("one:0", "split:0") == {"one"}
    assert reached("one:0", "split") == {"one"}
    assert reached("split:0", "split:0") == set()
    assert reached("two:0", "split:0") == {"two", "split", "source"}
    assert reached("after:0", "split:0") == {"after", "split", "source"}


def test_a_cycle_ends(meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef]) -> None:
    """A v1 while loop goes in a circle through NextIteration and Merge."""
    node("enter", "Enter")
    node("merge", "Merge", ["enter", "next"])
    node("next", "NextIteration", ["merge"])

    assert len(graph.reachable(meta_graph, ["next"])) == 3


def test_missing_names_are_passed_over(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef]
) -> None:
    """A root or an input that does not exist reaches nothing: saying so is a rule's task."""
    node("a", inputs=["gone:0"])

    assert graph.reachable(meta_graph, ["a", "gone"]) == {(None, "a")}


def test_a_function_is_reached_by_its_name_as_op(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """A node whose op is a function calls it; its whole body counts."""
    node("call", "f")
    function("f", "Add", "Mul")
    function("unused", "Sub")

    reached = graph.reachable(meta_graph, ["call"])

    assert reached == {(None, "call"), ("f", "add_node"), ("f", "mul_node")}


def test_a_function_is_reached_by_an_attr(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """PartitionedCall names its function in an attr, Case several in a list."""
    node("call", "PartitionedCall").attr["f"].func.name = "f"
    branches = node("case", "Case").attr["branches"].list.func
    branches.add(name="g")
    branches.add(name="h")
    for name in "fgh":
        function(name, "Add")

    assert graph.functions_reached(meta_graph, ["call"]) == {"f"}
    assert graph.functions_reached(meta_graph, ["case"]) == {"g", "h"}


def test_a_function_bound_in_an_attr_is_reached(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """A function attr may carry attrs, which may name further functions."""
    outer = node("call", "PartitionedCall").attr["f"].func
    outer.name = "f"
    outer.attr["inner"].func.name = "g"
    function("f", "Add")
    function("g", "Mul")

    assert graph.functions_reached(meta_graph, ["call"]) == {"f", "g"}


def test_functions_are_followed_through_bodies(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """A function that only another function's body names is reached, and recursion ends."""
    node("call", "f")
    function("f", "While").node_def[0].attr["body"].func.name = "g"
    function("g", "f")

    assert graph.functions_reached(meta_graph, ["call"]) == {"f", "g"}


def test_an_attr_that_was_empty_once_is_looked_at_again(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """An empty list, a placeholder or nothing does not tell whether an attr holds functions."""
    node("a", "Case").attr["branches"].list.SetInParent()
    node("b", "Case").attr["branches"].placeholder = "N"
    node("c", "Case").attr["branches"].SetInParent()
    node("d", "Case", ["a", "b", "c"]).attr["branches"].list.func.add(name="f")
    function("f", "Add")
    for order in (["a", "b", "c", "d"], ["d"]):
        assert graph.functions_reached(meta_graph, order) == {"f"}


def test_depth_is_no_limit(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """Chains far longer than Python's stack are followed, in the graph and through functions."""
    count = 5000
    node("n0", "f0")
    for index in range(1, count):
        node(f"n{index}", inputs=[f"n{index - 1}"])
    for index in range(count):
        function(f"f{index}", f"f{index + 1}")

    reached = graph.reachable(meta_graph, [f"n{count - 1}"])

    assert len(reached) == 2 * count


def test_reading_attrs_does_not_change_the_model(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """Looking for functions adds nothing to the message."""
    node("a", "Add").attr["T"].type = 1
    node("call", "f", ["a"])
    function("f", "Add")
    before = meta_graph.SerializeToString(deterministic=True)

    graph.reachable(meta_graph, ["call"])

    assert meta_graph.SerializeToString(deterministic=True) == before


def test_a_large_graph_is_walked_in_seconds(
    meta_graph: schema.MetaGraphDef, node: Callable[..., schema.NodeDef], function: Function
) -> None:
    """Fifty thousand nodes with attrs take far less than the time of a quadratic walk."""
    node("n0", "f")
    for index in range(1, 50_000):
        node(f"n{index}", "Relu", [f"n{index - 1}"]).attr["T"].type = 1
    function("f", "Add")
    start = time.perf_counter()

    assert len(graph.reachable(meta_graph, ["n49999"])) == 50_001
    assert time.perf_counter() - start < 5


def test_roots_are_what_a_loader_runs(corpus: Path) -> None:
    """Signatures, init op, restore and assets of a real model are its roots."""
    meta_graph = saved_models.read(corpus / "half_plus_two_tf2").meta_graphs[0]
    roots = graph.roots_of(meta_graph)

    assert {"serving_default_x:0", "NoOp", "StatefulPartitionedCall_7"} <= set(roots)
    assert {"saver_filename:0", "asset_path_initializer:0"} <= set(roots)


def test_unreached_functions_of_a_real_model_are_told(corpus: Path) -> None:
    """Most functions of a Keras model serve training; 6 of 95 are reached by a loader."""
    meta_graph = saved_models.read(corpus / "keras2_lstm").meta_graphs[0]
    reached = graph.functions_reached(meta_graph.proto, graph.roots_of(meta_graph))

    assert len(reached) == 6
    assert len(meta_graph.proto.graph_def.library.function) == 95
    assert any(name.startswith("__inference_standard_lstm") for name in reached)


def test_every_node_of_a_real_model_is_walked(corpus: Path) -> None:
    """The counts of a real model's graph and bodies add up."""
    proto = saved_models.read(corpus / "keras2_lstm").meta_graphs[0].proto

    assert sum(1 for _ in graph.walk(proto)) == 49 + 4162

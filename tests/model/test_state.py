"""Which signatures may answer otherwise from call to call: those that write, and those that draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from savedmodel_compat.model import MetaGraph, ops_used, read, state
from savedmodel_compat.model.state import Change, changes
from savedmodel_compat.registry import known
from savedmodel_compat.registry._source import shipped

FROZEN = Path(__file__).parent.parent.parent / "golden" / "models"


def of(path: Path, signature: str) -> tuple[Change, ...]:
    """Return the changes of a signature of the MetaGraph that is served."""
    [graph] = [g for g in read(path).meta_graphs if set(g.tags) == {"serve"}]
    return changes(graph, graph.signatures[signature])


def with_node(path: Path, op: str, *, named: str) -> MetaGraph:
    """Return a MetaGraph one of whose nodes has another op."""
    [graph] = read(path).meta_graphs
    [node] = [node for node in graph.proto.graph_def.node if node.name == named]
    node.op = op
    return graph


def test_a_counter(corpus: Path) -> None:
    """It adds to its variable at every call."""
    found = of(corpus / "counter_stateful", "incr_counter_by")
    assert [change.op for change in found] == ["AssignAdd"]
    assert found[0].node == "incr_counter_by_op/AssignAdd"
    assert not found[0].draws


def test_its_signature_that_only_reads(corpus: Path) -> None:
    """What others write is theirs: reading a variable changes nothing."""
    assert of(corpus / "counter_stateful", "get_counter") == ()


@pytest.mark.parametrize("name", ["half_plus_two-1.4.1", "functions_module-2.11.1"])
def test_what_restores_and_initialises_is_no_change(name: str) -> None:
    """The ops that assign at load are no part of a signature."""
    for graph in read(FROZEN / name).meta_graphs:
        assert any(op.startswith(("Assign", "Restore")) for op in ops_used(graph.proto))
        for signature in graph.signatures.values():
            assert changes(graph, signature) == ()


@pytest.mark.parametrize(("op", "draws"), [("AssignAdd", False), ("RandomStandardNormal", True)])
def test_a_seeded_change(op: str, draws: bool) -> None:
    """A node that writes or draws is found, and named, in the signatures that run it and in no other."""
    graph = with_node(FROZEN / "half_plus_two-1.4.1", op, named="y")
    [found] = changes(graph, graph.signatures["serving_default"])
    assert (found.op, found.node, found.function, found.draws) == (op, "y", None, draws)
    assert ("draws at random" in str(found)) is draws
    assert changes(graph, graph.signatures["regress_x_to_y"]) == ()


def test_every_op_that_writes_or_draws_is_known_to_be_stateful() -> None:
    """By its definition it is stateful, or takes a reference or a resource; a pure function never counts."""
    telling = [name for name in shipped().store.rows if state._kind(name) is not None]
    assert len(telling) > 150
    for name in telling:
        definition = known.op(name)
        assert definition is not None
        refers = any(arg.is_ref or arg.type_attr == "" for arg in definition.input_arg)
        assert definition.is_stateful or refers, name


@pytest.mark.parametrize(
    "op",
    "Assign AssignVariableOp ScatterUpdate ResourceScatterNdAdd ResourceApplyGradientDescent LookupTableInsertV2 "
    "QueueDequeueV2 IteratorGetNext RandomUniform StatefulUniformInt TruncatedNormal RngReadAndSkip".split(),
)
def test_ops_that_count(op: str) -> None:
    """The usual ones are among them."""
    assert known.op(op) is not None
    assert state._kind(op) is not None


@pytest.mark.parametrize(
    "op",
    "ReadVariableOp VariableV2 VarHandleOp LookupTableFindV2 HashTableV2 ScatterNd TensorScatterUpdate "
    "StatelessRandomUniform StackPushV2 TensorArrayWriteV3 AssignNothing QueueSizeV2".split(),
)
def test_ops_that_do_not_count(op: str) -> None:
    """What only reads, what is a function of its inputs, and what lives no longer than a call do not."""
    assert state._kind(op) is None

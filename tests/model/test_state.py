"""Which signatures may answer otherwise from call to call: those that write, and those that draw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from savedmodel_compat.model import MetaGraph, _effects, ops_used, read, state
from savedmodel_compat.model.state import Change, Effect, changes
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
    """By its definition it is stateful, takes a reference or a resource, or has a seed; a pure function never counts."""
    telling = [name for name in shipped().store.rows if state._named(name) is not None]
    assert len(telling) > 400
    for name in telling:
        definition = known.op(name)
        assert definition is not None
        refers = any(arg.is_ref for arg in (*definition.input_arg, *definition.output_arg))
        refers |= any(arg.type_attr == "" for arg in definition.input_arg)
        drawn = any("seed" in each.name for each in (*definition.input_arg, *definition.attr))
        assert definition.is_stateful or refers or drawn, name


def test_every_op_with_state_counts_or_is_listed() -> None:
    """Each op of the shipped releases that is stateful or takes a reference counts, or is one that only creates, reads or passes on."""
    passing = []
    for name in shipped().store.rows:
        definition = known.op(name)
        assert definition is not None
        refers = any(arg.is_ref for arg in (*definition.input_arg, *definition.output_arg))
        if (definition.is_stateful or refers) and state._named(name) is None:
            passing.append(name)
    assert len(passing) > 200
    assert [name for name in passing if not _effects.passes(name)] == []


def test_the_usual_ops_are_in_the_patterns_too() -> None:
    """That list saves time, and says nothing of its own."""
    listed = re.compile("|".join(_effects.PASSES))
    assert [op for op in sorted(_effects._USUAL) if listed.fullmatch(op) is None] == []


def test_no_op_is_listed_twice() -> None:
    """Of what writes, what draws and what passes on, an op is one."""
    kinds = [
        re.compile("|".join(each)) for each in (_effects.WRITES, _effects.DRAWS, _effects.PASSES)
    ]
    for name in shipped().store.rows:
        assert sum(kind.fullmatch(name) is not None for kind in kinds) <= 1, name


@pytest.mark.parametrize("kind", ["WRITES", "DRAWS", "PASSES"])
def test_every_pattern_names_an_op(kind: str) -> None:
    """A pattern that no shipped op answers to is a misspelling."""
    for pattern in getattr(_effects, kind):
        assert any(re.fullmatch(pattern, name) for name in shipped().store.rows), pattern


@pytest.mark.parametrize("op", "PyFunc EagerPyFunc Rpc BytesInUse GetSessionHandleV2 Empty".split())
def test_what_nobody_knows_may_do_anything(op: str) -> None:
    """Code of the host, another server, the machine's memory: what they answer next is not said anywhere."""
    graph = with_node(FROZEN / "half_plus_two-1.4.1", op, named="y")
    [found] = changes(graph, graph.signatures["serving_default"])
    assert found.effect is Effect.UNKNOWN
    assert not found.draws
    assert "may do anything" in str(found)


def test_an_op_of_a_custom_library_is_judged_by_the_models_own_definition() -> None:
    """It counts if that says that it is stateful or takes a reference, or if the model has none of it."""
    graph = with_node(FROZEN / "half_plus_two-1.4.1", "MyScale", named="y")
    assert [found.op for found in changes(graph, graph.signatures["serving_default"])] == [
        "MyScale"
    ]
    own = graph.proto.meta_info_def.stripped_op_list.op.add(name="MyScale")
    assert changes(graph, graph.signatures["serving_default"]) == ()
    own.is_stateful = True
    [found] = changes(graph, graph.signatures["serving_default"])
    assert found.effect is Effect.UNKNOWN
    own.is_stateful = False
    own.input_arg.add(name="x", is_ref=True)
    assert len(changes(graph, graph.signatures["serving_default"])) == 1


def test_a_model_cannot_call_an_op_of_tensorflow_stateless() -> None:
    """What TensorFlow defines is judged by its definition, whatever the model says."""
    graph = with_node(FROZEN / "half_plus_two-1.4.1", "EagerPyFunc", named="y")
    graph.proto.meta_info_def.stripped_op_list.op.add(name="EagerPyFunc")
    assert len(changes(graph, graph.signatures["serving_default"])) == 1


def test_cudnn_draws_for_a_dropout_only() -> None:
    """A recurrent layer without one answers the same, and is left as it was read."""
    graph = with_node(FROZEN / "half_plus_two-1.4.1", "CudnnRNNV3", named="y")
    [node] = [node for node in graph.proto.graph_def.node if node.name == "y"]
    assert changes(graph, graph.signatures["serving_default"]) == ()
    assert "dropout" not in node.attr
    node.attr["dropout"].f = 0.5
    [found] = changes(graph, graph.signatures["serving_default"])
    assert found.draws


@pytest.mark.parametrize(
    "op",
    "Assign AssignVariableOp ScatterUpdate ResourceScatterNdAdd ResourceApplyGradientDescent LookupTableInsertV2 "
    "QueueDequeueV2 IteratorGetNext RandomUniform StatefulUniformInt TruncatedNormal RngReadAndSkip "
    "FractionalMaxPool FractionalAvgPool WriteFile RecordInput PyFunc EagerPyFunc AddSparseToTensorsMap "
    "TakeManySparseFromTensorsMap SamplingDataset DummySeedGenerator KMC2ChainInitialization KmeansPlusPlusInitialization "
    "BoostedTreesDeserializeEnsemble SaveV2 DestroyResourceOp InitializeTableV2".split(),
)
def test_ops_that_count(op: str) -> None:
    """The usual ones are among them."""
    assert known.op(op) is not None
    assert state._named(op) is not None


@pytest.mark.parametrize(
    "op",
    "ReadVariableOp VariableV2 VarHandleOp LookupTableFindV2 HashTableV2 ScatterNd TensorScatterUpdate "
    "StatelessRandomUniform StochasticCastToInt StackPushV2 TensorArrayWriteV3 AssignNothing QueueSizeV2 StatefulPartitionedCall "
    "If While XlaCallModule Send CollectiveReduceV2 ScalarSummary Print Assert TFRecordDataset BoostedTreesPredict".split(),
)
def test_ops_that_do_not_count(op: str) -> None:
    """What only reads, what is a function of its inputs, and what lives no longer than a call do not."""
    assert state._named(op) is None

"""What a model asks for: its nodes, alike ones once, and what reaches them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.breaking import MODELS, edit

from savedmodel_compat import model
from savedmodel_compat.prediction.reach import reach_of
from savedmodel_compat.prediction.usage import INIT, RESTORE, SAVE, Edge, Need, Usage, usage_of


def _usage(name: str) -> Usage:
    return usage_of(model.read(MODELS / name).meta_graphs[0])


def _bits_of(found: Usage, op: str) -> int:
    """Return the bits of all that may run an op, over all its sites."""
    reach = reach_of(found)
    bits = 0
    for site in found.sites:
        if found.demands[site.demand].op == op:
            bits |= reach.bits(site.function, site.reached)
    return bits


def test_every_node_is_counted_once() -> None:
    """The sites hold all nodes of graph and functions, but the calls of functions by name."""
    for name in ("builder-1.15.5", "module-2.21.0"):
        graph = model.read(MODELS / name).meta_graphs[0].proto.graph_def
        nodes = len(graph.node) + sum(len(f.node_def) for f in graph.library.function)
        assert sum(site.count for site in _usage(name).sites) == nodes


def test_nodes_that_ask_for_the_same_are_one_demand() -> None:
    """Two constants of one type are one demand: their values make no difference."""
    found = _usage("builder-1.15.5")
    constants = [d for d in found.demands if d.op == "Const" and not d.device]
    strings = [d for d in constants if dict(d.attrs)["dtype"] == b"0\x07"]
    assert len(strings) == 1
    assert sum(s.count for s in found.sites if found.demands[s.demand] == strings[0]) > 1


def test_attrs_with_an_underscore_ask_for_nothing() -> None:
    """Nobody checks them, so that they are no part of a demand."""
    names = {name for d in _usage("module-2.21.0").demands for name, _ in d.attrs}
    assert not [name for name in names if name.startswith("_")]


def test_what_the_save_part_needs_is_reached_by_it_alone() -> None:
    """DisableCopyOnRead stands in the traced save function, and nothing else runs it."""
    assert _bits_of(_usage("module-2.21.0"), "DisableCopyOnRead") == SAVE


def test_restoring_and_initialising_reach_their_ops() -> None:
    """RestoreV2 is run by the restore op, the table's initialiser by the init op."""
    for name in ("builder-1.15.5", "module-2.21.0"):
        found = _usage(name)
        assert _bits_of(found, "RestoreV2") & RESTORE
        assert _bits_of(found, "InitializeTableFromTextFileV2") & INIT


def test_each_signature_reaches_its_own() -> None:
    """The table is looked up by one signature, and variables are read by the others."""
    found = _usage("builder-1.15.5")
    assert found.signatures_of(_bits_of(found, "LookupTableFindV2")) == ("lookup",)
    assert set(found.signatures_of(_bits_of(found, "Mul"))) == {
        "serving_default",
        "classify",
        "regress",
    }


def test_what_is_fed_is_not_run(tmp_path: Path) -> None:
    """Behind the tensor that a signature feeds nothing is reached from it."""
    import shutil

    folder = Path(shutil.copytree(MODELS / "builder-1.15.5", tmp_path / "m"))

    def feed_between(proto: model.schema.SavedModel) -> None:
        signature = proto.meta_graphs[0].signature_def["classify"]
        signature.inputs["inputs"].name = "ParseExample/ParseExample:0"

    def reaching(name: str) -> set[str]:
        found = usage_of(model.read(folder).meta_graphs[0])
        return {
            key
            for site in found.sites
            if site.node == name
            for key in found.signatures_of(site.reached)
        }

    assert reaching("tf_example") == {"classify", "regress"}
    edit(folder, feed_between)
    assert reaching("tf_example") == {"regress"}


def test_a_branch_is_told_from_a_call() -> None:
    """tf.cond marks its branches to be lowered; signatures call their functions."""
    found = _usage("module-2.21.0")
    edges = {reference.op: reference.edge for reference in found.references}
    assert edges["StatefulPartitionedCall"] is Edge.CALL
    assert {edge for op, edge in edges.items() if op in {"If", "StatelessIf"}} == {Edge.LOWERED}


def test_what_nothing_needs_is_told_from_effects(tmp_path: Path) -> None:
    """In a body, assigning is an effect, and a constant that nobody takes is pruned."""
    import shutil

    folder = Path(shutil.copytree(MODELS / "module-2.21.0", tmp_path / "m"))

    def add_idle(proto: model.schema.SavedModel) -> None:
        library = proto.meta_graphs[0].graph_def.library
        body = next(f for f in library.function if "traced_restore" in f.signature.name)
        constant = next(n for f in library.function for n in f.node_def if n.op == "Const")
        idle = body.node_def.add()
        idle.CopyFrom(constant)
        idle.name = "idle"
        idle.attr["dtype"].type = 2
        idle.attr["value"].tensor.dtype = 2

    edit(folder, add_idle)
    found = usage_of(model.read(folder).meta_graphs[0])
    sites = {site.node: site for site in found.sites}
    assert sites["idle"].needed is Need.PRUNED
    assigning = [s for s in found.sites if found.demands[s.demand].op == "AssignVariableOp"]
    assert {site.needed for site in assigning} == {Need.EFFECT}


@pytest.mark.parametrize("name", ["builder-1.15.5", "module-2.21.0"])
def test_the_object_graph_tells_the_formats_apart(name: str) -> None:
    """Only what tf.saved_model.save wrote has objects."""
    assert _usage(name).has_objects == name.startswith("module")


def _read(proto: model.schema.MetaGraphDef, folder: Path) -> Usage:
    saved = model.schema.SavedModel(saved_model_schema_version=1)
    saved.meta_graphs.append(proto)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return usage_of(model.read(folder).meta_graphs[0])


def test_many_signatures_on_a_long_chain(tmp_path: Path) -> None:
    """Each node is passed once, whatever the order in which signatures begin."""
    proto = model.schema.SavedModel().meta_graphs.add()
    for index in range(3000):
        behind = [f"n{index - 1}"] if index else []
        proto.graph_def.node.add(name=f"n{index}", op="Neg", input=behind).attr["T"].type = 1
    for index in range(0, 3000, 3):
        proto.signature_def[f"s{index:04}"].outputs["y"].name = f"n{2999 - index}:0"
    found = _read(proto, tmp_path)
    reached = {site.node: site.reached for site in found.sites}
    assert len(found.signatures_of(reached["n0"])) == 1000
    assert len(found.sites) > 900


def test_a_loop_of_a_v1_graph(tmp_path: Path) -> None:
    """A cycle is gone round until nothing changes."""
    proto = model.schema.SavedModel().meta_graphs.add()
    for name, behind in (("a", ["c"]), ("b", ["a"]), ("c", ["b", "d"]), ("d", [])):
        proto.graph_def.node.add(name=name, op="Identity", input=behind).attr["T"].type = 1
    for key, tensor in (("one", "a:0"), ("two", "b:0")):
        proto.signature_def[key].outputs["y"].name = tensor
    found = _read(proto, tmp_path)
    assert sum(site.count for site in found.sites) == 4
    assert {found.signatures_of(site.reached) for site in found.sites} == {("one", "two")}

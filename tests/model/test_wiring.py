"""What outputs compute: the same for the same, another for another, whatever things are called."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS, edit

from savedmodel_compat.model import read, schema, wiring

Change = Callable[[schema.SavedModel], object]


def rewired_by(tmp_path: Path, name: str, change: Change) -> list[tuple[str, str]]:
    """Return the outputs of a frozen model that one edit makes compute in another way."""
    folder = Path(shutil.copytree(MODELS / name, tmp_path / name, dirs_exist_ok=True))
    edit(folder, change)
    before, after = (
        wiring.wiring(read(path).meta_graph(["serve"])) for path in (MODELS / name, folder)
    )
    return wiring.rewired(before, after)


def node(model: schema.SavedModel, name: str) -> schema.NodeDef:
    """Return a node of the first graph, or of any function."""
    graph = model.meta_graphs[0].graph_def
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return next(found for body in bodies for found in body if found.name == name)


@pytest.mark.parametrize("name", GOOD)
def test_a_model_computes_what_it_computes(tmp_path: Path, name: str) -> None:
    """An edit that changes nothing rewires nothing, and every output has a hash."""
    assert rewired_by(tmp_path, name, lambda _: None) == []
    found = wiring.wiring(read(MODELS / name).meta_graphs[0])
    assert len(set(found.named.values())) == len(found.named) > 2


def table(model: schema.SavedModel) -> schema.NodeDef:
    """Return the table of the first graph."""
    nodes = model.meta_graphs[0].graph_def.node
    return next(found for found in nodes if found.op == "HashTableV2")


def rename(model: schema.SavedModel) -> None:
    """Call the node Mul, and what takes it, by another name."""
    node(model, "Mul").name = "Times"
    for found in model.meta_graphs[0].graph_def.node:
        found.input[:] = ["Times" if source == "Mul" else source for source in found.input]


def swap_inputs(model: schema.SavedModel) -> None:
    """Let the node y take its inputs the other way round."""
    inputs = list(node(model, "y").input)
    node(model, "y").input[:] = inputs[::-1]


def swap_variables(model: schema.SavedModel) -> None:
    """Let a and b change places in what is computed."""
    for found in model.meta_graphs[0].graph_def.node:
        if found.name == "Mul":
            found.input[1] = "b/Read/ReadVariableOp" if "a/" in found.input[1] else "a/read"


def test_names_of_nodes_do_not_count(tmp_path: Path) -> None:
    """A node that is only called otherwise computes the same."""
    assert rewired_by(tmp_path, "builder-1.15.5", rename) == []


def test_the_order_of_inputs_counts(tmp_path: Path) -> None:
    """An op that takes its inputs in another order computes something else, and no other output does."""
    assert rewired_by(tmp_path, "builder-1.15.5", swap_inputs) == [("serving_default", "y")]


def test_which_variable_it_is_counts(tmp_path: Path) -> None:
    """The same ops on other variables compute something else."""
    found = rewired_by(tmp_path, "builder-1.15.5", swap_variables)
    assert ("serving_default", "y") in found


def test_attrs_count_but_not_seeds_and_not_names(tmp_path: Path) -> None:
    """An attr that is another rewires; a seed, a shared name of a table and a private attr do not."""

    def other(model: schema.SavedModel) -> None:
        node(model, "mean").attr["keep_dims"].b = False

    def same(model: schema.SavedModel) -> None:
        node(model, "mean").attr["seed"].i = 7
        node(model, "mean").attr["_private"].i = 7
        table(model).attr["shared_name"].s = b"another"

    assert rewired_by(tmp_path, "builder-1.15.5", other) == [("regress", "outputs")]
    assert rewired_by(tmp_path, "builder-1.15.5", same) == []


def test_bodies_of_functions_count(tmp_path: Path) -> None:
    """What a function that a function calls does is part of what the output computes."""

    def change(model: schema.SavedModel) -> None:
        for function in model.meta_graphs[0].graph_def.library.function:
            for found in function.node_def:
                if found.op == "Mul":
                    found.op = "AddV2"

    found = rewired_by(tmp_path, "module-2.21.0", change)
    assert found == [("serving_default", "mean"), ("serving_default", "y")]


def calling(*calls: tuple[str, str]) -> schema.SavedModel:
    """Return a model whose output y is f of x; each function calls another twice, one after the other."""
    model = schema.SavedModel()
    graph = model.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.graph_def.node.add(name="x", op="Placeholder")
    graph.graph_def.node.add(name="y", op="f", input=["x"])
    graph.signature_def["serving_default"].inputs["x"].name = "x:0"
    graph.signature_def["serving_default"].outputs["y"].name = "y:0"
    for name, called in calls:
        function = graph.graph_def.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="a")
        function.signature.output_arg.add(name="r")
        function.node_def.add(name="n", op=called, input=["a"])
        function.node_def.add(name="m", op=called, input=["n:r:0"])
        function.ret["r"] = "m:r:0"
    return model


def test_functions_that_call_each_other_end(tmp_path: Path) -> None:
    """A circle of calls ends."""
    model = calling(("f", "g"), ("g", "f"))
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    assert len(wiring.wiring(read(tmp_path).meta_graphs[0]).named) == 1


def test_calls_without_number_are_given_up(tmp_path: Path) -> None:
    """Forty levels of two calls each are more than anybody can follow, and that is said."""
    names = ["f", *(f"f{level}" for level in range(40)), "Relu"]
    model = calling(*itertools.pairwise(names))
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    [found] = read(tmp_path).meta_graphs
    with pytest.raises(wiring.TooLargeError):
        wiring.wiring(found)

"""Tests of `savedmodel_compat.model.difference`: one edit, and exactly that difference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model import schema
from savedmodel_compat.model.difference import Change, Difference, GraphDifference, compare_paths

MODELS = Path(__file__).parent.parent / "models"
V1, V2 = MODELS / "builder-1.15.5", MODELS / "module-2.21.0"
KEY = "serving_default"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A copy of the v2 model."""
    return Path(shutil.copytree(V2, tmp_path / "other"))


def edited(folder: Path, change: Callable[[schema.MetaGraphDef], object]) -> Difference:
    """Return how the v2 model differs from a copy with one edit to its MetaGraph."""
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    change(proto.meta_graphs[0])
    file.write_bytes(proto.SerializeToString())
    return compare_paths(V2, folder)


def signature(meta_graph: schema.MetaGraphDef) -> schema.SignatureDef:
    """Return the default signature: inputs x and scale, outputs y and mean."""
    return meta_graph.signature_def[KEY]


def only(difference: Difference) -> Change:
    """Return the one change of the signatures, which is the only difference there is."""
    assert difference.parts() == {"signature", "any"}
    [pair] = difference.meta_graphs
    [change] = pair.signatures
    return change


def of_pair(difference: Difference) -> GraphDifference:
    """Return the difference of the only pair of MetaGraphs."""
    [pair] = difference.meta_graphs
    return pair


@pytest.mark.parametrize("folder", [V1, V2])
def test_a_model_does_not_differ_from_a_copy(folder: Path, tmp_path: Path) -> None:
    """Nothing differs, and no part does."""
    difference = compare_paths(folder, shutil.copytree(folder, tmp_path / "copy"))

    assert difference.parts() == frozenset()
    assert len(difference.meta_graphs) == (2 if folder is V1 else 1)


def test_another_order_is_no_difference(other: Path) -> None:
    """Functions and nodes in another order are the same model."""

    def reverse(meta_graph: schema.MetaGraphDef) -> None:
        for items in (meta_graph.graph_def.node, meta_graph.graph_def.library.function):
            reordered = list(reversed(items))
            del items[:]
            items.extend(reordered)

    assert edited(other, reverse).parts() == frozenset()


def test_names_of_tensors_do_not_count(other: Path) -> None:
    """Where in the graph an output stands is no client's business."""

    def rename(meta_graph: schema.MetaGraphDef) -> None:
        for specs in (signature(meta_graph).inputs, signature(meta_graph).outputs):
            for info in specs.values():
                info.name = f"elsewhere_{info.name}"

    assert edited(other, rename).parts() == frozenset()


def _drop(specs: Any, alias: str) -> None:
    del specs[alias]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda s: setattr(s.inputs["x"], "dtype", 2),
            ("input", "x", "float32 [None, 3]", "float64 [None, 3]", "must send another type"),
        ),
        (
            lambda s: setattr(s.outputs["y"], "dtype", 2),
            ("output", "y", "float32 [None, 3]", "float64 [None, 3]", "get another type"),
        ),
        (
            lambda s: setattr(s.inputs["x"].tensor_shape.dim[0], "size", 7),
            ("input", "x", "float32 [None, 3]", "float32 [7, 3]", "must send other shapes"),
        ),
        (
            lambda s: setattr(s.outputs["y"].tensor_shape.dim[0], "size", 7),
            ("output", "y", "float32 [None, 3]", "float32 [7, 3]", "stays right"),
        ),
        (
            lambda s: setattr(s.inputs["x"].tensor_shape, "unknown_rank", True),
            ("input", "x", "float32 [None, 3]", "float32 unknown rank", "stays right"),
        ),
        (
            lambda s: s.outputs["y"].tensor_shape.dim.add(size=2),
            ("output", "y", "float32 [None, 3]", "float32 [None, 3, 2]", "get other shapes"),
        ),
        (
            lambda s: _drop(s.inputs, "x"),
            ("input", "x", "float32 [None, 3]", None, "requests that give it are refused"),
        ),
        (
            lambda s: _drop(s.outputs, "mean"),
            ("output", "mean", "float32 [None]", None, "clients that read it fail"),
        ),
        (
            lambda s: setattr(s.inputs["z"], "dtype", 3),
            ("input", "z", None, "int32 []", "requests that do not give it are refused"),
        ),
        (
            lambda s: setattr(s.outputs["z"], "dtype", 3),
            ("output", "z", None, "int32 []", ""),
        ),
    ],
)
def test_one_edit_to_a_signature(
    other: Path,
    change: Callable[[schema.SignatureDef], object],
    expected: tuple[str, str, str | None, str | None, str],
) -> None:
    """An input or output that changes, comes or goes is told with what it means for clients."""
    found = only(edited(other, lambda meta_graph: change(signature(meta_graph))))
    what, alias, before, after, meaning = expected

    assert (found.what, found.name) == (what, f"{KEY}: {alias}")
    assert (found.before, found.after) == (before, after)
    assert meaning in found.meaning
    assert bool(meaning) == bool(found.meaning)


def test_an_input_with_a_default_is_no_burden(other: Path) -> None:
    """A new input that has a default leaves every client as it is; both are told."""

    def add(meta_graph: schema.MetaGraphDef) -> None:
        signature(meta_graph).inputs["z"].dtype = 1
        default = signature(meta_graph).defaults["z"]
        default.dtype = 1
        default.float_val.append(0.5)

    changes = of_pair(edited(other, add)).signatures

    assert [(change.what, change.after, change.meaning) for change in changes] == [
        ("input", "float32 []", ""),
        ("default", "float32 []: 0.5", ""),
    ]


def test_another_default_is_told(other: Path, tmp_path: Path) -> None:
    """Requests that leave the input out are answered with other numbers."""

    def give(value: float) -> Callable[[schema.MetaGraphDef], None]:
        def change(meta_graph: schema.MetaGraphDef) -> None:
            default = signature(meta_graph).defaults["scale"]
            default.dtype = 1
            default.float_val[:] = [value]

        return change

    edited(other, give(1.0))
    second = Path(shutil.copytree(other, tmp_path / "second"))
    edited(second, give(2.0))
    change = only(compare_paths(other, second))

    assert (change.what, change.before, change.after) == (
        "default",
        "float32 []: 1.0",
        "float32 []: 2.0",
    )
    assert "answered otherwise" in change.meaning
    lost = only(compare_paths(other, V2))
    assert (lost.after, lost.meaning) == (None, "requests that leave it out are refused")


def test_a_method_name_counts(other: Path) -> None:
    """TensorFlow Serving goes by it."""
    difference = edited(
        other, lambda meta_graph: setattr(signature(meta_graph), "method_name", "other")
    )

    assert only(difference).what == "method name"
    assert only(difference).after == "other"


def test_a_signature_that_is_gone(other: Path) -> None:
    """Requests that name it fail; the model that has one more is told of, too."""
    difference = edited(other, lambda meta_graph: _drop(meta_graph.signature_def, KEY))
    change = only(difference)

    assert (change.what, change.name, change.after) == ("signature", KEY, None)
    assert change.before == (
        "scale float32 [], x float32 [None, 3] -> mean float32 [None], y float32 [None, 3]"
    )
    assert change.meaning == "requests that name it fail"
    assert only(compare_paths(other, V2)).meaning == ""


def test_signatures_of_tensorflow_itself_do_not_count(other: Path) -> None:
    """The init op is no client's."""

    def rename(meta_graph: schema.MetaGraphDef) -> None:
        meta_graph.signature_def["__saved_model_of_ours"].method_name = "x"

    assert edited(other, rename).parts() == frozenset()


def test_another_tag_set(other: Path) -> None:
    """A MetaGraph that only one has is a difference of the signatures."""
    difference = edited(other, lambda meta_graph: meta_graph.meta_info_def.tags.append("gpu"))

    assert difference.meta_graphs == ()
    assert [(change.name, change.after) for change in difference.tags] == [
        ("[gpu, serve]", "2 signatures"),
        ("[serve]", None),
    ]
    assert difference.parts() == {"signature", "any"}


def test_a_new_op(other: Path) -> None:
    """An op that A lacks must be known wherever B is to load."""
    difference = edited(
        other, lambda meta_graph: meta_graph.graph_def.node.add(name="n", op="Erfinv")
    )
    [change] = of_pair(difference).ops

    assert (change.name, change.before, change.after) == ("Erfinv", None, "1 node")
    assert "known" in change.meaning
    assert difference.parts() == {"ops", "any"}


def test_a_call_is_no_op(other: Path) -> None:
    """A node that calls a function of the library by its name is not taken for a new op."""

    def call(meta_graph: schema.MetaGraphDef) -> None:
        name = meta_graph.graph_def.library.function[0].signature.name
        meta_graph.graph_def.node.add(name="n", op=name)

    assert edited(other, call).parts() == frozenset()


@pytest.mark.parametrize(
    ("name", "field", "value", "parts"),
    [
        ("_output_shapes", "s", b"x", set()),
        ("shared_name", "s", b"other", set()),
        ("debug_name", "s", b"other", set()),
        ("dtype", "type", 2, {"ops", "any"}),
        ("allowed_devices", "i", 5, {"ops", "any"}),
        ("brand_new", "b", True, {"ops", "any"}),
    ],
)
def test_an_attr(other: Path, name: str, field: str, value: object, parts: set[str]) -> None:
    """Values of attrs count, but for those that only name things or belong to the runtime."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        node = next(n for n in meta_graph.graph_def.node if n.op == "VarHandleOp")
        setattr(node.attr[name], field, value)

    difference = edited(other, change)

    assert difference.parts() == parts
    assert [change.name for change in of_pair(difference).attrs] == [f"VarHandleOp.{name}"] * bool(
        parts
    )


def test_an_attr_that_only_b_has_may_be_refused(other: Path) -> None:
    """Older releases do not know it."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        node = next(n for n in meta_graph.graph_def.node if n.op == "NoOp")
        node.attr["brand_new"].list.type.extend([1, 3])

    [found] = of_pair(edited(other, change)).attrs

    assert (found.before, found.after) == (None, "[float32, int32]")
    assert "do not know this attr" in found.meaning


def test_a_long_value_is_cut_and_still_told_apart(other: Path) -> None:
    """Two long values that begin alike differ by their digest."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        nodes = [n for n in meta_graph.graph_def.node if n.op == "Const"]
        nodes[0].attr["text"].s = b"x" * 5000
        nodes[1].attr["text"].s = b"x" * 5001

    [found] = of_pair(edited(other, change)).attrs

    assert found.after is not None
    assert len(found.after) < 200
    assert found.after.count("sha256") == 2


def test_another_constant_is_counted(other: Path) -> None:
    """Which constants differ is not told, for there may be thousands; how many is."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        node = next(n for n in meta_graph.graph_def.node if n.op == "Const")
        node.attr["value"].tensor.string_val.append(b"other")

    difference = edited(other, change)
    [found] = of_pair(difference).constants

    assert (found.before, found.after) == ("1 that B lacks", "1 that A lacks")
    assert difference.parts() == {"constants", "any"}


def test_the_producer(other: Path) -> None:
    """Who wrote it, and for whom, is told, and is no difference of anything else."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        meta_graph.meta_info_def.tensorflow_version = "2.11.1"
        meta_graph.meta_info_def.stripped_default_attrs = False
        meta_graph.graph_def.versions.bad_consumers.extend([3, 4])

    difference = edited(other, change)
    changes = {
        change.what: (change.before, change.after) for change in of_pair(difference).producer
    }

    assert changes == {
        "TensorFlow": ("2.21.0", "2.11.1"),
        "default attrs stripped": ("yes", "no"),
        "bad consumers": ("none", "3, 4"),
    }
    assert difference.parts() == {"producer", "any"}


def test_assets(other: Path) -> None:
    """A file with other content, one more and one less."""
    (other / "assets/words.txt").write_text("other")
    (other / "assets/new.txt").write_text("new")
    difference = compare_paths(V2, other)

    assert [(change.name, change.before is None) for change in difference.assets] == [
        ("new.txt", True),
        ("words.txt", False),
    ]
    assert difference.parts() == {"assets", "any"}


def test_variables_of_other_names(tmp_path: Path) -> None:
    """The variables of a v1 model and of a v2 model have no name in common."""
    difference = compare_paths(V1, V2)

    assert [(change.name, change.before, change.after) for change in difference.variables] == [
        ("a", "float32 []", None),
        ("a/.ATTRIBUTES/VARIABLE_VALUE", None, "float32 []"),
        ("b", "float32 [3]", None),
        ("b/.ATTRIBUTES/VARIABLE_VALUE", None, "float32 [3]"),
    ]
    assert difference.parts() >= {"signature", "ops", "variables", "any"}


def test_variables_that_are_lost(other: Path) -> None:
    """A model without variables lacks all of them."""
    shutil.rmtree(other / "variables")
    difference = compare_paths(V2, other)

    assert {change.after for change in difference.variables} == {None}
    assert difference.parts() == {"variables", "any"}


def test_variables_that_cannot_be_read(other: Path) -> None:
    """A damaged index is noted, and the rest is compared."""
    (other / "variables/variables.index").write_bytes(b"x" * 10)
    difference = compare_paths(V2, other)

    assert "variables" in difference.notes[0]
    assert str(other) in difference.notes[0]


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    """There is nothing to compare with."""
    with pytest.raises(NotASavedModelError):
        compare_paths(V2, tmp_path)

"""Tests of `savedmodel_compat.model.difference`: one edit, and exactly that difference."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.model import tables

from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model import _variable_changes, schema
from savedmodel_compat.model.difference import Change, Difference, GraphDifference, compare_paths
from savedmodel_compat.model.tree import walk

MODELS = Path(__file__).parent.parent / "models"
V1, V2 = MODELS / "builder-1.15.5", MODELS / "module-2.21.0"
KEY = "serving_default"
SHARD = "variables/variables.data-00000-of-00001"


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
    [pair] = difference.meta_graphs
    [change] = pair.signatures
    assert difference.parts() == ({"signature", "any"} if change.breaks else {"any"})
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

    assert "signature" not in edited(other, rename).parts()


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
            ("input", "x", "float32 [None, 3]", "float32 [7, 3]", "may have to send other shapes"),
        ),
        (
            lambda s: setattr(s.inputs["x"].tensor_shape.dim[1], "size", 4),
            ("input", "x", "float32 [None, 3]", "float32 [None, 4]", "clients must send other"),
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
            (
                "output",
                "y",
                "float32 [None, 3]",
                "float32 [None, 3, 2]",
                "clients get other shapes",
            ),
        ),
        (
            lambda s: setattr(s.outputs["y"].tensor_shape, "unknown_rank", True),
            ("output", "y", "float32 [None, 3]", "float32 unknown rank", "may get other shapes"),
        ),
        (
            lambda s: setattr(s.outputs["y"].tensor_shape.dim[1], "size", -1),
            ("output", "y", "float32 [None, 3]", "float32 [None, None]", "may get other shapes"),
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
    assert found.breaks is (meaning not in {"", "stays right"})


def test_an_input_with_a_default_is_no_burden(other: Path) -> None:
    """A new input that has a default leaves every client as it is; both are told."""

    def add(meta_graph: schema.MetaGraphDef) -> None:
        signature(meta_graph).inputs["z"].dtype = 1
        default = signature(meta_graph).defaults["z"]
        default.dtype = 1
        default.float_val.append(0.5)

    difference = edited(other, add)
    changes = of_pair(difference).signatures

    assert difference.parts() == {"any"}
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
    assert lost.breaks


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
    added = only(compare_paths(other, V2))
    assert (added.before, added.meaning, added.breaks) == (None, "", False)


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


def test_a_tag_set_that_is_added(other: Path) -> None:
    """Python loads a model of one MetaGraph without naming its tags, and a model of two not."""

    def add(meta_graph: schema.MetaGraphDef) -> schema.MetaGraphDef:
        copy = type(meta_graph)()
        copy.CopyFrom(meta_graph)
        copy.meta_info_def.tags[:] = ["gpu"]
        return copy

    two = appended(other, add)
    [change] = two.tags
    assert (change.name, change.before, change.breaks) == ("[gpu]", None, True)
    assert "without tags=" in change.meaning
    [lost] = compare_paths(other, V2).tags
    assert (lost.name, lost.after, lost.breaks) == ("[gpu]", None, True)


def appended(
    folder: Path, make: Callable[[schema.MetaGraphDef], schema.MetaGraphDef]
) -> Difference:
    """Return how the v2 model differs from a copy with one MetaGraph more."""
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    proto.meta_graphs.append(make(proto.meta_graphs[0]))
    file.write_bytes(proto.SerializeToString())
    return compare_paths(V2, folder)


def test_a_second_meta_graph_with_the_same_tags(other: Path, tmp_path: Path) -> None:
    """It is told, and compared with the second of A if there is one."""
    [change] = appended(other, lambda meta_graph: meta_graph).tags

    assert (change.name, change.before) == ("[serve], number 2 with these tags", None)
    assert change.after == "2 signatures"
    third = Path(shutil.copytree(other, tmp_path / "third"))
    proto = schema.parse(schema.SavedModel, (third / "saved_model.pb").read_bytes())
    del proto.meta_graphs[1].signature_def[KEY]
    (third / "saved_model.pb").write_bytes(proto.SerializeToString())
    pairs = compare_paths(other, third).meta_graphs
    assert [len(pair.signatures) for pair in pairs] == [0, 1]
    # No loader gets at the second one, so nobody misses it.
    assert compare_paths(other, V2).parts() == {"any"}


def test_the_second_output_changes_rest(other: Path, tmp_path: Path) -> None:
    """Serving's REST answers are bare as long as there is one output."""
    edited(other, lambda meta_graph: _drop(signature(meta_graph).outputs, "mean"))
    change = only(compare_paths(other, V2))

    assert (change.name, change.before, change.breaks) == (f"{KEY}: mean", None, False)
    assert "REST" in change.meaning


def test_a_part_of_a_composite(other: Path, tmp_path: Path) -> None:
    """What a composite input is made of counts as much as what it is."""

    def give(dtype: int) -> Callable[[schema.MetaGraphDef], None]:
        def change(meta_graph: schema.MetaGraphDef) -> None:
            composite = signature(meta_graph).inputs["x"].composite_tensor
            del composite.components[:]
            composite.type_spec.type_spec_class = 4
            composite.components.add(name="a:0", dtype=dtype)

        return change

    edited(other, give(1))
    second = Path(shutil.copytree(other, tmp_path / "second"))
    edited(second, give(3))
    change = only(compare_paths(other, second))

    assert (change.meaning, change.breaks) == ("clients must send another type", True)


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


def test_a_value_that_only_one_side_has(tmp_path: Path) -> None:
    """Where both have the attr, the values that one side alone has are told, and of which side."""

    def copy(name: str, *types: int) -> Path:
        folder = Path(shutil.copytree(V2, tmp_path / name))

        def change(meta_graph: schema.MetaGraphDef) -> None:
            for number, dtype in enumerate(types):
                node = meta_graph.graph_def.node.add(name=f"n{number}", op="Placeholder")
                node.attr["dtype"].type = dtype

        edited(folder, change)
        return folder

    two = copy("two", 1, 3)
    [lost] = of_pair(compare_paths(two, copy("one", 1, 1))).attrs
    assert (lost.before, lost.after) == ("a value that only A has: int32", None)
    [other] = of_pair(compare_paths(two, copy("other", 1, 2))).attrs
    assert (other.before, other.after) == (
        "a value that only A has: int32",
        "a value that only B has: float64",
    )
    more, fewer = copy("more", 1, 1, 3), copy("fewer", 1, 3, 3)
    [counted] = of_pair(compare_paths(more, fewer)).attrs
    assert (counted.before, counted.after) == (
        "float32 on 4 nodes | int32 on 1 node",
        "float32 on 3 nodes | int32 on 2 nodes",
    )


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
    """How many constants differ is told, and of some which they are."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        node = next(n for n in meta_graph.graph_def.node if n.op == "Const")
        node.attr["value"].tensor.string_val.append(b"other")

    difference = edited(other, change)
    [found] = of_pair(difference).constants

    assert found.before == "1 that B lacks: Const: int64 [] -1"
    assert str(found.after).startswith("1 that A lacks: Const: int64 []")
    assert difference.parts() >= {"constants", "any"}


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


def test_extra_files(other: Path) -> None:
    """Requests for the warm-up are told with what Serving does with them."""
    folder = other / "assets.extra"
    folder.mkdir()
    (folder / "tf_serving_warmup_requests").write_text("x")
    added = compare_paths(V2, other)
    [change] = added.extra_files

    assert (change.what, change.name, change.before) == (
        "extra file",
        "tf_serving_warmup_requests",
        None,
    )
    assert "replays" in change.meaning
    assert added.parts() == {"assets", "any"}
    [lost] = compare_paths(other, V2).extra_files
    assert lost.after is None


@pytest.mark.parametrize("name", ["keras_metadata.pb", "debug/x", "notes.txt"])
def test_other_files(other: Path, tmp_path: Path, name: str) -> None:
    """Files that are neither graph nor variables nor assets count for ``any``, each way."""
    file = other / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"1")
    second = Path(shutil.copytree(other, tmp_path / "second"))
    (second / name).write_bytes(b"2")
    changed = compare_paths(other, second)
    [change] = changed.files
    assert (change.what, change.name) == ("file", name)
    assert change.before != change.after
    assert changed.parts() == {"files", "any"}
    (second / name).unlink()
    [lost] = compare_paths(other, second).files
    assert lost.after is None
    [added] = compare_paths(second, other).files
    assert added.before is None


def test_a_fingerprint_of_another_export(other: Path) -> None:
    """Two exports of one model have other fingerprints, which is a note; one that is lost is a change."""
    file = other / "fingerprint.pb"
    proto = schema.parse(schema.FingerprintDef, file.read_bytes())
    proto.uuid = "other"
    file.write_bytes(proto.SerializeToString())
    found = compare_paths(V2, other)
    assert found.parts() == frozenset()
    assert found.notes == ("fingerprint.pb is another",)
    file.unlink()
    [lost] = compare_paths(V2, other).files
    assert (lost.name, lost.after) == ("fingerprint.pb", None)


def test_what_outputs_compute(other: Path) -> None:
    """The same ops, differently connected, are a difference of `ops` that names the outputs."""
    file = other / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    for function in proto.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Mul":
                node.input[:] = list(node.input)[::-1]
    file.write_bytes(proto.SerializeToString())
    found = compare_paths(V2, other)
    [pair] = found.meta_graphs
    assert [change.name for change in pair.computations] == [
        "serving_default: mean",
        "serving_default: y",
    ]
    assert found.parts() == {"ops", "any"}


def test_links_are_not_followed_out_of_the_model(other: Path, tmp_path: Path) -> None:
    """What a link out of the model leads to is not read; a link within counts as its file."""
    (tmp_path / "words.txt").write_bytes((V2 / "assets/words.txt").read_bytes())
    link = other / "assets/words.txt"
    link.unlink()
    link.symlink_to(tmp_path / "words.txt")
    [change] = compare_paths(V2, other).assets
    assert change.after == f"a link to {tmp_path / 'words.txt'}"

    link.unlink()
    link.symlink_to("../assets.extra/words.txt")
    (other / "assets.extra").mkdir()
    shutil.copy(V2 / "assets/words.txt", other / "assets.extra")
    assert compare_paths(V2, other).assets == ()


def test_a_shard_out_of_the_model_is_missing(other: Path, tmp_path: Path) -> None:
    """The data of a model are its own."""
    shard = other / SHARD
    shutil.move(shard, tmp_path / "data")
    shard.symlink_to(tmp_path / "data")
    [change] = compare_paths(V2, other).variables
    assert change.after == "missing, with 3 tensors in it"


def test_what_is_no_file_is_not_read(other: Path) -> None:
    """A pipe would never end: neither as a shard nor as an asset is it opened."""
    (other / SHARD).unlink()
    for name in (SHARD, "assets/pipe"):
        os.mkfifo(other / name)
    difference = compare_paths(V2, other)
    assert [change.after for change in difference.variables] == ["missing, with 3 tensors in it"]
    assert [change.after for change in difference.assets] == ["no regular file"]


def test_a_folder_that_is_mounted_as_a_link(other: Path) -> None:
    """Variables are compared as such wherever they lie in the model."""
    (other / "variables").rename(other / "..data")
    (other / "variables").symlink_to("..data")
    difference = compare_paths(V2, other)
    assert difference.variables == ()
    assert [change.name for change in difference.files] == ["variables"]


def test_the_graph_in_the_other_form(other: Path) -> None:
    """A model as text is another file, and the same graph."""
    from google.protobuf import text_format

    file = other / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    file.with_suffix(".pbtxt").write_text(text_format.MessageToString(proto))
    file.unlink()
    difference = compare_paths(V2, other)
    assert [change.name for change in difference.files] == ["saved_model.pb", "saved_model.pbtxt"]
    assert difference.parts() == {"files", "any"}


def test_what_is_not_compared_is_noted(other: Path) -> None:
    """Nodes that no output depends on may be connected otherwise, which still is said."""
    assert compare_paths(V2, other).notes == ()

    def reconnect(meta_graph: schema.MetaGraphDef) -> None:
        node = next(n for n in meta_graph.graph_def.node if n.op == "NoOp")
        node.input.append("^elsewhere")

    difference = edited(other, reconnect)
    assert difference.parts() == frozenset()
    [note] = difference.notes
    assert "what no signature reaches" in note


def test_a_default_that_cannot_be_read_is_noted(other: Path) -> None:
    """What the reader left out was not compared."""

    def change(meta_graph: schema.MetaGraphDef) -> None:
        signature(meta_graph).defaults["scale"].dtype = 99

    assert "its default cannot be read" in edited(other, change).notes[0]


def test_a_shard_that_is_missing(other: Path) -> None:
    """The indexes agree, and the data are gone."""
    (other / SHARD).unlink()
    difference = compare_paths(V2, other)
    [change] = difference.variables

    assert (change.what, change.name) == ("data file", SHARD)
    assert change.after == "missing, with 3 tensors in it"
    assert "fails" in change.meaning
    assert difference.parts() == {"variables", "any"}
    [healed] = compare_paths(other, V2).variables
    assert (healed.before, healed.meaning) == (change.after, "")
    both = compare_paths(other, other)
    assert both.parts() == frozenset()
    assert len(both.notes) == 2
    assert "check" in both.notes[0]


@pytest.mark.parametrize(("cut", "words"), [(-1, "up to byte"), (None, "no tensor")])
def test_a_shard_of_another_size(other: Path, cut: int | None, words: str) -> None:
    """A shorter one loses tensors, a longer one has bytes of none."""
    data = (other / SHARD).read_bytes()
    (other / SHARD).write_bytes(data[:cut] if cut else data + b"x")
    [change] = compare_paths(V2, other).variables

    assert (change.what, change.before) == ("data file", f"{len(data)} bytes")
    assert words in f"{change.after} {change.meaning}"


def test_data_of_another_export(other: Path) -> None:
    """The indexes agree, and the data of B do not have their checksums."""
    data = bytearray((other / SHARD).read_bytes())
    data[0] ^= 1
    (other / SHARD).write_bytes(data)
    difference = compare_paths(V2, other)
    [change] = difference.variables

    assert (change.what, change.name) == ("data", "a/.ATTRIBUTES/VARIABLE_VALUE")
    assert change.before == "what the index says"
    assert "checksum" in str(change.after)
    assert difference.parts() == {"variables", "any"}


def test_data_that_are_too_many_are_not_read(other: Path) -> None:
    """Then the indexes alone are compared, and that is said."""
    data = bytearray((other / SHARD).read_bytes())
    data[0] ^= 1
    (other / SHARD).write_bytes(data)
    a, b = (_variable_changes.look(root, walk(root), limit=5) for root in (V2, other))

    assert list(_variable_changes.variable_changes(a, b)) == []
    notes = list(_variable_changes.notes(a, b, (V2, other)))
    assert len(notes) == 2
    assert all("were not read" in note for note in notes)


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

    [change] = difference.variables
    assert "3 tensors" in str(change.before)
    assert "cannot be read" in str(change.after)
    assert difference.parts() == {"variables", "any"}
    assert "variables" in difference.notes[0]
    assert str(other) in difference.notes[0]


def test_two_indexes_that_cannot_be_read(other: Path, tmp_path: Path) -> None:
    """They are still files, with other bytes."""
    (other / "variables/variables.index").write_bytes(b"x" * 10)
    second = Path(shutil.copytree(other, tmp_path / "second"))
    (second / "variables/variables.index").write_bytes(b"y" * 10)
    assert compare_paths(other, second).parts() == {"files", "any"}


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    """There is nothing to compare with."""
    with pytest.raises(NotASavedModelError):
        compare_paths(V2, tmp_path)


def test_a_slice_that_is_stored_and_not(other: Path) -> None:
    """An index may list a part of a tensor twice, once by another name that nothing is stored under."""
    tensor = tables.entry(1, [3])
    tensor.slices.add().extent.add()
    tensor.slices.add().extent.add(length=3)
    part = tables.entry(1, [3], bytes(12))
    entries = {b"t": tensor, tables.slice_key(b"t", (0, 3)): part}
    tables.write(other / "variables", entries, bytes(12))

    assert compare_paths(other, other).variables == ()

"""Tests of `savedmodel_compat.checks.meta_graphs`: one edit to a good model, and the one rule that it breaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.compat.proto import variable_pb2
from tests.checks.breaking import edit, findings, rules

from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.model import schema

Change = Callable[[schema.SavedModel], object]

INIT = "__saved_model_init_op"
WRAPPER = "__inference_signature_wrapper_lookup_84"


def one(folder: Path, rule: str) -> Finding:
    """The only finding of a model, notes included, which is of this rule."""
    [finding] = findings(folder, notes=rule == "M13")
    assert finding.rule == rule
    assert finding.file == "saved_model.pb"
    return finding


def first(model: schema.SavedModel) -> schema.MetaGraphDef:
    """The first MetaGraph."""
    return model.meta_graphs[0]


def objects(model: schema.SavedModel) -> schema.SavedObjectGraph:
    """The object graph; 1 is a variable, 3 a table, 4 a function, 12 a bare one, 17 an asset, 21 a constant."""
    return first(model).object_graph_def


def test_m1_other_tags(module: Path) -> None:
    """A model that cannot be had with {serve} is found, with the tags that it has."""
    edit(module, lambda m: first(m).meta_info_def.tags.__setitem__(0, "train"))
    finding = one(module, "M1")
    assert finding.where == "saved_model.pb"
    assert "it has MetaGraph [train]" in finding.message


def test_m1_a_second_meta_graph_is_enough(builder: Path) -> None:
    """It does not matter which MetaGraph has the tags {serve}."""

    def change(model: schema.SavedModel) -> None:
        turned = list(reversed(model.meta_graphs))
        del model.meta_graphs[:]
        model.meta_graphs.extend(turned)

    edit(builder, change)
    assert findings(builder) == []


def test_m9_a_meta_graph_twice(module: Path) -> None:
    """Two MetaGraphs with one set of tags are found, and nothing else of the second one."""
    edit(module, lambda m: m.meta_graphs.add().CopyFrom(first(m)))
    finding = one(module, "M9")
    assert finding.where == "MetaGraph [serve]"
    assert finding.message == "2 MetaGraphs have these tags"


def test_m9_the_order_of_tags_does_not_count(builder: Path) -> None:
    """The same tags in another order are the same set."""

    def change(model: schema.SavedModel) -> None:
        added = model.meta_graphs.add()
        added.CopyFrom(model.meta_graphs[1])
        added.meta_info_def.tags.reverse()

    edit(builder, change)
    assert one(builder, "M9").where == "MetaGraph [gpu, serve]"


def another_signature_output(model: schema.SavedModel) -> None:
    """Rename the output that the init op's signature must have."""
    outputs = first(model).signature_def[INIT].outputs
    outputs["other"].CopyFrom(outputs[INIT])
    del outputs[INIT]


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (another_signature_output, f"signature '{INIT}'", f"it has no output '{INIT}'"),
        (
            lambda m: setattr(first(m).signature_def[INIT].outputs[INIT], "name", "gone"),
            f"signature '{INIT}'",
            "the init op 'gone' is not in the graph",
        ),
        (
            lambda m: setattr(first(m).signature_def[INIT].outputs[INIT], "name", ""),
            f"signature '{INIT}'",
            "the init op '' is not in the graph",
        ),
    ],
)
def test_m3_in_the_signature(module: Path, change: Change, where: str, words: str) -> None:
    """The signature of the init op must have its output, and that must be a node."""
    edit(module, change)
    finding = one(module, "M3")
    assert finding.where == f"MetaGraph [serve]: {where}"
    assert finding.message == words


def collection(model: schema.SavedModel, key: str) -> schema.CollectionDef:
    """A collection of the first MetaGraph, which is added if there is none."""
    return first(model).collection_def[key]


def legacy(model: schema.SavedModel) -> None:
    """Have two ops in the collection of the oldest models."""
    del first(model).collection_def["saved_model_main_op"]
    collection(model, "legacy_init_op").node_list.value.extend(["init", "init_all_tables"])


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (
            lambda m: collection(m, "saved_model_main_op").node_list.value.append("init"),
            "saved_model_main_op",
            "it has 2 ops",
        ),
        (
            lambda m: collection(m, "saved_model_main_op").node_list.ClearField("value"),
            "saved_model_main_op",
            "it has 0 ops",
        ),
        (
            lambda m: collection(m, "saved_model_main_op").node_list.value.__setitem__(0, "gone"),
            "saved_model_main_op",
            "'gone' is not in the graph",
        ),
        (legacy, "legacy_init_op", "it has 2 ops"),
    ],
)
def test_m3_in_a_collection(builder: Path, change: Change, key: str, words: str) -> None:
    """A v1 model has one main op, or one legacy init op, and it is a node."""
    edit(builder, change)
    finding = one(builder, "M3")
    assert words in finding.message
    assert finding.where == f"MetaGraph [serve]: collection '{key}'"


@pytest.mark.parametrize("key", ["table_initializer", "train_op"])
def test_m16_a_collection_of_another_graph(builder: Path, key: str) -> None:
    """A collection that names a node which is not there is found: the v1 Python loader looks it up."""
    edit(builder, lambda m: collection(m, key).node_list.value.extend(["x", "x:0", "gone:0"]))
    finding = one(builder, "M16")
    assert finding.where == f"MetaGraph [serve]: collection '{key}'"
    assert finding.message == "'gone:0' is not in the graph"


def variable(model: schema.SavedModel, **names: str) -> None:
    """Give a variable of a collection other names."""
    elements = collection(model, "variables").bytes_list.value
    changed = variable_pb2.VariableDef.FromString(elements[0])
    for kind, name in names.items():
        setattr(changed, kind, name)
    elements[0] = changed.SerializeToString()


def junk(model: schema.SavedModel, key: str) -> None:
    """Add bytes to a collection that are no message."""
    collection(model, key).bytes_list.value.append(b"\xff\xff junk")


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (lambda m: junk(m, "variables"), "variables", "a VariableDef, does not parse"),
        (lambda m: junk(m, "global_step"), "global_step", "a VariableDef, does not parse"),
        (lambda m: junk(m, "while_context"), "while_context", "its element 0 does not parse"),
        (
            lambda m: collection(m, "local_variables").bytes_list.value.append(b""),
            "local_variables",
            "'', the variable_name of its element 0, is not in the graph",
        ),
        (
            lambda m: variable(m, variable_name="gone:0"),
            "variables",
            "'gone:0', the variable_name of its element 0, is not in the graph",
        ),
        (
            lambda m: variable(m, snapshot_name="gone:0"),
            "variables",
            "'gone:0', the snapshot_name of its element 0, is not in the graph",
        ),
        (
            lambda m: collection(m, "local_variables").node_list.value.append("a"),
            "local_variables",
            "it names 'a', where v2 wants a VariableDef",
        ),
    ],
)
def test_m16_what_a_collection_holds(builder: Path, change: Change, key: str, words: str) -> None:
    """What the Python loaders make of a collection must parse, and be of this graph."""
    edit(builder, change)
    finding = one(builder, "M16")
    assert finding.where == f"MetaGraph [serve]: collection '{key}'"
    assert words in finding.message


def test_m16_what_may_be(builder: Path) -> None:
    """Bytes in a collection that TensorFlow does not know are no breach."""
    edit(builder, lambda m: junk(m, "of_my_own"))
    assert findings(builder) == []


def hidden(model: schema.SavedModel) -> None:
    """Have more ops in the collections, which the signature hides."""
    collection(model, "saved_model_main_op").node_list.value.append("a")
    collection(model, "legacy_init_op").node_list.value.extend(["a", "b"])


def no_init(model: schema.SavedModel) -> None:
    """Have no init op at all."""
    del first(model).signature_def[INIT]
    del first(model).collection_def["saved_model_main_op"]


@pytest.mark.parametrize("change", [hidden, no_init])
def test_m3_what_may_be(module: Path, change: Change) -> None:
    """No init op is no breach, nor is a collection that no loader counts."""
    edit(module, change)
    assert findings(module) == []


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (
            lambda m: setattr(first(m).saver_def, "restore_op_name", "gone"),
            ": saver_def",
            "the restore op 'gone' is not in the graph",
        ),
        (
            lambda m: setattr(first(m).saver_def, "filename_tensor_name", "gone:0"),
            ": saver_def",
            "the file name tensor 'gone:0' is not in the graph",
        ),
        (
            lambda m: first(m).saver_def.ClearField("restore_op_name"),
            ": saver_def",
            "there are variables, but no restore op",
        ),
        (
            lambda m: first(m).ClearField("saver_def"),
            "",
            "there are variables, but no saver_def to restore them with",
        ),
    ],
)
def test_m4_the_saver(builder: Path, change: Change, where: str, words: str) -> None:
    """The names that the saver gives are in the graph, if there is something to restore."""
    edit(builder, change)
    [finding] = [finding for finding in findings(builder) if finding.rule == "M4"]
    assert finding.message == words
    assert finding.where == f"MetaGraph [serve]{where}"
    assert set(rules(builder)) <= {"M4", "M7"}


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ("saver_filename:5", "has no output 5"),
        ("asset_path_initializer_x:0", "is not in the graph"),
    ],
)
def test_m4_the_file_name(module: Path, tensor: str, words: str) -> None:
    """The tensor that is fed the checkpoint's prefix is an output that there is."""
    edit(module, lambda m: setattr(first(m).saver_def, "filename_tensor_name", tensor))
    finding = one(module, "M4")
    assert tensor in finding.message
    assert words in finding.message or "output" in finding.message


def test_m4_the_file_name_is_a_string(module: Path) -> None:
    """A tensor of another dtype cannot be fed it."""
    edit(module, lambda m: setattr(first(m).saver_def, "filename_tensor_name", "Variable:0"))
    finding = one(module, "M4")
    assert "is resource, and not string" in finding.message


def test_a_version_of_too_many_digits(module: Path) -> None:
    """M13: a number that is longer than Python reads is no version."""
    edit(module, lambda m: setattr(first(m).meta_info_def, "tensorflow_version", "9" * 5000))
    assert [finding.rule for finding in findings(module, notes=True)] == ["M13"]


def test_m14_an_object_of_no_kind(module: Path) -> None:
    """An object of which nothing is said cannot be made."""
    edit(module, lambda m: first(m).object_graph_def.nodes.add())
    assert "it is of no kind at all" in one(module, "M14").message


def test_m4_without_variables(module: Path) -> None:
    """A model without variables needs no saver."""
    shutil.rmtree(module / "variables")
    edit(module, lambda m: first(m).ClearField("saver_def"))
    assert "M4" not in rules(module)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda m: setattr(first(m).graph_def.versions, "min_consumer", 99999),
            "wants a reader of 99999 or later",
        ),
        (
            lambda m: first(m).graph_def.versions.bad_consumers.append(
                first(m).graph_def.versions.producer
            ),
            "bad_consumers forbids that very version",
        ),
    ],
)
def test_m6_versions(module: Path, change: Change, words: str) -> None:
    """A graph that its own producer may not read is found."""
    edit(module, change)
    finding = one(module, "M6")
    assert finding.where == "MetaGraph [serve]: versions"
    assert words in finding.message


@pytest.mark.parametrize(("path", "found"), [(b"words.txt", False), (b"other/words.txt", True)])
def test_m8_an_asset_of_two_meta_graphs(builder: Path, path: bytes, found: bool) -> None:
    """One name in two MetaGraphs is one file, which matters unless both were made from that file."""

    def change(model: schema.SavedModel) -> None:
        key = "saved_model_assets"
        model.meta_graphs[1].collection_def[key].CopyFrom(first(model).collection_def[key])
        node = next(n for n in model.meta_graphs[1].graph_def.node if n.name == "Const")
        assert list(node.attr["value"].tensor.string_val) == [b"words.txt"]
        node.attr["value"].tensor.string_val[:] = [path]

    edit(builder, change)
    if not found:
        assert rules(builder) == []
        return
    finding = one(builder, "M8")
    assert finding.where == "MetaGraph [serve, gpu]"
    assert "'words.txt' is one of MetaGraph [serve] too" in finding.message


def test_m8_two_tensors_of_one_asset(module: Path) -> None:
    """Within a MetaGraph, two tensors may be fed the path of one file."""
    edit(module, lambda m: first(m).asset_file_def.add().CopyFrom(first(m).asset_file_def[0]))
    assert "M8" not in rules(module)


def test_m12_another_schema(module: Path) -> None:
    """A schema version that no TensorFlow has written is found."""
    edit(module, lambda m: setattr(m, "saved_model_schema_version", 7))
    finding = one(module, "M12")
    assert finding.where == "saved_model.pb"
    assert finding.message == "saved_model_schema_version is 7"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("9.9.9", "its producer is TensorFlow 9.9.9; the newest that is known here is 2."),
        ("", "its tensorflow_version is empty"),
        ("0.12.head", "'0.12.head' is no version"),
    ],
)
def test_m13_another_producer(module: Path, version: str, words: str) -> None:
    """A producer that is not known here is noted; it is no breach that a loader would see."""
    edit(module, lambda m: setattr(first(m).meta_info_def, "tensorflow_version", version))
    finding = one(module, "M13")
    assert words in finding.message
    assert finding.where == "MetaGraph [serve]"


@pytest.mark.parametrize("version", ["2.21.9", "2.7.0-rc1", "1.3.0", "2.20.0-dev20250101"])
def test_m13_what_may_be(module: Path, version: str) -> None:
    """A patch release, a candidate and a release between the pins are no news."""
    edit(module, lambda m: setattr(first(m).meta_info_def, "tensorflow_version", version))
    assert findings(module, notes=True) == []


def test_schema_and_producer_together(module: Path) -> None:
    """The edit that no loader notices gives one warning and one note."""

    def change(model: schema.SavedModel) -> None:
        model.saved_model_schema_version = 7
        first(model).meta_info_def.tensorflow_version = "9.9.9"

    edit(module, change)
    assert rules(module, notes=True) == ["M12", "M13"]


def slot(model: schema.SavedModel, **numbers: int) -> None:
    """Add a slot variable to the root."""
    objects(model).nodes[0].slot_variables.add(slot_name="m", **numbers)


def captured(model: schema.SavedModel) -> None:
    """Let a tensor be of a function that is not there."""
    objects(model).nodes[21].captured_tensor.concrete_function = "gone"


def saveable(model: schema.SavedModel) -> None:
    """Let a table be restored by something that is not there."""
    objects(model).nodes[3].saveable_objects["t"].restore_function = 99


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (
            lambda m: objects(m).nodes[0].children.add(local_name="c", node_id=99),
            "object 0",
            "its child 'c' is object 99; there are 22",
        ),
        (
            lambda m: objects(m).nodes[0].children.add(local_name="c", node_id=-23),
            "object 0",
            "its child 'c' is object -23; there are 22",
        ),
        (
            lambda m: objects(m).concrete_functions[WRAPPER].bound_inputs.append(-1),
            f"concrete function '{WRAPPER}'",
            "it captures object -1; there are 22",
        ),
        (
            lambda m: slot(m, original_variable_node_id=1, slot_variable_node_id=-1),
            "object 0",
            "its slot 'm' is object -1; there are 22",
        ),
        (
            lambda m: slot(m, original_variable_node_id=99, slot_variable_node_id=1),
            "object 0",
            "the variable of its slot 'm' is object 99; there are 22",
        ),
        (
            lambda m: slot(m, original_variable_node_id=1, slot_variable_node_id=99),
            "object 0",
            "its slot 'm' is object 99; there are 22",
        ),
        (saveable, "object 3", "what restores its 't' is object 99; there are 22"),
        (
            lambda m: objects(m).concrete_functions[WRAPPER].bound_inputs.append(99),
            f"concrete function '{WRAPPER}'",
            "it captures object 99; there are 22",
        ),
        (
            lambda m: objects(m).concrete_functions.get_or_create("gone"),
            "concrete function 'gone'",
            "it is not in the library of the graph",
        ),
        (
            lambda m: objects(m).nodes[4].function.concrete_functions.append("gone"),
            "object 4",
            "its function 'gone' is none of the concrete functions",
        ),
        (
            lambda m: setattr(
                objects(m).nodes[12].bare_concrete_function, "concrete_function_name", "gone"
            ),
            "object 12",
            "its function 'gone' is none of the concrete functions",
        ),
        (
            lambda m: setattr(objects(m).nodes[17].asset, "asset_file_def_index", 5),
            "object 17",
            "it is asset 5; there are 1",
        ),
        (
            lambda m: setattr(objects(m).nodes[21].constant, "operation", "gone"),
            "object 21",
            "its constant 'gone' is not in the graph",
        ),
        (captured, "object 21", "captured by 'gone', which is none of the concrete functions"),
    ],
)
def test_m14_the_object_graph(module: Path, change: Change, where: str, words: str) -> None:
    """An object, a function, an asset or a constant that the object graph names must be there."""
    edit(module, change)
    finding = one(module, "M14")
    assert finding.where == f"MetaGraph [serve]: {where}"
    assert words in finding.message


def test_m14_without_a_root(module: Path) -> None:
    """An object graph without objects has not even the root, and its functions capture nothing that is there."""
    edit(module, lambda m: objects(m).ClearField("nodes"))
    found = findings(module)
    assert {finding.rule for finding in found} == {"M14"}
    assert "it has no root object" in [finding.message for finding in found]


def count_from_the_end(model: schema.SavedModel) -> None:
    """Give numbers as Python counts from the end of a list."""
    objects(model).nodes[0].children.add(local_name="c", node_id=-1)
    objects(model).nodes[17].asset.asset_file_def_index = -1
    for name in objects(model).nodes[3].saveable_objects:
        objects(model).nodes[3].saveable_objects[name].restore_function -= 22


def test_m14_what_may_be(module: Path) -> None:
    """A child, an asset and what restores an object are looked up in lists, where -1 is the last one."""
    edit(module, count_from_the_end)
    assert findings(module) == []


def test_m14_a_child_of_itself(module: Path) -> None:
    """Objects may go round in circles."""
    edit(module, lambda m: objects(m).nodes[0].children.add(local_name="self", node_id=0))
    assert findings(module) == []

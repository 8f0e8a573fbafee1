"""Tests of `savedmodel_compat.model.reader` and the values it returns."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.errors import DamagedModelError, UsageError
from savedmodel_compat.model import Encoding, TensorSpec, read, schema
from savedmodel_compat.tensors import from_numpy

Write = Callable[..., Path]

MODELS = (
    "counter_stateful",
    "cyclic_module",
    "estimator_dnn_audit",
    "fuzz_bad_node_attr",
    "half_plus_two_cpu",
    "half_plus_two_extra_assets",
    "half_plus_two_pbtxt",
    "half_plus_two_tf2",
    "keras2_lstm",
    "regression_train_tags",
    "static_hash_table",
    "uninitialized_variable",
)


def test_a_dense_signature_is_read(write: Write, proto: schema.SavedModel) -> None:
    """Names, types and shapes of a signature come as plain values."""
    signature = read(write(proto)).meta_graphs[0].signatures["serving_default"]

    assert signature.method_name == "tensorflow/serving/predict"
    assert signature.inputs == {"x": TensorSpec(name="x:0", dtype="float32", shape=(None, 28))}
    assert signature.outputs == {"y": TensorSpec(name="y:0", dtype="float32", shape=None)}
    assert signature.defaults == {}


def test_a_scalar_is_not_an_unknown_rank(write: Write, proto: schema.SavedModel) -> None:
    """A shape without dimensions is the empty tuple."""
    proto.meta_graphs[0].signature_def["s"].inputs["x"].tensor_shape.SetInParent()

    assert read(write(proto)).meta_graphs[0].signatures["s"].inputs["x"].shape == ()


def test_a_sparse_tensor_has_three_parts(write: Write, proto: schema.SavedModel) -> None:
    """A sparse tensor's parts have the types and shapes that its rank gives them."""
    info = proto.meta_graphs[0].signature_def["s"].inputs["x"]
    info.dtype = 7
    for size in (-1, 5):
        info.tensor_shape.dim.add(size=size)
    info.coo_sparse.values_tensor_name = "v:0"
    info.coo_sparse.indices_tensor_name = "i:0"
    info.coo_sparse.dense_shape_tensor_name = "d:0"

    spec = read(write(proto)).meta_graphs[0].signatures["s"].inputs["x"]

    assert spec.encoding is Encoding.SPARSE
    assert spec.shape == (None, 5)
    assert spec.components == {
        "values": TensorSpec(name="v:0", dtype="string", shape=(None,)),
        "indices": TensorSpec(name="i:0", dtype="int64", shape=(None, 2)),
        "dense_shape": TensorSpec(name="d:0", dtype="int64", shape=(2,)),
    }
    assert spec.tensors() == ("v:0", "i:0", "d:0")


def test_a_composite_tensor_has_numbered_parts(write: Write, proto: schema.SavedModel) -> None:
    """A ragged tensor's parts are its components, and its class is named."""
    composite = proto.meta_graphs[0].signature_def["s"].inputs["x"].composite_tensor
    composite.type_spec.type_spec_class = 3
    composite.components.add(name="values:0", dtype=1)
    composite.components.add(name="splits:0", dtype=9)

    spec = read(write(proto)).meta_graphs[0].signatures["s"].inputs["x"]

    assert spec.encoding is Encoding.COMPOSITE
    assert spec.type_spec == "RAGGED_TENSOR_SPEC"
    assert {key: part.dtype for key, part in spec.components.items()} == {
        "0": "float32",
        "1": "int64",
    }
    assert spec.tensors() == ("values:0", "splits:0")


def test_defaults_are_arrays(write: Write, proto: schema.SavedModel) -> None:
    """The value that an input has when a request leaves it out comes as an array."""
    default = from_numpy(np.array([0.5], dtype=np.float32))
    proto.meta_graphs[0].signature_def["serving_default"].defaults["x"].CopyFrom(default)

    found = read(write(proto)).meta_graphs[0].signatures["serving_default"].defaults["x"]

    assert found.dtype == np.float32
    assert found.tolist() == [0.5]


def test_a_damaged_default_is_left_out_and_said(write: Write, proto: schema.SavedModel) -> None:
    """A default whose bytes do not fit its shape is none, and a note says so: TensorFlow loads the model."""
    default = proto.meta_graphs[0].signature_def["serving_default"].defaults["x"]
    default.dtype = 1
    default.tensor_content = b"123"

    saved = read(write(proto))
    assert saved.meta_graphs[0].signatures["serving_default"].defaults == {}
    [note] = saved.notes
    assert note.startswith("signature 'serving_default', input 'x': its default cannot be read")
    assert "has 3" in note


def test_internal_signatures_are_told() -> None:
    """TensorFlow's own signatures are no endpoints."""
    from savedmodel_compat.model import Signature

    def signature(key: str) -> Signature:
        return Signature(key=key, method_name="", inputs={}, outputs={})

    assert signature("__saved_model_init_op").is_internal
    assert not signature("serving_default").is_internal


def test_a_meta_graph_is_found_by_its_tags(write: Write, proto: schema.SavedModel) -> None:
    """The tag set must match exactly; its order does not matter."""
    proto.meta_graphs.add().meta_info_def.tags.extend(["train", "serve"])
    model = read(write(proto))

    assert model.meta_graph(["serve"]) is model.meta_graphs[0]
    assert model.meta_graph({"serve", "train"}) is model.meta_graphs[1]
    assert model.meta_graphs[1].tags == ("train", "serve")


def test_tags_that_no_meta_graph_has_are_an_error(write: Write, proto: schema.SavedModel) -> None:
    """The error lists the tag sets that are there, and no subset is accepted."""
    proto.meta_graphs[0].meta_info_def.tags.append("gpu")

    with pytest.raises(UsageError, match=r"tags \['serve'\]; it has \['serve', 'gpu'\]"):
        read(write(proto)).meta_graph(["serve"])


def test_versions_are_read(write: Write, proto: schema.SavedModel) -> None:
    """What the version gate looks at is there."""
    versions = proto.meta_graphs[0].graph_def.versions
    versions.min_consumer = 12
    versions.bad_consumers.extend([13, 14])
    meta_graph = read(write(proto)).meta_graphs[0]

    assert (meta_graph.producer, meta_graph.min_consumer) == (1286, 12)
    assert meta_graph.bad_consumers == (13, 14)


def test_the_init_signature_wins_over_the_collections(
    write: Write, proto: schema.SavedModel
) -> None:
    """The init op is looked for in the order of the C++ loader."""
    meta_graph = proto.meta_graphs[0]
    assert read(write(proto)).meta_graphs[0].init_op is None

    meta_graph.collection_def["legacy_init_op"].node_list.value.append("legacy")
    assert read(write(proto)).meta_graphs[0].init_op == "legacy"

    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("main")
    assert read(write(proto)).meta_graphs[0].init_op == "main"

    key = "__saved_model_init_op"
    meta_graph.signature_def[key].outputs[key].name = "NoOp"
    assert read(write(proto)).meta_graphs[0].init_op == "NoOp"


def test_assets_come_from_the_field_first(write: Write, proto: schema.SavedModel) -> None:
    """Old models keep their assets in a collection of Any messages; a filled field wins."""
    meta_graph = proto.meta_graphs[0]
    old = schema.AssetFileDef(filename="old.txt")
    meta_graph.collection_def["saved_model_assets"].any_list.value.add().Pack(old)
    assert [asset.name for asset in read(write(proto)).meta_graphs[0].assets] == ["old.txt"]

    meta_graph.asset_file_def.add(filename="new.txt").tensor_info.name = "Const:0"
    found = read(write(proto)).meta_graphs[0].assets
    assert [(asset.name, asset.tensor) for asset in found] == [("new.txt", "Const:0")]


def test_a_damaged_asset_is_named(write: Write, proto: schema.SavedModel) -> None:
    """An asset entry that is no AssetFileDef is damage of the model."""
    item = proto.meta_graphs[0].collection_def["saved_model_assets"].any_list.value.add()
    item.value = b"\xff\xff"

    with pytest.raises(DamagedModelError, match="saved_model_assets"):
        read(write(proto))


def test_reading_does_not_change_the_message(write: Write, proto: schema.SavedModel) -> None:
    """Looking up what is not there adds nothing to the maps of the message."""
    assert read(write(proto)).proto == proto


def test_unknown_fields_survive_reading(write: Write, proto: schema.SavedModel) -> None:
    """The message that is kept can be written again without a loss."""
    data = proto.SerializeToString() + b"\xc2\x0c\x03new"

    assert b"\xc2\x0c\x03new" in read(write(data)).proto.SerializeToString()


def test_the_binary_file_wins(write: Write, proto: schema.SavedModel) -> None:
    """Where both files are, the binary one is read as every loader does, and a note says so."""
    write("meta_graphs { broken", "saved_model.pbtxt")
    model = read(write(proto))

    assert model.format == "pb"
    assert "saved_model.pbtxt is there too" in model.notes[0]


def test_a_base_folder_is_read_by_its_version(
    write: Write, proto: schema.SavedModel, tmp_path: Path
) -> None:
    """Reading a base folder of Serving gives the served version's folder."""
    write(proto).rename(tmp_path / "7")

    assert read(tmp_path).path == tmp_path / "7"


def test_a_fingerprint_is_read(write: Write, proto: schema.SavedModel) -> None:
    """The fields of fingerprint.pb are there, the 64-bit ones unsigned."""
    fingerprint = schema.FingerprintDef(saved_model_checksum=2**64 - 1, uuid="17")
    fingerprint.version.producer = 4
    write(fingerprint, "fingerprint.pb")
    found = read(write(proto)).fingerprint

    assert found is not None
    assert (found.saved_model_checksum, found.producer, found.uuid) == (2**64 - 1, 4, "17")


def test_a_damaged_fingerprint_is_a_note(write: Write, proto: schema.SavedModel) -> None:
    """A fingerprint that does not parse stops no loader: this one is a hex dump of itself."""
    write("00000000: 08eb fb84 fbfc babb  ........\n", "fingerprint.pb")
    model = read(write(proto))

    assert model.fingerprint is None
    assert "fingerprint.pb cannot be read" in model.notes[0]


def test_a_fingerprint_outside_the_model_is_not_read(
    write: Write, proto: schema.SavedModel, tmp_path: Path
) -> None:
    """A link out of the model is not followed here either."""
    folder = write(proto)
    (tmp_path / "elsewhere").write_bytes(b"")
    (folder / "fingerprint.pb").symlink_to(tmp_path / "elsewhere")
    model = read(folder)

    assert model.fingerprint is None
    assert "outside the model" in model.notes[0]


@pytest.mark.parametrize("name", MODELS)
def test_third_party_models_are_read(corpus: Path, name: str) -> None:
    """Every model of the corpus reads, whichever release and writer made it."""
    model = read(corpus / name)

    assert model.schema_version == 1
    assert model.meta_graphs[0].tensorflow_version
    assert model.meta_graphs[0].producer > 20
    again = schema.SavedModel.FromString(model.proto.SerializeToString())
    assert again.SerializeToString(deterministic=True) == model.proto.SerializeToString(
        deterministic=True
    )


def test_the_corpus_is_complete(corpus: Path) -> None:
    """Every model that the corpus has results for is read above."""
    assert set(json.loads((corpus / "c-loader.json").read_text())) == set(MODELS)


def test_an_old_text_model_is_read(corpus: Path) -> None:
    """A text model of TensorFlow 1.1 has its signatures, asset and legacy init op."""
    meta_graph = read(corpus / "half_plus_two_pbtxt").meta_graphs[0]

    assert len(meta_graph.signatures) == 6
    assert [(asset.name, asset.tensor) for asset in meta_graph.assets] == [("foo.txt", "Const:0")]
    assert meta_graph.init_op == "group_deps"
    assert not meta_graph.stripped_default_attrs


def test_the_default_of_a_real_signature_is_read(corpus: Path) -> None:
    """A model of TensorFlow 2.14 says what an input is when it is left out."""
    signatures = read(corpus / "half_plus_two_tf2").meta_graphs[0].signatures

    assert signatures["serving_default"].defaults["x"].tolist() == [0.0]


def test_a_real_object_graph_is_summed_up(corpus: Path) -> None:
    """A Keras model's objects are counted by kind, and the root's children named."""
    objects = read(corpus / "keras2_lstm").meta_graphs[0].object_graph

    assert objects.nodes == 108 == sum(objects.kinds.values())
    assert objects.kinds["variable"] == 21
    assert objects.children["layer-0"] == "_tf_keras_rnn_layer"


def test_a_v1_model_has_no_objects(corpus: Path) -> None:
    """A builder of TensorFlow 1 writes no object graph."""
    assert read(corpus / "half_plus_two_cpu").meta_graphs[0].object_graph.nodes == 0


def test_an_object_that_is_not_there_is_missing(write: Write, proto: schema.SavedModel) -> None:
    """An object graph whose indices lead nowhere is summed up all the same."""
    root = proto.meta_graphs[0].object_graph_def.nodes.add()
    root.children.add(node_id=7, local_name="lost")
    objects = read(write(proto)).meta_graphs[0].object_graph

    assert objects.children == {"lost": "missing"}
    assert objects.kinds == {"unset": 1}


def test_equal_models_are_equal(write: Write, proto: schema.SavedModel) -> None:
    """Two readings of one folder compare equal, by value."""
    folder = write(proto)

    assert read(folder) == read(folder)


@pytest.mark.parametrize(
    ("dtype", "field"), [(1, {"float_val": [1.0]}), (7, {"string_val": [b"x"]})]
)
def test_defaults_take_no_unbounded_memory(
    write: Write, proto: schema.SavedModel, dtype: int, field: dict[str, Any]
) -> None:
    """A small file can ask for any number of large arrays: beyond a limit for all they are left out."""
    defaults = proto.meta_graphs[0].signature_def["serving_default"].defaults
    for number in range(60):
        tensor = schema.TensorProto(dtype=dtype, **field)
        tensor.tensor_shape.dim.add(size=(6 if number else 1) << 20)
        defaults[f"d{number:02}"].CopyFrom(tensor)
    saved = read(write(proto))
    found = saved.meta_graphs[0].signatures["serving_default"].defaults

    assert "d00" in found
    assert 1 < len(found) < 5
    assert sum(array.nbytes for array in found.values()) <= 64 << 20
    assert len(saved.notes) == 21
    assert saved.notes[-1] == f"{60 - len(found) - 20} more defaults were left out"


def test_a_pipe_is_not_read(write: Write, proto: schema.SavedModel) -> None:
    """Neither in the place of the graph nor of the fingerprint: it would never end."""
    root = write(proto)
    os.mkfifo(root / "fingerprint.pb")
    [note] = read(root).notes
    assert note.startswith("fingerprint.pb cannot be read")
    assert "no regular file" in note

    (root / "saved_model.pb").unlink()
    os.mkfifo(root / "saved_model.pb")
    with pytest.raises(DamagedModelError, match="no regular file"):
        read(root)


def test_very_many_meta_graphs_are_refused(write: Write, proto: schema.SavedModel) -> None:
    """Each costs time; a thousand are read."""
    for _ in range(999):
        proto.meta_graphs.add()
    assert len(read(write(proto)).meta_graphs) == 1000
    proto.meta_graphs.add()

    with pytest.raises(DamagedModelError, match="holds 1001 MetaGraphs; more than 1000 are not"):
        read(write(proto))

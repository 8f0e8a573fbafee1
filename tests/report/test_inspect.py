"""Tests of `savedmodel_compat.report.inspect`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.model import SavedModel, digest, read, schema
from savedmodel_compat.model.files import manifest
from savedmodel_compat.model.fingerprint import verify
from savedmodel_compat.report import inspect
from savedmodel_compat.tensors import from_numpy

HOSTILE = "\x1b[2J\x07\u202eevil\nline"


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[schema.SavedModel], SavedModel]:
    """Write a message as a model and read it."""

    def write(proto: schema.SavedModel) -> SavedModel:
        (tmp_path / "saved_model.pb").write_bytes(proto.SerializeToString())
        return read(tmp_path)

    return write


@pytest.fixture
def proto() -> schema.SavedModel:
    """A model with one dense input."""
    model = schema.SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.graph_def.node.add(name="x", op="Placeholder")
    info = meta_graph.signature_def["serving_default"].inputs["x"]
    info.name = "x:0"
    info.dtype = 1
    info.tensor_shape.dim.add(size=-1)
    info.tensor_shape.dim.add(size=28)
    return model


def as_json(model: SavedModel) -> dict[str, Any]:
    """Return the record after a trip through text."""
    record: dict[str, Any] = json.loads(json.dumps(inspect.as_json(model, None), allow_nan=False))
    return record


def test_the_text_names_what_a_model_holds(corpus: Path) -> None:
    """Everything that a reader asks of a real model is in the text."""
    path = corpus / "half_plus_two_extra_assets"
    text = inspect.as_text(read(path), None)

    for part in (
        str(path),
        "saved_model.pb, 12685 bytes, schema version 1",
        "MetaGraph ['serve']",
        "TensorFlow 2.1.0",
        "default attrs  kept",
        "384, oldest consumer",
        "foo.txt fed to Const:0",
        "mlmd_uuid (14 bytes)",
        "init op        group_deps",
        "restore op     save/restore_all",
        "signature 'regress_x_to_y', method tensorflow/serving/regress",
        "signature 'serving_default', method tensorflow/serving/predict",
    ):
        assert part in text


def test_the_text_of_a_module_has_its_objects(corpus: Path) -> None:
    """Objects, functions and defaults of a TensorFlow 2 model are in the text."""
    text = inspect.as_text(read(corpus / "half_plus_two_tf2"), None)

    assert "default attrs  stripped" in text
    assert "24 objects: 1 _generic_user_object" in text
    assert "a (variable)" in text
    assert "14 functions with 122 nodes" in text
    assert "default [0.0] of shape [1]" in text
    assert "signature '__saved_model_init_op', TensorFlow's own" in text


@pytest.mark.parametrize(
    ("shape", "text"),
    [(None, "unknown rank"), ((), "[]"), ((None, 28), "[None, 28]"), ((0,), "[0]")],
)
def test_shapes_are_told_apart(shape: tuple[int | None, ...] | None, text: str) -> None:
    """An unknown rank, a scalar and an unknown dimension read differently."""
    assert inspect.shape_text(shape) == text


def test_the_json_has_what_the_text_has(corpus: Path) -> None:
    """The record of a real model holds its parts as data."""
    record = as_json(read(corpus / "half_plus_two_tf2"))
    meta_graph = record["meta_graphs"][0]

    assert record["schema"] == 1
    assert record["format"] == "pb"
    assert meta_graph["tags"] == ["serve"]
    assert meta_graph["versions"] == {"producer": 1569, "min_consumer": 12, "bad_consumers": []}
    assert meta_graph["stripped_default_attrs"] is True
    assert "StatefulPartitionedCall" in meta_graph["ops"]
    assert meta_graph["signatures"]["__saved_model_init_op"]["internal"] is True
    assert meta_graph["signatures"]["serving_default"]["inputs"]["x"] == {
        "name": "serving_default_x:0",
        "dtype": "float32",
        "shape": [1],
        "unknown_rank": False,
        "encoding": "dense",
    }
    assert meta_graph["object_graph"]["children"]["asset"] == "asset"
    assert {"name": "assets/foo.txt", "size": 19} in record["files"]


def test_every_model_of_the_corpus_is_shown(corpus: Path) -> None:
    """Both forms can be made of any model, and no line carries a control code."""
    for path in sorted(path for path in corpus.iterdir() if path.is_dir()):
        model = read(path)
        assert as_json(model)["meta_graphs"]
        assert all(line.isprintable() for line in inspect.as_text(model, None).split("\n"))


def test_a_digest_is_shown_if_given(corpus: Path) -> None:
    """The digest stands in both forms, and in neither without one."""
    model = read(corpus / "half_plus_two_cpu")
    sha256 = digest(model.path)

    assert inspect.as_json(model, sha256)["sha256"] == sha256
    assert sha256 in inspect.as_text(model, sha256)
    assert "sha256" not in inspect.as_json(model, None)
    assert "sha256" not in inspect.as_text(model, None)


def test_a_hostile_model_cannot_write_to_the_terminal(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel
) -> None:
    """Control codes and line ends in any name of a model are escaped."""
    meta_graph = proto.meta_graphs[0]
    meta_graph.meta_info_def.tags.append(HOSTILE)
    meta_graph.meta_info_def.tensorflow_version = HOSTILE
    meta_graph.meta_info_def.tensorflow_git_version = HOSTILE
    meta_graph.asset_file_def.add(filename=HOSTILE).tensor_info.name = HOSTILE
    meta_graph.saver_def.restore_op_name = HOSTILE
    meta_graph.collection_def["legacy_init_op"].node_list.value.append(HOSTILE)
    meta_graph.object_graph_def.nodes.add().user_object.identifier = HOSTILE
    meta_graph.object_graph_def.nodes[0].children.add(local_name=HOSTILE)
    signature = meta_graph.signature_def[HOSTILE]
    signature.method_name = HOSTILE
    signature.inputs[HOSTILE].name = HOSTILE
    signature.defaults[HOSTILE].CopyFrom(from_numpy(np.array([HOSTILE])))

    text = inspect.as_text(saved(proto), None)

    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith("line") for line in text.split("\n"))
    assert r"\x1b[2J\x07\u202eevil\nline" in text


def test_json_of_a_hostile_model_is_ascii(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel
) -> None:
    """The record keeps a hostile name as it is, escaped by JSON itself."""
    proto.meta_graphs[0].meta_info_def.tags.append(HOSTILE)
    record = inspect.as_json(saved(proto), None)

    assert json.dumps(record).isascii()
    assert record["meta_graphs"][0]["tags"] == ["serve", HOSTILE]


def test_composite_tensors_show_their_parts(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel
) -> None:
    """A sparse input is one row, and each of its three tensors another."""
    info = proto.meta_graphs[0].signature_def["serving_default"].inputs["words"]
    info.dtype = 7
    info.coo_sparse.values_tensor_name = "v:0"
    model = saved(proto)
    record = as_json(model)["meta_graphs"][0]["signatures"]["serving_default"]["inputs"]["words"]

    assert record["encoding"] == "sparse"
    assert record["components"]["values"]["name"] == "v:0"
    text = " ".join(inspect.as_text(model, None).split())
    assert "input words string [] sparse input words/values string [None] v:0" in text


def test_long_defaults_are_cut(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel
) -> None:
    """A large default does not flood the text."""
    default = from_numpy(np.arange(1000, dtype=np.float32).reshape(10, 100))
    proto.meta_graphs[0].signature_def["serving_default"].defaults["x"].CopyFrom(default)

    assert "5.0, 6.0, 7.0, …] of shape [10, 100]" in inspect.as_text(saved(proto), None)


def test_what_is_not_there_is_said(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel
) -> None:
    """No signatures, no variables and no version are said in words."""
    proto.meta_graphs[0].ClearField("signature_def")
    text = inspect.as_text(saved(proto), None)

    assert "signatures     none" in text
    assert "variables      none" in text
    assert "TensorFlow of unknown version" in text


def test_notes_are_shown(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel, tmp_path: Path
) -> None:
    """What was odd about the reading stands in both forms."""
    (tmp_path / "fingerprint.pb").write_bytes(b"\xff")
    model = saved(proto)

    assert "  note           fingerprint.pb cannot be read" in inspect.as_text(model, None)
    assert "fingerprint.pb cannot be read" in as_json(model)["notes"][0]


def test_the_hashes_of_a_fingerprint_are_text(corpus: Path) -> None:
    """Numbers of 64 bits would be rounded by many readers of JSON."""
    record = as_json(read(corpus / "keras2_lstm"))

    assert record["fingerprint"]["saved_model_checksum"] == "17540093209900826091"


def test_inspecting_50_megabytes_is_quick(tmp_path: Path, proto: schema.SavedModel) -> None:
    """A process that reads and shows 50 MB of constants takes less than TensorFlow's import."""
    for index in range(50):
        node = proto.meta_graphs[0].graph_def.node.add(name=f"c{index}", op="Const")
        node.attr["value"].tensor.tensor_content = os.urandom(1 << 20)
    (tmp_path / "saved_model.pb").write_bytes(proto.SerializeToString())
    code = (
        "import sys; from savedmodel_compat.model import read;"
        "from savedmodel_compat.report import inspect;"
        "assert '51 nodes' in inspect.as_text(read(sys.argv[1]), None);"
        "assert 'numpy' not in sys.modules"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)

    # The target is 0.4 s, which the benchmark measures; this only catches a change of scale.
    assert time.perf_counter() - start < 2


def test_the_digest_brings_a_manifest(corpus: Path) -> None:
    """With the digest, every file is listed with its own: in the text a line each, in JSON a record each."""
    path = corpus / "half_plus_two_tf2"
    listed = manifest(path)
    text = inspect.as_text(read(path), digest(path), manifest=listed)
    record = inspect.as_json(read(path), digest(path), manifest=listed)

    assert listed
    for file in listed:
        assert re.search(
            rf"^  {file.sha256}  +{file.size}  {re.escape(file.name)}$", text, re.MULTILINE
        )
    assert record["manifest"] == [
        {"name": file.name, "size": file.size, "sha256": file.sha256} for file in listed
    ]
    assert "manifest" not in inspect.as_json(read(path), None, manifest=listed)


def test_a_link_of_the_manifest_is_no_file(
    saved: Callable[[schema.SavedModel], SavedModel], proto: schema.SavedModel, tmp_path: Path
) -> None:
    """What is not followed is shown as such, with where it leads; its name cannot forge a line."""
    model = saved(proto)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/a\nb").symlink_to("/etc/hostname")
    listed = manifest(tmp_path)
    text = inspect.as_text(model, digest(tmp_path), manifest=listed)

    assert re.search(
        r"^  link +13  assets/a\\nb -> /etc/hostname, which is not followed$", text, re.MULTILINE
    )
    [link, _] = inspect.as_json(model, digest(tmp_path), manifest=listed)["manifest"]
    assert (link["sha256"], link["link"]) == (None, "/etc/hostname")


def test_the_hashes_of_the_fingerprint_have_verdicts(corpus: Path) -> None:
    """It is said of each hash whether the model has it, in text and JSON; of none, if nobody looked."""
    model = read(corpus / "half_plus_two_tf2")
    hashes = verify(model)
    text = inspect.as_text(model, None, hashes=hashes)
    verdicts = inspect.as_json(model, None, hashes=hashes)["fingerprint"]["verdicts"]

    assert re.search(r"^ +verified: saved_model_checksum, checkpoint_hash$", text, re.MULTILINE)
    assert re.search(r"^ +not verified: graph_def_program_hash, .*_graph_hash$", text, re.MULTILINE)
    assert verdicts["saved_model_checksum"] == verdicts["checkpoint_hash"] == "verified"
    assert verdicts["signature_def_hash"] == "not verified"
    assert inspect.as_json(model, None)["fingerprint"]["verdicts"] == {}

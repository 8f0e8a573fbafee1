"""What one loader refuses and another forgives: an edit to a model that worked, and what each makes of it.

The C++ loader is ``tensorflow/cc/saved_model/loader.cc``, the Python ones ``python/saved_model/loader_impl.py`` (v1) and ``load.py``
(v2). A v2 loader takes a model of ``tf.Module`` by its objects and functions, any other by its graph, as v1 does. What
stripping has to do with it is in `test_strip_default_attrs.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tensorboard.compat.proto.meta_graph_pb2 import AssetFileDef

from savedmodel_compat.model import schema

if TYPE_CHECKING:
    from savedmodel_compat.matrix.calls import Called
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]
Call = Callable[..., "list[Called]"]

CONSUMERS = "2.4.4,2.21.0"
KEY = "serving_default"
PRODUCERS = {"half_plus_two": "1.15.5", "half_plus_two_module": "2.4.4"}
LOADERS = ("c", "v1", "v2")
ANSWERS = "pass"


def no_signatures(saved: schema.SavedModel) -> None:
    """Remove every SignatureDef."""
    saved.meta_graphs[0].signature_def.clear()


def absent_tensor(saved: schema.SavedModel) -> None:
    """Have an input name a tensor that does not exist."""
    saved.meta_graphs[0].signature_def[KEY].inputs["x"].name = "absent:0"


def wrong_dtype(saved: schema.SavedModel) -> None:
    """Have an input say another element type than its tensor's."""
    saved.meta_graphs[0].signature_def[KEY].inputs["x"].dtype = 2


def wrong_shape(saved: schema.SavedModel) -> None:
    """Have an input say another shape than its tensor's."""
    saved.meta_graphs[0].signature_def[KEY].inputs["x"].tensor_shape.dim.add(size=7)


def wrong_method(saved: schema.SavedModel) -> None:
    """Have a signature name a method that nobody knows."""
    saved.meta_graphs[0].signature_def[KEY].method_name = "bogus"


def other_tags(saved: schema.SavedModel) -> None:
    """Have the only MetaGraph be one for training."""
    saved.meta_graphs[0].meta_info_def.tags[:] = ["train"]


def twice(saved: schema.SavedModel) -> None:
    """Add the MetaGraph once more."""
    saved.meta_graphs.add().CopyFrom(saved.meta_graphs[0])


def far_consumer(saved: schema.SavedModel) -> None:
    """Demand a consumer that does not exist yet."""
    saved.meta_graphs[0].graph_def.versions.min_consumer = 99999


def bad_consumer(saved: schema.SavedModel) -> None:
    """Name every consumer up to now as one that is broken."""
    saved.meta_graphs[0].graph_def.versions.bad_consumers.extend(range(1, 3000))


def other_schema(saved: schema.SavedModel) -> None:
    """Say a schema and a release that do not exist."""
    saved.saved_model_schema_version = 7
    saved.meta_graphs[0].meta_info_def.tensorflow_version = "9.9.9"


def _nodes(saved: schema.SavedModel) -> Any:
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    return functions[0].node_def if functions else graph.node


def unknown_op(saved: schema.SavedModel) -> None:
    """Add a node of an op that no release has, in a function where there is one."""
    node = _nodes(saved).add()
    node.name, node.op = "strange", "StrangeOp"


def missing_attr(saved: schema.SavedModel) -> None:
    """Take an attr that has no default from a node, of a function where there is one."""
    [node, *_] = (node for node in _nodes(saved) if "dtype" in node.attr)
    del node.attr["dtype"]


def unknown_attr(saved: schema.SavedModel) -> None:
    """Add an attr that no op has, to a node of a function where there is one."""
    _nodes(saved)[0].attr["strange"].i = 3


def stale_fingerprint(folder: Path) -> None:
    """Leave a fingerprint that is of another model."""
    (folder / "fingerprint.pb").write_bytes(b"\x08\x01\x10\x02")


def text_beside(folder: Path) -> None:
    """Put a damaged saved_model.pbtxt beside saved_model.pb."""
    (folder / "saved_model.pbtxt").write_text("this is no message")


def no_index(folder: Path) -> None:
    """Remove the index of the variables."""
    (folder / "variables" / "variables.index").unlink()


def no_shard(folder: Path) -> None:
    """Remove the values of the variables."""
    (folder / "variables" / "variables.data-00000-of-00001").unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An edit, and what becomes of it, by loader: ``pass``, or stage and cause of a failure.

    Args:
        edit: of the message, or of the folder.
        graph: what C++, v1 and v2 make of it in a model of a builder.
        module: in a model of a ``tf.Module``.
        older: what they make of both in 2.4.4, where that differs from 2.21.0.
    """

    edit: Callable[..., None]
    graph: tuple[str, str, str]
    module: tuple[str, str, str]
    older: tuple[str, str, str] | None = None


ALL = (ANSWERS,) * 3
VERSION = "load version-gate"
TAGS = "load tags-not-found"
OP = "load op-not-registered"
FILE = "load file-missing"
ATTR = "load attr-unknown"
MISSING = "load attr-missing"

ROWS = (
    # The signature that is fed and fetched is the one that was exported: what the edit left of it is not looked at.
    Row(edit=no_signatures, graph=(ANSWERS, ANSWERS, "run signature-missing"), module=ALL),
    Row(edit=absent_tensor, graph=(ANSWERS, ANSWERS, "load signature-missing"), module=ALL),
    Row(edit=wrong_dtype, graph=ALL, module=ALL),
    Row(edit=wrong_shape, graph=ALL, module=ALL),
    Row(edit=wrong_method, graph=ALL, module=ALL),
    Row(edit=other_tags, graph=(TAGS,) * 3, module=(TAGS,) * 3),
    # With tags= any of them will do; without, see below.
    Row(edit=twice, graph=ALL, module=ALL),
    # v2 makes functions of what it loads by objects, and never asks for whom they were.
    Row(edit=far_consumer, graph=(VERSION,) * 3, module=(VERSION, VERSION, ANSWERS)),
    Row(edit=bad_consumer, graph=(VERSION,) * 3, module=(VERSION, VERSION, ANSWERS)),
    Row(edit=other_schema, graph=ALL, module=ALL),
    Row(edit=unknown_op, graph=(OP,) * 3, module=(OP,) * 3),
    Row(edit=unknown_attr, graph=ALL, module=ALL, older=(ATTR,) * 3),
    Row(edit=missing_attr, graph=(MISSING,) * 3, module=(MISSING,) * 3),
    Row(edit=stale_fingerprint, graph=ALL, module=ALL),
    Row(edit=text_beside, graph=ALL, module=ALL),
    # To C++ a model without an index is one without variables, and only a request finds out.
    Row(
        edit=no_index,
        graph=("run variable-missing", FILE, FILE),
        module=("run variable-missing", FILE, FILE),
    ),
    Row(edit=no_shard, graph=(FILE,) * 3, module=(FILE,) * 3),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.edit.__name__)
@pytest.mark.parametrize("exporter", PRODUCERS)
@pytest.mark.parametrize("loader", LOADERS)
def test_an_edit(
    *,
    loader: str,
    exporter: str,
    row: Row,
    tmp_path: Path,
    savedmodel_export: Export,
    savedmodel_run: Run,
) -> None:
    """Each loader makes of it what is written down, in a release that refuses unknown attrs and in one that ignores them."""
    model = edited(
        savedmodel_export(exporter, producer=PRODUCERS[exporter], strip=True), row, tmp_path
    )
    provider = "wheel" if loader == "c" else "venv"
    results = savedmodel_run(model, on=CONSUMERS, provider=provider, loader=loader, signature=KEY)
    at = LOADERS.index(loader)
    newer = (row.module if exporter.endswith("module") else row.graph)[at]
    older = newer if row.older is None else row.older[at]
    assert [said(result) for result in results] == [older, newer]


def test_c_and_v1_take_an_absent_tensor_from_the_signature(
    tmp_path: Path, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Who asks by the signature of the file gets an error of the request: they load what they do not look at."""
    model = savedmodel_export("half_plus_two", producer="1.15.5", strip=True)
    path = edited(model, Row(edit=absent_tensor, graph=ALL, module=ALL), tmp_path).path
    for loader, provider in (("c", "wheel"), ("v1", "venv")):
        results = savedmodel_run(
            path, on=CONSUMERS, loader=loader, provider=provider, signature=KEY
        )
        assert {result.stage.value for result in results if result.stage} == {"run"}
        assert all("absent" in result.message for result in results)


def test_v2_needs_no_tags_of_one_meta_graph(
    tmp_path: Path, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """Without ``tags=`` it takes the only MetaGraph, whatever its tags are; the others have to be told them."""
    row = Row(edit=other_tags, graph=ALL, module=ALL)
    for exporter, producer in PRODUCERS.items():
        path = edited(
            savedmodel_export(exporter, producer=producer, strip=True), row, tmp_path / exporter
        ).path
        for answer in without_tags(savedmodel_call, path):
            assert answer.failure is None
            assert answer.arrays["y"].tolist() == [[2.5], [3.0]]


def test_v2_needs_tags_of_several_meta_graphs(
    tmp_path: Path, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """With a second MetaGraph, be it the same once more, ``tf.saved_model.load`` without ``tags=`` refuses."""
    model = savedmodel_export("half_plus_two_module", producer="2.4.4", strip=True)
    path = edited(model, Row(edit=twice, graph=ALL, module=ALL), tmp_path).path
    for answer in without_tags(savedmodel_call, path):
        assert answer.failure is not None
        assert answer.failure.type == "ValueError"
        assert "tags" in answer.failure.text


@pytest.mark.parametrize("loader", LOADERS)
def test_an_asset_outside_of_the_model_is_read(
    loader: str, tmp_path: Path, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """A file name that leads out of ``assets/`` is joined as it is, by every loader; a static rule finds it (L4)."""
    model = savedmodel_export(
        "suites/exporters/vocabulary.py::export_file", producer="1.15.5", strip=True
    )
    folder = tmp_path / "served" / "model"
    shutil.copytree(model.path, folder)
    [asset] = (folder / "assets").iterdir()
    asset.rename(tmp_path / "elsewhere.txt")
    file = folder / "saved_model.pb"
    saved = schema.parse(schema.SavedModel, file.read_bytes())
    for packed in saved.meta_graphs[0].collection_def["saved_model_assets"].any_list.value:
        found = AssetFileDef.FromString(packed.value)
        found.filename = "../../../elsewhere.txt"
        packed.value = found.SerializeToString()
    file.write_bytes(saved.SerializeToString())

    provider = "wheel" if loader == "c" else "venv"
    outside = replace(model, path=folder, sha256="outside")
    results = savedmodel_run(outside, on=CONSUMERS, provider=provider, loader=loader)
    assert results
    assert {(result.outcome.value, result.reference) for result in results} == {(ANSWERS, "export")}


@pytest.mark.parametrize("loader", LOADERS)
def test_an_attr_that_is_ignored_is_logged(loader: str, savedmodel_run: Run) -> None:
    """From 2.5 on nothing but a line of the log says that an attr was dropped (ValidateNodeDef)."""
    provider = "wheel" if loader == "c" else "venv"
    model = "golden/models/ctc_greedy_decoder-2.6.5"
    [result] = savedmodel_run(model, on="2.5.3", provider=provider, loader=loader)
    assert result.cause == "attr-ignored"
    assert "blank_index which is not in the op definition" in result.log


def edited(model: Model, row: Row, folder: Path) -> Model:
    """Return a copy of a model with an edit; it is asked for as the model was."""
    copy = folder / "edited"
    shutil.copytree(model.path, copy)
    if "folder" in row.edit.__annotations__:
        row.edit(copy)
    else:
        file = copy / "saved_model.pb"
        saved = schema.parse(schema.SavedModel, file.read_bytes())
        row.edit(saved)
        file.write_bytes(saved.SerializeToString())
    return replace(model, path=copy, sha256=row.edit.__name__)


def said(result: Result) -> str:
    """Return what became of a cell as the rows say it."""
    stage = result.stage.value if result.stage else ""
    return ANSWERS if result.outcome.value == ANSWERS else f"{stage} {result.cause}"


def without_tags(savedmodel_call: Call, path: Path) -> list[Called]:
    """Return what 2.4.4 and 2.21.0 make of a model without ``tags=``."""
    program = "suites/programs/loading.py::v2_without_tags"
    return savedmodel_call(program, on=CONSUMERS, directory=str(path))

"""Graphs as v1 writes them: MetaGraphs, assets, main ops, devices, savers, kinds of signatures, state, tables, control flow, attrs.

Each scenario is exported by an old release and a new one, and has to load and answer alike in both, or to fail for what it
is about and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from savedmodel_compat.model import checkpoint

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]

EXPORTERS = Path(__file__).parent / "exporters"
OLD, NEW = "1.15.5", "2.21.0"
BOTH = f"{OLD},{NEW}"
MOBILE = ("serve", "mobile")
GPU = ("serve", "gpu")

# What every consumer takes and answers alike, stripped: exporter, tags, how many calls were recorded in all.
EVERYWHERE = [
    ("several_meta_graphs.py::export_builder", ("serve",), 1),
    ("several_meta_graphs.py::export_builder", GPU, 1),
    ("several_meta_graphs.py::export_builder", ("train",), 1),
    ("assets.py::export_one", None, 1),
    ("assets.py::export_same_name", MOBILE, 1),
    ("main_op.py::export_main_op", None, 1),
    ("main_op.py::export_legacy_init_op", None, 1),
    ("devices.py::export_cleared", None, 1),
    ("custom_saver.py::export_builder", None, 1),
    ("text_format.py::export_builder", None, 1),
    ("signature_kinds.py::export_builder", None, 6),
    ("simple_save.py::export_simple_save", None, 2),
    ("segmentation.py::export_builder", ("serve",), 2),
    ("segmentation.py::export_builder", MOBILE, 1),
    ("segmentation.py::export_builder", ("train",), 2),
    ("vocabulary.py::export_file", None, 2),
    ("vocabulary.py::export_constants", None, 1),
    ("counter.py::export_reference", None, 6),
    ("control_flow.py::export_v1", None, 2),
    ("control_flow.py::export_v2", None, 2),
    ("odd_shapes.py::export_builder", None, 12),
    ("mnist_cnn_versions.py::export_builder", None, 2),
]


@pytest.mark.parametrize(("exporter", "tags", "calls"), EVERYWHERE)
def test_an_export_of_either_end_answers_at_both(
    exporter: str,
    tags: tuple[str, ...] | None,
    calls: int,
    savedmodel_export: Export,
    savedmodel_run: Run,
) -> None:
    """What 1.15 and 2.21 export, stripped, both load; their answers are those of the producer, and one producer's are the other's."""
    models = [named(savedmodel_export, exporter, producer, tags=tags) for producer in (OLD, NEW)]
    for model in models:
        results = savedmodel_run(model, on=BOTH)
        assert all_pass(results)
    old, new = map(answers, models)
    assert len(old) == calls
    for one, other in zip(old, new, strict=True):
        assert one.keys() == other.keys()
        for alias in one:
            same(one[alias], other[alias])


def test_of_two_assets_with_one_name_the_first_is_kept(savedmodel_export: Export) -> None:
    """There is one file `labels.txt`, and the second MetaGraph reads the first one's text."""
    exporter = "assets.py::export_same_name"
    first = named(savedmodel_export, exporter, NEW, tags=("serve",))
    second = named(savedmodel_export, exporter, NEW, tags=MOBILE)
    assets = sorted(path.name for path in (first.path / "assets").iterdir())
    assert assets == ["labels.txt", "more.txt"]
    assert [answer["labels"].item() for answer in answers(first)] == [b"> the first 0\n"]
    [answer] = answers(second)
    assert (answer["labels"].item(), answer["more"].item()) == (
        b"> the first 0\n",
        b"> the second 0\n",
    )


def test_tables_find_their_vocabulary_where_the_model_was_moved_to(
    tmp_path: Path, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """The path that the graph holds is that of a file which is gone: what counts is the folder of the model."""
    model = named(savedmodel_export, "vocabulary.py::export_file", NEW)
    shutil.copytree(model.path, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    held = node(model, "vocabulary").attr["value"].tensor.string_val[0]
    assert not Path(held.decode()).exists()
    assert all_pass(savedmodel_run(replace(model, path=tmp_path / "there"), on=BOTH))


def test_tables_without_their_vocabulary_fail(
    tmp_path: Path, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Without its asset the same model does not load, and the asset is named as the cause."""
    model = named(savedmodel_export, "vocabulary.py::export_file", NEW)
    shutil.copytree(model.path, tmp_path / "model")
    (tmp_path / "model" / "assets" / "vocabulary.txt").unlink()
    results = savedmodel_run(replace(model, path=tmp_path / "model"), on=BOTH)
    assert {result.cause for result in results} == {"asset-missing"}


def test_an_asset_that_is_listed_twice_is_fed_twice(
    savedmodel_export: Export, savedmodel_run: Run, savedmodel_check: Callable[..., object]
) -> None:
    """One tensor that holds the path for two tables is an asset of each: the C++ loader refuses to feed it twice, v1 does not mind."""
    model = named(savedmodel_export, "vocabulary.py::export_shared_path", OLD)
    with pytest.raises(pytest.fail.Exception, match="M20"):
        savedmodel_check(model.path)
    for result in savedmodel_run(model, on=BOTH):
        assert (result.outcome.value, result.stage and result.stage.value) == ("fail", "load")
        assert "fed more than once" in (result.message or "")
    assert all_pass(savedmodel_run(model, on=OLD, provider="venv", loader="v1"))


@pytest.mark.parametrize("argument", ["main_op", "legacy_init_op"])
def test_either_argument_becomes_a_main_op(argument: str, savedmodel_export: Export) -> None:
    """Both end up as what runs after loading; until 1.12 the older one had a collection of its own."""
    exporter = f"main_op.py::export_{argument}"
    for producer, collection in (("1.7.1", argument), (NEW, "main_op")):
        model = named(savedmodel_export, exporter, producer)
        assert model.meta_graph is not None
        name = {"main_op": "saved_model_main_op"}.get(collection, collection)
        assert name in model.meta_graph.proto.collection_def


def test_devices_are_cleared(savedmodel_export: Export) -> None:
    """No node of the one export names a device, and those of the other do."""
    for name, pinned in (("cleared", False), ("pinned", True)):
        model = named(savedmodel_export, f"devices.py::export_{name}", NEW)
        assert model.meta_graph is not None
        devices = {each.device for each in model.meta_graph.proto.graph_def.node}
        assert any("GPU" in device.upper() for device in devices) is pinned


def test_a_pinned_export_needs_its_device(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """A machine without a GPU refuses what is pinned to one, and the cause says so."""
    model = named(savedmodel_export, "devices.py::export_pinned", NEW)
    results = savedmodel_run(model, on=BOTH)
    assert [result.cause for result in results] == ["device-not-available"] * 2


def test_a_custom_saver_names_what_it_keeps(savedmodel_export: Export) -> None:
    """The checkpoint has the one variable that the saver was given, by its name there."""
    model = named(savedmodel_export, "custom_saver.py::export_builder", NEW)
    kept = checkpoint.read_index(model.path / "variables" / "variables.index")
    assert list(kept.tensors) == ["renamed/weight"]


def test_text_format_is_the_only_form(savedmodel_export: Export) -> None:
    """There is a `saved_model.pbtxt` and no `saved_model.pb`."""
    model = named(savedmodel_export, "text_format.py::export_builder", OLD)
    assert {path.name for path in model.path.glob("saved_model*")} == {"saved_model.pbtxt"}


def test_kinds_of_signatures_have_their_methods_and_aliases(savedmodel_export: Export) -> None:
    """TensorFlow Serving goes by the method, and by the aliases that each method has."""
    model = named(savedmodel_export, "signature_kinds.py::export_builder", OLD)
    assert model.meta_graph is not None
    found = {
        key: (
            each.method_name.rpartition("/")[2],
            sorted(each.inputs),
            sorted(each.outputs),
        )
        for key, each in model.meta_graph.proto.signature_def.items()
    }
    assert found == {
        "serving_default": ("predict", ["x"], ["scores"]),
        "classify": ("classify", ["inputs"], ["classes", "scores"]),
        "classify_labels": ("classify", ["inputs"], ["classes"]),
        "classify_scores": ("classify", ["inputs"], ["scores"]),
        "regress": ("regress", ["inputs"], ["outputs"]),
        "regress_by_constants": ("regress", ["inputs"], ["outputs"]),
    }


def test_simple_save_is_stripped_afterwards(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """It has no switch: its stripped leg is made of the other one, says so, and loads where the other does not."""
    kept = named(savedmodel_export, "simple_save.py::export_simple_save", NEW, strip=False)
    [refused] = savedmodel_run(kept, on="2.4.4")
    assert refused.cause == "attr-unknown"
    stripped = named(savedmodel_export, "simple_save.py::export_simple_save", NEW)
    [result] = savedmodel_run(stripped, on="2.4.4")
    assert result.outcome.value == "pass"
    assert "simple_save never strips" in result.notes[0]


def test_a_counter_counts_on_from_what_was_saved(savedmodel_export: Export) -> None:
    """Each answer of the signature that counts is the last one and the step; the other never changes."""
    for name in ("reference", "resource"):
        model = named(savedmodel_export, f"counter.py::export_{name}", NEW)
        cases = {case.signature: case for case in model.cases}
        looked = [int(answer["count"]) for answer in cases["look"].expected or ()]
        counted = [int(answer["count"]) for answer in cases["serving_default"].expected or ()]
        steps = [int(feed["step"]) for feed in cases["serving_default"].feeds]
        assert looked == [looked[0]] * 3
        assert counted == [looked[0] + sum(steps[:calls]) for calls in (1, 2, 3)]


def test_control_flow_is_written_as_it_was_asked_for(savedmodel_export: Export) -> None:
    """The first kind has Switch, Merge and Enter and no function; the second has If and While, and functions."""
    for producer in (OLD, NEW):
        first = ops(named(savedmodel_export, "control_flow.py::export_v1", producer))
        second = ops(named(savedmodel_export, "control_flow.py::export_v2", producer))
        assert {"Switch", "Merge", "Enter", "Exit", "NextIteration"} <= first
        assert not {op for op in first if op.removeprefix("Stateless") in {"If", "While"}}
        assert {op.removeprefix("Stateless") for op in second} >= {"If", "While"}
        assert "Switch" not in second


def test_the_newer_version_is_served(savedmodel_export: Export) -> None:
    """Of the version folders of a base folder the newest is taken."""
    model = named(savedmodel_export, "mnist_cnn_versions.py::export_builder", NEW)
    assert model.path.name == "2"
    assert (model.path.parent / "1" / "saved_model.pb").is_file()


# The carrier, its op and attr, and what 2.11.1, which drops the attr, makes of it: the stage at which the cell fails.
CARRIERS = [
    ("gather_nd_bad_indices_policy", "GatherNd", "bad_indices_policy", "run"),
    ("top_k_index_type", "TopKV2", "index_type", "compare"),
    ("mat_mul_grad_a", "MatMul", "grad_a", "compare"),
]


@pytest.mark.parametrize(("name", "op", "attr", "stage"), CARRIERS)
def test_an_attr_at_its_default_is_stripped(
    *, name: str, op: str, attr: str, stage: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """At its default the attr is in the way of releases up to 2.4, if it is not stripped, and of no other."""
    del stage
    exporter = f"attr_carriers.py::{name}_default"
    refused, ignored = savedmodel_run(
        named(savedmodel_export, exporter, NEW, strip=False), on="2.4.4,2.11.1"
    )
    assert refused.cause == "attr-unknown"
    assert refused.detail.op == op
    assert ignored.outcome.value == "pass"
    stripped = named(savedmodel_export, exporter, NEW)
    assert all_pass(savedmodel_run(stripped, on="2.4.4,2.11.1"))
    assert stripped.meta_graph is not None
    assert not [n for n in stripped.meta_graph.proto.graph_def.node if attr in n.attr]


@pytest.mark.parametrize(("name", "op", "attr", "stage"), CARRIERS)
def test_an_attr_that_is_set_is_never_stripped(
    *, name: str, op: str, attr: str, stage: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Set, the attr stays: 2.4 refuses it, and 2.11 drops it, which is a failure even where the answers agree."""
    model = named(savedmodel_export, f"attr_carriers.py::{name}_set", NEW)
    refused, ignored, known = savedmodel_run(model, on="2.4.4,2.11.1,2.21.0")
    for result, cause in ((refused, "attr-unknown"), (ignored, "attr-ignored")):
        assert (result.cause, result.detail.op, result.detail.attr) == (cause, op, attr)
    assert ignored.stage is not None
    assert ignored.stage.value == stage
    assert known.outcome.value == "pass"


def test_a_kernel_that_ignores_a_known_attr_is_found_by_its_numbers(
    savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Up to 2.8 the CPU convolves in depth without the dilations that the op has: nothing but the answer tells."""
    model = named(savedmodel_export, "attr_carriers.py::depthwise_conv2d_dilations_set", NEW)
    older, newer = savedmodel_run(model, on="2.8.4,2.9.3")
    assert older.cause == "output-mismatch"
    assert newer.outcome.value == "pass"


def named(
    export: Export,
    exporter: str,
    producer: str,
    *,
    strip: bool = True,
    tags: Sequence[str] | None = None,
) -> Model:
    """Return the model that an exporter of this folder makes."""
    return export(str(EXPORTERS / exporter), producer=producer, strip=strip, tags=tags)


def answers(model: Model) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Return what the producer recorded of a model, call after call, signature after signature."""
    return [dict(answer) for case in model.cases for answer in case.expected or ()]


def node(model: Model, name: str) -> Any:
    """Return a node of a model's graph."""
    assert model.meta_graph is not None
    [found] = [each for each in model.meta_graph.proto.graph_def.node if each.name == name]
    return found


def ops(model: Model) -> set[str]:
    """Return the ops of a model's graph, without those of its functions."""
    assert model.meta_graph is not None
    return {each.op for each in model.meta_graph.proto.graph_def.node}


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> None:
    """Fail unless two answers are of one type and shape, and agree up to rounding."""
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(one, other)


def all_pass(results: Sequence[Result]) -> bool:
    """Tell whether there are results, and all of them were compared with what was recorded and agreed."""
    for result in results:
        assert result.outcome.value == "pass", (result.cell.id, result.causes, result.message)
        assert result.reference == "export"
    return bool(results)

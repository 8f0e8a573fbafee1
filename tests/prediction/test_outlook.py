"""The oldest release that will do, and advice that is true."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS, edit

from savedmodel_compat import model
from savedmodel_compat.model import schema
from savedmodel_compat.prediction.outlook import Outlook, outlook_of
from savedmodel_compat.prediction.values import Place, Prediction, Reason, Verdict, When
from savedmodel_compat.registry import snapshots

Change = Callable[[schema.SavedModel], None]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A frozen model that may be edited."""
    return Path(shutil.copytree(MODELS / request.param, tmp_path / "model"))


builder = pytest.mark.parametrize("folder", ["builder-1.15.5"], indirect=True)
module = pytest.mark.parametrize("folder", ["module-2.21.0"], indirect=True)


def _outlook(folder: Path, *targets: str) -> Outlook:
    meta_graph = model.read(folder).meta_graphs[0]
    return outlook_of(meta_graph, targets or snapshots.releases())


def _loading(found: Outlook) -> list[str]:
    return [one.release for one in found.predictions if one.loads is Verdict.YES]


def _prediction(folder: Path, release: str) -> Prediction:
    [found] = _outlook(folder, release).predictions
    return found


def _add_attr(op: str, attr: str, value: schema.AttrValue) -> Change:
    def change(proto: schema.SavedModel) -> None:
        node = next(n for n in proto.meta_graphs[0].graph_def.node if n.op == op)
        node.attr[attr].CopyFrom(value)

    return change


def _teach_producer(proto: schema.SavedModel) -> None:
    """Let the producer be one that has debug_name, and that nobody else knows."""
    proto.meta_graphs[0].meta_info_def.tensorflow_version = "2.15.99"
    ops = proto.meta_graphs[0].meta_info_def.stripped_op_list.op
    own = next(op for op in ops if op.name == "VarHandleOp")
    own.attr.add(name="debug_name", type="string").default_value.s = b""


@builder
def test_a_model_that_all_load(folder: Path) -> None:
    """Nothing to advise, and no floor."""
    found = _outlook(folder)
    assert _loading(found) == list(snapshots.releases())
    assert found.floor.words == "every pinned TensorFlow loads it"
    assert found.advice == ()


@module
def test_the_floor_names_op_function_and_place(folder: Path) -> None:
    """A v2 export of today needs 2.10, for an op that stands where no signature reaches."""
    found = _outlook(folder, "2.9.3", "2.10.1")
    assert (found.floor.release, found.floor.refusing) == ("2.10.1", "2.9.3")
    assert found.floor.words.startswith("needs TensorFlow >= 2.10, because of DisableCopyOnRead")
    assert "in __inference__traced_save_" in found.floor.words
    assert "which no signature reaches" in found.floor.words


@module
def test_every_reason_is_told(folder: Path) -> None:
    """Not only the first that TensorFlow would name."""
    reasons = _prediction(folder, "2.4.4").reasons
    named = [(r.cause, r.op, r.attr, r.place) for r in reasons if r.when is When.LOAD]
    assert named == [
        ("op-not-registered", "DisableCopyOnRead", None, Place.SAVE),
        ("attr-unknown", "VarHandleOp", "debug_name", Place.INFERENCE),
    ]


@module
def test_an_ignored_attr_is_told_with_its_value(folder: Path) -> None:
    """From 2.5 on the model loads, and debug_name is left out."""
    [attr] = _prediction(folder, "2.11.1").ignored
    assert (attr.op, attr.attr, attr.default, attr.count) == ("VarHandleOp", "debug_name", False, 3)
    assert attr.value in {"'a/'", "'b/'"}
    assert attr.is_telling


@module
def test_the_v1_builder_is_advised_for_what_no_signature_reaches(folder: Path) -> None:
    """It helps from 2.5 on; before, the variables' attrs are left, and reference variables are advised."""
    found = _outlook(folder, "2.4.4", "2.6.5", "2.9.3")
    [save, variables, upgrade] = found.advice
    assert "v1 builder" in save.what
    assert save.releases == ("2.6.5", "2.9.3")
    assert "use_resource=False" in variables.what
    assert variables.releases == ("2.4.4",)
    assert "2.10 or later" in upgrade.what


@builder
def test_strip_is_advised_where_it_helps(folder: Path) -> None:
    """An attr at its default keeps 2.4 and earlier from loading it, until it is stripped."""
    edit(folder, _add_attr("VarHandleOp", "debug_name", schema.AttrValue(s=b"")))
    edit(folder, _teach_producer)
    found = _outlook(folder)
    assert "2.4.4" not in _loading(found)
    assert "2.5.3" in _loading(found)
    strip = found.advice[0]
    assert "savedmodel-compat strip" in strip.what
    assert strip.releases == tuple(
        one.release for one in found.predictions if one.loads is Verdict.NO
    )


@builder
def test_strip_is_not_advised_where_it_does_not_help(folder: Path) -> None:
    """The same attr with another value stays."""
    edit(folder, _add_attr("VarHandleOp", "debug_name", schema.AttrValue(s=b"b/")))
    assert not [one for one in _outlook(folder).advice if "savedmodel-compat strip" in one.what]


@builder
def test_devices_are_to_be_cleared(folder: Path) -> None:
    """A node that is pinned to a GPU does not load on a CPU."""

    def pin(proto: schema.SavedModel) -> None:
        node = next(n for n in proto.meta_graphs[0].graph_def.node if n.op == "Mul")
        node.device = "/device:GPU:0"

    edit(folder, pin)
    found = _outlook(folder, "2.21.0")
    assert found.predictions[0].causes == ("device-not-available",)
    assert [one for one in found.advice if "clear_devices=True" in one.what]


@builder
def test_the_library_of_an_op_is_named(folder: Path) -> None:
    """An op of tensorflow_text is no part of TensorFlow."""

    def rename(proto: schema.SavedModel) -> None:
        node = next(n for n in proto.meta_graphs[0].graph_def.node if n.op == "Mul")
        node.op = "RegexSplitWithOffsets"

    edit(folder, rename)
    found = _outlook(folder, "2.21.0")
    assert found.predictions[0].causes[0] == "op-not-registered"
    assert [
        one
        for one in found.advice
        if "tensorflow_text" in one.what or "tensorflow-text" in one.what
    ]
    assert found.floor.release is None
    assert "the newest pinned TensorFlow, does not load it" in found.floor.words


@builder
def test_what_loads_is_not_always_monotonic(folder: Path) -> None:
    """An op that lost its kernel loads in the middle only: the floor says that the newest does not."""

    def bucketize(proto: schema.SavedModel) -> None:
        graph = proto.meta_graphs[0].graph_def
        node = graph.node.add(name="old", op="BoostedTreesBucketize", input=["x", "a"])
        node.attr["num_features"].i = 1

    edit(folder, bucketize)
    found = _outlook(folder, "1.7.1", "2.8.4", "2.9.3")
    assert [one.loads.value for one in found.predictions] == ["no", "yes", "no"]
    assert [one.causes for one in found.predictions][2] == ("kernel-missing",)
    assert found.floor.release is None


@builder
def test_a_release_without_a_snapshot_is_unknown(folder: Path) -> None:
    """It says which command takes one."""
    found = _prediction(folder, "2.13.0")
    assert found.loads is Verdict.UNKNOWN
    assert "savedmodel-compat runtime snapshot 2.13.0" in (found.doubt or "")


@builder
def test_what_the_files_cause_is_part_of_it(folder: Path) -> None:
    """A reason from the model's files refuses every release, one that is not certain leaves it open."""
    meta_graph = model.read(folder).meta_graphs[0]
    certain = Reason(cause="variable-missing", message="variables has a fault")
    unsure = Reason(cause="file-damaged", message="variables has a fault", certain=False)
    [refused] = outlook_of(meta_graph, ["2.21.0"], lambda _: [certain]).predictions
    [open_] = outlook_of(meta_graph, ["2.21.0"], lambda _: [unsure]).predictions
    assert (refused.loads, refused.causes) == (Verdict.NO, ("variable-missing",))
    assert (open_.loads, open_.doubt) == (Verdict.UNKNOWN, "variables has a fault")


@builder
def test_versions_gate(folder: Path) -> None:
    """min_consumer and bad_consumers name releases by their GraphDef versions."""

    def gate(proto: schema.SavedModel) -> None:
        versions = proto.meta_graphs[0].graph_def.versions
        versions.min_consumer = 561
        versions.bad_consumers.append(1286)

    edit(folder, gate)
    found = _outlook(folder, "2.3.4", "2.4.4", "2.11.1", "2.12.1")
    assert [one.causes for one in found.predictions] == [
        ("version-gate",),
        (),
        ("version-gate",),
        (),
    ]
    assert "561" in found.predictions[0].reasons[0].message


@module
def test_what_xla_compiles_may_run(folder: Path) -> None:
    """A kernel that is missing in a body is certain to be missed, unless XLA may compile the body."""

    def halve(proto: schema.SavedModel) -> None:
        library = proto.meta_graphs[0].graph_def.library.function
        body = next(f for f in library if any(n.op == "Mean" for n in f.node_def))
        body.node_def.add(name="r", op="Round", input=["x"]).attr["T"].type = 8
        body.control_ret["r"] = "r"

    def compile_it(proto: schema.SavedModel) -> None:
        for node in proto.meta_graphs[0].graph_def.node:
            if node.op == "StatefulPartitionedCall":
                node.attr["_XlaMustCompile"].b = True

    edit(folder, halve)
    assert Verdict.NO in _prediction(folder, "2.21.0").runs.values()
    edit(folder, compile_it)
    runs = _prediction(folder, "2.21.0").runs.values()
    assert Verdict.NO not in runs
    assert Verdict.UNKNOWN in runs

"""Tensors that are fed the paths of assets, and that cannot be fed so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS, edit

from savedmodel_compat import model
from savedmodel_compat.checks.run import refusals_of
from savedmodel_compat.matrix.cells import Cell, Foreseen, Outcome, Predicted, Stage
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, Predictions, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.model import schema
from savedmodel_compat.prediction.outlook import outlook_of
from savedmodel_compat.prediction.predict import Predictor
from savedmodel_compat.prediction.values import Prediction, Verdict
from savedmodel_compat.runtimes.base import Runtime

RELEASE = "2.21.0"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A frozen model with a vocabulary, which may be edited."""
    return Path(shutil.copytree(MODELS / "module-2.21.0", tmp_path / "model"))


def _list_twice(proto: schema.SavedModel) -> None:
    [first] = proto.meta_graphs[0].asset_file_def
    proto.meta_graphs[0].asset_file_def.add().CopyFrom(first)


def _list_twice_as_well(proto: schema.SavedModel) -> None:
    _list_twice(proto)
    second = proto.meta_graphs[0].asset_file_def[1].tensor_info
    second.name = second.name.removesuffix(":0")


def _lose(proto: schema.SavedModel) -> None:
    proto.meta_graphs[0].asset_file_def[0].tensor_info.name = "gone:0"


def _initialise_nothing(proto: schema.SavedModel) -> None:
    _list_twice(proto)
    del proto.meta_graphs[0].signature_def["__saved_model_init_op"]
    for key in ("saved_model_main_op", "legacy_init_op"):
        if key in proto.meta_graphs[0].collection_def:
            del proto.meta_graphs[0].collection_def[key]


def _restore_nothing(proto: schema.SavedModel) -> None:
    _initialise_nothing(proto)
    proto.meta_graphs[0].ClearField("saver_def")


def _prediction(folder: Path, loader: str = "c") -> Prediction:
    return Predictor(model.read(folder).meta_graphs[0]).predict(RELEASE, loader)


def _of_cell(folder: Path, loader: str) -> Predicted:
    """What is said of the cell, with what the rules say of the model's files."""
    found = load_models([folder])[0]
    cell = Cell(
        model=found.name,
        path=folder,
        model_sha256="",
        tags=("serve",),
        strip=True,
        producer=RELEASE,
        consumer=RELEASE,
        provider="wheel",
        loader=loader,
    )
    said = Predictions().of(found.meta_graph, cell)
    assert said is not None
    return said


def test_a_tensor_of_two_assets_keeps_the_cpp_loader_from_loading(module: Path) -> None:
    """C++ feeds every asset that is listed, and a session feeds a tensor once."""
    edit(module, _list_twice)
    said = _of_cell(module, "c")
    assert (said.outcome, said.stage, said.causes) == (Foreseen.FAIL, Stage.LOAD, ("init-failed",))
    assert "is that of 2 assets, and C++ feeds a tensor once" in str(said.why)


@pytest.mark.parametrize("loader", ["v1", "v2"])
def test_python_loads_it(module: Path, loader: str) -> None:
    """Python keeps what it feeds by name, so that the rule's finding is no doubt there."""
    edit(module, _list_twice)
    assert _of_cell(module, loader).outcome is Foreseen.PASS


def test_the_release_says_so(module: Path, wheel_runtime: Callable[[str], Runtime]) -> None:
    """What is predicted is what the C++ loader does, and its words have that cause."""
    edit(module, _list_twice)
    consumer = Consumer(
        release=RELEASE, provider="wheel", loader="c", device="cpu", runtime=wheel_runtime(RELEASE)
    )
    [result] = run_matrix(load_models([module]), [consumer], Options())
    assert (result.outcome, result.stage, result.causes) == (
        Outcome.FAIL,
        Stage.LOAD,
        ("init-failed",),
    )
    assert "a tensor for each" in str(result.fix)
    assert agreement(result) is Agreement.AGREES


@pytest.mark.parametrize(
    ("change", "loads"),
    [
        (_list_twice_as_well, Verdict.UNKNOWN),
        (_lose, Verdict.UNKNOWN),
        (_initialise_nothing, Verdict.UNKNOWN),
        (_restore_nothing, Verdict.YES),
    ],
    ids=["another spelling", "no such tensor", "no init op", "nothing to feed"],
)
def test_what_is_not_certain(
    module: Path, change: Callable[[schema.SavedModel], None], loads: Verdict
) -> None:
    """Only a tensor that is listed twice by one name, with an init op that is fed, is refused for certain."""
    edit(module, change)
    assert _prediction(module).loads is loads


def test_a_tensor_that_is_not_there_is_a_doubt_in_python_too(module: Path) -> None:
    """The init op of v1 is fed it; tf.saved_model.load may go by the object graph."""
    edit(module, _lose)
    assert _prediction(module, "v1").loads is Verdict.UNKNOWN


def test_no_upgrade_is_advised(module: Path) -> None:
    """No release loads it, so that the model has to be mended."""
    edit(module, _list_twice)
    found = outlook_of(model.read(module).meta_graphs[0], ["2.11.1"], refusals_of(module))
    assert found.floor.release is None
    assert [one.what for one in found.advice] == [
        "mend the model first: its own files keep every release from loading it"
    ]

"""A model in text is refused for a field that a release does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tests.prediction.building import Novelty, Spot, write

from savedmodel_compat import model
from savedmodel_compat.checks.run import refusals_of
from savedmodel_compat.matrix.cells import Foreseen, Result
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.model import schema
from savedmodel_compat.prediction.outlook import outlook_of
from savedmodel_compat.runtimes.base import Runtime

RELEASES = ("1.4.1", "1.7.1")


@pytest.fixture
def results(
    tmp_path: Path, wheel_runtime: Callable[[str], Runtime], request: pytest.FixtureRequest
) -> list[Result]:
    """A model as 1.4.1 might have written it, stripped or not, in text or not, in each release."""
    stripped, as_text = request.param
    folder = _written(tmp_path / "model", stripped=stripped, as_text=as_text)
    consumers = [
        Consumer(
            release=release,
            provider="wheel",
            loader="c",
            device="cpu",
            runtime=wheel_runtime(release),
        )
        for release in RELEASES
    ]
    found = run_matrix(load_models([folder]), consumers, Options())
    return sorted(found, key=lambda result: result.cell.consumer)


def _written(folder: Path, *, stripped: bool, as_text: bool) -> Path:
    write(folder, Novelty.NOTHING, Spot.REACHED)
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    info = proto.meta_graphs[0].meta_info_def
    info.stripped_default_attrs = stripped
    info.tensorflow_version = "1.4.1"
    if as_text:
        file.unlink()
        text = text_format.MessageToString(proto, descriptor_pool=schema.POOL)
        (folder / "saved_model.pbtxt").write_text(text)
    else:
        file.write_bytes(proto.SerializeToString())
    return folder


def _told(results: list[Result], release: str) -> set[tuple[str, tuple[str, ...]]]:
    mine = [result for result in results if result.cell.consumer == release]
    assert mine
    assert all(agreement(result) is Agreement.AGREES for result in mine)
    return {(str(one.predicted and one.predicted.outcome.value), one.causes) for one in mine}


@pytest.mark.parametrize("results", [(True, True)], indirect=True, ids=["stripped text"])
def test_the_mark_of_a_stripped_model(results: list[Result]) -> None:
    """``stripped_default_attrs`` came after 1.4, whose parser refuses the text."""
    assert _told(results, "1.4.1") == {(Foreseen.FAIL.value, ("file-damaged",))}
    assert _told(results, "1.7.1") == {(Foreseen.PASS.value, ())}


@pytest.mark.parametrize(
    "results", [(False, True), (True, False)], indirect=True, ids=["text", "stripped binary"]
)
def test_a_model_without_it(results: list[Result]) -> None:
    """A text without the mark is read by all, and a binary file with it."""
    for release in RELEASES:
        assert _told(results, release) == {(Foreseen.PASS.value, ())}


def test_no_rewriting_of_the_graph_is_advised(tmp_path: Path) -> None:
    """What the file itself keeps from loading is not mended by stripping it."""
    folder = _written(tmp_path / "model", stripped=True, as_text=True)
    found = outlook_of(model.read(folder).meta_graphs[0], ["1.4.1"], refusals_of(folder))
    assert [one.what for one in found.advice] == [
        "upgrade the consumer to TensorFlow 1.7 or later, all of which load it"
    ]
    assert "the field 'stripped_default_attrs'" in found.floor.words

"""What Estimators export: folders named for the second, signatures made of heads and receivers, weights of a checkpoint.

The rules are those of ``tensorflow_estimator/python/estimator/estimator.py`` (``_export_all_saved_models``) and of
``tensorflow/python/saved_model/model_utils/export_utils.py`` (``build_all_signature_defs``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from savedmodel_compat.model.checkpoint import read_index, read_tensor

if TYPE_CHECKING:
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]
Check = Callable[..., "Report"]

PREDICT = "suites/exporters/estimator_predict.py::export_raw"
CLASSIFY = "suites/exporters/estimator_classify.py::export_parsing"
REGRESS = "suites/exporters/estimator_regress.py::export_twice"
MULTI_HEAD = "suites/exporters/estimator_multi_head.py::export_parsing"
CANNED = "suites/exporters/estimator_canned.py::export_parsing"
SCALARS = "suites/exporters/contrib_learn.py::export_scalars"
REGRESSION = "suites/exporters/contrib_learn.py::export_examples"
# With export_savedmodel alone, with both methods, and the last release that has Estimators.
PRODUCERS = ["1.4.1", "1.15.5", "2.15.1"]


@pytest.mark.parametrize("producer", PRODUCERS)
def test_an_older_export_stays_and_answers_as_it_did(
    producer: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Exported again after one more step, the base folder holds both: the newer is served, the older has other weights."""
    newer = savedmodel_export(REGRESS, producer=producer, strip=False)
    older, newest = sorted(newer.path.parent.iterdir())
    assert newest == newer.path
    assert len(older.name) == len(newest.name) == 10

    assert not np.array_equal(_weights(older, "kernel"), _weights(newest, "kernel"))
    steps = [int(_weights(folder, "global_step")) for folder in (older, newest)]
    assert steps == [1, 2]
    assert _all_pass(savedmodel_run(newer, on="2.11.1,2.21.0"))
    results = savedmodel_run(older, on="2.11.1,2.21.0")
    assert [result.outcome.value for result in results] == ["pass", "pass"]


@pytest.mark.parametrize("producer", PRODUCERS)
def test_a_checkpoint_that_was_named_is_what_is_exported(
    producer: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """With `checkpoint_path`, the weights are those of that file, bit for bit, and not the model's initial ones."""
    model = savedmodel_export(PREDICT, producer=producer, strip=False, seed=3)
    drawn = np.random.RandomState(3)
    kernel = drawn.uniform(-1, 1, size=(3, 2)).astype(np.float32)
    bias = drawn.uniform(-1, 1, size=2).astype(np.float32)
    assert _weights(model.path, "kernel").tobytes() == kernel.tobytes()
    assert _weights(model.path, "bias").tobytes() == bias.tobytes()
    assert int(_weights(model.path, "global_step")) == 12
    assert _all_pass(savedmodel_run(model, on="2.11.1,2.21.0"))


@pytest.mark.parametrize("producer", PRODUCERS)
def test_extra_assets_are_copied_beside_the_model(producer: str, savedmodel_export: Export) -> None:
    """`assets_extra` names where under `assets.extra/` a file goes; its text is what it was."""
    model = savedmodel_export(PREDICT, producer=producer, strip=False)
    notes = model.path / "assets.extra" / "notes" / "about.txt"
    assert notes.read_text() == "exported from step 12\n"


@pytest.mark.parametrize("exporter", [PREDICT, CLASSIFY, REGRESS, MULTI_HEAD, CANNED])
@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
def test_an_estimator_of_1_15_answers_everywhere(
    *,
    exporter: str,
    strip: bool,
    savedmodel_export: Export,
    savedmodel_run: Run,
    savedmodel_check: Check,
) -> None:
    """In all consumers that are as new, every signature gives the numbers that the Estimator itself predicted."""
    model = savedmodel_export(exporter, producer="1.15.5", strip=strip)
    assert model.meta_graph is not None
    assert model.meta_graph.stripped_default_attrs is strip
    assert not model.notes
    savedmodel_check(model.path)
    assert _all_pass(savedmodel_run(model, on="smoke"))


@pytest.mark.parametrize("exporter", [PREDICT, REGRESS, MULTI_HEAD])
def test_stripped_the_last_estimators_reach_the_oldest_consumers(
    exporter: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """What 2.15 exports of graphs with old ops runs in 1.15 if it is stripped; else an attr of what saves is in its way."""
    stripped = savedmodel_export(exporter, producer="2.15.1", strip=True)
    assert _all_pass(savedmodel_run(stripped, on="smoke"))
    unstripped = savedmodel_export(exporter, producer="2.15.1", strip=False)
    results = savedmodel_run(unstripped, on="1.15.5,2.4.4")
    found = {(r.cause, r.detail.op, r.detail.attr) for r in results}
    assert found == {("attr-unknown", "MergeV2Checkpoints", "allow_missing_files")}


@pytest.mark.parametrize("exporter", [CLASSIFY, CANNED])
def test_the_receiver_that_parses_brings_a_new_op(
    exporter: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """`build_parsing_serving_input_receiver_fn` writes ParseExampleV2 from 2.1 on, which 1.15 does not know."""
    model = savedmodel_export(exporter, producer="2.4.4", strip=True)
    [result] = savedmodel_run(model, on="1.15.5")
    assert (result.cause, result.detail.op) == ("op-not-registered", "ParseExampleV2")
    assert _all_pass(savedmodel_run(model, on="2.4.4,2.21.0"))


@pytest.mark.parametrize("producer", PRODUCERS)
def test_heads_and_receivers_make_the_signatures(producer: str, savedmodel_export: Export) -> None:
    """One default, one key for each other head; the alternative receiver feeds only the head that predicts."""
    model = savedmodel_export(MULTI_HEAD, producer=producer, strip=False)
    assert model.meta_graph is not None
    methods = {
        key: each.method_name.rpartition("/")[2]
        for key, each in model.meta_graph.signatures.items()
    }
    assert methods == {
        "serving_default": "predict",
        "numbers:serving_default": "predict",
        "kind": "classify",
        "amount": "regress",
    }
    inputs = {key: set(each.inputs) for key, each in model.meta_graph.signatures.items()}
    # A predict signature keeps the receiver's name; the others have the one that Serving asks for.
    assert inputs == {
        "serving_default": {"examples"},
        "numbers:serving_default": {"numbers"},
        "kind": {"inputs"},
        "amount": {"inputs"},
    }


def test_weights_of_two_data_files_are_read(savedmodel_export: Export) -> None:
    """An Estimator saves a file for each device that it knows of: those of 1.15 with a device are apart from the step, which has none."""
    model = savedmodel_export(CANNED, producer="1.15.5", strip=True)
    index = read_index(model.path / "variables" / "variables.index")
    assert index.num_shards == 2
    shards = {name: entry.shard for name, entry in index.tensors.items()}
    assert shards.pop("global_step") == 0
    assert set(shards.values()) == {1}
    # Of the vocabulary's three words, no example has the second.
    words = _weights(model.path, "linear/linear_model/word/weights")
    assert words.shape == (3, 1)
    assert list(np.flatnonzero(words)) == [0, 2]


@pytest.mark.parametrize("producer", ["1.4.1", "1.15.5"])
@pytest.mark.parametrize("exporter", [SCALARS, REGRESSION])
def test_the_strategy_of_an_experiment_keeps_one_export(
    exporter: str, producer: str, savedmodel_export: Export
) -> None:
    """`exports_to_keep=1` of `tf.contrib.learn` deletes the older export, where an Estimator leaves it."""
    model = savedmodel_export(exporter, producer=producer, strip=False)
    assert [each.name for each in model.path.parent.iterdir()] == [model.path.name]


def test_scalars_are_fed_as_vectors_and_the_file_is_text(
    savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Requests give one number for each example, the answers have a second dimension; `as_text` writes a `saved_model.pbtxt`."""
    model = savedmodel_export(SCALARS, producer="1.15.5", strip=True)
    assert (model.path / "saved_model.pbtxt").is_file()
    assert model.meta_graph is not None
    signature = model.meta_graph.signatures["serving_default"]
    assert {alias: spec.shape for alias, spec in signature.inputs.items()} == {
        "height": (None,),
        "width": (None,),
    }
    assert signature.outputs["scores"].shape == (None, 1)
    assert _all_pass(savedmodel_run(model, on="smoke"))


def test_a_single_input_is_renamed(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """The serving function of `tf.contrib.learn` calls it `examples`; the regress signature calls it `inputs`."""
    model = savedmodel_export(REGRESSION, producer="1.15.5", strip=True)
    assert model.meta_graph is not None
    found = {
        key: (each.method_name, set(each.inputs), set(each.outputs))
        for key, each in model.meta_graph.signatures.items()
    }
    regress = ("tensorflow/serving/regress", {"inputs"}, {"outputs"})
    assert found == {"serving_default": regress, "default_input_alternative:area": regress}
    assert _all_pass(savedmodel_run(model, on="smoke"))


@pytest.mark.parametrize(
    ("exporter", "producer", "words"),
    [
        (SCALARS, "2.4.4", "tf.contrib went with TensorFlow 2.0"),
        (PREDICT, "2.16.2", "Estimators went with TensorFlow 2.16"),
    ],
)
def test_a_release_that_lacks_it_says_so(
    exporter: str, producer: str, words: str, savedmodel_export: Export
) -> None:
    """What a release does not have any more is unsupported there, and no failure."""
    with pytest.raises(pytest.skip.Exception, match=words):
        savedmodel_export(exporter, producer=producer, strip=True)


def _weights(folder: Path, name: str) -> np.ndarray[Any, Any]:
    return read_tensor(read_index(folder / "variables" / "variables.index"), name)


def _all_pass(results: list[Result]) -> bool:
    for result in results:
        assert result.outcome.value == "pass", (result.cell.id, result.causes, result.message)
        assert result.reference == "export"
    return bool(results)

"""What Keras writes: names, layers, and what training does, in what `Model.save` and `Model.export` leave behind.

`Model.save` writes a SavedModel up to 2.15 (Keras 2); `Model.export` does from 2.13 on, and is the only way to one in Keras 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.matrix.calls import Called
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]
Call = Callable[..., "list[Called]"]
Check = Callable[..., "Report"]

FOLDER = "suites/exporters"
SEQUENTIAL = f"{FOLDER}/keras_sequential.py::export_save"
SEQUENTIAL_EXPORT = f"{FOLDER}/keras_sequential.py::export_export"
FUNCTIONAL = f"{FOLDER}/keras_functional.py::export_save"
SUBCLASSED = f"{FOLDER}/keras_subclassed.py::export_save"
TRAINING = f"{FOLDER}/keras_training.py::export_save"
MOBILENET = f"{FOLDER}/keras_mobilenet.py::export_save"
AROUND = f"{FOLDER}/keras_tfsm_layer.py::export_export"
CALL = "suites/programs/keras_training.py::call"

# The first Keras with SavedModels of TensorFlow 2, the last Keras 2, and Keras 3.
PRODUCERS = ("2.4.4", "2.15.1", "2.21.0")
MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("exporter", "producer", "names"),
    [
        (SEQUENTIAL, "2.4.4", ("x", "scores")),
        (SEQUENTIAL, "2.15.1", ("x", "scores")),
        (SEQUENTIAL_EXPORT, "2.15.1", ("x", "output_0")),
        (SEQUENTIAL, "2.21.0", ("x", "output_0")),
        (SUBCLASSED, "2.4.4", ("input_1", "y")),
        (SUBCLASSED, "2.15.1", ("input_1", "y")),
        (SUBCLASSED, "2.21.0", ("args_0", "y")),
    ],
)
def test_keras_names_inputs_and_outputs_as_it_likes(
    exporter: str, producer: str, names: tuple[str, str], savedmodel_export: Export
) -> None:
    """A client of a Sequential or a subclassed model has to be told new names when Keras 3 exports it."""
    model = savedmodel_export(exporter, producer=producer, strip=True)
    [case] = [each for each in model.cases if each.signature == "serving_default"]
    [given], [answered] = case.inputs, case.outputs
    assert (given.alias, answered.alias) == names


def test_names_that_are_given_are_kept(savedmodel_export: Export) -> None:
    """Inputs and outputs by name, from layers named alike, have the same names and the same answers in every Keras."""
    seen = []
    for producer in PRODUCERS:
        model = savedmodel_export(FUNCTIONAL, producer=producer, strip=True)
        [case] = [each for each in model.cases if each.signature == "serving_default"]
        assert case.expected is not None
        seen.append((sorted(port.alias for port in case.inputs), case.expected[0]))
    names, wanted = seen[0]
    assert names == ["numbers", "words"]
    assert sorted(wanted) == ["scores", "value"]
    for others, answers in seen[1:]:
        assert others == names
        for key in wanted:
            np.testing.assert_allclose(answers[key], wanted[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("producer", "consumers"), [("2.4.4", "2.4.4,2.11.1,2.21.0"), ("2.15.1", "2.11.1,2.21.0")]
)
def test_training_is_another_function(
    producer: str, consumers: str, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """Loaded again, it serves what was recorded; in training it drops other inputs each time, and moves the statistics that it serves with."""
    model = savedmodel_export(TRAINING, producer=producer, strip=True)
    [case] = model.cases
    assert case.expected is not None
    scores = case.expected[0]["scores"]
    for answer in savedmodel_call(CALL, on=consumers, **calls(model)):
        assert answer.failure is None, (answer.release, answer.failure)
        seen = answer.arrays
        np.testing.assert_allclose(seen["before"], scores, rtol=1e-4, atol=1e-6)
        drawn = {each.tobytes() for each in seen["training"]}
        assert len(drawn) > 1, answer.release
        assert list(seen["moved"]) == [b"moving_mean", b"moving_variance"]
        assert not np.allclose(seen["after"], scores, rtol=1e-4), answer.release


def test_what_training_assigns_is_new_in_2_8(
    savedmodel_export: Export, savedmodel_run: Run, savedmodel_call: Call
) -> None:
    """A stripped model of 2.11 serves in 2.4 with the C++ loader, and cannot be loaded as an object, for a function that trains.

    `AssignVariableOp.validate_shape` came with 2.8, and `assign` writes it true, which is not its default.
    """
    model = savedmodel_export(TRAINING, producer="2.11.1", strip=True)
    [served] = savedmodel_run(model, on="2.4.4", loader="c")
    assert served.outcome.value == "pass", served.message
    [loaded] = savedmodel_run(model, on="2.4.4", loader="v2", provider="venv")
    assert (loaded.outcome.value, loaded.cause) == ("fail", "attr-unknown")
    assert (loaded.detail.op, loaded.detail.attr) == ("AssignVariableOp", "validate_shape")
    [called] = savedmodel_call(CALL, on="2.4.4", **calls(model))
    assert called.failure is not None
    assert "'validate_shape' not in Op<name=AssignVariableOp" in called.failure.text


@pytest.mark.parametrize("producer", PRODUCERS)
def test_mobilenet_answers_in_its_own_release_and_later(
    producer: str, savedmodel_export: Export, savedmodel_run: Run, savedmodel_check: Check
) -> None:
    """With made-up weights it takes some 3 MB, breaks no rule, and gives the producer's numbers."""
    model = savedmodel_export(MOBILENET, producer=producer, strip=True)
    size = sum(path.stat().st_size for path in model.path.rglob("*") if path.is_file())
    assert MEGABYTE < size < 3.5 * MEGABYTE
    savedmodel_check(model.path)
    newer = {"2.4.4": "2.4.4,2.11.1,2.21.0", "2.15.1": "2.15.1,2.21.0", "2.21.0": "2.21.0"}
    for result in savedmodel_run(model, on=newer[producer], signature="serving_default"):
        assert result.outcome.value == "pass", (result.cell.id, result.message)
        assert result.reference == "export"


@pytest.mark.parametrize(("loader", "provider"), [("c", "wheel"), ("v2", "venv")])
def test_a_model_around_a_savedmodel_is_whole(
    loader: str, provider: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """What `TFSMLayer` took in is exported with it: it answers though the folder that it came from is gone."""
    model = savedmodel_export(AROUND, producer="2.21.0", strip=True)
    results = savedmodel_run(model, on="2.16.2,2.21.0", loader=loader, provider=provider)
    assert len(results) == 4
    assert {result.outcome.value for result in results} == {"pass"}


def calls(model: Model) -> dict[str, Any]:
    """Return the arguments of a program that calls a model on what it was recorded with."""
    [case] = model.cases
    return {"directory": str(model.path), "image": case.feeds[0]["image"].tolist(), "times": 4}

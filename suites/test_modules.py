"""What a ``tf.Module`` is after it has been loaded: its concrete functions, its defaults, its tables, its state.

The rules are those of ``tensorflow/python/saved_model/function_deserialization.py`` (``recreate_function``), which picks the concrete
function that a call fits, and of ``tensorflow/python/saved_model/signature_serialization.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from savedmodel_compat.matrix.calls import Called
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]
Call = Callable[..., "list[Called]"]

POLYMORPHIC = "suites/exporters/polymorphic_module.py::export_module"
DEFAULTS = "suites/exporters/defaults_module.py::export_module"
VOCABULARY = "suites/exporters/vocabulary_module.py::export_static_hash_table"
COUNTER = "suites/exporters/stateful_module.py::export_counter"
CALL = "suites/programs/polymorphic.py::call"
CALL_SIGNATURE = "suites/programs/polymorphic.py::call_signature"

# From 2.12 on what is saved holds an op that came with 2.10, and from 2.14 on the defaults of signatures.
PRODUCERS = {"2.4.4": "2.0.4,2.4.4,2.11.1,2.21.0", "2.21.0": "2.11.1,2.21.0"}
NO_FUNCTION = "Could not find matching function to call loaded from the SavedModel"
# 2.6.5 says it so, and 2.8.4 otherwise.
NO_CONCRETE_FUNCTION = NO_FUNCTION.replace("function", "concrete function")
SAYS_CONCRETE = ("2.11.1", "2.21.0")
by_producer = pytest.mark.parametrize("producer", PRODUCERS)


@by_producer
def test_a_call_finds_the_function_that_it_fits(
    producer: str, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """By the other arguments or by the shape: each concrete function answers what its signature was recorded to."""
    model = savedmodel_export(POLYMORPHIC, producer=producer, strip=True)
    keywords: dict[str, dict[str, Any]] = {
        "serving_default": {},
        "summed": {"summed": True},
        "doubled": {"doubled": True},
    }
    for signature, given in keywords.items():
        inputs, outputs = recorded(model, signature)
        answers = savedmodel_call(
            CALL,
            on=PRODUCERS[producer],
            directory=str(model.path),
            values=inputs["x"].tolist(),
            keywords=given,
        )
        for answer in answers:
            assert answer.failure is None, (answer.release, answer.failure)
            assert list(answer.arrays) == list(outputs)
            for name, wanted in outputs.items():
                np.testing.assert_allclose(answer.arrays[name], wanted, rtol=1e-6)


@by_producer
@pytest.mark.parametrize(
    ("values", "keywords"),
    [
        ([[1.0, 2.0]], {}),
        ([[[1.0, 2.0, 3.0]]], {}),
        ([1.0, 2.0, 3.0], {"summed": True}),
        ([1.0, 2.0, 3.0], {"doubled": "twice"}),
    ],
    ids=["size", "rank", "combination", "value"],
)
def test_a_call_that_fits_no_function_fails(
    *,
    producer: str,
    values: list[Any],
    keywords: dict[str, Any],
    savedmodel_export: Export,
    savedmodel_call: Call,
) -> None:
    """A size, a rank, or a value of another argument that was never traced is refused in TensorFlow's own words."""
    model = savedmodel_export(POLYMORPHIC, producer=producer, strip=True)
    answers = savedmodel_call(
        CALL,
        on=PRODUCERS[producer],
        directory=str(model.path),
        values=values,
        keywords=keywords,
    )
    for answer in answers:
        assert answer.failure is not None, answer.release
        assert answer.failure.type == "ValueError", answer.release
        said = NO_CONCRETE_FUNCTION if answer.release in SAYS_CONCRETE else NO_FUNCTION
        assert said in answer.failure.text, answer.release


@pytest.mark.parametrize(("producer", "written"), [("2.13.1", False), ("2.14.1", True)])
def test_defaults_stand_in_the_signature_from_2_14_on(
    producer: str, written: bool, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """An export of 2.13 has none; with or without, the loaded signature wants every input, in every release."""
    model = savedmodel_export(DEFAULTS, producer=producer, strip=True)
    assert model.meta_graph is not None
    defaults = model.meta_graph.signatures["serving_default"].defaults
    assert list(defaults) == (["scale"] if written else [])

    answers = savedmodel_call(
        CALL_SIGNATURE,
        on="2.11.1,2.21.0",
        directory=str(model.path),
        key="serving_default",
        values=[1.0],
    )
    for answer in answers:
        assert answer.failure is not None, answer.release
        assert "scale" in answer.failure.text


@by_producer
def test_a_vocabulary_is_read_from_where_the_model_is_now(
    producer: str, savedmodel_export: Export, savedmodel_run: Run, tmp_path: Path
) -> None:
    """Copied elsewhere it answers the same; with two lines of the copy's asset exchanged, only the copy answers otherwise."""
    model = savedmodel_export(VOCABULARY, producer=producer, strip=True)
    copy = tmp_path / "elsewhere"
    shutil.copytree(model.path, copy)
    moved = replace(model, path=copy)
    assert outcomes(run_in_both(savedmodel_run, moved)) == {("pass", None)}

    [asset] = (copy / "assets").iterdir()
    lines = asset.read_text("utf-8").splitlines()
    lines[:2] = lines[1::-1]
    asset.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    changed = run_in_both(savedmodel_run, replace(moved, sha256="changed"))
    assert outcomes(changed) == {("fail", "output-mismatch")}
    assert outcomes(run_in_both(savedmodel_run, model)) == {("pass", None)}


@by_producer
def test_a_counter_starts_from_what_was_saved(
    producer: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Three calls in one process count on from the saved state, and the next process starts from it anew."""
    model = savedmodel_export(COUNTER, producer=producer, strip=True)
    [case] = model.cases
    assert case.stateful is not None
    assert case.expected is not None
    assert [int(call["calls"]) for call in case.expected] == [1, 2, 3]
    for _ in range(2):
        results = run_in_both(savedmodel_run, model)
        assert outcomes(results) == {("pass", None)}
        assert {result.compared for result in results} == {6}


def run_in_both(run: Run, model: Model) -> list[Result]:
    """Run a model with the C++ loader and with `tf.saved_model.load`, in the newest release."""
    return [
        result
        for loader in ("c", "v2")
        for result in run(model, on="2.21.0", provider="venv", loader=loader)
    ]


def outcomes(results: Sequence[Result]) -> set[tuple[str, str | None]]:
    """Return what became of cells, and why."""
    assert results
    return {(result.outcome.value, result.cause) for result in results}


def recorded(model: Model, signature: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and outputs that the producer recorded of a signature."""
    [case] = [each for each in model.cases if each.signature == signature]
    assert case.expected is not None
    [inputs], [outputs] = case.feeds, case.expected
    return dict(inputs), dict(outputs)

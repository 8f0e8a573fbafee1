"""Models of signatures that nobody wrote: names, dtypes, shapes, sparse and ragged inputs, drawn and exported in real producers.

What is read of the model is what was drawn, every release that loads it answers what the producer computed, and what does not load
was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from savedmodel_compat.checks.run import check
from savedmodel_compat.errors import ExportError
from savedmodel_compat.matrix.predicted import disagreements
from savedmodel_compat.matrix.session import Where
from savedmodel_compat.model.values import Encoding
from savedmodel_compat.search.signatures import (
    DENSE,
    DICT,
    KINDS,
    OPEN,
    RAGGED,
    SPARSE,
    TUPLE,
    DrawnInput,
    DrawnSignature,
    module_inputs,
    signatures,
    write_exporter,
)
from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.model import TensorSpec

Drawn = Sequence[DrawnSignature]
Declared = dict[str, tuple[str, Any, str]]

EXAMPLES = 4


@pytest.fixture(scope="module")
def drawing(pytestconfig: pytest.Config) -> settings:
    """How many models are drawn, and whether always the same: as ``--savedmodel-examples`` and ``--savedmodel-random`` say."""
    return settings(
        max_examples=int(pytestconfig.getoption("savedmodel_examples") or EXAMPLES),
        deadline=None,
        derandomize=not pytestconfig.getoption("savedmodel_random"),
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("producer", ["1.15.5", "2.11.1", "2.21.0"])
def test_graphs(
    producer: str, savedmodel_runner: Runner, tmp_path: Path, drawing: settings
) -> None:
    """A builder of TensorFlow 1 keeps every key and name, whatever it is, and sparse and ragged inputs as such."""
    # Older releases lose shapes of sparse inputs, see `test_shapes_of_sparse_placeholders`, and write no defaults.
    kinds = (DENSE,) if producer == "1.15.5" else (DENSE, SPARSE, RAGGED)

    @drawing
    @given(signatures(kinds=kinds, defaults=producer == "2.21.0"))
    def survives(drawn: Drawn) -> None:
        for strip in (True, False):
            model = exported(savedmodel_runner, tmp_path, drawn, "export_graph", producer, strip)
            assert declared(model) == {
                each.key: {one.name: (one.dtype, one.shape, one.kind) for one in each.inputs}
                for each in drawn
            }
            for each in drawn:
                assert defaults(model, each.key) == defaults_of(each)
            answers_everywhere(savedmodel_runner, model)

    survives()


@pytest.mark.parametrize("producer", ["2.4.4", "2.14.1", "2.21.0"])
def test_modules(
    producer: str, savedmodel_runner: Runner, tmp_path: Path, drawing: settings
) -> None:
    """A module keeps identifiers; nests, sparse and ragged inputs are taken apart into dense ones with numbers."""
    drawn_signatures = signatures(kinds=KINDS, odd_names=False, defaults=producer != "2.4.4")

    @drawing
    @given(drawn_signatures)
    def survives(drawn: Drawn) -> None:
        model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
        assert declared(model) == {
            each.key: {
                alias: (leaf.dtype, leaf.shape, DENSE)
                for alias, leaf in module_inputs(each).items()
            }
            for each in drawn
        }
        for each in drawn:
            assert defaults(model, each.key) == defaults_of(each)
        answers_everywhere(savedmodel_runner, model)

    survives()


@pytest.mark.parametrize("producer", ["1.15.5", "2.0.4", "2.4.4"])
def test_shapes_of_sparse_placeholders(
    producer: str, savedmodel_runner: Runner, tmp_path: Path
) -> None:
    """Up to 2.0 a shape that is known in part is not known any more, and one that is known is a constant that nobody can feed."""
    keeps = producer == "2.4.4"
    for shape in ((None, 2), (2, 3)):
        drawn = [DrawnSignature("predict", (DrawnInput("x", "float32", shape, SPARSE),))]
        if not keeps and None not in shape:
            with pytest.raises(ExportError, match=r"shape:0.* may not be fed"):
                exported(savedmodel_runner, tmp_path, drawn, "export_graph", producer, strip=True)
            continue
        model = exported(savedmodel_runner, tmp_path, drawn, "export_graph", producer, strip=True)
        expected = shape if keeps else (None, None)
        assert declared(model) == {"predict": {"x": ("float32", expected, SPARSE)}}


# What TensorFlow takes for the name of a node, it takes for that of an input.
KEPT = ("x", "a/b", "1", "a.b", "a-b", "n" * 200)
REFUSED = ("_hidden", "two words", "é", "x:0")


@pytest.mark.parametrize("name", [*KEPT, *REFUSED, "lambda"])
@pytest.mark.parametrize("producer", ["2.11.1", "2.21.0"])
def test_names_of_modules(
    producer: str, name: str, savedmodel_runner: Runner, tmp_path: Path
) -> None:
    """A module keeps a name that a node may have, and refuses others at export; a keyword of Python it refuses from 2.12 on."""
    drawn = [DrawnSignature("serving_default", (DrawnInput(name, "float32", (None,)),))]
    refused = name in REFUSED or (name == "lambda" and producer == "2.21.0")
    if not refused:
        model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
        assert list(declared(model)["serving_default"]) == [name]
        return
    with pytest.raises(ExportError) as error:
        exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
    words = "is not a valid parameter name" if name == "lambda" else "non-unique argument names"
    assert words in str(error.value)


FLOAT, INT = DrawnInput("x", "float32", (None,)), DrawnInput("y", "int32", (2,))
SOME_NAMED = "a named spec, and a dict without names, in a tuple"
NESTED = {
    "a dict, by its keys' order": (
        DrawnInput("nest", kind=DICT, parts=(INT, FLOAT)),
        ["nest float32", "nest_1 int32"],
    ),
    "a tuple without names": (
        DrawnInput("nest", kind=TUPLE, parts=(replace(INT, name=""), replace(FLOAT, name=""))),
        ["nest int32", "nest_1 float32"],
    ),
    "a tuple of named specs": (
        DrawnInput("nest", kind=TUPLE, parts=(INT, FLOAT)),
        ["y int32", "x float32"],
    ),
    SOME_NAMED: (
        DrawnInput("nest", kind=TUPLE, parts=(FLOAT, DrawnInput("", kind=DICT, parts=(INT,)))),
        ["x float32", "nest int32"],
    ),
}


@pytest.mark.parametrize("nest", NESTED)
@pytest.mark.parametrize("producer", ["2.1.4", "2.3.4", "2.11.1", "2.21.0"])
def test_nests(producer: str, nest: str, savedmodel_runner: Runner, tmp_path: Path) -> None:
    """A nest becomes dense inputs that are called like the argument, with numbers; a spec's own name is kept."""
    one, expected = NESTED[nest]
    drawn = [DrawnSignature("serving_default", (one,))]
    if producer == "2.1.4" and nest == SOME_NAMED:
        with pytest.raises(ExportError, match="either zero or all names have to be specified"):
            exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
        return
    model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
    found = declared(model)["serving_default"]
    assert sorted(f"{alias} {dtype}" for alias, (dtype, _, _) in found.items()) == sorted(expected)


@pytest.mark.parametrize("producer", ["2.0.4", "2.11.1", "2.21.0"])
def test_a_name_that_a_part_has_taken(
    producer: str, savedmodel_runner: Runner, tmp_path: Path
) -> None:
    """An argument is renamed without a word where a part of another has its name."""
    sparse, named = DrawnInput("x", "float32", (None, 2), SPARSE), DrawnInput("x_1", "int32", ())
    drawn = [DrawnSignature("serving_default", (sparse, named))]
    model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
    found = {alias: dtype for alias, (dtype, _, _) in declared(model)["serving_default"].items()}
    assert found == {"x": "int64", "x_1": "float32", "x_2": "int64", "x_1_1": "int32"}


# How a function may be given a default, and what becomes of it: kept, dropped without a word, or refused with these words.
KEEPS, DROPS, REFUSES = "keeps", "drops", "refuses"
GIVEN = ("tensor of one", "tensor", "array", "list", "number")
FATES = {
    "2.12.1": (REFUSES, REFUSES, REFUSES, DROPS, DROPS),
    "2.13.1": (DROPS, REFUSES, REFUSES, REFUSES, REFUSES),
    "2.14.1": (KEEPS, KEEPS, DROPS, DROPS, DROPS),
    "2.21.0": (KEEPS, KEEPS, DROPS, DROPS, DROPS),
}


@pytest.mark.parametrize("given_as", GIVEN)
@pytest.mark.parametrize("producer", FATES)
def test_defaults_of_modules(
    producer: str, given_as: str, savedmodel_runner: Runner, tmp_path: Path
) -> None:
    """A module's signature has a default where the function has a `tf.Tensor` for it; of a number nothing is left."""
    shape, value = ((), (5,)) if given_as in {"number", "tensor of one"} else ((2,), (5, 7))
    kind = given_as.partition(" ")[0]
    one = DrawnInput("scale", "float32", shape, default=value, default_as=kind)
    drawn = [DrawnSignature("serving_default", (one,))]
    fate = dict(zip(GIVEN, FATES[producer], strict=True))[given_as]
    if fate == REFUSES:
        words = "No encoder for object|has no attribute 'numpy'|truth value of an array"
        with pytest.raises(ExportError, match=words):
            exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
        return
    model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
    found = defaults(model, "serving_default")
    assert found == (defaults_of(drawn[0]) if fate == KEEPS else {})


@pytest.mark.parametrize("producer", ["2.4.4", "2.5.3", "2.11.1", "2.13.1", "2.21.0"])
def test_outputs_of_modules(producer: str, savedmodel_runner: Runner, tmp_path: Path) -> None:
    """A sparse and a ragged output stay what they are from 2.5 on; before, they are refused."""
    inputs = (
        DrawnInput("words", "string", (None, None), RAGGED),
        DrawnInput("x", "float32", (None, 2), SPARSE),
    )
    drawn = [DrawnSignature("serving_default", inputs)]
    model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
    assert model.meta_graph is not None
    outputs = model.meta_graph.signatures["serving_default"].outputs
    if producer == "2.4.4":
        # What such a release cannot say is not asked of it.
        assert not any(name.startswith("same") for name in outputs)
        return
    assert told(outputs["same_1"])[::2] == ("float32", SPARSE)
    assert outputs["same_0"].encoding is Encoding.COMPOSITE
    answers_everywhere(savedmodel_runner, model)


def exported(  # noqa: PLR0917 - all of an export
    runner: Runner, folder: Path, drawn: Drawn, function: str, producer: str, strip: bool
) -> Model:
    """Export a model of these signatures for real."""
    file = write_exporter(folder / str(len(list(folder.iterdir()))), tuple(drawn))
    return runner.export(f"{file}::{function}", producer=producer, strip=strip)


def declared(model: Model) -> dict[str, Declared]:
    """What the model says of its signatures, but for TensorFlow's own."""
    assert model.meta_graph is not None
    return {
        key: {name: told(spec) for name, spec in signature.inputs.items()}
        for key, signature in model.meta_graph.signatures.items()
        if not signature.is_internal
    }


def told(spec: TensorSpec) -> tuple[str, Any, str]:
    """A dtype, a shape and a kind."""
    if spec.encoding is Encoding.COMPOSITE:
        values = next(iter(spec.components.values()))
        return values.dtype, (None, None, *(values.shape or ())[1:]), RAGGED
    kind = SPARSE if spec.encoding is Encoding.SPARSE else DENSE
    return spec.dtype, spec.shape, kind


def defaults(model: Model, key: str) -> dict[str, Any]:
    """The defaults that a signature declares."""
    assert model.meta_graph is not None
    declared_ones = model.meta_graph.signatures[key].defaults
    return {alias: (array.shape, array.tolist()) for alias, array in declared_ones.items()}


def defaults_of(drawn: DrawnSignature) -> dict[str, Any]:
    """The defaults that were drawn."""
    return {
        one.name: (array.shape, array.tolist())
        for one in drawn.inputs
        if one.default is not None
        for array in [array_of(one)]
    }


def array_of(one: DrawnInput) -> np.ndarray[Any, Any]:
    """A default as an array."""
    shape = (OPEN,) if one.shape is None else tuple(OPEN if n is None else n for n in one.shape)
    if one.dtype == "string":
        words = [str(each).encode() for each in one.default or ()]
        return np.array(words, object).reshape(shape)
    return np.array(one.default, dtype_from_name(one.dtype).numpy).reshape(shape)


def answers_everywhere(runner: Runner, model: Model) -> None:
    """The static rules find no fault, all that loads it answers alike, and what does not was predicted."""
    assert [found for found in check(model.path).findings if found.severity.value == "error"] == []
    results = runner.run_all(model, Where(on=f"smoke,{model.producer}"))
    assert disagreements(results) == []
    at_home = [result for result in results if result.cell.consumer == model.producer]
    assert {result.outcome.value for result in at_home} <= {"pass", "not-run"}, at_home
    for result in results:
        fate = result.outcome.value, result.stage.value if result.stage else None
        assert fate[0] in {"pass", "not-run"} or fate == ("fail", "load"), result

"""Models of signatures that nobody wrote: names, dtypes, shapes, sparse and ragged inputs, drawn and exported in real producers.

What is read of the model is what was drawn, every release that loads it answers what the producer computed, and what does not load
was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from savedmodel_compat.checks.run import check
from savedmodel_compat.errors import ExportError
from savedmodel_compat.matrix.predicted import disagreements
from savedmodel_compat.matrix.session import Where
from savedmodel_compat.model.values import Encoding
from savedmodel_compat.search.signatures import (
    DENSE,
    RAGGED,
    SPARSE,
    DrawnInput,
    DrawnSignature,
    signatures,
    write_exporter,
)

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.model import TensorSpec

Drawn = Sequence[DrawnSignature]
Declared = dict[str, tuple[str, Any, str]]

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("producer", ["1.15.5", "2.11.1", "2.21.0"])
def test_graphs(producer: str, savedmodel_runner: Runner, tmp_path: Path) -> None:
    """A builder of TensorFlow 1 keeps every key and name, whatever it is, and sparse inputs as such."""
    # Older releases lose shapes of sparse inputs: see `test_shapes_of_sparse_placeholders`.
    drawn_signatures = signatures(kinds=(DENSE,) if producer == "1.15.5" else (DENSE, SPARSE))

    @FEW
    @given(drawn_signatures)
    def survives(drawn: Drawn) -> None:
        for strip in (True, False):
            model = exported(savedmodel_runner, tmp_path, drawn, "export_graph", producer, strip)
            assert declared(model) == {
                each.key: {one.name: (one.dtype, one.shape, one.kind) for one in each.inputs}
                for each in drawn
            }
            answers_everywhere(savedmodel_runner, model)

    survives()


@pytest.mark.parametrize("producer", ["2.4.4", "2.21.0"])
def test_modules(producer: str, savedmodel_runner: Runner, tmp_path: Path) -> None:
    """A module keeps identifiers; of sparse and ragged inputs each part becomes a dense one with a number."""
    drawn_signatures = signatures(kinds=(DENSE, SPARSE, RAGGED), odd_names=False)

    @FEW
    @given(drawn_signatures)
    def survives(drawn: Drawn) -> None:
        model = exported(savedmodel_runner, tmp_path, drawn, "export_module", producer, strip=True)
        assert declared(model) == {
            each.key: {name: spec for one in each.inputs for name, spec in parts(one).items()}
            for each in drawn
        }
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
    kind = SPARSE if spec.encoding is Encoding.SPARSE else DENSE
    return spec.dtype, spec.shape, kind


def parts(one: DrawnInput) -> Declared:
    """What a module makes of an input."""
    if one.kind == SPARSE:
        assert one.shape is not None
        rank = len(one.shape)
        return {
            one.name: ("int64", (None, rank), DENSE),
            f"{one.name}_1": (one.dtype, (None,), DENSE),
            f"{one.name}_2": ("int64", (rank,), DENSE),
        }
    if one.kind == RAGGED:
        assert one.shape is not None
        return {
            one.name: (one.dtype, (None, *one.shape[2:]), DENSE),
            f"{one.name}_1": ("int64", (None,), DENSE),
        }
    return {one.name: (one.dtype, one.shape, DENSE)}


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

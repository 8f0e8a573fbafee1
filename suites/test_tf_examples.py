"""`tf.Example`s, sparse and ragged tensors: what the harness reads in a graph about them, and what every consumer makes of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat.matrix.examples import Feature, parsed_features
from savedmodel_compat.model import Encoding

if TYPE_CHECKING:
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]
Check = Callable[..., "Report"]

EXAMPLES = "suites/exporters/tf_example.py"
COMPOSITES = "suites/exporters/composites.py"
NUMBERS = Feature(name=b"numbers", dtype="float32", shape=(2,))
ANY_FLOATS = Feature(name=b"values", dtype="float32", shape=(None,))
ANY_STRINGS = Feature(name=b"words", dtype="string", shape=(None,))


@pytest.mark.parametrize(
    ("function", "producers", "features"),
    [
        (
            "export_builder",
            "1.4.1,1.15.5,2.21.0",
            (
                Feature(name=b"count", dtype="int64", shape=()),
                NUMBERS,
                ANY_FLOATS,
                Feature(name=b"word", dtype="string", shape=(1,)),
                ANY_STRINGS,
            ),
        ),
        (
            "export_features",
            "1.4.1,1.15.5,2.21.0",
            (
                NUMBERS,
                Feature(name=b"padded", dtype="int64", shape=(None,)),
                Feature(name=b"places", dtype="int64", shape=(None,)),
                ANY_FLOATS,
                ANY_STRINGS,
            ),
        ),
        ("export_ragged", "2.4.4,2.21.0", (NUMBERS, ANY_FLOATS, ANY_STRINGS)),
        ("export_single", "2.0.4,2.21.0", (NUMBERS,)),
    ],
)
def test_the_features_that_a_graph_parses_are_found(
    function: str, producers: str, features: tuple[Feature, ...], savedmodel_export: Export
) -> None:
    """Each kind of feature, whichever op parses it, at the graph's top, in a function, or in a loop."""
    for producer in producers.split(","):
        model = savedmodel_export(f"{EXAMPLES}::{function}", producer=producer, strip=True)
        assert model.meta_graph is not None
        tensor = model.meta_graph.signatures["serving_default"].inputs["examples"].name
        assert parsed_features(model.meta_graph.proto.graph_def, tensor) == features, producer


@pytest.mark.parametrize(
    "exporter",
    [
        f"{EXAMPLES}::export_builder",
        f"{EXAMPLES}::export_features",
        f"{COMPOSITES}::export_builder",
    ],
)
def test_examples_and_composites_of_1_15_answer_everywhere(
    exporter: str, savedmodel_export: Export, savedmodel_run: Run, savedmodel_check: Check
) -> None:
    """What a v1 builder saved gives the producer's numbers in every consumer that is as new, with each loader."""
    model = savedmodel_export(exporter, producer="1.15.5", strip=True)
    savedmodel_check(model.path)
    assert _all_pass(savedmodel_run(model, on="smoke"))
    assert _all_pass(savedmodel_run(model, on="2.21.0", provider="venv", loader="v1,v2"))


@pytest.mark.parametrize("exporter", [f"{EXAMPLES}::export_ragged", f"{COMPOSITES}::export_module"])
def test_examples_and_composites_of_a_module_answer_everywhere(
    exporter: str, savedmodel_export: Export, savedmodel_run: Run, savedmodel_check: Check
) -> None:
    """So does what `tf.saved_model.save` of 2.11 saved, from the releases on that know its ops."""
    model = savedmodel_export(exporter, producer="2.11.1", strip=True)
    savedmodel_check(model.path)
    assert _all_pass(savedmodel_run(model, on="2.4.4,2.11.1,2.21.0"))
    assert _all_pass(savedmodel_run(model, on="2.21.0", provider="venv", loader="v1,v2"))


def test_made_up_examples_are_parsed(
    tmp_path: Path, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Without a recording, Examples are made up from what the graph parses, and the releases agree on the answers."""
    model = savedmodel_export(f"{EXAMPLES}::export_builder", producer="1.15.5", strip=True)
    copy = shutil.copytree(model.path, tmp_path / "copy")
    results = savedmodel_run(copy, on="1.15.5,2.21.0")
    assert [result.outcome.value for result in results] == ["pass", "pass"]
    assert all(result.compared for result in results)


@pytest.mark.parametrize(
    ("producer", "keys"),
    [
        ("2.4.4", {"serving_default", "ragged_sums"}),
        ("2.5.3", {"serving_default", "ragged_sums", "sparse", "ragged"}),
        ("2.21.0", {"serving_default", "ragged_sums", "sparse", "ragged"}),
    ],
)
def test_composites_of_a_module_come_in_as_numbered_tensors(
    producer: str, keys: set[str], savedmodel_export: Export
) -> None:
    """A signature has the parts of a composite input as inputs of their own; from 2.5 on its outputs may be composite."""
    model = savedmodel_export(f"{COMPOSITES}::export_module", producer=producer, strip=True)
    assert model.meta_graph is not None
    signatures = model.meta_graph.signatures
    assert {key for key in signatures if not key.startswith("__")} == keys
    assert set(signatures["serving_default"].inputs) == {"x", "x_1", "x_2"}
    assert set(signatures["ragged_sums"].inputs) == {"x", "x_1"}
    encodings = {key: signatures[key].outputs["y"].encoding for key in keys}
    wanted = {
        "serving_default": Encoding.DENSE,
        "ragged_sums": Encoding.DENSE,
        "sparse": Encoding.SPARSE,
        "ragged": Encoding.COMPOSITE,
    }
    assert encodings == {key: wanted[key] for key in keys}


def _all_pass(results: list[Result]) -> bool:
    for result in results:
        assert result.outcome.value == "pass", (result.cell.id, result.causes, result.message)
        assert result.reference == "export"
    return bool(results)

"""Every way of making a SavedModel, from every producer of a tier to every consumer of it, with every loader that applies.

``--savedmodel-on`` names the tier: ``smoke``, ``default`` or ``all``. Producers and consumers are the same releases. Each signature
is fed with its golden and compared with it, what becomes of it has to be what was predicted, and what does not work has to be
written in ``expectations.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat.report.scenarios_page import read_scenarios

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result

ROOT = Path(__file__).parent.parent
SCENARIOS = {each.name: each.exporters for each in read_scenarios(ROOT / "suites/scenarios.toml")}
GOLDEN = "golden"

# Each of its fifty signatures gives back what it is fed, by ops without any attr that could be stripped.
DTYPES = "every_dtype"
# Keras names their inputs or outputs otherwise from release to release: what the producer computed is the reference.
UNLIKE = ("keras_sequential", "keras_subclassed")
CARRIERS = SCENARIOS["attrs"]
EXPORTERS = [
    name
    for scenario, names in SCENARIOS.items()
    for name in names
    if name not in {DTYPES, *UNLIKE} and scenario != "attrs"
]
KERAS = [*SCENARIOS["keras"], "keras_reusable"]
# What stripping does is the same graph to every loader: without it the Python ones read one release that writes attrs
# which the older half of a tier does not know.
UNSTRIPPED = "2.11.1"
NEWEST = "2.21.0"


@pytest.mark.savedmodel(
    *EXPORTERS, producers="on", loader="c", golden_dir=GOLDEN, strict_prediction=True
)
def test_cpp(savedmodel_cell: list[Result]) -> None:
    """TensorFlow's C++ loader gives the answers of the golden, stripped and not."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *EXPORTERS,
    producers="on",
    strip="on",
    provider="venv",
    loader="v1,v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_python(savedmodel_cell: list[Result]) -> None:
    """So do ``tf.compat.v1.saved_model.load`` and ``tf.saved_model.load``."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *EXPORTERS,
    producers=UNSTRIPPED,
    strip="off",
    provider="venv",
    loader="v1,v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_python_unstripped(savedmodel_cell: list[Result]) -> None:
    """And of what was not stripped, as far as each of them forgives it."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(*KERAS, producers="on", strip="on", provider="venv", loader="keras")
def test_keras(savedmodel_cell: list[Result]) -> None:
    """Keras gives the producer's answers: ``load_model``, and from Keras 3 on ``TFSMLayer``."""
    assert all(result.reference == "export" for result in savedmodel_cell)


@pytest.mark.savedmodel(*UNLIKE, producers="on", loader="c", strict_prediction=True)
def test_unlike_cpp(savedmodel_cell: list[Result]) -> None:
    """A model whose names differ from release to release gives the answers of the release that wrote it."""
    assert all(result.reference == "export" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *UNLIKE, producers="on", strip="on", provider="venv", loader="v1,v2", strict_prediction=True
)
def test_unlike_python(savedmodel_cell: list[Result]) -> None:
    """Through the Python loaders, too."""
    assert all(result.reference == "export" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *CARRIERS, producers="on", loader="c", golden_dir=GOLDEN, strict_prediction=True
)
def test_attrs_cpp(savedmodel_cell: list[Result]) -> None:
    """An attr that came later, at its default and set, does to the C++ loader what was predicted."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *CARRIERS,
    producers=NEWEST,
    strip="on",
    provider="venv",
    loader="v1,v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_attrs_python(savedmodel_cell: list[Result]) -> None:
    """And to the Python loaders, from the release that has them all."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    DTYPES,
    producers="on",
    strip="on",
    loader="c",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_dtypes_cpp(savedmodel_cell: list[Result]) -> None:
    """Every dtype that a signature may carry comes back as it was, through the C++ loader."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    DTYPES,
    producers=NEWEST,
    strip="on",
    provider="venv",
    loader="v1,v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_dtypes_python(savedmodel_cell: list[Result]) -> None:
    """And through the Python loaders."""
    assert all(result.reference == "golden" for result in savedmodel_cell)

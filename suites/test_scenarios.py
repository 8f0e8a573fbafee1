"""Every way of making a SavedModel, from every producer of a tier to every consumer of it, with every loader that applies.

``--savedmodel-on`` names the tier: ``smoke``, ``default`` or ``all``. Producers and consumers are the same releases. Each signature
is fed with its golden and compared with it, what becomes of it has to be what was predicted, and what does not work has to be
written in ``expectations.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from suites.recorded import departure

from savedmodel_compat.golden.store import Store
from savedmodel_compat.matrix.ready import is_unsupported
from savedmodel_compat.report.scenarios_page import read_scenarios
from savedmodel_compat.runtimes import pins, specs

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.runner import Runner

ROOT = Path(__file__).parent.parent
SCENARIOS = {each.name: each.exporters for each in read_scenarios(ROOT / "suites/scenarios.toml")}
GOLDEN = "golden"

# Each of its fifty signatures gives back what it is fed, by ops without any attr that could be stripped.
DTYPES = "every_dtype"
# Keras names their inputs or outputs otherwise from release to release: the cells' reference is what the producer computed, and that
# is held against the golden by value.
UNLIKE = ("keras_sequential", "keras_subclassed")
CARRIERS = SCENARIOS["attrs"]
SET = [name for name in CARRIERS if name.endswith("_set")]
EXPORTERS = [
    name
    for scenario, names in SCENARIOS.items()
    for name in names
    if name not in {DTYPES, *UNLIKE} and scenario != "attrs"
]
KERAS = [*SCENARIOS["keras"], "keras_reusable"]
# Without stripping the v1 loader reads one release that writes attrs which the older half of a tier does not know.
UNSTRIPPED = "2.11.1"
# The newest release writes every attr; another one writes what comes of the older half of them.
CARRYING = "2.11.1,2.21.0"
NEWEST = "2.21.0"
ENDS = "1.15.5,2.21.0"


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
    loader="v1",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_python_unstripped(savedmodel_cell: list[Result]) -> None:
    """And of what was not stripped the v1 loader, which forgives it as far as the graph goes."""
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
    *CARRIERS, producers=CARRYING, loader="c", golden_dir=GOLDEN, strict_prediction=True
)
def test_attrs_cpp(savedmodel_cell: list[Result]) -> None:
    """An attr that came later, at its default and set, does to the C++ loader what was predicted."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    *SET,
    producers=NEWEST,
    strip="on",
    provider="venv",
    loader="v1,v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_attrs_python(savedmodel_cell: list[Result]) -> None:
    """And, where it is set, to the Python loaders, from the release that has them all."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.savedmodel(
    DTYPES,
    producers=ENDS,
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
    loader="v2",
    golden_dir=GOLDEN,
    strict_prediction=True,
)
def test_dtypes_python(savedmodel_cell: list[Result]) -> None:
    """And through a Python loader."""
    assert all(result.reference == "golden" for result in savedmodel_cell)


@pytest.mark.parametrize("exporter", [*EXPORTERS, *CARRIERS, DTYPES, *UNLIKE])
def test_what_producers_compute_is_the_golden(
    exporter: str, savedmodel_runner: Runner, pytestconfig: pytest.Config
) -> None:
    """What an exporter recorded in each producer, before it saved, is what the golden says of each signature."""
    tier = pytestconfig.getoption("savedmodel_on") or "smoke"
    store = Store(ROOT / GOLDEN)
    compared, refused, wrong = 0, [], []
    for pin in specs.select(tier, pins.load()):
        made = savedmodel_runner.export_or_say(exporter, producer=pin.release, strip=True)
        if made.problem is not None:
            if not is_unsupported(made.problem):
                raise made.problem
            refused.append(f"{pin.release}: {made.problem.message}")
        for model in made.models:
            for case in model.cases:
                text = departure(model, case, store, by_value=exporter in UNLIKE)
                if text is not None:
                    wrong.append(f"{pin.release}, {'+'.join(model.tags)}, {case.signature}: {text}")
                compared += 1
    if wrong:
        pytest.fail("\n".join(wrong))
    if not compared and refused:
        pytest.skip("; ".join(refused))
    assert compared

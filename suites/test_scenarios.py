"""Every way of making a SavedModel, from every producer of a tier to every consumer of it, with every loader that applies.

``--savedmodel-on`` names the tier: ``smoke``, ``default`` or ``all``. Producers and consumers are the same releases. Each signature
is fed with its golden and compared with it, what becomes of it has to be what was predicted, and what does not work has to be
written in ``expectations.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from savedmodel_compat.golden.store import Store
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.goldens import with_golden
from savedmodel_compat.matrix.ready import is_unsupported
from savedmodel_compat.matrix.references import Reference, compare_answers
from savedmodel_compat.report.scenarios_page import read_scenarios
from savedmodel_compat.runtimes import pins, specs
from savedmodel_compat.runtimes.verdicts import Answer

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.runtimes.wire import Arrays

ROOT = Path(__file__).parent.parent
SCENARIOS = {each.name: each.exporters for each in read_scenarios(ROOT / "suites/scenarios.toml")}
GOLDEN = "golden"

# Each of its fifty signatures gives back what it is fed, by ops without any attr that could be stripped.
DTYPES = "every_dtype"
# Keras names their inputs or outputs otherwise from release to release: what the producer computed is the reference.
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


@pytest.mark.parametrize("exporter", [*EXPORTERS, *CARRIERS])
def test_what_producers_compute_is_the_golden(
    exporter: str, savedmodel_runner: Runner, pytestconfig: pytest.Config
) -> None:
    """What an exporter recorded in its producer, before it saved, is what the golden says of the same inputs."""
    tier = pytestconfig.getoption("savedmodel_on") or "smoke"
    compared, refused = 0, []
    for pin in specs.select(tier, pins.load()):
        made = savedmodel_runner.export_or_say(exporter, producer=pin.release, strip=True)
        if made.problem is not None:
            if not is_unsupported(made.problem):
                raise made.problem
            refused.append(f"{pin.release}: {made.problem.message}")
        for model in made.models:
            compared += sum(unlike(model, case) is None for case in model.cases)
    if not compared and refused:
        pytest.skip("; ".join(refused))
    assert compared


def unlike(model: Model, case: Case) -> str | None:
    """Fail where what was recorded is not what the golden says; return why a signature was not compared."""
    golden = with_golden(model, case, Store(ROOT / GOLDEN))
    if case.expected is None or golden.expected is None:
        return "there is no recording, or no golden"
    pairs = list(same_inputs(case, golden))
    reference = Reference(
        name="golden", outputs=tuple(outputs for _, outputs in pairs), against=None
    )
    answers = tuple(Answer(outputs=recorded) for recorded, _ in pairs)
    found = compare_answers(answers, reference, Policy())
    if found.differences:
        pytest.fail(
            f"{model.name} of {model.producer}, {case.signature}: {found.differences[0].text}"
        )
    return None if pairs else "the golden has other inputs"


def same_inputs(recorded: Case, golden: Case) -> Iterator[tuple[Arrays, Arrays]]:
    """Yield the outputs that were recorded and those of the golden, for the inputs that both have."""
    assert recorded.expected is not None
    assert golden.expected is not None
    if len(recorded.feeds) > 1:
        # A row of calls, whose answers may depend on their order.
        yield from zip(recorded.expected, golden.expected, strict=True)
        return
    [fed], [outputs] = recorded.feeds, recorded.expected
    for other, said in zip(golden.feeds, golden.expected, strict=True):
        if all(np.array_equal(fed[alias], other[alias]) for alias in other):
            yield outputs, said
            break

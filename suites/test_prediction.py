"""What is predicted of a model, and what every release does with it: the two must not differ.

The models are those of some registered exporters, exported by several producers with and without
``strip_default_attrs``, and third-party models where there are any. `SAVEDMODEL_COMPAT_PRODUCERS`
names other producers, such as `all`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat import config
from savedmodel_compat.matrix.cells import Foreseen, Outcome
from savedmodel_compat.matrix.predicted import disagreements
from savedmodel_compat.matrix.ready import is_unsupported
from savedmodel_compat.report.words import disagreement
from savedmodel_compat.runtimes import pins, specs

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner

Run = Callable[..., "list[Result]"]

ROOT = Path(__file__).parent.parent
PRODUCERS = os.environ.get("SAVEDMODEL_COMPAT_PRODUCERS", "1.15.5,2.21.0")
CONSUMERS = [pin.release for pin in pins.load().on("cpu")]
MOST_UNKNOWN = 0.02

# Those of the other scenarios have to be as predicted, too: `test_scenarios.py`, in the releases of its tier.
EXPORTERS = (
    "ctc_greedy_decoder",
    "functions",
    "functions_module",
    "half_plus_two",
    "half_plus_two_module",
    "mnist_cnn",
    "mnist_cnn_module",
)

everywhere = pytest.mark.parametrize("consumer", CONSUMERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """The models of all exporters, and why some are missing."""

    models: tuple[Model, ...]
    left_out: tuple[str, ...]


@pytest.fixture(scope="session")
def exports(savedmodel_runner: Runner) -> Exports:
    """The exporters' models, by every producer, with and without stripping."""
    configuration = config.read(ROOT / "pyproject.toml")
    producers = [pin.release for pin in specs.select(PRODUCERS, pins.load(configuration))]
    models: list[Model] = []
    left_out: list[str] = []
    for producer in producers:
        for exporter in EXPORTERS:
            for strip in (False, True):
                made = savedmodel_runner.export_or_say(exporter, producer=producer, strip=strip)
                if made.model is not None:
                    models.append(made.model)
                elif made.problem is not None:
                    if not is_unsupported(made.problem):
                        raise made.problem
                    left_out.append(f"{made.order.label}: {made.problem.message}")
    return Exports(models=tuple(models), left_out=tuple(left_out))


@everywhere
def test_exports_are_as_predicted(
    consumer: str, exports: Exports, savedmodel_run: Run, record_property: Callable[..., None]
) -> None:
    """Whether a release loads and runs what an exporter made, and if not for which cause, is known beforehand."""
    record_property("suite", "prediction")
    for label in exports.left_out:
        record_property("left out", label)
    assert exports.models
    judge([r for model in exports.models for r in savedmodel_run(model, on=consumer)])


@everywhere
def test_third_party_models_are_as_predicted(
    consumer: str, corpus: Path, savedmodel_run: Run, record_property: Callable[..., None]
) -> None:
    """So it is for models that others made."""
    record_property("suite", "prediction")
    folders = sorted(path for path in corpus.iterdir() if path.is_dir())
    judge([result for folder in folders for result in savedmodel_run(folder, on=consumer)])


def judge(results: Sequence[Result]) -> None:
    """Fail with the cells that differ from their predictions, or if too many have none."""
    broken = [result for result in results if result.outcome is Outcome.INFRA_ERROR]
    if broken:
        pytest.fail(f"{broken[0].cell.id}: {broken[0].reason}", pytrace=False)
    differing = disagreements(results)
    if differing:
        pytest.fail("\n\n".join(map(disagreement, differing)), pytrace=False)
    said = [(result.cell.id, result.predicted) for result in results if result.predicted]
    assert said
    unknown = [f"{cell}: {p.why}" for cell, p in said if p.outcome is Foreseen.UNKNOWN]
    if len(unknown) >= MOST_UNKNOWN * len(said):
        words = "\n".join((f"{len(unknown)} of {len(said)} cells are unknown:", *unknown))
        pytest.fail(words, pytrace=False)

"""The goldens of frozen models: what old releases wrote and answered, in every release and way of computing.

Wherever a model loads and runs, it has to answer what its golden says. Whether it does, the registries tell
beforehand, and `test_prediction.py` holds them to it; here a cell that fails otherwise than predicted fails, too. The goldens
of exporters are those of `test_scenarios.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat.golden import frozen
from savedmodel_compat.golden.store import Store
from savedmodel_compat.matrix.cells import Outcome, Stage
from savedmodel_compat.matrix.goldens import with_goldens
from savedmodel_compat.matrix.predicted import disagreements
from savedmodel_compat.report.words import disagreement, in_words
from savedmodel_compat.runtimes import devices, pins

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner

Run = Callable[..., "list[Result]"]

ROOT = Path(__file__).parent.parent
GOLDENS = Store(ROOT / "golden")
CONSUMERS = [pin.release for pin in pins.load().on("cpu")]
SMOKE = "1.15.5,2.4.4,2.11.1,2.21.0"
FROZEN = frozen.names(GOLDENS.root)
VARIANTS = [device.name for device in devices.DEVICES if device.base == "cpu"]


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_frozen_models_answer_what_they_answered(
    consumer: str, savedmodel_runner: Runner, savedmodel_run: Run
) -> None:
    """What named releases wrote once loads and answers as it did, in every release that takes it."""
    passed = 0
    for name in FROZEN:
        if name.startswith("every_dtype") and consumer not in SMOKE.split(","):
            continue  # some fifty signatures that pass on what they are fed
        results = savedmodel_run(golden(savedmodel_runner.load(frozen_path(name))), on=consumer)
        passed += judge(results)
    assert passed >= (5 if consumer in {"1.4.1", "1.7.1", "1.12.3"} else 7)


@pytest.mark.parametrize("device", VARIANTS)
@pytest.mark.parametrize("name", ["mnist_cnn-1.15.5", "functions_module-2.11.1"])
def test_ways_of_computing_stay_within_their_tolerances(
    name: str, device: str, savedmodel_runner: Runner, savedmodel_run: Run
) -> None:
    """What changes the order of sums changes no answer by more than is allowed for it."""
    model = golden(savedmodel_runner.load(frozen_path(name)))
    results = savedmodel_run(model, on="1.15.5,2.11.1,2.21.0", device=device)
    assert all(result.cell.device == device for result in results)
    assert judge(results)


def test_an_attr_that_is_ignored_is_seen_in_the_answer(
    savedmodel_runner: Runner, savedmodel_run: Run
) -> None:
    """2.5 drops `blank_index`: the model loads and runs there, its golden fails, and both reasons are told."""
    model = golden(savedmodel_runner.load(frozen_path("ctc_greedy_decoder-2.6.5")))
    older, own, newest = savedmodel_run(model, on="2.5.3,2.6.5,2.21.0")
    assert older.stage is Stage.COMPARE
    assert older.causes == ("attr-ignored", "output-mismatch")
    assert (older.detail.op, older.detail.attr) == ("CTCGreedyDecoder", "blank_index")
    assert "data set 'typical': output 'labels': 5 of 8 elements differ" in older.message
    for result in (own, newest):
        assert (result.outcome, result.reference) == (Outcome.PASS, "golden")


def frozen_path(name: str) -> Path:
    """Return where a frozen model lies."""
    return GOLDENS.root / "models" / name


def golden(model: Model) -> Model:
    """Return a model with its goldens; a signature without one would fail."""
    [found] = with_goldens([model], GOLDENS)
    return found


def judge(results: Sequence[Result]) -> int:
    """Fail with what answers otherwise than its golden, or fails otherwise than predicted; return how many passed."""
    wrong = [
        result
        for result in results
        if result.outcome is Outcome.INFRA_ERROR
        or any(cause.startswith(("output-", "golden-")) for cause in result.causes)
    ]
    # What ignores an attr that matters may answer anything; that it is ignored is what was predicted.
    wrong = [result for result in wrong if "attr-ignored" not in result.causes]
    if wrong:
        pytest.fail("\n\n".join(map(in_words, wrong)), pytrace=False)
    differing = disagreements(list(results))
    if differing:
        pytest.fail("\n\n".join(map(disagreement, differing)), pytrace=False)
    passed = [result for result in results if result.outcome is Outcome.PASS]
    assert all(result.reference == "golden" and result.compared for result in passed)
    return len(passed)

"""What Grappler does to a body, and what can be predicted of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.prediction.building import write_chain

from savedmodel_compat.matrix.cells import Foreseen, Outcome
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes.base import Runtime

RELEASES = ("1.12.3", "1.13.2", "2.4.4")


@pytest.mark.parametrize(
    ("chain", "novel", "is_fused"),
    [
        ("MatMul", "MatMul", False),
        ("BiasAdd Relu", "Relu", False),
        ("MatMul BiasAdd", "MatMul", True),
        ("MatMul BiasAdd", "BiasAdd", True),
        ("MatMul BiasAdd Relu", "Relu", True),
    ],
)
def test_an_attr_of_what_is_fused(
    chain: str,
    novel: str,
    is_fused: bool,
    tmp_path: Path,
    wheel_runtime: Callable[[str], Runtime],
) -> None:
    """An unknown attr is an error up to 2.4, unless its node has become part of another before anybody looks."""
    models = load_models([write_chain(tmp_path / "model", chain.split(), novel)])
    consumers = [
        Consumer(
            release=release,
            provider="wheel",
            loader="c",
            device="cpu",
            runtime=wheel_runtime(release),
        )
        for release in RELEASES
    ]
    results = run_matrix(models, consumers, Options())
    # In 1.13.2 only convolutions are fused, which is not told apart.
    doubted = [Foreseen.FAIL, *[Foreseen.UNKNOWN if is_fused else Foreseen.FAIL] * 2]
    assert [result.predicted.outcome for result in results if result.predicted] == doubted
    last = Outcome.PASS if is_fused else Outcome.FAIL
    assert [result.outcome for result in results] == [Outcome.FAIL, Outcome.FAIL, last]
    assert {result.cause for result in results} <= {"attr-unknown", None}
    assert Agreement.DISAGREES not in map(agreement, results)


def test_without_a_novelty_it_runs(tmp_path: Path, wheel_runtime: Callable[[str], Runtime]) -> None:
    """The models are good but for that attr."""
    models = load_models([write_chain(tmp_path / "model", ["MatMul", "BiasAdd", "Relu"], "")])
    asked = Consumer(
        release="2.4.4",
        provider="wheel",
        loader="c",
        device="cpu",
        runtime=wheel_runtime("2.4.4"),
    )
    [result] = run_matrix(models, [asked], Options())
    assert (result.outcome, agreement(result)) == (Outcome.PASS, Agreement.AGREES)

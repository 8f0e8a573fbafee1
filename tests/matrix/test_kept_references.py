"""References that are kept from one run to the next are of the same model and of the same inputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from savedmodel_compat.matrix.runner import Runner
from savedmodel_compat.matrix.session import Session, Where

ROOT = Path(__file__).parent.parent.parent
WHERE = Where(on="2.11.1")


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner of this repository."""
    with Runner(Session.here(start=ROOT), root=ROOT) as runner:
        yield runner


def test_what_an_exporter_recorded_is_no_reference_for_made_up_inputs(runner: Runner) -> None:
    """A model that was run with its recordings is run by its path with other inputs, of other sizes."""
    model = runner.export("half_plus_two", producer="2.11.1", strip=True)
    assert {result.reference for result in runner.run_all(model, WHERE)} == {"export"}
    by_path = runner.run_all(runner.load(model.path), WHERE)
    assert {(r.outcome.value, r.reference) for r in by_path} == {("pass", "2.11.1")}


def test_inputs_of_another_seed_have_a_reference_of_their_own(runner: Runner) -> None:
    """The same path with other made-up inputs is not compared with the answers to the first."""
    path = ROOT / "golden" / "models" / "half_plus_two-1.4.1"
    for seed in (0, 1):
        results = runner.run_all(runner.load(path, seed=seed), WHERE)
        assert {result.outcome.value for result in results} == {"pass"}

"""Models of a TensorFlow that does not exist: what is predicted of them, and what real releases do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from packaging.version import Version
from tests.prediction.building import Novelty, Spot, write

from savedmodel_compat.matrix.cells import Foreseen, Outcome, Result
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes.base import Runtime

RELEASES = ("1.13.2", "1.15.5", "2.4.4", "2.5.3", "2.6.5", "2.21.0")
ATTRS = (Novelty.ATTR_AT_DEFAULT, Novelty.ATTR_SET, Novelty.ATTR_WITHOUT_DEFAULT)
IN_GRAPH = (Spot.REACHED, Spot.LOOSE)
CHOSEN_WHEN_IT_RUNS = (Spot.BRANCH, Spot.NOT_TAKEN)

Key = tuple[Novelty, Spot]


def expected(novelty: Novelty, spot: Spot, release: str) -> str:
    """What a release does, as its own loader's code says; see `prediction.loaders`."""
    if novelty is Novelty.VERSION:
        return "load version-gate"
    if novelty is Novelty.NOTHING or spot is Spot.NOWHERE:
        return "pass"
    if novelty is Novelty.OP:
        builds_calls = Version(release) > Version("1.13.2")
        at_load = spot in {*IN_GRAPH, Spot.LOWERED}
        at_load |= builds_calls and spot in {Spot.CALLED, Spot.NESTED}
        return f"{'load' if at_load else 'run'} op-not-registered"
    if novelty in ATTRS and Version(release) >= Version("2.5"):
        is_told = novelty is not Novelty.ATTR_AT_DEFAULT and spot is not Spot.LOOSE
        return "compare attr-ignored" if is_told else "pass"
    if spot is Spot.NOT_TAKEN:
        return "pass"
    cause = "attr-unknown" if novelty in ATTRS else "attr-value-not-allowed"
    return f"{'load' if spot in IN_GRAPH else 'run'} {cause}"


@pytest.fixture(scope="session")
def results(
    wheel_runtime: Callable[[str], Runtime], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Key, list[Result]]:
    """Every novelty at every spot, in every release."""
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
    folder = tmp_path_factory.mktemp("future")
    keys = [(novelty, spot) for novelty in Novelty for spot in Spot]
    paths = [write(folder / f"{n.name}-{s.name}", n, s) for n, s in keys]
    names = [path.name for path in paths]
    found: dict[Key, list[Result]] = {key: [] for key in keys}
    for result in run_matrix(load_models(paths), consumers, Options(jobs=2)):
        found[keys[names.index(result.cell.model)]].append(result)
    return found


@pytest.mark.parametrize("spot", Spot, ids=lambda spot: spot.name)
@pytest.mark.parametrize("novelty", Novelty, ids=lambda novelty: novelty.name)
def test_releases_do_what_is_expected(
    novelty: Novelty, spot: Spot, results: Mapping[Key, list[Result]]
) -> None:
    """The real loaders refuse, ignore or pass over what they do not know, each at its place."""
    assert [happened(result) for result in results[novelty, spot]] == [
        expected(novelty, spot, release) for release in RELEASES
    ]


@pytest.mark.parametrize("spot", Spot, ids=lambda spot: spot.name)
@pytest.mark.parametrize("novelty", Novelty, ids=lambda novelty: novelty.name)
def test_it_is_predicted(novelty: Novelty, spot: Spot, results: Mapping[Key, list[Result]]) -> None:
    """And so it is predicted, unless it hangs on the branch that a run will take."""
    for result in results[novelty, spot]:
        said = result.predicted
        assert said is not None
        if hangs_on_a_branch(novelty, spot, result.cell.consumer):
            assert said.outcome is Foreseen.UNKNOWN
            assert said.why is not None
            assert "in novel" in said.why
        else:
            assert agreement(result) is Agreement.AGREES
            told = "pass" if said.stage is None else f"{said.stage.value} {', '.join(said.causes)}"
            assert told == expected(novelty, spot, result.cell.consumer)


@pytest.mark.parametrize("novelty", [Novelty.OP, Novelty.ATTR_SET, Novelty.DTYPE])
def test_the_reason_names_the_node(novelty: Novelty, results: Mapping[Key, list[Result]]) -> None:
    """What is predicted and what a release says are about the same node, op and attr."""
    result = results[novelty, Spot.REACHED][2]
    assert result.cell.consumer == "2.4.4"
    assert result.predicted is not None
    assert result.predicted.why is not None
    for part in (result.detail.op, result.detail.attr):
        assert part is None or part in result.predicted.why
    assert f"node {'there' if novelty is Novelty.DTYPE else 'novel'}" in result.predicted.why


def happened(result: Result) -> str:
    """A result in the words of `expected`."""
    if result.outcome is Outcome.PASS:
        return "pass"
    stage = result.stage.value if result.stage else ""
    return f"{stage} {', '.join(result.causes)}"


def hangs_on_a_branch(novelty: Novelty, spot: Spot, release: str) -> bool:
    """Whether only a run tells: a branch is built whole, and its nodes are looked at when it is taken."""
    looked_at_later = novelty is Novelty.DTYPE or (
        novelty in ATTRS and Version(release) < Version("2.5")
    )
    return spot in CHOSEN_WHEN_IT_RUNS and looked_at_later

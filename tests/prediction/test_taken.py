"""An output of another type matters to who takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from packaging.version import Version
from tests.prediction.building import Taker, write_top_k

from savedmodel_compat import model
from savedmodel_compat.matrix.cells import Foreseen, Outcome, Result
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.prediction.usage import usage_of
from savedmodel_compat.runtimes.base import Runtime

# TopKV2.index_type came with 2.13; unknown attrs are ignored from 2.5 on.
RELEASES = ("2.4.4", "2.5.3", "2.12.1", "2.13.1", "2.21.0")


def expected(taker: Taker, release: str) -> str:
    """What a release makes of numbers that it has as int32, if at all."""
    version = Version(release)
    if version >= Version("2.13"):
        return "pass"
    is_taken = taker in {Taker.NODE, Taker.NODE_OF_BODY}
    if is_taken:
        return "load node-inputs-changed"
    if version >= Version("2.5"):
        return "compare attr-ignored"
    return f"{'run' if taker is Taker.NOBODY_IN_BODY else 'load'} attr-unknown"


@pytest.fixture(scope="module")
def results(
    wheel_runtime: Callable[[str], Runtime], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[tuple[Taker, str], Result]:
    """Every taker in every release."""
    folder = tmp_path_factory.mktemp("taken")
    models = load_models([write_top_k(folder / taker.name, taker) for taker in Taker])
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
    found = run_matrix(models, consumers, Options(jobs=2))
    return {(Taker[one.cell.model], one.cell.consumer): one for one in found}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("taker", Taker, ids=lambda taker: taker.name)
def test_releases_mind_what_is_taken(
    taker: Taker, release: str, results: Mapping[tuple[Taker, str], Result]
) -> None:
    """A node that wants int64 is refused its input; who fetches gets what there is."""
    result = results[taker, release]
    assert happened(result) == expected(taker, release)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("taker", Taker, ids=lambda taker: taker.name)
def test_it_is_predicted(
    taker: Taker, release: str, results: Mapping[tuple[Taker, str], Result]
) -> None:
    """And so it is predicted."""
    result = results[taker, release]
    assert result.predicted is not None
    assert result.predicted.outcome is not Foreseen.UNKNOWN
    assert agreement(result) is Agreement.AGREES


@pytest.mark.parametrize(
    ("taker", "ports"),
    [
        (Taker.NOBODY, ("0",)),
        (Taker.FETCH, ("0",)),
        (Taker.NODE, ("1",)),
        (Taker.NODE_OF_BODY, ("indices:0",)),
        (Taker.NOBODY_IN_BODY, ("values:0",)),
    ],
)
def test_what_is_taken_is_said_as_it_is_named(
    taker: Taker, ports: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of an op that releases declare otherwise, by number in the graph and by name in a body; of others nothing is said."""
    folder = write_top_k(tmp_path_factory.mktemp("ports") / "model", taker)
    demands = usage_of(model.read(folder).meta_graphs[0]).demands
    assert {one.op: one.taken for one in demands if one.taken is not None} == {"TopKV2": ports}


def happened(result: Result) -> str:
    """A result in the words of `expected`: of several causes the first."""
    if result.outcome is Outcome.PASS:
        return "pass"
    return f"{result.stage.value if result.stage else ''} {result.causes[0]}"

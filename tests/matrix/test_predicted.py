"""What is predicted of cells, beside what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.matrix.cells import Cell, Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.matrix.exports import Exporter, Order, export_model
from savedmodel_compat.matrix.models import Model, load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import (
    REGISTRY_CAUSES,
    Agreement,
    Predictions,
    agreement,
    disagreements,
)
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

PRODUCER = "2.21.0"
PASSES = Predicted(outcome=Foreseen.PASS)
UNKNOWN = Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.LOAD, why="nobody knows")
MakeConsumers = Callable[..., list[Consumer]]


def fails(stage: str, *causes: str) -> Predicted:
    """The prediction of a failure."""
    return Predicted(outcome=Foreseen.FAIL, stage=Stage(stage), causes=causes, why="because")


AT_LOAD = fails("load", "op-not-registered", "attr-unknown")
UNFINISHED = fails("load", "op-not-registered", "variable-missing")
AT_RUN = fails("run", "kernel-missing")
AT_RUN_IGNORED = fails("run", "attr-ignored", "kernel-missing")
IGNORED = fails("compare", "attr-ignored")

CELL = Cell(
    model="m",
    path=Path("/m"),
    model_sha256="",
    tags=("serve",),
    strip=True,
    producer="2.11.1",
    consumer="2.4.4",
    provider="wheel",
    loader="c",
)


@pytest.mark.parametrize(
    ("said", "stage", "causes", "agrees"),
    [
        (PASSES, "load", "attr-unknown", "disagrees"),
        (PASSES, "load", "file-damaged", "silent"),
        (PASSES, "load", "unclassified", "silent"),
        (PASSES, "run", "kernel-missing", "disagrees"),
        (PASSES, "run", "run-failed", "silent"),
        (PASSES, "compare", "output-mismatch", "silent"),
        (PASSES, "compare", "attr-ignored", "disagrees"),
        (PASSES, "compare", "attr-ignored output-mismatch", "disagrees"),
        (AT_LOAD, "load", "attr-unknown", "agrees"),
        (AT_LOAD, "load", "op-not-registered", "agrees"),
        (AT_LOAD, "load", "kernel-missing", "disagrees"),
        (AT_LOAD, "load", "variable-missing", "silent"),
        (AT_LOAD, "load", "crashed", "silent"),
        (AT_LOAD, "run", "attr-unknown", "disagrees"),
        (AT_LOAD, "run", "run-failed", "disagrees"),
        (AT_LOAD, "run", "timed-out", "disagrees"),
        (AT_LOAD, "compare", "output-mismatch", "disagrees"),
        (UNFINISHED, "load", "variable-missing", "agrees"),
        (UNFINISHED, "load", "op-not-registered", "agrees"),
        (UNFINISHED, "load", "file-damaged", "silent"),
        (UNFINISHED, "run", "variable-missing", "disagrees"),
        (AT_RUN, "run", "kernel-missing", "agrees"),
        (AT_RUN, "run", "attr-unknown", "disagrees"),
        (AT_RUN, "run", "shape-rejected", "silent"),
        (AT_RUN, "load", "kernel-missing", "disagrees"),
        (AT_RUN, "load", "file-missing", "silent"),
        (AT_RUN, "compare", "output-mismatch", "disagrees"),
        (AT_RUN_IGNORED, "run", "attr-ignored kernel-missing", "agrees"),
        (AT_RUN_IGNORED, "run", "kernel-missing", "disagrees"),
        (AT_RUN_IGNORED, "compare", "attr-ignored", "disagrees"),
        (IGNORED, "compare", "attr-ignored", "agrees"),
        (IGNORED, "compare", "attr-ignored output-mismatch", "agrees"),
        (IGNORED, "compare", "output-mismatch", "disagrees"),
        (IGNORED, "run", "attr-ignored run-failed", "agrees"),
        (IGNORED, "load", "init-failed", "silent"),
        (UNKNOWN, "load", "attr-unknown", "silent"),
        (UNKNOWN, "compare", "output-mismatch", "silent"),
    ],
)
def test_a_failure_beside_its_prediction(
    said: Predicted, stage: str, causes: str, agrees: str
) -> None:
    """What the registries tell must be as predicted; what they do not tell must not come later than predicted."""
    result = Result(
        cell=CELL,
        outcome=Outcome.FAIL,
        stage=Stage(stage),
        causes=tuple(causes.split()),
        predicted=said,
    )
    assert agreement(result) is Agreement(agrees)


@pytest.mark.parametrize(
    ("said", "agrees"),
    [
        (PASSES, "agrees"),
        (AT_LOAD, "disagrees"),
        (AT_RUN, "disagrees"),
        (IGNORED, "disagrees"),
        (UNKNOWN, "silent"),
        (None, "silent"),
    ],
)
def test_a_pass_beside_its_prediction(said: Predicted | None, agrees: str) -> None:
    """Whatever was predicted to fail, and passes, was predicted wrongly."""
    result = Result(cell=CELL, outcome=Outcome.PASS, stage=Stage.COMPARE, predicted=said)
    assert agreement(result) is Agreement(agrees)


@pytest.mark.parametrize(
    ("said", "stage", "reason", "agrees"),
    [
        (PASSES, "load", "no-signatures", "agrees"),
        (AT_LOAD, "load", "no-inputs", "disagrees"),
        (AT_RUN, "load", "no-inputs", "agrees"),
        (IGNORED, "load", "no-outputs", "agrees"),
        (AT_LOAD, "run", "inputs-refused", "disagrees"),
        (AT_RUN, "run", "inputs-refused", "silent"),
        (AT_RUN, "run", "no-reference", "disagrees"),
        (IGNORED, "run", "no-reference", "agrees"),
        (PASSES, "run", "no-reference", "agrees"),
        (UNKNOWN, "run", "no-reference", "silent"),
        (AT_LOAD, None, "interrupted", "silent"),
    ],
)
def test_what_was_not_run(said: Predicted, stage: str | None, reason: str, agrees: str) -> None:
    """What has loaded was not to fail at load, and what has run was not to fail at run."""
    result = Result(
        cell=CELL,
        outcome=Outcome.NOT_RUN,
        stage=Stage(stage) if stage else None,
        reason=reason,
        predicted=said,
    )
    assert agreement(result) is Agreement(agrees)


@pytest.mark.parametrize("outcome", [Outcome.UNSUPPORTED, Outcome.INFRA_ERROR])
def test_what_was_not_looked_at(outcome: Outcome) -> None:
    """A release that was not asked says nothing."""
    for stage in (None, Stage.COMPARE):
        result = Result(cell=CELL, outcome=outcome, stage=stage, predicted=AT_LOAD)
        assert agreement(result) is Agreement.SILENT


def test_the_causes_are_causes() -> None:
    """What the registries tell is part of the closed list."""
    assert set(BY_ID) >= REGISTRY_CAUSES


def test_a_model_is_looked_at_once(exported: Callable[..., Model]) -> None:
    """The predictions of a run share what was gathered from a model; each loader of a release is asked once."""
    model = exported("half_plus_two")
    predictions = Predictions()
    for release in ("2.4.4", "2.21.0"):
        for signature in ("serving_default", "classify_x_to_y", None):
            asked = replace(CELL, path=model.path, consumer=release, signature=signature)
            assert predictions.of(model.meta_graph, asked) == PASSES
    assert (len(predictions._predictors), len(predictions._made)) == (1, 2)


def test_each_loader_has_its_own(exported: Callable[..., Model]) -> None:
    """The v1 Python loader removes unknown attrs at their defaults, and what the C++ loader refuses it loads."""
    model = exported("mnist_cnn", strip=False)
    said = [
        Predictions().of(model.meta_graph, replace(CELL, path=model.path, loader=loader))
        for loader in ("c", "v1")
    ]
    assert [one.outcome for one in said if one] == [Foreseen.FAIL, Foreseen.PASS]


@pytest.mark.parametrize(
    "changes", [{"loader": "keras"}, {"device": "gpu"}, {"consumer": "1.15.5", "loader": "v2"}]
)
def test_where_nobody_predicts(changes: dict[str, str], exported: Callable[..., Model]) -> None:
    """For other loaders and devices there is no prediction, which is not the same as an unknown one."""
    model = exported("half_plus_two")
    asked = replace(CELL, **changes)  # type: ignore[arg-type]
    assert Predictions().of(model.meta_graph, asked) is None


def test_a_consumer_that_is_not_ready(exported: Callable[..., Model]) -> None:
    """Where nothing can be proved, nothing is predicted beside it."""
    results = run_matrix([exported("half_plus_two")], [consumer("2.4.4")], Options())
    assert {(result.outcome, result.predicted) for result in results} == {
        (Outcome.UNSUPPORTED, None)
    }


def test_a_model_that_cannot_be_read(tmp_path: Path) -> None:
    """Nothing is predicted of a file that does not parse."""
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    [model] = load_models([tmp_path])
    assert isinstance(model.unreadable, DamagedModelError)
    assert Predictions().of(model.meta_graph, CELL) is None


def test_a_release_that_nobody_has_looked_at(exported: Callable[..., Model]) -> None:
    """A release without a snapshot is unknown, and the words say how to take one."""
    model = exported("half_plus_two")
    asked = replace(CELL, path=model.path, consumer="2.99.0")
    said = Predictions().of(model.meta_graph, asked)
    assert said is not None
    assert (said.outcome, said.stage) == (Foreseen.UNKNOWN, Stage.LOAD)
    assert said.why is not None
    assert "runtime snapshot 2.99.0" in said.why


@pytest.mark.parametrize(
    ("claimed", "real", "agrees"),
    [("2.4.4", "2.4.4", True), ("2.11.1", "2.4.4", False), ("2.4.4", "2.11.1", False)],
)
def test_a_wrong_prediction_is_seen(
    claimed: str,
    real: str,
    agrees: bool,
    exported: Callable[..., Model],
    wheel_runtime: Callable[[str], Runtime],
) -> None:
    """A release that does not do what its registries say differs from its prediction, in whichever direction."""
    model = exported("mnist_cnn", strip=False)
    asked = replace(consumer(claimed), runtime=wheel_runtime(real))
    results = run_matrix([model], [asked], Options())
    assert {result.outcome for result in results} == (
        {Outcome.FAIL} if real == "2.4.4" else {Outcome.PASS}
    )
    assert disagreements(results) == ([] if agrees else results)


@pytest.fixture(scope="session")
def carrier(venv_runtime: Callable[[str], Runtime]) -> Callable[..., Model]:
    """Export with a function of `carriers.py`, by the newest release."""

    def export(function: str, *, strip: bool) -> Model:
        runtime = venv_runtime(PRODUCER)
        file = Path(__file__).with_name("carriers.py")
        exporter = Exporter(name=function, file=file, function=function)
        order = Order(exporter=exporter, producer=PRODUCER, strip=strip)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return export


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
def test_a_blank_that_is_ignored(
    strip: bool, carrier: Callable[..., Model], consumers: MakeConsumers
) -> None:
    """`CTCGreedyDecoder.blank_index` = 0: 2.4.4 refuses it, 2.5.3 answers wrongly, 2.6.5 knows it; so it is predicted."""
    model = carrier("blank_first", strip=strip)
    results = run_matrix([model], consumers("2.4.4", "2.5.3", "2.6.5"), Options())
    assert [agreement(result) for result in results] == [Agreement.AGREES] * 3
    refused, wrong, right = results
    assert (refused.stage, refused.causes) == (Stage.LOAD, ("attr-unknown",))
    assert wrong.outcome is Outcome.FAIL
    assert wrong.causes[0] == "attr-ignored"
    assert set(wrong.causes[1:]) & {"output-mismatch", "output-shape-differs"}
    assert right.outcome is Outcome.PASS
    for result in (refused, wrong):
        assert result.predicted is not None
        assert result.predicted.why is not None
        assert "blank_index" in result.predicted.why
        assert result.predicted.causes == result.causes[:1]
    assert right.predicted == PASSES


def test_a_default_that_is_ignored(carrier: Callable[..., Model], consumers: MakeConsumers) -> None:
    """The last release that refuses unknown attrs is 2.4; from 2.5 on one at its default is left out without harm."""
    model = carrier("blank_last", strip=False)
    results = run_matrix([model], consumers("2.4.4", "2.5.3", "2.6.5"), Options())
    assert [result.outcome for result in results] == [Outcome.FAIL, Outcome.PASS, Outcome.PASS]
    assert results[0].cause == "attr-unknown"
    assert [agreement(result) for result in results] == [Agreement.AGREES] * 3


def test_debug_name_and_the_way_around_it(
    carrier: Callable[..., Model], consumers: MakeConsumers
) -> None:
    """Stripped, a resource variable of 2.21 still fails in 2.4.4, and a reference variable passes: both predicted."""
    models = [carrier(f"{kind}_variable", strip=True) for kind in ("resource", "reference")]
    resource, reference = run_matrix(models, consumers("2.4.4"), Options())
    assert (resource.stage, resource.cause) == (Stage.LOAD, "attr-unknown")
    assert (resource.detail.op, resource.detail.attr) == ("VarHandleOp", "debug_name")
    assert resource.predicted is not None
    assert resource.predicted.why is not None
    assert "VarHandleOp has no attr 'debug_name'" in resource.predicted.why
    assert (reference.outcome, reference.predicted) == (Outcome.PASS, PASSES)
    assert disagreements([resource, reference]) == []


def consumer(release: str) -> Consumer:
    """A consumer that is not ready."""
    return Consumer(release=release, provider="wheel", loader="c", device="cpu")

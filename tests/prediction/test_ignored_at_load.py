"""An attr that is left out of what every load runs is told of every signature."""

from __future__ import annotations

from collections.abc import Callable

from tests.checks.breaking import MODELS

from savedmodel_compat import model
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.prediction.predict import Predictor
from savedmodel_compat.prediction.values import Place
from savedmodel_compat.runtimes.base import Runtime

MODEL = MODELS / "module-2.21.0"
RELEASE = "2.11.1"


def test_a_signature_that_does_not_run_the_node() -> None:
    """The restore op runs the variables, which only the other signature reads: both are told."""
    prediction = Predictor(model.read(MODEL).meta_graphs[0]).predict(RELEASE)
    [attr] = prediction.ignored
    assert (attr.place, attr.signatures, attr.at_load) == (
        Place.INFERENCE,
        ("serving_default",),
        True,
    )
    assert prediction.telling("lookup") == prediction.telling("serving_default") == (attr,)


def test_the_release_leaves_it_out_of_both(wheel_runtime: Callable[[str], Runtime]) -> None:
    """Proof counts what the load runs, and so does what is predicted."""
    consumer = Consumer(
        release=RELEASE, provider="wheel", loader="c", device="cpu", runtime=wheel_runtime(RELEASE)
    )
    results = list(run_matrix(load_models([MODEL]), [consumer], Options()))
    assert {result.cell.signature for result in results} == {"lookup", "serving_default"}
    for result in results:
        assert result.causes == ("attr-ignored",)
        assert agreement(result) is Agreement.AGREES

"""What is predicted of each cell, and whether what became of it bears that out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

from savedmodel_compat.checks.run import refusals_of
from savedmodel_compat.matrix.cells import Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.outlook import Refused, with_files
from savedmodel_compat.prediction.predict import LOADERS, Predictor
from savedmodel_compat.prediction.values import Prediction, Reason, Verdict, When
from savedmodel_compat.runtimes.devices import base_of

if TYPE_CHECKING:
    from pathlib import Path

    from savedmodel_compat.matrix.cells import Cell
    from savedmodel_compat.model import MetaGraph

REGISTRY_CAUSES = frozenset(
    (
        "op-not-registered",
        "attr-unknown",
        "attr-missing",
        "attr-value-not-allowed",
        "node-inputs-changed",
        "kernel-missing",
        "device-not-available",
        "version-gate",
        "function-missing",
        "attr-ignored",
    )
)
"""What a model and the registries tell without running anything; files, shapes and values they do not."""

_IGNORED = "attr-ignored"
_DEVICE = "cpu"


class Agreement(enum.Enum):
    """What the result of a cell says of its prediction."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    SILENT = "silent"

    @property
    def as_json(self) -> bool | None:
        """Return it as records write it."""
        return {Agreement.AGREES: True, Agreement.DISAGREES: False}.get(self)


class Predictions:
    """The predictions of a run: each model is looked at once, and each release asked once about it."""

    def __init__(self) -> None:
        self._predictors: dict[int, tuple[MetaGraph, Predictor]] = {}
        self._refusals: dict[Path, Refused] = {}
        self._made: dict[tuple[int, str, str], Prediction] = {}

    def of(self, meta_graph: MetaGraph | None, cell: Cell) -> Predicted | None:
        """Return what is predicted of a cell.

        Args:
            meta_graph: what is loaded; None if it cannot be read.
            cell: where, and which signature; none if it only loads, or failed to.

        Returns:
            None if the model cannot be read, or nobody predicts for the loader or the device.
        """
        release, loader = cell.consumer, cell.loader
        known = (
            loader in LOADERS and loaders.has(loader, release) and base_of(cell.device) == _DEVICE
        )
        if meta_graph is None or not known:
            return None
        key = (id(meta_graph), release, loader)
        if key not in self._made:
            found = self._predictor(meta_graph).predict(release, loader)
            self._made[key] = with_files(found, self._refused(cell.path)(release))
        return predicted(self._made[key], cell.signature)

    def _predictor(self, meta_graph: MetaGraph) -> Predictor:
        if id(meta_graph) not in self._predictors:
            # The MetaGraph is kept with it, so that no other can have its id.
            self._predictors[id(meta_graph)] = (meta_graph, Predictor(meta_graph))
        return self._predictors[id(meta_graph)][1]

    def _refused(self, path: Path) -> Refused:
        """Return what a model's own files keep releases from, as `check` finds it but for the variables' data."""
        if path not in self._refusals:
            self._refusals[path] = refusals_of(path)
        return self._refusals[path]


def predicted(prediction: Prediction, signature: str | None) -> Predicted:
    """Return what a prediction says of one cell.

    Args:
        prediction: of the model in the cell's consumer.
        signature: the cell's; None if it only loads, or failed to.
    """
    if prediction.loads is Verdict.NO:
        reasons = [one for one in prediction.reasons if one.when is When.LOAD and one.certain]
        return Predicted(
            outcome=Foreseen.FAIL,
            stage=Stage.LOAD,
            causes=prediction.causes,
            why=_words(reasons[0]) if reasons else None,
        )
    if prediction.loads is Verdict.UNKNOWN:
        return Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.LOAD, why=prediction.doubt)
    if signature is None:
        return Predicted(outcome=Foreseen.PASS)
    return _run(prediction, signature)


def _run(prediction: Prediction, signature: str) -> Predicted:
    reasons = [
        one for one in prediction.reasons if one.when is When.RUN and signature in one.signatures
    ]
    telling = prediction.telling(signature)
    causes: tuple[str, ...] = (_IGNORED,) if telling else ()
    runs = prediction.runs.get(signature, Verdict.YES)
    if runs is Verdict.NO:
        why = next(_words(one) for one in reasons if one.certain)
        causes += prediction.run_causes(signature)
        return Predicted(outcome=Foreseen.FAIL, stage=Stage.RUN, causes=causes, why=why)
    if runs is Verdict.UNKNOWN:
        why = f"{_words(reasons[0])}; only a run tells whether it comes upon that"
        return Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.RUN, why=why)
    if telling:
        first = telling[0]
        where = f"node {first.node}" + (f" in {first.function}" if first.function else "")
        why = f"{first.op}.{first.attr} is ignored, and it is not at its default; {where}"
        return Predicted(outcome=Foreseen.FAIL, stage=Stage.COMPARE, causes=causes, why=why)
    return Predicted(outcome=Foreseen.PASS)


def _words(reason: Reason) -> str:
    return f"{reason.message}; {reason.where}"


def agreement(result: Result) -> Agreement:
    """Return whether a result bears out what was predicted of its cell.

    TensorFlow names one error of several, and predicted is what the registries tell, with some of
    what the model's files do: a damaged file or a shape that is refused, where neither was
    predicted, speaks neither for nor against it, unless the cell came further than was predicted.

    Args:
        result: of a cell, with its prediction.
    """
    said = result.predicted
    if said is None or said.outcome is Foreseen.UNKNOWN or result.stage is None:
        return Agreement.SILENT
    if result.outcome is Outcome.NOT_RUN:
        return _without_verdict(said, result.stage, result.reason)
    if result.outcome is Outcome.PASS:
        return _agrees(said.outcome is Foreseen.PASS)
    if result.outcome is Outcome.FAIL:
        told = REGISTRY_CAUSES.union(said.causes) & frozenset(result.causes)
        return _of_failure(said, result.stage, told)
    return Agreement.SILENT


def disagreements(results: Sequence[Result]) -> list[Result]:
    """Return the results that differ from what was predicted of their cells."""
    return [result for result in results if agreement(result) is Agreement.DISAGREES]


def _agrees(holds: bool) -> Agreement:
    return Agreement.AGREES if holds else Agreement.DISAGREES


def _without_verdict(said: Predicted, stage: Stage, reason: str | None) -> Agreement:
    """Return what a cell says that has loaded, and perhaps run, and was compared with nothing."""
    if said.stage is Stage.RUN and stage is Stage.RUN and reason == "inputs-refused":
        return Agreement.SILENT
    fails_later = said.stage is Stage.COMPARE or (said.stage is Stage.RUN and stage is Stage.LOAD)
    return _agrees(said.outcome is Foreseen.PASS or fails_later)


def _of_failure(said: Predicted, stage: Stage, told: frozenset[str]) -> Agreement:
    # What is ignored is told of every cell that has loaded, whatever became of it then.
    if stage is not Stage.LOAD and (_IGNORED in told) != (_IGNORED in said.causes):
        return Agreement.DISAGREES
    others = told - {_IGNORED}
    if others:
        return _agrees(said.stage is stage and others <= frozenset(said.causes))
    if _ORDER.index(stage) > _ORDER.index(said.stage or Stage.COMPARE):
        return Agreement.DISAGREES
    return Agreement.AGREES if told else Agreement.SILENT


_ORDER = (Stage.LOAD, Stage.RUN, Stage.COMPARE)

"""One model in one consumer, on a worker: a forked process for each signature, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.matrix.judge import is_about_inputs
from savedmodel_compat.matrix.models import Case, Model
from savedmodel_compat.matrix.plan import Consumer
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.runtimes.surroundings import surroundings
from savedmodel_compat.runtimes.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One model in one consumer: the work of one loop of a worker."""

    model: Model
    consumer: Consumer
    check_twice: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one process of a unit did; ``case`` is None if it only loaded, or failed to.

    ``surroundings`` is what its worker said of itself, where a golden may be proposed of the answer.
    """

    unit: Unit
    case: Case | None
    verdict: Verdict
    second: Verdict | None
    version: str
    surroundings: Mapping[str, Any] | None = None


def observe(worker: Worker, unit: Unit, limits: Limits) -> list[Seen]:
    """Run a model's signatures in one consumer, each in a process of its own; stop where it does not load."""
    seen: list[Seen] = []
    for case in unit.model.cases or (None,):
        work = work_of(unit.model, case, unit.consumer.loader)
        verdict = _ask(worker, work, limits)
        twice = case is not None and case.signature in unit.check_twice and _ran(verdict)
        second = _ask(worker, work, limits) if twice else None
        loaded = verdict.stage == "run" or verdict.completed or verdict.worker_lost is not None
        # What does not load for its first signature does not load for any: that is one cell.
        nowhere = not loaded and not seen
        seen.append(
            Seen(
                unit=unit,
                case=None if nowhere else case,
                verdict=verdict,
                second=second,
                version=worker.tensorflow,
                surroundings=_surroundings(worker, unit, case),
            )
        )
        if nowhere:
            break
    return seen


def _surroundings(worker: Worker, unit: Unit, case: Case | None) -> Mapping[str, Any] | None:
    """Return what the worker says of itself, asked once; None where nobody will want to know."""
    runtime = unit.consumer.runtime
    if case is None or case.against is None or case.against.cause is not None or runtime is None:
        return None
    if worker.surroundings is None:
        try:
            worker.surroundings = surroundings(worker, runtime, unit.consumer.device)
        except WorkerError:
            return None
    return worker.surroundings


def _ask(worker: Worker, work: LoadAndRun, limits: Limits) -> Verdict:
    try:
        return worker.run(work, limits)
    except WorkerError as error:
        return Verdict(
            worker_lost=f"{error.message} ({error.hint})" if error.hint else error.message
        )


def _ran(verdict: Verdict) -> bool:
    return any(answer.outputs is not None for answer in verdict.answers)


def any_refused(verdict: Verdict) -> bool:
    """Tell whether a set of inputs was refused in a way that may be the inputs' fault, and none in another."""
    failures = [answer.failure for answer in verdict.answers if answer.failure is not None]
    return bool(failures) and all(map(is_about_inputs, failures))


def work_of(model: Model, case: Case | None, loader: str) -> LoadAndRun:
    """Return what a worker is asked for a signature of a model; only the load where there is nothing to feed it with.

    Args:
        model: what is loaded.
        case: the signature; None loads only.
        loader: which loader.
    """
    common = LoadAndRun(model=model.path, tags=model.tags, loader=loader)
    if case is None or not case.feeds:
        return common
    return replace(
        common,
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
        feeds=case.feeds,
    )

"""Inputs that are drawn and asked: of a model that stays loaded, and of a fresh process for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from _bench import LIMITS, NEWEST, Bench, case_of, run_cell, runtime
from _measure import Row, Sample, Target, Unit, interleaved, ratio_of, row_of, timed
from savedmodel_compat import properties
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.matrix.plan import Consumer
from savedmodel_compat.runtimes.base import Provider
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Case, Model

_SIGNATURE = "serving_default"
_EXAMPLES = 1000
_QUICK_EXAMPLES = 300
_ONE_EACH = 10


def rows(bench: Bench) -> Iterator[Row]:
    """Measure a property over a loaded model, native and Python, and as many single cells.

    Args:
        bench: how much is measured, and with what.
    """
    model = bench.small_model()
    case = case_of(model, _SIGNATURE)
    examples = _QUICK_EXAMPLES if bench.is_quick else _EXAMPLES
    with ExitStack() as stack:
        native = stack.enter_context(Worker(runtime(NEWEST, Provider.WHEEL), native=True))
        python = stack.enter_context(Worker(runtime(NEWEST, Provider.VENV), native=False))
        one = replace(case, feeds=case.feeds[:1], expected=(case.expected or ())[:1])
        taken = interleaved(
            {
                "native": timed(partial(_search, native, "c", model, examples)),
                "v2": timed(partial(_search, python, "v2", model, examples)),
                "fresh": timed(partial(_one_each, native, model, one)),
            },
            bench.rounds,
        )
    loaded, loaded_v2 = _each(taken["native"], examples), _each(taken["v2"], examples)
    fresh = _each(taken["fresh"], _ONE_EACH)
    yield row_of("an example, native model loaded once", Unit.MILLISECONDS, loaded, Target(limit=5))
    yield row_of("an example, loader v2 loaded once", Unit.MILLISECONDS, loaded_v2)
    yield row_of("an example, a fresh native process for it", Unit.MILLISECONDS, fresh)
    yield ratio_of("fresh process / loaded once", fresh, loaded)


def _each(sample: Sample, count: int) -> Sample:
    return Sample(tuple(seconds / count for seconds in sample.seconds))


def _one_each(worker: Worker, model: Model, case: Case) -> None:
    for _ in range(_ONE_EACH):
        run_cell(worker, model, case)


def _search(worker: Worker, loader: str, model: Model, examples: int) -> None:
    """Draw inputs, ask, and look at the outputs' dtypes and shapes."""
    provider = "wheel" if loader == "c" else "venv"
    consumer = Consumer(release=NEWEST, provider=provider, loader=loader, device="cpu")
    one = replace(model, cases=(case_of(model, _SIGNATURE),))
    search = properties.Search(examples=examples)
    with properties.Subject(one, consumer, worker, search=search, limits=LIMITS) as subject:
        tally = properties.outputs_as_declared(subject)
    # Hypothesis may stop a little early where it has tried all that there is.
    if tally.tried != examples or not tally.answered:
        raise SavedModelCompatError(f"{tally.tried} of {examples} examples were tried")

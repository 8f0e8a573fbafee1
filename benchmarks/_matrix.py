"""A whole matrix: its time against the sum of its parts, and its memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import _processes
from _bench import LIMITS, NEWEST, Bench, run_cell
from _measure import Row, Sample, Target, Timed, Unit, interleaved, ratio_of, row_of, timed
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

# All of them run all of the models: 10 cells a release.
_RELEASES = (
    "2.8.4",
    "2.9.3",
    "2.10.1",
    "2.11.1",
    "2.12.1",
    "2.13.1",
    "2.14.1",
    "2.15.1",
    "2.18.1",
    NEWEST,
)
_QUICK_RELEASES = ("2.8.4", "2.11.1", NEWEST)
_MOST_TIMES = 1.3
_MOST_ROUNDS = 5
_STEP = 100
_SPARE = 10
# The controller keeps the results themselves, some kilobytes a cell; a worker keeps nothing.
_MOST_KEPT_MB = 4.0
_MOST_GROWTH_MB = 1.0


def rows(bench: Bench) -> Iterator[Row]:
    """Measure a matrix on one job and on two, each beside the sum of its parts.

    Args:
        bench: how much is measured, and with what.
    """
    models = _models(bench)
    consumers = bench.consumers(_QUICK_RELEASES if bench.is_quick else _RELEASES)
    cells = len(consumers) * sum(len(model.cases) for model in models)
    parts = _Parts()
    timers = {
        "parts": _Timer(partial(parts.measure, models, consumers)),
        "1": _Timer(timed(partial(_run, models, consumers, 1))),
        "2": _Timer(timed(partial(_run, models, consumers, 2))),
    }
    taken = interleaved(timers, min(bench.rounds, _MOST_ROUNDS))
    whole, all_cpu = taken["parts"], timers["parts"].cpu
    sizes = f"{len(consumers)} x ready + {cells} x cell"
    yield row_of("parts: time to get ready", Unit.MILLISECONDS, parts.starts)
    yield row_of("parts: native cell", Unit.MILLISECONDS, parts.cells)
    yield row_of(f"parts: {sizes}", Unit.SECONDS, whole)
    for jobs in (1, 2):
        name = f"matrix of {cells} cells, {jobs} job{'s' * (jobs > 1)}"
        sample, cpu = taken[str(jobs)], timers[str(jobs)].cpu
        share = Sample(tuple(seconds / jobs for seconds in whole.seconds))
        yield row_of(name, Unit.SECONDS, sample)
        yield ratio_of(f"{name} / (parts / jobs)", sample, share, Target(limit=_MOST_TIMES))
        yield ratio_of(f"{name}: its CPU time / that of the parts", cpu, all_cpu)


def memory_rows(bench: Bench) -> Iterator[Row]:
    """Measure how the processes of a matrix grow from its hundredth cell to its last.

    Args:
        bench: how much is measured, and with what.
    """
    wanted = 300 if bench.is_quick else 1000
    model = bench.small_model()
    # A few more, so that the worker still lives when the last of them is counted.
    copies = wanted // len(model.cases) + _SPARE
    models = [replace(model, name=f"{model.name} {number}") for number in range(copies)]
    watch = _Watch()
    run_matrix(models, bench.consumers([NEWEST]), Options(limits=LIMITS), watch.on_result)
    for who, megabytes, limit in (
        ("controller", watch.controller, _MOST_KEPT_MB),
        ("worker", watch.worker, _MOST_GROWTH_MB),
    ):
        series = ", ".join(f"{size:.1f}" for size in megabytes)
        yield Row(
            what=f"{who}: growth from cell {_STEP} to cell {_STEP * len(megabytes)}",
            unit=Unit.MEGABYTES,
            value=megabytes[-1] - megabytes[0],
            target=Target(limit=limit),
            note=f"resident MB every {_STEP} cells: {series}",
        )


def _models(bench: Bench) -> list[Model]:
    return [
        bench.small_model(),
        bench.export("half_plus_two", "2.11.1", strip=False),
        bench.export("half_plus_two", NEWEST),
        bench.export("half_plus_two_module", "2.11.1"),
    ]


def _run(models: Sequence[Model], consumers: Sequence[Consumer], jobs: int) -> None:
    results = run_matrix(models, consumers, Options(limits=LIMITS, jobs=jobs))
    for result in results:
        _demand_pass(result)


def _demand_pass(result: Result) -> None:
    if result.outcome is not Outcome.PASS:
        raise SavedModelCompatError(
            f"{result.cell.id} should pass, and it is {result.outcome.value}: "
            f"{result.message or result.reason}"
        )


@dataclass(slots=True)
class _Parts:
    """What a matrix is made of, done one after the other with nothing around it."""

    _starts: list[list[float]] = field(default_factory=list)
    _cells: list[list[float]] = field(default_factory=list)

    @property
    def starts(self) -> Sample:
        """From the start of each worker to its being ready, in all rounds but the first."""
        return Sample(tuple(chain.from_iterable(self._starts[1:])))

    @property
    def cells(self) -> Sample:
        """Each cell, in all rounds but the first."""
        return Sample(tuple(chain.from_iterable(self._cells[1:])))

    def measure(self, models: Sequence[Model], consumers: Sequence[Consumer]) -> float:
        """Start every worker, run every cell, and return the sum of their seconds."""
        starts: list[float] = []
        cells: list[float] = []
        for consumer in consumers:
            assert consumer.runtime is not None
            with Worker(consumer.runtime, native=True) as worker:
                starts.append(timed(worker.start)())
                cells += [
                    timed(partial(run_cell, worker, model, case))()
                    for model in models
                    for case in model.cases
                ]
        self._starts.append(starts)
        self._cells.append(cells)
        return sum(starts) + sum(cells)


@dataclass(slots=True)
class _Timer:
    """Measures the CPU time, ours and our workers', of what something else times by the clock.

    Other work on the machine stretches the clock, and this hardly.
    """

    do: Timed
    _cpu: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Do it once."""
        before = _processes.cpu_seconds()
        seconds = self.do()
        self._cpu.append(_processes.cpu_seconds() - before)
        return seconds

    @property
    def cpu(self) -> Sample:
        """The CPU seconds of all rounds but the first, which does not count."""
        return Sample(tuple(self._cpu[1:]))


@dataclass(slots=True)
class _Watch:
    """Takes the resident megabytes of a matrix's processes every so many cells."""

    controller: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)
    _seen: int = 0

    def on_result(self, result: Result) -> None:
        """Count one cell."""
        _demand_pass(result)
        self._seen += 1
        if self._seen % _STEP == 0:
            self.controller.append(_processes.resident())
            self.worker.append(_processes.resident(_processes.only_child()))

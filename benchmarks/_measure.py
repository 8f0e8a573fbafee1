"""How things are timed, and how what was measured is put beside its target."""

from __future__ import annotations

import enum
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does something once and returns the seconds that count."""


class Unit(enum.Enum):
    """What a number counts."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    MEGABYTES = "MB"
    TIMES = "x"
    GIGABYTES_PER_SECOND = "GB/s"


@dataclass(frozen=True, slots=True)
class Sample:
    """What several rounds took.

    Args:
        seconds: one a round; never empty.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a number should be.

    Args:
        limit: the last number that is good, in the unit of its row.
        at_least: whether larger is better.
    """

    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Tell whether ``value`` is good."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        """Return it as the table shows it, without its unit."""
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result.

    Args:
        what: what was measured.
        unit: of all the numbers.
        value: the median, a ratio of medians, or a difference.
        least: the best round; None where rounds make no sense.
        most: the worst round.
        target: what the value should be; None if the row is there to explain others.
        note: what else a reader should know.
    """

    what: str
    unit: Unit
    value: float
    least: float | None = None
    most: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``ok`` or ``miss``; empty without a target."""
        if self.target is None:
            return ""
        return "ok" if self.target.is_met(self.value) else "miss"


def timed(do: Callable[[], object]) -> Timed:
    """Return a function that calls ``do`` and returns its wall-clock seconds."""

    def call() -> float:
        began = time.perf_counter()
        do()
        return time.perf_counter() - began

    return call


def interleaved(jobs: Mapping[str, Timed], rounds: int) -> dict[str, Sample]:
    """Run all jobs in turn, round after round, so that a busy machine slows all of them alike.

    Args:
        jobs: by name.
        rounds: that count; one more goes before them, to fill the caches.
    """
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            seconds[name].append(job())
    return {name: Sample(tuple(values)) for name, values in seconds.items()}


def row_of(what: str, unit: Unit, sample: Sample, target: Target | None = None) -> Row:
    """Return the row of one sample: median, best and worst round.

    Args:
        what: what was measured.
        unit: milliseconds or seconds.
        sample: the rounds.
        target: of the median, in ``unit``.
    """
    scale = 1000.0 if unit is Unit.MILLISECONDS else 1.0
    return Row(
        what=what,
        unit=unit,
        value=sample.median * scale,
        least=min(sample.seconds) * scale,
        most=max(sample.seconds) * scale,
        target=target,
    )


def ratio_of(what: str, over: Sample, under: Sample, target: Target | None = None) -> Row:
    """Return the row of a ratio of medians, with the least and the greatest ratio of one round.

    Args:
        what: what is compared.
        over: the numerator.
        under: the denominator, from the same rounds.
        target: of the ratio.
    """
    pairs = [a / b for a, b in zip(over.seconds, under.seconds, strict=True)]
    return Row(
        what=what,
        unit=Unit.TIMES,
        value=over.median / under.median,
        least=min(pairs),
        most=max(pairs),
        target=target,
    )

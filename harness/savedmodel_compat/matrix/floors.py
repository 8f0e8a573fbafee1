"""Floors: how many cells a run has at least, of each value of each axis. Fewer is an error; more is progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from savedmodel_compat.matrix.seen import UNKNOWN, Seen

AXES = ("model", "producer", "strip", "consumer", "provider", "loader")
"""What cells are counted by."""

NUMBERS = ("collected", "run", "compared")
"""What is counted: the cells that were planned, those that passed or failed, those with an output that was compared."""

_STRIP = {True: "stripped", False: "unstripped", None: UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many cells, or how many at least; None for a floor that nobody has set.

    Args:
        collected: cells that were planned.
        run: cells that passed or failed.
        compared: cells with an output that was compared.
    """

    collected: int | None = None
    run: int | None = None
    compared: int | None = None

    def get(self, number: str) -> int | None:
        """Return one of the numbers."""
        found: int | None = getattr(self, number)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The counts of a run, or the floors of the runs of one tier.

    Args:
        total: of all cells.
        values: of each axis, of each of its values.
    """

    total: Count = field(default_factory=Count)
    values: Mapping[str, Mapping[str, Count]] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str, Count]]:
        """Yield axis, value and count; the total has neither."""
        yield "", "", self.total
        for axis in AXES:
            for value, found in self.values.get(axis, {}).items():
                yield axis, value, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A number below its floor.

    Args:
        axis: which axis; empty for the total.
        value: which value of it; empty for the total.
        number: which number: ``collected``, ``run`` or ``compared``.
        found: how many cells there are.
        floor: how many there are to be at least.
        missing: whether the run has no cell at all of that value.
    """

    axis: str
    value: str
    number: str
    found: int
    floor: int
    missing: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        what = f"{self.axis} {self.value}" if self.axis else "in all"
        gone = ", no cell of it is there" if self.missing else ""
        return f"{what}: {self.found} {self.number}, and the floor is {self.floor}{gone}"


def count(cells: Iterable[Seen]) -> Tier:
    """Return how many cells a run has; cells that are there several times count once.

    Args:
        cells: of the run.
    """
    tally: dict[tuple[str, str], list[int]] = {("", ""): [0, 0, 0]}
    for cell in {(each.id, each.path): each for each in cells}.values():
        added = (1, cell.ran, cell.compared > 0)
        for key in (("", ""), *_values(cell)):
            numbers = tally.setdefault(key, [0, 0, 0])
            for i, one in enumerate(added):
                numbers[i] += one
    values: dict[str, dict[str, Count]] = {axis: {} for axis in AXES}
    for (axis, value), (collected, ran, compared) in sorted(tally.items()):
        if axis:
            values[axis][value] = Count(collected=collected, run=ran, compared=compared)
    collected, ran, compared = tally["", ""]
    return Tier(total=Count(collected=collected, run=ran, compared=compared), values=values)


def _values(cell: Seen) -> Iterator[tuple[str, str]]:
    yield "model", cell.model
    yield "producer", cell.producer or UNKNOWN
    yield "strip", _STRIP[cell.strip]
    yield "consumer", cell.consumer
    yield "provider", cell.provider
    yield "loader", cell.loader


def shortfalls(floors: Tier, found: Tier) -> list[Shortfall]:
    """Return every number that is below its floor, the totals first.

    Args:
        floors: of the tier.
        found: what `count` gave.
    """
    fewer = []
    for axis, value, floor in floors.rows():
        here = found.values.get(axis, {}).get(value) if axis else found.total
        for number in NUMBERS:
            least, there = floor.get(number), (here.get(number) if here else 0) or 0
            if least is not None and there < least:
                fewer.append(
                    Shortfall(
                        axis=axis,
                        value=value,
                        number=number,
                        found=there,
                        floor=least,
                        missing=here is None,
                    )
                )
    return fewer

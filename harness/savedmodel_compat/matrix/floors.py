"""Floors: how many cells a run has at least, of each value of each axis. Fewer is an error; more is progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from savedmodel_compat.matrix.seen import UNKNOWN, Seen, ending

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

    def __str__(self) -> str:
        """Return the numbers, such as ``22/22/20``; a floor that nobody has set is a dash."""
        return "/".join("-" if each is None else str(each) for each in map(self.get, NUMBERS))


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
    """Numbers of one value that are below their floors.

    Args:
        axis: which axis; empty for the total.
        value: which value of it; empty for the total.
        found: how many cells there are.
        floor: how many there are to be at least.
        missing: whether the run has no cell at all of that value.
    """

    axis: str
    value: str
    found: Count
    floor: Count
    missing: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        what = f"{self.axis} {self.value}" if self.axis else "in all"
        return f"{what}: {self.found}, floor {self.floor} ({'/'.join(NUMBERS)})"


def advice(file: Path | str, tier: str) -> str:
    """Return what to do about numbers that are below their floors.

    Args:
        file: where the floors are.
        tier: which of them.
    """
    return (
        "find what is no longer collected or run; if that is meant, write the floors anew: "
        f"savedmodel-compat floors RECORD.json --tier '{tier}' -o {file}"
    )


def count(cells: Iterable[Seen], floors: Tier | None = None) -> Tier:
    """Return how many cells a run has; cells that are there several times count once.

    Args:
        cells: of the run.
        floors: what they are to be held against: a model that its floor calls by more folders, or fewer, counts
            under that name, unless several models would.
    """
    once = {(each.id, each.path): each for each in cells}.values()
    names = {} if floors is None else _names(once, floors.values.get("model", {}))
    tally: dict[tuple[str, str], list[int]] = {("", ""): [0, 0, 0]}
    for cell in once:
        added = (1, cell.ran, cell.compared > 0)
        for key in (("", ""), *_values(cell, names)):
            numbers = tally.setdefault(key, [0, 0, 0])
            for i, one in enumerate(added):
                numbers[i] += one
    values: dict[str, dict[str, Count]] = {axis: {} for axis in AXES}
    for (axis, value), (collected, ran, compared) in sorted(tally.items()):
        if axis:
            values[axis][value] = Count(collected=collected, run=ran, compared=compared)
    collected, ran, compared = tally["", ""]
    return Tier(total=Count(collected=collected, run=ran, compared=compared), values=values)


def _names(cells: Iterable[Seen], known: Collection[str]) -> Mapping[str, str]:
    """Return the names that floors have for models which are called otherwise in a run.

    Of several names that a model's full name ends in, the longest; none that a model of the run has, or several end in.
    """
    models = {cell.model: cell.full_name for cell in cells}
    free = sorted((name for name in known if name not in models), key=lambda name: -name.count("/"))
    found: dict[str, str] = {}
    for model, full_name in models.items():
        name = next((each for each in free if ending(full_name, each) == each), None)
        if name is not None and model not in known:
            found[model] = name
    taken = Counter(found.values())
    return {model: name for model, name in found.items() if taken[name] == 1}


def _values(cell: Seen, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "model", names.get(cell.model, cell.model)
    yield "producer", cell.producer or UNKNOWN
    yield "strip", _STRIP[cell.strip]
    yield "consumer", cell.consumer
    yield "provider", cell.provider
    yield "loader", cell.loader


def shortfalls(floors: Tier, found: Tier) -> list[Shortfall]:
    """Return every value of which a number is below its floor: those that are gone first, then the total.

    Args:
        floors: of the tier.
        found: what `count` gave.
    """
    fewer = []
    for axis, value, floor in floors.rows():
        here = found.values.get(axis, {}).get(value) if axis else found.total
        there = here or Count(collected=0, run=0, compared=0)
        if any((there.get(number) or 0) < (floor.get(number) or 0) for number in NUMBERS):
            fewer.append(
                Shortfall(axis=axis, value=value, found=there, floor=floor, missing=here is None)
            )
    return sorted(fewer, key=lambda each: not each.missing)

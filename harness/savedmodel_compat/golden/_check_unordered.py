"""The checker of rows whose order means nothing, such as those of a set, or of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden._elements import Array, Kind, kind_of
from savedmodel_compat.golden._pass import off_places, scaled
from savedmodel_compat.golden._words import cut, shown
from savedmodel_compat.golden.compare import Arrays, Difference, dtype_name
from savedmodel_compat.golden.tolerances import Check, Policy, Tolerance

_PLACES = 3
# Rows are sorted by so many of their elements at most: more would seldom tell more.
_KEYS = 8


@dataclass(frozen=True, slots=True)
class _Column:
    """One output as rows of both sides, one-dimensional each."""

    name: str
    theirs: Array
    ours: Array
    tolerance: Tolerance | None

    def agrees(self, rows: Array, others: Array) -> Array:
        """Tell of pairs of rows, given by their numbers, which agree."""
        theirs, ours = self.theirs[rows], self.ours[others]
        off = off_places(theirs.reshape(-1), ours.reshape(-1), self.tolerance)
        return np.asarray(~off.reshape(theirs.shape).any(axis=1))


def unordered(expected: Arrays, actual: Arrays, policy: Policy, check: Check) -> Difference | None:
    """Accept the rows of the reference in any order; rows of several outputs move together.

    Raises:
        UsageError: the outputs have no rows, or not as many as each other.
    """
    count = _count(expected, check)
    columns = [_column(name, expected[name], actual[name], policy) for name in check.outputs]
    match = _Match(columns, count)
    alone = match.alone()
    if not alone:
        return None
    names = ", ".join(f"'{name}'" for name in check.outputs)
    more = "at least " if len(alone) == _PLACES else ""
    text = (
        f"rows of {names}: {more}{len(alone)} of {count} rows of the reference are not there in any order;"
        f" first row {alone[0]}: " + ", ".join(_words(column, alone[0]) for column in columns)
    )
    return Difference(cause="output-mismatch", output=check.outputs[0], text=cut(text))


class _Match:
    """Finds for each row of the reference one of the cell that agrees with it, and with no other row of it."""

    def __init__(self, columns: list[_Column], count: int) -> None:
        self._columns = columns
        self._count = count
        self._all = np.arange(count)
        self._near: dict[int, list[int]] = {}
        theirs, ours = _order(columns, count)
        pairs = zip(theirs.tolist(), ours.tolist(), self._agree(theirs, ours).tolist(), strict=True)
        self._owner = {other: row for row, other, is_same in pairs if is_same}

    def alone(self) -> list[int]:
        """Return the first rows of the reference that have no counterpart."""
        found: list[int] = []
        owned = set(self._owner.values())
        for row in range(self._count):
            if row not in owned and not self._place(row):
                found.append(row)
                if len(found) == _PLACES:
                    break
        return found

    def _place(self, row: int) -> bool:
        """Find a counterpart, also by moving rows that have several: an augmenting path, breadth first."""
        came: dict[int, int] = {}
        queue = [row]
        for current in queue:
            for other in self._neighbours(current):
                if other in came:
                    continue
                came[other] = current
                if other not in self._owner:
                    self._hand_over(other, came, row)
                    return True
                queue.append(self._owner[other])
        return False

    def _hand_over(self, other: int, came: dict[int, int], start: int) -> None:
        held = {row: theirs for theirs, row in self._owner.items()}
        while True:
            row = came[other]
            self._owner[other] = row
            if row == start:
                return
            other = held[row]

    def _neighbours(self, row: int) -> list[int]:
        if row not in self._near:
            agree = self._agree(np.full(self._count, row), self._all)
            self._near[row] = np.flatnonzero(agree).tolist()
        return self._near[row]

    def _agree(self, rows: Array, others: Array) -> Array:
        agree = np.ones(len(rows), bool)
        for column in self._columns:
            agree &= column.agrees(rows, others)
        return agree


def _order(columns: list[_Column], count: int) -> tuple[Array, Array]:
    """Sort the rows of both sides alike, by what is exact first: most counterparts then stand side by side."""
    keys: list[Array] = []
    for column in sorted(columns, key=lambda each: each.tolerance is not None):
        for element in range(min(column.theirs.shape[1], _KEYS - len(keys))):
            both = np.concatenate([column.theirs[:, element], column.ours[:, element]])
            keys.append(_ranks(both))
    if not keys:
        return np.arange(count), np.arange(count)
    sides = [[key[:count] for key in keys], [key[count:] for key in keys]]
    theirs, ours = (np.lexsort(side[::-1]) for side in sides)
    return theirs, ours


def _ranks(values: Array) -> Array:
    """Return what can be sorted as the values can."""
    kind = kind_of(values.dtype)
    if kind is Kind.COMPLEX:
        return np.asarray(values.real)
    if kind is Kind.FLOAT:
        return values.astype(np.float64)
    if kind in {Kind.WHOLE, Kind.BOOL} and values.dtype.kind in "iub":
        return values
    items = values.tolist() if kind is Kind.OBJECT else [bytes(value) for value in values]
    rank = {item: number for number, item in enumerate(sorted(set(items)))}
    return np.array([rank[item] for item in items])


def _words(column: _Column, row: int) -> str:
    elements = ", ".join(shown(value) for value in column.theirs[row][:_KEYS])
    more = ", …" if column.theirs.shape[1] > _KEYS else ""
    return f"'{column.name}' [{elements}{more}]"


def _count(expected: Arrays, check: Check) -> int:
    """Return how many rows there are.

    Raises:
        UsageError: an output is a scalar, or one has not as many rows as another.
    """
    shapes = {name: expected[name].shape for name in check.outputs}
    counts = {shape[0] if shape else None for shape in shapes.values()}
    if len(counts) > 1 or None in counts:
        said = ", ".join(f"'{name}' {list(shape)}" for name, shape in shapes.items())
        raise UsageError(
            f"checker '{check.checker}' needs outputs with as many rows as each other, and is given {said}",
            hint="name other outputs in the golden's manifest",
        )
    return int(counts.pop() or 0)


def _column(name: str, expected: Array, actual: Array, policy: Policy) -> _Column:
    tolerance = policy.tolerance(name, dtype_name(expected))
    if tolerance is not None and kind_of(expected.dtype).is_number:
        tolerance = scaled(expected, actual, tolerance)
    return _Column(name, _rows(expected), _rows(actual), tolerance)


def _rows(array: Array) -> Array:
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    width = int(np.prod(array.shape[1:], dtype=np.int64))
    return np.ascontiguousarray(native).reshape(array.shape[0], width)

"""One pass over two arrays of one shape and type, in pieces that stay in a processor's cache.

On one thread: with two, numpy's short calls wait more for the interpreter's lock than they gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from savedmodel_compat.golden._decide import decide
from savedmodel_compat.golden._elements import (
    Array,
    Kind,
    kind_of,
    reader,
    same_bytes,
    work_type,
)
from savedmodel_compat.golden._swift import Swift
from savedmodel_compat.golden._tally import Tally
from savedmodel_compat.golden.tolerances import Tolerance

PIECE = 1 << 15
"""Elements at once."""


def tally_of(expected: Array, actual: Array, tolerance: Tolerance | None) -> Tally:
    """Compare all elements.

    Args:
        expected: the reference.
        actual: of the same shape and type; neither is copied as a whole.
        tolerance: with an ``atol`` that is scaled already; None to compare exactly.
    """
    kind, tally = kind_of(expected.dtype), Tally()
    swift = None
    if kind is Kind.FLOAT:
        swift = Swift(expected.dtype, tolerance or Tolerance(), min(PIECE, expected.size))
    for first, theirs, ours in _pieces(expected, actual):
        if same_bytes(theirs, ours):
            continue
        if swift is not None:
            places = swift.add(tally, theirs, ours, first)
            if places.size:
                decided = decide(theirs[places], ours[places], tolerance or Tolerance())
                tally.add(decided, first + places, theirs[places], ours[places])
        elif kind.is_number:
            decided = decide(theirs, ours, tolerance or Tolerance())
            tally.add(decided, first + np.arange(theirs.size), theirs, ours)
        else:
            tally.mark(first + np.flatnonzero(_unequal(kind, theirs, ours)))
    return tally


def scaled(expected: Array, actual: Array, tolerance: Tolerance) -> Tolerance:
    """Return a tolerance whose ``atol`` is multiplied with the largest finite magnitude, if that is below 1."""
    if not tolerance.scaled:
        return tolerance
    largest = 0.0
    for array in (expected, actual):
        if largest < 1:
            largest = max(largest, _magnitude(array))
    return replace(tolerance, atol=tolerance.atol * min(1.0, largest), scaled=False)


def is_same(expected: Array, actual: Array) -> bool:
    """Tell whether all elements are equal bit by bit; False where bits do not count."""
    return all(same_bytes(theirs, ours) for _, theirs, ours in _pieces(expected, actual))


def off_places(expected: Array, actual: Array, tolerance: Tolerance | None) -> Array:
    """Return where elements of two small one-dimensional arrays differ by more than a tolerance."""
    kind = kind_of(expected.dtype)
    if kind.is_number:
        return decide(expected, actual, tolerance or Tolerance()).off
    return _unequal(kind, expected, actual)


def _ranges(size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + PIECE, size)) for start in range(0, size, PIECE))


def _pieces(expected: Array, actual: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield the number of the first element of each piece, and the piece of either side."""
    theirs, ours = reader(expected), reader(actual)
    for start, stop in _ranges(expected.size):
        yield start, theirs(start, stop), ours(start, stop)


def _magnitude(array: Array) -> float:
    """Return the largest finite magnitude, or the first that is 1 or more."""
    read, largest = reader(array), 0.0
    is_complex = kind_of(array.dtype) is Kind.COMPLEX
    for start, stop in _ranges(array.size):
        with np.errstate(all="ignore"):
            values = read(start, stop)
            if is_complex:
                values = np.abs(values)
            values = values.astype(work_type(values.dtype), copy=False)
            least, most = values.min(), values.max()
            if not (np.isfinite(least) and np.isfinite(most)):
                finite = values[np.isfinite(values)]
                least, most = finite.min(initial=0.0), finite.max(initial=0.0)
        largest = max(largest, -float(least), float(most))
        if largest >= 1:
            break
    return largest


def _unequal(kind: Kind, expected: Array, actual: Array) -> Array:
    """Return where elements without a distance differ: bools and objects by value, all else bit by bit."""
    if kind is Kind.OBJECT:
        pairs = zip(expected.tolist(), actual.tolist(), strict=True)
        return np.fromiter((theirs != ours for theirs, ours in pairs), bool, len(expected))
    if kind is Kind.BOOL:
        return np.asarray(expected != actual)
    rows = (array.view(np.uint8).reshape(len(array), -1) for array in (expected, actual))
    return np.asarray(np.not_equal(*rows).any(axis=1))

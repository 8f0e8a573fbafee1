"""Element by element, as exactly as it can be done: which are off, and how far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from savedmodel_compat.golden._elements import Array, Kind, distance, kind_of, wide_type
from savedmodel_compat.golden.tolerances import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was found of each of some elements; all arrays have one dimension.

    Args:
        off: where the elements differ by more than the tolerance.
        measured: where both are finite, so that the numbers below mean something; elsewhere they are 0.
        gap: absolute difference.
        size: magnitude of the reference.
        ulp: distance in units in the last place, of the worse part of a complex number.
        used: part of the tolerance that was used up; infinite where no tolerance helps.
    """

    off: Array
    measured: Array
    gap: Array
    size: Array
    ulp: Array
    used: Array


def decide(expected: Array, actual: Array, tolerance: Tolerance) -> Decided:
    """Compare numbers.

    Args:
        expected: one-dimensional, contiguous, of native numbers.
        actual: of the same type and size.
        tolerance: with an ``atol`` that is scaled already.
    """
    kind = kind_of(expected.dtype)
    with np.errstate(all="ignore"):
        if kind is Kind.COMPLEX:
            return _complex(expected, actual, tolerance)
        if kind is Kind.WHOLE:
            return _whole(expected, actual, tolerance)
        return _floats(expected, actual, tolerance)


def _floats(expected: Array, actual: Array, tolerance: Tolerance) -> Decided:
    wide = wide_type(expected.dtype)
    theirs, ours = expected.astype(wide), actual.astype(wide)
    measured = np.isfinite(theirs) & np.isfinite(ours)
    gap = np.where(measured, np.abs(ours - theirs), 0)
    size = np.where(measured, np.abs(theirs), 0)
    ulp = np.where(measured, distance(expected, actual), 0)
    return _decided(gap, size, ulp, measured, _alike(theirs, ours), tolerance)


def _complex(expected: Array, actual: Array, tolerance: Tolerance) -> Decided:
    """Compare by modulus; of a part that is the same infinity, or NaN, on both sides, the other part decides."""
    wide = wide_type(expected.dtype)
    gaps, sizes, ulps, finite, alike = [], [], [], [], []
    for part in ("real", "imag"):
        near = np.ascontiguousarray(getattr(expected, part))
        far = np.ascontiguousarray(getattr(actual, part))
        theirs, ours = near.astype(wide), far.astype(wide)
        whole = np.isfinite(theirs) & np.isfinite(ours)
        gaps.append(np.where(whole, ours - theirs, 0))
        sizes.append(np.where(whole, theirs, 0))
        ulps.append(np.where(whole, distance(near, far), 0))
        finite.append(whole)
        alike.append(_alike(theirs, ours))
    measured = (finite[0] | alike[0]) & (finite[1] | alike[1])
    gap, size = np.hypot(*gaps), np.hypot(*sizes)
    for array in (gap, size):
        array[~measured] = 0
    ulp = np.where(measured, np.maximum(*ulps), 0)
    return _decided(gap, size, ulp, measured, alike[0] & alike[1], tolerance)


def _whole(expected: Array, actual: Array, tolerance: Tolerance) -> Decided:
    """Compare integers in integers: neighbours beyond 2**53 are the same to a float."""
    theirs, ours = (_plain(array) for array in (expected, actual))
    greater, lesser = np.maximum(theirs, ours), np.minimum(theirs, ours)
    ulp = greater.astype(np.uint64) - lesser.astype(np.uint64)
    exact = tolerance.rtol == tolerance.atol == 0
    wide = np.float64 if exact else np.longdouble
    gap, size = ulp.astype(wide), np.abs(theirs.astype(wide))
    return _decided(gap, size, ulp, np.ones(ulp.shape, bool), ulp == 0, tolerance)


def _plain(values: Array) -> Array:
    """Return integers as numpy can reckon with them; ml_dtypes' small ones cannot be subtracted without loss."""
    if values.dtype.kind in "iu":
        return values
    return values.astype(np.uint8 if values.dtype.name.startswith("u") else np.int8)


def _alike(expected: Array, actual: Array) -> Array:
    """Return where values are equal; a NaN is every other NaN."""
    return np.asarray((expected == actual) | (np.isnan(expected) & np.isnan(actual)))


def _decided(  # noqa: PLR0917 - the facts of the same elements
    gap: Array, size: Array, ulp: Array, measured: Array, alike: Array, tolerance: Tolerance
) -> Decided:
    limit = gap.dtype.type(tolerance.rtol) * size + gap.dtype.type(tolerance.atol)
    close = (gap <= limit) | (ulp <= tolerance.ulp)
    used = np.where(limit > 0, gap / np.where(limit > 0, limit, 1), np.inf)
    if tolerance.ulp:
        used = np.minimum(used, ulp / tolerance.ulp)
    used = np.where(measured, used, np.inf)
    used[alike] = 0
    off = ~(alike | (measured & close))
    return Decided(off=off, measured=measured, gap=gap, size=size, ulp=ulp, used=used)

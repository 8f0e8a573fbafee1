"""Whole pieces of floats at once, in their own precision, less what that cannot decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from savedmodel_compat.golden._elements import Array, distance, ordinal_type, work_type
from savedmodel_compat.golden._tally import Gaps, Tally, total
from savedmodel_compat.golden.tolerances import Tolerance

# What is certain is so beyond the rounding of a subtraction, a product, a sum and a quotient.
_DOUBT = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 2e-15}
_NOWHERE = np.empty(0, np.intp)


class Swift:
    """Reckons with whole pieces in the work type, and leaves over what it cannot be certain of.

    It is for one thread: all pieces are worked on in the same buffers.

    Args:
        dtype: of the pieces.
        tolerance: with an ``atol`` that is scaled already.
        most: elements of a piece, at most.
    """

    def __init__(self, dtype: np.dtype[Any], tolerance: Tolerance, most: int) -> None:
        work = self._work = work_type(dtype)
        facts = np.finfo(work)
        doubt = self._doubt = _DOUBT[work]
        self._rtol, self._atol = (
            work.type(number * (1 - doubt)) for number in (tolerance.rtol, tolerance.atol)
        )
        # Beside so small a limit, rounding is not a share of it any more.
        self._is_tiny = bool(self._atol < facts.tiny / doubt)
        self._slack = work.type(8) * facts.smallest_subnormal
        self._ulp = tolerance.ulp
        self._gap, self._size, self._limit, self._part = (np.empty(most, work) for _ in range(4))
        self._is_narrow = dtype != work
        if self._is_narrow:
            self._theirs, self._ours = np.empty(most, work), np.empty(most, work)
        ordinal = ordinal_type(dtype)
        self._ordinals = (np.empty(most, ordinal), np.empty(most, ordinal))

    def add(self, tally: Tally, expected: Array, actual: Array, first: int) -> Array:
        """Add what certainly agrees and what certainly does not, and return the places of all else.

        Args:
            tally: what to add to.
            expected: one-dimensional, contiguous, in native order.
            actual: of the same type and size.
            first: number of the first element in the whole output.
        """
        gap, size, limit, part = (
            array[: expected.size] for array in (self._gap, self._size, self._limit, self._part)
        )
        with np.errstate(all="ignore"):
            self._measure(expected, actual, gap, size, limit, part)
            used = float(part.max())
            if used <= 1 and not self._ulp:
                tally.used = max(tally.used, used * (1 - self._doubt))
                self._sum_up(tally.over_all, expected, actual, gap, size)
                return _NOWHERE
            return self._sift(tally, expected, actual, first)

    def _measure(  # noqa: PLR0917 - what there is of one piece
        self, expected: Array, actual: Array, gap: Array, size: Array, limit: Array, part: Array
    ) -> None:
        if self._is_narrow:
            theirs, ours = self._theirs[: expected.size], self._ours[: expected.size]
            np.copyto(theirs, expected, casting="unsafe")
            np.copyto(ours, actual, casting="unsafe")
        else:
            theirs, ours = expected, actual
        np.subtract(ours, theirs, out=gap)
        np.abs(gap, out=gap)
        np.abs(theirs, out=size)
        np.multiply(size, self._rtol, out=limit)
        np.add(limit, self._atol, out=limit)
        if self._is_tiny:
            np.subtract(limit, self._slack, out=limit)
            np.maximum(limit, 0, out=limit)
        np.divide(gap, limit, out=part)
        if self._is_tiny:
            np.copyto(part, 0, where=gap == 0)

    def _sift(self, tally: Tally, expected: Array, actual: Array, first: int) -> Array:
        """Tell apart what agrees, what is off, and what is too close to the limit to be told."""
        gap, size, part = (array[: expected.size] for array in (self._gap, self._size, self._part))
        close = part <= 1
        if self._ulp:
            ulp = distance(expected, actual, self._ordinals)
            np.minimum(part, np.divide(ulp, self._ulp, dtype=self._work), out=part)
            # By its bits the largest number is beside infinity, and that beside a NaN.
            close |= (ulp <= self._ulp) & (gap < np.inf)
        beyond = np.flatnonzero(~close)
        doubtful = self._add_far(tally, expected, actual, beyond, first)
        if beyond.size < expected.size:
            gap[beyond], part[beyond], size[beyond] = 0, 0, 0
            tally.used = max(tally.used, float(part.max()) * (1 - self._doubt))
            self._sum_up(tally.over_all, expected, actual, gap, size, beyond)
        return doubtful

    def _add_far(
        self, tally: Tally, expected: Array, actual: Array, beyond: Array, first: int
    ) -> Array:
        """Add what is off beyond doubt, of what is not close for certain; return the rest."""
        # Where all are off, views serve as well as copies, and cost nothing.
        is_all = beyond.size == expected.size
        at: Array | slice = slice(beyond.size) if is_all else beyond
        gap, limit, size = (array[at] for array in (self._gap, self._limit, self._size))
        least = limit * (1 + 4 * self._doubt) + 4 * self._slack
        is_far = (gap > least) & (gap < np.inf)
        far = beyond[is_far]
        if not far.size:
            return beyond
        if far.size < beyond.size:
            at, gap, size = far, gap[is_far], size[is_far]
        tally.mark(first + far)
        tally.used = max(tally.used, float(self._part[at].max()))
        found = Gaps()
        found.add(gap, size, distance(expected[at], actual[at]))
        tally.over_all.merge(found)
        tally.beyond.merge(found)
        return np.asarray(beyond[~is_far])

    def _sum_up(  # noqa: PLR0917 - what there is of one piece
        self,
        gaps: Gaps,
        expected: Array,
        actual: Array,
        gap: Array,
        size: Array,
        without: Array = _NOWHERE,
    ) -> None:
        """Add the numbers of a piece, less those of some elements, whose gap and size are 0."""
        gaps.count += gap.size - without.size
        gaps.max_abs = max(gaps.max_abs, float(gap.max()))
        gaps.sum_abs += total(gap)
        has_zeros = not size.min()
        if has_zeros:
            np.copyto(size, np.inf, where=size == 0)
        relative = np.divide(gap, size, out=size)
        largest = float(relative.max())
        gaps.max_rel = max(gaps.max_rel, largest)
        gaps.sum_rel += total(relative)
        gaps.max_ulp = max(
            gaps.max_ulp,
            self._furthest(expected, actual, without, has_one_sign=largest < 1 and not has_zeros),
        )

    def _furthest(
        self, expected: Array, actual: Array, without: Array, *, has_one_sign: bool
    ) -> int:
        """Return the largest distance in units in the last place."""
        if has_one_sign and not self._is_narrow:
            # Of one sign the bits themselves are in order, or in the reverse one.
            steps = self._ordinals[0][: expected.size]
            np.subtract(actual.view(steps.dtype), expected.view(steps.dtype), out=steps)
            return max(int(steps.max()), -int(steps.min()))
        ulp = distance(expected, actual, self._ordinals)
        ulp[without] = 0
        return int(ulp.max())

"""What adds up over the pieces of one output: how many elements are off, how far, and where first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from savedmodel_compat.golden._decide import Decided
from savedmodel_compat.golden._elements import Array

PLACES = 3
_LANES = 256


def total(values: Array) -> float:
    """Return the sum of floats, which are not negative, to some five digits."""
    rows = values.size // _LANES
    if values.size % _LANES or not rows:
        found = float(values.sum())
    else:
        # Rows are added as vectors, which a sum along the only axis is not.
        found = float(np.add.reduce(values.reshape(rows, _LANES), axis=0).sum())
    return found if np.isfinite(found) else float(values.sum(dtype=np.float64))


@dataclass(slots=True, kw_only=True)
class Gaps:
    """Distances of elements that are finite on both sides.

    Args:
        count: how many elements.
        max_abs: largest absolute difference.
        sum_abs: sum of them.
        max_rel: largest difference relative to the reference, where that is not zero.
        sum_rel: sum of them.
        max_ulp: largest distance in units in the last place.
        sum_ulp: sum of them.
    """

    count: int = 0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    max_rel: float = 0.0
    sum_rel: float = 0.0
    max_ulp: int = 0
    sum_ulp: float = 0.0

    def add(self, gap: Array, size: Array, ulp: Array) -> None:
        """Add elements one by one."""
        if not gap.size:
            return
        # The quotient of a tiny reference may be beyond every number.
        with np.errstate(all="ignore"):
            nonzero = size > 0
            relative = gap / size if nonzero.all() else gap[nonzero] / size[nonzero]
            self.merge(
                Gaps(
                    count=gap.size,
                    max_abs=float(gap.max()),
                    sum_abs=total(gap),
                    max_rel=float(relative.max(initial=0.0)),
                    sum_rel=total(relative),
                    max_ulp=int(ulp.max()),
                    sum_ulp=float(ulp.sum(dtype=np.float64)),
                )
            )

    def merge(self, other: Gaps) -> None:
        """Add those of other elements."""
        self.count += other.count
        self.sum_abs += other.sum_abs
        self.sum_rel += other.sum_rel
        self.sum_ulp += other.sum_ulp
        self.max_abs = max(self.max_abs, other.max_abs)
        self.max_rel = max(self.max_rel, other.max_rel)
        self.max_ulp = max(self.max_ulp, other.max_ulp)

    @property
    def mean_abs(self) -> float:
        """The mean of the absolute differences; 0 of none."""
        return self.sum_abs / self.count if self.count else 0.0

    @property
    def mean_rel(self) -> float:
        """The mean of the relative differences; 0 of none."""
        return self.sum_rel / self.count if self.count else 0.0

    @property
    def mean_ulp(self) -> float:
        """The mean distance in units in the last place; 0 of none."""
        return self.sum_ulp / self.count if self.count else 0.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was found of one output, or of a part of it.

    Args:
        off: how many elements are off.
        places: the first of them, by their number in C order.
        over_all: distances of all elements.
        beyond: distances of those that are off.
        used: largest part of the tolerance that an element used up.
        classes: how often what the reference has (``nan``, ``infinity``, ``number``) is something else.
    """

    off: int = 0
    places: list[int] = field(default_factory=list)
    over_all: Gaps = field(default_factory=Gaps)
    beyond: Gaps = field(default_factory=Gaps)
    used: float = 0.0
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def mark(self, places: Array) -> None:
        """Count elements that are off, given by their numbers in ascending order."""
        self.off += places.size
        # Within a piece, what is far off is told first, and what is close to the limit after it.
        self.places = sorted(self.places + places[:PLACES].tolist())[:PLACES]

    def add(self, decided: Decided, places: Array, expected: Array, actual: Array) -> None:
        """Add what was decided of single elements.

        Args:
            decided: of each of them.
            places: their numbers, ascending.
            expected: the same elements.
            actual: the same elements.
        """
        off, measured = decided.off, decided.measured
        self.mark(places[off])
        self.used = max(self.used, float(decided.used.max(initial=0.0)))
        for gaps, of in ((self.over_all, measured), (self.beyond, measured & off)):
            if of.all():
                gaps.add(decided.gap, decided.size, decided.ulp)
            else:
                gaps.add(decided.gap[of], decided.size[of], decided.ulp[of])
        lost = off & ~measured
        if lost.any():
            self.classes.update(zip(_classes(expected[lost]), _classes(actual[lost]), strict=True))


def _classes(values: Array) -> list[str]:
    """Say what each number is; a complex one is NaN if a part is, and infinite if a part is."""
    # A signalling NaN of a small type warns even when it is asked what it is.
    with np.errstate(invalid="ignore"):
        found = np.where(np.isinf(values), "infinity", "number")
        found = np.where(np.isnan(values), "nan", found)
    return found.tolist()  # type: ignore[no-any-return]

"""Sizes of dimensions that a signature leaves open, and shapes made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.search._hypothesis import st

Shape = tuple[int | None, ...]
Draw = Any
"""What Hypothesis hands to a composite strategy."""

MOST_ELEMENTS = 1 << 14
"""How many elements an input has at most, unless its known dimensions and its batch alone make more."""

_MOST_OF_A_BATCH = 1 << 18
# What looks at one row only is found with three, however large they are; beyond this even three take too long.
_LEAST_ROWS, _LARGE_ROW = 3, 1 << 21
_LARGEST = 1 << 27

_HIGHEST_RANK = 4
# Each branch shrinks to 0 in itself; what only the last can reach shrinks to its own smallest.
SIZES = st.one_of(
    st.integers(0, 4),
    st.integers(0, 17),
    st.integers(0, 130),
    st.integers(0, 130),
    st.integers(0, 1025),
)
"""Sizes of one dimension: 0, 1 and small odd ones often, and some of which a kernel makes several blocks."""


@dataclass(slots=True)
class Sizes:
    """The open dimensions of one set of inputs.

    Inputs of one request mostly have to agree in their batch, and often in more; so most sets have one size for the first
    dimension of all inputs, one for the second, and so on.

    Args:
        draw: Hypothesis' function.
        tied: whether open dimensions at one place have one size.
        batch: the size of all first dimensions that are open; None draws it.
        most_rows: how large such a first dimension gets.
    """

    draw: Draw
    tied: bool
    batch: int | None = None
    most_rows: int = 1 << 16
    _drawn: dict[int, int] = field(default_factory=dict)

    def shape(self, shape: Shape | None) -> tuple[int, ...]:
        """Return a shape in which nothing is open."""
        if shape is None:
            rank = self.draw(st.sampled_from((1, 0, 2, 3, _HIGHEST_RANK)))
            shape = (None,) * rank
        if _known(shape) > _LARGEST:
            raise UnsupportedError(f"inputs of {_known(shape)} elements are too large to be drawn")
        room = max(1, MOST_ELEMENTS // max(1, _known(shape)))
        found = []
        for place, known in enumerate(shape):
            most = min(most_rows(shape), self.most_rows) if place == 0 else room
            size = min(self._size(place), most) if known is None else known
            if known is None:
                room = max(1, room // max(1, size))
            found.append(size)
        return tuple(found)

    def length(self, at_most: int = 6) -> int:
        """Return how many entries something has that is no dimension of the signature."""
        return int(self.draw(st.integers(0, at_most)))

    def _size(self, place: int) -> int:
        if place == 0 and self.batch is not None:
            return self.batch
        if not self.tied:
            return int(self.draw(SIZES))
        if place not in self._drawn:
            self._drawn[place] = int(self.draw(SIZES))
        return self._drawn[place]


def most_rows(shape: Shape | None) -> int:
    """Return how large an open first dimension gets."""
    known = max(1, _known(shape or ()))
    least = _LEAST_ROWS if known < _LARGE_ROW else 1
    return max(least, _MOST_OF_A_BATCH // known)


def _known(shape: Sequence[int | None]) -> int:
    count = 1
    for size in shape:
        count *= 1 if size is None else size
    return count

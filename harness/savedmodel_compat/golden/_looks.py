"""What an output that is off looks like: another output, the reference transposed, reversed, scaled, nothing at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.golden._elements import Array, Kind, kind_of
from savedmodel_compat.golden._pass import off_places
from savedmodel_compat.golden.tolerances import Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAMPLE = 4096
_GLANCE = 64
_MOST_AXES = 5
_FEWEST = 3
Places = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """Compares places of one output with anything that has its shape and type.

    Args:
        actual: the output.
        tolerance: with an ``atol`` that is scaled already; None to compare exactly.
        known: numbers of elements that differ from the reference, and must be explained.
    """

    actual: Array
    tolerance: Tolerance | None
    known: tuple[int, ...] = ()

    def like(self, name: str, expected: Mapping[str, Array]) -> str:
        """Say what the output looks like; empty if it looks like nothing known.

        Args:
            name: its alias.
            expected: all outputs of the reference.
        """
        if not self.actual.size:
            return ""
        places = self._places()
        for text, candidate in self._candidates(name, expected):
            if self._agrees(candidate, places):
                return text + self._reservation()
        if self.actual.shape != expected[name].shape:
            return ""
        text = self._shifted(expected[name], places)
        return text and text + self._reservation()

    def _places(self) -> Places:
        """Return all places, or as many as tell; the first ones are a sample of their own."""
        size = self.actual.size
        if not self.actual.ndim:
            return ()
        random = np.random.default_rng(0)
        numbers = (
            random.permutation(size) if size <= _SAMPLE else random.integers(size, size=_SAMPLE)
        )
        numbers = np.concatenate([np.asarray(self.known, np.intp), numbers])
        return np.unravel_index(numbers, self.actual.shape)

    def _reservation(self) -> str:
        size = self.actual.size
        return f" (as far as {_SAMPLE} of {size} elements tell)" if size > _SAMPLE else ""

    def _candidates(self, name: str, expected: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """Yield what it could be, and a view of that in the output's shape."""
        own = expected[name]
        is_telling = self.actual.size > 1 or kind_of(own.dtype) is not Kind.BOOL
        for other in sorted(expected):
            if other != name and is_telling:
                yield f"it has the values of the reference's output '{other}'", expected[other]
        if self.actual.size > 1:
            yield from self._constants(own)
        if own.ndim <= _MOST_AXES:
            for axes in itertools.permutations(range(own.ndim)):
                if axes != tuple(range(own.ndim)):
                    text = f"it has the values of the reference transposed (axes {list(axes)})"
                    yield text, own.transpose(axes)
        for axis in range(own.ndim):
            text = f"it has the values of the reference reversed along axis {axis}"
            yield text, np.flip(own, axis)
        if own.ndim:
            yield "it has the values of the reference reversed along all axes", np.flip(own)

    def _constants(self, own: Array) -> Iterator[tuple[str, Array]]:
        kind = kind_of(own.dtype)
        if kind.is_number:
            yield "it is all zeros", np.broadcast_to(np.zeros((), own.dtype), self.actual.shape)
        if kind in {Kind.FLOAT, Kind.COMPLEX}:
            nothing = np.full((), np.nan).astype(own.dtype)
            if np.isnan(nothing):
                yield "it is all NaN", np.broadcast_to(nothing, self.actual.shape)
        if kind is Kind.OBJECT:
            empty = np.full((), b"", object)
            yield "it is all empty strings", np.broadcast_to(empty, self.actual.shape)

    def _agrees(self, candidate: Array, places: Places) -> bool:
        """Tell whether all places agree; a few are looked at first."""
        if candidate.shape != self.actual.shape or candidate.dtype.name != self.actual.dtype.name:
            return False
        first = tuple(at[:_GLANCE] for at in places)
        return not any(self._is_off(candidate, some) for some in (first, places))

    def _is_off(self, candidate: Array, places: Places) -> bool:
        return bool(
            off_places(_taken(candidate, places), _taken(self.actual, places), self.tolerance).any()
        )

    def _shifted(self, own: Array, places: Places) -> str:
        """Say by which factor, or how much, all elements are off."""
        if kind_of(own.dtype) is not Kind.FLOAT or own.size < _FEWEST or self.tolerance is None:
            return ""
        theirs, ours = (_taken(array, places) for array in (own, self.actual))
        wide = [array.astype(np.float64) for array in (theirs, ours)]
        with np.errstate(all="ignore"):
            quotient, gap = wide[1] / wide[0], wide[1] - wide[0]
            factor, offset = (_typical(numbers) for numbers in (quotient, gap))
            tries: tuple[tuple[str, Callable[[Any], Any]], ...] = (
                (f"it is {_brief(factor)} times the reference", lambda values: values * factor),
                (f"it is the reference plus {_brief(offset)}", lambda values: values + offset),
            )
            for text, shift in tries:
                shifted = shift(wide[0]).astype(own.dtype)
                if not off_places(shifted, ours, self.tolerance).any():
                    return text
        return ""


def _brief(number: float) -> str:
    """Return a number in few digits, but enough to tell a factor from 1."""
    texts = [f"{number:.{digits}g}" for digits in (6, 9, 17)]
    return next((text for text in texts if text != "1"), texts[0])


def _typical(numbers: Array) -> float:
    finite = numbers[np.isfinite(numbers)]
    return float(np.median(finite)) if finite.size else 0.0


def _taken(array: Array, places: Places) -> Array:
    # With the ellipsis an array comes of a scalar too: a bare string would become an S array, without the zero bytes at its end.
    at: tuple[Any, ...] = (*places, ...)
    values = array[at]
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False)).reshape(
        -1
    )

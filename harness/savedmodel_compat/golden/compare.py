"""Compare the outputs of a cell with its reference: names, then dtypes, then shapes, then values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from savedmodel_compat.golden import _words
from savedmodel_compat.golden._elements import kind_of
from savedmodel_compat.golden._looks import Looks
from savedmodel_compat.golden._pass import is_same, scaled, tally_of
from savedmodel_compat.golden._tally import Tally
from savedmodel_compat.golden.tolerances import Check, Policy, Tolerance

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]
Dtypes = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which the outputs differ from the reference.

    Args:
        cause: the id of a cause of stage ``compare``.
        output: alias of the output; None when it is the set of names that differs.
        text: what differs, with the numbers; one line.
    """

    cause: str
    output: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How far an output that is compared with a tolerance was from the reference.

    Args:
        output: its alias.
        dtype: its element type by TensorFlow's name.
        elements: how many there are.
        off: how many are beyond the tolerance.
        max_abs: largest absolute difference of two finite elements.
        mean_abs: mean of those over all elements.
        max_rel: largest difference relative to the reference, where that is not zero.
        mean_rel: mean of those over all elements.
        max_ulp: largest distance in units in the last place; None where elements have no distance.
        used: largest part of the tolerance that an element used up: 1 is the limit, 0 is equal;
            infinite where a NaN or an infinity differs, or nothing is allowed.
    """

    output: str
    dtype: str
    elements: int
    off: int
    max_abs: float
    mean_abs: float
    max_rel: float
    mean_rel: float
    max_ulp: int | None
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of comparing all outputs of a signature.

    Args:
        differences: names first, then dtypes, shapes, values; empty if they agree.
        observed: of the outputs that were compared with a tolerance.
        compared: how many outputs the reference has.
    """

    differences: tuple[Difference, ...]
    observed: tuple[Observed, ...]
    compared: int


Checker = Callable[[Arrays, Arrays, Policy, Check], Difference | None]
"""Judges the outputs that a check names, given all outputs of the reference and of the cell."""

_DEFAULT = Policy()


def compare(
    expected: Arrays,
    actual: Arrays,
    policy: Policy = _DEFAULT,
    *,
    expected_dtypes: Dtypes | None = None,
    actual_dtypes: Dtypes | None = None,
    checkers: Mapping[str, Checker] | None = None,
) -> Comparison:
    """Compare all outputs of a signature.

    Args:
        expected: the reference, by alias; strings are object arrays of bytes.
        actual: what the cell answered.
        policy: how.
        expected_dtypes: TensorFlow's names of the reference's element types, which tell more than
            numpy's (``qint8`` is held as ``int8``). They count where both sides are known.
        actual_dtypes: the same of the answer.
        checkers: by name, for checks of the policy, beside the built-in ones.

    Raises:
        UsageError: a check names a checker or an output that is not there, or lacks an option.
    """
    # The checkers take what they return from here.
    from savedmodel_compat.golden.checkers import resolve

    judges = resolve(policy.checks, tuple(expected), checkers or {})
    # NaN, infinities and what overflows are found and told; numpy's warnings of them would only repeat it.
    with np.errstate(all="ignore"):
        return _compared(
            expected, actual, policy, judges, _Types(expected_dtypes or {}, actual_dtypes or {})
        )


def _compared(
    expected: Arrays,
    actual: Arrays,
    policy: Policy,
    judges: Sequence[tuple[Check, Checker]],
    types: _Types,
) -> Comparison:
    from savedmodel_compat.golden.checkers import needed

    theirs = {name: np.asarray(array) for name, array in expected.items()}
    ours = {name: np.asarray(array) for name, array in actual.items()}
    named, typed, shaped = (
        list(found)
        for found in (
            _names(theirs, ours),
            _dtypes(theirs, ours, types),
            _shapes(theirs, ours, policy, types),
        )
    )
    unfit = {found.output for found in (*typed, *shaped)} | (set(theirs) - set(ours))
    judged = {name for check in policy.checks for name in check.outputs}
    valued: list[Difference] = []
    observed: list[Observed] = []
    for name in sorted(set(theirs) - unfit - judged):
        dtype = types.expected(name, theirs[name])
        tolerance = policy.tolerance(name, dtype)
        difference, numbers = _compare_values(name, dtype, theirs, ours[name], tolerance)
        valued += [difference] if difference else []
        observed += [numbers] if numbers else []
    for check, checker in judges:
        # What it needs and does not find in order was said already.
        if not unfit & needed(check):
            difference = checker(theirs, ours, policy, check)
            valued += [difference] if difference else []
    return Comparison(
        differences=(*named, *typed, *shaped, *valued),
        observed=tuple(observed),
        compared=len(expected),
    )


def dtype_name(array: Array) -> str:
    """Return TensorFlow's name of an array's element type, as far as the array tells."""
    return "string" if array.dtype == object else str(array.dtype.name)


@dataclass(frozen=True, slots=True)
class _Types:
    """TensorFlow's names of element types on either side, by alias."""

    theirs: Dtypes
    ours: Dtypes

    def expected(self, name: str, array: Array) -> str:
        return self.theirs.get(name, dtype_name(array))

    def differ(self, name: str, expected: Array, actual: Array) -> tuple[str, str] | None:
        """Return the name of either side if they are not the same."""
        pairs = [(dtype_name(expected), dtype_name(actual))]
        if name in self.theirs and name in self.ours:
            pairs.insert(0, (self.theirs[name], self.ours[name]))
        return next((pair for pair in pairs if pair[0] != pair[1]), None)


def _names(expected: Arrays, actual: Arrays) -> Iterator[Difference]:
    missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
    if missing or extra:
        text = f"outputs missing: {missing or 'none'}; outputs not expected: {extra or 'none'}"
        yield Difference(cause="output-names-differ", output=None, text=_words.cut(text))


def _dtypes(expected: Arrays, actual: Arrays, types: _Types) -> Iterator[Difference]:
    for name in sorted(set(expected) & set(actual)):
        if pair := types.differ(name, expected[name], actual[name]):
            text = f"output '{name}': dtype {pair[1]}, the reference has {pair[0]}"
            yield Difference(cause="output-dtype-differs", output=name, text=_words.cut(text))


def _shapes(
    expected: Arrays, actual: Arrays, policy: Policy, types: _Types
) -> Iterator[Difference]:
    for name in sorted(set(expected) & set(actual)):
        theirs, ours = expected[name], actual[name]
        if theirs.shape == ours.shape:
            continue
        text = f"output '{name}': shape {list(ours.shape)}, the reference has {list(theirs.shape)}"
        if not ours.size:
            text += ": it is empty"
        elif types.differ(name, theirs, ours) is None:
            tolerance = _effective(
                theirs, ours, policy.tolerance(name, types.expected(name, theirs))
            )
            looks = Looks(ours, tolerance).like(name, expected)
            text += f": {looks}" if looks else ""
        yield Difference(cause="output-shape-differs", output=name, text=_words.cut(text))


def _effective(expected: Array, actual: Array, tolerance: Tolerance | None) -> Tolerance | None:
    """Return the tolerance with its ``atol`` as it is for these values."""
    if tolerance is None or not kind_of(expected.dtype).is_number:
        return tolerance
    return scaled(expected, actual, tolerance)


def _compare_values(
    name: str, dtype: str, references: Arrays, actual: Array, tolerance: Tolerance | None
) -> tuple[Difference | None, Observed | None]:
    expected = references[name]
    if is_same(expected, actual):
        return None, _observed(name, dtype, expected, tolerance, Tally())
    tolerance = _effective(expected, actual, tolerance)
    tally = tally_of(expected, actual, tolerance)
    allowed = _allowed(tolerance, expected.size)
    difference = None
    if tally.off > allowed:
        text = _words.mismatch(
            name,
            expected,
            actual,
            tally,
            tolerance=tolerance,
            allowed=allowed,
            looks=Looks(actual, tolerance, tuple(tally.places)).like(name, references),
        )
        difference = Difference(cause="output-mismatch", output=name, text=_words.cut(text))
    return difference, _observed(name, dtype, expected, tolerance, tally)


def _allowed(tolerance: Tolerance | None, size: int) -> int:
    """Return how many elements may be off; 0.29 of 100 are 29, and not the 28 of binary fractions."""
    return 0 if tolerance is None else math.floor(Fraction(repr(float(tolerance.share))) * size)


def _observed(
    name: str, dtype: str, expected: Array, tolerance: Tolerance | None, tally: Tally
) -> Observed | None:
    if tolerance is None:
        return None
    is_number = kind_of(expected.dtype).is_number
    gaps = tally.over_all
    return Observed(
        output=name,
        dtype=dtype,
        elements=expected.size,
        off=tally.off,
        max_abs=gaps.max_abs,
        mean_abs=gaps.sum_abs / max(1, expected.size),
        max_rel=gaps.max_rel,
        mean_rel=gaps.sum_rel / max(1, expected.size),
        max_ulp=gaps.max_ulp if is_number else None,
        used=tally.used if is_number or not tally.off else math.inf,
    )

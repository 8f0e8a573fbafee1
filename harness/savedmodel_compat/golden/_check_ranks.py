"""Checkers of ranks: which element is the largest, and which are the k largest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden._elements import Array, Kind, kind_of
from savedmodel_compat.golden._pass import off_places, scaled
from savedmodel_compat.golden._words import cut, shown
from savedmodel_compat.golden.compare import Arrays, Difference, dtype_name
from savedmodel_compat.golden.tolerances import Check, Policy, Tolerance

_PLACES = 3
_NUMBERS = frozenset((Kind.FLOAT, Kind.WHOLE))


@dataclass(frozen=True, slots=True)
class _Limit:
    """A tolerance, and the type of which its units in the last place are."""

    dtype: np.dtype[Any]
    tolerance: Tolerance

    def is_off(self, expected: Array, actual: Array) -> Array:
        """Return where two arrays of one shape are off; both may be in a wider type than their own."""
        native = self.dtype.newbyteorder("=")
        theirs, ours = (np.asarray(side).reshape(-1).astype(native) for side in (expected, actual))
        return off_places(theirs, ours, self.tolerance).reshape(np.shape(expected))


def argmax(expected: Arrays, actual: Arrays, policy: Policy, check: Check) -> Difference | None:
    """Accept each index that points at a score within tolerance of the largest.

    The scores are the reference's, or the cell's own: where two nearly tie, the cell may rank them by
    its own scores, as long as those that decide it agree with the reference's.

    Raises:
        UsageError: the outputs are not indices into the scores.
    """
    return _extreme(expected, actual, policy, check, np.max)


def argmin(expected: Arrays, actual: Arrays, policy: Policy, check: Check) -> Difference | None:
    """Accept each index that points at a score within tolerance of the smallest.

    Raises:
        UsageError: the outputs are not indices into the scores.
    """
    return _extreme(expected, actual, policy, check, np.min)


def top_k(expected: Arrays, actual: Arrays, policy: Policy, check: Check) -> Difference | None:
    """Accept the k largest of each row, in any order, with other ones that tie for the last place.

    What else ties for the last place is not among the values: there, and everywhere if k is 1, an
    index may be any that is not negative, unless the option ``of`` names the output with the scores,
    in which each index then has to point at its value.

    Raises:
        UsageError: values, indices and scores do not belong together, or are no numbers.
    """
    names = str(check.options["values"]), str(check.options["indices"])
    if set(check.outputs) - set(names):
        raise UsageError(
            f"checker '{check.checker}' judges {list(names)}, and is given {list(check.outputs)}"
        )
    values, indices = expected[names[0]], expected[names[1]]
    _check_top(check, names, values, indices)
    source = check.options.get("of")
    if source is not None:
        _check_scores(check, str(source), values, expected[str(source)])
    tolerance = _tolerance(policy, names[0], values, actual[names[0]])
    shape = (math.prod(values.shape[:-1]), values.shape[-1])
    sides = [
        (_plain(each[names[0]]).reshape(shape), _plain(each[names[1]]).reshape(shape))
        for each in (expected, actual)
    ]
    limit = _Limit(values.dtype, tolerance)
    off = _other_ranks(sides[0], sides[1], limit)
    if source is not None:
        scores = expected[str(source)]
        rows = _plain(scores).reshape(shape[0], scores.shape[-1])
        off = sorted({*off, *_strays(sides[0][1], sides[1], rows, limit)})
    if not off:
        return None
    first = off[0]
    place = [int(at) for at in np.unravel_index(first, values.shape[:-1])]
    there, here = (_pairs(indices[first], values[first]) for values, indices in sides)
    text = (
        f"outputs '{names[0]}' and '{names[1]}': {len(off)} of {shape[0]} rows are not the largest"
        f" {values.shape[-1]} of the reference in any order ({tolerance}); at {place} {here}, the"
        f" reference has {there}"
    )
    return Difference(cause="output-mismatch", output=names[0], text=cut(text))


def _pairs(indices: Array, values: Array) -> str:
    """Show a row as what stands at which index."""
    parts = [f"{index}: {value}" for index, value in zip(indices, values, strict=True)]
    return cut(f"{{{', '.join(parts)}}}", 120)


def _other_ranks(
    theirs: tuple[Array, Array], ours: tuple[Array, Array], limit: _Limit
) -> list[int]:
    """Return the rows that do not hold the same ranks; most rows agree as they stand."""
    (values, indices), (others, places) = theirs, ours
    unlike = limit.is_off(values, others) | (indices != places)
    rows = np.flatnonzero(unlike.any(axis=1)).tolist()
    return [
        row
        for row in rows
        if not _same_rank((values[row], indices[row]), (others[row], places[row]), limit)
    ]


def _same_rank(theirs: tuple[Array, Array], ours: tuple[Array, Array], limit: _Limit) -> bool:
    """Tell whether two rows hold the same largest values, and either side's indices could be the other's."""
    (values, indices), (others, places) = theirs, ours
    if np.unique(places).size != np.unique(indices).size:
        return False
    # A negative index is none, unless it is how the reference fills a row up.
    if not np.isin(places[places < 0], indices).all():
        return False
    if limit.is_off(np.sort(values), np.sort(others)).any():
        return False
    shared, at, there = np.intersect1d(indices, places, return_indices=True)
    if limit.is_off(values[at], others[there]).any():
        return False
    # What stands on one side only can only have tied for the last place.
    alone = np.concatenate([values[~np.isin(indices, shared)], others[~np.isin(places, shared)]])
    return not limit.is_off(np.full_like(alone, values.min()), alone).any()


def _strays(indices: Array, ours: tuple[Array, Array], scores: Array, limit: _Limit) -> list[int]:
    """Return the rows with an index that is not the reference's, and does not point at a score of its value.

    The scores are the reference's: the cell's own, where they are right, are within tolerance of them.
    """
    values, places = ours
    is_right = places == indices
    if scores.size:
        is_inside = (places >= 0) & (places < scores.shape[1])
        where = np.where(is_inside, places, 0).astype(np.intp)
        found = np.take_along_axis(scores, where, 1)
        is_right |= is_inside & ~limit.is_off(found, values)
    return [int(row) for row in np.flatnonzero(~is_right.all(axis=1))]


def _extreme(
    expected: Arrays,
    actual: Arrays,
    policy: Policy,
    check: Check,
    extreme: Callable[..., Any],
) -> Difference | None:
    source, axis = str(check.options["of"]), check.options.get("axis", -1)
    scores = expected[source]
    tolerance = _tolerance(policy, source, scores, actual[source])
    texts = []
    for name in check.outputs:
        _check_indices(check, name, expected[name], scores, axis)
        theirs, ours = _plain(expected[name]), _plain(actual[name])
        limit = _Limit(scores.dtype, tolerance)
        reference, own = _plain(scores), _plain(actual[source])
        is_right = np.asarray(theirs == ours)
        is_right = is_right | _points_at(reference, ours, axis, extreme, limit)
        is_own = _points_at(own, ours, axis, extreme, limit)
        # A share may excuse any score, so that only one that agrees by itself speaks for an index.
        for indices in (theirs, ours):
            is_own = is_own & _agree_at(reference, own, indices, axis, limit)
        is_right = is_right | is_own
        if not is_right.all():
            texts.append(_not_extreme((name, source), ~is_right, (theirs, ours), scores, axis))
    if not texts:
        return None
    text = "; ".join(texts) + f" ({check.checker}, {tolerance})"
    return Difference(cause="output-mismatch", output=check.outputs[0], text=cut(text))


def _points_at(
    scores: Array, indices: Array, axis: int, extreme: Callable[..., Any], limit: _Limit
) -> Array:
    """Return where an index is in range and points at the extreme score."""
    count = scores.shape[axis]
    is_inside = (indices >= 0) & (indices < count)
    if not scores.size:
        return np.zeros(indices.shape, bool)
    found = _score_at(scores, np.where(is_inside, indices, 0), axis)
    best = np.asarray(extreme(scores, axis=axis))
    off = limit.is_off(best, found)
    # NaN is neither the largest nor the smallest: there only the reference's index is right.
    has_nan = np.isnan(scores).any(axis=axis) if scores.dtype.kind == "f" else False
    return np.asarray(is_inside & ~off & ~np.asarray(has_nan))


def _agree_at(scores: Array, own: Array, indices: Array, axis: int, limit: _Limit) -> Array:
    """Return where an index is in range and both sides' scores agree there."""
    is_inside = (indices >= 0) & (indices < scores.shape[axis])
    if not scores.size:
        return np.zeros(indices.shape, bool)
    where = np.where(is_inside, indices, 0)
    there, here = (_score_at(side, where, axis) for side in (scores, own))
    return np.asarray(is_inside & ~limit.is_off(there, here))


def _score_at(scores: Array, indices: Array, axis: int) -> Array:
    positions = np.expand_dims(indices.astype(np.intp), axis)
    return np.asarray(np.squeeze(np.take_along_axis(scores, positions, axis), axis))


def _not_extreme(
    names: tuple[str, str], off: Array, indices: tuple[Array, Array], scores: Array, axis: int
) -> str:
    """Say how many indices point elsewhere, and where the first of them are."""
    text = (
        f"output '{names[0]}': {int(off.sum())} of {off.size} indices do not point at an extreme score"
        f" of '{names[1]}'"
    )
    for place in np.argwhere(off)[:_PLACES]:
        at = tuple(int(number) for number in place)
        there, here = (_with_score(int(side[at]), at, scores, axis) for side in indices)
        text += f"; at {list(at)} {here}, the reference has {there}"
    return text


def _with_score(index: int, at: tuple[int, ...], scores: Array, axis: int) -> str:
    axis %= scores.ndim
    if not 0 <= index < scores.shape[axis]:
        return f"{index} (of {scores.shape[axis]})"
    where = (*at[:axis], index, *at[axis:])
    return f"{index} (score {shown(scores[where])})"


def _check_indices(check: Check, name: str, indices: Array, scores: Array, axis: object) -> None:
    """Refuse outputs that are no indices along an axis of the scores.

    Raises:
        UsageError: so it is.
    """
    fits = (
        type(axis) is int
        and -scores.ndim <= axis < scores.ndim
        and indices.shape == tuple(np.delete(scores.shape, axis))
        and _are_whole(indices)
        and kind_of(scores.dtype) in _NUMBERS
    )
    if not fits:
        raise UsageError(
            f"output '{name}' ({dtype_name(indices)} {list(indices.shape)}) does not hold indices along"
            f" axis {axis} of '{check.options['of']}' ({dtype_name(scores)} {list(scores.shape)}), as"
            f" checker '{check.checker}' needs them",
            hint="name another output, or another axis, in the golden's manifest",
        )


def _check_top(check: Check, names: tuple[str, str], values: Array, indices: Array) -> None:
    """Refuse what are no values with their indices.

    Raises:
        UsageError: so it is.
    """
    if kind_of(values.dtype) not in _NUMBERS:
        raise UsageError(
            f"output '{names[0]}' ({dtype_name(values)} {list(values.shape)}) has no largest values, as"
            f" checker '{check.checker}' needs them: they are neither floats nor integers",
            hint="name another output in the golden's manifest",
        )
    if values.shape != indices.shape or not values.ndim or not _are_whole(indices):
        raise UsageError(
            f"output '{names[1]}' ({dtype_name(indices)} {list(indices.shape)}) does not hold the indices"
            f" of output '{names[0]}' ({list(values.shape)}), as checker '{check.checker}' needs them"
        )


def _check_scores(check: Check, name: str, values: Array, scores: Array) -> None:
    """Refuse what are not the scores of which values are the largest.

    Raises:
        UsageError: so it is.
    """
    fits = scores.dtype == values.dtype and scores.shape[:-1] == values.shape[:-1]
    if not fits or scores.ndim != values.ndim:
        raise UsageError(
            f"output '{name}' ({dtype_name(scores)} {list(scores.shape)}) does not hold the scores of which"
            f" checker '{check.checker}' judges the largest ({dtype_name(values)} {list(values.shape)})",
            hint="name another output in the golden's manifest",
        )


def _are_whole(indices: Array) -> bool:
    return kind_of(indices.dtype) is Kind.WHOLE


def _tolerance(policy: Policy, name: str, expected: Array, actual: Array) -> Tolerance:
    """Return the tolerance of an output, scaled for its values; none at all where it is compared exactly."""
    found = policy.tolerance(name, dtype_name(expected))
    return Tolerance() if found is None else scaled(expected, actual, found)


def _plain(array: Array) -> Array:
    """Return numbers as numpy itself can rank them: ml_dtypes' kinds it cannot always."""
    if array.dtype.kind in "fiu":
        return np.asarray(array.astype(array.dtype.newbyteorder("="), copy=False), order="C")
    return array.astype(np.int64 if _are_whole(array) else np.float32)

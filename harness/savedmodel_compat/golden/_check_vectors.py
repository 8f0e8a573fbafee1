"""The checker of eigenvectors, which have no sign, and of equal eigenvalues no direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden._elements import Array, Kind, kind_of
from savedmodel_compat.golden._pass import off_places, scaled
from savedmodel_compat.golden._words import cut
from savedmodel_compat.golden.compare import Arrays, Difference, dtype_name
from savedmodel_compat.golden.tolerances import Check, Policy, Tolerance

_SHARE_OF_RANK = 0.5


def eigenvectors(
    expected: Arrays, actual: Arrays, policy: Policy, check: Check
) -> Difference | None:
    """Accept columns up to sign or phase, and those of equal eigenvalues up to their subspace.

    Raises:
        UsageError: the outputs are not matrices of floats, or the eigenvalues are not theirs.
    """
    values = check.options.get("values")
    texts = []
    for name in check.outputs:
        theirs, ours = expected[name], actual[name]
        _check_shapes(check, name, theirs, None if values is None else expected[values])
        tolerance = _tolerance(policy, name, theirs, ours)
        spread = (
            None
            if values is None
            else _tolerance(policy, values, expected[values], expected[values])
        )
        off: list[tuple[list[int], list[int], float]] = []
        count = 0
        for at in np.ndindex(*theirs.shape[:-2]):
            one, other = _wide(theirs[at]), _wide(ours[at])
            for group in _groups(None if values is None else expected[values][at], spread, one):
                count += 1
                gap = _gap(one[:, group], other[:, group], tolerance, theirs.dtype)
                if gap is not None:
                    off.append(([int(number) for number in at], group, gap))
        if off:
            texts.append(_words(name, off, count))
    if not texts:
        return None
    text = "; ".join(texts) + f" ({check.checker}, {tolerance})"
    return Difference(cause="output-mismatch", output=check.outputs[0], text=cut(text))


def _words(name: str, off: list[tuple[list[int], list[int], float]], count: int) -> str:
    at, group, gap = off[0]
    what = f"column {group[0]}" if len(group) == 1 else f"columns {group}"
    where = f" of the matrix at {at}" if at else ""
    how = "its sign" if len(group) == 1 else "their subspace"
    return (
        f"output '{name}': {len(off)} of {count} eigenvectors, or groups of them with one eigenvalue, are"
        f" others; first {what}{where}, which differs by {gap:.3g} when all is done to {how}"
    )


def _groups(
    values: Array | None, tolerance: Tolerance | None, vectors: Array
) -> Iterator[list[int]]:
    """Yield the columns that have one eigenvalue, as far as eigenvalues are known."""
    left = list(range(vectors.shape[1]))
    if values is None or tolerance is None:
        yield from ([column] for column in left)
        return
    while left:
        group = [left.pop(0)]
        for member in group:
            one = np.full(len(left), values[member], values.dtype)
            near = (~off_places(one, values[left], tolerance)).tolist()
            group += [column for column, is_near in zip(left, near, strict=True) if is_near]
            left = [column for column in left if column not in group]
        yield sorted(group)


def _gap(
    expected: Array, actual: Array, tolerance: Tolerance, dtype: np.dtype[np.generic]
) -> float | None:
    """Return how far columns are from those of the reference at best; None if they are within tolerance."""
    if not (np.isfinite(expected).all() and np.isfinite(actual).all()):
        same = np.array_equal(expected, actual, equal_nan=True)
        return None if same else np.inf
    best = _turned(expected, actual) if expected.shape[1] == 1 else _projected(expected, actual)
    sides = [np.ascontiguousarray(side.reshape(-1).astype(dtype)) for side in (best, actual)]
    gap = float(np.abs(best - actual).max(initial=0.0))
    if off_places(sides[0], sides[1], tolerance).any():
        return gap
    if expected.shape[1] == 1:
        return None
    if _rank(actual) < _SHARE_OF_RANK * _rank(expected):
        return max(gap, _rank(expected) - _rank(actual))
    skew = _skew(expected, best, actual, _Bound(tolerance, float(ml_dtypes.finfo(dtype).eps)))
    return None if skew is None else max(gap, skew)


@dataclass(frozen=True, slots=True)
class _Bound:
    """How far an element may be off, and so a product of two columns."""

    tolerance: Tolerance
    epsilon: float

    def of_products(self, columns: Array) -> Array:
        """Return how far products of columns that are within tolerance of these may be from theirs."""
        sizes = np.abs(columns)
        relative = max(self.tolerance.rtol, self.tolerance.ulp * self.epsilon)
        errors = self.tolerance.atol + relative * sizes
        with np.errstate(over="ignore", invalid="ignore"):
            mixed = sizes.T @ errors
            return np.asarray(mixed + mixed.T + errors.T @ errors)


def _skew(expected: Array, best: Array, actual: Array, bound: _Bound) -> float | None:
    """Return how far columns are from being orthonormal, where those of the reference are; None if they are, too."""
    theirs = np.abs(_products(expected) - np.eye(expected.shape[1]))
    if (theirs > bound.of_products(expected)).any():
        return None
    ours = np.abs(_products(actual) - np.eye(expected.shape[1]))
    is_off = ours > bound.of_products(best) + theirs.max()
    return float(ours.max()) if is_off.any() else None


def _products(columns: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(columns.conj().T @ columns)


def _turned(expected: Array, actual: Array) -> Array:
    """Return a column with the sign, or phase, that brings it closest to another."""
    product = np.vdot(_even(expected)[0], _even(actual)[0])
    return expected * (product / abs(product)) if product else expected


def _projected(expected: Array, actual: Array) -> Array:
    """Return what of columns lies within the subspace of others, with the length of those."""
    theirs, sizes = _even(expected)
    basis, _ = np.linalg.qr(theirs)
    inside = basis @ (basis.conj().T @ _even(actual)[0])
    lengths = np.linalg.norm(inside, axis=0)
    wanted = np.linalg.norm(theirs, axis=0) * sizes
    return np.asarray(inside / np.where(lengths > 0, lengths, 1) * wanted)


def _even(columns: Array) -> tuple[Array, Array]:
    """Return columns whose largest part is 1, of which no product overflows, and what they were divided by."""
    parts = np.maximum(np.abs(columns.real), np.abs(columns.imag))
    sizes = parts.max(axis=0, initial=0.0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    return columns / sizes, sizes


def _rank(columns: Array) -> float:
    """Return the least stretch of the columns: nothing if they do not span their subspace."""
    return float(np.linalg.svd(columns, compute_uv=False).min(initial=1.0))


def _check_shapes(check: Check, name: str, vectors: Array, values: Array | None) -> None:
    """Refuse what is no matrix of eigenvectors, with its eigenvalues.

    Raises:
        UsageError: so it is.
    """
    floats = {Kind.FLOAT, Kind.COMPLEX}
    fits = vectors.ndim >= 2 and kind_of(vectors.dtype) in floats
    if fits and values is not None:
        shape = (*vectors.shape[:-2], vectors.shape[-1])
        fits = values.shape == shape and kind_of(values.dtype) in floats
    if not fits:
        beside = "" if values is None else f", with eigenvalues {list(values.shape)},"
        raise UsageError(
            f"output '{name}' ({dtype_name(vectors)} {list(vectors.shape)}){beside} does not hold"
            f" eigenvectors as columns, as checker '{check.checker}' needs them",
            hint="name another output in the golden's manifest",
        )


def _tolerance(policy: Policy, name: str, expected: Array, actual: Array) -> Tolerance:
    found = policy.tolerance(name, dtype_name(expected)) or Tolerance()
    return scaled(expected, actual, found)


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if kind_of(array.dtype) is Kind.COMPLEX else np.float64)

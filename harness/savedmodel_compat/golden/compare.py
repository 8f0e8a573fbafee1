"""Compare the outputs of a cell with its reference: names, then dtypes and shapes, then values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two floating-point values may be apart: ``|a - b| <= atol + rtol * |b|``, b being the reference.

    The default ``atol`` shrinks with the largest magnitude of an output below 1. Integers, strings and bools are always compared exactly.
    """

    rtol: float
    atol: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which the outputs differ from the reference.

    Args:
        cause: the id of a cause of stage ``compare``.
        output: alias of the output; None when it is the set of names that differs.
        text: what differs, with the numbers.
    """

    cause: str
    output: str | None
    text: str


# The machine epsilon of a release is the same everywhere; kernels differ in the order of their sums. 64 ulp or so is
# what convolutions of the same weights were seen to drift between releases, with an order of magnitude to spare.
_TOLERANCES = {
    "float64": Tolerance(rtol=1e-9, atol=1e-12),
    "float32": Tolerance(rtol=1e-5, atol=1e-6),
    "float16": Tolerance(rtol=1e-2, atol=1e-3),
    "bfloat16": Tolerance(rtol=2e-2, atol=1e-2),
    "complex64": Tolerance(rtol=1e-5, atol=1e-6),
    "complex128": Tolerance(rtol=1e-9, atol=1e-12),
}
_SHOWN = 100
_LOW = Tolerance(rtol=0.125, atol=0.0625)
_LOW_FLOATS = frozenset(
    name for name in dir(ml_dtypes) if name.startswith(("float8_", "float6_", "float4_"))
)


def tolerance_for(dtype: str) -> Tolerance | None:
    """Return the default tolerance of an element type, or None if its values are compared exactly."""
    return _LOW if dtype in _LOW_FLOATS else _TOLERANCES.get(dtype)


def compare(
    expected: Arrays, actual: Arrays, *, rtol: float | None = None, atol: float | None = None
) -> tuple[Difference, ...]:
    """Compare all outputs of a signature.

    Args:
        expected: the reference, by alias; strings are object arrays of bytes.
        actual: what the cell answered.
        rtol: replaces the default relative tolerance of floating-point types.
        atol: replaces the default absolute tolerance of floating-point types.

    Returns:
        What differs, names first; empty if they agree.
    """
    missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
    found = []
    if missing or extra:
        text = f"outputs missing: {missing or 'none'}; outputs not expected: {extra or 'none'}"
        found.append(Difference(cause="output-names-differ", output=None, text=text))
    for name in sorted(set(expected) & set(actual)):
        difference = _compare_one(name, expected[name], actual[name], rtol, atol)
        if difference is not None:
            found.append(difference)
    return tuple(found)


def _compare_one(
    name: str, expected: Array, actual: Array, rtol: float | None, atol: float | None
) -> Difference | None:
    if expected.dtype != actual.dtype:
        text = f"output '{name}': dtype {_kind(actual)}, the reference has {_kind(expected)}"
        return Difference(cause="output-dtype-differs", output=name, text=text)
    if expected.shape != actual.shape:
        text = (
            f"output '{name}': shape {list(actual.shape)}, the reference has {list(expected.shape)}"
        )
        return Difference(cause="output-shape-differs", output=name, text=text)
    default = tolerance_for(expected.dtype.name)
    if default is None:
        off = np.asarray(expected != actual)
        text = _describe(name, expected, actual, off, "compared exactly")
    else:
        tolerance = Tolerance(
            rtol=default.rtol if rtol is None else rtol,
            atol=default.atol * _magnitude(expected, actual) if atol is None else atol,
        )
        off = _apart(expected, actual, tolerance)
        text = _describe(
            name, expected, actual, off, f"rtol {tolerance.rtol:g}, atol {tolerance.atol:g}"
        )
    return Difference(cause="output-mismatch", output=name, text=text) if off.any() else None


def _magnitude(expected: Array, actual: Array) -> float:
    """Return the largest finite magnitude, at most 1: what is noise beside 1 is all there is in a small softmax."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = [np.abs(_wide(array)) for array in (expected, actual)]
    finite = [float(values[np.isfinite(values)].max(initial=0.0)) for values in found]
    return min(1.0, max(finite))


def _kind(array: Array) -> str:
    return "string" if array.dtype == object else array.dtype.name


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _apart(expected: Array, actual: Array, tolerance: Tolerance) -> Array:
    """Return where values differ by more than the tolerance; NaN equals NaN, an infinity only itself."""
    close = np.isclose(
        _wide(actual), _wide(expected), rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True
    )
    return np.asarray(~close)


def _describe(name: str, expected: Array, actual: Array, off: Array, policy: str) -> str:
    """Say how many elements are off, by how much at most, and where the first one is."""
    if not off.any():
        return ""
    count = int(off.sum())
    first = tuple(int(index) for index in np.argwhere(off)[0]) if off.ndim else ()
    text = f"output '{name}': {count} of {off.size} elements differ ({policy})"
    if _has_numbers(expected):
        text += f", at most by {_furthest(expected, actual, off)}"
    here, there = _shown(actual[first]), _shown(expected[first])
    return f"{text}; at {list(first)} {here}, the reference has {there}"


def _has_numbers(array: Array) -> bool:
    """Tell numbers from strings, bools and elements that numpy cannot hold."""
    return array.dtype.kind not in "Ob" and array.dtype.type is not np.void


def _shown(value: Any) -> str:
    """Return an element in words; the end of a long string says nothing that its beginning does not."""
    text = repr(value) if isinstance(value, bytes | np.void) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(bytes(value))} bytes)"


def _furthest(expected: Array, actual: Array, off: Array) -> str:
    if expected.dtype.kind in "iu":
        # Neighbours beyond 2**53 are the same to a float.
        pairs = zip(actual[off].tolist(), expected[off].tolist(), strict=True)
        return str(max(abs(a - b) for a, b in pairs))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(_wide(actual[off]) - _wide(expected[off]))
    finite = gap[np.isfinite(gap)]
    return f"{finite.max():.3g}" if finite.size else "NaN or infinity"

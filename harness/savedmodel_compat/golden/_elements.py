"""What the elements of an array are: kinds, pieces of an array, distances in units in the last place."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_SMALL_FLOATS = ("float8_", "float6_", "float4_")
_FLOATS = frozenset(("float16", "float32", "float64", "bfloat16"))
_WHOLE = re.compile(r"u?int\d+")


class Kind(enum.Enum):
    """How elements are told apart."""

    FLOAT = enum.auto()
    COMPLEX = enum.auto()
    WHOLE = enum.auto()
    BOOL = enum.auto()
    OBJECT = enum.auto()
    RAW = enum.auto()

    @property
    def is_number(self) -> bool:
        """Whether two of its elements have a distance."""
        return self in {Kind.FLOAT, Kind.COMPLEX, Kind.WHOLE}


def kind_of(dtype: np.dtype[Any]) -> Kind:
    """Return the kind of numpy's and ml_dtypes' element types; what is neither is raw bytes."""
    if dtype.name in _FLOATS or dtype.name.startswith(_SMALL_FLOATS):
        return Kind.FLOAT
    if dtype.name in {"complex64", "complex128"}:
        return Kind.COMPLEX
    # ml_dtypes' integers are of numpy's kind `V`.
    if _WHOLE.fullmatch(dtype.name):
        return Kind.WHOLE
    return {"b": Kind.BOOL, "O": Kind.OBJECT}.get(dtype.kind, Kind.RAW)


def work_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which floats are first compared; it holds each of them exactly."""
    return np.dtype(np.float64 if dtype.name in {"float64", "complex128"} else np.float32)


def wide_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which what is close to the limit is decided."""
    return np.dtype(np.longdouble if work_type(dtype) == np.float64 else np.float64)


def reader(array: Array) -> Callable[[int, int], Array]:
    """Return what hands out elements in C order, in one dimension and in native byte order.

    A contiguous array is not copied, any other one only as far as it is asked for. The function
    is for one thread.
    """
    native = array.dtype.newbyteorder("=")
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        if array.dtype == native:
            return lambda start, stop: flat[start:stop]
        return lambda start, stop: flat[start:stop].astype(native)
    iterator = array.flat
    return lambda start, stop: np.asarray(iterator[start:stop]).astype(native, copy=False)


def same_bytes(expected: Array, actual: Array) -> bool:
    """Tell whether two contiguous pieces are equal bit by bit; False where bits do not count."""
    if expected.dtype.hasobject:
        return False
    one, other = (piece.view(np.uint8) for piece in (expected, actual))
    # Where much differs something does at the beginning, and the rest need not be read for this.
    if not np.array_equal(one[:_GLANCE], other[:_GLANCE]):
        return False
    whole = len(one) & ~7
    return np.array_equal(one[whole:], other[whole:]) and np.array_equal(
        one[:whole].view(np.uint64), other[:whole].view(np.uint64)
    )


_GLANCE = 256


def distance(expected: Array, actual: Array, scratch: tuple[Array, Array] | None = None) -> Array:
    """Return how many representable values two floats are apart; both zeros are the same one.

    NaN has no place among the values: what is returned for it means nothing.

    Args:
        expected: one-dimensional, contiguous, of real floats in native order.
        actual: of the same type and size.
        scratch: two arrays of `ordinal_type` and at least that size, to work in.
    """
    if scratch is None:
        kind = ordinal_type(expected.dtype)
        scratch = (np.empty(expected.size, kind), np.empty(expected.size, kind))
    ours, theirs = (array[: expected.size] for array in scratch)
    _ordinals(expected, ours)
    _ordinals(actual, theirs)
    greater = np.maximum(ours, theirs)
    np.minimum(ours, theirs, out=theirs)
    # The distance of the two ends has one bit more than either, and just fits without a sign.
    unsigned = np.dtype(f"u{ours.dtype.name}")
    found = ours.view(unsigned)
    np.subtract(greater.view(unsigned), theirs.view(unsigned), out=found)
    return found


def ordinal_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the integers that number a float type's values."""
    return np.dtype(np.int64 if dtype.itemsize == 8 else np.int32)


def _ordinals(values: Array, out: Array) -> None:
    """Number floats in their order, from 0 for both zeros: sign and magnitude become one integer."""
    size = values.dtype.itemsize
    bits = values.view(f"i{size}")
    width = _width(values.dtype)
    if width == 8 * out.dtype.itemsize:
        sign = np.right_shift(bits, width - 1)
        np.bitwise_and(bits, (1 << (width - 1)) - 1, out=out)
    else:
        np.copyto(out, bits)
        np.bitwise_and(out, (1 << width) - 1, out=out)
        if values.dtype.name == "float8_e8m0fnu":
            return
        sign = -np.right_shift(out, width - 1)
        np.bitwise_and(out, (1 << (width - 1)) - 1, out=out)
    np.bitwise_xor(out, sign, out=out)
    np.subtract(out, sign, out=out)


def _width(dtype: np.dtype[Any]) -> int:
    """Return the bits of a float; those of less than 8 stand in the low bits of a byte."""
    name = dtype.name
    return int(name[5]) if name.startswith(_SMALL_FLOATS) else 8 * dtype.itemsize

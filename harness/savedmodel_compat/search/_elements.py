"""Elements of every dtype, as Hypothesis draws them: plain ones that no kernel minds, and the edges of the type."""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.tensors import dtype_from_name

Array = np.ndarray[Any, Any]

_WORDS = (b"amber", b"birch", b"cedar", b"delta", b"", b"0", b"a b")
_ODD_STRINGS = (
    b"",
    b"\x00",
    b"a\x00b\x00",
    b" \t\n",
    "é".encode(),
    "\N{CJK UNIFIED IDEOGRAPH-6F22}".encode(),
    "\N{GRINNING FACE}".encode(),
    b"\xff\xfe",  # invalid as UTF-8, as are the next two
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"x" * 22,  # what a tstring holds in itself, and one more (core/platform/ctstring_internal.h)
    b"x" * 23,
    b"y" * 300,
)
_LEAST_PLAIN, _MOST_PLAIN = -3, 17
_SIXTEENTHS = 128


@cache
def elements(dtype: str, *, edges: bool) -> st.SearchStrategy[Any]:
    """Return a strategy for single elements, which shrink to zero, false or the empty string.

    Args:
        dtype: TensorFlow's name of the type.
        edges: whether the edges of the type are among them: NaN with and without payload, infinities, denormals, -0.0, the
            extremes, binary strings and invalid UTF-8. Without them numbers are small and exact, and strings are words.

    Raises:
        UnsupportedError: there are no arrays of that type.
    """
    kind = dtype_from_name(dtype).numpy
    if kind is None:
        raise UnsupportedError(f"there are no arrays of {dtype}")
    plain = _plain(kind)
    if not edges or kind.kind == "b":
        return plain
    at_the_edge = _edges(kind)
    return st.one_of(plain, st.integers(0, len(at_the_edge) - 1).map(lambda at: at_the_edge[at]))


def kind_of(dtype: str) -> np.dtype[Any]:
    """Return the numpy type of an array of a dtype.

    Raises:
        UnsupportedError: there are no arrays of that type.
    """
    kind = dtype_from_name(dtype).numpy
    if kind is None:
        raise UnsupportedError(f"there are no arrays of {dtype}")
    return kind


def repeated(values: list[Any], dtype: str, shape: tuple[int, ...]) -> Array:
    """Return an array of a shape that repeats some elements in their order, along each of its dimensions.

    So neither two rows nor two columns that are side by side are alike, whatever their size, unless all values are.
    """
    kind = kind_of(dtype)
    few = np.empty(len(values), dtype=kind)
    for at, value in enumerate(values):
        few[at] = value
    return np.asarray(few[places(shape) % len(few)], dtype=kind).reshape(shape)


def places(shape: tuple[int, ...]) -> Array:
    """Return for each element of an array the sum of its indices."""
    found = np.zeros((), np.int64)
    for size in shape:
        found = np.add.outer(found, np.arange(size))
    return found


@cache
def strays(dtype: str) -> st.SearchStrategy[Any]:
    """Return a strategy for the one element of an input that is unlike the others, and that no sum makes to something else.

    That is NaN or an infinity among numbers, and any odd string among words; of other types an element like any.

    Args:
        dtype: TensorFlow's name of the type.
    """
    kind = kind_of(dtype)
    if kind.kind == "O":
        return elements(dtype, edges=True)
    if kind.kind != "c" and not _is_float(kind):
        return elements(dtype, edges=False)
    odd = np.array([np.nan, np.inf, -np.inf], dtype=kind)
    return elements(dtype, edges=False) | st.integers(0, len(odd) - 1).map(lambda at: odd[at])


def _plain(kind: np.dtype[Any]) -> st.SearchStrategy[Any]:
    if kind.kind == "O":
        return st.sampled_from(sorted(_WORDS, key=len)) | st.binary(max_size=6)
    if kind.kind == "b":
        return st.booleans()
    if kind.kind == "c":
        return st.builds(complex, _sixteenths(), _sixteenths())
    if _is_float(kind):
        return _sixteenths()
    least, most = _extremes(kind)
    return st.integers(max(_LEAST_PLAIN, least), min(_MOST_PLAIN, most))


def _sixteenths() -> st.SearchStrategy[float]:
    # Whole numbers first: what is made small ends with 1.0 rather than with a sixteenth.
    return st.integers(-8, 8).map(float) | st.integers(-_SIXTEENTHS, _SIXTEENTHS).map(
        lambda count: count / 16
    )


def _edges(kind: np.dtype[Any]) -> Array | tuple[bytes, ...]:
    """Return the edges of a type as an array of it, so that no conversion changes them."""
    if kind.kind == "O":
        return _ODD_STRINGS
    if kind.kind == "c":
        part = _float_edges(np.empty(0, dtype=kind).real.dtype)
        made = np.zeros((len(part), 2), dtype=kind)
        made.real[:, 0], made.imag[:, 1] = part, part
        return made.ravel()
    if _is_float(kind):
        return _float_edges(kind)
    least, most = _extremes(kind)
    return np.array([least, most, max(least, -1), most - 1, least + 1], dtype=kind)


def _float_edges(kind: np.dtype[Any]) -> Array:
    info = ml_dtypes.finfo(kind)
    finite = [-0.0, info.max, info.min, info.tiny, info.smallest_subnormal, info.eps]
    with np.errstate(all="ignore"):
        known = np.array(finite, dtype=kind)
        special = np.array([np.inf, -np.inf, np.nan], dtype=kind)
    bits = np.dtype(f"u{kind.itemsize}")
    # The lowest bit of a NaN is part of its payload in every format that has one.
    with_payload = (special[2:].view(bits) | bits.type(1)).view(kind)
    negative = (special[2:].view(bits) ^ bits.type(1 << (8 * kind.itemsize - 1))).view(kind)
    return np.concatenate([known, special, with_payload, negative])


def _is_float(kind: np.dtype[Any]) -> bool:
    if kind.kind == "f":
        return True
    try:
        ml_dtypes.finfo(kind)
    except ValueError:
        return False
    return True


def _extremes(kind: np.dtype[Any]) -> tuple[int, int]:
    info = ml_dtypes.iinfo(kind)
    return int(info.min), int(info.max)

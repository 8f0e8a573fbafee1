"""Range, mean and odd values of a tensor, as its manifest states them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Elements at a time, so that the wide copies stay in the processor's cache.
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the elements of a tensor are like.

    Args:
        least: the least finite element, of an integer exactly; None where there is no order
            (strings, bools, complex numbers) or no finite element.
        most: the greatest.
        mean: of the finite elements, in float64; None as for ``least``.
        nans: how many are NaN; of a complex number, either part.
        infinities: how many are infinite, and not NaN.
    """

    least: float | None = None
    most: float | None = None
    mean: float | None = None
    nans: int = 0
    infinities: int = 0


def statistics_of(array: Array, dtype: str) -> Statistics:
    """Return the statistics of a tensor.

    Args:
        array: its elements.
        dtype: TensorFlow's name of their type.
    """
    if array.dtype.kind in "OSUb" or not array.size:
        return Statistics()
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "c":
            return _of_complex(flat)
        return _of_integers(flat) if _is_integer(dtype) else _of_floats(flat)


def _is_integer(dtype: str) -> bool:
    return dtype.startswith(("int", "uint", "qint", "quint"))


def _of_complex(flat: Array) -> Statistics:
    nans = np.isnan(flat)
    infinite = np.isinf(flat) & ~nans
    return Statistics(nans=int(np.count_nonzero(nans)), infinities=int(np.count_nonzero(infinite)))


def _of_integers(flat: Array) -> Statistics:
    # The integers of ml_dtypes have no minimum of their own.
    plain = flat if flat.dtype.kind in "iu" else flat.astype(np.int8)
    total = math.fsum(
        float(np.sum(plain[at : at + _CHUNK], dtype=np.float64))
        for at in range(0, plain.size, _CHUNK)
    )
    return Statistics(
        least=int(plain.min()),
        most=int(plain.max()),
        mean=total / plain.size,
    )


def _of_floats(flat: Array) -> Statistics:
    nans = infinities = count = 0
    least, most, total = math.inf, -math.inf, 0.0
    for wide in _chunks(flat):
        finite = wide[np.isfinite(wide)]
        odd = int(np.count_nonzero(np.isnan(wide)))
        nans += odd
        infinities += wide.size - finite.size - odd
        if finite.size:
            least, most = min(least, float(finite.min())), max(most, float(finite.max()))
            count += finite.size
            total += float(np.sum(finite))
    if not count:
        return Statistics(nans=nans, infinities=infinities)
    mean = total / count if math.isfinite(total) else _mean_of_huge(flat, count)
    return Statistics(least=least, most=most, mean=mean, nans=nans, infinities=infinities)


def _mean_of_huge(flat: Array, count: int) -> float:
    """Return the mean of numbers whose sum has no place in a float64."""
    half = sum(float(np.sum(wide[np.isfinite(wide)] / count / 2)) for wide in _chunks(flat))
    edge = float(np.finfo(np.float64).max) / 2
    return min(max(half, -edge), edge) * 2


def _chunks(flat: Array) -> Iterator[Array]:
    for at in range(0, flat.size, _CHUNK):
        yield flat[at : at + _CHUNK].astype(np.float64)

"""Values for inputs that nobody gave: small, harmless, and the same on every machine."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    from savedmodel_compat.tensors import DType

    Array = np.ndarray[Any, Any]

LIMIT = 256 << 20
"""The most bytes that one input may take."""

# Enough for any kernel to tell one element from its neighbours; larger tensors repeat them.
_DISTINCT = 1 << 16
_WORDS = (b"amber", b"birch", b"cedar", b"delta", b"ember", b"fjord", b"grove", b"heron")


class Draws:
    """A stream of values.

    It is made of PCG64's raw bits: the one part of numpy's random numbers that is promised never
    to change.

    Args:
        seed: the user's.
        names: what the values are for; other names, other values.
    """

    def __init__(self, seed: int, *names: str) -> None:
        text = "\0".join((str(seed), *names)).encode()
        self._bits = np.random.PCG64(int.from_bytes(hashlib.sha256(text).digest()[:16], "little"))

    def values(self, dtype: str, shape: tuple[int, ...]) -> Array:
        """Return the next values.

        Floats lie in [0, 1) and are exact in their type; integers are 0 or 1, so that they are safe
        as indices; uint8 has its whole range, as pictures have; quantised integers are 0; strings
        are short ASCII words.

        Args:
            dtype: element type, as TensorFlow's Python calls it.
            shape: of the array.

        Raises:
            UnsupportedError: there are no arrays of that type, or this one would be too large.
        """
        known = dtype_from_name(dtype)
        kind = known.numpy
        if kind is None:
            raise UnsupportedError(f"there are no arrays of {dtype}")
        count = math.prod(shape)
        if count * kind.itemsize > LIMIT:
            raise UnsupportedError(
                f"a {dtype} tensor of shape {list(shape)} takes {count * kind.itemsize >> 20} MB, "
                f"more than the {LIMIT >> 20} MB that are made up"
            )
        flat = self._flat(known, kind, min(count, _DISTINCT))
        return np.resize(flat, shape) if count else np.empty(shape, dtype=kind)

    def _flat(self, dtype: DType, kind: np.dtype[Any], count: int) -> Array:
        name = dtype.name.removesuffix("_ref")
        if name.startswith(("qint", "quint")):
            return np.zeros(count, dtype=kind)
        if name == "string":
            words = np.array(_WORDS, dtype=object)
            return words[self._integers(count, bits=3)]
        if name == "bool":
            return self._integers(count, bits=1).astype(kind)
        if name.startswith(("int", "uint")):
            return self._integers(count, bits=8 if name == "uint8" else 1).astype(kind)
        if name.startswith("complex"):
            part = np.empty(0, dtype=kind).real.dtype
            real, imaginary = (self._units(count, part) for _ in range(2))
            return (real + 1j * imaginary).astype(kind)
        return self._units(count, kind).astype(kind)

    def _integers(self, count: int, *, bits: int) -> Array:
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        integers: Array = (raw >> np.uint64(64 - bits)).astype(np.int64)
        return integers

    def _units(self, count: int, kind: np.dtype[Any]) -> Array:
        """Return float64 values in [0, 1) that ``kind`` holds without rounding them up to 1."""
        bits = _exact_bits(kind)
        values: Array = self._integers(count, bits=bits) / 2.0**bits
        return values


def _exact_bits(kind: np.dtype[Any]) -> int:
    """Return up to how many binary places a floating-point type has every value below 1."""
    info = ml_dtypes.finfo(kind)
    return min(int(info.nmant) + 1, -round(math.log2(float(info.smallest_subnormal))))

"""CRC-32C, masked as the files of TensorFlow hold it (``core/lib/hash/crc32c.h``)."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DELTA = 0xA282EAD8
_BITS = 0xFFFFFFFF


def extend(crc: int, data: bytes) -> int:
    """Return the checksum of what was summed so far and of these bytes behind it.

    Args:
        crc: of what was summed so far; 0 of nothing.
        data: the bytes.
    """
    return _implementation()(crc, data)


def masked(data: bytes) -> int:
    """Return the masked checksum of some bytes."""
    return mask(extend(0, data))


def mask(crc: int) -> int:
    """Return a checksum as it is stored: one of data that hold checksums must not be plain."""
    return ((crc >> 15 | crc << 17) + _DELTA) & _BITS


def unmask(stored: int) -> int:
    """Return the checksum that is stored as this."""
    turned = (stored - _DELTA) & _BITS
    return (turned >> 17 | turned << 15) & _BITS


@cache
def _implementation() -> Callable[[int, bytes], int]:
    with warnings.catch_warnings():
        # Without its extension in C it is slower, and no less right.
        warnings.simplefilter("ignore")
        import google_crc32c
    extend_: Callable[[int, bytes], int] = google_crc32c.extend
    return extend_

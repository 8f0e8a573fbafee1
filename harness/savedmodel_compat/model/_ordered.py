"""The keys under which slices of partitioned tensors are stored.

They are made by ``EncodeTensorNameSlice`` in ``core/util/saved_tensor_slice_util.cc`` with the order-keeping code of
``core/lib/strings/ordered_code.cc``.
"""

from __future__ import annotations

import re

_RANK_LIMIT = 254
_LONGEST_NUMBER = 8
_LONGEST_SIGNED = 10
# Zero bytes and ff are escaped by the other; a zero byte and 01 are the end.
_STRING = re.compile(rb"((?:[\x01-\xfe]|\0\xff|\xff\0)*)\0\x01")
_ESCAPED = re.compile(rb"\0\xff|\xff\0")

Extents = tuple[tuple[int, int], ...]


class KeyFormError(ValueError):
    """A key that begins as one of a slice, and is none."""


def slice_of(key: bytes) -> tuple[bytes, Extents]:
    """Return the name of the whole tensor, and start and length in each dimension; -1 is all of it.

    Args:
        key: begins with a zero byte.

    Raises:
        KeyFormError: it is no such key.
    """
    zero, at = _number(key, 0)
    if zero != 0:
        raise KeyFormError(f"it begins with {zero}, not 0")
    name, at = _string(key, at)
    rank, at = _number(key, at)
    if not 0 < rank <= _RANK_LIMIT:
        raise KeyFormError(f"{rank} dimensions")
    extents = []
    for _ in range(rank):
        start, at = _signed(key, at)
        length, at = _signed(key, at)
        extents.append((start, length) if length >= 0 else (0, -1))
    if at != len(key):
        raise KeyFormError(f"{len(key) - at} bytes too many")
    return name, tuple(extents)


def _number(key: bytes, at: int) -> tuple[int, int]:
    if at >= len(key) or key[at] > _LONGEST_NUMBER or at + 1 + key[at] > len(key):
        raise KeyFormError("it breaks off in a number")
    end = at + 1 + key[at]
    return int.from_bytes(key[at + 1 : end], "big"), end


def _string(key: bytes, at: int) -> tuple[bytes, int]:
    found = _STRING.match(key, at)
    if found is None:
        raise KeyFormError("it breaks off in the name")
    return _ESCAPED.sub(lambda pair: pair[0][:1], found[1]), found.end()


def _signed(key: bytes, at: int) -> tuple[int, int]:
    """Return a number whose leading bits, each like its sign, count its bytes."""
    head = int.from_bytes(key[at : at + 2].ljust(2, b"\0"), "big")
    negative = at < len(key) and not head & 0x8000
    length = 16 - ((head if negative else head ^ 0xFFFF) & 0xFFFF).bit_length()
    if at >= len(key) or not 0 < length <= _LONGEST_SIGNED or at + length > len(key):
        raise KeyFormError("it breaks off in a number")
    bits = 7 * length - 1
    raw = int.from_bytes(key[at : at + length], "big") & (1 << bits) - 1
    return (raw - (1 << bits) if negative else raw), at + length

"""Unpacking of Snappy's block format (``format_description.txt`` of google/snappy)."""

from __future__ import annotations

from dataclasses import dataclass

from savedmodel_compat.model import wire

# A copy of three bytes makes at most 64.
_MOST_PER_BYTE = 22
# Each takes as long, however short it is; a packer makes few of what does not repeat, and long ones of what does.
_MOST_ELEMENTS = 2 << 20


class SnappyError(ValueError):
    """Bytes that Snappy did not write."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """How many literals and copies may still be looked at, which bounds the time."""

    elements: int = _MOST_ELEMENTS


def claimed(data: bytes) -> int:
    """Return how many bytes it says that were packed, without unpacking them.

    Raises:
        SnappyError: it does not say so, or cannot hold as many.
    """
    return _claimed(data)[0]


def unpack(data: bytes, budget: Budget | None = None) -> bytes:
    """Return what was packed.

    Args:
        data: all that is packed.
        budget: what it takes is taken from it; None gives it one of its own.

    Raises:
        SnappyError: it does not unpack.
    """
    length, at = _claimed(data)
    try:
        return _unpacked(data, at, length, budget or Budget())
    except IndexError as error:
        raise SnappyError("it breaks off") from error


def _claimed(data: bytes) -> tuple[int, int]:
    """Return the length that stands at the beginning, and where it ends."""
    try:
        length, at = wire.varint(data, 0)
    except (IndexError, wire.WireError) as error:
        raise SnappyError("it breaks off") from error
    if length > _MOST_PER_BYTE * len(data):
        raise SnappyError(f"{len(data)} bytes cannot hold {length}")
    return length, at


def _unpacked(data: bytes, at: int, length: int, budget: Budget) -> bytes:
    out = bytearray()
    left = budget.elements
    while at < len(data):
        left -= 1
        if left < 0:
            raise SnappyError("it is made of too many literals and copies, which are not looked at")
        tag = data[at]
        kind, size = tag & 3, (tag >> 2) + 1
        at += 1
        if kind == 0:
            size, at = _literal(data, at, size)
            out += data[at : at + size]
            at += size
            if at > len(data):
                raise SnappyError("a literal leads beyond the end")
        else:
            width = (1, 2, 4)[kind - 1]
            offset = int.from_bytes(data[at : at + width], "little")
            if kind == 1:
                offset |= tag >> 5 << 8
                size = (tag >> 2 & 7) + 4
            at += width
            _copy(out, offset, size)
        if len(out) > length:
            raise SnappyError(f"it holds more than the {length} bytes that it says")
    if at != len(data) or len(out) != length:
        raise SnappyError(f"it says {length} bytes and holds {len(out)}")
    budget.elements = left
    return bytes(out)


def _literal(data: bytes, at: int, size: int) -> tuple[int, int]:
    """Return the length of a literal, which may stand in the bytes behind its tag, and its start."""
    if size <= 60:
        return size, at
    width = size - 60
    if at + width > len(data):
        raise SnappyError("it breaks off")
    return int.from_bytes(data[at : at + width], "little") + 1, at + width


def _copy(out: bytearray, offset: int, size: int) -> None:
    if not 0 < offset <= len(out):
        raise SnappyError(f"a copy reaches back {offset} bytes of {len(out)}")
    start = len(out) - offset
    if size <= offset:
        out += out[start : start + size]
        return
    # It may copy what it has just written.
    pattern = out[start:]
    out += (pattern * (size // len(pattern) + 1))[:size]

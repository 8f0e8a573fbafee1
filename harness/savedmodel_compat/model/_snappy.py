"""Unpacking of Snappy's block format (``format_description.txt`` of google/snappy)."""

from __future__ import annotations

from savedmodel_compat.model import wire

# A copy of three bytes makes at most 64.
_MOST_PER_BYTE = 22


class SnappyError(ValueError):
    """Bytes that Snappy did not write."""


def unpack(data: bytes) -> bytes:
    """Return what was packed.

    Raises:
        SnappyError: it does not unpack.
    """
    try:
        length, at = wire.varint(data, 0)
        if length > _MOST_PER_BYTE * len(data):
            raise SnappyError(f"{len(data)} bytes cannot hold {length}")
        return _unpacked(data, at, length)
    except (IndexError, wire.WireError) as error:
        raise SnappyError("it breaks off") from error


def _unpacked(data: bytes, at: int, length: int) -> bytes:
    out = bytearray()
    while at < len(data):
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
    # It may copy what it has just written.
    pattern = out[start : start + min(size, offset)]
    out += (pattern * (size // len(pattern) + 1))[:size]

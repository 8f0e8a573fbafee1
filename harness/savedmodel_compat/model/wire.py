"""The wire format of protocol buffers: what of it can be read without knowing the message."""

from __future__ import annotations

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST = 10


class WireError(ValueError):
    """Bytes that are no message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and where it ends.

    Raises:
        WireError: it does not end.
    """
    value = shift = 0
    for index in range(at, min(at + _LONGEST, len(data))):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value, index + 1
    raise WireError(f"the number at byte {at} does not end")


def field(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the field at a place, where its content begins, and where that ends.

    A group, which no message of TensorFlow has, is not known. The end may lie beyond the data.

    Raises:
        WireError: it is no field.
    """
    tag, start = varint(data, at)
    wire = tag & 7
    if wire == LENGTH:
        length, start = varint(data, start)
        return tag, start, start + length
    if wire == VARINT:
        return tag, start, varint(data, start)[1]
    if wire in _FIXED:
        return tag, start, start + _FIXED[wire]
    raise WireError(f"byte {at} begins no field: its wire type is {wire}")


def as_varint(value: int) -> bytes:
    """Return a number of 64 bits at most in its shortest form."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def tag_of(number: int, wire: int = LENGTH) -> int:
    """Return the tag of a field."""
    return number << 3 | wire

"""TFRecord files: a length, its checksum, the data, their checksum, and so on to the end (``core/lib/io/record_reader.cc``)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import crc

LARGEST = 1 << 30
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record.

    Args:
        offset: where it begins in the file, in bytes.
        size: of its data, in bytes.
        data: None if they are more than was asked for; their checksum is right all the same.
    """

    offset: int
    size: int
    data: bytes | None


def read_records(file: BinaryIO, *, largest: int = LARGEST) -> Iterator[Record]:
    """Yield the records of a file, one in memory at a time.

    Args:
        file: a regular file, open at its begin.
        largest: size, in bytes, above which a record's data are summed and not kept.

    Raises:
        DamagedModelError: a record is cut short, or a checksum is wrong; the text begins with the
            offset and does not name the file. What stands behind it cannot be found.
    """
    end = os.fstat(file.fileno()).st_size
    offset = 0
    while offset < end:
        size = _size(file, offset, end)
        data, checksum = _data(file, size, keep=size <= largest)
        if _FOOTER.unpack(_read(file, _FOOTER.size, offset))[0] != crc.mask(checksum):
            raise DamagedModelError(
                f"at byte {offset}, the {size} bytes of a record have another checksum than it says"
            )
        yield Record(offset=offset, size=size, data=data)
        offset += _HEADER.size + size + _FOOTER.size


def _size(file: BinaryIO, offset: int, end: int) -> int:
    header = _read(file, _HEADER.size, offset)
    size, checksum = _HEADER.unpack(header)
    if crc.masked(header[:8]) != checksum:
        raise DamagedModelError(
            f"at byte {offset}, no record begins: the checksum of its length is wrong"
        )
    missing = offset + _HEADER.size + size + _FOOTER.size - end
    if missing > 0:
        raise DamagedModelError(
            f"at byte {offset}, a record of {size} bytes is cut short by {missing}"
        )
    return int(size)


def _data(file: BinaryIO, size: int, *, keep: bool) -> tuple[bytes | None, int]:
    """Return the data, if they are to be kept, and their checksum."""
    if keep:
        data = file.read(size)
        return data, crc.extend(0, data)
    checksum = 0
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        checksum = crc.extend(checksum, block)
        size -= len(block)
    return None, checksum


def _read(file: BinaryIO, size: int, offset: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise DamagedModelError(f"at byte {offset}, the file ends within a record")
    return data

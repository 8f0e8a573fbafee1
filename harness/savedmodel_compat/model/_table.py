"""Sorted tables as TensorFlow writes them (``core/lib/io/table.cc``, ``format.cc``, ``block.cc``).

A table is a row of blocks, each with a checksum; the last one lists the others. All that TensorFlow reads is verified,
and what does not hold is an error that names the place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import crc, wire
from savedmodel_compat.model._snappy import Budget, SnappyError, claimed, unpack

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER = 48
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1
# A small hostile table can ask for much memory: keys share their beginnings, and blocks are packed.
_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Where a block stands, and what it is called in errors."""

    kind: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where its type and checksum end."""
        return self.offset + self.size + _TRAILER

    def damaged(self, why: str) -> DamagedModelError:
        """Return the error that says what is wrong with it."""
        return DamagedModelError(f"{self.kind} at byte {self.offset} {why}")


class TableReader:
    """Reads one table.

    Args:
        data: all of it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data) - _FOOTER
        self._taken = 0
        self._budget = Budget()
        self.is_packed = False
        """Whether a block that was read is compressed."""

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys, each greater than the one before, and their values.

        Raises:
            DamagedModelError: the table does not hold together; the text names the place, not the file.
        """
        index = self._footer()
        at = 0
        bound: bytes | None = None
        for separator, value in self._pairs(index):
            block = _block_at("the block", value, index)
            if block.offset < at:
                raise index.damaged(f"lists a block at byte {block.offset}, within another")
            at = block.end
            key: bytes | None = None
            for key, content in self._pairs(block):
                if bound is not None and key <= bound:
                    raise block.damaged("holds a key that is not greater than those before it")
                yield key, content
            # What is looked up is searched for by these bounds.
            if key is not None and separator < key:
                raise index.damaged(f"puts the block at byte {block.offset} before its last key")
            bound = separator

    def _footer(self) -> _Block:
        """Return the block that lists the others.

        Before it, the place of another stands, of the table's properties: TensorFlow writes it empty
        and never looks at it.
        """
        if self._end < 0:
            raise DamagedModelError(
                f"it has {len(self._data)} bytes, and its end alone takes {_FOOTER}"
            )
        footer = self._data[self._end :]
        if not footer.endswith(MAGIC):
            raise DamagedModelError(
                f"it ends with {footer[-8:].hex()}, not with the mark of a table, {MAGIC.hex()}"
            )
        numbers: list[int] = []
        at = 0
        try:
            for _ in range(4):
                number, at = wire.varint(footer, at)
                numbers.append(number)
        except wire.WireError as error:
            raise DamagedModelError(
                "the places of its indices, at its end, do not parse"
            ) from error
        if b"".join(map(wire.as_varint, numbers)).ljust(_FOOTER - len(MAGIC), b"\0") != footer[:-8]:
            raise DamagedModelError("there is something else beside the places of its indices")
        return _Block(kind="the index of blocks", offset=numbers[2], size=numbers[3])

    def _content(self, block: _Block) -> bytes:
        """Return what a block holds, unpacked, after its checksum was verified."""
        if block.end > self._end:
            raise block.damaged(f"would end at byte {block.end} of {len(self._data)}")
        typed = self._data[block.offset : block.end - 4]
        (stored,) = struct.unpack_from("<I", self._data, block.end - 4)
        actual = crc.masked(typed)
        if actual != stored:
            raise block.damaged(f"has the checksum {actual:08x}, and {stored:08x} is stored")
        if typed[-1] == _PLAIN:
            return self._counted(typed[:-1], block)
        if typed[-1] != _SNAPPY:
            raise block.damaged(f"is packed in a way that is not known, {typed[-1]}")
        self.is_packed = True
        try:
            # What it would take is known, and refused, before it is unpacked.
            self._count(claimed(typed[:-1]), block)
            return unpack(typed[:-1], self._budget)
        except SnappyError as error:
            raise block.damaged(f"does not unpack: {error}") from error

    def _counted(self, data: bytes, block: _Block) -> bytes:
        self._count(len(data), block)
        return data

    def _count(self, size: int, block: _Block) -> None:
        self._taken += size
        if self._taken > _LIMIT:
            raise block.damaged(
                f"brings its keys and values above {_LIMIT} bytes, which is not looked at"
            )

    def _pairs(self, block: _Block) -> Iterator[tuple[bytes, bytes]]:
        """Yield the pairs of a block; a key holds only what differs from the one before."""
        data = self._content(block)
        restarts = _restarts(data, block)
        end = len(data) - 4 * (len(restarts) + 1)
        key: bytes | None = None
        at = due = 0
        while at < end:
            start = at
            shared, own, length, at = _lengths(data, at, block)
            before = key or b""
            if at + own + length > end or shared > len(before):
                raise block.damaged(f"has an entry at its byte {start} that leads out of it")
            if due < len(restarts) and restarts[due] == start:
                due += 1
                if shared:
                    raise block.damaged(f"begins anew at its byte {start}, where a key goes on")
            following = before[:shared] + data[at : at + own]
            if key is not None and following <= key:
                raise block.damaged(
                    f"holds a key at its byte {start} that is not greater than that before"
                )
            key = following
            at += own + length
            self._taken += shared
            yield key, self._counted(data[at - length : at], block)
        # A block without entries has one such place all the same.
        if due < len(restarts) and (end or restarts != (0,)):
            raise block.damaged(f"begins anew at its byte {restarts[due]}, where no entry begins")


def _restarts(data: bytes, block: _Block) -> tuple[int, ...]:
    """Return where in a block a key stands whole, which is where a search begins."""
    if len(data) < 4:
        raise block.damaged(f"has only {len(data)} bytes")
    (count,) = struct.unpack_from("<I", data, len(data) - 4)
    start = len(data) - 4 * (count + 1)
    if count < 1 or start < 0:
        raise block.damaged(f"counts {count} places to begin a search, in {len(data)} bytes")
    return struct.unpack_from(f"<{count}I", data, start)


def _lengths(data: bytes, at: int, block: _Block) -> tuple[int, int, int, int]:
    """Return the three lengths at the head of an entry, and where they end."""
    head = data[at : at + 3]
    if len(head) == 3 and head < b"\x80" and head[1] < 0x80 and head[2] < 0x80:
        return head[0], head[1], head[2], at + 3
    try:
        shared, end = wire.varint(data, at)
        own, end = wire.varint(data, end)
        length, end = wire.varint(data, end)
    except wire.WireError as error:
        raise block.damaged(f"breaks off in the entry at its byte {at}") from error
    return shared, own, length, end


def _block_at(kind: str, place: bytes, index: _Block) -> _Block:
    try:
        offset, at = wire.varint(place, 0)
        size, at = wire.varint(place, at)
    except wire.WireError as error:
        raise index.damaged("holds a place that does not parse") from error
    return _Block(kind=kind, offset=offset, size=size)

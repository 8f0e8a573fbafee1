"""Reading a large ``saved_model.pb`` without the long constants in it.

The wire format is walked down to the contents of constants; a shorter message is put together that
has a mark of our own in the place of each long one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.model import wire
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.tensors import OMITTED, omitted_mark

if TYPE_CHECKING:
    from pathlib import Path

# A smaller file is parsed whole in less time than a walk would take.
SMALLEST_FILE = 4 << 20
LONG = 64 << 10
# One field is looked at for so many bytes of the file; beyond that, the rest is read whole.
BYTES_PER_FIELD = 2048
_WINDOW = 16 << 10
_LONGEST_HEADER = 20

Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """Where to look in a message.

    Args:
        inner: what the fields hold, by tag; None is the content itself.
        once: whether the field, of which there is only one, must not be there twice: those would be
            merged, and a mark and a content would meet.
    """

    inner: dict[int, _Level | None]
    once: bool = False


def _levels() -> _Level:
    """Return the way from a SavedModel to ``TensorProto.tensor_content``."""
    tensor = _Level(inner={wire.tag_of(4): None}, once=True)
    value = _Level(inner={wire.tag_of(8): tensor}, once=True)
    attr = _Level(inner={wire.tag_of(2): value}, once=True)
    node = _Level(inner={wire.tag_of(5): attr})
    function = _Level(inner={wire.tag_of(3): node})
    library = _Level(inner={wire.tag_of(1): function})
    graph = _Level(inner={wire.tag_of(1): node, wire.tag_of(2): library})
    meta_graph = _Level(inner={wire.tag_of(2): graph})
    return _Level(inner={wire.tag_of(2): meta_graph})


_MODEL = _levels()


def shortened(file: Path) -> bytes | None:
    """Return a SavedModel's bytes with a mark for each long ``tensor_content`` of a node.

    Args:
        file: a ``saved_model.pb``.

    Returns:
        A message that parses if and only if the file does; None if nothing was left out, or the
        file is not what it should be: then it is to be read whole.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_regular(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        if size < SMALLEST_FILE:
            return None
        walk = _Walk(descriptor=opened.fileno(), size=size)
        try:
            parts = walk.message(0, size, _MODEL)
            return None if parts is None else b"".join(map(walk.bytes_of, parts))
        except wire.WireError:
            return None


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One file, looked at through a window: a mapped file that somebody cuts short would kill us."""

    descriptor: int
    size: int
    budget: int = field(init=False)
    window: bytes = b""
    begin: int = 0

    def __post_init__(self) -> None:
        self.budget = self.size // BYTES_PER_FIELD

    def message(self, start: int, end: int, level: _Level) -> list[Range | bytes] | None:
        """Return what is kept of a message: ranges of the file, and bytes; None if all of it."""
        parts: list[Range | bytes] = []
        kept = at = start
        seen = 0
        while at < end and self.budget > 0:
            self.budget -= 1
            tag, body, stop = self._field(at)
            if stop > end:
                raise wire.WireError(f"the field at byte {at} ends beyond its message")
            if tag in level.inner:
                seen += 1
                short = self._short(body, stop, level.inner[tag]) if stop - body > LONG else None
                if short is not None:
                    parts += [(kept, at), *_with_header(tag, short, level.inner[tag])]
                    kept = stop
            at = stop
        if level.once and (seen > 1 or at < end):
            return None
        return [*parts, (kept, end)] if parts else None

    def bytes_of(self, part: Range | bytes) -> bytes:
        """Return the bytes that a part stands for."""
        if isinstance(part, bytes):
            return part
        content = os.pread(self.descriptor, part[1] - part[0], part[0])
        if len(content) < part[1] - part[0]:
            raise wire.WireError("the file is shorter than it was")
        return content

    def _short(self, start: int, end: int, inner: _Level | None) -> list[Range | bytes] | None:
        if inner is None:
            return [wire.as_varint(omitted_mark(end - start))]
        return self.message(start, end, inner)

    def _field(self, at: int) -> tuple[int, int, int]:
        if not self.begin <= at <= self.begin + len(self.window) - _LONGEST_HEADER:
            self.window = os.pread(self.descriptor, _WINDOW, at)
            self.begin = at
        tag, body, stop = wire.field(self.window, at - self.begin)
        return tag, body + self.begin, stop + self.begin


def _with_header(tag: int, parts: list[Range | bytes], inner: _Level | None) -> list[Range | bytes]:
    if inner is None:
        return [wire.as_varint(wire.tag_of(OMITTED, wire.VARINT)), *parts]
    length = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts)
    return [wire.as_varint(tag), wire.as_varint(length), *parts]

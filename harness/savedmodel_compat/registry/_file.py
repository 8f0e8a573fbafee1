"""The file of a store: a line with its format and checksum, a line of JSON, and compressed sections."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from savedmodel_compat.errors import InfrastructureError

FORMAT = 1
"""The format that is written, and the newest that is read."""

_MAGIC = b"savedmodel-compat registry "
_LEVEL = 9
_AGAIN = "`savedmodel-compat runtime snapshot` takes the snapshot of a release anew"


class File:
    """A store as it lies on the disk, none of its sections decompressed yet.

    Args:
        path: where it was read from, for errors.
        number: that of its format.
        head: the line of JSON.
        body: the sections, one after the other.
    """

    def __init__(self, path: Path, number: int, head: Mapping[str, Any], body: bytes) -> None:
        self.path, self.format, self.head = path, number, head
        self._body = body

    def section(self, name: str) -> bytes:
        """Return a section."""
        try:
            start, end = self.head["sections"][name]
            return zlib.decompress(self._body[start:end])
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise _damaged(self.path, f"its section {name} cannot be read ({error})") from error


def compose(head: Mapping[str, object], sections: Mapping[str, bytes]) -> bytes:
    """Return the content of a file.

    Args:
        head: what is to be known at once; JSON.
        sections: what is decompressed when it is needed, by name.
    """
    places: dict[str, tuple[int, int]] = {}
    body = bytearray()
    for name, section in sections.items():
        start = len(body)
        body += zlib.compress(section, _LEVEL)
        places[name] = (start, len(body))
    line = json.dumps({**head, "sections": places}, separators=(",", ":")).encode()
    rest = b"%s\n%s" % (line, body)
    return b"%s%d %08x\n%s" % (_MAGIC, FORMAT, zlib.crc32(rest), rest)


def read(path: Path) -> File:
    """Read a file.

    Raises:
        InfrastructureError: it cannot be read, is no store, is of a newer format, or was cut short.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be read: {error.strerror}") from error
    first, _, rest = content.partition(b"\n")
    digits, _, checksum = first.removeprefix(_MAGIC).partition(b" ")
    if not first.startswith(_MAGIC) or not digits.isdigit():
        raise _damaged(path, "its first line is not that of a store of registry snapshots")
    number = int(digits)
    if number > FORMAT:
        raise InfrastructureError(
            f"{path} has format {number}, and this savedmodel-compat reads formats up to {FORMAT}",
            hint=f"a newer savedmodel-compat wrote it: update this one; or {_AGAIN}",
        )
    if checksum != b"%08x" % zlib.crc32(rest):
        raise _damaged(path, f"its {len(content)} bytes are cut short, or changed")
    line, _, body = rest.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError as error:
        raise _damaged(path, f"its head is no JSON ({error})") from error
    if not isinstance(head, dict):
        raise _damaged(path, "its head is no JSON object")
    return File(path, number, head, body)


def _damaged(path: Path, what: str) -> InfrastructureError:
    """Return the error of a file that is no whole store."""
    return InfrastructureError(
        f"{path} is damaged: {what}",
        hint=f"{_AGAIN}; if the file came with savedmodel-compat, install that again",
    )


def joined(parts: Iterable[bytes]) -> bytes:
    """Return parts as one section, each behind its length."""
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def parted(section: bytes) -> Sequence[bytes]:
    """Return what `joined` joined."""
    parts, at = [], 0
    while at < len(section):
        start = at + 4
        at = start + int.from_bytes(section[at:start], "little")
        parts.append(section[start:at])
    return parts


def numbers(values: Iterable[int]) -> bytes:
    """Return numbers of up to 32 bits as a part of a section."""
    listed = list(values)
    return struct.pack(f"<{len(listed)}I", *listed)


def numbered(part: bytes) -> Sequence[int]:
    """Return what `numbers` wrote."""
    return struct.unpack(f"<{len(part) // 4}I", part)

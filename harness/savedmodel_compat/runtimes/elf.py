"""Shared libraries as files: what one needs, and the undefined symbols that may stay undefined.

Only 64-bit little-endian ELF, which is what TensorFlow's wheels for Linux hold (x86-64, AArch64).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.errors import InfrastructureError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC = struct.Struct("<qQ")

_IDENTITY = b"\x7fELF\x02\x01"
_SHT_DYNAMIC = 6
_SHT_DYNSYM = 11
_DT_NEEDED = 1
_SHN_UNDEF = 0
_STB_GLOBAL = 1
_STB_WEAK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int


def needed(library: Path) -> tuple[str, ...]:
    """Return the names of the libraries that ``library`` needs (its DT_NEEDED entries).

    Raises:
        InfrastructureError: ``library`` is not a 64-bit little-endian ELF file.
    """
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        sections = _sections(data, library)
        return tuple(_needed(data, sections))


def weaken(library: Path, *, prefixes: tuple[bytes, ...]) -> tuple[str, ...]:
    """Mark undefined symbols as weak, in place, so that a loader may leave them unresolved.

    The extension modules of older wheels refer to symbols of the CPython that they were built for.
    Functions bind lazily and are never called here, but data must resolve when the library is
    loaded, and some of it (``_Py_CheckRecursionLimit``) is gone from later versions.

    Args:
        library: the file to change.
        prefixes: how the names to weaken begin.

    Returns:
        The names that were weakened, sorted.

    Raises:
        InfrastructureError: ``library`` is not a 64-bit little-endian ELF file.
    """
    names: list[str] = []
    with library.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        sections = _sections(data, library)
        for section in sections:
            if section.kind == _SHT_DYNSYM:
                names += _weaken(data, section, sections[section.link], prefixes)
    return tuple(sorted(names))


def _sections(data: mmap.mmap, library: Path) -> tuple[_Section, ...]:
    if data[: len(_IDENTITY)] != _IDENTITY or len(data) < _HEADER.size:
        raise InfrastructureError(
            f"{library} is not a 64-bit little-endian ELF file: it begins with "
            f"{bytes(data[: len(_IDENTITY)]).hex(' ')}",
        )
    header = _HEADER.unpack_from(data)
    start, entry_size, count = header[6], header[11], header[12]
    if start + entry_size * count > len(data):
        raise InfrastructureError(
            f"{library} is cut short: its section table ends at byte "
            f"{start + entry_size * count:,}, the file at {len(data):,}",
        )
    rows = (_SECTION.unpack_from(data, start + index * entry_size) for index in range(count))
    return tuple(_Section(kind=row[1], offset=row[4], size=row[5], link=row[6]) for row in rows)


def _needed(data: mmap.mmap, sections: tuple[_Section, ...]) -> Iterator[str]:
    for section in sections:
        if section.kind != _SHT_DYNAMIC:
            continue
        names = sections[section.link]
        for offset in range(section.offset, section.offset + section.size, _DYNAMIC.size):
            tag, value = _DYNAMIC.unpack_from(data, offset)
            if tag == _DT_NEEDED:
                yield _name(data, names.offset + value).decode()


def _weaken(
    data: mmap.mmap,
    symbols: _Section,
    strings: _Section,
    prefixes: tuple[bytes, ...],
) -> Iterator[str]:
    table = bytes(data[symbols.offset : symbols.offset + symbols.size])
    texts = bytes(data[strings.offset : strings.offset + strings.size])
    for index, (name, info, _, section, _, _) in enumerate(_SYMBOL.iter_unpack(table)):
        if (
            section != _SHN_UNDEF
            or info >> 4 != _STB_GLOBAL
            or not texts.startswith(prefixes, name)
        ):
            continue
        data[symbols.offset + index * _SYMBOL.size + 4] = (_STB_WEAK << 4) | (info & 0xF)
        yield texts[name : texts.index(b"\0", name)].decode()


def _name(data: mmap.mmap, offset: int) -> bytes:
    return data[offset : data.find(b"\0", offset)]

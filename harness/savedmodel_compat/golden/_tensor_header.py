"""The head and the header of a tensor file: what they say, and whether that was written so.

The layout stands in `savedmodel_compat.golden.tensorfile`.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.golden._stored_bytes import array_dtype
from savedmodel_compat.tensors import dtype_from_name

SIDES = ("inputs", "outputs")
MAGIC = b"\x89SMCT\r\n\x1a"
VERSION = 1
ALIGNMENT = 64
_HEAD = struct.Struct("<8sII")
# No signature comes near them; without them, an edited file could keep its reader busy for minutes.
_MOST_HEADER = 1 << 20
_MOST_TENSORS = 10_000
_MOST_RANK = 254
_MOST_DIGITS = 20


class DamageError(Exception):
    """What is wrong with a file, in words that go on after its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the header.

    Args:
        side: ``inputs`` or ``outputs``.
        alias: the tensor's name in the signature.
        dtype: TensorFlow's name of its element type.
        shape: its dimensions.
        nbytes: of the elements.
        offset: where they are, counted from where the data begins.
    """

    side: str
    alias: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    offset: int

    def __str__(self) -> str:
        """Return its place, as messages name it."""
        return shown(f"{self.side}/{self.alias}")


def aligned(offset: int) -> int:
    """Return the first place at or after an offset where a tensor may begin."""
    return offset + -offset % ALIGNMENT


def head_of(entries: Sequence[Entry]) -> bytes:
    """Return the head and the header of a file with these tensors.

    Raises:
        DamageError: there are more of them, or longer names, than any file is read with.
    """
    _check_count(len(entries))
    header = _json(entries)
    if len(header) > _MOST_HEADER:
        raise DamageError(f"its header would have {len(header)} bytes; the most is {_MOST_HEADER}")
    return _HEAD.pack(MAGIC, VERSION, len(header)) + header


def read_head(content: memoryview) -> tuple[list[Entry], int]:
    """Return the tensors that a file lists, in order, and where its header ends.

    Raises:
        DamageError: the head or the header is not as it is written.
        UnsupportedError: a tensor is of a type that this ml_dtypes does not have.
    """
    end = _HEAD.size + _header_length(content)
    written = bytes(content[_HEAD.size : end])
    rows = _rows(written)
    _check_count(len(rows))
    entries = [_entry(row, index) for index, row in enumerate(rows)]
    _check_layout(entries, written)
    return entries, end


def shown(value: object) -> str:
    """Return a value from a file as messages show it, cut if it is long."""
    text = str(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _json(entries: Sequence[Entry]) -> bytes:
    names = Entry.__slots__
    rows = [{name: getattr(entry, name) for name in names} for entry in entries]
    return json.dumps({"tensors": rows}, sort_keys=True, separators=(",", ":")).encode("ascii")


def _header_length(content: memoryview) -> int:
    size = len(content)
    if size < _HEAD.size:
        raise DamageError(
            f"it has {size} bytes, and not even a head of {_HEAD.size}: it was cut short"
        )
    magic, version, length = _HEAD.unpack_from(content)
    if magic != MAGIC:
        raise DamageError(
            f"it begins with {bytes(magic)!r} instead of {MAGIC!r}{_guess(bytes(magic))}"
        )
    if version != VERSION:
        raise DamageError(
            f"its layout has the version {version}, and known here is {VERSION}: it was edited, or a newer"
            " savedmodel-compat wrote it"
        )
    if length > _MOST_HEADER:
        raise DamageError(f"its header is said to have {length} bytes; the most is {_MOST_HEADER}")
    if _HEAD.size + length > size:
        raise DamageError(
            f"it has {size} bytes and its header ends at {_HEAD.size + length}: it was cut short"
        )
    return int(length)


def _check_count(count: int) -> None:
    if count > _MOST_TENSORS:
        raise DamageError(f"its header lists {count} tensors; the most is {_MOST_TENSORS}")


def _guess(magic: bytes) -> str:
    if magic.startswith(b"\x89SMCT\n"):
        return ": its line ends were converted (`*.tensors binary` in .gitattributes)"
    if magic.startswith(b"version "):
        return ": it is a pointer of git-lfs, whose content was not fetched (`git lfs pull`)"
    return ": it is none of ours"


def _rows(header: bytes) -> list[Any]:
    try:
        said = json.loads(header.decode("ascii"), parse_int=_integer)
        rows = said["tensors"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DamageError(f"its header says nothing: {type(error).__name__}") from error
    if not isinstance(rows, list):
        raise DamageError("its header lists no tensors")
    return rows


def _integer(digits: str) -> int:
    """Read a number, but none that takes long to read."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _entry(row: Any, index: int) -> Entry:
    names = {"alias": str, "dtype": str, "nbytes": int, "offset": int, "shape": list, "side": str}
    if not isinstance(row, dict) or set(row) != set(names):
        raise DamageError(f"its header, tensor {index}: it has not the keys {', '.join(names)}")
    for name, kind in names.items():
        if type(row[name]) is not kind:
            raise DamageError(f"its header, tensor {index}: {name} is no {kind.__name__}")
    shape = row["shape"]
    if any(type(size) is not int or size < 0 for size in shape) or len(shape) > _MOST_RANK:
        raise DamageError(f"its header, tensor {index}: no tensor has the shape {shown(shape)}")
    if row["side"] not in SIDES:
        raise DamageError(f"its header, tensor {index}: a side named {shown(row['side'])}")
    return Entry(**{**row, "shape": tuple(shape)})


def _check_layout(entries: Sequence[Entry], written: bytes) -> None:
    """Refuse a header that does not follow from its own tensors.

    Raises:
        DamageError: says the first thing that does not.
    """
    at = 0
    for index, entry in enumerate(entries):
        before = entries[index - 1] if index else None
        if before and (before.side, before.alias) >= (entry.side, entry.alias):
            raise DamageError(f"its header has {before} before {entry}: it was edited")
        if entry.offset != aligned(at):
            raise DamageError(
                f"its header puts {entry} at {entry.offset}, and the tensors before take it to"
                f" {aligned(at)}: it was edited"
            )
        at = entry.offset + entry.nbytes
        _check_size(entry)
    if _json(entries) != written:
        raise DamageError("its header is not as it is written: it was edited")


def _check_size(entry: Entry) -> None:
    """Refuse a tensor whose bytes are not those of its shape.

    Raises:
        DamageError: or has a type that there is not.
        UnsupportedError: its type has no array here.
    """
    what = str(entry)
    try:
        dtype = dtype_from_name(entry.dtype)
    except UnsupportedError as error:
        raise DamageError(f"{what}: {shown(entry.dtype)} is no type of TensorFlow") from error
    if dtype.array_name is None or dtype.name != entry.dtype:
        raise DamageError(f"{what}: no tensor is kept as {entry.dtype}")
    count = math.prod(entry.shape)
    if dtype.array_name == "object":
        if entry.nbytes < 4 * count:
            raise DamageError(
                f"{what}: {entry.nbytes} bytes are no {shown(count)} strings of shape {shown(entry.shape)}"
            )
        return
    wanted = count * array_dtype(dtype, what).itemsize
    if entry.nbytes != wanted:
        raise DamageError(
            f"{what}: {entry.nbytes} bytes are no {entry.dtype} of shape {shown(entry.shape)}, which takes"
            f" {shown(wanted)}"
        )

"""One data set of a golden in one file, ``NAME.tensors``: the same tensors make the same bytes.

Numbers are little-endian. A file is

    bytes 0-7     89 53 4D 43 54 0D 0A 1A (0x89, "SMCT", CR LF, 0x1A: converted line ends show)
    bytes 8-11    u32, the version of this layout: 1
    bytes 12-15   u32, H: the length of the header
    16 to 16+H    the header: JSON, ASCII, keys sorted, no spaces
    data          the tensors' bytes, from the first multiple of 64 that is at least 16+H

and the header is ``{"tensors": [{"alias", "dtype", "nbytes", "offset", "shape", "side"}, …]}``: inputs
(``side`` is ``inputs``) before ``outputs``, by alias. ``offset`` counts from where the data begins; it is the first
multiple of 64 at or after the end of the tensor before, and the bytes between are 0. The file ends with the last tensor.

``dtype`` is TensorFlow's name, ``shape`` the dimensions (``[]`` is a scalar). A tensor's bytes are its elements,
row-major: the bits that TensorFlow has in memory. ``bool`` and all types of less than 8 bits take one byte an element;
a complex number is its real part, then its imaginary one; a quantised integer is that integer. A ``string`` tensor of n
elements is n u32 lengths, then the elements one after the other.

All of it follows from the tensors, so this reader refuses every file that it would not have written itself. It does not
know whether the elements are the right ones: for that, the manifest has the SHA-256 of each tensor's bytes.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from savedmodel_compat.errors import (
    GoldenDamagedError,
    InfrastructureError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden._stored_bytes import array_dtype, array_from, dtype_of, stored_bytes
from savedmodel_compat.golden._tensor_header import (
    ALIGNMENT,
    MAGIC,
    SIDES,
    VERSION,
    DamageError,
    Entry,
    aligned,
    head_of,
    read_head,
    shown,
)
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

__all__ = ["MAGIC", "SIDES", "SUFFIX", "VERSION", "Stored", "read", "stored", "write"]

SUFFIX = ".tensors"
# Below it one read is faster than a mapping, of which a process may only have some ten thousands.
_MAPPED = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """A tensor as a file holds it.

    Args:
        side: ``inputs`` or ``outputs``.
        alias: its name in the signature.
        dtype: TensorFlow's name of the element type.
        shape: its dimensions.
        data: its bytes.
        array: the same as an array; read-only if it was read.
    """

    side: str
    alias: str
    dtype: str
    shape: tuple[int, ...]
    data: memoryview
    array: Array


def stored(side: str, alias: str, array: Array, dtype: str | None = None) -> Stored:
    """Return an array as a file will hold it; no bytes are copied if its form is right already.

    Args:
        side: ``inputs`` or ``outputs``.
        alias: its name in the signature.
        array: its elements.
        dtype: TensorFlow's name of their type, where the array has none of its own (``qint8``).

    Raises:
        UnsupportedError: no array holds that type, or not this one.
    """
    what = f"{side}/{alias}"
    kind = dtype_of(array, dtype, what)
    data = stored_bytes(array, what)
    return Stored(
        side=side, alias=alias, dtype=kind.name, shape=array.shape, data=data, array=array
    )


def write(path: Path, tensors: Iterable[Stored]) -> None:
    """Write a data set to a new file.

    Raises:
        UsageError: two tensors of one side have one alias, or there are too many to be read again.
        OSError: the file is there already, or cannot be written.
    """
    ordered = sorted(tensors, key=lambda tensor: (tensor.side, tensor.alias))
    for before, tensor in pairwise(ordered):
        if (before.side, before.alias) == (tensor.side, tensor.alias):
            raise UsageError(f"{path}: several tensors are named {tensor.side}/{tensor.alias}")
    try:
        head = head_of(_laid_out(ordered))
    except DamageError as error:
        raise UsageError(f"{path} is not written, as nobody could read it: {error}") from error
    with path.open("xb") as file:
        file.write(head)
        for tensor in ordered:
            file.write(bytes(-file.tell() % ALIGNMENT))
            file.write(tensor.data)


def read(path: Path) -> tuple[Stored, ...]:
    """Read a data set; the arrays of a large file lie in the file itself, which is mapped.

    Raises:
        GoldenDamagedError: the file is missing, or not as it was written.
        UnsupportedError: a tensor is of a type that this ml_dtypes does not have.
        InfrastructureError: the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            content = _content(file)
    except FileNotFoundError as error:
        raise GoldenDamagedError("it is missing", path=path) from error
    except PermissionError as error:
        raise InfrastructureError(f"{path} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise GoldenDamagedError(f"it cannot be read: {error.strerror}", path=path) from error
    try:
        return tuple(_tensors(content))
    except DamageError as damage:
        raise GoldenDamagedError(str(damage), path=path) from damage
    except UnsupportedError as error:
        raise UnsupportedError(f"{path}: {error.message}", hint=error.hint) from error


def _laid_out(tensors: Iterable[Stored]) -> list[Entry]:
    entries, at = [], 0
    for tensor in tensors:
        entries.append(
            Entry(
                side=tensor.side,
                alias=tensor.alias,
                dtype=tensor.dtype,
                shape=tensor.shape,
                nbytes=len(tensor.data),
                offset=aligned(at),
            )
        )
        at = entries[-1].offset + entries[-1].nbytes
    return entries


def _content(file: BinaryIO) -> memoryview:
    size = os.fstat(file.fileno()).st_size
    if size < _MAPPED:
        return memoryview(file.read())
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _tensors(content: memoryview) -> Iterator[Stored]:
    """Yield the tensors of a file.

    Raises:
        DamageError: it is not as it was written.
    """
    entries, at = read_head(content)
    begin = aligned(at)
    _check_end(content, entries, at, begin)
    for entry in entries:
        first = begin + entry.offset
        if any(content[at:first]):
            raise DamageError(f"bytes {at} to {first}, between two tensors, are not all 0")
        at = first + entry.nbytes
        yield _stored(entry, content[first:at])


def _check_end(content: memoryview, entries: Sequence[Entry], header_end: int, begin: int) -> None:
    size = len(content)
    end = begin + entries[-1].offset + entries[-1].nbytes if entries else header_end
    if size < end:
        raise DamageError(f"it has {size} bytes and its tensors end at {end}: it was cut short")
    if size > end:
        raise DamageError(f"it has {size} bytes and its tensors end at {end}: bytes were added")


def _stored(entry: Entry, data: memoryview) -> Stored:
    kind = array_dtype(dtype_from_name(entry.dtype), str(entry))
    try:
        array = array_from(data, kind, entry.shape)
    except ValueError as error:
        raise DamageError(f"{entry}, of shape {shown(entry.shape)}: {error}") from error
    return Stored(
        side=entry.side,
        alias=entry.alias,
        dtype=entry.dtype,
        shape=entry.shape,
        data=data,
        array=array,
    )

"""The data files of a checkpoint: values of tensors, and whether all bytes are what the index says.

How tensors are laid out there is in ``core/util/tensor_bundle/tensor_bundle.cc``.
"""

from __future__ import annotations

import enum
import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from savedmodel_compat.errors import DamagedModelError, UnsupportedError, UsageError
from savedmodel_compat.model import crc, wire
from savedmodel_compat.model._bundle import STRING, VARIANT
from savedmodel_compat.model._index import open_regular
from savedmodel_compat.tensors import LIMIT, dtype_from_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from savedmodel_compat.model._bundle import Checkpoint, TensorEntry

# It stays in the processor's cache between being read and being summed.
_BUFFER = 512 << 10
# Below this, a fresh copy costs less than an array.
_SMALL = 64 << 10
_UINT32_MAX = 2**32 - 1
_LONGEST_VARINT = 10
_CRC = 4


class Trouble(enum.Enum):
    """What can be wrong with the data of a tensor."""

    MISSING = "missing"  # its shard is not there, or cannot be read
    SHORT = "short"  # its shard ends before it does
    CHECKSUM = "checksum"
    FORM = "form"  # lengths of its strings or variants do not add up, or it shares bytes with another


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the data of one tensor, or slice of a tensor.

    Args:
        entry: which.
        trouble: of what kind.
        message: in words, with the numbers; without the name of the tensor.
    """

    entry: TensorEntry
    trouble: Trouble
    message: str


class _FormError(ValueError):
    """Lengths that do not add up."""


def verify(
    checkpoint: Checkpoint,
    progress: Callable[[int], None] = lambda size: None,  # noqa: ARG005
    *,
    only: Callable[[TensorEntry], bool] = lambda entry: True,  # noqa: ARG005
) -> Iterator[Fault]:
    """Verify the checksum of every tensor, in the order in which they stand in the shards.

    The memory that it takes does not depend on the sizes of files and tensors, and no byte is read twice.

    Args:
        checkpoint: what its index says.
        progress: told of every stretch that was read, in bytes.
        only: which tensors, or slices, to verify.

    Yields:
        What is wrong; one fault for a tensor, and one for a shard that cannot be read.
    """
    entries = (entry for entry in checkpoint.stored if only(entry))
    for number, group in itertools.groupby(entries, key=lambda entry: entry.shard):
        inside = list(group)
        try:
            with open_regular(checkpoint.shard(number)) as file:
                yield from _verify_shard(_Shard(file, checkpoint, progress), inside)
        except (OSError, DamagedModelError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            message = f"{checkpoint.shard(number).name} cannot be read: {why}"
            yield Fault(entry=inside[0], trouble=Trouble.MISSING, message=message)


def _verify_shard(shard: _Shard, entries: Iterable[TensorEntry]) -> Iterator[Fault]:
    end = 0
    for entry in entries:
        if entry.offset < end or entry.size < 0:
            message = f"byte {entry.offset} of its shard is also another tensor's"
            yield Fault(entry=entry, trouble=Trouble.FORM, message=message)
            continue
        end = entry.end
        try:
            actual = shard.checksum(entry)
        except EOFError as error:
            yield Fault(entry=entry, trouble=Trouble.SHORT, message=str(error))
        except _FormError as error:
            yield Fault(entry=entry, trouble=Trouble.FORM, message=str(error))
        else:
            if actual != entry.crc32c:
                message = f"its {entry.size} bytes have the checksum {actual:08x}, the index says {entry.crc32c:08x}"
                yield Fault(entry=entry, trouble=Trouble.CHECKSUM, message=message)
    shard.report()


def read_tensor(checkpoint: Checkpoint, name: str, *, limit: int = LIMIT) -> np.ndarray[Any, Any]:
    """Return the value of a tensor, its checksums verified; a partitioned one is put together.

    Args:
        checkpoint: what its index says.
        name: the tensor's key.
        limit: the most bytes that it may take.

    Returns:
        An array of its own memory; strings are an object array of bytes.

    Raises:
        UsageError: there is no such tensor.
        UnsupportedError: numpy cannot hold its type, or it is larger than the limit.
        DamagedModelError: its data are not what the index says.
    """
    entry = _find(checkpoint, name)
    kind = dtype_from_name(entry.dtype).numpy
    if kind is None:
        raise UnsupportedError(f"{name}, a tensor of type {entry.dtype}, has no form as an array")
    if entry.elements * kind.itemsize > limit:
        raise UnsupportedError(
            f"{name} takes {entry.elements * kind.itemsize} bytes; the limit is {limit}"
        )
    if not entry.slices:
        return _value(checkpoint, entry, kind, limit)
    import numpy as np

    whole = np.zeros(entry.shape, dtype=kind)
    for part in entry.slices:
        if part.entry is None or part.entry.dtype != entry.dtype:
            raise DamagedModelError(f"{checkpoint.file}: a slice of {name} is missing, or of another type")
        place = tuple(slice(start, start + length) for start, length in part.extents)
        if whole[place].shape != part.entry.shape:
            raise DamagedModelError(f"{checkpoint.file}: a slice of {name} is not within it")
        whole[place] = _value(checkpoint, part.entry, kind, limit)
    return whole


def read_strings(checkpoint: Checkpoint, name: str, *, limit: int = LIMIT) -> list[bytes]:
    """Return the elements of a tensor of strings, in the order of the file; see `read_tensor`."""
    entry = _find(checkpoint, name)
    if entry.dtype != STRING or entry.slices or entry.size > limit:
        raise UnsupportedError(f"{name} is no tensor of strings of at most {limit} bytes")
    return _strings(_data(checkpoint, entry), entry, little_endian=checkpoint.little_endian)


def _find(checkpoint: Checkpoint, name: str) -> TensorEntry:
    if name not in checkpoint.tensors:
        raise UsageError(f"{checkpoint.file} has no tensor {name!r}")
    return checkpoint.tensors[name]


def _data(checkpoint: Checkpoint, entry: TensorEntry) -> bytes:
    """Return the bytes of a tensor, their checksum verified."""
    path = checkpoint.shard(entry.shard)
    try:
        with open_regular(path) as file:
            shard = _Shard(file, checkpoint, lambda size: None)  # noqa: ARG005
            actual = shard.checksum(entry)
            shard.seek(entry.offset)
            data = shard.read(entry.size)
    except OSError as error:
        raise DamagedModelError(f"{path} cannot be read: {error.strerror}") from error
    except (EOFError, _FormError) as error:
        raise DamagedModelError(f"{path}: {entry.name}: {error}") from error
    if actual != entry.crc32c:
        raise DamagedModelError(
            f"{path}: {entry.name} has the checksum {actual:08x}, the index says {entry.crc32c:08x}"
        )
    return data


def _value(
    checkpoint: Checkpoint, entry: TensorEntry, kind: np.dtype[Any], limit: int
) -> np.ndarray[Any, Any]:
    import numpy as np

    if entry.dtype == STRING:
        array = np.empty(entry.elements, dtype=object)
        array[:] = _strings(_data(checkpoint, entry), entry, little_endian=checkpoint.little_endian)
        return array.reshape(entry.shape)
    if entry.size != entry.elements * kind.itemsize or entry.size > limit:
        raise DamagedModelError(
            f"{checkpoint.file}: {entry.name} of {entry.elements} elements has {entry.size} bytes"
        )
    # The parts of a complex number are stored each in that order.
    unit = kind.itemsize // 2 if kind.kind == "c" else kind.itemsize
    order = "<" if checkpoint.little_endian else ">"
    words = np.frombuffer(_data(checkpoint, entry), dtype=f"{order}u{unit}")
    return words.astype(f"=u{unit}").view(kind).reshape(entry.shape)


def _strings(data: bytes, entry: TensorEntry, *, little_endian: bool) -> list[bytes]:
    del little_endian  # Lengths are stored without an order; only their checksum has one.
    if not data:
        return [b""] * entry.elements
    lengths = []
    at = 0
    for _ in range(entry.elements):
        length, at = wire.varint(data, at)
        lengths.append(length)
    ends = itertools.accumulate(lengths, initial=at + _CRC)
    return [data[end : end + length] for end, length in zip(ends, lengths, strict=False)]


class _Shard:
    """One data file under verification."""

    def __init__(
        self, file: BinaryIO, checkpoint: Checkpoint, progress: Callable[[int], None]
    ) -> None:
        self._file = file
        self._order = "<" if checkpoint.little_endian else ">"
        self._progress = progress
        self._told = 0
        self._ahead = b""
        self._at = 0
        self._array: Any = None

"""The data files of a checkpoint: values of tensors, and whether all bytes are what the index says.

How tensors are laid out there is in ``core/util/tensor_bundle/tensor_bundle.cc``.
"""

from __future__ import annotations

import enum
import itertools
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from savedmodel_compat.errors import DamagedModelError, UnsupportedError, UsageError
from savedmodel_compat.model import crc, wire
from savedmodel_compat.model._bundle import STRING, VARIANT
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.tensors import LIMIT, dtype_from_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from savedmodel_compat.model._bundle import Checkpoint, TensorEntry

# It stays in the processor's cache between being read and being summed.
_WINDOW = 256 << 10
_TOLD = 1 << 20
_UINT32_MAX = 2**32 - 1
_LONGEST_VARINT = 10
_CRC = 4
# So many lengths are read before numpy is worth its import.
_FEW = 1024
_VARIANTS_LIMIT = 1_000_000


class Trouble(enum.Enum):
    """What can be wrong with the data of a tensor."""

    MISSING = "missing"  # its shard is not there, or cannot be read
    SHORT = "short"  # its shard ends before it does
    CHECKSUM = "checksum"
    FORM = "form"  # its strings or variants do not add up, or it shares bytes with another


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
            raise DamagedModelError(
                f"{checkpoint.file}: a slice of {name} is missing, or of another type"
            )
        place = tuple(slice(start, start + length) for start, length in part.extents)
        if whole[place].shape != part.entry.shape:
            raise DamagedModelError(f"{checkpoint.file}: a slice of {name} is not within it")
        whole[place] = _value(checkpoint, part.entry, kind, limit)
    return whole


def read_strings(checkpoint: Checkpoint, name: str, *, limit: int = LIMIT) -> list[bytes]:
    """Return the elements of a tensor of strings, in the order of the file; see `read_tensor`."""
    entry = _find(checkpoint, name)
    if entry.dtype != STRING or entry.slices or max(entry.size, 8 * entry.elements) > limit:
        raise UnsupportedError(f"{name} is no tensor of strings of at most {limit} bytes")
    return _strings(_data(checkpoint, entry), entry)


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
        array[:] = _strings(_data(checkpoint, entry), entry)
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


def _strings(data: bytes, entry: TensorEntry) -> list[bytes]:
    """Return the strings of a tensor whose checksum was verified, and with it the form."""
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
    """One data file, read from its beginning to its end."""

    def __init__(
        self, file: BinaryIO, checkpoint: Checkpoint, progress: Callable[[int], None]
    ) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._order = "<" if checkpoint.little_endian else ">"
        self._progress = progress
        self._unreported = 0
        self._window = b""
        self._begin = 0
        self._at = 0

    def checksum(self, entry: TensorEntry) -> int:
        """Return the masked checksum of a tensor's bytes, taken as its type wants it.

        Raises:
            EOFError: the file is too short.
            _FormError: its lengths do not add up.
        """
        if not 0 <= entry.offset <= entry.end <= self._size:
            raise EOFError(f"it would end at byte {entry.end} of {self._size}")
        self.seek(entry.offset)
        if entry.dtype == STRING:
            return crc.mask(self._sum_of_strings(entry))
        if entry.dtype == VARIANT:
            return crc.mask(self._sum_of_variants(entry))
        return crc.mask(self._sum(0, entry.size))

    def seek(self, offset: int) -> None:
        """Go to a place, which is mostly where we are."""
        self._at = offset

    def read(self, size: int) -> bytes:
        """Return so many bytes."""
        return b"".join(self._pieces(size))

    def report(self) -> None:
        """Tell of the bytes that have not been told of."""
        if self._unreported:
            self._progress(self._unreported)
            self._unreported = 0

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next so many bytes, mostly as they were read, since cutting them is copying."""
        while size:
            start = self._at - self._begin
            if not 0 <= start < len(self._window):
                self._file.seek(self._at)
                self._window = self._file.read(_WINDOW)
                self._begin, start = self._at, 0
                if not self._window:
                    raise EOFError(f"its shard ended at byte {self._at} while it was read")
            piece = self._window
            if start or size < len(piece):
                piece = piece[start : start + size]
            size -= len(piece)
            self._at += len(piece)
            self._unreported += len(piece)
            if self._unreported >= _TOLD:
                self.report()
            yield piece

    def _sum(self, start: int, size: int) -> int:
        """Return the checksum of what was summed so far and the next so many bytes."""
        for piece in self._pieces(size):
            start = crc.extend(start, piece)
        return start

    def _sum_of_strings(self, entry: TensorEntry) -> int:
        """Sum the lengths, each as a number of four bytes, their checksum, then all strings."""
        if not entry.size:
            return 0
        if entry.elements + _CRC > entry.size:
            raise _FormError(f"{entry.elements} strings do not go into {entry.size} bytes")
        total = checksum = 0
        missing = entry.elements
        while missing:
            start = self._at
            room = min(_WINDOW, entry.end - start, missing * _LONGEST_VARINT)
            lengths, used = _decoded(self.read(room), missing)
            if not used:
                raise _FormError("the lengths of its strings do not parse")
            missing -= len(lengths)
            longest = int(max(lengths))
            if longest > entry.size:
                raise _FormError(f"a string of {longest} bytes does not go into {entry.size}")
            total += int(sum(lengths) if isinstance(lengths, list) else lengths.sum())
            checksum = crc.extend(checksum, _as_summed(lengths, longest, self._order))
            self._unreported -= room - used
            self.seek(start + used)
        if self._at + _CRC + total != entry.end:
            raise _FormError(
                f"its strings end at byte {self._at + _CRC + total}, the tensor at {entry.end}"
            )
        stored = self.read(_CRC)
        self._compare(stored, checksum, "its strings' lengths")
        return self._sum(crc.extend(checksum, stored), total)

    def _sum_of_variants(self, entry: TensorEntry) -> int:
        """Sum the length of each, in eight bytes, itself, and the checksum behind it."""
        if entry.elements > _VARIANTS_LIMIT:
            raise _FormError(f"{entry.elements} variants are not looked at")
        checksum = 0
        for number in range(entry.elements if entry.size else 0):
            start = self._at
            head = self.read(min(_LONGEST_VARINT, entry.end - start))
            lengths, used = _decoded(head, 1)
            if not used or start + used + lengths[0] + _CRC > entry.end:
                raise _FormError(f"its element {number} leads beyond its end")
            self._unreported -= len(head) - used
            self.seek(start + used)
            checksum = crc.extend(checksum, struct.pack(f"{self._order}Q", lengths[0]))
            checksum = self._sum(checksum, int(lengths[0]))
            stored = self.read(_CRC)
            self._compare(stored, checksum, f"its element {number}")
            checksum = crc.extend(checksum, stored)
        if self._at != entry.end:
            raise _FormError(f"its elements end at byte {self._at}, the tensor at {entry.end}")
        return checksum

    def _compare(self, stored: bytes, checksum: int, what: str) -> None:
        (expected,) = struct.unpack(f"{self._order}I", stored)
        if expected != crc.mask(checksum):
            raise _FormError(
                f"the checksum of {what} is {crc.mask(checksum):08x}, and {expected:08x} is stored"
            )


def _decoded(data: bytes, most: int) -> tuple[list[int] | np.ndarray[Any, Any], int]:
    """Return the numbers at the beginning of some bytes, and how many bytes they take."""
    if most > _FEW:
        return _decoded_array(data, most)
    numbers: list[int] = []
    at = 0
    try:
        while len(numbers) < most:
            number, at = wire.varint(data, at)
            numbers.append(number)
    except wire.WireError:
        pass
    return numbers, at


def _decoded_array(data: bytes, most: int) -> tuple[np.ndarray[Any, Any], int]:
    import numpy as np

    raw = np.frombuffer(data, dtype=np.uint8)
    last = np.flatnonzero(raw < 0x80)[:most]
    if not len(last):
        return np.empty(0, dtype=np.uint64), 0
    first = np.concatenate(([0], last[:-1] + 1))
    used = int(last[-1]) + 1
    widths = last - first + 1
    if int(widths.max()) > _LONGEST_VARINT:
        raise _FormError("the lengths of its strings do not parse")
    shifts = 7 * (np.arange(used) - np.repeat(first, widths))
    parts = (raw[:used] & 0x7F).astype(np.uint64) << shifts.astype(np.uint64)
    return np.add.reduceat(parts, first), used


def _as_summed(lengths: list[int] | np.ndarray[Any, Any], longest: int, order: str) -> bytes:
    """Return lengths as they are summed: of four bytes, as they once all were, or of eight."""
    if isinstance(lengths, list) or longest > _UINT32_MAX:
        return b"".join(
            struct.pack(f"{order}{'I' if length <= _UINT32_MAX else 'Q'}", int(length))
            for length in lengths
        )
    return lengths.astype(f"{order}u4").tobytes()

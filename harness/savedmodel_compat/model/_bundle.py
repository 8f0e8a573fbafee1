"""What a checkpoint holds, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from savedmodel_compat.tensors import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STRING, VARIANT = "string", "variant"
_WIDTHS = {
    **dict.fromkeys(("bool", "int8", "uint8", "int4", "uint4", "int2", "uint2"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
}
# Bytes of an element in memory and in a shard; numbers of less than a byte take a whole one.
WIDTHS: Mapping[str, int] = MappingProxyType(
    {
        dtype.name: 1 if dtype.array_name.startswith("float8") else _WIDTHS[dtype.array_name]
        for dtype in DTYPES
        if dtype.array_name is not None
        and not dtype.is_reference
        and (dtype.array_name in _WIDTHS or dtype.array_name.startswith("float8"))
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One tensor, or one slice of a partitioned one (``core/protobuf/tensor_bundle.proto``).

    Args:
        name: its key; bytes that are no UTF-8 are surrogates in it. A slice has the name of the whole tensor.
        dtype: TensorFlow's name of its type, such as ``float32``; ``unknown(99)`` in a newer release's.
        shape: of the whole tensor, or of the slice.
        shard: number of the file that its bytes are in; of no meaning if it is partitioned.
        offset: of its bytes, in that file.
        size: in bytes, in that file.
        crc32c: masked checksum of its bytes.
        slices: what it is made of if it is partitioned, in the order of the file; else empty.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    slices: tuple[Slice, ...] = ()

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def width(self) -> int | None:
        """Bytes of an element; None if they differ, or the type is not known."""
        return WIDTHS.get(self.dtype)

    @property
    def end(self) -> int:
        """Where its bytes end, in its shard."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a partitioned tensor.

    Args:
        extents: start and length in each dimension.
        entry: what is stored of it; None if nothing is.
    """

    extents: tuple[tuple[int, int], ...]
    entry: TensorEntry | None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint of format V2, as its index has it.

    Args:
        file: the index.
        num_shards: how many data files there should be.
        little_endian: whether the tensors' bytes are in that order.
        version: of the format; 1 in every release so far.
        min_consumer: oldest version of the format that may read it.
        bad_consumers: versions of the format that must not read it.
        tensors: by name, sorted as in the index; a partitioned tensor is one.
        orphans: slices that no tensor is said to be made of.
        is_packed: whether a block of the index is compressed, which the oldest releases cannot read.
    """

    file: Path
    num_shards: int
    little_endian: bool
    version: int
    min_consumer: int
    bad_consumers: tuple[int, ...]
    tensors: Mapping[str, TensorEntry] = field(repr=False)
    orphans: tuple[TensorEntry, ...] = ()
    is_packed: bool = False

    def shard(self, number: int) -> Path:
        """Return the data file of that number, which need not exist."""
        prefix = self.file.name.removesuffix(".index")
        return self.file.with_name(f"{prefix}.data-{number:05d}-of-{self.num_shards:05d}")

    @cached_property
    def stored(self) -> tuple[TensorEntry, ...]:
        """Everything that has bytes in a shard, in the order in which those stand there."""
        found = list(self.orphans)
        for tensor in self.tensors.values():
            if tensor.slices:
                found += [part.entry for part in tensor.slices if part.entry is not None]
            else:
                found.append(tensor)
        return tuple(sorted(found, key=lambda entry: (entry.shard, entry.offset, entry.size)))

    @cached_property
    def parameters(self) -> int:
        """How many numbers the tensors hold; strings and variants are none."""
        return sum(tensor.elements for tensor in self.tensors.values() if tensor.width is not None)

    @cached_property
    def data_bytes(self) -> int:
        """How many bytes those numbers take."""
        return sum(t.elements * t.width for t in self.tensors.values() if t.width is not None)

    @cached_property
    def strings(self) -> int:
        """How many elements the tensors of strings have."""
        return sum(tensor.elements for tensor in self.tensors.values() if tensor.dtype == STRING)

    @cached_property
    def total_bytes(self) -> int:
        """How many bytes all tensors say that they take in the shards."""
        return sum(entry.size for entry in self.stored)

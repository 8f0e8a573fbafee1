"""From the bytes of ``variables.index`` to what the checkpoint holds."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import damage, schema
from savedmodel_compat.model._bundle import Checkpoint, Slice, TensorEntry
from savedmodel_compat.model._ordered import Extents, KeyFormError, slice_of
from savedmodel_compat.model._table import MAGIC, TableReader
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE_LIMIT = 64 << 20
# Each takes time and memory; a large model has thousands.
_ENTRIES_LIMIT = 400_000
# Of all dimensions, each slice's counted as several.
_NUMBERS_LIMIT = 4_000_000
_PER_EXTENT = 4
# Parsed, a message may take twenty times as much.
_VALUE_LIMIT = 8 << 20
# ``core/framework/tensor_shape.h``
_RANK_LIMIT = 254
_SIZE_LIMIT = 2**63 - 1
_BIG = 1
_AGAIN = "copy the checkpoint again, whole: the index and every data file"

_Slices = dict[tuple[bytes, Extents], TensorEntry]


def read_index(file: Path) -> Checkpoint:
    """Return what a checkpoint's index says; no data file is opened.

    Args:
        file: the index, such as ``variables/variables.index``.

    Raises:
        DamagedModelError: it cannot be read, or does not hold together. The text says where.
    """
    data = _read(file)
    try:
        table = TableReader(data)
        return replace(_checkpoint(file, table.entries()), is_packed=table.is_packed)
    except DamagedModelError as error:
        found = None if data.endswith(MAGIC) else damage.recognise(data)
        why = f"it is {found}" if found else error.message
        raise DamagedModelError(
            f"{file} ({len(data)} bytes) is no index of a checkpoint: {why}",
            hint=error.hint or _AGAIN,
        ) from error


def _read(file: Path) -> bytes:
    try:
        with open_regular(file) as opened:
            size = os.fstat(opened.fileno()).st_size
            if size > _FILE_LIMIT:
                raise DamagedModelError(
                    f"{file} has {size} bytes; an index above {_FILE_LIMIT} is not looked at"
                )
            return opened.read()
    except OSError as error:
        raise DamagedModelError(f"{file} cannot be read: {error.strerror}") from error


def _checkpoint(file: Path, pairs: Iterator[tuple[bytes, bytes]]) -> Checkpoint:
    header = _header(pairs)
    slices: _Slices = {}
    tensors: dict[str, TensorEntry] = {}
    claimed: set[tuple[bytes, Extents]] = set()
    count = numbers = 0
    for key, value in pairs:
        if key.startswith(b"\0"):
            count += 1
            place = _slice_key(key)
            slices[place] = entry = _entry(place[0], value)
        else:
            entry = _tensor(key, value, slices, claimed)
            count += 1 + len(entry.slices)
            tensors[entry.name] = entry
        numbers += _numbers(len(entry.shape), len(entry.slices))
        _check_limits(count, numbers)
    return Checkpoint(
        file=file,
        num_shards=header.num_shards,
        little_endian=header.endianness != _BIG,
        version=header.version.producer,
        min_consumer=header.version.min_consumer,
        bad_consumers=tuple(header.version.bad_consumers),
        tensors=tensors,
        orphans=tuple(entry for place, entry in slices.items() if place not in claimed),
    )


def _numbers(rank: int, slices: int) -> int:
    return rank * (1 + _PER_EXTENT * slices)


def _check_limits(count: int, numbers: int) -> None:
    """Refuse what would take very long, and much memory.

    Args:
        count: of tensors and slices.
        numbers: of their dimensions.
    """
    if count > _ENTRIES_LIMIT:
        raise DamagedModelError(f"more than {_ENTRIES_LIMIT} tensors and slices are not looked at")
    if numbers > _NUMBERS_LIMIT:
        raise DamagedModelError(
            f"tensors and slices of more than {_NUMBERS_LIMIT} dimensions together are not looked at"
        )


def _header(pairs: Iterator[tuple[bytes, bytes]]) -> schema.BundleHeaderProto:
    """Return the first entry, whose key is empty."""
    key, value = next(pairs, (b"-", b""))
    if key:
        raise DamagedModelError("its first entry is not the header")
    header = _parsed(schema.BundleHeaderProto, value, b"")
    if header.version.producer < 0:
        raise DamagedModelError(
            f"it is of version {header.version.producer} of the format, and the first one is 0"
        )
    if header.num_shards > 0:
        return header
    # There, the first field of the first entry is a message (``core/util/saved_tensor_slice.proto``).
    if value.startswith(b"\x0a"):
        raise DamagedModelError(
            "it is a checkpoint of the old format V1, which holds the data too",
            hint="save it again with tf.compat.v1.train.Saver(write_version=SaverDef.V2), the default since 0.12",
        )
    raise DamagedModelError(f"its header counts {header.num_shards} data files")


def _tensor(
    key: bytes, value: bytes, slices: _Slices, claimed: set[tuple[bytes, Extents]]
) -> TensorEntry:
    """Return a tensor, with its slices if it is partitioned: their entries come before it."""
    proto = _parsed(schema.BundleEntryProto, value, key)
    if not proto.slices:
        return _from_proto(key, proto)
    shape = _shape(key, proto.shape)
    _check_limits(len(proto.slices), _numbers(len(shape), len(proto.slices)))
    parts = []
    for part in proto.slices:
        if len(part.extent) != len(shape):
            raise DamagedModelError(
                f"a slice of {_text(key)!r} has {len(part.extent)} dimensions, the tensor {len(shape)}"
            )
        place = (key, tuple(_extent(extent) for extent in part.extent))
        claimed.add(place)
        extents = tuple(
            (0, size) if length < 0 else (start, length)
            for (start, length), size in zip(place[1], shape, strict=True)
        )
        parts.append(Slice(extents=extents, entry=slices.get(place)))
    return _from_proto(key, proto, tuple(parts))


def _extent(extent: Any) -> tuple[int, int]:
    """Return start and length; without a length, all of the dimension is meant."""
    return (extent.start, extent.length) if extent.start or extent.length > 0 else (0, -1)


def _slice_key(key: bytes) -> tuple[bytes, Extents]:
    try:
        return slice_of(key)
    except KeyFormError as error:
        raise DamagedModelError(
            f"the key {key[:80].hex()} of a slice does not parse: {error}"
        ) from error


def _entry(name: bytes, value: bytes) -> TensorEntry:
    return _from_proto(name, _parsed(schema.BundleEntryProto, value, name))


def _from_proto(
    name: bytes, proto: schema.BundleEntryProto, slices: tuple[Slice, ...] = ()
) -> TensorEntry:
    return TensorEntry(
        name=_text(name),
        dtype=dtype_name(proto.dtype),
        shape=_shape(name, proto.shape),
        shard=proto.shard_id,
        offset=proto.offset,
        size=proto.size,
        crc32c=proto.crc32c,
        slices=slices,
    )


def _shape(name: bytes, proto: schema.TensorShapeProto) -> tuple[int, ...]:
    """Return a shape as ``TensorShape::IsValid`` in ``core/framework/tensor_shape.cc`` wants it."""
    shape = tuple([dim.size for dim in proto.dim])
    if not proto.unknown_rank and len(shape) <= _RANK_LIMIT:
        product = 1
        for size in shape:
            product *= size
            if size < 0 or product > _SIZE_LIMIT:
                break
        else:
            return shape
    shown = "unknown" if proto.unknown_rank else str(list(shape[:8]))
    raise DamagedModelError(f"{_text(name)!r} has a shape that no tensor has, {shown}")


def _parsed(message: object, value: bytes, key: bytes) -> schema.BundleEntryProto:
    what = f"the entry of {_text(key)!r}" if key else "the header"
    if len(value) > _VALUE_LIMIT:
        raise DamagedModelError(
            f"{what} has {len(value)} bytes; above {_VALUE_LIMIT}, it is not looked at"
        )
    try:
        return schema.parse(message, value)
    except DecodeError as error:
        raise DamagedModelError(f"{what} does not parse") from error


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")

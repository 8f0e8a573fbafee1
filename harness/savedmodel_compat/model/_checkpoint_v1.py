"""Checkpoints of the old format V1: the data stand in the table itself, a tensor or a slice of one under each key.

``tf.train.Saver`` wrote it up to 0.11, and still does with ``write_version=SaverDef.V1``
(``core/util/saved_tensor_slice.proto``, ``core/util/tensor_slice_writer.cc``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import DamagedModelError, UnsupportedError, UsageError
from savedmodel_compat.model import schema, wire
from savedmodel_compat.model._table import TableReader
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.tensors import LIMIT, dtype_from_name, dtype_name, to_numpy

if TYPE_CHECKING:
    import numpy as np

_Extents = tuple[tuple[int, int], ...]
_FILE_LIMIT = 256 << 20
_AGAIN = "copy the checkpoint again, whole: every file of it"
_NO_VALUES = frozenset({"dtype", "tensor_shape", "version_number"})
# Of several files, each counts all of them in its name.
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorOfV1:
    """A tensor, as the table says that it is.

    Args:
        name: its key.
        dtype: TensorFlow's name of its type, such as ``float32``.
        shape: of the whole tensor.
        slices: start and length in each dimension of each part that is stored; a tensor that is
            stored whole has one.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    slices: tuple[_Extents, ...]


@dataclass(frozen=True, kw_only=True)
class CheckpointV1:
    """A checkpoint of format V1, all of it.

    Args:
        files: what it is made of: one, or as many as there were devices.
        tensors: by name, sorted.
    """

    files: tuple[Path, ...]
    tensors: Mapping[str, TensorOfV1] = field(repr=False)
    _stored: Mapping[tuple[str, _Extents], bytes] = field(repr=False)

    def read(self, name: str, *, limit: int = LIMIT) -> np.ndarray[Any, Any]:
        """Return the value of a tensor; a partitioned one is put together.

        Args:
            name: the tensor's key.
            limit: the most bytes that it may take.

        Returns:
            An array of its own memory; strings are an object array of bytes.

        Raises:
            UsageError: there is no such tensor.
            UnsupportedError: numpy cannot hold its type, or it is larger than the limit.
            DamagedModelError: a part of it is missing or there twice, or has as many values as it should
                not, or has them where those of its type do not stand.
        """
        if name not in self.tensors:
            raise UsageError(f"{self.files[0]} has no tensor {name!r}")
        tensor = self.tensors[name]
        kind = dtype_from_name(tensor.dtype).numpy
        if kind is None:
            raise UnsupportedError(
                f"{name}, a tensor of type {tensor.dtype}, has no form as an array"
            )
        if math.prod(tensor.shape) * kind.itemsize > limit:
            raise UnsupportedError(
                f"{name} takes {math.prod(tensor.shape) * kind.itemsize} bytes; the limit is {limit}"
            )
        import numpy as np

        try:
            whole = np.zeros(tensor.shape, dtype=kind)
            missing = np.ones(tensor.shape, dtype=bool)
        except ValueError as error:
            raise UnsupportedError(
                f"{name} has the shape {list(tensor.shape)}, of which numpy has no array: {error}"
            ) from error
        for extents in tensor.slices:
            place = tuple(slice(start, start + length) for start, length in extents)
            # The first that overlaps ends it, so that all take no longer than the whole does.
            if not missing[place].all():
                raise DamagedModelError(
                    f"{self.files[0]}: the slice {list(extents)} of {name!r} overlaps those before it",
                    hint=_AGAIN,
                )
            whole[place] = self._part(tensor, extents)
            missing[place] = False
        if missing.any():
            raise DamagedModelError(
                f"{self.files[0]}: {int(missing.sum())} of {missing.size} elements of {name!r} are in no slice of it",
                hint=_AGAIN,
            )
        return whole

    def _part(self, tensor: TensorOfV1, extents: _Extents) -> np.ndarray[Any, Any]:
        where = f"{self.files[0]}: the slice {list(extents)} of {tensor.name!r}"
        stored = self._stored.get((tensor.name, extents))
        if stored is None:
            raise DamagedModelError(f"{where} is not there", hint=_AGAIN)
        try:
            proto = schema.parse(schema.TensorProto, stored)
        except DecodeError as error:
            raise DamagedModelError(f"{where} does not parse", hint=_AGAIN) from error
        wanted = math.prod(length for _, length in extents)
        own = str(dtype_from_name(tensor.dtype).field)
        for described, _ in proto.ListFields():
            if described.name in _NO_VALUES:
                continue
            if described.name != own:
                raise DamagedModelError(
                    f"{where} has values in {described.name}, and those of {tensor.dtype} stand in {own}",
                    hint=_AGAIN,
                )
        # What is stored has neither type nor shape; both stand with the tensor's name.
        proto.dtype = dtype_from_name(tensor.dtype).number
        proto.tensor_shape.Clear()
        for _, length in extents:
            proto.tensor_shape.dim.add(size=length)
        found = _count(proto, own)
        if found != wanted:
            raise DamagedModelError(
                f"{where} has {found} values in {own}, and {wanted} are its size", hint=_AGAIN
            )
        return to_numpy(proto)


def read_v1(prefix: Path) -> CheckpointV1:
    """Read a checkpoint of format V1, all of it, every checksum verified.

    Args:
        prefix: its file; or what comes before ``-00000-of-00002`` in the names of its files.

    Raises:
        UsageError: there is no such checkpoint.
        DamagedModelError: it does not hold together, or is too large; the text says where.
    """
    tensors: dict[str, TensorOfV1] = {}
    stored: dict[tuple[str, _Extents], bytes] = {}
    files = _files(prefix)
    for file in files:
        try:
            for tensor in _read_file(file, stored):
                before = tensors.setdefault(tensor.name, tensor)
                if before is not tensor:
                    tensors[tensor.name] = _joined(before, tensor)
        except DamagedModelError as error:
            raise DamagedModelError(
                f"{file} is no checkpoint of format V1: {error.message}", hint=error.hint or _AGAIN
            ) from error
    for tensor in tensors.values():
        if len(set(tensor.slices)) < len(tensor.slices):
            raise DamagedModelError(
                f"{files[0]} is no checkpoint of format V1: it lists a slice of {tensor.name!r} twice",
                hint=_AGAIN,
            )
    return CheckpointV1(files=files, tensors=dict(sorted(tensors.items())), _stored=stored)


def _files(prefix: Path) -> tuple[Path, ...]:
    if prefix.is_file():
        return (prefix,)
    found = {}
    for file in prefix.parent.glob(f"{prefix.name}-*-of-*"):
        match = _SHARD.fullmatch(file.name.removeprefix(prefix.name))
        if match:
            found[int(match[1]), int(match[2])] = file
    if not found:
        if prefix.with_name(f"{prefix.name}.index").is_file():
            raise UsageError(
                f"{prefix} is a checkpoint of format V2", hint=f"read_index(Path('{prefix}.index'))"
            )
        raise UsageError(f"there is no checkpoint {prefix}: no file of that name, and no shards")
    [count, *others] = sorted({count for _, count in found})
    missing = sorted(set(range(count)) - {number for number, _ in found})
    if others or missing:
        why = f"shard {missing[0]} of {count} is missing" if missing else "its shards are of two"
        raise DamagedModelError(f"{prefix}: {why}", hint=_AGAIN)
    return tuple(file for _, file in sorted(found.items()))


def _read_file(file: Path, stored: dict[tuple[str, _Extents], bytes]) -> Iterator[TensorOfV1]:
    """Yield what a file says of its tensors, after it has added what is stored of them."""
    with open_regular(file) as opened:
        data = opened.read(_FILE_LIMIT + 1)
    if len(data) > _FILE_LIMIT:
        raise DamagedModelError(f"a file above {_FILE_LIMIT} bytes is not looked at")
    entries = TableReader(data).entries()
    key, value = next(entries, (b"-", b""))
    described = None if key else _only(value, 1)
    if described is None:
        raise DamagedModelError(
            "its first entry does not describe tensors",
            hint="an `.index` is of format V2: read_index reads it",
        )
    tensors = [_tensor(content) for number, content in _fields(described) if number == 1]
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    for key, value in entries:
        saved = _only(value, 2)
        name = _text(_only(saved or b"", 1) or b"")
        if saved is None or name not in shapes:
            raise DamagedModelError(f"its entry {key[:80].hex()} holds no slice of a tensor")
        extents = _extents(_only(saved, 2) or b"", shapes[name])
        if (name, extents) in stored:
            raise DamagedModelError(f"the slice {list(extents)} of {name!r} is stored twice")
        stored[name, extents] = _only(saved, 3) or b""
    yield from tensors


def _tensor(content: bytes) -> TensorOfV1:
    """Return what a ``SavedSliceMeta`` says."""
    fields = list(_fields(content))
    last = {number: value for number, value in fields if number != 4}
    name = _text(last.get(1, b""))
    try:
        shape = tuple(
            dim.size for dim in schema.parse(schema.TensorShapeProto, last.get(2, b"")).dim
        )
    except DecodeError as error:
        raise DamagedModelError(f"the shape of {name!r} does not parse") from error
    if any(size < 0 for size in shape):
        raise DamagedModelError(f"{name!r} has a shape that no tensor has, {list(shape)}")
    number = _number(last.get(3, b"\0"))
    return TensorOfV1(
        name=name,
        dtype=dtype_name(number),
        shape=shape,
        slices=tuple(_extents(value, shape) for number, value in fields if number == 4),
    )


def _extents(content: bytes, shape: tuple[int, ...]) -> _Extents:
    """Return what a ``TensorSliceProto`` says: start and length in each dimension; one without a length is all of it."""
    extents = [_numbers(extent) for number, extent in _fields(content) if number == 1]
    if len(extents) != len(shape):
        raise DamagedModelError(
            f"a slice has {len(extents)} dimensions, and its tensor {len(shape)}"
        )
    found = []
    for extent, size in zip(extents, shape, strict=True):
        start = extent.get(1, 0)
        length = extent.get(2, size - start)
        # A negative number stands as its two's complement, which is beyond every size.
        if length < 0 or start + length > size:
            raise DamagedModelError(
                f"a slice from {start} of length {length} is not within {size} elements"
            )
        found.append((start, length))
    return tuple(found)


def _numbers(message: bytes) -> dict[int, int]:
    """Return the numbers that a message of nothing else holds, by those of their fields."""
    return {number: _number(content) for number, content in _fields(message)}


def _number(content: bytes) -> int:
    try:
        return wire.varint(content, 0)[0]
    except wire.WireError as error:
        raise DamagedModelError("a number does not parse") from error


def _joined(first: TensorOfV1, second: TensorOfV1) -> TensorOfV1:
    """Return a tensor whose slices stand in two files."""
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        raise DamagedModelError(
            f"{first.name!r} is {second.dtype} {list(second.shape)} there, and {first.dtype} {list(first.shape)} in a file before"
        )
    return TensorOfV1(
        name=first.name,
        dtype=first.dtype,
        shape=first.shape,
        slices=(*first.slices, *second.slices),
    )


def _count(proto: Any, field: str) -> int:
    """Return how many values a field of a TensorProto lists; a complex one takes two numbers."""
    listed = len(getattr(proto, field))
    if field not in {"scomplex_val", "dcomplex_val"}:
        return listed
    # Half a value is one too many.
    return (listed + 1) // 2


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers of a message's fields, and what they hold."""
    at = 0
    while at < len(message):
        try:
            tag, start, at = wire.field(message, at)
        except wire.WireError as error:
            raise DamagedModelError("an entry does not parse") from error
        if at > len(message):
            raise DamagedModelError("an entry breaks off")
        yield tag >> 3, message[start:at]


def _only(message: bytes, number: int) -> bytes | None:
    """Return what the last field of that number holds; None without one."""
    found = [content for each, content in _fields(message) if each == number]
    return found[-1] if found else None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")

"""Writers of sorted tables and of checkpoints, for those that TensorFlow never writes."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from savedmodel_compat.model import crc, schema, wire
from savedmodel_compat.model._table import MAGIC

RESTART = 16


def block(pairs: Iterable[tuple[bytes, bytes]], *, restart: int = RESTART) -> bytes:
    """Return a block of a table, without its type and checksum."""
    data = b""
    restarts = [0]
    before = b""
    for number, (key, value) in enumerate(pairs):
        shared = 0
        if number % restart:
            same = itertools.takewhile(
                lambda both: both[0] == both[1], zip(before, key, strict=False)
            )
            shared = len(list(same))
        elif number:
            restarts.append(len(data))
        lengths = (shared, len(key) - shared, len(value))
        data += b"".join(map(wire.as_varint, lengths)) + key[shared:] + value
        before = key
    return data + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def sealed(data: bytes, kind: int = 0) -> bytes:
    """Return a block with its type and checksum."""
    typed = data + bytes([kind])
    return typed + struct.pack("<I", crc.masked(typed))


def place(offset: int, size: int) -> bytes:
    """Return where a block is, as tables list it."""
    return wire.as_varint(offset) + wire.as_varint(size)


def joined(blocks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a table of sealed blocks, each with the key that bounds it."""
    data = b""
    listed = []
    for bound, content in blocks:
        listed.append((bound, place(len(data), len(content) - 5)))
        data += content
    meta, index = block([]), block(listed, restart=1)
    places = place(len(data), len(meta)) + place(len(data) + len(meta) + 5, len(index))
    return data + sealed(meta) + sealed(index) + places.ljust(40, b"\0") + MAGIC


def table(pairs: Sequence[tuple[bytes, bytes]], *, most: int = 100) -> bytes:
    """Return a table with so many pairs in a block at most."""
    parts = [pairs[start : start + most] for start in range(0, len(pairs), most)]
    return joined([(part[-1][0], sealed(block(part))) for part in parts])


def unread(data: bytes) -> set[int]:
    """Return which bytes of a table TensorFlow never looks at: the block of properties, and its place."""
    start, at = wire.varint(data, len(data) - 48)
    size, at = wire.varint(data, at)
    return {*range(start, start + size + 5), *range(len(data) - 48, at)}


def header(**fields: int) -> bytes:
    """Return the first entry of an index."""
    message = schema.BundleHeaderProto(num_shards=fields.pop("num_shards", 1), **fields)
    message.version.producer = 1
    return bytes(message.SerializeToString())


def entry(
    dtype: int, shape: Sequence[int], data: bytes = b"", **fields: int
) -> schema.BundleEntryProto:
    """Return the entry of a tensor with those bytes."""
    message = schema.BundleEntryProto(
        dtype=dtype, size=len(data), crc32c=crc.masked(data), **fields
    )
    message.shape.SetInParent()
    for size in shape:
        message.shape.dim.add(size=size)
    return message


def slice_key(name: bytes, *extents: tuple[int, int]) -> bytes:
    """Return the key of a slice; starts and lengths are below 64."""
    numbers = b"".join(bytes([0x80 | start, 0x80 | length]) for start, length in extents)
    return b"\0" + name + b"\0\1" + bytes([1, len(extents)]) + numbers


def write(
    folder: Path,
    entries: Mapping[bytes, schema.BundleEntryProto],
    *shards: bytes,
    head: bytes | None = None,
) -> Path:
    """Write a checkpoint and return its index."""
    if head is None:
        head = header(num_shards=len(shards))
    pairs = [(key, message.SerializeToString()) for key, message in sorted(entries.items())]
    index = folder / "variables.index"
    index.write_bytes(table([(b"", head), *pairs]))
    for number, data in enumerate(shards):
        name = f"variables.data-{number:05d}-of-{len(shards):05d}"
        (folder / name).write_bytes(data)
    return index

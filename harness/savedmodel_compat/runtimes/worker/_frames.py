"""Frames between controller, worker and cell: a JSON header, then the raw bytes of its tensors.

Layout, little-endian: 4 bytes magic, u32 length of the header, u64 length of the payload, header (UTF-8 JSON),
payload. ``header["tensors"]`` lists ``[name, dtype, shape, nbytes]`` in the order of the payload. A string tensor's
bytes are one u32 length an element, then the elements.
"""

import json
import struct
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

MAGIC = b"SMC1"
_HEAD = struct.Struct("<4sIQ")
_MAX_HEADER = 64 << 20


class ProtocolError(Exception):
    """What arrived is no frame: garbage on the stream, or a frame cut short."""


class Tensor(object):
    """A dense tensor on the wire.

    Args:
        name: the alias under which it travels.
        dtype: TensorFlow's name of the element type, such as ``float32``.
        shape: its dimensions; ``()`` is a scalar.
        data: its elements, row-major, as bytes.
    """

    __slots__ = ("data", "dtype", "name", "shape")

    def __init__(self, name: str, dtype: str, shape: Iterable[int], data: bytes) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = tuple(shape)
        self.data = data


def pack_strings(items: Iterable[bytes]) -> bytes:
    """Return the wire bytes of a string tensor's elements, given as an iterable of bytes."""
    items = list(items)
    return struct.pack("<%dI" % len(items), *[len(item) for item in items]) + b"".join(items)


def unpack_strings(data: bytes, count: int) -> List[bytes]:
    """Return the ``count`` elements of a string tensor's wire bytes."""
    if len(data) < 4 * count:
        raise ProtocolError(
            "a string tensor of %d elements came with %d bytes" % (count, len(data))
        )
    items, at = [], 4 * count
    for size in struct.unpack_from("<%dI" % count, data):
        items.append(bytes(data[at : at + size]))
        at += size
    if at != len(data):
        raise ProtocolError("a string tensor of %d bytes came with %d" % (at, len(data)))
    return items


def encode(header: Dict[str, Any], tensors: Sequence[Tensor] = ()) -> List[bytes]:
    """Return the pieces of one frame, to be written one after the other."""
    header = dict(header)
    header["tensors"] = [[t.name, t.dtype, list(t.shape), len(t.data)] for t in tensors]
    body = json.dumps(header).encode("utf-8")
    payload = sum(len(t.data) for t in tensors)
    return [_HEAD.pack(MAGIC, len(body), payload), body] + [t.data for t in tensors]


def sets(tensors: Sequence[Tensor], sizes: Sequence[int]) -> List[Sequence[Tensor]]:
    """Return ``tensors`` as sets of these sizes, one for each run."""
    if len(tensors) != sum(sizes):
        raise ProtocolError("%d tensors do not make sets of %s" % (len(tensors), sizes))
    found, at = [], 0
    for size in sizes:
        found.append(tensors[at : at + size])
        at += size
    return found


class Decoder(object):
    """Turns a stream of bytes, fed in pieces of any size, into frames."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._pieces += data

    @property
    def pending(self) -> bytes:
        """The bytes of a frame that is not complete."""
        return bytes(self._pieces)

    def frame(self) -> Optional[Tuple[Dict[str, Any], List[Tensor]]]:
        """Return the next ``(header, tensors)``, or None while it is not complete.

        Raises:
            ProtocolError: the bytes are no frame.
        """
        have = self._pieces
        if have[:4] != MAGIC[: len(have)]:
            raise ProtocolError("expected a frame, got %r" % bytes(have[:200]))
        if len(have) < _HEAD.size:
            return None
        _, head, payload = _HEAD.unpack_from(have)
        if head > _MAX_HEADER:
            raise ProtocolError("a header of %d bytes is too long" % head)
        start = _HEAD.size + head
        if len(have) < start + payload:
            return None
        header, listed = _listed(bytes(have[_HEAD.size : start]), payload)
        tensors, at = [], start
        with memoryview(have) as view:
            for name, dtype, shape, nbytes in listed:
                tensors.append(Tensor(name, dtype, shape, bytes(view[at : at + nbytes])))
                at += nbytes
        del have[: start + payload]
        return header, tensors


def _listed(body: bytes, payload: int) -> Tuple[Dict[str, Any], List[Tuple[str, str, Any, int]]]:
    """Return a header without its list of tensors, and the list; whoever wrote it may mean harm."""
    try:
        header = json.loads(body.decode("utf-8"))
        listed = [
            (str(name), str(dtype), [int(size) for size in shape], int(nbytes))
            for name, dtype, shape, nbytes in header.pop("tensors")
        ]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ProtocolError("a header that says nothing: %s" % error) from None
    sizes = [nbytes for _, _, _, nbytes in listed]
    if sum(sizes) != payload or min(sizes, default=0) < 0:
        raise ProtocolError("tensors of %s bytes came with %d" % (sizes[:10], payload))
    return header, listed

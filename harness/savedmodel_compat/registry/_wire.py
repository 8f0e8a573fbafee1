"""Serialized op and kernel definitions, brought to one form without being parsed.

What a library wrote is cut field by field rather than parsed and written again: the bytes of equal
definitions are equal whatever version of protobuf is installed, and fields that are newer than its
messages stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from savedmodel_compat.model import wire

# Numbers of the fields of OpDef, its ArgDef and its AttrDef, in tensorflow/core/framework/op_def.proto.
_NAME = 1
_ARGUMENTS = frozenset({2, 3})
_ATTRS = 4
_SUMMARY, _DESCRIPTION = 5, 6
_DESCRIPTION_OF_ARGUMENT = 2
_DESCRIPTION_OF_ATTR = 4
# And of KernelDef, in tensorflow/core/framework/kernel_def.proto.
_HOST_MEMORY_ARGS = 4


def entries(message: bytes) -> Iterator[bytes]:
    """Yield the entries of a serialized ``OpList`` or ``KernelList``.

    Raises:
        WireError: it is none.
    """
    for number, _, content in _fields(message):
        if number == _NAME:
            yield content


def name_of(definition: bytes) -> str:
    """Return the name of the op in a serialized ``OpDef`` or ``KernelDef``.

    Raises:
        WireError: it has none.
    """
    for number, _, content in _fields(definition):
        if number == _NAME:
            return content.decode()
    raise wire.WireError("a definition without a name")


def bare_op(op: bytes) -> bytes:
    """Return a serialized ``OpDef`` without the descriptions, which are most of its bytes."""
    return b"".join(_bare_parts(op))


def bare_kernel(kernel: bytes) -> bytes:
    """Return a serialized ``KernelDef`` without the name of its op and its host memory arguments."""
    return _without(kernel, {_NAME, _HOST_MEMORY_ARGS})


def _bare_parts(op: bytes) -> Iterator[bytes]:
    for number, whole, content in _fields(op):
        if number in _ARGUMENTS:
            yield _field(number, _without(content, {_DESCRIPTION_OF_ARGUMENT}))
        elif number == _ATTRS:
            yield _field(number, _without(content, {_DESCRIPTION_OF_ATTR}))
        elif number not in {_SUMMARY, _DESCRIPTION}:
            yield whole


def _without(message: bytes, numbers: set[int]) -> bytes:
    return b"".join(whole for number, whole, _ in _fields(message) if number not in numbers)


def _field(number: int, content: bytes) -> bytes:
    return wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(content)) + content


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the number of each field, the whole of it, and its content."""
    at = 0
    while at < len(message):
        tag, start, end = wire.field(message, at)
        if end > len(message):
            raise wire.WireError(f"the field at byte {at} ends beyond the message")
        yield tag >> 3, message[at:end], message[start:end]
        at = end

"""Load the C API of one TensorFlow release and write down which release it is and what ops it has.

Run as a file, in a process of its own (two releases in one process crash), by any CPython from
3.6 on: ``python -I _probe.py OPS LIBRARY...`` writes the serialized ``OpList`` to OPS, ops sorted
by name, and the release to its standard output.
"""

import ctypes
import sys
from typing import Iterator, List, Tuple  # noqa: UP035


class _Buffer(ctypes.Structure):
    """``TF_Buffer`` of tensorflow/c/tf_buffer.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


def main(arguments: List[str]) -> None:  # noqa: UP006
    """Write the op list of the libraries in ``arguments[1:]`` to the file ``arguments[0]``."""
    destination, *libraries = arguments
    loaded = [ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in libraries]
    api = loaded[-1]
    api.TF_Version.restype = ctypes.c_char_p
    api.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    buffer = api.TF_GetAllOpList().contents
    ops = ctypes.string_at(buffer.data, buffer.length)
    with open(destination, "wb") as file:  # noqa: PTH123
        file.write(by_name(ops))
    sys.stdout.write(api.TF_Version().decode())


def by_name(ops: bytes) -> bytes:
    """Return a serialized ``OpList`` with its ops sorted: their order changes from run to run."""
    entries = [ops[start:end] for start, _, end in _fields(ops)]
    ordered = sorted(entries, key=_name)
    return b"".join(ordered)


def _name(entry: bytes) -> bytes:
    """Return the name of an op: field 1 of the ``OpDef`` in field 1 of the ``OpList``."""
    ((_, inner, end),) = _fields(entry)
    op = entry[inner:end]
    start, value, stop = next(iter(_fields(op)))
    if op[start] != 0x0A:
        raise ValueError("an OpDef does not begin with its name")
    return op[value:stop]


def _fields(message: bytes) -> Iterator[Tuple[int, int, int]]:  # noqa: UP006
    """Yield where each length-delimited field begins, where its value does, and where it ends."""
    position = 0
    while position < len(message):
        start = position
        if message[position] & 7 != 2:
            raise ValueError(f"not a length-delimited field at byte {position}")
        length, position = _varint(message, position + 1)
        yield start, position, position + length
        position += length


def _varint(message: bytes, position: int) -> Tuple[int, int]:  # noqa: UP006
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


if __name__ == "__main__":
    main(sys.argv[1:])

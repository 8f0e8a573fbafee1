"""Load the C API of one TensorFlow release and write down which release it is and what it knows.

Run as a file, in a process of its own (two releases in one process crash), by any CPython from
3.6 on. The release goes to standard output.

``python -I _probe.py OPS LIBRARY...`` writes the serialized ``OpList`` to OPS, ops sorted by name.

``python -I _probe.py --registry FOLDER LIBRARY...`` writes into FOLDER what a session finds:
``ops.pb``, the same list; ``graph.pb``, the ``GraphDef`` of an empty graph; ``kernels.pb``, the
``KernelList``, where the C API has it (from 1.12 on); and ``kernels.json``, a text for each op,
where the C++ function that makes it can be called (in 1.4 and 1.7, and in some up to 2.1).

``python -I _probe.py --each FOLDER NUMBER LIBRARY...`` loads all but the last NUMBER libraries, and
then each of those last in a child of its own, which writes the ops that are known then to
``FOLDER/0.pb``, ``1.pb``, …; what a child that fails has to say is in ``0.txt``, ….
"""

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple  # noqa: UP035

# KernelsRegisteredForOp(StringPiece) of tensorflow/core/framework/op_kernel.h, where its string is
# the one that libstdc++ had before C++11: a pointer to the text, whose length lies in front of it.
_KERNELS_OF_OP = (
    "_ZN10tensorflow22KernelsRegisteredForOpENS_11StringPieceE",
    "_ZN10tensorflow22KernelsRegisteredForOpEN4absl11string_viewE",
)
_LENGTH_BEFORE_TEXT = 24


class _Buffer(ctypes.Structure):
    """``TF_Buffer`` of tensorflow/c/tf_buffer.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


def main(arguments: List[str]) -> None:  # noqa: UP006
    """Write what the command line asks for, and the release to standard output."""
    if arguments[0] == "--registry":
        api = _load(arguments[2:])
        _write_registry(api, Path(arguments[1]))
    elif arguments[0] == "--each":
        number = int(arguments[2])
        api = _load(arguments[3:-number])
        for index, library in enumerate(arguments[-number:]):
            _write_with(api, library, Path(arguments[1]) / str(index))
    else:
        api = _load(arguments[1:])
        Path(arguments[0]).write_bytes(_ops(api))
    sys.stdout.write(api.TF_Version().decode())


def _load(libraries: List[str]) -> Any:  # noqa: UP006
    """Load libraries and return the last, which exports the C API."""
    api = [ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in libraries][-1]
    api.TF_Version.restype = ctypes.c_char_p
    return api


def _write_with(api: Any, library: str, base: Path) -> None:
    """Write the ops that are known once ``library`` is loaded too; it may abort, and does so alone."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        with base.with_suffix(".txt").open("w") as said:
            os.dup2(said.fileno(), sys.stderr.fileno())
            try:
                ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
                base.with_suffix(".pb").write_bytes(_ops(api))
            except OSError as error:
                said.write(str(error))
    finally:
        os._exit(0)


def _write_registry(api: Any, folder: Path) -> None:
    graph = _empty_graph(api)
    # Up to 2.3 most kernels of XLA are registered when the first session looks for devices.
    _make_session(api, graph)
    ops = _ops(api)
    (folder / "ops.pb").write_bytes(ops)
    (folder / "graph.pb").write_bytes(_graph_def(api, graph))
    kernels = _kernels(api)
    if kernels is not None:
        (folder / "kernels.pb").write_bytes(kernels)
    texts = _kernel_texts(api, ops)
    if texts is not None:
        (folder / "kernels.json").write_bytes(texts)


def _ops(api: Any) -> bytes:
    api.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    return by_name(_content(api.TF_GetAllOpList().contents))


def _content(buffer: Any) -> bytes:
    return ctypes.string_at(buffer.data, buffer.length)


def _empty_graph(api: Any) -> ctypes.c_void_p:
    api.TF_NewGraph.restype = ctypes.c_void_p
    return ctypes.c_void_p(api.TF_NewGraph())


def _make_session(api: Any, graph: ctypes.c_void_p) -> None:
    api.TF_NewSessionOptions.restype = ctypes.c_void_p
    api.TF_NewSession.restype = ctypes.c_void_p
    options = ctypes.c_void_p(api.TF_NewSessionOptions())
    status = _new_status(api)
    api.TF_NewSession(graph, options, status)
    _demand(api, status, "TF_NewSession")


def _graph_def(api: Any, graph: ctypes.c_void_p) -> bytes:
    api.TF_NewBuffer.restype = ctypes.POINTER(_Buffer)
    buffer, status = api.TF_NewBuffer(), _new_status(api)
    api.TF_GraphToGraphDef(graph, buffer, status)
    _demand(api, status, "TF_GraphToGraphDef")
    return _content(buffer.contents)


def _kernels(api: Any) -> Optional[bytes]:  # noqa: UP045
    """Return the serialized ``KernelList``; None if the release cannot tell."""
    list_all = getattr(api, "TF_GetAllRegisteredKernels", None)
    if list_all is None:
        return None
    list_all.restype = ctypes.POINTER(_Buffer)
    status = _new_status(api)
    buffer = list_all(status)
    _demand(api, status, "TF_GetAllRegisteredKernels")
    return _content(buffer.contents)


def _kernel_texts(api: Any, ops: bytes) -> Optional[bytes]:  # noqa: UP045
    """Return a JSON object of what the C++ function says of each op; None if it cannot be asked."""
    found = [getattr(api, symbol, None) for symbol in _KERNELS_OF_OP]
    asked = next((function for function in found if function is not None), None)
    if asked is None:
        return None
    asked.restype = None
    asked.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    names = [_name(ops[start:end]) for start, _, end in _fields(ops)]
    texts = {name.decode(): _kernel_text(asked, name) for name in names}
    return json.dumps(texts, sort_keys=True).encode()


def _kernel_text(asked: Any, name: bytes) -> str:
    # The string is returned through a pointer that precedes the arguments.
    text = ctypes.c_void_p()
    asked(ctypes.byref(text), name, len(name))
    if text.value is None:
        raise RuntimeError("KernelsRegisteredForOp gave no text for {!r}".format(name))  # noqa: UP032
    length = ctypes.c_size_t.from_address(text.value - _LENGTH_BEFORE_TEXT).value
    return ctypes.string_at(text.value, length).decode()


def _new_status(api: Any) -> ctypes.c_void_p:
    api.TF_NewStatus.restype = ctypes.c_void_p
    return ctypes.c_void_p(api.TF_NewStatus())


def _demand(api: Any, status: ctypes.c_void_p, what: str) -> None:
    api.TF_Message.restype = ctypes.c_char_p
    if api.TF_GetCode(status) != 0:
        raise RuntimeError("{}: {}".format(what, api.TF_Message(status).decode()))  # noqa: UP032


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

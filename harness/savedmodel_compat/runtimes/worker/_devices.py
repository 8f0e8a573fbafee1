"""The devices that TensorFlow lists, and how a cell asks for one of them.

A request that wishes for a device has ``place``: ``device`` (such as ``GPU:0``; None for whichever TensorFlow takes), ``config`` (a
serialized ``ConfigProto`` in base64; None for TensorFlow's own), ``cpus`` (how many logical CPUs) and ``trace`` (whether to
tell which nodes ran where). One without costs nothing.
"""

import base64
import ctypes
from typing import Any, Dict, List, Optional, Tuple

SOFTWARE_TRACE = b"\x08\x01"
"""``RunOptions`` (tensorflow/core/protobuf/config.proto) with ``trace_level``: which node ran where, and no tracing of the card."""

_P = ctypes.c_void_p
_I = ctypes.c_int
_S = ctypes.c_char_p


class Missing(Exception):
    """The device that was wished for is not there."""


class Buffer(ctypes.Structure):
    """TF_Buffer (tensorflow/c/tf_buffer.h)."""

    _fields_ = [("data", _P), ("length", ctypes.c_size_t), ("free", _P)]

    def content(self) -> bytes:
        """Return a copy of its bytes."""
        return ctypes.string_at(self.data, self.length) if self.length else b""


def config_of(place: Dict[str, Any]) -> Optional[bytes]:
    """Return the bytes of the ``ConfigProto`` that a request brings, or None."""
    brought = place["config"]
    return base64.b64decode(brought) if brought else None


def short(name: str) -> str:
    """Return ``GPU:0`` of ``/job:localhost/replica:0/task:0/device:GPU:0``; up to 1.4 a CPU is ``/cpu:0``."""
    kind, _, number = name.rpartition("/")[2].rpartition(":")
    return "%s:%s" % (kind.rpartition(":")[2].upper(), number)


def demand(place: Dict[str, Any], release: str, listed: List[str]) -> None:
    """Refuse a request whose device is not among those that TensorFlow lists.

    Args:
        place: of the request.
        release: of this TensorFlow.
        listed: the names of its devices, short ones.

    Raises:
        Missing: it is not; with those that are.
    """
    wanted = place["device"]
    if wanted is None or wanted in listed:
        return
    kind = wanted.partition(":")[0]
    has_kind = any(name.partition(":")[0] == kind for name in listed)
    sees = "has no %s" % wanted if has_kind else "sees no %s" % kind
    raise Missing("TensorFlow %s %s: it lists %s" % (release, sees, ", ".join(listed) or "nothing"))


def session_devices(library: Any, options: Optional[int] = None) -> List[Tuple[bytes, bytes]]:
    """Return the ``(name, type)`` of the devices of a session, as bytes (tensorflow/c/c_api.h).

    Args:
        library: the C API, as ctypes loads it.
        options: a ``TF_SessionOptions``; None for TensorFlow's own.
    """
    for name in ("NewStatus", "NewGraph", "NewSessionOptions", "NewSession", "SessionListDevices"):
        getattr(library, "TF_" + name).restype = _P
    library.TF_NewSession.argtypes = [_P, _P, _P]
    library.TF_SessionListDevices.argtypes = [_P, _P]
    library.TF_GetCode.argtypes = library.TF_DeviceListCount.argtypes = [_P]
    status = library.TF_NewStatus()
    graph, options = library.TF_NewGraph(), options or library.TF_NewSessionOptions()
    session = library.TF_NewSession(graph, options, status)
    _demand(library, status)
    devices = library.TF_SessionListDevices(session, status)
    _demand(library, status)
    for name in ("Name", "Type"):
        function = getattr(library, "TF_DeviceList" + name)
        function.restype, function.argtypes = _S, [_P, _I, _P]
    return [
        (
            library.TF_DeviceListName(devices, index, status),
            library.TF_DeviceListType(devices, index, status),
        )
        for index in range(library.TF_DeviceListCount(devices))
    ]


def _demand(library: Any, status: Any) -> None:
    if library.TF_GetCode(status):
        library.TF_Message.restype, library.TF_Message.argtypes = _S, [_P]
        raise RuntimeError(library.TF_Message(status).decode("utf-8", "replace"))

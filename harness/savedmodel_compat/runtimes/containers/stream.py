"""The two-way connection to a container's standard streams."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any

_STALLED_SECONDS = 60.0
_PIECE = 1 << 14


class Stream:
    """The two-way connection to a container's standard streams.

    Args:
        raw: the SDK's socket, of whatever kind the way to the engine needs.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._socket = getattr(raw, "_sock", raw)
        if hasattr(self._socket, "settimeout"):
            self._socket.settimeout(None)

    def send(self, data: bytes) -> None:
        """Send all of ``data``; OSError if the connection is gone, TimeoutError if nobody takes it any more."""
        view = memoryview(data)
        while view:
            view = view[self._send_some(view) :]

    def _send_some(self, view: memoryview) -> int:
        ready = select.poll()
        ready.register(self._socket, select.POLLOUT)
        if not ready.poll(_STALLED_SECONDS * 1000):
            raise TimeoutError(f"nobody took what was sent for {_STALLED_SECONDS:g} s")
        if type(self._socket) is socket.socket:
            return self._socket.send(view, socket.MSG_DONTWAIT)
        sent: int = self._socket.send(bytes(view[:_PIECE]))
        return sent

    def receive(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end of the stream."""
        data: bytes = self._socket.recv(size)
        return data

    def close(self) -> None:
        """Hang up: the engine then closes the container's standard input."""
        with contextlib.suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._raw.close()
            self._socket.close()

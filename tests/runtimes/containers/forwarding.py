"""A port of this machine behind which an engine's socket is: to whoever comes that way, a far engine."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

_CHUNK = 1 << 16


class Forwarder:
    """Hands on what comes to a port, both ways, until it is closed.

    Args:
        path: of the engine's socket.
        tls: the settings of the port's side; None for none.
    """

    def __init__(self, path: str, tls: ssl.SSLContext | None = None) -> None:
        self._path = path
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """The port's number."""
        number: int = self._listener.getsockname()[1]
        return number

    @property
    def address(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Hang up on everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), near, far:
            if self._tls is not None:
                near = self._tls.wrap_socket(near, server_side=True)
            far.connect(self._path)
            ends = {near, far}
            self._open |= ends
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()
            self._open -= ends
            near.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on all that comes, then the end of it."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarded(path: str, tls: ssl.SSLContext | None = None) -> Iterator[Forwarder]:
    """Yield a forwarder to a socket."""
    forwarder = Forwarder(path, tls)
    try:
        yield forwarder
    finally:
        forwarder.close()

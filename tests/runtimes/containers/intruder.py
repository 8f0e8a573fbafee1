"""Code of an attacker's in the place of TensorFlow: what a model comes to that finds a hole in it.

The tests put this file into a copy of the worker's folder, as its module ``_native``: the rest is the worker's own, and so are the
container and the cell. A request's only tag is the text of the program that its cell runs, with the names of this module at hand.
"""

from __future__ import annotations

import ctypes
import glob
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import time
from typing import Any

__all__ = ["glob", "mmap", "resource", "signal", "socket", "sys", "time"]

_LIBC = ctypes.CDLL(None, use_errno=True)


class Backend:
    """What the worker takes for a TensorFlow."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        del configuration
        self._release = os.environ["INTRUDER_RELEASE"]
        self.jobs = {"run": self._run}

    def describe(self) -> dict[str, Any]:
        """Say what a TensorFlow would."""
        return {"tensorflow": self._release, "threads": 1}

    def _run(self, request: dict[str, Any], tensors: list[Any], reporter: Any) -> None:
        del tensors
        reporter.stage("load")
        names = {**globals(), "reporter": reporter}
        exec(request["tags"][0], names)
        reporter.send({"seconds": {}, "runs": []})


def attempt(name: str, what: Any) -> None:
    """Do something, and print under which name and whether it was done or refused."""
    try:
        what()
    except OSError as error:
        sys.stdout.write(f"{name} refused {error.strerror}\n")
    else:
        sys.stdout.write(f"{name} done\n")


def call(number: int, *arguments: Any) -> int:
    """Make a system call; OSError if it fails."""
    result = int(_LIBC.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def frame(reporter: Any, header: object, payload: int = 0) -> None:
    """Send the beginning of an answer of one's own making, past the worker's code."""
    body = header if isinstance(header, bytes) else json.dumps(header).encode()
    rest = struct.pack("<4sIQ", b"SMC1", len(body), payload) + body
    while rest:
        rest = rest[os.write(reporter._descriptor, rest) :]

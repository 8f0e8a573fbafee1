"""A worker that is a child process of the controller: providers ``wheel``, ``venv`` and ``current``."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from savedmodel_compat.runtimes.channel import Identity, LostError

_CHUNK = 1 << 20
_LOG_BYTES = 4000
_KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER")


class ChildChannel:
    """A started process and its streams.

    Args:
        command: the program and its arguments.
        environment: variables over the few that every worker gets of the controller's own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={**kept, **environment},
                start_new_session=True,
            )
        except BaseException:
            self._log.close()
            raise

    @property
    def mounted(self) -> Mapping[str, Identity]:
        """Nothing: the process sees what the controller sees."""
        return {}

    def forget(self, places: Iterable[str]) -> None:
        """Do nothing."""

    def place(self, model: Path) -> str:
        """Return the path itself: the process sees what the controller sees."""
        return str(model)

    def shown(self, text: str) -> str:
        """Return the text itself."""
        return text

    def write(self, data: bytes) -> None:
        """Send bytes to its standard input.

        Raises:
            LostError: it has closed it.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LostError(self._how_it_ended()) from None

    def read(self, deadline: float) -> bytes:
        """Return what came from its standard output.

        Raises:
            LostError: it ended, or nothing came in time.
        """
        assert self._process.stdout is not None
        stream = self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise LostError("it did not answer in time")
        data = os.read(stream.fileno(), _CHUNK)
        if not data:
            raise LostError(self._how_it_ended())
        return data

    def kill(self) -> None:
        """End the process; what it runs dies with it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self, *, lost: bool = False) -> str:
        """End the process; return the end of what it printed.

        Args:
            lost: whether to look for what it has left in its session.
        """
        self.kill()
        self._process.wait()
        if lost:
            _end_session(self._process.pid)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_BYTES))
        tail = self._log.read().decode("utf-8", "replace")
        self._log.close()
        return tail

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its standard output"
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with status {code}"


def _end_session(leader: int) -> None:
    """Kill what a lost worker's cell had started: it is all in the session that the worker led.

    Args:
        leader: the worker's process id.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The command's name, in parentheses, may hold anything; session is the fourth field behind it.
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it ended meanwhile, or is not ours

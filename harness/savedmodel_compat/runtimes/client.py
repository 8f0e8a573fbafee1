"""The controller's side of a worker: starts it, sends cells, and turns whatever happens into a verdict."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.requests import Export, Limits, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Verdict, verdict_of
from savedmodel_compat.runtimes.wire import to_wire
from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import DTYPES

if TYPE_CHECKING:
    from types import TracebackType

    from savedmodel_compat.runtimes.base import Runtime

_WORKER = Path(__file__).parent / "worker"
_CHUNK = 1 << 20
_START_TIMEOUT = 180.0
_MARGIN = 15.0
_KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER")
_QUIET = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "1",
}


class Worker:
    """A running worker of one runtime and loader.

    Use as a context manager, from one thread at a time. A worker that is lost in a cell is started anew for the next.

    Args:
        runtime: a runtime that is ready.
        native: whether it is the native worker, for loader ``c``; else the Python one, for ``v1``, ``v2`` and exports.
    """

    def __init__(self, runtime: Runtime, *, native: bool) -> None:
        self._runtime = runtime
        self._native = native
        self._process: subprocess.Popen[bytes] | None = None
        self._decoder = _frames.Decoder()
        self._log: IO[bytes] | None = None
        self._broken: WorkerError | None = None
        self.tensorflow = ""
        self.ready_seconds = 0.0

    def __enter__(self) -> Worker:
        """Start, unless a first request already has."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker and whatever it runs."""
        self.close()

    def start(self) -> None:
        """Start the worker and wait until its runtime is loaded.

        Raises:
            WorkerError: it did not start; with what it printed.
        """
        if self._process is not None:
            return
        if self._broken is not None:
            raise self._broken
        try:
            self._start()
        except WorkerError as error:
            self._broken = error
            raise

    def _start(self) -> None:
        began = time.monotonic()
        self._decoder = _frames.Decoder()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment(),
            start_new_session=True,
        )
        try:
            self._send(self._configuration())
            ready, _ = self._receive(time.monotonic() + _START_TIMEOUT)
        except _LostError as lost:
            raise WorkerError(
                f"the worker of {self._runtime.label} did not start: {lost}{self._end()}",
                hint="run `savedmodel-compat doctor`, then rebuild this runtime",
            ) from None
        if "error" in ready:
            self.close()
            raise WorkerError(
                f"{self._runtime.label} cannot be loaded: {ready['error']}\n{ready['trace']}",
                hint=f"savedmodel-compat runtime build {self._runtime.release} --force",
            )
        self.tensorflow = ready["tensorflow"]
        self.ready_seconds = time.monotonic() - began

    def run(self, work: LoadAndRun, limits: Limits) -> Verdict:
        """Load, and run if there are feeds, in a forked child."""
        tensors = [
            to_wire(port.alias, feed[port.alias], port.dtype)
            for feed in work.feeds
            for port in work.inputs
        ]
        header = {
            "op": "run",
            "model": str(work.model),
            "tags": list(work.tags),
            "loader": work.loader,
            "signature": work.signature,
            "inputs": [port.tensor for port in work.inputs],
            "outputs": [[port.alias, port.tensor] for port in work.outputs],
            "feeds": len(work.feeds),
        }
        return self._ask(header, tensors, limits)

    def export(self, work: Export, limits: Limits) -> Verdict:
        """Run an exporter in a forked child."""
        header = {
            "op": "export",
            "file": str(work.file),
            "function": work.function,
            "directory": str(work.directory),
            "strip_default_attrs": work.strip_default_attrs,
            "seed": work.seed,
        }
        return self._ask(header, [], limits)

    def kill(self) -> None:
        """End the worker from another thread; the request that it is at work on comes back as lost."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def close(self) -> None:
        """End the worker; a child that it runs dies with it."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _command(self) -> list[str]:
        kind = "native" if self._native else "python"
        flags = ["-I", "-S"] if self._native else ["-I"]
        return [str(self._runtime.python), *flags, str(_WORKER), kind]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, **_QUIET, **self._runtime.environment}

    def _configuration(self) -> dict[str, Any]:
        if not self._native:
            return {}
        return {
            "libraries": [str(path) for path in self._runtime.libraries],
            "dtypes": {dtype.name: dtype.number for dtype in DTYPES},
        }

    def _ask(
        self, header: dict[str, Any], tensors: list[_frames.Tensor], limits: Limits
    ) -> Verdict:
        self.start()
        header |= {"timeout": limits.seconds, "memory_mb": limits.megabytes}
        try:
            self._send(header, tensors)
            answer, outputs = self._receive(time.monotonic() + limits.seconds + _MARGIN)
        except _LostError as lost:
            pid = self._process.pid if self._process else 0
            tail = self._end()
            _end_session(pid)
            return Verdict(worker_lost=str(lost), log=tail)
        return verdict_of(answer, outputs)

    def _send(self, header: dict[str, Any], tensors: Sequence[_frames.Tensor] = ()) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            for piece in _frames.encode(header, tensors):
                self._process.stdin.write(piece)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _LostError(self._how_it_ended()) from None

    def _receive(self, deadline: float) -> tuple[dict[str, Any], list[_frames.Tensor]]:
        assert self._process is not None
        assert self._process.stdout is not None
        stream = self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while True:
                try:
                    frame = self._decoder.frame()
                except _frames.ProtocolError as error:
                    raise _LostError(f"garbage on its standard output: {error}") from None
                if frame is not None:
                    return frame
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise _LostError("it did not answer in time")
                data = os.read(stream.fileno(), _CHUNK)
                if not data:
                    raise _LostError(self._how_it_ended())
                self._decoder.feed(data)

    def _how_it_ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its standard output"
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with status {code}"

    def _end(self) -> str:
        """Close, and return the tail of what the worker printed."""
        tail = ""
        if self._log is not None:
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - 4000))
            tail = self._log.read().decode("utf-8", "replace")
        self.close()
        return f"\n{tail}" if tail else ""


def _end_session(leader: int) -> None:
    """Kill what a lost worker's cell had started: it is all in the session that the worker led."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The command's name, in parentheses, may hold anything; session is the fourth field behind it.
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it ended meanwhile, or is not ours


class _LostError(Exception):
    """The worker is gone or speaks no protocol."""

"""The controller's side of a worker: starts it, sends cells, and turns whatever happens into a verdict."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import DTYPES, dtype_from_name

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

Arrays = Mapping[str, np.ndarray[Any, Any]]
"""Dense tensors by alias; strings are object arrays of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one cell may use.

    Args:
        seconds: wall-clock time.
        megabytes: memory over what the loaded runtime already uses; 0 for no limit.
    """

    seconds: float = 60.0
    megabytes: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a loader, TensorFlow or an exporter said when it refused.

    Args:
        text: its message.
        type: the status code (``NOT_FOUND``) or the exception's class.
        types: the class and its bases.
        trace: the Python traceback, empty for the C++ loader.
    """

    text: str
    type: str
    types: tuple[str, ...] = ()
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one set of inputs."""

    outputs: Arrays | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one forked child, whatever it did.

    Args:
        stage: the last stage that it had begun; None if it had begun none.
        answers: one for each set of inputs that was run.
        failure: what it said when a stage before the runs failed.
        signal: the signal that ended it.
        status: its exit status, when it ended by itself without an answer.
        timed_out: whether it was killed for its time.
        worker_lost: why the worker itself was lost, so that nothing is known of the cell.
        seconds: of each stage, and ``cell`` for all of it.
        log: what it printed, beginning and end.
    """

    stage: str | None = None
    answers: tuple[Answer, ...] = ()
    failure: Failure | None = None
    signal: int | None = None
    status: int | None = None
    timed_out: bool = False
    worker_lost: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    log: str = ""
    payload: tuple[tuple[str, np.ndarray[Any, Any]], ...] = ()
    recorded: tuple[tuple[str, str, str], ...] = ()

    @property
    def completed(self) -> bool:
        """Whether the child came to its end and answered."""
        return self.failure is None and self.worker_lost is None and not self.broke_off

    @property
    def broke_off(self) -> bool:
        """Whether the child ended without an answer: a signal, its time, or an exit."""
        return self.timed_out or self.signal is not None or self.status is not None


@dataclass(frozen=True, slots=True)
class Port:
    """A dense tensor of a signature.

    Args:
        alias: what a request calls it.
        tensor: its name in the graph.
        dtype: TensorFlow's name of its element type.
    """

    alias: str
    tensor: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAndRun:
    """One cell's work: load a MetaGraph and run one signature on some sets of inputs.

    Args:
        model: folder of the SavedModel.
        tags: tag set of the MetaGraph.
        loader: ``c``, ``v1`` or ``v2``.
        signature: its key; None loads only.
        inputs: of the signature.
        outputs: of the signature; empty loads only.
        feeds: the sets of inputs.
    """

    model: Path
    tags: tuple[str, ...]
    loader: str
    signature: str | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    feeds: Sequence[Arrays] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export: run an exporter's function inside its producer."""

    file: Path
    function: str
    directory: Path
    strip_default_attrs: bool
    seed: int


def to_wire(name: str, array: np.ndarray[Any, Any], dtype: str | None = None) -> _frames.Tensor:
    """Return an array as it travels; see ``worker/_frames.py``.

    Args:
        name: its alias.
        array: its values; strings as bytes, or as text that becomes UTF-8.
        dtype: TensorFlow's name of the element type, where numpy has none of its own (``qint8`` is held as ``int8``); it
            is not a cast.
    """
    if array.dtype.kind in "SUO":
        items = [i if isinstance(i, bytes) else str(i).encode() for i in array.ravel()]
        return _frames.Tensor(name, "string", array.shape, _frames.pack_strings(items))
    held = dtype is not None and dtype_from_name(dtype).numpy == array.dtype
    sent = dtype if dtype is not None and held else array.dtype.name
    return _frames.Tensor(name, sent, array.shape, array.tobytes())


def from_wire(tensor: _frames.Tensor) -> np.ndarray[Any, Any]:
    """Return an array from its wire form; elements that numpy cannot hold become void ones of their size."""
    count = int(np.prod(tensor.shape, dtype=np.int64))
    if tensor.dtype == "string":
        array = np.empty(count, dtype=object)
        array[:] = _frames.unpack_strings(tensor.data, count)
        return array.reshape(tensor.shape)
    kind = _numpy_of(tensor.dtype) or np.dtype(f"V{len(tensor.data) // max(count, 1)}")
    return np.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape)


def _numpy_of(dtype: str) -> np.dtype[Any] | None:
    found = [known for known in DTYPES if known.name == dtype]
    return found[0].numpy if found else None


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
        return _verdict(answer, outputs)

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


def _failure(header: dict[str, Any]) -> Failure:
    return Failure(
        text=header["error"],
        type=header["type"],
        types=tuple(header.get("types", ())),
        trace=header.get("trace", ""),
    )


def _answers(runs: list[dict[str, Any]], tensors: list[_frames.Tensor]) -> tuple[Answer, ...]:
    answers, at = [], 0
    for run in runs:
        if "error" in run:
            answers.append(Answer(failure=_failure(run)))
            continue
        taken = tensors[at : at + run["outputs"]]
        at += run["outputs"]
        answers.append(Answer(outputs={tensor.name: from_wire(tensor) for tensor in taken}))
    return tuple(answers)


def _verdict(header: dict[str, Any], tensors: list[_frames.Tensor]) -> Verdict:
    said = header["answer"]
    seconds = {"cell": header["seconds"], **((said or {}).get("seconds") or {})}
    common: dict[str, Any] = {"stage": header["stage"], "seconds": seconds, "log": header["log"]}
    if header["garbled"]:
        return Verdict(worker_lost=f"garbage in a cell's answer: {header['garbled']}", **common)
    if said is None:
        return Verdict(
            signal=header["signal"],
            status=header["status"],
            timed_out=header["timed_out"],
            **common,
        )
    if "error" in said:
        return Verdict(failure=_failure(said), **common)
    if "recorded" in said:
        return Verdict(
            recorded=tuple(tuple(entry) for entry in said["recorded"]),
            payload=tuple((tensor.name, from_wire(tensor)) for tensor in tensors),
            **common,
        )
    return Verdict(answers=_answers(said.get("runs", []), tensors), **common)


def native_python() -> Path:
    """Return the interpreter that runs native workers: the controller's own."""
    return Path(sys.executable)

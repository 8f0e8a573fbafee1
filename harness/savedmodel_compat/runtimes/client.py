"""The controller's side of a worker: starts it, sends cells, and turns whatever happens into a verdict."""

from __future__ import annotations

import logging
import signal
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from savedmodel_compat.cache import default_root
from savedmodel_compat.errors import InfrastructureError, WorkerError
from savedmodel_compat.runtimes import devices, headers, placing
from savedmodel_compat.runtimes.channel import Channel, LostError
from savedmodel_compat.runtimes.child import ChildChannel
from savedmodel_compat.runtimes.requests import Call, Export, Limits, Live, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Verdict, verdict_of
from savedmodel_compat.runtimes.wire import to_wire
from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import DTYPES

if TYPE_CHECKING:
    from types import TracebackType

    from savedmodel_compat.runtimes.base import Runtime

_LOGGER = logging.getLogger("savedmodel_compat")
WORKER = Path(__file__).parent / "worker"
"""The folder that is started inside a runtime."""

_START_TIMEOUT = 180.0
_MARGIN = 15.0
_QUIET = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "1",
}


_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    struct.error,
    _frames.ProtocolError,
)
"""What comes of an answer that a cell made up by itself, without the worker's code, and that no reader had in mind."""


class Worker:
    """A running worker of one runtime and loader.

    Use as a context manager, from one thread at a time. A worker that is lost in a cell is started anew for the next.

    Args:
        runtime: a runtime that is ready.
        native: whether it is the native worker, for loader ``c``; else the Python one, for ``v1``, ``v2``, exports and calls.
        models: the models that it will be asked for, as far as they are known; a container has them mounted.
    """

    def __init__(self, runtime: Runtime, *, native: bool, models: Sequence[Path] = ()) -> None:
        self._runtime = runtime
        self._native = native
        self._models = tuple(models)
        self._channel: Channel | None = None
        self._decoder = _frames.Decoder()
        self._broken: WorkerError | None = None
        self._megabytes = 0
        self._killed = False
        self.holding: object | None = None
        self.tensorflow = ""
        self.surroundings: Mapping[str, Any] | None = None
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

    def start(self, limits: Limits | None = None) -> None:
        """Start the worker and wait until its runtime is loaded.

        Args:
            limits: of the cells to come; a container is made for them.

        Raises:
            WorkerError: it did not start; with what it printed.
        """
        try:
            self._demand_started(limits or Limits())
        except _LostFromOutsideError as lost:
            raise WorkerError(str(lost)) from None

    def _demand_started(self, limits: Limits) -> None:
        if self._broken is not None:
            raise self._broken
        megabytes = limits.megabytes
        if self._channel is not None:
            if self._runtime.container is None or self._megabytes == megabytes:
                return
            self.close()
        self._megabytes = megabytes
        try:
            self._start()
        except InfrastructureError as error:
            self.close()
            self._broken = _as_worker_error(error)
            raise self._broken from error

    def _start(self) -> None:
        began = time.monotonic()
        self._decoder = _frames.Decoder()
        self._channel = self._open()
        try:
            self._send(self._configuration())
            ready, _ = self._receive(time.monotonic() + _START_TIMEOUT)
        except LostError as lost:
            said = (
                f"the worker of {self._runtime.label} did not start: {lost}{self._end(lost=True)}"
            )
            if lost.from_outside:
                # Nothing says that another would not.
                raise _LostFromOutsideError(said, Verdict(worker_lost=said)) from None
            raise WorkerError(
                said,
                hint="run `savedmodel-compat doctor`, then rebuild this runtime",
            ) from None
        if "error" in ready:
            raise WorkerError(
                f"{self._runtime.label} cannot be loaded: {ready['error']}\n{ready['trace']}",
                hint=f"savedmodel-compat runtime build {self._runtime.release} "
                f"--provider {self._runtime.provider} --force",
            )
        self._channel.forget(ready["elsewhere"])
        if self._runtime.container is not None:
            from savedmodel_compat.runtimes.containers import seal

            container = self._runtime.container
            seal.demand(
                ready["seal"],
                self._runtime.label,
                facts=container.site.facts,
            )
        self.tensorflow = ready["tensorflow"]
        self._demand_release()
        self.ready_seconds = time.monotonic() - began

    def _open(self) -> Channel:
        if self._runtime.container is None:
            return ChildChannel(self._command(), {**_QUIET, **self._runtime.environment})
        from savedmodel_compat.runtimes.containers.contained import ContainerChannel

        return ContainerChannel(
            self._runtime.container,
            self._runtime.container.inside(native=self._native),
            kind="native" if self._native else "python",
            environment={**_QUIET, **self._runtime.environment},
            models=self._models,
            megabytes=self._megabytes,
        )

    def _demand_release(self) -> None:
        """Refuse an image that holds another TensorFlow than it was taken for; the other providers have looked before."""
        if self._runtime.container is None:
            return
        image = self._runtime.container.inside(native=self._native).image
        if not self._runtime.pin.is_release(self.tensorflow):
            raise WorkerError(
                f"{image.label} holds TensorFlow {self.tensorflow}, and "
                f"{self._runtime.pin.release} was asked for",
                hint="name the right image for that release in the configuration "
                "([tool.savedmodel-compat.docker]), or leave it out to have one built",
            )

    def run(self, work: LoadAndRun, limits: Limits) -> Verdict:
        """Load, and run if there are feeds, in a forked child."""
        placement = work.placement or devices.placement_of(self._runtime.device)
        tensors = [
            to_wire(port.alias, feed[port.alias], port.dtype)
            for feed in work.feeds
            for port in work.inputs
        ]
        header = {
            **headers.loading("run", work),
            "inputs": [port.tensor for port in work.inputs],
            "feeds": len(work.feeds),
        }
        if placement is not None:
            header["place"] = placing.as_header(placement)
        request = _Request(header=header, tensors=tensors, limits=limits, model=work.model)
        return placing.with_notes(self._ask(request), placement)

    def hold(self, holder: object, work: LoadAndRun | Live, limits: Limits) -> Verdict:
        """Load in a forked child that then waits for `feed`; the verdict's ``held`` tells whether it does.

        Any other request ends that child, and so does `let_go`. Only `savedmodel_compat.runtimes.held` asks for it, which sees
        to it that a GPU is asked by one at a time.

        Args:
            holder: what the worker is `holding` from then on.
            work: what is loaded.
            limits: of the child.
        """
        if isinstance(work, Live):
            return self._hold(holder, _Request(header=headers.live(work), limits=limits))
        header = headers.loading("hold", work)
        placement = work.placement or devices.placement_of(self._runtime.device)
        if placement is not None:
            # Where it ran is told of a cell, and not of each of thousands of runs.
            header["place"] = placing.as_header(replace(placement, trace=False))
        return self._hold(holder, _Request(header=header, limits=limits, model=work.model))

    def _hold(self, holder: object, request: _Request) -> Verdict:
        verdict = self._ask_again(request)
        self.holding = holder if verdict.held else None
        return verdict

    def feed(
        self,
        names: Sequence[Sequence[str]],
        tensors: Sequence[_frames.Tensor],
        limits: Limits,
    ) -> Verdict:
        """Run the model that is held on some sets of inputs.

        Args:
            names: of each set's inputs in the graph, in the order of ``tensors``.
            tensors: the inputs of all sets, one after the other.
            limits: of which only the time counts; the memory is that of `hold`.
        """
        header = {"op": "feed", "feeds": [list(each) for each in names]}
        holder = self.holding
        try:
            verdict = self._ask_once(_Request(header=header, tensors=tensors, limits=limits))
        except _LostFromOutsideError as lost:
            verdict = lost.verdict
        self.holding = holder if verdict.held else None
        return verdict

    def let_go(self) -> None:
        """End the child that is held, if there is one."""
        held, self.holding = self.holding, None
        if held is None or self._channel is None:
            return
        try:
            self._send({"op": "drop"})
            self._receive(time.monotonic() + _MARGIN)
        except LostError:
            self._end(lost=True)

    @property
    def runtime(self) -> Runtime:
        """The runtime that it runs."""
        return self._runtime

    def describe(self, limits: Limits) -> Verdict:
        """Ask the runtime, in a forked child, what it and its machine are; see `savedmodel_compat.runtimes.surroundings`."""
        return self._ask(_Request(header={"op": "describe"}, limits=limits))

    def export(self, work: Export, limits: Limits) -> Verdict:
        """Run an exporter in a forked child."""
        return self._ask(_Request(header=headers.export(work), limits=limits))

    def call(self, work: Call, limits: Limits) -> Verdict:
        """Call a function of a file in a forked child; what it returns is the verdict's ``payload``."""
        return self._ask(_Request(header=headers.call(work), limits=limits))

    def kill(self) -> None:
        """End the worker from another thread; the request that it is at work on comes back as lost."""
        self._killed = True
        channel = self._channel
        if channel is not None:
            channel.kill()

    def close(self) -> None:
        """End the worker; a child that it runs dies with it."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _command(self) -> list[str]:
        kind = "native" if self._native else "python"
        flags = ["-I", "-S"] if self._native else ["-I"]
        return [str(self._runtime.python), *flags, str(WORKER), kind]

    def _configuration(self) -> dict[str, Any]:
        container = self._runtime.container
        assert self._channel is not None
        contained = {"contained": container is not None, "mounted": self._channel.mounted}
        if not self._native:
            return contained
        inside = None if container is None else container.inside(native=True)
        return {
            **contained,
            "libraries": [str(p) for p in (inside or self._runtime).libraries],
            "dtypes": {dtype.name: dtype.number for dtype in DTYPES},
        }

    def _ask(self, request: _Request) -> Verdict:
        """Ask, alone if it is for a GPU, which has no memory for two."""
        if devices.base_of(self._runtime.device) != "gpu":
            return self._ask_again(request)
        folder = default_root() / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "gpu.lock"):
            return self._ask_again(request)

    def _ask_again(self, request: _Request) -> Verdict:
        """Ask once; once more if the container was lost and nothing says that the cell was to blame."""
        self._killed = False
        try:
            return self._ask_once(request)
        except _LostFromOutsideError as lost:
            if self._killed:
                return lost.verdict
            why = str(lost)
        _LOGGER.warning("%s: %s; asking once more", self._runtime.label, why)
        try:
            return replace(self._ask_once(request), asked_again=why)
        except _LostFromOutsideError as lost:
            return replace(lost.verdict, asked_again=why)

    def _ask_once(self, request: _Request) -> Verdict:
        limits = request.limits
        self._demand_started(limits)
        self.holding = None
        assert self._channel is not None
        shown = self._channel.shown
        header = {**request.header, "timeout": limits.seconds, "memory_mb": limits.megabytes}
        if request.model is not None:
            header["model"] = self._channel.place(request.model)
        began = time.monotonic()
        try:
            self._send(header, request.tensors)
            answer, outputs = self._receive(time.monotonic() + limits.seconds + _MARGIN)
        except LostError as lost:
            tail = self._end(lost=True)
            if lost.out_of_memory:
                spent = {"cell": time.monotonic() - began}
                return Verdict(
                    signal=signal.SIGKILL, out_of_memory=True, seconds=spent, log=shown(tail)
                )
            verdict = Verdict(worker_lost=str(lost), log=shown(tail))
            if lost.from_outside:
                raise _LostFromOutsideError(str(lost), verdict) from None
            return verdict
        if answer["ran_out"] and self._runtime.container is not None:
            # The engine never forgets it of a container, and whatever ended this one later would go by that name.
            self.close()
        try:
            return verdict_of(answer, outputs, shown)
        except _UNREADABLE as error:
            return Verdict(worker_lost=f"garbage in a cell's answer: {error}")

    def _send(self, header: dict[str, Any], tensors: Sequence[_frames.Tensor] = ()) -> None:
        assert self._channel is not None
        for piece in _frames.encode(header, tensors):
            self._channel.write(piece)

    def _receive(self, deadline: float) -> tuple[dict[str, Any], list[_frames.Tensor]]:
        assert self._channel is not None
        while True:
            try:
                frame = self._decoder.frame()
            except _frames.ProtocolError as error:
                raise LostError(f"garbage on its standard output: {error}") from None
            if frame is not None:
                return frame
            self._decoder.feed(self._channel.read(deadline))

    def _end(self, *, lost: bool) -> str:
        """Close, and return the tail of what the worker printed."""
        channel, self._channel = self._channel, None
        tail = "" if channel is None else channel.close(lost=lost)
        return f"\n{tail}" if tail else ""


def _as_worker_error(error: InfrastructureError) -> WorkerError:
    return error if isinstance(error, WorkerError) else WorkerError(error.message, hint=error.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What a worker is asked, as it goes to it.

    Args:
        header: of the frame.
        limits: of the cell.
        tensors: of the frame.
        model: which the worker is to find; None if it needs none.
    """

    header: Mapping[str, Any]
    limits: Limits
    tensors: Sequence[_frames.Tensor] = ()
    model: Path | None = None


class _LostFromOutsideError(Exception):
    """A worker was lost, and not for anything that its cell is known to have done."""

    def __init__(self, how: str, verdict: Verdict) -> None:
        super().__init__(how)
        self.verdict = verdict

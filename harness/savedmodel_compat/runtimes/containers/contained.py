"""A worker in a sealed container, reached over the container's attached streams."""

from __future__ import annotations

import contextlib
import queue
import signal
import stat
import struct
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from savedmodel_compat.errors import EngineError, InfrastructureError, WorkerError
from savedmodel_compat.runtimes.channel import Identity, LostError
from savedmodel_compat.runtimes.containers import seal
from savedmodel_compat.runtimes.containers.facts import Image, State
from savedmodel_compat.runtimes.containers.seal import Mount, Seal
from savedmodel_compat.runtimes.containers.shelf import is_readable
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.containers.stream import Stream

_WORKER = Path(__file__).parent.parent / "worker"
_HEAD = struct.Struct(">BxxxL")
"""What stands before every piece of a stream: which one, and how many bytes."""
_STDERR = 2
_CHUNK = 1 << 18
_LOG_BYTES = 4000
_PENDING = 64
_END_SECONDS = 10.0
_PAUSED = "its container was paused from outside"
_SIGNALS = 128
_KILLED = _SIGNALS + signal.SIGKILL
_MODELS = "/models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """An image, and what of TensorFlow stands where in it.

    Args:
        image: the image.
        python: its interpreter.
        libraries: those of the C loader, in load order; empty if there are none.
    """

    image: Image
    python: str
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """A runtime in containers.

    Args:
        site: the engine, and what the containers of this process share there.
        seal: their limits.
        native: for loader ``c``; None if it is not there.
        installed: for the Python loaders; None if it is not there.
        gpu: whether a container is given a GPU.
    """

    site: Site = field(compare=False)
    seal: Seal
    native: Inside | None = None
    installed: Inside | None = None
    gpu: bool = False

    def inside(self, *, native: bool) -> Inside:
        """Return the image of a kind of worker.

        Raises:
            WorkerError: there is none.
        """
        found = self.native if native else self.installed
        if found is None:
            raise WorkerError("no image of this runtime has that loader")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a container finds a model, and which folder that is."""

    inside: str
    identity: Identity


def _identity(folder: Path) -> Identity | None:
    """Return what tells a folder from all others; None if there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _became_of(state: State | None, what: str) -> str:
    """Return what has become of a container that does not do what it should.

    Args:
        state: the container's; None if it is not there.
        what: it is that it does or does not do.
    """
    if state is None:
        return "its container was removed from outside"
    if state.paused:
        return _PAUSED
    if state.running:
        return f"{what}, though its container runs"
    if state.exit_code > _SIGNALS:
        return f"its container was killed from outside by signal {state.exit_code - _SIGNALS}"
    return f"its container ended with status {state.exit_code}"


class ContainerChannel:
    """A started container and its streams.

    Args:
        runtime: what to start.
        inside: in which of its images.
        kind: of worker, a module of its folder.
        environment: of the worker.
        models: those that are known beforehand; they are mounted.
        megabytes: what a cell may use; 0 for no limit.
    """

    def __init__(
        self,
        runtime: Contained,
        inside: Inside,
        *,
        kind: str,
        environment: Mapping[str, str],
        models: Sequence[Path] = (),
        megabytes: int = 0,
    ) -> None:
        self._engine = runtime.site.engine
        # Whoever is gone for a moment only is waited for here, where nothing has been lost yet.
        self._engine.demand()
        self._shelf = runtime.site.shelf(inside.image.id)
        self._places: dict[Path, _Place] = {}
        self._outside: dict[str, str] = {}
        worker = self._shelf.put(_WORKER)
        flags = ["-I", "-S"] if kind == "native" else ["-I"]
        command = [inside.python, *flags, worker, kind]
        settings = seal.settings(inside.image.id, command, environment)

        def start(mounts: Sequence[Mount]) -> None:
            limits = seal.host(
                runtime.seal,
                runtime.site.facts,
                megabytes=megabytes,
                mounts=[self._shelf.mount, *mounts],
                volumes=inside.image.volumes,
                gpu=runtime.gpu,
            )
            self._start(settings, limits)

        mounts = self._mounted(models)
        try:
            start(mounts)
        except EngineError as error:
            lacking = _without_python(inside.image, error)
            if lacking is not None:
                raise lacking from error
            # The engine may not see what this process sees, or not be let in.
            if not mounts:
                raise
            self._places.clear()
            start([])

    def _start(self, settings: Mapping[str, object], limits: Mapping[str, object]) -> None:
        self._pieces: queue.Queue[bytes | None] = queue.Queue(maxsize=_PENDING)
        self._log = bytearray()
        self._closing = False
        self._id = self._engine.create(settings, limits)
        try:
            self._stream = self._engine.attach(self._id)
            self._reader = threading.Thread(target=self._take, name=self._id[:12], daemon=True)
            self._reader.start()
            self._engine.start(self._id)
        except BaseException:
            self._discard()
            raise

    @property
    def mounted(self) -> Mapping[str, Identity]:
        """The models that are mounted, which an engine that sees other files mistakes for others of their paths."""
        return {place.inside: place.identity for place in self._places.values()}

    def forget(self, places: Iterable[str]) -> None:
        """Put the models on the shelf that the worker does not find in their places."""
        wrong = set(places)
        for model, place in list(self._places.items()):
            if place.inside in wrong:
                del self._places[model]

    def place(self, model: Path) -> str:
        """Return where the container finds a model, putting it there first if it was not foreseen.

        Raises:
            WorkerError: it cannot be put there.
        """
        known = self._places.get(model)
        # A folder that was put in another's place after that was mounted is not seen inside.
        if known is not None and known.identity == _identity(model):
            return known.inside
        try:
            place = self._shelf.put(model.resolve())
        except InfrastructureError as error:
            raise WorkerError(error.message, hint=error.hint) from error
        self._outside[place] = str(model)
        return place

    def shown(self, text: str) -> str:
        """Return what the worker said, with the user's paths of models."""
        for place, outside in self._outside.items():
            text = text.replace(place, outside)
        return text

    def write(self, data: bytes) -> None:
        """Send bytes to the worker's standard input.

        Raises:
            LostError: the container or the engine is gone.
        """
        try:
            self._stream.send(data)
        except OSError as error:
            why = str(error)
        else:
            return
        raise self._lost(why)

    def read(self, deadline: float) -> bytes:
        """Return what came from the worker's standard output.

        Raises:
            LostError: the container ended, the engine is gone, or nothing came in time.
        """
        with contextlib.suppress(queue.Empty):
            data = self._pieces.get(timeout=max(0.0, deadline - time.monotonic()))
            if data is not None:
                return data
            self._pieces.put(None)
            raise self._lost("its streams were closed")
        raise self._silent()

    def kill(self) -> None:
        """End the container, from any thread."""
        with contextlib.suppress(EngineError):
            self._engine.kill(self._id)

    def close(self, *, lost: bool = False) -> str:
        """End and remove the container with all that runs in it; return the end of what it printed.

        Args:
            lost: nothing outlives a container, so that this changes nothing.
        """
        del lost
        self._discard()
        return bytes(self._log[-_LOG_BYTES:]).decode("utf-8", "replace")

    def _mounted(self, models: Sequence[Path]) -> list[Mount]:
        """Return the mounts of the models that can be mounted, and keep where they will be found."""
        mounts = []
        if self._shelf.mount.is_volume:
            return []
        for number, model in enumerate(dict.fromkeys(models)):
            real = model.resolve()
            identity = _identity(real)
            if identity is None or not is_readable(real):
                continue
            place = f"{_MODELS}/{number:05d}"
            mounts.append(Mount(source=str(real), target=place))
            self._places[model] = _Place(inside=place, identity=identity)
            self._outside[place] = str(model)
        return mounts

    def _take(self) -> None:
        """Sort what comes into answers and log, until the end; the work of the reader's thread."""
        buffer = bytearray()
        try:
            while data := self._stream.receive(_CHUNK):
                buffer += data
                self._sort(buffer)
        except OSError:
            pass  # whoever reads the answers asks the engine what happened
        self._hand_on(None)

    def _sort(self, buffer: bytearray) -> None:
        while len(buffer) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(buffer)
            end = _HEAD.size + size
            if len(buffer) < end:
                return
            piece = bytes(buffer[_HEAD.size : end])
            del buffer[:end]
            if kind == _STDERR:
                self._log += piece
                del self._log[:-_LOG_BYTES]
            else:
                self._hand_on(piece)

    def _hand_on(self, piece: bytes | None) -> None:
        while not self._closing:
            with contextlib.suppress(queue.Full):
                self._pieces.put(piece, timeout=0.5)
                return

    def _silent(self) -> LostError:
        """Return why nothing came in time, as far as the engine knows."""
        try:
            state = self._engine.state(self._id)
        except EngineError as error:
            return LostError(error.message, from_outside=True)
        if state is not None and state.paused:
            return LostError(_PAUSED, from_outside=True)
        return LostError("it did not answer in time")

    def _lost(self, what: str) -> LostError:
        """Return what became of the container, as far as the engine knows."""
        try:
            state = self._ended()
        except EngineError as error:
            return LostError(error.message, from_outside=True)
        # It stays said of a container that has lost a cell so; then this end has another cause.
        if state is not None and state.out_of_memory and state.exit_code == _KILLED:
            return LostError("its container ran out of memory", out_of_memory=True)
        return LostError(_became_of(state, what), from_outside=True)

    def _ended(self) -> State | None:
        """Return the container's state once it has ended, or as it is if it does not."""
        deadline = time.monotonic() + _END_SECONDS
        while True:
            state = self._engine.state(self._id)
            if state is None or state.paused or not state.running or time.monotonic() > deadline:
                return state
            time.sleep(0.05)

    def _discard(self) -> None:
        self._closing = True
        stream: Stream | None = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
        # The sweep at the next start removes what an engine that is gone cannot remove now.
        with contextlib.suppress(EngineError):
            self._engine.remove(self._id)


def _without_python(image: Image, error: EngineError) -> InfrastructureError | None:
    """Return what to say where an engine could not start a worker for want of its interpreter; None for other reasons."""
    if "executable file not found" not in error.message and "no such file" not in error.message:
        return None
    return InfrastructureError(
        f"{image.label} has no python3, in which the worker would run: {error.message}",
        hint="name an image whose first python3 on PATH is 3.6 or later and has TensorFlow installed",
    )

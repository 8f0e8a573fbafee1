"""Workers at work: chunks of units, each done by one worker or by several that share it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime

U = TypeVar("U")
R = TypeVar("R")

# Starting one more worker takes as long as some five cells (a native one) or thirty (a Python
# one, and each in a container). It helps if each worker at the runtime then has at least so many units to do.
_WORTH_A_START = {True: 2, False: 15}
_WORTH_A_CONTAINER = 15
_BETWEEN_KILLS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk(Generic[U]):
    """Units of one runtime and kind of worker.

    Args:
        runtime: that all of them run in.
        native: which kind of worker.
        units: the work.
        models: the models that it is about, which a container has mounted.
    """

    runtime: Runtime
    native: bool
    units: Sequence[U]
    models: tuple[Path, ...] = ()


class _Left(Generic[U]):
    """What is left of a chunk, and how many workers have come to it."""

    def __init__(self, chunk: Chunk[U]) -> None:
        self.chunk = chunk
        self.units = deque(chunk.units)
        self.workers = 0

    @property
    def share(self) -> float:
        """How many units one more worker would leave for each."""
        return len(self.units) / (self.workers + 1)

    @property
    def is_worth_a_start(self) -> bool:
        """Whether one more worker is worth its start; the first always is."""
        contained = self.chunk.runtime.container is not None
        enough = _WORTH_A_CONTAINER if contained else _WORTH_A_START[self.chunk.native]
        return not self.workers or self.share >= enough


class Plan(Generic[U]):
    """Who does what.

    Threads join a chunk and take its units one by one, so that none is idle while others are late.

    Args:
        chunks: one for each runtime and kind of worker.
    """

    def __init__(self, chunks: Sequence[Chunk[U]]) -> None:
        self._lock = threading.Lock()
        # What takes longest goes first: Python workers, then many units.
        ordered = sorted(chunks, key=lambda chunk: (chunk.native, -len(chunk.units)))
        self._left = [_Left(chunk) for chunk in ordered]

    def join(self) -> _Left[U] | None:
        """Return a chunk that wants a worker, untouched ones first; None if none does."""
        with self._lock:
            wanting = [left for left in self._left if left.units and left.is_worth_a_start]
            untouched = [left for left in wanting if not left.workers]
            chosen = untouched[0] if untouched else max(wanting, key=_share, default=None)
            if chosen is not None:
                chosen.workers += 1
            return chosen

    def take(self, left: _Left[U]) -> U | None:
        """Return the next unit of a chunk; None if it has no more."""
        with self._lock:
            return left.units.popleft() if left.units else None


def _share(left: _Left[U]) -> float:
    return left.share


class _Live:
    """The workers that run now, so that an interrupt can end them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
        self.stopped = False

    def add(self, worker: Worker) -> None:
        with self._lock:
            self._workers.add(worker)

    def discard(self, worker: Worker) -> None:
        with self._lock:
            self._workers.discard(worker)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            for worker in self._workers:
                worker.kill()


def execute(
    groups: Sequence[Chunk[U]], do: Callable[[Worker, U], R], *, jobs: int
) -> Generator[R, None, None]:
    """Yield ``do(worker, unit)`` for every unit, as they come.

    An exception of ``do`` ends everything and is raised here; so is an interrupt. Workers never
    outlive this call.

    Args:
        groups: the units, by runtime and kind of worker.
        do: the work of one unit, called on a pool's thread.
        jobs: number of workers at a time.
    """
    plan = Plan(groups)
    done: queue.SimpleQueue[R | _End | BaseException] = queue.SimpleQueue()
    live = _Live()

    def serve() -> None:
        try:
            while not live.stopped and (left := plan.join()) is not None:
                chunk = left.chunk
                with Worker(chunk.runtime, native=chunk.native, models=chunk.models) as worker:
                    live.add(worker)
                    while not live.stopped and (unit := plan.take(left)) is not None:
                        done.put(do(worker, unit))
                    live.discard(worker)
            done.put(_End())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            done.put(error)

    threads = max(1, jobs)
    serving: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            # An interrupt may come between two of them; those that serve by then are known.
            serving.extend(pool.submit(serve) for _ in range(threads))
            at_work = threads
            while at_work:
                item = done.get()
                if isinstance(item, _End):
                    at_work -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            live.stop()
            # A unit in the midst of its signatures starts its worker anew; that one ends too.
            while wait(serving, timeout=_BETWEEN_KILLS).not_done:
                live.stop()


class _End:
    """One thread has no more to do."""

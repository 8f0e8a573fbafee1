"""Workers at work: chunks of units, each chunk on a worker of its own, on a pool of threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime

U = TypeVar("U")
R = TypeVar("R")

# Starting a native worker costs as much as some ten cells, a Python one as much as thirty.
_SMALLEST = {True: 20, False: 40}
_CHUNKS_PER_JOB = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk(Generic[U]):
    """Units that one worker does, one after the other."""

    runtime: Runtime
    native: bool
    units: Sequence[U]


def chunked(groups: Sequence[Chunk[U]], jobs: int) -> list[Chunk[U]]:
    """Split groups so that all jobs have work to the end, largest first.

    Args:
        groups: one for each runtime and kind of worker.
        jobs: number of workers at a time.
    """
    total = sum(len(group.units) for group in groups)
    fair = -(-total // (jobs * _CHUNKS_PER_JOB)) if jobs > 1 else total
    chunks = []
    for group in groups:
        size = max(_SMALLEST[group.native], fair)
        # A lone group would otherwise leave every job but one idle.
        if len(groups) < jobs:
            size = max(1, min(size, -(-len(group.units) // jobs)))
        for at in range(0, len(group.units), size):
            part = group.units[at : at + size]
            chunks.append(Chunk(runtime=group.runtime, native=group.native, units=part))
    return sorted(chunks, key=lambda chunk: (chunk.native, -len(chunk.units)))


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

    An exception of ``do`` ends everything and is raised here; so is an interrupt. Workers never outlive this call.

    Args:
        groups: the units, by runtime and kind of worker.
        do: the work of one unit, called on a pool's thread.
        jobs: number of workers at a time.
    """
    chunks = chunked(groups, jobs)
    done: queue.SimpleQueue[R | _End | BaseException] = queue.SimpleQueue()
    live = _Live()

    def work(chunk: Chunk[U]) -> None:
        try:
            with Worker(chunk.runtime, native=chunk.native) as worker:
                live.add(worker)
                for unit in chunk.units:
                    if live.stopped:
                        break
                    done.put(do(worker, unit))
                live.discard(worker)
            done.put(_End())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            done.put(error)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        try:
            for chunk in chunks:
                pool.submit(work, chunk)
            open_chunks = len(chunks)
            while open_chunks:
                item = done.get()
                if isinstance(item, _End):
                    open_chunks -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            live.stop()
            pool.shutdown(wait=True, cancel_futures=True)


class _End:
    """One chunk is done."""

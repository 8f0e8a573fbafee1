"""A model that stays loaded: one forked child that answers thousands of inputs, each within a time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from filelock import FileLock

from savedmodel_compat.cache import default_root
from savedmodel_compat.runtimes import devices
from savedmodel_compat.runtimes.verdicts import Verdict
from savedmodel_compat.runtimes.wire import Arrays, to_wire

if TYPE_CHECKING:
    from types import TracebackType

    from savedmodel_compat.runtimes.client import Worker
    from savedmodel_compat.runtimes.requests import Limits, Live, LoadAndRun, Port

# What a loader, a kernel or this worker does not give back is bounded by this many runs.
_RUNS_OF_ONE_CHILD = 1000
# Many sets at once are many short runs: a question has its limit once, and once more for so many of them.
_FEEDS_OF_ONE_LIMIT = 20


class Held:
    """A MetaGraph that is loaded once and run again and again.

    A child that crashes, hangs or runs out of memory is the verdict of what it was asked; for the next question there is a new
    one. Use as a context manager, from the thread of its worker.

    Args:
        worker: of a runtime; whatever else it is asked ends the child, and the next question loads anew.
        work: what is loaded, and which signature, whose feeds do not count; or what an exporter has before it saves.
        limits: the time of loading, and of a question of one set of inputs or few; the memory of the child.
    """

    def __init__(self, worker: Worker, work: LoadAndRun | Live, limits: Limits) -> None:
        self._worker = worker
        self._work = work
        self._limits = limits
        self._ports: Mapping[str, Port] = {port.alias: port for port in work.inputs}
        self._runs = 0
        self.loads = 0

    def __enter__(self) -> Held:
        """Load nothing yet: the first question does."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child."""
        self.close()

    @property
    def worker(self) -> Worker:
        """The worker that it runs in."""
        return self._worker

    def ask(self, feeds: Sequence[Arrays]) -> Verdict:
        """Run on some sets of inputs, one after the other, in one process.

        Args:
            feeds: the sets, by alias. They need not fit the signature: an input may be missing, be of another dtype or
                shape, or have a name that the signature lacks, which goes to the tensor of that name.

        Returns:
            What became of it: an answer for each set, or how loading failed, or how the process ended.

        Raises:
            WorkerError: the runtime could not be started.
        """
        if devices.base_of(self._worker.runtime.device) != "gpu":
            return self._ask(feeds)
        folder = default_root() / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "gpu.lock"):
            try:
                return self._ask(feeds)
            finally:
                self.close()

    def renew(self) -> None:
        """Have the next question answered by a process that has answered none."""
        self.close()

    def close(self) -> None:
        """End the child, unless its worker has something else to do by now."""
        if self._worker.holding is self:
            self._worker.let_go()

    def _ask(self, feeds: Sequence[Arrays]) -> Verdict:
        if self._worker.holding is not self or self._runs + len(feeds) > _RUNS_OF_ONE_CHILD:
            verdict = self._worker.hold(self, self._work, self._limits)
            self._runs = 0
            self.loads += 1
            if not verdict.held:
                return verdict
        self._runs += len(feeds)
        names, tensors = [], []
        for feed in feeds:
            names.append([self._tensor(alias) for alias in feed])
            tensors += [to_wire(alias, feed[alias], self._dtype(alias)) for alias in feed]
        seconds = self._limits.seconds * (1 + len(feeds) / _FEEDS_OF_ONE_LIMIT)
        return self._worker.feed(names, tensors, replace(self._limits, seconds=seconds))

    def _tensor(self, alias: str) -> str:
        port = self._ports.get(alias)
        return f"{alias}:0" if port is None else port.tensor

    def _dtype(self, alias: str) -> str | None:
        port = self._ports.get(alias)
        return None if port is None else port.dtype

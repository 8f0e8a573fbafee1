"""Cells on demand, one at a time: what the pytest plugin runs its items with.

Workers, exports and references are kept from one cell to the next.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import SavedModelCompatError, UnsupportedError, UsageError
from savedmodel_compat.matrix.calls import Called, call, parse, sendable
from savedmodel_compat.matrix.exports import Exporter, Order, export_models, find_exporter
from savedmodel_compat.matrix.models import Model, load_models
from savedmodel_compat.matrix.plan import Consumer
from savedmodel_compat.matrix.predicted import Predictions
from savedmodel_compat.matrix.proposals import Proposals
from savedmodel_compat.matrix.recording import Recorded, Recorder, RecordingError, Wanted
from savedmodel_compat.matrix.run import References, reference_key, run_cells
from savedmodel_compat.matrix.session import CPU, EXPORT_LIMITS, Exported, Session, Where
from savedmodel_compat.runtimes import venv
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from types import TracebackType

    from savedmodel_compat.config import Configuration
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.runtimes.base import Runtime

# A worker that waits holds the memory of a loaded TensorFlow: 50 to 100 MB for a native one, 0.2 to 0.6 GB for a
# Python one. One that was ended takes seconds to start again.
_FEWEST_WORKERS, _MOST_WORKERS = 6, 12
_MEMORY_FOR_A_WORKER = 2 << 30


class Runner:
    """Exports models and runs cells.

    Use as a context manager, from one thread.

    Args:
        session: pins, options and configuration.
        root: the folder that paths of models and exporters are relative to, by default the working
            directory; models below it are called by their paths from there.
    """

    def __init__(self, session: Session, *, root: Path | None = None) -> None:
        self._session = session
        self._root = root or Path.cwd()
        self._workers: OrderedDict[tuple[Path, str, bool], Worker] = OrderedDict()
        self._consumers: dict[Where, list[Consumer]] = {}
        self._exports: dict[Order, tuple[Model, ...] | UnsupportedError] = {}
        self._models: dict[object, Model] = {}
        self._references: References = {}
        self._predictions = Predictions()
        self._searched: set[object] = set()

    def __enter__(self) -> Runner:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers."""
        self.close()

    @property
    def session(self) -> Session:
        """Pins, options and configuration."""
        return self._session

    @property
    def root(self) -> Path:
        """The folder that paths are relative to."""
        return self._root

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.popitem()[1].close()

    def consumers(self, where: Where) -> list[Consumer]:
        """Return the consumers of ``where``, made ready once."""
        if where not in self._consumers:
            self._consumers[where] = self._session.consumers(where)
        return self._consumers[where]

    def export(
        self,
        exporter: str,
        *,
        producer: str,
        strip: bool,
        seed: int = 0,
        tags: tuple[str, ...] | None = None,
    ) -> Model:
        """Export, or take what the cache has.

        Args:
            exporter: ``FILE.py::function`` or a registered name.
            producer: a pinned release.
            strip: whether default-valued attrs are stripped.
            seed: of weights and inputs.
            tags: of the MetaGraph, one of those that the exporter recorded; None takes that which is served.

        Raises:
            UsageError: there is no such exporter, or it recorded no such MetaGraph.
            UnknownReleaseError: the producer is not pinned.
            UnsupportedError: the producer does not have what the exporter needs.
            InterpreterNotFoundError: no CPython for the producer.
            ExportError: the exporter failed.
        """
        models = self._export(self._order(exporter, producer, strip=strip, seed=seed))
        if tags is None:
            return models[0]
        for model in models:
            if set(model.tags) == set(tags):
                return model
        there = ", ".join(str(list(model.tags)) for model in models)
        raise UsageError(
            f"{exporter} of {producer} recorded no MetaGraph {list(tags)}; it has {there}"
        )

    def export_or_say(
        self, exporter: str, *, producer: str, strip: bool, seed: int = 0
    ) -> Exported:
        """Export as `export` does, and give back a problem of the producer instead of raising it."""
        order = self._order(exporter, producer, strip=strip, seed=seed)
        try:
            return Exported(order=order, models=self._export(order))
        except SavedModelCompatError as problem:
            return Exported(order=order, problem=problem)

    def _order(self, exporter: str, producer: str, *, strip: bool, seed: int) -> Order:
        found = find_exporter_in(self._root, exporter, self._session.configuration)
        pinned = self._session.table.get(producer).release
        return Order(exporter=found, producer=pinned, strip=strip, seed=seed)

    def _export(self, order: Order) -> tuple[Model, ...]:
        if order not in self._exports:
            runtime = venv.make_ready(self._session.table.get(order.producer))
            worker = self.worker(runtime, native=False)
            try:
                self._exports[order] = export_models(worker, runtime, order, EXPORT_LIMITS)
            except UnsupportedError as refused:
                # What a release does not have it will not have when the next cell asks.
                self._exports[order] = refused
        found = self._exports[order]
        if isinstance(found, UnsupportedError):
            raise found.with_traceback(None)
        return found

    def load(self, path: str | os.PathLike[str], *, seed: int = 0) -> Model:
        """Read a model that is there.

        Raises:
            NotASavedModelError: nothing there could be a SavedModel.
        """
        key = (self._root / path, seed)
        if key not in self._models:
            [model] = load_models([key[0]], seed=seed)
            self._models[key] = replace(model, name=self._name(model))
        return self._models[key]

    def _name(self, model: Model) -> str:
        # One name must mean one model in the whole record, whichever of them this process runs.
        below = model.path.is_relative_to(self._root)
        return model.path.relative_to(self._root).as_posix() if below else model.name

    def run(
        self,
        model: Model,
        consumer: Consumer,
        *,
        candidates: list[Consumer],
        signature: str | None = None,
        goldens: Store | None = None,
    ) -> list[Result]:
        """Run a model in one consumer.

        Args:
            model: what to load.
            consumer: where.
            candidates: where a reference is looked for, if none was recorded.
            signature: the only one to run; None runs all.
            goldens: where what differs from the model's goldens is proposed.
        """
        releases = tuple(c.release for c in candidates)
        keys = tuple(reference_key(model, case) for case in model.cases)
        searched = (keys, signature, releases)
        if searched in self._searched:
            candidates = []  # what they answered is kept; where none did, none will
        self._searched.add(searched)
        return run_cells(
            only(model, signature),
            consumer,
            candidates,
            replace(
                self._session.options, proposals=None if goldens is None else Proposals(goldens)
            ),
            references=self._references,
            predictions=self._predictions,
            worker_of=lambda runtime, native: self.worker(runtime, native=native),
        )

    def run_all(self, model: Model, where: Where, *, signature: str | None = None) -> list[Result]:
        """Run a model in all consumers of ``where``, which are each other's candidates for a reference.

        Args:
            model: what to load.
            where: the consumers.
            signature: the only one to run; None runs all.
        """
        consumers = self.consumers(where)
        return [
            result
            for consumer in consumers
            for result in self.run(model, consumer, candidates=consumers, signature=signature)
        ]

    def call(self, target: str, on: str, arguments: Mapping[str, object]) -> list[Called]:
        """Call a function of one's own in releases that have TensorFlow installed, each time in a process of its own.

        Args:
            target: ``FILE.py::function``; it returns a dict of arrays by name.
            on: specifier of the releases.
            arguments: by name, of what JSON has; paths arrive as text.

        Raises:
            UsageError: there is no such file or function, or an argument is nothing that JSON has.
            UnknownReleaseError: a release is not pinned.
            InterpreterNotFoundError: no CPython for a release.
            WorkerError: a release could not be started, or its worker was lost.
        """
        found, given = parse(target, self._root), sendable(arguments)
        answers = []
        for pin in self._session.pinned(on, CPU):
            worker = self.worker(venv.make_ready(pin), native=False)
            answers.append(call(worker, pin.release, found, given))
        return answers

    def record(
        self, store: Store, model: Model, consumer: Consumer, wanted: Wanted
    ) -> Iterator[Recorded | RecordingError]:
        """Record the goldens of a model; see `savedmodel_compat.matrix.recording.Recorder`.

        Args:
            store: where they go.
            model: what is run.
            consumer: the release that answers; it is ready.
            wanted: what is recorded, and why.
        """
        assert consumer.runtime is not None
        worker = self.worker(consumer.runtime, native=consumer.loader == "c")
        options = self._session.options
        recorder = Recorder(
            store=store,
            consumer=consumer,
            worker=worker,
            limits=options.limits,
            policy=options.policy,
        )
        return recorder.record(model, wanted)

    def worker(self, runtime: Runtime, *, native: bool) -> Worker:
        """Return the worker of a runtime, which is kept until too many others have been asked for.

        Args:
            runtime: it is ready.
            native: whether for loader ``c``.
        """
        key = (runtime.folder, runtime.device, native)
        if key not in self._workers:
            while len(self._workers) >= _workers_to_keep():
                self._workers.popitem(last=False)[1].close()
            self._workers[key] = Worker(runtime, native=native)
        self._workers.move_to_end(key)
        return self._workers[key]


def _workers_to_keep() -> int:
    """Return how many workers this machine's memory allows one process."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(_MOST_WORKERS, max(_FEWEST_WORKERS, memory // _MEMORY_FOR_A_WORKER))


def only(model: Model, signature: str | None) -> Model:
    """Return a model with one of its signatures; with all of them if none is named.

    Raises:
        UsageError: it has no such signature.
    """
    if signature is None:
        return model
    cases = tuple(case for case in model.cases if case.signature == signature)
    if not cases and model.meta_graph is not None:
        raise UsageError(
            f"{model.name} has no signature '{signature}'; it has {[c.signature for c in model.cases]}"
        )
    return replace(model, cases=cases)


def find_exporter_in(root: Path, text: str, configuration: Configuration) -> Exporter:
    """Return the exporter that ``text`` names; a file that is not registered is looked for in ``root``.

    Raises:
        UsageError: there is no such name or file.
    """
    is_file = "::" in text and text not in configuration.exporters
    return find_exporter(str(root / text) if is_file else text, configuration)


def one_of(consumers: list[Consumer], release: str, loader: str) -> Consumer:
    """Return the consumer of a release and loader."""
    for consumer in consumers:
        if (consumer.release, consumer.loader) == (release, loader):
            return consumer
    raise SavedModelCompatError(f"{release} with loader {loader} is not among the consumers")

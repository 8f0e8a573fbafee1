"""The whole way, once: plan cells, make runtimes ready, export, load and run and compare. For all faces alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from savedmodel_compat import config
from savedmodel_compat.errors import (
    EmptySelectionError,
    ExportError,
    InfrastructureError,
    SavedModelCompatError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.matrix import ready
from savedmodel_compat.matrix.cells import Cell, Outcome, Result
from savedmodel_compat.matrix.exports import Exporter, Order, export_models
from savedmodel_compat.matrix.judge import one_line
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.pool import Chunk, execute
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes import devices, pins, specs
from savedmodel_compat.runtimes.base import Loader, Provider
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.runtimes.base import Progress, Runtime
    from savedmodel_compat.runtimes.pins import Pin

CPU = "cpu"
EXPORT_LIMITS = Limits(seconds=600.0, megabytes=0)


class Watcher(Protocol):
    """Somebody who is told how a session goes; nothing it does changes the session."""

    def progress(self, label: str) -> Progress:
        """Return the callback that is told how far the runtime ``label`` is."""

    def exported(self, order: Order, problem: str | None) -> None:
        """Take note that an export is done, or why it is not."""

    def result(self, result: Result) -> None:
        """Take note of a cell's result."""


class Silent:
    """A watcher that does nothing."""

    def progress(self, label: str) -> Progress:  # noqa: ARG002 - the protocol's
        """Return a callback that does nothing."""
        return lambda done, total, what: None  # noqa: ARG005 - the protocol's

    def exported(self, order: Order, problem: str | None) -> None:
        """Do nothing."""

    def result(self, result: Result) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The consumers of a session.

    Args:
        on: specifier of releases; ignored by provider ``current``.
        provider: what makes them ready.
        loaders: which of their loaders; None takes the provider's own default.
        devices: ``cpu``, variants of it, ``gpu``; the same releases on each.
    """

    on: str = "smoke"
    provider: Provider = Provider.WHEEL
    loaders: tuple[Loader, ...] | None = None
    devices: tuple[str, ...] = ("cpu",)

    @property
    def chosen_loaders(self) -> tuple[Loader, ...]:
        """The C++ loader where there is nothing else or nothing was said; else those that were named."""
        return self.loaders or (Loader.C,)


def demand_loaders(where: Where) -> None:
    """Refuse loaders that a provider has nowhere.

    Raises:
        UnsupportedError: provider ``wheel`` is to have none but Python loaders.
    """
    if where.provider is not Provider.WHEEL or Loader.C in where.chosen_loaders:
        return
    others = " or ".join(map(str, where.chosen_loaders))
    raise UnsupportedError(
        f"provider 'wheel' has no loader {others}",
        hint="the Python loaders need a TensorFlow that is installed: --provider venv",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is shared by all steps of a session.

    Args:
        configuration: the repository's.
        options: how cells are run.
        watcher: who is told.
        table: the pins.
    """

    configuration: config.Configuration
    options: Options = field(default_factory=Options)
    watcher: Watcher = field(default_factory=Silent)
    table: pins.PinTable

    @classmethod
    def here(
        cls,
        *,
        options: Options | None = None,
        watcher: Watcher | None = None,
        start: Path | None = None,
    ) -> Session:
        """Return a session with the configuration that holds at ``start`` (the working directory)."""
        configuration = config.load(start)
        return cls(
            configuration=configuration,
            options=options or Options(),
            watcher=watcher or Silent(),
            table=pins.load(configuration),
        )

    def consumers(self, where: Where) -> list[Consumer]:
        """Make the consumers ready; those that cannot be say why in their cells."""
        demand_loaders(where)
        found: dict[str, list[Consumer]] = {}
        made: list[Consumer] = []
        for device in map(devices.device, where.devices):
            # A release is made ready once, and its workers are started with other settings for a variant.
            if device.base not in found:
                found[device.base] = self._consumers_on(where, device.base)
            made += [ready.on_device(consumer, device) for consumer in found[device.base]]
        return made

    def _consumers_on(self, where: Where, base: str) -> list[Consumer]:
        if where.provider is Provider.CURRENT:
            return ready.current_consumers(where.chosen_loaders, base)
        chosen = self.pinned(where.on, base)
        readied = self.make_ready(chosen, where.provider, where.chosen_loaders) if chosen else []
        if base != CPU:
            readied += _elsewhere(specs.select(where.on, self.table), chosen, base)
        return ready.consumers(readied, where.provider, where.chosen_loaders, base)

    def pinned(self, spec: str, base: str) -> list[Pin]:
        """Return the pins of a specifier, as it is meant on a CPU, that are there on a device."""
        wanted = specs.select(spec, self.table)
        if base == CPU:
            return list(wanted)
        releases = {pin.release for pin in wanted}
        return [pin for pin in self.table.on(base) if pin.release in releases]

    def make_ready(
        self, chosen: Sequence[Pin], provider: Provider, loaders: Sequence[Loader] = (Loader.C,)
    ) -> list[ready.Readied]:
        """Make pins ready for some loaders, telling the watcher."""
        return ready.make_ready(
            chosen,
            provider,
            jobs=self.options.jobs,
            progress=self.watcher.progress,
            loaders=loaders,
            docker=self.configuration.docker,
        )

    def run(self, models: Sequence[Model], consumers: Sequence[Consumer]) -> list[Result]:
        """Run every model in every consumer.

        Raises:
            Interrupted: the user stopped it; it carries the results.
            UsageError: ``--reference`` names a release that is not among the consumers.
        """
        wanted = self.options.reference
        if wanted is not None and wanted not in {consumer.release for consumer in consumers}:
            raise UsageError(
                f"the reference {wanted} is not among the selected releases",
                hint=f"add it: --on {wanted},…",
            )
        return run_matrix(models, consumers, self.options, self.watcher.result)


def _elsewhere(wanted: Sequence[Pin], chosen: Sequence[Pin], base: str) -> list[ready.Readied]:
    """Return why releases that are wanted are not there on a device."""
    there = {pin.release for pin in chosen}
    return [
        (pin, UnsupportedError(f"TensorFlow {pin.release} is not pinned for {base}"))
        for pin in wanted
        if pin.release not in there
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What became of an order: its models, or why there are none.

    Args:
        order: what was wanted.
        models: one for each MetaGraph that was recorded; that which is served comes first.
        problem: why there are none.
    """

    order: Order
    models: tuple[Model, ...] = ()
    problem: SavedModelCompatError | None = None

    @property
    def model(self) -> Model | None:
        """The first of the models."""
        return self.models[0] if self.models else None


def export_all(
    session: Session,
    exporters: Sequence[Exporter],
    producers: str,
    strips: Sequence[bool],
    seed: int,
) -> list[Exported]:
    """Export every combination, one worker a producer.

    Args:
        session: pins, jobs and watcher.
        exporters: the exporters.
        producers: specifier of the releases that export.
        strips: with and without stripping.
        seed: of weights and inputs.
    """
    chosen = specs.select(producers, session.table)
    readied = session.make_ready(chosen, Provider.VENV)

    runtimes = {pin.release: got for pin, got in readied}
    orders = [
        Order(exporter=exporter, producer=producer, strip=strip, seed=seed)
        for exporter in exporters
        for producer in runtimes
        for strip in strips
    ]
    found = {}
    for exported in _exported_by(runtimes, orders, session.options.jobs):
        session.watcher.exported(exported.order, _words(exported.problem))
        found[exported.order] = exported
    return [found[order] for order in orders]


def _exported_by(
    runtimes: Mapping[str, Runtime | SavedModelCompatError], orders: Sequence[Order], jobs: int
) -> Iterator[Exported]:
    """Yield what becomes of each order, as it comes; an interrupt ends the exporters that run."""
    ready_ones = {}
    for producer, got in runtimes.items():
        wanted = [order for order in orders if order.producer == producer]
        if isinstance(got, SavedModelCompatError):
            yield from (Exported(order=order, problem=got) for order in wanted)
        else:
            ready_ones[producer] = Chunk(runtime=got, native=False, units=wanted)

    def export(worker: Worker, order: Order) -> Exported:
        return _export(worker, ready_ones[order.producer].runtime, order)

    with closing(execute(list(ready_ones.values()), export, jobs=jobs)) as stream:
        yield from stream


def _export(worker: Worker, runtime: Runtime, order: Order) -> Exported:
    try:
        made = export_models(worker, runtime, order, EXPORT_LIMITS)
        return Exported(order=order, models=made)
    except (UnsupportedError, ExportError, InfrastructureError) as error:
        return Exported(order=order, problem=error)


def _words(problem: SavedModelCompatError | None) -> str | None:
    return None if problem is None else problem.message


def unexported(exported: Sequence[Exported], consumers: Sequence[Consumer]) -> list[Result]:
    """Return the cells of exports that gave no model."""
    return [
        Result(
            cell=Cell(
                model=item.order.exporter.name,
                path=item.order.exporter.file,
                model_sha256="",
                tags=(),
                strip=item.order.strip,
                producer=item.order.producer,
                consumer=consumer.release,
                provider=consumer.provider,
                loader=consumer.loader,
                device=consumer.device,
            ),
            outcome=_outcome(item.problem),
            reason=one_line(item.problem.message),
        )
        for item in exported
        if item.problem is not None
        for consumer in consumers
    ]


def _outcome(problem: SavedModelCompatError) -> Outcome:
    unsupported = ready.is_unsupported(problem)
    return Outcome.UNSUPPORTED if unsupported else Outcome.INFRA_ERROR


def exit_code(results: Sequence[Result], *, interrupted: bool = False) -> int:
    """Return the exit code of a matrix: the first that holds of 2, 7, 1, 5, 0.

    A failure that was expected is no failure here, and no comparison either.

    Args:
        results: one a cell.
        interrupted: whether the user stopped it.
    """
    outcomes = {result.outcome for result in results}
    if interrupted:
        return 2
    if Outcome.INFRA_ERROR in outcomes:
        return 7
    if any(result.outcome is Outcome.FAIL and not result.expected for result in results):
        return 1
    if not any(result.compared for result in results):
        return EmptySelectionError.exit_code
    return 0

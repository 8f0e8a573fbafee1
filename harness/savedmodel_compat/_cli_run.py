"""The commands that run models: ``run``, ``matrix`` and ``export``."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat import _cli_gate
from savedmodel_compat._downloads import say_downloads
from savedmodel_compat.errors import (
    EmptySelectionError,
    InfrastructureError,
    SavedModelCompatError,
    UnsupportedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.plan import Consumer, Options
    from savedmodel_compat.matrix.session import Session, Where
    from savedmodel_compat.runtimes.base import Loader
    from savedmodel_compat.runtimes.pins import Pin

_INCOMPATIBLE = 1
_INTERRUPTED = 2
_BEFORE_FAILURES = frozenset((_INTERRUPTED, InfrastructureError.exit_code))
_PROVIDERS = ("wheel", "venv", "docker", "current")
_LOADERS = ("c", "v1", "v2", "keras")


class _Number(click.FloatRange):
    """A range of floats that NaN is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN, which compares with no bound."""
        number = super().convert(value, param, ctx)
        if number != number:  # noqa: PLR0124 - only NaN differs from itself
            self.fail(f"{value} is no number", param, ctx)
        return number


_TOLERANCE = _Number(min=0)
_SECONDS = _Number(min=0, min_open=True, max=86_400)


def _consumer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `run` and `matrix` share."""
    options = [
        click.option(
            "--on",
            "on",
            default=None,
            metavar="SPEC",
            help="Consumers: releases, ranges or a set.  [default: smoke]",
        ),
        click.option(
            "--loader",
            "loaders",
            default=None,
            metavar="LOADER,…",
            help="c, v1, v2, keras.  [default: c]",
        ),
        click.option(
            "--provider",
            type=click.Choice(_PROVIDERS),
            default="wheel",
            show_default=True,
            help="What makes the consumers ready.",
        ),
        click.option(
            "--device",
            "device_names",
            default="cpu",
            show_default=True,
            metavar="DEVICE,…",
            help="cpu, gpu, and ways of computing on a CPU: cpu-onednn, cpu-no-onednn, cpu-one-thread, "
            "cpu-many-threads, cpu-xla.",
        ),
        click.option(
            "--golden",
            "golden_directory",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            metavar="DIR",
            help="Feed and compare with the goldens there; one that is missing fails.",
        ),
        click.option(
            "--reference",
            metavar="RELEASE",
            help="Compare with this release, not with the newest that runs the model.",
        ),
        click.option(
            "--rtol", type=_TOLERANCE, help="Relative tolerance of floating-point outputs."
        ),
        click.option(
            "--atol", type=_TOLERANCE, help="Absolute tolerance of floating-point outputs."
        ),
        click.option(
            "--seed", type=int, default=0, show_default=True, help="Of weights and inputs."
        ),
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write the record there.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=None,
            help="Workers at a time.  [default: the CPUs]",
        ),
        click.option(
            "--timeout",
            type=_SECONDS,
            default=60.0,
            show_default=True,
            help="Seconds a cell may take.",
        ),
        click.option(
            "--memory",
            type=click.IntRange(min=0, max=1 << 30),
            default=4096,
            show_default=True,
            help="Megabytes a cell may use over its runtime; 0 for no limit.",
        ),
        click.option(
            "--strict-prediction",
            is_flag=True,
            help="Exit with 1 also if a cell differs from what was predicted of it.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask before large downloads."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(name="run")
@click.argument("models", nargs=-1, required=True, type=click.Path())
@click.option("--tags", metavar="TAG,…", help="Tag set to load.  [default: serve, else the first]")
@click.option("--signature", metavar="KEY", help="Run this signature only.")
@click.option(
    "--inputs",
    "inputs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Inputs, as FILE.npz with ALIAS or SIGNATURE/ALIAS.",
)
@_consumer_options
@_cli_gate.options
def run(
    models: tuple[str, ...],
    tags: str | None,
    signature: str | None,
    inputs_file: Path | None,
    **options: Any,
) -> int:
    """Load SavedModels in other TensorFlow releases, run them and compare the answers."""
    from savedmodel_compat.matrix import inputs
    from savedmodel_compat.matrix.models import load_models

    given = inputs.Given.read(inputs_file) if inputs_file else None
    chosen = load_models(
        models,
        tags=tuple(tags.split(",")) if tags else None,
        signature=signature,
        given=given,
        seed=options["seed"],
    )
    narrowed = {"signature": signature, "tags": tags}
    matrix = _Matrix({**options, **narrowed, "inputs_file": inputs_file})
    chosen = matrix.with_goldens(chosen)
    consumers = matrix.consumers()
    return matrix.finish(lambda session: session.run(chosen, consumers))


@click.command()
@click.argument("exporters", nargs=-1, required=True)
@click.option(
    "--with",
    "producers",
    required=True,
    metavar="SPEC",
    help="Producers: releases, ranges or a set.",
)
@click.option(
    "--strip",
    type=click.Choice(["both", "on", "off"]),
    default="both",
    show_default=True,
    help="Export with strip_default_attrs, without, or both.",
)
@_consumer_options
@_cli_gate.options
def matrix(exporters: tuple[str, ...], producers: str, strip: str, **options: Any) -> int:
    """Export models with and without strip_default_attrs, then load and run them in other releases.

    An EXPORTER is FILE.py::function, or a name registered under [tool.savedmodel-compat.exporters]. If one of them is
    registered, the configuration's expectations hold unless --expectations says otherwise.
    """
    from savedmodel_compat.matrix.exports import find_exporter
    from savedmodel_compat.matrix.session import export_all, unexported

    run = _Matrix({**options, "exporters": exporters})
    found = [find_exporter(text, run.session.configuration) for text in exporters]
    strips = {"both": [False, True], "on": [True], "off": [False]}[strip]
    run.say_downloads(producers, "venv")
    consumers = run.consumers()
    with run.live:
        exported = export_all(run.session, found, producers, strips, options["seed"])
    models = run.with_goldens([model for item in exported for model in item.models])
    return run.finish(
        lambda session: session.run(models, consumers) + unexported(exported, consumers)
    )


@click.command()
@click.argument("exporter")
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option(
    "--with", "producer", required=True, metavar="RELEASE", help="The release that exports."
)
@click.option(
    "--strip-default-attrs/--no-strip-default-attrs", "strip", default=False, show_default=True
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--timeout", type=_SECONDS, default=600.0, show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask before large downloads.")
def export(  # noqa: PLR0917 - click passes them by name
    exporter: str,
    destination: Path,
    producer: str,
    strip: bool,
    seed: int,
    timeout: float,
    yes: bool,
) -> None:
    """Export a model inside one release and print where it is."""
    from savedmodel_compat.matrix.exports import Order, export_to, find_exporter
    from savedmodel_compat.runtimes.base import Provider
    from savedmodel_compat.runtimes.client import Worker
    from savedmodel_compat.runtimes.requests import Limits

    matrix = _Matrix({"jobs": 1, "yes": yes})
    found = find_exporter(exporter, matrix.session.configuration)
    pins = matrix.say_downloads(producer, "venv")
    if len(pins) != 1:
        raise UsageError(f"--with {producer} names {len(pins)} releases, and an export needs one")
    with matrix.live:
        [(pin, got)] = matrix.session.make_ready(pins, Provider.VENV)
    if isinstance(got, SavedModelCompatError):
        raise got
    order = Order(exporter=found, producer=pin.release, strip=strip, seed=seed)
    try:
        with Worker(got, native=False) as worker:
            limits = Limits(seconds=timeout, megabytes=0)
            path = export_to(worker, order, destination, limits, note=_say_note)
    except UnsupportedError as error:
        raise UnsupportedError(f"{order.label}: {error.message}", hint=error.hint) from error
    click.echo(str(path))


def _say_note(text: str) -> None:
    click.echo(f"note: {text}", err=True)


class _Matrix:
    """What `run`, `matrix` and `export` share: session, watcher, downloads said, results printed."""

    def __init__(self, options: dict[str, Any]) -> None:
        from rich.console import Console

        from savedmodel_compat.matrix.session import Session
        from savedmodel_compat.report.live import Live

        self._options = options
        self._record: Path | None = options.get("json_file")
        _demand_writable(self._record)
        self._started = datetime.now(timezone.utc)
        self._err = Console(stderr=True)
        self.live = Live(self._err)
        self.session = Session.here(options=_run_options(options), watcher=self.live)
        registered = self.session.configuration.exporters
        known = any(name in registered for name in options.get("exporters", ()))
        self._gate = _cli_gate.Gate.of({**options, "registered": known}, self.session)

    def consumers(self) -> list[Consumer]:
        """Make the consumers ready."""
        from savedmodel_compat.runtimes import devices

        where = _where(self._options)
        if self._options["provider"] != "current":
            for base in dict.fromkeys(devices.device(name).base for name in where.devices):
                self.say_downloads(where.on, self._options["provider"], base)
        with self.live:
            return self.session.consumers(where)

    def _demand_goldens_alone(self) -> None:
        """Refuse what says otherwise than a golden what is fed, or what is compared with."""
        for name, flag in (("inputs_file", "--inputs"), ("reference", "--reference")):
            if self._options.get(name) is not None:
                raise UsageError(
                    f"{flag} does not go with --golden: a golden has its own inputs and answers",
                    hint="leave one of the two out",
                )

    def with_goldens(self, models: list[Model]) -> list[Model]:
        """Return models with the goldens that they are compared with, if the user has named some."""
        folder = self._options["golden_directory"]
        if folder is None:
            return models
        from savedmodel_compat.golden.store import Store
        from savedmodel_compat.matrix.goldens import with_goldens

        self._demand_goldens_alone()
        return with_goldens(models, Store(folder.absolute()))

    def say_downloads(self, spec: str, provider: str, device: str = "cpu") -> tuple[Pin, ...]:
        """Say how much is to be downloaded, ask if there is somebody to ask, and return the pins.

        Raises:
            UnsupportedError: the provider needs another system than this one.
        """
        from savedmodel_compat.runtimes.base import Provider, demand_linux

        demand_linux(Provider(provider))
        pins = self.session.pinned(spec, device)
        say_downloads(pins, Provider(provider), yes=self._options["yes"])
        return tuple(pins)

    def finish(self, work: Callable[[Session], list[Result]]) -> int:
        """Run, print, write the record, and return the exit code."""
        from savedmodel_compat.matrix.predicted import disagreements
        from savedmodel_compat.matrix.run import Interrupted
        from savedmodel_compat.matrix.session import exit_code
        from savedmodel_compat.report import record, terminal

        interrupted = False
        with self.live:
            try:
                results = work(self.session)
            except Interrupted as stop:
                interrupted, results = True, stop.results
        results, judgement = self._gate.judged(results)
        # What was stopped is not what it would have been, and nothing is said of what is missing.
        judgement = None if interrupted else judgement
        if self._record is not None:
            # Before the table: a pipe that is closed must not cost the record.
            said = record.as_record(
                results, started=self._started, interrupted=interrupted, judgement=judgement
            )
            record.write(said, self._record)
        terminal.print_matrix(results, _stdout(), judgement)
        self._say_proposed()
        code = exit_code(results, interrupted=interrupted)
        broken = judgement is not None and judgement.is_broken
        broken = (not interrupted and self._gate.too_few(results)) or broken
        broken = broken or bool(self._options.get("strict_prediction") and disagreements(results))
        if broken:
            # Of all that may hold, only an interrupt and a fault of the infrastructure come before it.
            code = code if code in _BEFORE_FAILURES else _INCOMPATIBLE
        if code == _INTERRUPTED:
            click.echo("interrupted", err=True)
        if code == EmptySelectionError.exit_code:
            click.echo("error: nothing was compared", err=True)
        return code

    def _say_proposed(self) -> None:
        proposals = self.session.options.proposals
        if proposals is None or not proposals.left:
            return
        count = len(proposals.left)
        waits = "1 answer waits" if count == 1 else f"{count} answers wait"
        click.echo(
            f"{waits} for review: savedmodel-compat golden status --golden "
            f"{self._options['golden_directory']}",
            err=True,
        )


def _demand_writable(record: Path | None) -> None:
    """Refuse a record that cannot be written before the work that it is of, not after."""
    if record is not None and not os.access(record.absolute().parent, os.W_OK | os.X_OK):
        raise InfrastructureError(
            f"the record {record} cannot be written: its folder is not there, or not yours to write"
        )


def _stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    # A file or a pipe has no width; a table that is cut there is of no use to anybody.
    return console if console.is_terminal else Console(highlight=False, width=160)


def _where(options: dict[str, Any]) -> Where:
    from savedmodel_compat.matrix.session import Where
    from savedmodel_compat.runtimes import devices
    from savedmodel_compat.runtimes.base import Provider

    named = options["loaders"]
    return Where(
        on="smoke" if options["on"] is None else options["on"],
        provider=Provider(options["provider"]),
        loaders=None if named is None else loaders_of(named),
        devices=tuple(device.name for device in devices.parse(options["device_names"])),
    )


def loaders_of(text: str) -> tuple[Loader, ...]:
    """Return the loaders that stand between commas, each once.

    Raises:
        UsageError: there is no such loader, or none is named.
    """
    from savedmodel_compat.runtimes.base import Loader

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in _LOADERS]
    if unknown or not names:
        raise UsageError(
            f"no such loader: {', '.join(unknown) or 'none named'}",
            hint=f"the loaders are {', '.join(_LOADERS)}",
        )
    return tuple(dict.fromkeys(Loader(name) for name in names))


def _run_options(options: dict[str, Any]) -> Options:
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.golden.tolerances import Policy
    from savedmodel_compat.matrix.plan import Options
    from savedmodel_compat.matrix.proposals import Proposals
    from savedmodel_compat.runtimes.requests import Limits

    folder = options.get("golden_directory")
    return Options(
        limits=Limits(seconds=options.get("timeout", 60.0), megabytes=options.get("memory", 4096)),
        policy=Policy(rtol=options.get("rtol"), atol=options.get("atol")),
        jobs=options.get("jobs") or _processors(),
        reference=options.get("reference"),
        proposals=None if folder is None else Proposals(Store(folder.absolute())),
    )


def _processors() -> int:
    """Return how many processors this process may use; not every system tells that from how many there are."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""The commands about runtimes: ``runtime list|build|remove|snapshot`` and ``doctor``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from savedmodel_compat._cli_run import loaders_of
from savedmodel_compat.errors import (
    EmptySelectionError,
    InfrastructureError,
    SavedModelCompatError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from savedmodel_compat.cache import Cache
    from savedmodel_compat.config import Configuration
    from savedmodel_compat.registry._pack import Registered
    from savedmodel_compat.runtimes.inventory import Row
    from savedmodel_compat.runtimes.pins import Pin, PinTable

_IN_CACHE = ("wheel", "venv")
_PROVIDERS = (*_IN_CACHE, "docker")


@click.group()
def runtime() -> None:
    """Pinned TensorFlow releases: what there is, what is ready, what it takes."""


@runtime.command(name="list")
@click.argument("spec", default="all")
@click.option(
    "--provider",
    type=click.Choice(_PROVIDERS),
    multiple=True,
    help="Only this one.  [default: wheel and venv]",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def list_runtimes(spec: str, provider: tuple[str, ...], form: str) -> None:
    """List releases, whether they are ready, and what they take on disk."""
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider

    providers = [Provider(name) for name in provider or _IN_CACHE]
    rows = inventory.listing(_select(spec), providers=providers)
    if form == "json":
        click.echo(json.dumps([_as_json(row) for row in rows], indent=1))
        return
    click.echo(
        f"{'release':9} {'CPython':8} {'provider':9} {'state':12} {'disk':>9} {'to fetch':>9}"
    )
    for row in rows:
        disk = _megabytes(row.bytes) if row.bytes else ""
        fetch = (
            "?"
            if row.download_bytes is None
            else _megabytes(row.download_bytes)
            if row.download_bytes
            else ""
        )
        click.echo(
            f"{row.pin.release:9} {row.pin.python:8} {row.provider!s:9} {row.state!s:12} {disk:>9} {fetch:>9}"
        )
    for row in rows:
        for image in row.images:
            click.echo(f"  {image.name}  {image.id[:19]}  {_megabytes(image.bytes)}")
    total, wheels = sum(row.bytes for row in rows), inventory.wheel_bytes()
    click.echo(
        f"{_megabytes(total)} in {sum(row.bytes > 0 for row in rows)} runtimes, {_megabytes(wheels)} in wheels that are kept"
    )


@runtime.command()
@click.argument("spec")
@click.option("--provider", type=click.Choice(_PROVIDERS), default="wheel", show_default=True)
@click.option(
    "--loader",
    "loaders",
    default="c",
    show_default=True,
    metavar="LOADER,…",
    help="Of provider docker, which has an image for c and one for the Python loaders.",
)
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--force", is_flag=True, help="Make it anew, even if it is ready.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True)
def build(  # noqa: PLR0917 - click passes them by name
    spec: str, provider: str, loaders: str, device: str, force: bool, jobs: int
) -> None:
    """Make releases ready."""
    from rich.console import Console

    from savedmodel_compat.matrix import ready
    from savedmodel_compat.report.live import Live
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider, demand_linux

    demand_linux(Provider(provider))
    pins = _select(spec, device)
    chosen = loaders_of(loaders)
    if force:
        for pin in pins:
            inventory.remove(pin, Provider(provider))
    with Live(Console(stderr=True)) as live:
        readied = ready.make_ready(
            pins,
            Provider(provider),
            jobs=jobs,
            progress=live.progress,
            loaders=chosen,
            docker=_configuration().docker,
        )
    problems = []
    for pin, got in readied:
        if isinstance(got, SavedModelCompatError):
            problems.append(got)
            click.echo(f"{pin.release} {provider}: {got}", err=True)
        else:
            click.echo(f"{got.label}: {', '.join(got.places)}")
            for problem in dict.fromkeys(got.problems.values()):
                problems.append(problem)
                click.echo(f"{pin.release} {provider}: {problem}", err=True)
    if problems:
        raise InfrastructureError(
            f"{len(problems)} of {len(readied)} releases could not be made ready"
        )


@runtime.command()
@click.argument("spec")
@click.option(
    "--provider",
    type=click.Choice(_PROVIDERS),
    multiple=True,
    help="Only this one.  [default: wheel and venv]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(spec: str, provider: tuple[str, ...], yes: bool) -> None:
    """Remove releases, and the wheels that nothing else needs."""
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider

    providers = [Provider(name) for name in provider or _IN_CACHE]
    rows = [row for row in inventory.listing(_select(spec), providers=providers) if row.bytes]
    if not rows:
        raise EmptySelectionError(f"none of {spec} is there to be removed")
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked whether to remove them", hint="add --yes")
    if not yes:
        names = ", ".join(f"{row.pin.release} {row.provider}" for row in rows)
        click.confirm(f"Remove {names}?", abort=True, err=True)
    freed = sum(inventory.remove(row.pin, row.provider) for row in rows)
    click.echo(f"{len(rows)} runtimes removed, {_megabytes(freed)} set free", err=True)


@runtime.command()
@click.argument("spec")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one file with all of them, rather than into the cache.",
)
@click.option(
    "--shipped", is_flag=True, help="Put them into the package; in a checkout of its repository."
)
@click.option("--check", is_flag=True, help="Write nothing; compare them with what is shipped.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True)
def snapshot(spec: str, output: Path | None, shipped: bool, check: bool, jobs: int) -> int:
    """Take down which ops and kernels releases register."""
    from savedmodel_compat.cache import Cache, default_root
    from savedmodel_compat.registry import keep
    from savedmodel_compat.runtimes import specs
    from savedmodel_compat.runtimes.base import Provider, demand_linux
    from savedmodel_compat.runtimes.pins import load

    if sum([output is not None, shipped, check]) > 1:
        raise UsageError("-o, --shipped and --check exclude one another")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}")
    demand_linux(Provider.WHEEL)
    # What is shipped is of the shipped pins, whatever a configuration makes of them.
    table = load() if shipped or check else _table()
    pins = specs.select(spec, table)
    if shipped:
        keep.demand_checkout(pins[0].machine)
    cache = Cache(root=default_root())
    taken = _taken(pins, cache, jobs)
    if check:
        return _compare(taken)
    if output is not None:
        keep.in_file(taken, output)
        click.echo(f"{output}: {output.stat().st_size:,} bytes", err=True)
    elif shipped:
        file, dropped = keep.in_package(taken, [pin.release for pin in table.on("cpu")])
        gone = f"; left out, since they are pinned no more: {', '.join(dropped)}" if dropped else ""
        click.echo(f"{file}: {file.stat().st_size:,} bytes{gone}", err=True)
    else:
        for registered in taken:
            click.echo(f"{registered.release}: {keep.in_cache(registered, cache)}", err=True)
    return 0


def _taken(pins: Sequence[Pin], cache: Cache, jobs: int) -> list[Registered]:
    """Take the snapshots, with a row on stdout for each; what cannot be taken ends the command."""
    from rich.console import Console

    from savedmodel_compat.matrix import ready
    from savedmodel_compat.registry import take
    from savedmodel_compat.report.live import Live
    from savedmodel_compat.runtimes.base import Provider

    with Live(Console(stderr=True)) as live:
        readied = ready.make_ready(pins, Provider.WHEEL, jobs=jobs, progress=live.progress)
    problems = [(pin, got) for pin, got in readied if isinstance(got, SavedModelCompatError)]
    runtimes = [got for _, got in readied if not isinstance(got, SavedModelCompatError)]
    taken = []
    click.echo(f"{'release':9} {'ops':>5} {'added':>5} {'kernels':>7} {'GraphDef':>8}  wheel")
    found = take.take_all(runtimes, cache, jobs=jobs)
    for runtime, registered in zip(runtimes, found, strict=True):
        if isinstance(registered, SavedModelCompatError):
            problems.append((runtime.pin, registered))
        else:
            taken.append(registered)
            click.echo(_row(registered))
    for pin, problem in problems:
        click.echo(f"{pin.release}: {problem}", err=True)
    if problems:
        raise InfrastructureError(
            f"the snapshots of {len(problems)} of {len(pins)} releases could not be taken; "
            "nothing is written"
        )
    return taken


def _row(registered: Registered) -> str:
    added = sum(map(len, registered.libraries.values()))
    kernels = sum(map(len, registered.kernels.values()))
    return (
        f"{registered.release:9} {len(registered.ops):5} {added:5} {kernels:7} "
        f"{registered.graph_def_version:8}  {registered.wheel_sha256}"
    )


def _compare(taken: Sequence[Registered]) -> int:
    """Say on stdout what tells snapshots from those that are shipped; return the exit code."""
    from savedmodel_compat.registry import keep
    from savedmodel_compat.registry.difference import differences

    known, count = keep.shipped(), 0
    for registered in taken:
        shipped = known.get(registered.release)
        if shipped is None:
            found = ["no snapshot of it is shipped"]
        else:
            found = list(differences(shipped, registered))
        count += len(found)
        for line in found:
            click.echo(f"{registered.release}: {line}")
    click.echo(f"{len(taken)} snapshots taken, {count} differences from what is shipped", err=True)
    return 1 if count else 0


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def doctor(form: str) -> int:
    """Say what this machine has, and what it lacks for which releases."""
    from savedmodel_compat.runtimes import doctor as examination

    checks = list(examination.examine(_table()))
    if form == "json":
        fields = ("name", "what", "hint")
        said = [{**{f: getattr(c, f) for f in fields}, "verdict": str(c.verdict)} for c in checks]
        click.echo(json.dumps(said, indent=1))
    else:
        for check in checks:
            click.echo(f"{check.verdict!s:5} {check.name:14} {check.what}")
            if check.hint:
                click.echo(f"{'':20} hint: {check.hint}")
    failed = any(check.verdict is examination.Verdict.FAIL for check in checks)
    return InfrastructureError.exit_code if failed else 0


def _configuration() -> Configuration:
    from savedmodel_compat import config

    return config.load()


def _table() -> PinTable:
    from savedmodel_compat.runtimes import pins

    return pins.load(_configuration())


def _select(spec: str, device: str = "cpu") -> Sequence[Pin]:
    from savedmodel_compat.runtimes import specs

    return specs.select(spec, _table(), device=device)


def _as_json(row: Row) -> dict[str, object]:
    return {
        "release": row.pin.release,
        "python": row.pin.python,
        "package": row.pin.package,
        "provider": str(row.provider),
        "device": row.pin.device,
        "state": str(row.state),
        "bytes": row.bytes,
        "download_bytes": row.download_bytes,
        "images": [
            {"name": image.name, "id": image.id, "bytes": image.bytes} for image in row.images
        ],
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"

"""The commands about runtimes: ``runtime list|build|remove`` and ``doctor``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from savedmodel_compat.errors import (
    EmptySelectionError,
    InfrastructureError,
    SavedModelCompatError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from savedmodel_compat.runtimes.inventory import Row
    from savedmodel_compat.runtimes.pins import Pin, PinTable

_PROVIDERS = ("wheel", "venv")


@click.group()
def runtime() -> None:
    """Pinned TensorFlow releases: what there is, what is ready, what it takes."""


@runtime.command(name="list")
@click.argument("spec", default="all")
@click.option(
    "--provider",
    type=click.Choice(_PROVIDERS),
    multiple=True,
    help="Only this one.  [default: all]",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def list_runtimes(spec: str, provider: tuple[str, ...], form: str) -> None:
    """List releases, whether they are ready, and what they take on disk."""
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider

    providers = [Provider(name) for name in provider or _PROVIDERS]
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
    total, wheels = sum(row.bytes for row in rows), inventory.wheel_bytes()
    click.echo(
        f"{_megabytes(total)} in {sum(row.bytes > 0 for row in rows)} runtimes, {_megabytes(wheels)} in wheels that are kept"
    )


@runtime.command()
@click.argument("spec")
@click.option("--provider", type=click.Choice(_PROVIDERS), default="wheel", show_default=True)
@click.option("--force", is_flag=True, help="Make it anew, even if it is ready.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True)
def build(spec: str, provider: str, force: bool, jobs: int) -> None:
    """Make releases ready."""
    from rich.console import Console

    from savedmodel_compat.matrix import ready
    from savedmodel_compat.report.live import Live
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider, demand_linux

    demand_linux(Provider(provider))
    pins = _select(spec)
    if force:
        for pin in pins:
            inventory.remove(pin, Provider(provider))
    with Live(Console(stderr=True)) as live:
        readied = ready.make_ready(pins, Provider(provider), jobs=jobs, progress=live.progress)
    problems = []
    for pin, got in readied:
        if isinstance(got, SavedModelCompatError):
            problems.append(got)
            click.echo(f"{pin.release} {provider}: {got}", err=True)
        else:
            click.echo(f"{got.label}: {got.folder}")
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
    help="Only this one.  [default: all]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(spec: str, provider: tuple[str, ...], yes: bool) -> None:
    """Remove releases, and the wheels that nothing else needs."""
    from savedmodel_compat.runtimes import inventory
    from savedmodel_compat.runtimes.base import Provider

    providers = [Provider(name) for name in provider or _PROVIDERS]
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


def _table() -> PinTable:
    from savedmodel_compat import config
    from savedmodel_compat.runtimes import pins

    return pins.load(config.load())


def _select(spec: str) -> Sequence[Pin]:
    from savedmodel_compat.runtimes import specs

    return specs.select(spec, _table())


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
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"

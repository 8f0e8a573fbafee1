"""The commands about what can be said of a model without running it: ``check`` and ``diff``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat.errors import EmptySelectionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from savedmodel_compat.checks.policy import Policy
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.config import Configuration
    from savedmodel_compat.report.check import Look

_FAULT = 3
# Below this many bytes a bar would only flicker.
_LONG = 500_000_000
# Whether a folder can be read is for its own report to say.
_PATH = click.Path(readable=False)
_FORMATS = ("text", "json", "github", "sarif")


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, type=_PATH)
@click.option(
    "--serving",
    is_flag=True,
    help="MODELs are base folders of TensorFlow Serving; check the version that it would serve.",
)
@click.option(
    "--target",
    metavar="SPEC",
    help="Say which of these releases load it, and why not: releases, ranges or a set.",
)
@click.option(
    "--tags", metavar="TAG,…", help="Tag set that targets load.  [default: serve, else the first]"
)
@click.option(
    "--loader",
    type=click.Choice(["c", "v1", "v2"]),
    default="c",
    show_default=True,
    help="What loads it in the targets.",
)
@click.option("--disable", metavar="RULE,…", multiple=True, help="Turn rules off; may be repeated.")
@click.option(
    "--error", metavar="RULE,…", multiple=True, help="Make errors of rules; may be repeated."
)
@click.option("--list-rules", is_flag=True, help="List the rules and do nothing else.")
@click.option(
    "--no-tensor-data", is_flag=True, help="Do not verify the checksums of the variables' data."
)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default=None,
    help="The least severity that makes the exit code 1.  [default: error]",
)
@click.option("--quiet", "-q", is_flag=True, help="Leave out the models without a finding.")
def check(  # noqa: PLR0917 - click passes them by name
    models: tuple[str, ...],
    serving: bool,
    target: str | None,
    tags: str | None,
    loader: str,
    disable: tuple[str, ...],
    error: tuple[str, ...],
    list_rules: bool,
    no_tensor_data: bool,
    form: str,
    fail_on: str | None,
    quiet: bool,
) -> int:
    """Say what is wrong with SavedModels, where, and how to mend it; nothing in them is run.

    A MODEL is the folder of a SavedModel, a base folder of TensorFlow Serving (then the version is
    checked that would be served), or a folder of such folders.
    """
    from savedmodel_compat import config

    configuration = config.load()
    policy = _policy(disable, error, configuration)
    if list_rules:
        click.echo(_rules(form, policy))
        return 0
    if not models:
        raise UsageError(
            "no model is named", hint="savedmodel-compat check MODEL..., or --list-rules"
        )
    from savedmodel_compat.checks.run import Options, check_all

    targets = () if target is None else _releases(target, configuration)
    with _Bar(models, shown=not no_tensor_data) as progress:
        options = Options(
            serving=serving,
            tensor_data=not no_tensor_data,
            policy=policy,
            progress=progress,
            targets=targets,
            tags=tuple(tags.split(",")) if tags else None,
            loader=loader,
        )
        reports = check_all(models, options)
    click.echo(_shown(reports, form, policy, quiet=quiet))
    return _exit_code(reports, fail_on or configuration.fail_on, form)


@click.command()
@click.argument("a", type=_PATH)
@click.argument("b", type=_PATH)
@click.option(
    "--fail-on",
    type=click.Choice(["signature", "ops", "variables", "any"]),
    default=None,
    help="What must not differ: if it does, the exit code is 1.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def diff(a: str, b: str, fail_on: str | None, form: str) -> int:
    """Say how SavedModel B differs from SavedModel A: signatures, ops, attrs, variables, assets, producer."""
    from savedmodel_compat.model import difference
    from savedmodel_compat.report import difference as report

    found = difference.compare_paths(a, b)
    if form == "json":
        click.echo(json.dumps(report.as_json(found), indent=1))
    else:
        click.echo(report.as_text(found))
    return int(fail_on is not None and fail_on in found.parts())


class _Bar:
    """A bar on the terminal for data that takes long to read; silent anywhere else."""

    def __init__(self, models: Sequence[str], *, shown: bool) -> None:
        self._total = sum(_data_sizes(models)) if shown and sys.stderr.isatty() else 0
        self._bar: Any = None

    def __enter__(self) -> Callable[[int], None]:
        """Begin, and return what is to be told of every stretch of data."""
        if self._total < _LONG:
            return _silent
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("verifying checksums", total=self._total)
        return lambda size: self._bar.advance(task, size)

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()


def _silent(size: int) -> None:
    """Take notice of nothing."""


def _data_sizes(models: Sequence[str]) -> Iterator[int]:
    """Yield the sizes of the shards of models, of their versions, and of models in a folder."""
    for model in models:
        for pattern in ("", "*/", "*/*/"):
            for file in Path(model).glob(f"{pattern}variables/variables.data-*"):
                try:
                    yield file.lstat().st_size
                except OSError:
                    continue  # the check itself says what is wrong with it


def _policy(disable: Sequence[str], error: Sequence[str], configuration: Configuration) -> Policy:
    """Return what holds: the command line, then the configuration."""
    from savedmodel_compat.checks.policy import Policy

    said = Policy.of(disable=disable, error=error)
    return said.over(Policy.of_configuration(configuration))


def _releases(spec: str, configuration: Configuration) -> tuple[str, ...]:
    """Return the releases of a spec, oldest first."""
    from savedmodel_compat.runtimes import pins, specs

    return tuple(pin.release for pin in specs.select(spec, pins.load(configuration)))


def _rules(form: str, policy: Policy) -> str:
    from savedmodel_compat.report import check as report

    if form == "text":
        return report.rules_text(policy)
    if form == "json":
        return json.dumps(report.rules_record(policy), indent=1)
    raise UsageError(f"--list-rules has no format {form}", hint="--format text or --format json")


def _shown(reports: list[Report], form: str, policy: Policy, *, quiet: bool) -> str:
    from savedmodel_compat.report import check as report

    if form == "text":
        return report.as_text(reports, policy, _look(quiet=quiet))
    if form == "json":
        return json.dumps(report.as_record(reports, policy), indent=1)
    from savedmodel_compat.report import github, sarif

    if form == "github":
        return github.as_annotations(reports, root=Path.cwd())
    return json.dumps(sarif.as_sarif(reports, root=Path.cwd()), indent=1)


def _look(*, quiet: bool) -> Look:
    from savedmodel_compat.report.check import Look

    if not sys.stdout.isatty():
        return Look(quiet=quiet)
    return Look(
        width=shutil.get_terminal_size().columns,
        styled=not os.environ.get("NO_COLOR"),
        quiet=quiet,
    )


def _exit_code(reports: list[Report], fail_on: str, form: str) -> int:
    # One fault of ours may show in many models; it is told once.
    faults = dict.fromkeys(fault for report in reports for fault in report.faults)
    if faults:
        for fault in faults:
            click.echo(fault, err=True)
        click.echo(
            "error: this is a fault of savedmodel-compat; the lines above belong in a report",
            err=True,
        )
        return _FAULT
    errors = [report.error for report in reports if report.error is not None]
    if errors:
        if form in {"json", "sarif"}:
            for error in errors:
                click.echo(f"error: {error}", err=True)
        return min(error.exit_code for error in errors)
    if not reports:
        return EmptySelectionError.exit_code
    return int(any(report.failing(fail_on) for report in reports))

"""The command line: reads options, calls the library, maps errors to exit codes. Data to stdout, all else to stderr."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from savedmodel_compat import (
    __version__,
    _cli_check,
    _cli_gate,
    _cli_golden,
    _cli_run,
    _cli_runtime,
    _cli_strip,
)
from savedmodel_compat.errors import InfrastructureError, SavedModelCompatError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 2
_FAULT = 3
_USAGE = 4
_PIPE_CLOSED = 141
_FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Run the command line and exit; the entry point of the command ``savedmodel-compat``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what stands after the command's name.
    """
    _make_streams_safe()
    with _termination_interrupts():
        return _ended(arguments)


def _ended(arguments: Sequence[str]) -> int:
    try:
        return _exit_code(
            cli.main(args=list(arguments), prog_name="savedmodel-compat", standalone_mode=False)
        )
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return _USAGE
    except BaseException as error:  # noqa: BLE001 - every end has its exit code
        return _report(error)


def _make_streams_safe() -> None:
    """Give every standard stream a place, and let none stumble over a character that it cannot write."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - to the end
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Make SIGTERM an interrupt, so that whoever stops a run that way finds its record, and nothing of it left."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit_code(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def _report(error: BaseException) -> int:
    """Say on stderr what ended the command, and return its exit code."""
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError | SystemExit):
        # Whoever read our output has seen enough; say nothing more to it. click and rich make an exit of it, we never do.
        sys.stdout = None
        return _PIPE_CLOSED
    if isinstance(error, OSError) and error.errno in _FULL:
        error = InfrastructureError(f"the output cannot be written: {error.strerror}")
        # Python would try to write the rest once more when it ends, and end with a status of its own.
        sys.stdout = None
    if isinstance(error, SavedModelCompatError):
        from savedmodel_compat.report.inspect import printable

        # A model chooses the names that stand in the text; the terminal must survive them.
        for line in f"error: {error}".split("\n"):
            click.echo(printable(line), err=True)
        return error.exit_code
    import traceback

    traceback.print_exception(error)
    click.echo(
        "\nerror: this is a fault of savedmodel-compat; the lines above belong in a report",
        err=True,
    )
    return _FAULT


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="savedmodel-compat")
def cli() -> None:
    """Will this SavedModel load, and answer the same, in every TensorFlow that has to serve it?"""


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--digest", is_flag=True, help="Also print the SHA-256 of every file, and of the whole."
)
def inspect(model: Path, form: str, digest: bool) -> None:
    """Show what a SavedModel holds, without TensorFlow."""
    from savedmodel_compat.model import files, fingerprint, parse, payloads, read
    from savedmodel_compat.report import inspect as report

    saved = read(model, tensor_data=False)
    # The hash of a large file takes its time; who asks for digests has it.
    hashes = fingerprint.verify(saved, limit=parse.SIZE_LIMIT if digest else payloads.SMALLEST_FILE)
    manifest = files.manifest(saved.path) if digest else ()
    sha256 = files.digest_of(manifest) if digest else None
    if form == "json":
        import json

        shown = report.as_json(saved, sha256, manifest=manifest, hashes=hashes)
        click.echo(json.dumps(shown, indent=1))
    else:
        click.echo(report.as_text(saved, sha256, manifest=manifest, hashes=hashes))


cli.add_command(_cli_run.run)
cli.add_command(_cli_run.matrix)
cli.add_command(_cli_run.export)
cli.add_command(_cli_check.check)
cli.add_command(_cli_check.diff)
cli.add_command(_cli_strip.strip)
cli.add_command(_cli_golden.golden)
cli.add_command(_cli_gate.expectations)
cli.add_command(_cli_gate.floors)
cli.add_command(_cli_runtime.runtime)
cli.add_command(_cli_runtime.doctor)

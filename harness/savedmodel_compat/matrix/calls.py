"""Calls of functions of one's own inside releases: for what a user does with TensorFlow that no signature says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UsageError, WorkerError
from savedmodel_compat.runtimes.requests import Call, Limits
from savedmodel_compat.runtimes.verdicts import Failure, Verdict
from savedmodel_compat.runtimes.wire import Arrays

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.client import Worker

_LOG = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What became of a call in one release.

    Args:
        release: where.
        arrays: what the function returned, by name.
        failure: what it raised, or how its process ended; None if it returned.
        seconds: wall-clock time of its process.
        log: the end of what it printed.
    """

    release: str
    arrays: Arrays = field(default_factory=dict)
    failure: Failure | None = None
    seconds: float = 0.0
    log: str = ""


def parse(text: str, root: Path) -> tuple[Path, str]:
    """Return the file and the function that ``FILE.py::function`` names.

    Args:
        text: the two; the file relative to ``root``.
        root: a folder.

    Raises:
        UsageError: it is not of that form, or there is no such file.
    """
    name, separator, function = text.partition("::")
    if not separator or not function.isidentifier():
        raise UsageError(
            f"'{text}' names no function",
            hint="name it as FILE.py::function, the file relative to pytest's rootdir",
        )
    file = (root / name).absolute()
    if not file.is_file():
        raise UsageError(f"'{text}': there is no file {file}")
    return file, function


def call(
    worker: Worker, release: str, target: tuple[Path, str], arguments: Mapping[str, object]
) -> Called:
    """Call a function in a forked child of a release.

    Args:
        worker: a Python worker of the release.
        release: what it is called.
        target: the file and the function; it returns a dict of arrays by name.
        arguments: by name, of what JSON has.

    Raises:
        WorkerError: the release could not be started, or its worker was lost.
    """
    work = Call(file=target[0], function=target[1], arguments=arguments)
    verdict = worker.call(work, Limits(seconds=600.0, megabytes=0))
    if verdict.worker_lost is not None:
        raise WorkerError(f"the worker of {release} was lost in a call: {verdict.worker_lost}")
    return Called(
        release=release,
        arrays=dict(verdict.payload),
        failure=verdict.failure or _end(verdict),
        seconds=verdict.seconds.get("cell", 0.0),
        log=verdict.log[-_LOG:],
    )


def _end(verdict: Verdict) -> Failure | None:
    """Return how a process ended that neither returned nor raised."""
    if verdict.completed:
        return None
    if verdict.timed_out:
        return Failure(text=f"it did not end in {verdict.seconds['cell']:.0f} s", type="TimeOut")
    if verdict.signal is not None:
        return Failure(text=f"its process ended with signal {verdict.signal}", type="Signal")
    return Failure(text=f"its process ended with exit status {verdict.status}", type="Exit")

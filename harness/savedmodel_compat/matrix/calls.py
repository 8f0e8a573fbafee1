"""Calls of functions of one's own inside releases: for what a user does with TensorFlow that no signature says."""

from __future__ import annotations

import os
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
SECONDS = 600.0
"""That a call may take, wall-clock."""


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


def sendable(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return a function's arguments as they travel: paths as text, all else as it is.

    Args:
        arguments: by name.

    Raises:
        UsageError: one holds what JSON has not, and what would arrive as something else or not at all.
    """
    try:
        return {name: _sendable(name, value) for name, value in arguments.items()}
    except RecursionError:
        raise UsageError("savedmodel_call: an argument holds itself, or is too deep") from None


def _sendable(where: str, value: object) -> object:
    # By the very type: of a subclass JSON keeps the value at best.
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return _sendable(where, path)
    if type(value) is list:
        return [_sendable(f"{where}[{at}]", each) for at, each in enumerate(value)]
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise _unsendable(f"a key of {where}, {key!r},", key)
        return {key: _sendable(f"{where}[{key!r}]", each) for key, each in value.items()}
    raise _unsendable(where, value)


def _unsendable(where: str, value: object) -> UsageError:
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return UsageError(
        f"savedmodel_call: {where} is of type {name}, which does not travel as it is",
        hint="give None, bools, numbers, text, paths, lists, and dicts whose keys are text; of an array `.tolist()`, of a "
        "tuple `list(…)`",
    )


def call(
    worker: Worker, release: str, target: tuple[Path, str], arguments: Mapping[str, object]
) -> Called:
    """Call a function in a forked child of a release.

    Args:
        worker: a Python worker of the release.
        release: what it is called.
        target: the file and the function; it returns a dict of arrays by name.
        arguments: by name, as `sendable` returns them.

    Raises:
        UsageError: the file has no such function.
        WorkerError: the release could not be started, or its worker was lost.
    """
    work = Call(file=target[0], function=target[1], arguments=arguments)
    verdict = worker.call(work, Limits(seconds=SECONDS, megabytes=0))
    if verdict.worker_lost is not None:
        raise WorkerError(f"the worker of {release} was lost in a call: {verdict.worker_lost}")
    if verdict.failure is not None and "NoSuchFunction" in verdict.failure.types:
        raise UsageError(f"{target[0]}: {verdict.failure.text}")
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

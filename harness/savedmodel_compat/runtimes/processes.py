"""What the controller has done by others and may have to stop: child processes, and waiting for an engine."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from savedmodel_compat.errors import InfrastructureError

_LEASH = Path(__file__).with_name("_leash.py")
_TICK_SECONDS = 0.1
_TAIL_LINES = 15

_T = TypeVar("_T")

_running: set[subprocess.Popen[str]] = set()
_waiting: set[queue.SimpleQueue[BaseException | None]] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that has ended.

    Args:
        command: what was run.
        returncode: the exit status; negative for a signal.
        stdout: what it wrote to its standard output.
        stderr: what it wrote to its standard error.
    """

    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def tail(self) -> str:
        """Return the last lines of standard error, or of standard output if that is empty."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    @property
    def disk_is_full(self) -> bool:
        """Return whether the command says that it found no space on the disk."""
        return "No space left on device" in self.stderr or "Disk quota exceeded" in self.stderr

    def describe(self) -> str:
        """Return how it ended, with its last lines, for the text of an error."""
        how = f"signal {-self.returncode}" if self.returncode < 0 else f"exit {self.returncode}"
        return f"`{self.command[0]}` ended with {how}:\n{self.tail or '(it wrote nothing)'}"


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    tick: Callable[[], None] | None = None,
) -> Completed:
    """Run ``command`` to its end and return how it ended.

    It is in a process group of its own. That group is killed if this call is interrupted or takes
    too long, and Linux kills the command when the calling thread dies, whatever kills it.

    Args:
        command: the program, looked up on PATH, and its arguments.
        environment: the whole environment; that of the controller if None.
        timeout: the seconds that it may take.
        tick: called ten times a second while the command runs.

    Raises:
        InfrastructureError: there is no such program, or it took more than ``timeout`` seconds.
    """
    program = shutil.which(command[0])
    if program is None:
        raise InfrastructureError(f"`{command[0]}` is not there, or cannot be executed")
    arguments = (program, *map(str, command[1:]))
    with subprocess.Popen(
        _leashed(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        _running.add(process)
        try:
            stdout, stderr = _wait(process, timeout, tick)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise InfrastructureError(
                f"`{' '.join(arguments[:4])} …` took more than {timeout:g} s and was stopped",
            ) from error
        except BaseException:
            _kill(process)
            raise
        finally:
            _running.discard(process)
    return Completed(
        command=arguments,
        returncode=process.returncode,
        stdout=stdout,
        stderr=stderr,
    )


def wait_for(work: Callable[[], _T]) -> _T:
    """Do what others may take long to do and nobody can kill, and wait for its end, or until everything is stopped.

    What is stopped so goes on until this process ends.

    Args:
        work: done on a thread of its own.

    Raises:
        InfrastructureError: the user wants to stop.
    """
    ends: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    done: list[_T] = []

    def serve() -> None:
        try:
            done.append(work())
            ends.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            ends.put(error)

    _waiting.add(ends)
    try:
        threading.Thread(target=serve, daemon=True).start()
        error = ends.get()
    finally:
        _waiting.discard(ends)
    if error is not None:
        raise error
    return done[0]


def stop_all() -> None:
    """Kill every command that runs now, and wait for nobody, on whichever thread: the user wants to stop."""
    for process in list(_running):
        _kill(process)
    for ends in list(_waiting):
        ends.put(InfrastructureError("it was stopped by the user"))


def _leashed(arguments: tuple[str, ...]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return arguments
    return (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *arguments)


def _wait(
    process: subprocess.Popen[str],
    timeout: float | None,
    tick: Callable[[], None] | None,
) -> tuple[str, str]:
    if tick is None:
        return process.communicate(timeout=timeout)
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return process.communicate(timeout=_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            if end is not None and time.monotonic() > end:
                raise
        tick()


def _kill(process: subprocess.Popen[str]) -> None:
    # The leader may be gone while others of its group are not.
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()

"""Whose containers are whose, and the end of those whose run is over.

Everything that is made in an engine carries the run and its owner: a process, told apart from every later one of its number by
when it started, in which process namespace and since which boot.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.facts import State, Volume
from savedmodel_compat.runtimes.labels import OWNER, RUN

_LOGGER = logging.getLogger("savedmodel_compat")
_STRANGER_ENDED = timedelta(minutes=10)
_STRANGER_UNSTARTED = timedelta(hours=24)
_STARTED_AT = 19
"""Field of /proc/PID/stat, counted from the one behind the name: when the process started, in ticks since boot."""


@lru_cache(maxsize=1)
def _run_of(pid: int) -> str:
    del pid  # a forked child is a run of its own
    return uuid.uuid4().hex[:16]


def run() -> str:
    """Return the name of this process's run."""
    return _run_of(os.getpid())


def owner(pid: int | None = None) -> str:
    """Return the name of a process that no other will ever have; this one if None."""
    number = os.getpid() if pid is None else pid
    return f"{_machine()}.{number}.{_started(number) or 0}"


def labels() -> Mapping[str, str]:
    """Return the labels of everything that this process makes in an engine."""
    return {RUN: run(), OWNER: owner()}


def is_over(name: str) -> bool | None:
    """Tell whether the process that an owner's name means has ended; None if it is of another machine, or hidden."""
    machine, _, rest = name.partition(".")
    number, _, started = rest.partition(".")
    if machine != _machine() or not number.isdecimal():
        return None
    now = _started(int(number))
    if now is None and _is_hidden(int(number)):
        return None
    return str(now) != started


def sweep(engine: Engine) -> int:
    """Remove what dead runs have left in an engine; return how many things that were.

    What belongs to a run of another machine is left while its container runs, or may still be looked at.

    Raises:
        EngineError: the engine does not answer.
    """
    count = 0
    for container in engine.containers(RUN):
        state = engine.state(container)
        if state is not None and _is_leftover(state):
            count += _removed(engine.remove, container)
    for volume in engine.volumes(RUN):
        if _is_left(volume, engine):
            count += _removed(engine.remove_volume, volume.name)
    return count


def _removed(remove: Callable[[str], None], name: str) -> bool:
    """Remove something, or leave it to the next sweep: another run may be at the same just now."""
    try:
        remove(name)
    except EngineError as error:
        _LOGGER.info("a dead run's leftover stays: %s", error.message)
        return False
    return True


def end(engine: Engine, name: str) -> None:
    """Remove everything of one run.

    Args:
        engine: where it is.
        name: of the run.
    """
    for container in engine.containers(f"{RUN}={name}"):
        engine.remove(container)
    for volume in engine.volumes(f"{RUN}={name}"):
        engine.remove_volume(volume.name)


def sweep_folders(parent: Path) -> None:
    """Remove the folders, named by their owners, of processes that have ended.

    Those of another machine, or of this one before it was started anew, go a day after they were last added to.
    """
    if not parent.is_dir():
        return
    for folder in parent.iterdir():
        over = is_over(folder.name.rpartition("@")[0])
        if over is None:
            # Somebody else may have removed it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - folder.stat().st_mtime
                over = age > _STRANGER_UNSTARTED.total_seconds()
        if over:
            shutil.rmtree(folder, ignore_errors=True)


def _is_leftover(state: State) -> bool:
    over = is_over(state.labels.get(OWNER, ""))
    if over is not None:
        return over
    if state.running:
        return False
    return _age(state.created) > (_STRANGER_UNSTARTED if state.is_unstarted else _STRANGER_ENDED)


def _is_left(volume: Volume, engine: Engine) -> bool:
    over = is_over(volume.labels.get(OWNER, ""))
    if over is not None:
        return over
    # As long as its run lives, so does the container that fills it.
    run_of_it = f"{RUN}={volume.labels.get(RUN, '')}"
    return _age(volume.created) > _STRANGER_UNSTARTED and not engine.containers(run_of_it)


def _age(created: str) -> timedelta:
    """Return how long ago something was made, to the day where an engine writes its own time zone; none if it does not say."""
    now = datetime.now(timezone.utc)
    try:
        return now - datetime.strptime(created[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=now.tzinfo)
    except ValueError:
        return timedelta()


@lru_cache(maxsize=1)
def _machine() -> str:
    boot = _first_line(Path("/proc/sys/kernel/random/boot_id")).replace("-", "")
    try:
        space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        space = "0"
    return f"{boot[:12] or uuid.getnode():}-{space}"


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None if there is none."""
    line = _first_line(Path(f"/proc/{pid}/stat"))
    fields = line.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not looked yet.
    if len(fields) <= _STARTED_AT or fields[0] in {"Z", "X"}:
        return None
    return int(fields[_STARTED_AT])


def _is_hidden(pid: int) -> bool:
    """Tell whether there is such a process, of another user, whom this system's /proc keeps to itself."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not Path(f"/proc/{pid}").exists()
    except OSError:
        return False
    return False


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return ""

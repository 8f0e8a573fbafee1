"""The memory and the CPU time of processes, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path

from savedmodel_compat.errors import SavedModelCompatError

_PROC = Path("/proc")


def resident(pid: int | None = None) -> float:
    """Return the resident memory of a process in MB (VmRSS).

    Args:
        pid: the process; this one if None.

    Raises:
        SavedModelCompatError: it has ended.
    """
    try:
        status = (_PROC / str(pid or os.getpid()) / "status").read_text("utf-8")
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    except (FileNotFoundError, ValueError) as error:
        raise SavedModelCompatError(f"process {pid} ended before it was looked at") from error
    return int(line.split()[1]) / 1024


def only_child() -> int:
    """Return the id of the one process that this one has started and that still runs.

    Raises:
        SavedModelCompatError: there is none, or there are several.
    """
    found = [int(stat.parent.name) for stat in _PROC.glob("[0-9]*/stat") if _is_child(stat)]
    if len(found) != 1:
        raise SavedModelCompatError(f"one child process was expected, and there are {len(found)}")
    return found[0]


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all that it has started and waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _is_child(stat: Path) -> bool:
    try:
        # The name, in parentheses, may hold anything; behind it are the state and the parent.
        state, parent = stat.read_text("utf-8").rpartition(")")[2].split()[:2]
    except FileNotFoundError:
        return False  # it ended meanwhile
    return int(parent) == os.getpid() and state != "Z"

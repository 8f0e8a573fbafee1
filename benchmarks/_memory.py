"""The memory of processes, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def resident(pid: int | None = None) -> float:
    """Return the resident memory of a process in MB (VmRSS); of this one if ``pid`` is None."""
    status = (_PROC / str(pid or os.getpid()) / "status").read_text("utf-8")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kilobytes) / 1024


def children() -> list[int]:
    """Return the ids of the processes that this one has started and that still run."""
    return [int(stat.parent.name) for stat in _PROC.glob("[0-9]*/stat") if _is_child(stat)]


def _is_child(stat: Path) -> bool:
    try:
        # The name, in parentheses, may hold anything; behind it are the state and the parent.
        state, parent = stat.read_text("utf-8").rpartition(")")[2].split()[:2]
    except FileNotFoundError:
        return False  # it ended meanwhile
    return int(parent) == os.getpid() and state != "Z"

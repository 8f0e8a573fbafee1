"""How a process that gave no answer ended, in words."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.verdicts import Verdict

# An allocation that fails below TensorFlow ends in an abort; these lines before it tell it from a CHECK failure.
_MEMORY_SIGNS = (
    "bad_alloc",
    "Resource temporarily unavailable",
    "pthread_create() failed",
    "MemoryError",
)
_CHECK_SIGNS = ("Check failed", "CHECK", "F tensorflow", "terminate called", "F0000", "Fatal")


def cause_and_message(verdict: Verdict) -> tuple[str, str]:
    """Return the cause's id, and what happened in words.

    Args:
        verdict: of a child that broke off.
    """
    if verdict.out_of_processes and not verdict.out_of_memory:
        return "crashed", (
            f"{_end(verdict)}; its container has as many processes and threads as it may (`processes` "
            "in [tool.savedmodel-compat.docker])"
        )
    if verdict.timed_out:
        return "timed-out", f"no answer after {verdict.seconds['cell']:.1f} s"
    if _is_memory(verdict):
        return "out-of-memory", f"{_end(verdict)}; {_telling_line(verdict.log, _MEMORY_SIGNS)}"
    return "crashed", f"{_end(verdict)}; {_telling_line(verdict.log, _CHECK_SIGNS)}"


def _is_memory(verdict: Verdict) -> bool:
    if verdict.out_of_memory:
        return True
    return verdict.signal != signal.SIGKILL and any(sign in verdict.log for sign in _MEMORY_SIGNS)


def _end(verdict: Verdict) -> str:
    if verdict.signal is None:
        return f"the process ended with status {verdict.status} and no answer"
    named = verdict.signal in {number.value for number in signal.Signals}
    name = signal.Signals(verdict.signal).name if named else f"signal {verdict.signal}"
    return f"the process was ended by {name}"


def _telling_line(log: str, signs: tuple[str, ...]) -> str:
    """Return the line that says why; the last line of a crash may be a stack frame."""
    lines = [line for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if any(sign in line for sign in signs)]
    return telling[0] if telling else (lines[-1] if lines else "it printed nothing")

"""A process that outlives the controller by a moment, to remove what it may have left in the engine.

It is started with the controller's first container, waits for the end of its standard input, which only the controller's end
brings, however it ends, and removes everything of that run. What survives even this is swept at the next start.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

from savedmodel_compat.errors import SavedModelCompatError

NOTHING_LEFT = b"."
"""What a controller that has cleaned up behind itself says last."""


def start(run: str) -> subprocess.Popen[bytes]:
    """Start the watcher of a run.

    Args:
        run: its name.
    """
    return subprocess.Popen(
        [sys.executable, "-m", __name__, run],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # An interrupt at the terminal is for the controller alone.
        start_new_session=True,
    )


def main(run: str) -> None:
    """Wait for the controller's end, then remove what is left of its run."""
    if sys.stdin.buffer.read() == NOTHING_LEFT:
        return
    from savedmodel_compat.runtimes.containers import engine, life

    # Nobody is left to be told; the next start of any run sweeps.
    with contextlib.suppress(SavedModelCompatError):
        life.end(engine.connect(), run)


if __name__ == "__main__":
    main(sys.argv[1])

"""A process that outlives the controller by a moment, to remove what it may have left in the engine.

It is started with the controller's first container, waits for the end of its standard input, which only the controller's end
brings, however it ends, and removes everything of that run, unless the controller says that it has. What survives even this is
swept at the next start.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

from savedmodel_compat.errors import SavedModelCompatError

_NOTHING_LEFT = b"."
_PAUSES = (0.0, 0.5, 2.0)
_CODE = f"import sys; sys.path[:] = sys.argv[2:]; from {__name__} import main; main(sys.argv[1])"


def start(run: str) -> subprocess.Popen[bytes]:
    """Start the watcher of a run.

    Args:
        run: its name.
    """
    return subprocess.Popen(
        # What the controller imports, and from there: the working directory may hold a docker.py of its own.
        [sys.executable, "-c", _CODE, run, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # An interrupt at the terminal is for the controller alone.
        start_new_session=True,
    )


def end(watcher: subprocess.Popen[bytes], *, nothing_left: bool) -> None:
    """Let a watcher go.

    Args:
        watcher: what `start` gave.
        nothing_left: whether it has nothing to do; else it outlives this, and nobody waits for it.
    """
    assert watcher.stdin is not None
    # Somebody may have killed it.
    with contextlib.suppress(BrokenPipeError):
        watcher.stdin.write(_NOTHING_LEFT if nothing_left else b"")
        watcher.stdin.close()
    if nothing_left:
        watcher.wait()


def main(run: str) -> None:
    """Wait for the controller's end, then remove what is left of its run."""
    if sys.stdin.buffer.read() == _NOTHING_LEFT:
        return
    from savedmodel_compat.runtimes.containers import connection, life, shelf

    # Nobody is left to be told; the next start of any run sweeps.
    with contextlib.suppress(SavedModelCompatError):
        found = connection.connect()
        for pause in _PAUSES:
            # What the controller ordered in its last moment may be made only now.
            time.sleep(pause)
            with contextlib.suppress(SavedModelCompatError):
                life.end(found, run)
    shelf.sweep()

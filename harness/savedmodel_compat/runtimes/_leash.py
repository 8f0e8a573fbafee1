"""Run a command that dies with the process that asked for it, even if that one is killed.

Run as a file, ``python -I -S _leash.py PARENT COMMAND...``: it asks Linux for a kill at the
parent's death, makes sure that the parent is still ``PARENT``, and becomes the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command in ``arguments[1:]`` on behalf of the process ``arguments[0]``."""
    parent, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    # The parent may have died before the request.
    if os.getppid() == int(parent):
        os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])

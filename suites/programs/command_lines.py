"""Runs a console script of an environment several times: ``python command_lines.py SCRIPT MODULE`` (CPython 3.6 and later).

Standard input has the argument lists as JSON, standard output gets a status and what was printed of each. The module is what the
script is about; it is imported once, which takes seconds, and each run is a forked child.
"""

import importlib
import json
import os
import runpy
import sys
import tempfile
from typing import Any, Dict, List


def _run(script: str, arguments: List[str]) -> int:
    """Run the script in this process, as its interpreter would; return the status."""
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write("%s\n" % ended.code)
        return 1
    return 0


def _forked(script: str, arguments: List[str]) -> Dict[str, Any]:
    """Return the status of a child that runs the script, and what it printed."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(printed.fileno(), 1)
                os.dup2(printed.fileno(), 2)
                status = _run(script, arguments)
            except BaseException:  # noqa: BLE001 - the child tells whatever ended the script
                sys.stdout.flush()
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        printed.seek(0)
        text = printed.read().decode("utf-8", "replace")
    return {
        "status": os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else -os.WTERMSIG(ended),
        "text": text,
    }


if __name__ == "__main__":
    importlib.import_module(sys.argv[2])
    commands = json.load(sys.stdin)
    json.dump([_forked(sys.argv[1], arguments) for arguments in commands], sys.stdout)

"""Tests of the children of the controller: how they end, and that they never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import processes

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
CONTROLLER = """
import sys
from savedmodel_compat.runtimes import processes
processes.run([sys.executable, "-c", sys.argv[1], sys.argv[2]])
"""


def python(code: str, *arguments: str) -> list[str]:
    """Return the command that runs ``code``."""
    return [sys.executable, "-c", code, *arguments]


def pid_in(path: Path) -> int:
    """Wait for a child to write its process id there."""
    for _ in range(200):
        if path.is_file() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"no process has written to {path}")


def is_gone(pid: int) -> bool:
    """Wait for a process to end; one that nobody has reaped yet has ended."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_both_outputs_and_the_status_are_kept() -> None:
    """They are not mixed."""
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = processes.run(python(code))
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_the_environment_can_be_replaced() -> None:
    """What is not given is not there."""
    done = processes.run(python("import os; print(os.environ)"), environment={"ONLY": "this"})
    assert "'ONLY': 'this'" in done.stdout
    assert "'PATH'" not in done.stdout


def test_a_description_ends_with_the_last_lines() -> None:
    """The beginning of a long log is left out."""
    code = "import sys; [print('line', i, file=sys.stderr) for i in range(100)]; sys.exit(1)"
    text = processes.run(python(code)).describe()
    assert "exit 1" in text
    assert text.endswith("line 99")
    assert "line 10\n" not in text


def test_a_signal_is_called_so() -> None:
    """A negative status is no exit status."""
    done = processes.run(python("import os; os.kill(os.getpid(), 11)"))
    assert "signal 11" in done.describe()


def test_a_full_disk_is_recognised_in_what_a_tool_says() -> None:
    """The words are the system's, and pip and uv print them."""
    code = "import os, sys, errno; sys.exit(f'OSError: {os.strerror(errno.ENOSPC)}')"
    assert processes.run(python(code)).disk_is_full
    assert not processes.run(python("pass")).disk_is_full


def test_a_program_that_is_not_there_is_an_error() -> None:
    """Its name is in the text."""
    with pytest.raises(InfrastructureError, match="no-such-program"):
        processes.run(["no-such-program", "--version"])


def test_a_command_is_watched_while_it_runs() -> None:
    """The tick comes several times a second."""
    ticks: list[float] = []
    processes.run(python("import time; time.sleep(0.6)"), tick=lambda: ticks.append(time.time()))
    assert len(ticks) >= 3


@pytest.mark.parametrize("watched", [False, True])
def test_a_command_that_takes_too_long_is_killed(tmp_path: Path, *, watched: bool) -> None:
    """The error says the limit, and the process is gone."""
    mark = tmp_path / "pid"
    tick = (lambda: None) if watched else None
    with pytest.raises(InfrastructureError, match=r"more than 1\.5 s"):
        processes.run(python(SLEEPER, str(mark)), timeout=1.5, tick=tick)
    assert is_gone(pid_in(mark))


def test_an_interruption_kills_the_whole_group(tmp_path: Path) -> None:
    """A grandchild does not stay behind."""
    mark = tmp_path / "pid"
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}, sys.argv[1]])"
    )

    def interrupt() -> None:
        if mark.is_file() and mark.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.run(python(code, str(mark)), tick=interrupt)
    assert is_gone(pid_in(mark))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_killed_controller_takes_its_child_with_it(tmp_path: Path) -> None:
    """Even SIGKILL, which nobody can handle, leaves no orphan."""
    mark = tmp_path / "pid"
    controller = subprocess.Popen(python(CONTROLLER, SLEEPER, str(mark)))
    child = pid_in(mark)
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    assert is_gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_command_of_a_controller_that_is_gone_is_not_run(tmp_path: Path) -> None:
    """The leash compares its parent with the one it was given."""
    leash = Path(processes.__file__).with_name("_leash.py")
    mark = tmp_path / "pid"
    subprocess.run([sys.executable, str(leash), "1", *python(SLEEPER, str(mark))], check=True)
    assert not mark.exists()

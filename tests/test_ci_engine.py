"""Tests of what starts a Docker engine for the checks, with a dockerd and a docker that only pretend."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / ".ci"
SCRIPTS = sorted(path.name for path in FOLDER.iterdir())

DOCKER = """#!/bin/bash
[ -e "$PRETENCE/answers" ] || exit 1
echo 20.10
"""
DOCKERD = """#!/bin/bash
echo "$@" >>"$PRETENCE/arguments"
trap 'rm -f "$PRETENCE/answers"; exit' TERM
[ -e "$PRETENCE/broken" ] && { echo 'no such graph driver'; exit 1; }
[ -e "$PRETENCE/silent" ] || touch "$PRETENCE/answers"
while :; do sleep 0.1; done
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("flock") is None,
    reason="only root on Linux starts an engine",
)


@pytest.fixture
def pretence(tmp_path: Path) -> Path:
    """Return the folder with the programs, and with what they have been told."""
    for name, text in (("docker", DOCKER), ("dockerd", DOCKERD)):
        program = tmp_path / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(pretence: Path) -> dict[str, str]:
    """Return the variables for the script, which touch nothing of this machine."""
    inherited = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    return {
        **inherited,
        "PATH": f"{pretence}{os.pathsep}{os.environ['PATH']}",
        "PRETENCE": str(pretence),
        "ENGINE_STATE": str(pretence / "state"),
        "ENGINE_ARGUMENTS": f"--pidfile={pretence}/pid --exec-root={pretence}/exec",
        "ENGINE_SECONDS": "20",
    }


@pytest.fixture
def engine(pretence: Path, environment: dict[str, str]) -> Iterator[Run]:
    """Call the script, and leave no process behind."""

    def call(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FOLDER / "engine", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**environment, **changes},
        )

    yield call
    (pretence / "silent").unlink(missing_ok=True)
    call("stop")


def started(pretence: Path) -> int:
    """Return the process that the script notes that it has started."""
    return int((pretence / "state" / "started").read_text(encoding="utf-8").split()[0])


def runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_parsed_and_run(script: str) -> None:
    """An error of syntax would show only where they are needed."""
    path = FOLDER / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True, timeout=10)


def test_an_engine_that_answers_is_left_alone(engine: Run, pretence: Path) -> None:
    """None is started beside it, and it is not stopped."""
    (pretence / "answers").touch()
    done = engine()
    assert (done.returncode, done.stdout) == (0, "a Docker engine 20.10 answers already\n")
    assert engine("stop").stdout == ""
    assert (pretence / "answers").exists()
    assert not (pretence / "arguments").exists()


def test_an_engine_is_started_and_stopped(engine: Run, pretence: Path) -> None:
    """It has ended when the script has, and a second stop finds nothing to do."""
    done = engine()
    assert done.returncode == 0, done.stderr
    pid = started(pretence)
    assert f"started dockerd ({pid})" in done.stdout
    assert "a Docker engine 20.10 answers" in done.stdout
    assert engine().stdout == "a Docker engine 20.10 answers already\n"
    assert engine("stop").stdout == f"stopped the Docker engine (dockerd {pid})\n"
    assert not runs(pid)
    assert engine("stop").stdout == ""


def test_the_network_of_the_machine_is_left_as_it_is(engine: Run, pretence: Path) -> None:
    """No container here has one."""
    assert engine().returncode == 0
    told = (pretence / "arguments").read_text(encoding="utf-8").split()
    assert {"--bridge=none", "--iptables=false", "--ip-forward=false"} <= set(told)


def test_an_engine_that_ends_at_once_says_why(engine: Run, pretence: Path) -> None:
    """What it wrote last is in the error."""
    (pretence / "broken").touch()
    done = engine()
    assert done.returncode == 1
    assert "ended\n" in done.stderr
    assert done.stderr.endswith("no such graph driver\n")


def test_waiting_for_an_answer_ends(engine: Run, pretence: Path) -> None:
    """What does not answer can still be stopped."""
    (pretence / "silent").touch()
    done = engine(ENGINE_SECONDS="1")
    assert done.returncode == 1
    assert "does not answer within 1 s" in done.stderr
    pid = started(pretence)
    assert runs(pid)
    assert engine("stop").returncode == 0
    assert not runs(pid)


def test_an_own_engine_that_is_half_dead_is_replaced(engine: Run, pretence: Path) -> None:
    """Even if it does not listen to a friendly signal."""
    assert engine().returncode == 0
    first = started(pretence)
    os.kill(first, signal.SIGSTOP)
    (pretence / "answers").unlink()
    done = engine(ENGINE_SECONDS="5")
    assert done.returncode == 0, done.stderr
    assert f"dockerd ({first}), started here earlier, does not answer" in done.stdout
    assert "was killed" in done.stdout
    assert not runs(first)
    assert runs(started(pretence))


def test_another_engine_that_is_half_dead_is_not_ended(
    engine: Run, pretence: Path, environment: dict[str, str]
) -> None:
    """It is somebody's, who is told its number."""
    (pretence / "silent").touch()
    with subprocess.Popen([pretence / "dockerd"], env=environment) as other:
        (pretence / "pid").write_text(f"{other.pid}\n", encoding="utf-8")
        done = engine(ENGINE_SECONDS="1")
        assert done.returncode == 1
        assert f"another dockerd ({other.pid})" in done.stderr
        assert engine("stop").stdout == ""
        assert other.poll() is None
        other.kill()


def test_another_engine_that_is_about_to_answer_is_waited_for(
    engine: Run, pretence: Path, environment: dict[str, str]
) -> None:
    """A second one over the same images would harm both."""
    (pretence / "silent").touch()
    with subprocess.Popen([pretence / "dockerd"], env=environment) as other:
        (pretence / "pid").write_text(f"{other.pid}\n", encoding="utf-8")
        command = ["sh", "-c", f"sleep 0.7; touch {pretence}/answers"]
        with subprocess.Popen(command):
            done = engine()
        assert done.returncode == 0, done.stderr
        assert "waiting for its answer" in done.stdout
        assert not (pretence / "state" / "started").exists()
        other.kill()


@pytest.mark.parametrize(
    ("file", "name"), [("pid", "dockerd"), ("exec/containerd/containerd.pid", "containerd")]
)
def test_what_a_killed_engine_leaves_is_removed(
    engine: Run, pretence: Path, file: str, name: str
) -> None:
    """Its number may be another process's by now, and keep an engine from starting."""
    path = pretence / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(os.getpid()), encoding="utf-8")
    done = engine()
    assert done.returncode == 0, done.stderr
    assert f"removing {path}, whose {name} is gone" in done.stdout
    assert not path.exists()


def test_a_note_of_a_process_that_has_ended_stops_nobody(engine: Run, pretence: Path) -> None:
    """Its number is another's by now, which started at another time."""
    state = pretence / "state"
    state.mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        (state / "started").write_text(f"{other.pid} 1\n", encoding="utf-8")
        done = engine("stop")
        assert (done.returncode, done.stdout) == (0, "")
        assert other.poll() is None
        other.kill()
    assert not (state / "started").exists()


def test_two_at_once_start_one(engine: Run, pretence: Path, environment: dict[str, str]) -> None:
    """Whichever is second finds the other's engine, though that takes its time to answer."""
    (pretence / "silent").touch()
    command = [FOLDER / "engine"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as other:
        with subprocess.Popen(["sh", "-c", f"sleep 1; touch {pretence}/answers"]):
            done = engine()
        assert (done.returncode, other.wait(timeout=30)) == (0, 0)
    assert len((pretence / "arguments").read_text(encoding="utf-8").splitlines()) == 1


def test_whoever_reads_the_output_is_not_kept_waiting(engine: Run) -> None:
    """The engine runs on, and holds neither the pipe nor the lock."""
    began = time.monotonic()
    assert engine().returncode == 0
    assert engine().returncode == 0
    assert time.monotonic() - began < 30


def test_a_remote_engine_cannot_be_started(engine: Run, pretence: Path) -> None:
    """Where DOCKER_HOST names another machine."""
    done = engine(DOCKER_HOST="tcp://192.0.2.1:2376")
    assert done.returncode == 1
    assert "DOCKER_HOST=tcp://192.0.2.1:2376" in done.stderr
    assert not (pretence / "arguments").exists()

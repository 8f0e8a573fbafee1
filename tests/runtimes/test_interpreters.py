"""Tests of the search for interpreters: only what runs is believed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.errors import InterpreterNotFoundError
from savedmodel_compat.runtimes import _uv, interpreters

pytestmark = [
    pytest.mark.usefixtures("fresh_interpreters"),
    pytest.mark.skipif(sys.platform == "win32", reason="the interpreters are shell scripts"),
]

Script = Callable[[Path, str], Path]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave one empty folder on PATH, no pyenv and no uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(_uv, "executable", lambda: None)
    return folder


@pytest.fixture
def script() -> Script:
    """Write a program that another one takes for an interpreter."""

    def write(path: Path, body: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write


def test_this_interpreter_is_found(bare_machine: Path) -> None:
    """It runs, and no other place has to be looked at."""
    assert bare_machine.is_dir()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = interpreters.find(version)
    assert found.path == Path(sys.executable)
    assert found.version.startswith(f"{version}.")


def test_an_interpreter_on_the_path_is_found(bare_machine: Path, script: Script) -> None:
    """Its name says where to look, and what it answers is what it is."""
    script(bare_machine / "python3.6", "echo CPython 3.6.15 /opt/python3.6")
    found = interpreters.find("3.6")
    assert found == interpreters.Interpreter(path=Path("/opt/python3.6"), version="3.6.15")


def test_a_shim_that_does_not_run_is_passed_over(
    tmp_path: Path, bare_machine: Path, script: Script
) -> None:
    """The shim is there for every version, and ends with 127 for those not selected."""
    script(bare_machine / "python3.6", "echo 'command not found' >&2; exit 127")
    versions = tmp_path / "pyenv" / "versions"
    script(versions / "3.6.9" / "bin" / "python", "echo CPython 3.6.9 /older")
    script(versions / "3.6.15" / "bin" / "python", "echo CPython 3.6.15 /newer")
    script(versions / "3.6.15-work" / "bin" / "python", "echo CPython 3.6.15 /somebodys")
    assert interpreters.find("3.6").path == Path("/newer")


def test_a_name_that_lies_is_not_believed(bare_machine: Path, script: Script) -> None:
    """Neither another version nor another implementation will do."""
    script(bare_machine / "python3.6", "echo CPython 3.7.1 /other")
    assert interpreters.installed("3.6") is None
    assert interpreters.probe(script(bare_machine / "pypy", "echo PyPy 3.6.9 /pypy")) is None


def test_a_file_that_cannot_be_run_is_none(tmp_path: Path) -> None:
    """A data file under the name of an interpreter is passed over."""
    path = tmp_path / "python3.6"
    path.write_text("data")
    assert interpreters.probe(path) is None


def test_a_missing_interpreter_says_what_it_excludes(bare_machine: Path) -> None:
    """The pins that need it are named, with the commands that bring it."""
    assert bare_machine.is_dir()
    with pytest.raises(InterpreterNotFoundError) as caught:
        interpreters.find("3.6")
    assert caught.value.python == "3.6"
    assert "1.4.1, 1.7.1, 1.12.3" in caught.value.message
    assert "pyenv install 3.6" in str(caught.value.hint)


def test_uv_is_the_last_resort(
    tmp_path: Path, bare_machine: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked to download one only if nothing was found."""
    assert bare_machine.is_dir()
    python = script(tmp_path / "managed" / "python", "echo CPython 3.6.15 /managed")
    asked: list[str] = []

    def managed(_: Path, version: str) -> Path | None:
        return python if asked == [version] else None

    monkeypatch.setattr(_uv, "executable", lambda: Path("uv"))
    monkeypatch.setattr(_uv, "managed_python", managed)
    monkeypatch.setattr(_uv, "install_python", lambda _, version: asked.append(version))
    assert interpreters.find("3.6").path == Path("/managed")
    assert asked == ["3.6"]


def test_the_answer_is_kept(bare_machine: Path, script: Script) -> None:
    """An interpreter is probed once a process."""
    path = script(bare_machine / "python3.6", "echo CPython 3.6.15 /opt/python3.6")
    first = interpreters.find("3.6")
    path.unlink()
    assert interpreters.find("3.6") is first

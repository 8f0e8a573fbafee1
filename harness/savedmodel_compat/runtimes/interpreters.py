"""The CPython interpreters of this machine, each believed only after it has run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.version import InvalidVersion, Version

from savedmodel_compat.errors import InfrastructureError, InterpreterNotFoundError
from savedmodel_compat.runtimes import _uv, pins, processes

_QUESTION = """
import ctypes, platform, sys, zlib
print(platform.python_implementation(), platform.python_version(), sys.executable)
"""
_PROBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A CPython that runs.

    Args:
        path: its executable.
        version: its whole version, such as ``3.9.18``.
    """

    path: Path
    version: str


def find(version: str) -> Interpreter:
    """Return a CPython ``version``, such as ``3.9``, letting uv download it as the last resort.

    Looked at in this order: this interpreter, PATH, pyenv's, uv's own.

    Raises:
        InterpreterNotFoundError: there is none, and uv could not get one.
    """
    found = installed(version)
    if found is not None:
        return found
    try:
        return _downloaded(version)
    except InfrastructureError as error:
        raise _missing(version, error.message) from error


@cache
def installed(version: str) -> Interpreter | None:
    """Return a CPython ``version`` that is on this machine already, or None."""
    probed = (probe(path) for path in _candidates(version))
    return next((found for found in probed if found and _answers(found, version)), None)


def probe(path: Path) -> Interpreter | None:
    """Run the interpreter at ``path`` once; return None if it is no CPython that works.

    A name proves nothing: pyenv's shims are there for versions that are not selected, and an
    interpreter may have been built without ctypes.
    """
    try:
        done = processes.run([path, "-I", "-c", _QUESTION], timeout=_PROBE_SECONDS)
    except InfrastructureError:
        return None
    words = done.stdout.strip().split(" ", 2)
    if done.returncode != 0 or words[0] != "CPython":
        return None
    return Interpreter(path=Path(words[2]), version=words[1])


def how_to_get(version: str) -> str:
    """Return the commands that bring a CPython ``version``."""
    return f"`uv python install {version}` (3.8 and later), or `pyenv install {version}`"


def _answers(found: Interpreter, version: str) -> bool:
    return found.version.split(".")[:2] == version.split(".")


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder) / f"python{version}"
        if folder and path.is_file():
            yield path
    yield from _of_pyenv(version)
    uv = _uv.executable()
    managed = None if uv is None else _uv.managed_python(uv, version)
    if managed is not None:
        yield managed


def _of_pyenv(version: str) -> Iterable[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = (root / "versions").glob(f"{version}.*")
    return (folder / "bin" / "python" for folder in sorted(folders, key=_patch, reverse=True))


def _patch(folder: Path) -> Version:
    try:
        return Version(folder.name)
    except InvalidVersion:
        # An environment of somebody's, such as 3.9.18-work: after all releases.
        return Version("0")


def _downloaded(version: str) -> Interpreter:
    uv = _uv.executable()
    if uv is None:
        raise InfrastructureError("uv, which could download one, is not installed")
    _uv.install_python(uv, version)
    path = _uv.managed_python(uv, version)
    found = None if path is None else probe(path)
    if found is None:
        raise InfrastructureError(f"the CPython {version} that uv installed does not run")
    return found


def _missing(version: str, why: str) -> InterpreterNotFoundError:
    excluded = [pin.release for pin in pins.load().on("cpu") if pin.python == version]
    of_them = ", ".join(excluded) or "the release"
    return InterpreterNotFoundError(
        f"no CPython {version} was found on PATH, among pyenv's or among uv's, and without it "
        f"provider venv cannot run TensorFlow {of_them}: {why}",
        python=version,
        hint=how_to_get(version),
    )

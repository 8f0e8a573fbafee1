"""The seam to pip: fetching packages for any CPython, and what pip has been configured with."""

from __future__ import annotations

import ast
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from savedmodel_compat.errors import DownloadError, InfrastructureError
from savedmodel_compat.runtimes import processes

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_FIRST_WITHOUT_M = (3, 8)
_MISSING = re.compile(r"No matching distribution found for (.+)")

# From the lowest to the highest (pip's documentation, "Precedence / Override order").
_SOURCES = ("global", "user", "site", ":env:")

_WHERE = (
    "see `pip config list` for where pip looks; a folder of wheels will do as well: "
    "set PIP_FIND_LINKS to it"
)


def download(
    requirement: str,
    *,
    python: str,
    platforms: Sequence[str],
    destination: Path,
    temporary: Path,
    tick: Callable[[], None] | None = None,
) -> None:
    """Fetch the wheel of ``requirement`` into ``destination``, with pip's own configuration.

    Args:
        requirement: an exact version, such as ``tensorflow-cpu==2.11.1``.
        python: the CPython that the wheel is for, which need not be this one.
        platforms: the platform tags that will do, such as ``manylinux2014_x86_64``.
        destination: the folder for the wheel.
        temporary: the folder for what pip has half-fetched.
        tick: called while pip works.

    Raises:
        DownloadError: pip did not get it.
        OSError: the disk is full.
    """
    # pip's own cache would keep a second copy of some hundred megabytes.
    options = ("--only-binary=:all:", "--no-cache-dir", *_target(python, platforms))
    done = _download((*options, requirement), destination, temporary, tick)
    if done.returncode != 0:
        raise DownloadError(
            f"{requirement} for CPython {python} could not be fetched: {done.describe()}",
            hint=_WHERE,
        )


def download_all(
    requirements: Sequence[str],
    *,
    python: str,
    platforms: Sequence[str],
    destination: Path,
    temporary: Path,
    tick: Callable[[], None] | None = None,
) -> None:
    """Fetch ``requirements``, and nothing that they depend on, into ``destination``.

    What has no wheel that will do arrives as its source archive; pip runs its build script to learn
    the package's name. pip's own cache is used, so that what releases share comes once.

    Args:
        requirements: exact versions, such as ``six==1.17.0``.
        python: as for `download`.
        platforms: as for `download`.
        destination: as for `download`.
        temporary: as for `download`.
        tick: as for `download`.

    Raises:
        DownloadError: pip did not get one of them; the text names it if pip did.
        OSError: the disk is full.
    """
    done = _download((*_target(python, platforms), *requirements), destination, temporary, tick)
    if done.returncode != 0:
        raise DownloadError(
            f"{_named_in(done)} for CPython {python} could not be fetched: {done.describe()}",
            hint=_WHERE,
        )


def install(
    python: Path, arguments: Sequence[str | Path], *, environment: Mapping[str, str]
) -> None:
    """Run ``pip install`` in the environment of ``python``, with that environment's own pip.

    Raises:
        InfrastructureError: pip did not install everything.
        OSError: the disk is full.
    """
    command: list[str | Path] = [python, "-m", "pip", "install", "--no-input"]
    done = processes.run([*command, *arguments], environment=environment)
    if done.disk_is_full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(python))
    if done.returncode != 0:
        raise InfrastructureError(f"pip could not install into {python}: {done.describe()}")


def freeze(python: Path) -> str:
    """Return the exact versions in the environment of ``python``, a line each.

    Raises:
        InfrastructureError: pip does not tell.
    """
    done = processes.run([python, "-m", "pip", "freeze"])
    if done.returncode != 0:
        raise InfrastructureError(f"pip does not list {python}: {done.describe()}")
    return done.stdout


def settings() -> Mapping[str, str]:
    """Return pip's settings by name (``index-url``), the environment's above the files'.

    Raises:
        InfrastructureError: pip does not answer.
    """
    done = processes.run([*_PIP, "config", "list"])
    if done.returncode != 0:
        raise InfrastructureError(f"pip does not tell its configuration: {done.describe()}")
    return dict(_parsed(done.stdout))


def abi(python: str) -> str:
    """Return the ABI tag of a CPython: ``cp37m`` for ``3.7``, ``cp38`` for ``3.8``."""
    major, minor = map(int, python.split("."))
    return f"cp{major}{minor}" + ("m" if (major, minor) < _FIRST_WITHOUT_M else "")


def _download(
    arguments: Sequence[str],
    destination: Path,
    temporary: Path,
    tick: Callable[[], None] | None,
) -> processes.Completed:
    command: list[str | Path] = [*_PIP, "download", "--no-deps", "--progress-bar=off"]
    done = processes.run(
        [*command, "--dest", destination, *arguments],
        environment={**os.environ, "TMPDIR": str(temporary)},
        tick=tick,
    )
    if done.disk_is_full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(destination))
    return done


def _target(python: str, platforms: Sequence[str]) -> tuple[str, ...]:
    """Return the options for a CPython and a platform that need not be these ones."""
    # pip would take 3.9 for 3.9.0, whose faults some packages refuse; a later patch is meant.
    version = f"--python-version={python}.99"
    tags = (f"--platform={tag}" for tag in platforms)
    return ("--implementation=cp", version, f"--abi={abi(python)}", *tags)


def _named_in(done: processes.Completed) -> str:
    """Return the package that pip failed at, as far as pip says."""
    found = _MISSING.search(done.stderr)
    return found.group(1).strip() if found else "a package"


def _parsed(listing: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values, whoever is above the others last, so that it wins."""
    for line in sorted(listing.splitlines(), key=_rank):
        key, separator, value = line.partition("=")
        if separator:
            yield key.rpartition(".")[2], str(ast.literal_eval(value))


def _rank(line: str) -> int:
    """Return how far above others the source of a setting stands (pip lists them by name)."""
    source = line.partition(".")[0]
    return _SOURCES.index(source) if source in _SOURCES else 0

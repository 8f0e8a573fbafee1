"""Where snapshots are put that were taken: a file, the user's cache, or the package itself."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat import _toml
from savedmodel_compat.errors import InfrastructureError, UnsupportedError, UsageError
from savedmodel_compat.registry import snapshots
from savedmodel_compat.registry._pack import Registered, pack
from savedmodel_compat.registry._source import SHIPPED
from savedmodel_compat.registry._store import Store

if TYPE_CHECKING:
    from savedmodel_compat.cache import Cache

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

MACHINE = "x86_64"
"""The machine whose wheels the shipped snapshots are of."""


def in_cache(taken: Registered, cache: Cache) -> Path:
    """Put a snapshot into the cache, in the place of what is there of its wheel; return the file.

    Raises:
        InfrastructureError: the disk is full, or the cache cannot be written.
    """
    content = pack([taken])
    name = snapshots.entry_of(taken.release, taken.wheel_sha256)
    cache.remove(name)

    def build(folder: Path) -> None:
        (folder / snapshots.FILE).write_bytes(content)

    return cache.get(name, build) / snapshots.FILE


def in_file(taken: Iterable[Registered], path: Path) -> None:
    """Write snapshots to one file, in the place of what is there.

    Raises:
        InfrastructureError: the disk is full.
        UsageError: it cannot be written for another reason.
    """
    content = pack(sorted(taken, key=_version))
    try:
        _replace(path, content)
    except OSError as error:
        if error.errno in _FULL:
            raise InfrastructureError(f"no space left for {path}: {len(content)} bytes") from error
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file under another name, and rename it once it is whole."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def shipped() -> dict[str, Registered]:
    """Return all of what the shipped snapshots hold, by release.

    Raises:
        InfrastructureError: the file cannot be read.
    """
    if not SHIPPED.exists():
        return {}
    store = Store.open(SHIPPED)
    return {head.release: store.registered(column) for column, head in enumerate(store.releases)}


def in_package(taken: Iterable[Registered], pinned: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """Put snapshots into the package, next to those of the other pinned releases.

    Args:
        taken: the new ones.
        pinned: all releases that are pinned; what is shipped of others is left out from now on.

    Returns:
        the file, and the releases that were left out.

    Raises:
        InfrastructureError: as for `in_file`.
        UsageError: as for `in_file`.
    """
    all_of_them = shipped() | {snapshot.release: snapshot for snapshot in taken}
    in_file((all_of_them[release] for release in pinned if release in all_of_them), SHIPPED)
    return SHIPPED, tuple(release for release in all_of_them if release not in pinned)


def demand_checkout(machine: str) -> None:
    """Refuse to change the package where it is installed rather than developed.

    Args:
        machine: the one that snapshots are taken on.

    Raises:
        UsageError: this package does not lie in a checkout of its repository.
        UnsupportedError: the machine has other wheels than those that the shipped snapshots are of.
    """
    # harness/savedmodel_compat/registry/snapshots.z
    project = SHIPPED.parents[3] / "pyproject.toml"
    if not _is_ours(project):
        raise UsageError(
            f"{SHIPPED.parent} is an installed package, not a checkout of savedmodel-compat: "
            "its snapshots are not changed",
            hint="without --shipped, snapshots are put into the cache and found there",
        )
    if machine != MACHINE:
        raise UnsupportedError(
            f"the shipped snapshots are of the wheels for {MACHINE}, and this machine is {machine}",
            hint="without --shipped, snapshots are put into the cache and found there",
        )


def _is_ours(project: Path) -> bool:
    try:
        name = _toml.parse(project.read_bytes())["project"]["name"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return bool(name == "savedmodel-compat")


def _version(snapshot: Registered) -> Version:
    return Version(snapshot.release)

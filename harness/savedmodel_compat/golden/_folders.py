"""Folders that are there whole or not at all: one lock a store, whole new folders, and what dead writers left.

A folder is made as ``.NAME@new`` beside its place and takes it in one step, where the system lets two folders change
places. Where it does not, the old one is ``.NAME@old`` for a moment; whoever finds it with nothing in its place, while it
holds the lock, puts it back. Under the lock every such name is a dead writer's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from savedmodel_compat import cache
from savedmodel_compat.errors import GoldenDamagedError, InfrastructureError
from savedmodel_compat.golden import _exchange

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
_LOCKS = "locks"
_POLL_SECONDS = 0.004
_NEW = "@new"
_OLD = "@old"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of a golden folder, for all processes and threads of this machine.

    Its file lies in the cache, so that none lies in a repository.

    Args:
        root: the folder, by whatever path.

    Raises:
        InfrastructureError: there is no lock, or what is done under it is refused by the system.
    """
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    folder = cache.default_root() / _LOCKS
    lock = FileLock(folder / f"golden-{name}.lock")
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=_POLL_SECONDS)
    except OSError as error:
        raise InfrastructureError(
            f"{root} cannot be locked: {error.strerror}: {error.filename}",
            hint=f"set {cache.VARIABLE} to a folder of your own",
        ) from error
    try:
        with reporting(root):
            yield
    finally:
        lock.release()


@contextmanager
def reporting(root: Path) -> Iterator[None]:
    """Say what it means if the system refuses to write below ``root``.

    Raises:
        InfrastructureError: the disk is full, or a file or folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(next(f for f in (root, *root.parents) if f.exists())).free
            raise InfrastructureError(
                f"no space left for a golden below {root}: {free:,} bytes are free there; what was there"
                " before is whole",
                hint="free some space, and run it again",
            ) from error
        if error.errno in _REFUSED:
            raise InfrastructureError(
                f"goldens below {root} cannot be written: {error.strerror}: {error.filename}",
                hint="goldens are written in a checkout of your own, by a user who may write there",
            ) from error
        raise


def check_inside(root: Path, path: Path) -> None:
    """Refuse a path below ``root`` that goes by a symbolic link: goldens are what the repository holds.

    Raises:
        GoldenDamagedError: it does; the text says where the link leads to.
        InfrastructureError: a folder on the way may not be looked into.
    """
    for step in (path, *path.parents):
        if step == root:
            return
        with _looking_at(step):
            is_link = step.is_symlink()
        if is_link:
            raise GoldenDamagedError(
                f"it is a symbolic link to {step.readlink()}, and no link is followed in a golden folder",
                path=step,
                hint="put the files themselves there",
            )


@contextmanager
def replacing(place: Path, top: Path) -> Iterator[Path]:
    """Offer an empty folder that takes a place as soon as it is filled; the caller holds the lock.

    An exception leaves the place as it was.

    Args:
        place: where the folder shall be; whatever is there goes.
        top: the folder above it that stays, should nothing come of it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    settle(place)
    new = _beside(place, _NEW)
    new.mkdir()
    try:
        yield new
        _put(new, place)
    finally:
        settle(place)
        if not os.path.lexists(place):
            remove_empty(place.parent, top)


def settle(place: Path) -> None:
    """End what a dead writer began at a place; the caller holds the lock."""
    new, old = _beside(place, _NEW), _beside(place, _OLD)
    if os.path.lexists(old):
        if os.path.lexists(place):
            remove_tree(old)
        else:
            old.rename(place)
    remove_tree(new)


def is_unsettled(place: Path) -> bool:
    """Tell whether a place is empty only because its writer is at work, or died."""
    return not os.path.lexists(place) and os.path.lexists(_beside(place, _OLD))


def sweep(folder: Path, depth: int) -> None:
    """End what dead writers began anywhere below a folder; the caller holds the lock.

    What is reached by a symbolic link is left alone: it is not ours.

    Args:
        folder: just below the root; it may be missing.
        depth: how many folders deep the places lie.
    """
    if folder.is_symlink():
        return
    try:
        found = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if is_temporary(entry.name):
            settle(folder / entry.name[1:].rpartition("@")[0])
        elif depth > 1 and entry.is_dir(follow_symlinks=False):
            sweep(folder / entry.name, depth - 1)


def remove(place: Path, top: Path) -> None:
    """Remove a folder in one step, and the folders above it that are empty then, up to ``top``.

    The caller holds the lock.
    """
    settle(place)
    new = _beside(place, _NEW)
    place.rename(new)
    remove_tree(new)
    remove_empty(place.parent, top)


def remove_tree(path: Path) -> None:
    """Remove whatever is at a path, if anything is; a link is not followed."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink()
    except OSError:
        if not path.is_symlink():
            raise
        path.unlink()


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, up to ``top``, which stays, as far as they are empty."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in the place of what is there; the caller holds the lock."""
    new = _beside(path, _NEW)
    new.write_bytes(content)
    new.replace(path)


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, in order, and what a writer is about to put back there.

    A folder that is missing has nothing in it.

    Raises:
        InfrastructureError: it may not be read.
    """
    try:
        with _looking_at(folder):
            names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    lasting = {name for name in names if not is_temporary(name)}
    away = {name[1 : -len(_OLD)] for name in names if name.startswith(".") and name.endswith(_OLD)}
    return [folder / name for name in sorted(lasting | away)]


def is_temporary(name: str) -> bool:
    """Tell whether a file or folder is one that its writer has not put in its place."""
    return name.startswith(".") and name.endswith((_NEW, _OLD))


@contextmanager
def _looking_at(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise InfrastructureError(
            f"{path} cannot be read: {error.strerror}",
            hint="let this user read and enter the golden folder and all folders below it",
        ) from error


def _beside(place: Path, mark: str) -> Path:
    return place.parent / f".{place.name}{mark}"


def _put(new: Path, place: Path) -> None:
    """Give a place to a folder; what was there is then the new one's path, or gone from sight."""
    if not os.path.lexists(place):
        new.rename(place)
    elif not _exchange.exchange(new, place):
        place.rename(_beside(place, _OLD))
        new.rename(place)

"""The folder in which runtimes, wheels and exports are kept between runs.

Every entry is a folder that is built under a temporary name beside the entries, on the same
filesystem, and renamed once it is whole. Several processes may ask for one entry at once, and one
that is killed leaves only a temporary, which the next builder sweeps.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from savedmodel_compat.errors import InfrastructureError

VARIABLE = "SAVEDMODEL_COMPAT_CACHE"
"""The environment variable that moves the cache."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
_TEMPORARIES = "tmp"
_LOCKS = "locks"


def default_root() -> Path:
    """Return the cache's folder: ``SAVEDMODEL_COMPAT_CACHE``, or the user's own cache folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("savedmodel-compat", appauthor=False))


def size_of(folder: Path) -> int:
    """Return the bytes of the files under ``folder``; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(parent) / name).lstat()
            except FileNotFoundError:
                continue  # somebody at work there has removed it meanwhile
            key = (status.st_dev, status.st_ino)
            total += 0 if key in seen else status.st_size
            seen.add(key)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A folder of finished entries, named ``kind/name``.

    Args:
        root: where the entries lie; made when the first one is.
    """

    root: Path

    def path(self, name: str) -> Path:
        """Return where the entry ``name`` is, or would be."""
        return self.root / name

    def get(self, name: str, build: Callable[[Path], None], *, needs: int | None = None) -> Path:
        """Return the entry ``name``, building it first if nobody has.

        Args:
            name: ``kind/name``; the name holds the digest of what makes the entry.
            build: fills the temporary folder that it is given.
            needs: the bytes that the build takes on disk, where they are known beforehand.

        Raises:
            InfrastructureError: the disk is full, or the folder cannot be written.
        """
        entry = self.path(name)
        if entry.is_dir():
            return entry
        with self.building(name, needs=needs) as temporary:
            if temporary is not None:
                build(temporary)
        return entry

    @contextmanager
    def building(self, name: str, *, needs: int | None = None) -> Iterator[Path | None]:
        """Hold the lock of ``name`` and offer a temporary folder, which becomes the entry.

        An exception removes the temporary. None is offered if another process made the entry while
        this one waited for the lock.

        Args:
            name: as for `get`.
            needs: as for `get`.

        Raises:
            InfrastructureError: the disk is full, or the folder cannot be written.
        """
        entry = self.path(name)
        with self._reporting(entry, needs), self._lock(name):
            if entry.is_dir():
                yield None
                return
            self._sweep(name)
            self._demand(entry, needs)
            temporary = self._temporary(name)
            try:
                yield temporary
                entry.parent.mkdir(parents=True, exist_ok=True)
                temporary.rename(entry)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def remove(self, name: str) -> int:
        """Remove the entry ``name`` and return the bytes that it took; 0 if it was not there."""
        entry = self.path(name)
        if not entry.is_dir():
            return 0
        with self._reporting(entry, None), self._lock(name):
            if not entry.is_dir():
                return 0
            size = size_of(entry)
            temporary = self._temporary(name)
            entry.rename(temporary / entry.name)
            shutil.rmtree(temporary)
        return size

    def _lock(self, name: str, timeout: float = -1) -> FileLock:
        folder = self._folder(_LOCKS)
        return FileLock(folder / f"{_flat(name)}.lock", timeout=timeout)

    def _temporary(self, name: str) -> Path:
        folder = self._folder(_TEMPORARIES)
        temporary = Path(tempfile.mkdtemp(prefix=f"{_flat(name)}@", dir=folder))
        # mkdtemp keeps others out, but a container's ordinary user has to read what is in it.
        temporary.chmod(0o755)
        return temporary

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in _REFUSED:
                raise _not_writable(self.root, error) from error
            raise
        return folder

    def _sweep(self, held: str) -> None:
        """Remove the temporaries of builders that died: those whose lock nobody holds."""
        for temporary in self._folder(_TEMPORARIES).iterdir():
            name = temporary.name.rpartition("@")[0]
            if name == _flat(held):
                shutil.rmtree(temporary, ignore_errors=True)
                continue
            try:
                with self._lock(name, timeout=0):
                    shutil.rmtree(temporary, ignore_errors=True)
            except Timeout:
                # Its builder is alive and at work.
                continue

    def _demand(self, entry: Path, needs: int | None) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if needs is not None and shutil.disk_usage(self.root).free < needs:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(entry))

    def _holds(self, path: str | None) -> bool:
        return path is not None and Path(path).is_relative_to(self.root)

    @contextmanager
    def _reporting(self, entry: Path, needs: int | None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise _no_space(self.root, entry, needs) from error
            if error.errno in _REFUSED and self._holds(error.filename):
                raise _not_writable(self.root, error) from error
            raise


def _flat(name: str) -> str:
    return name.replace("/", "~")


def _no_space(root: Path, entry: Path, needs: int | None) -> InfrastructureError:
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    wanted = "more" if needs is None else f"about {needs:,} bytes"
    return InfrastructureError(
        f"no space left for {entry}: it takes {wanted}, and {free:,} bytes are free there now",
        hint="free some space with `savedmodel-compat runtime remove`, or set "
        f"{VARIABLE} to a folder on a larger disk",
    )


def _not_writable(root: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"the cache at {root} cannot be written: {error.strerror}: {error.filename}",
        hint=f"set {VARIABLE} to a folder of your own",
    )

"""How models come into containers that are running already, and into engines that do not see this machine's files.

A shelf is one folder that every container of a run sees read-only. Near the engine it is a folder on this machine, filled with
hard links where the container's user may read the files, else with copies that it may; far from it a volume, filled with a tar.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from savedmodel_compat.cache import default_root
from savedmodel_compat.errors import EngineError, InfrastructureError
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.seal import Mount

INSIDE = "/shelf"
_BLOCK = 1 << 20
_OTHERS_READ = stat.S_IROTH
_OTHERS_ENTER = stat.S_IROTH | stat.S_IXOTH
_FOLDER = "shelves"


class Shelf(ABC):
    """The shelf of one run in one engine; used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[tuple[object, ...], str] = {}

    @property
    @abstractmethod
    def mount(self) -> Mount:
        """How a container gets to see it."""

    def put(self, folder: Path) -> str:
        """Return where containers find a copy of ``folder`` as it is now.

        Args:
            folder: a folder of this machine; links in it stay links.

        Raises:
            InfrastructureError: it cannot be read or copied.
        """
        with self._lock:
            try:
                key = (folder, *_state_of(folder))
                if key not in self._names:
                    name = f"{len(self._names):05d}"
                    self._fill(folder, name)
                    self._names[key] = name
                return f"{INSIDE}/{self._names[key]}"
            except OSError as error:
                raise InfrastructureError(
                    f"{folder} cannot be put where containers see it: {error}"
                ) from error

    @abstractmethod
    def close(self) -> None:
        """Remove the shelf."""

    @abstractmethod
    def _fill(self, folder: Path, name: str) -> None: ...


class NearShelf(Shelf):
    """A folder in the cache."""

    def __init__(self) -> None:
        super().__init__()
        sweep()
        parent = default_root() / _FOLDER
        parent.mkdir(parents=True, exist_ok=True)
        # Containers may read all of what is mounted; nobody else here may, for whom the model may not be.
        self._closed = Path(tempfile.mkdtemp(prefix=f"{life.owner()}@", dir=parent))
        self._folder = self._closed / "shelf"
        self._folder.mkdir()
        self._folder.chmod(0o755)

    @property
    def mount(self) -> Mount:
        """The folder itself."""
        return Mount(source=str(self._folder), target=INSIDE)

    def close(self) -> None:
        """Remove the folder; the files that it links to stay."""
        shutil.rmtree(self._closed, ignore_errors=True)

    def _fill(self, folder: Path, name: str) -> None:
        target = self._folder / name
        try:
            self._copy(folder, target)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise

    @staticmethod
    def _copy(folder: Path, target: Path) -> None:
        for entry in _entries(folder):
            place = target / entry.relative_to(folder)
            mode = entry.lstat().st_mode
            if stat.S_ISDIR(mode):
                place.mkdir()
                place.chmod(0o755)
            elif stat.S_ISLNK(mode):
                place.symlink_to(entry.readlink())
            elif not (mode & _OTHERS_READ and _linked(entry, place)):
                shutil.copyfile(entry, place)
                place.chmod(0o644)


class FarShelf(Shelf):
    """A volume of the engine's, filled through a container that is never started.

    Args:
        engine: where.
        image: any image that is there.
    """

    def __init__(self, engine: Engine, image: str) -> None:
        super().__init__()
        self._engine = engine
        self._volume = f"savedmodel-compat-{life.run()}"
        engine.create_volume(self._volume, life.labels())
        self._holder = engine.create(
            {"image": image, "command": ["none"], "labels": dict(life.labels())},
            {"binds": [f"{self._volume}:{INSIDE}:rw"], "network_mode": "none"},
        )

    @property
    def mount(self) -> Mount:
        """The volume."""
        return Mount(source=self._volume, target=INSIDE, is_volume=True)

    def close(self) -> None:
        """Remove the volume."""
        self._engine.remove(self._holder)
        self._engine.remove_volume(self._volume)

    def _fill(self, folder: Path, name: str) -> None:
        unread: list[OSError] = []

        def pieces() -> Iterator[bytes]:
            try:
                yield from tar_of({name: folder})
            except OSError as error:
                unread.append(error)
                raise

        try:
            self._engine.put(self._holder, INSIDE, pieces())
        except EngineError:
            # What cannot be read here is not the engine's fault.
            if unread:
                raise unread[0] from None
            raise


def sweep() -> None:
    """Remove what dead runs have left in the cache."""
    life.sweep_folders(default_root() / _FOLDER)


def is_readable(folder: Path) -> bool:
    """Tell whether a user who owns nothing may read all of a folder; what its parents say does not matter."""
    try:
        modes = [entry.lstat().st_mode for entry in _entries(folder)]
    except OSError:
        return False
    return all(stat.S_ISLNK(mode) or _may_read(mode) for mode in modes)


def _may_read(mode: int) -> bool:
    wanted = _OTHERS_ENTER if stat.S_ISDIR(mode) else _OTHERS_READ
    return mode & wanted == wanted


def tar_of(folders: dict[str, Path]) -> Iterator[bytes]:
    """Yield the tar of folders or files, each under a name, readable by everybody and owned by root.

    Args:
        folders: by the name that each has in the tar.
    """
    for name, folder in folders.items():
        for entry in _entries(folder):
            inner = entry.relative_to(folder).as_posix()
            yield from _member(entry, name if inner == "." else f"{name}/{inner}")
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _member(entry: Path, name: str) -> Iterator[bytes]:
    status = entry.lstat()
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    if stat.S_ISDIR(status.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISLNK(status.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.fspath(entry.readlink())
    else:
        member.size = status.st_size
        member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    yield member.tobuf(tarfile.PAX_FORMAT)
    if member.size:
        yield from _content(entry, member.size)


def _content(entry: Path, size: int) -> Iterator[bytes]:
    left = size
    with entry.open("rb") as file:
        while left and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
    if left:
        raise OSError(errno.EIO, "it became shorter while it was read", str(entry))
    yield b"\0" * (-size % tarfile.BLOCKSIZE)


def _entries(folder: Path) -> Iterator[Path]:
    """Yield a folder and all that is in it, parents first, links not followed; devices, pipes and sockets are no part of a model."""
    yield folder
    if folder.is_symlink() or not folder.is_dir():
        return
    for name in sorted(os.listdir(folder)):
        entry = folder / name
        mode = entry.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from _entries(entry)
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            yield entry


def _state_of(folder: Path) -> Iterator[tuple[object, ...]]:
    """Yield what tells a folder's files from those that were there before."""
    for entry in _entries(folder):
        status = entry.lstat()
        yield entry.name, status.st_ino, status.st_size, status.st_mtime_ns


def _linked(entry: Path, place: Path) -> bool:
    """Link a file, if the two are on one filesystem that has links, and the user may."""
    try:
        place.hardlink_to(entry)
    except OSError:
        return False
    return True

"""The goldens below one folder: read whole and verified, written whole or not at all."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from savedmodel_compat.errors import (
    GoldenDamagedError,
    GoldenMissingError,
    InfrastructureError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden import _folders, _manifest_read, tensorfile
from savedmodel_compat.golden._facts import check_statistics
from savedmodel_compat.golden._goldens import (
    DataSet,
    Files,
    Golden,
    Key,
    check_place,
    file_of,
    files_of,
    key_of,
    read_files,
    write_files,
)
from savedmodel_compat.golden._listing import DEPTH, Damaged, Listing, key_at, stranger
from savedmodel_compat.golden.manifest import NAME, Manifest

__all__ = ["Damaged", "DataSet", "Golden", "Key", "Listing", "Store", "Written"]

PENDING = "pending"
_TENSORS = "tensors"
_TOLD = 5
_Seen = TypeVar("_Seen")


class Written(enum.Enum):
    """What became of a golden that was to be written."""

    NEW = "new"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    DIFFERS = "differs"


class Store:
    """A folder of goldens, which threads and processes may share.

    Nothing here decides who may replace a golden: `write` does what it is told.

    Args:
        root: the folder; it need not exist, and may be a link.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._swept = False

    def keys(self) -> tuple[Key, ...]:
        """Return which goldens there are, in order, as their manifests say.

        Raises:
            GoldenDamagedError: a manifest is damaged, or says another place than it lies in.
        """
        found = []
        for place in self._places():
            try:
                found.append(key_of(self._seen(place, self._manifest_at)))
            except GoldenMissingError:
                continue  # removed meanwhile
        return tuple(sorted(found))

    def listing(self) -> Listing:
        """Return which goldens there are, and which cannot be read; one that is damaged hides no other.

        Raises:
            InfrastructureError: a manifest, or the folder, cannot be read.
        """
        found: list[Key] = []
        strangers: list[GoldenDamagedError] = []
        damaged: list[Damaged] = []
        for place in self._places(strangers=strangers):
            try:
                found.append(key_of(self._seen(place, self._manifest_at)))
            except GoldenMissingError:
                continue  # removed meanwhile
            except GoldenDamagedError as error:
                damaged.append(self._damaged(place, error))
        damaged += [self._damaged(error.path, error) for error in strangers]
        return Listing(keys=tuple(sorted(found)), damaged=tuple(damaged))

    def has(self, key: Key) -> bool:
        """Tell whether there is a golden, whole or damaged."""
        place = self.place(key)
        return os.path.lexists(place) or _folders.is_unsettled(place) or os.path.lexists(place)

    def read(self, key: Key) -> Golden:
        """Return a golden, every type, shape and digest verified; its arrays are read-only.

        The arrays of a large file lie in the file: they take memory only as they are looked at.

        Raises:
            GoldenMissingError: there is none.
            GoldenDamagedError: a file of it is damaged, missing, or none of it.
            UnsupportedError: a tensor is of a type that this ml_dtypes does not have.
            InfrastructureError: a file cannot be read.
        """
        return self._seen(self.place(key), self._golden_at, key)

    def verified(self, key: Key) -> Golden:
        """Return a golden as `read` does, its ranges, means and counts verified, too.

        Raises:
            GoldenMissingError: as for `read`.
            GoldenDamagedError: as for `read`, or a statement of the manifest is not so.
            UnsupportedError: as for `read`.
            InfrastructureError: as for `read`.
        """
        return self._seen(self.place(key), self._verified_at, key)

    def manifest(self, key: Key) -> Manifest:
        """Return what a golden says of itself, without a look at its tensors.

        Raises:
            GoldenMissingError: there is none.
            GoldenDamagedError: the manifest is damaged, or missing.
            InfrastructureError: it cannot be read.
        """
        return self._seen(self.place(key), self._manifest_at, key)

    def place(self, key: Key) -> Path:
        """Return the folder of a golden, whether it is there or not."""
        return self.root / key.folder

    def verify(self) -> tuple[GoldenDamagedError, ...]:
        """Return all that is damaged: every file, every statement of a manifest, and what is no golden.

        Raises:
            UnsupportedError: a tensor is of a type that this ml_dtypes does not have.
            InfrastructureError: a file cannot be read.
        """
        damage: list[GoldenDamagedError] = []
        for place in self._places(strangers=damage):
            try:
                self._seen(place, self._verified_at)
            except GoldenMissingError:
                continue
            except GoldenDamagedError as error:
                damage.append(error)
        return tuple(damage)

    def write(self, golden: Golden) -> Written:
        """Write a golden, in the place of what is there of its key.

        Args:
            golden: of its manifest, ``data_sets`` are made from its tensors.

        Returns:
            ``NEW``, ``REPLACED``, or ``UNCHANGED`` if the same tensors are there already: the
            manifest that is there then stays as it is.

        Raises:
            UsageError: the golden does not hold together; see `GoldenDamagedError` for what is read.
            UnsupportedError: a tensor is of a type that cannot be kept.
            InfrastructureError: no space, no right to write, or no lock; what was there is whole.
        """
        files = files_of(golden)
        with self.locked():
            try:
                there = self._digest_there(files.key)
            except (GoldenDamagedError, UnsupportedError):
                there = ""
            if there == files.digest:
                return Written.UNCHANGED
            self.put(files)
            return Written.NEW if there is None else Written.REPLACED

    def add(self, golden: Golden) -> Written:
        """Write a golden if there is none of its key.

        Args:
            golden: as for `write`.

        Returns:
            ``NEW``, ``UNCHANGED``, or ``DIFFERS`` if there is another one.

        Raises:
            GoldenDamagedError: there is one, and it is damaged.
            UsageError: as for `write`.
            UnsupportedError: as for `write`.
            InfrastructureError: as for `write`.
        """
        files = files_of(golden)
        with self.locked():
            there = self._digest_there(files.key)
            if there is None:
                self.put(files)
                return Written.NEW
            return Written.UNCHANGED if there == files.digest else Written.DIFFERS

    def renew(self, golden: Golden) -> None:
        """Write what a golden says of itself anew, where its tensors are those that are there.

        Args:
            golden: with the tensors that are there, and another manifest.

        Raises:
            GoldenMissingError: there is none.
            GoldenDamagedError: the one that is there is damaged.
            UsageError: its tensors are others, or it does not hold together.
            InfrastructureError: as for `write`.
        """
        files = files_of(golden)
        with self.locked():
            if self._golden_at(self.place(golden.key)).manifest.digest != files.digest:
                raise UsageError(
                    f"the tensors of {golden.key} are others than those that are there",
                    hint="write it, or propose it",
                )
            self.put(files)

    def remove(self, key: Key) -> None:
        """Remove a golden, and the folders above it that are empty then.

        Raises:
            GoldenMissingError: there is none.
            InfrastructureError: it cannot be removed.
        """
        place = self.place(key)
        with self.locked():
            _folders.check_inside(self.root, place.parent)
            _folders.settle(place)
            if not os.path.lexists(place):
                raise self._missing(place, key)
            _folders.remove(place, self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the folder; what dead writers left is put right first.

        It must not be held already: `write`, `add` and `remove` take it themselves.

        Raises:
            InfrastructureError: there is no lock, or the system refuses what is done under it.
        """
        with _folders.locked(self.root):
            if not self._swept:
                self.sweep()
            yield

    def sweep(self) -> None:
        """Put right what dead writers left; the caller holds the lock."""
        _folders.sweep(self.root / _TENSORS, DEPTH)
        # pending/tensors/MODEL/TAGS/SIGNATURE/LABEL
        _folders.sweep(self.root / PENDING, DEPTH + 2)
        self._swept = True

    def put(self, files: Files) -> None:
        """Put the files of a golden in their place; the caller holds the lock."""
        place = self.place(files.key)
        _folders.check_inside(self.root, place)
        with _folders.replacing(place, self.root) as folder:
            write_files(folder, files)

    def manifest_there(self, key: Key) -> Manifest | None:
        """Return what the golden of a key says of itself; the caller holds the lock.

        Raises:
            GoldenDamagedError: its manifest is damaged, or missing.
        """
        place = self.place(key)
        _folders.check_inside(self.root, place.parent)
        _folders.settle(place)
        try:
            return self._manifest_at(place)
        except GoldenMissingError:
            return None

    def _digest_there(self, key: Key) -> str | None:
        place = self.place(key)
        _folders.check_inside(self.root, place.parent)
        _folders.settle(place)
        try:
            return self._golden_at(place).manifest.digest
        except GoldenMissingError:
            return None

    def _seen(self, place: Path, look: Callable[[Path], _Seen], key: Key | None = None) -> _Seen:
        """Return what a look at a place sees; what a writer did meanwhile is no damage.

        Raises:
            GoldenMissingError: there is nothing, also under the lock.
            GoldenDamagedError: it is damaged, also under the lock.
        """
        try:
            return look(place)
        except (GoldenMissingError, GoldenDamagedError) as error:
            first = error
        try:
            with _folders.locked(self.root):
                _folders.check_inside(self.root, place.parent)
                _folders.settle(place)
                return look(place)
        except GoldenMissingError:
            raise (self._missing(place, key) if key else first) from None
        except InfrastructureError:
            # Nobody writes where nobody may: what was seen first is how it is.
            raise first from None

    def _golden_at(self, place: Path) -> Golden:
        self._check_there(place)
        golden = read_files(place)
        check_place(self.root, place, golden.key)
        return golden

    def _manifest_at(self, place: Path) -> Manifest:
        self._check_there(place)
        manifest = _manifest_read.read(place / NAME)
        check_place(self.root, place, key_of(manifest))
        return manifest

    def _verified_at(self, place: Path) -> Golden:
        golden = self._golden_at(place)
        for facts in golden.manifest.data_sets:
            path = place / file_of(facts.name)
            check_statistics(path, facts.inputs + facts.outputs, tensorfile.read(path))
        return golden

    def _damaged(self, place: Path, error: GoldenDamagedError) -> Damaged:
        key = key_at(self.root, place)
        name = key.name if key else place.relative_to(self.root).as_posix()
        return Damaged(name=name, key=key, error=error)

    def _check_there(self, place: Path) -> None:
        _folders.check_inside(self.root, place)
        if not os.path.lexists(place):
            raise GoldenMissingError(f"no golden lies in {place}")
        if not place.is_dir():
            raise GoldenDamagedError("it is a file where a golden's folder should be", path=place)

    def _places(self, *, strangers: list[GoldenDamagedError] | None = None) -> Iterator[Path]:
        """Yield the folders of goldens, in order; what cannot be one is told as a stranger.

        Raises:
            GoldenDamagedError: a link is there, and nobody asks for strangers.
        """
        found = self._inside([self.root / _TENSORS], strangers)
        for depth in range(DEPTH):
            inner = [entry for folder in found for entry in _folders.entries(folder)]
            found = self._inside(inner, strangers)
            if strangers is not None:
                strangers += [stranger(entry) for entry in found if entry.is_file()]
            if depth < DEPTH - 1:
                found = [entry for entry in found if entry.is_dir()]
        yield from (entry for entry in found if entry.is_dir() or not entry.exists())

    def _inside(self, places: list[Path], strangers: list[GoldenDamagedError] | None) -> list[Path]:
        """Return the places to which no link leads."""
        found = []
        for place in places:
            try:
                _folders.check_inside(self.root, place)
            except GoldenDamagedError as error:
                if strangers is None:
                    raise
                strangers.append(error)
            else:
                found.append(place)
        return found

    def _missing(self, place: Path, key: Key) -> GoldenMissingError:
        """Say what is missing, and what there is of that model instead."""
        beside = [entry.name for entry in _folders.entries(place.parent)]
        told = ", ".join(beside[:_TOLD]) + (" …" if len(beside) > _TOLD else "")
        return GoldenMissingError(
            f"there is no golden of {key}: {place} is missing; "
            + (f"of that MetaGraph there are {told}" if beside else "nor any of that MetaGraph"),
            hint="record it with `savedmodel-compat golden record`",
        )

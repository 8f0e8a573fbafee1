"""What each release of TensorFlow registers: its ops, their kernels, its GraphDef version.

Snapshots are taken from the libraries of the release itself by ``savedmodel-compat runtime snapshot``.
Those of the pinned releases are shipped, in ``snapshots.z`` beside this file; others lie in the user's
cache. What is asked for is decompressed and parsed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.registry._source import Source, shipped
from savedmodel_compat.registry._store import Store
from savedmodel_compat.registry._values import Constraint, Kernel

if TYPE_CHECKING:
    from savedmodel_compat.cache import Cache
    from savedmodel_compat.model.schema import OpDef
    from savedmodel_compat.runtimes.pins import Pin

__all__ = ["Constraint", "Kernel", "Snapshot", "entry_of", "get", "of_pin", "read", "releases"]

FOLDER = "snapshots"
"""The kind of the entries in the cache."""

FILE = "snapshot.z"
"""The name of the file in each of them."""

_DIGITS = 12


class Snapshot:
    """What one build of TensorFlow registers; `get` and `read` make it.

    Definitions and kernels are shared by everyone who asks, and must not be changed.

    Args:
        source: the store that holds it.
        column: its place among the releases of the store.
    """

    def __init__(self, source: Source, column: int) -> None:
        self._source, self._column = source, column
        head = source.store.releases[column]
        self.release = head.release
        """Such as ``2.11.1``."""
        self.wheel_sha256 = head.wheel_sha256
        """The digest of the wheel that it was taken from."""
        self.graph_def_version = head.graph_def_version
        """``TF_GRAPH_DEF_VERSION`` of the build (tensorflow/core/public/version.h)."""
        self.format = source.store.format
        """The number of the format of the file that holds it."""

    def __repr__(self) -> str:
        """Return which release it is of, and where it lies."""
        return f"<Snapshot of {self.release} in {self._source.store.path}>"

    def __contains__(self, name: object) -> bool:
        """Tell whether an op is registered."""
        return name in self._ops

    @cached_property
    def ops(self) -> tuple[str, ...]:
        """Return the names of all ops, sorted."""
        return tuple(self._ops)

    @property
    def op_libraries(self) -> Mapping[str, tuple[str, ...]]:
        """Return which ops each op library beside TensorFlow's own adds, by the library's place.

        They are none of `ops`: they are there only where Python imported the package at that place,
        such as ``contrib/resampler``, or where a server was built with it.
        """
        libraries = self._source.store.libraries[self._column]
        return {place: tuple(sorted(found)) for place, found in libraries.items()}

    def op(self, name: str) -> OpDef | None:
        """Return the definition of an op, without its descriptions; None if it is not registered."""
        number = self._ops.get(name)
        return None if number is None else self._source.op(number)

    def form(self, name: str) -> int | None:
        """Return the number of an op's definition; None if it is not registered.

        Two snapshots give the same number if and only if their definitions are equal, whichever
        files hold them. It holds in this process only.
        """
        number = self._ops.get(name)
        return None if number is None else self._source.op_numbers[number]

    def kernels(self, name: str) -> tuple[Kernel, ...]:
        """Return the kernels of an op, in an order of their own; none if it has none.

        An op that is not registered may have some.
        """
        number = self._kernels.get(name)
        return () if number is None else self._source.kernels(number)

    def kernel_form(self, name: str) -> int:
        """Return the number of an op's kernels; 0 if it has none.

        Two snapshots give the same number for an op if and only if its kernels are equal. It holds
        in this process only.
        """
        return self._source.kernel_numbers[self._kernels.get(name, 0)]

    @cached_property
    def _ops(self) -> Mapping[str, int]:
        return self._source.store.ops.column(self._column)

    @cached_property
    def _kernels(self) -> Mapping[str, int]:
        return self._source.store.kernels.column(self._column)


def releases() -> tuple[str, ...]:
    """Return the releases whose snapshots are shipped, oldest first."""
    return tuple(head.release for head in shipped().store.releases)


def get(
    release: str, *, wheel_sha256: str | None = None, cache: Cache | None = None
) -> Snapshot | None:
    """Return the snapshot of a release; None if there is none.

    Those that are shipped come first, then those of the cache.

    Args:
        release: such as ``2.11.1``.
        wheel_sha256: the digest of the wheel that it must have been taken from; any if None.
        cache: where to look for what is not shipped; the user's own if None.

    Raises:
        InfrastructureError: a file in the cache is damaged, or of a newer format.
    """
    found = _shipped().get(release)
    if found is not None and wheel_sha256 in {None, found.wheel_sha256}:
        return found
    return next(
        (
            snapshot
            for snapshot in _cached(release, cache)
            if snapshot.release == release and wheel_sha256 in {None, snapshot.wheel_sha256}
        ),
        None,
    )


def of_pin(pin: Pin, *, cache: Cache | None = None) -> Snapshot | None:
    """Return the snapshot of the very wheel that a pin means; None if there is none.

    A pin that does not tell its wheel's digest means the wheel that its runtime was made of.

    Args:
        pin: the release.
        cache: where to look for runtimes, and for what is not shipped; the user's own if None.

    Raises:
        InfrastructureError: as for `get`; or the runtime is damaged.
    """
    digest = pin.sha256 or _digest_of(pin, cache)
    return None if digest is None else get(pin.release, wheel_sha256=digest, cache=cache)


def read(path: Path) -> tuple[Snapshot, ...]:
    """Return the snapshots in one file, oldest release first.

    Raises:
        InfrastructureError: it cannot be read, is no store, is of a newer format, or was cut short.
    """
    source = Source(Store.open(path))
    return tuple(Snapshot(source, column) for column in range(len(source.store.releases)))


def entry_of(release: str, wheel_sha256: str) -> str:
    """Return the name of the cache's entry of a snapshot."""
    return f"{FOLDER}/{release}-{wheel_sha256[:_DIGITS]}"


def _digest_of(pin: Pin, cache: Cache | None) -> str | None:
    from savedmodel_compat.cache import Cache, default_root
    from savedmodel_compat.runtimes import manifest, wheel

    folder = (cache or Cache(root=default_root())).path(wheel.entry_of(pin))
    return manifest.read(folder).wheel_sha256 if folder.is_dir() else None


@cache
def _shipped() -> Mapping[str, Snapshot]:
    source = shipped()
    columns = range(len(source.store.releases))
    return {
        snapshot.release: snapshot for snapshot in (Snapshot(source, column) for column in columns)
    }


def _cached(release: str, cache: Cache | None) -> Iterator[Snapshot]:
    # The cache's libraries take longer to import than the answer for a release that is shipped.
    from savedmodel_compat.cache import Cache, default_root

    folder = (cache or Cache(root=default_root())).path(FOLDER)
    # A model may have chosen the release: it is compared, and no part of a path.
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ()
    for name in names:
        file = folder / name / FILE
        if name.rpartition("-")[0] == release and file.is_file():
            yield from _read(file, file.stat().st_mtime_ns)


@cache
def _read(path: Path, modified: int) -> tuple[Snapshot, ...]:
    del modified  # a key: a file that was written anew is read anew
    return read(path)

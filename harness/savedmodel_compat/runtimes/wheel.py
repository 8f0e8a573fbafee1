"""The provider ``wheel``: the shared libraries of a TensorFlow wheel, under any interpreter.

Nothing is installed. The libraries are TensorFlow's C++ loader behind its C API
(tensorflow/c/c_api.h), which is the code that TensorFlow Serving loads models with.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.version import Version

import savedmodel_compat
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import download, elf, libraries, processes
from savedmodel_compat.runtimes.base import (
    Loader,
    Progress,
    Provider,
    Runtime,
    demand_linux,
    worker_environment,
)
from savedmodel_compat.runtimes.manifest import Library, Manifest, digest_of, read, sha256_of
from savedmodel_compat.runtimes.pins import Pin

_RECIPE = 1
"""Counted up whenever what is unpacked, or how it is changed, becomes another."""

_CPYTHON = (b"Py", b"_Py")
_FLAGS = ("TF_", "XLA_")
_BLOCK_BYTES = 1 << 20
_PROBE = Path(__file__).with_name("_probe.py")
_PROBE_SECONDS = 120.0


def entry_of(pin: Pin) -> str:
    """Return the name of the runtime's entry in the cache."""
    digest = digest_of(_RECIPE, pin.package, pin.release, pin.python, pin.machine, pin.sha256)
    return f"runtimes/wheel-{pin.release}-{pin.device}-{digest}"


def make_ready(
    pin: Pin,
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Runtime:
    """Fetch the wheel of ``pin`` and unpack the libraries of its C API, if nobody has yet.

    Args:
        pin: the release.
        cache: where runtimes are kept; the user's own if None.
        progress: told the bytes that have come, and then those that were unpacked.

    Raises:
        UnsupportedError: this is not Linux, or this machine has no wheel of the release.
        DownloadError: the wheel could not be fetched whole.
        InfrastructureError: the disk is full, or the libraries cannot be loaded here.
    """
    demand_linux(Provider.WHEEL)
    cache = cache or Cache(root=default_root())
    name = entry_of(pin)
    folder = cache.path(name)
    if not folder.is_dir():
        wheel = download.wheel_of(pin, cache, progress=progress)
        needs = _unpacked_bytes(wheel)
        cache.get(name, lambda into: _unpack(pin, wheel, into, progress), needs=needs)
    return _runtime(pin, folder)


def describe_libraries(python: str | Path, found: Sequence[Path], ops: Path) -> str:
    """Load ``found`` in a process of ``python``, write the op list to ``ops``, return the release.

    Raises:
        InfrastructureError: the libraries cannot be loaded, or are not TensorFlow's.
    """
    return _probed(python, found[-1], (ops, *found))


def describe_registry(python: str | Path, found: Sequence[Path], folder: Path) -> str:
    """Load ``found`` in a process of ``python``, write what is registered, return the release.

    Args:
        python: any interpreter.
        found: the libraries in the order in which they are loaded; the last exports the C API.
        folder: gets the files that ``_probe.py`` names: ops, kernels, an empty graph.

    Raises:
        InfrastructureError: as for `describe_libraries`.
    """
    return _probed(python, found[-1], ("--registry", folder, *found))


def describe_each(
    python: str | Path, found: Sequence[Path], others: Sequence[Path], folder: Path
) -> None:
    """Load ``found`` in a process of ``python``, and each of ``others`` after them in a child of it.

    Args:
        python: any interpreter.
        found: as for `describe_registry`.
        others: op libraries.
        folder: gets ``0.pb`` with the ops that are known with the first of them, and so on; in place of
            the list of one that does not load, ``0.txt`` says why.

    Raises:
        InfrastructureError: as for `describe_libraries`, of ``found``.
    """
    _probed(python, found[-1], ("--each", folder, str(len(others)), *found, *others))


@contextmanager
def opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    """Open a wheel as the archive that it is.

    Raises:
        InfrastructureError: it is damaged.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InfrastructureError(
            f"{wheel} is damaged: {error}",
            hint=f"remove the folder {wheel.parent}; the wheel is then fetched anew",
        ) from error


def _probed(python: str | Path, api: Path, arguments: tuple[str | Path, ...]) -> str:
    # What a user sets for TensorFlow may add devices, and with them kernels.
    users = {name: text for name, text in os.environ.items() if not name.startswith(_FLAGS)}
    # Up to level 2 every release greets whoever loads it.
    environment = {**users, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = (python, "-I", _PROBE, *arguments)
    done = processes.run(command, environment=environment, timeout=_PROBE_SECONDS)
    if done.returncode != 0:
        raise InfrastructureError(
            f"{api.name} cannot be loaded on this machine: {done.describe()}",
            hint="`savedmodel-compat doctor` says what this machine has; an illegal instruction "
            "(signal 4) means that the build needs a newer processor",
        )
    return done.stdout.strip()


def _runtime(pin: Pin, folder: Path) -> Runtime:
    manifest = read(folder)
    return Runtime(
        pin=pin,
        provider=Provider.WHEEL,
        device=pin.device,
        folder=folder,
        release=manifest.release,
        python=Path(sys.executable),
        libraries=tuple(folder / library.path for library in manifest.libraries),
        loaders=frozenset({Loader.C}),
        environment=worker_environment(pin.device),
    )


def _unpacked_bytes(wheel: Path) -> int:
    with opened(wheel) as archive:
        names = libraries.main_ones(_safe(archive.namelist()))
        return sum(archive.getinfo(name).file_size for name in names)


def _unpack(pin: Pin, wheel: Path, folder: Path, progress: Progress | None) -> None:
    rows = _placed(wheel, folder, progress)
    paths = tuple(folder / row.path for row in rows)
    release = describe_libraries(sys.executable, paths, folder / "ops.pb")
    if Version(release) != pin.version:
        raise InfrastructureError(
            f"{wheel.name} holds TensorFlow {release}, and {pin.release} is pinned",
        )
    Manifest(
        harness=savedmodel_compat.__version__,
        release=pin.release,
        wheel=wheel.name,
        wheel_sha256=pin.sha256 or sha256_of(wheel),
        libraries=rows,
    ).write(folder)


def _placed(wheel: Path, folder: Path, progress: Progress | None) -> tuple[Library, ...]:
    with opened(wheel) as archive:
        unpacking = _Unpacking(archive=archive, folder=folder, digests={}, progress=progress)
        paths = libraries.closure(_safe(archive.namelist()), unpacking.place)
    return tuple(_mended(path, folder, unpacking.digests[path]) for path in paths)


def _safe(names: Iterable[str]) -> tuple[str, ...]:
    """Leave out the names that would be unpacked elsewhere than in the folder."""
    paths = ((name, PurePosixPath(name)) for name in names)
    return tuple(name for name, path in paths if not path.is_absolute() and ".." not in path.parts)


def _mended(path: Path, folder: Path, original: str) -> Library:
    weakened = elf.weaken(path, prefixes=_CPYTHON)
    return Library(
        path=path.relative_to(folder).as_posix(),
        original_sha256=original,
        sha256=sha256_of(path) if weakened else original,
        weakened=weakened,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacking:
    """A wheel that is being unpacked, file by file as they turn out to be needed."""

    archive: zipfile.ZipFile
    folder: Path
    digests: dict[Path, str]
    progress: Progress | None

    def place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self.archive.open(name) as source, path.open("wb") as target:
            while block := source.read(_BLOCK_BYTES):
                target.write(block)
                digest.update(block)
                self._report(name, target.tell())
        self.digests[path] = digest.hexdigest()
        return path

    def _report(self, name: str, done: int) -> None:
        if self.progress is not None:
            self.progress(done, self.archive.getinfo(name).file_size, PurePosixPath(name).name)

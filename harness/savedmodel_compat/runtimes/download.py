"""Wheels of TensorFlow, fetched once and kept in the cache for every provider."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from packaging.tags import platform_tags

from savedmodel_compat.cache import Cache, size_of
from savedmodel_compat.errors import DownloadError, UnsupportedError
from savedmodel_compat.runtimes import _pip
from savedmodel_compat.runtimes.base import Progress
from savedmodel_compat.runtimes.manifest import sha256_of
from savedmodel_compat.runtimes.pins import Pin


def entry_of(pin: Pin) -> str:
    """Return the name of the wheel's entry in the cache."""
    known = "unknown" if pin.sha256 is None else pin.sha256[:12]
    return f"wheels/{pin.package}-{pin.release}-cp{pin.python}-{pin.machine}-{known}"


def wheel_of(pin: Pin, cache: Cache, *, progress: Progress | None = None) -> Path:
    """Return the wheel of ``pin``, fetching it if the cache does not have it.

    Args:
        pin: the release.
        cache: where wheels are kept.
        progress: told how many bytes have come.

    Raises:
        UnsupportedError: this machine has no wheel of the release.
        DownloadError: pip did not get it, or it has another digest than the pin says.
        InfrastructureError: the disk is full.
    """
    if pin.unavailable is not None:
        raise UnsupportedError(pin.unavailable, hint="choose another release with --on or --with")
    # pip writes the wheel to its temporary folder and copies it from there.
    needs = None if pin.bytes is None else 2 * pin.bytes
    entry = cache.get(
        entry_of(pin),
        lambda temporary: _fetch(pin, temporary, progress),
        needs=needs,
    )
    return next(entry.glob("*.whl"))


def _fetch(pin: Pin, folder: Path, progress: Progress | None) -> None:
    staging = folder / "staging"
    destination, temporary = staging / "wheel", staging / "tmp"
    destination.mkdir(parents=True)
    temporary.mkdir()
    _pip.download(
        f"{pin.package}=={pin.release}",
        python=pin.python,
        platforms=tuple(platform_tags()),
        destination=destination,
        temporary=temporary,
        tick=_reporter(pin, staging, progress),
    )
    wheel = _verified(pin, destination)
    if progress is not None:
        size = wheel.stat().st_size
        progress(size, size, _what(pin))
    wheel.rename(folder / wheel.name)
    shutil.rmtree(staging)


def _verified(pin: Pin, folder: Path) -> Path:
    wheels = tuple(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(
            f"pip left {len(wheels)} wheels for {pin.package}=={pin.release}, where one is expected"
        )
    digest = sha256_of(wheels[0])
    if pin.sha256 not in {None, digest}:
        raise DownloadError(
            f"{wheels[0].name} has the SHA-256 {digest}, and {pin.sha256} is pinned: the index, "
            "or something on the way from it, serves another file of that name",
            hint="see `pip config list` for where pip looks; to use that file on purpose, set its "
            "sha256 in a row of [[tool.savedmodel-compat.pins]]",
        )
    return wheels[0]


def _reporter(pin: Pin, staging: Path, progress: Progress | None) -> Callable[[], None] | None:
    """Return what reports the bytes that have been staged; pip itself tells nobody."""
    if progress is None:
        return None

    def report() -> None:
        done = size_of(staging)
        progress(done if pin.bytes is None else min(done, pin.bytes), pin.bytes, _what(pin))

    return report


def _what(pin: Pin) -> str:
    return f"{pin.package} {pin.release}"

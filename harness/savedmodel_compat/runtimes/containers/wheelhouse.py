"""Folders that hold all that a release's environment is installed from, where there is no network.

They are filled without the CPython of the release. Packages that have no wheel are in them as source
archives, and become wheels where they are installed: what is compiled elsewhere may want another libc.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from savedmodel_compat.cache import Cache, size_of
from savedmodel_compat.errors import ConfigurationError, DownloadError, UnsupportedError
from savedmodel_compat.runtimes import _pip, download
from savedmodel_compat.runtimes.base import Progress
from savedmodel_compat.runtimes.manifest import digest_of, sha256_of
from savedmodel_compat.runtimes.pins import Pin

REQUIREMENTS = "requirements.txt"
"""The file with the exact versions, and TensorFlow's own package among them."""

_RECIPE = 1
"""Counted up whenever what is put into a wheelhouse becomes another."""

_NEWEST_GLIBC = 31
"""The minor version of glibc 2 that wheels may want: that of Debian 11, the oldest base there is."""
_OLDEST_GLIBC = {"x86_64": 5}
_OLDEST_GLIBC_ELSEWHERE = 17
_NAMES_OF_GLIBC = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

_TENSORFLOW = frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-cpu-aws", "tensorflow-gpu"})

_INSTALLER = {"pip": "25.0.1", "setuptools": "75.3.2", "wheel": "0.45.1"}
"""What installs, and what builds a source archive: a base brings any, and CPython 3.12 none."""
_INSTALLERS = {
    "3.6": {"pip": "21.3.1", "setuptools": "59.6.0", "wheel": "0.37.1"},
    "3.7": {"pip": "24.0", "setuptools": "68.0.0", "wheel": "0.42.0"},
}
"""The same for the CPythons that it has dropped: the last that each can run."""


def fill(pin: Pin, folder: Path, *, cache: Cache, progress: Progress | None = None) -> None:
    """Fill ``folder`` with the wheels of ``pin`` and of its lock, and with ``requirements.txt``.

    Args:
        pin: the release.
        folder: an empty folder.
        cache: where TensorFlow's own wheel is kept, or is fetched into.
        progress: told the bytes that have come.

    Raises:
        UnsupportedError: there is no wheel of the release for the machine of ``pin``.
        ConfigurationError: the pin has no lock, or one that cannot be read.
        DownloadError: a package could not be fetched.
        InfrastructureError: TensorFlow's wheel could not be kept, as the disk is full.
        OSError: the disk is full.
    """
    locked = _locked(pin)
    wheel = download.wheel_of(pin, cache, progress=progress)
    packages = [f"{name}=={version}" for name, version in _installer(pin, locked).items()]
    packages += locked.values()
    with tempfile.TemporaryDirectory(prefix=".pip-", dir=folder) as temporary:
        try:
            _pip.download_all(
                packages,
                python=pin.python,
                platforms=platforms(pin.machine),
                destination=folder,
                temporary=Path(temporary),
                tick=_reporter(pin, folder, progress),
            )
        except DownloadError as error:
            raise DownloadError(
                f"TensorFlow {pin.release} on {pin.machine}, with the versions of {pin.lock}: "
                f"{error.message}",
                hint=error.hint,
            ) from error
    _link(wheel, folder / wheel.name)
    lines = sorted([*locked.values(), f"{pin.package}=={pin.release}"])
    text = "".join(f"{line}\n" for line in lines)
    (folder / REQUIREMENTS).write_text(text, encoding="utf-8")


def digest(pin: Pin) -> str:
    """Return the short digest of all that makes the wheelhouse of ``pin``.

    Raises:
        UnsupportedError: as for `fill`.
        ConfigurationError: the pin has no lock, or one that is not there.
    """
    lock = _lock_of(pin)
    try:
        locked = sha256_of(lock)
    except OSError as error:
        raise _unreadable(pin, lock, error) from error
    parts = (pin.package, pin.release, pin.python, pin.machine, pin.sha256)
    tools = (f"{name}=={version}" for name, version in _tools(pin).items())
    return digest_of(_RECIPE, _NEWEST_GLIBC, *parts, locked, *tools)


def platforms(machine: str) -> tuple[str, ...]:
    """Return the platform tags of the wheels that the base images can use, the best first.

    They are those of Debian, not those of the machine that fills the wheelhouse.

    Args:
        machine: as `platform.machine` calls it.
    """
    oldest = _OLDEST_GLIBC.get(machine, _OLDEST_GLIBC_ELSEWHERE)
    tags: list[str] = []
    for minor in range(_NEWEST_GLIBC, oldest - 1, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in _NAMES_OF_GLIBC:
            tags.append(f"{_NAMES_OF_GLIBC[minor]}_{machine}")
    return (*tags, f"linux_{machine}")


def _locked(pin: Pin) -> Mapping[str, str]:
    """Return the lock's lines that hold for the pin, by name, without TensorFlow itself."""
    lock = _lock_of(pin)
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(pin, lock, error) from error
    found = _requirements(pin, lock, lines)
    return {name: line for name, line in found if name not in _TENSORFLOW}


def _requirements(pin: Pin, lock: Path, lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ConfigurationError(
                f"{lock}:{number}: {text!r} is not a package and its version: {error}",
                hint="a lock has a line such as `six==1.17.0` for each package, without options",
            ) from error
        # pip would ask the interpreter that runs it, which is not the one that installs.
        if requirement.marker is None or requirement.marker.evaluate(_environment(pin)):
            requirement.marker = None
            yield canonicalize_name(requirement.name), str(requirement)


def _environment(pin: Pin) -> dict[str, str]:
    """Return what a marker may ask for, as the pin's CPython would answer."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{pin.python}.99",
        "os_name": "posix",
        "platform_machine": pin.machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{pin.python}.99",
        "python_version": pin.python,
        "sys_platform": "linux",
    }


def _installer(pin: Pin, locked: Mapping[str, str]) -> Mapping[str, str]:
    """Return the packages that install, without those that the lock has a version of."""
    return {name: version for name, version in _tools(pin).items() if name not in locked}


def _tools(pin: Pin) -> Mapping[str, str]:
    return _INSTALLERS.get(pin.python, _INSTALLER)


def _lock_of(pin: Pin) -> Path:
    if pin.unavailable is not None:
        raise UnsupportedError(pin.unavailable, hint="choose another release with --on or --with")
    if pin.lock is not None:
        return pin.lock
    raise ConfigurationError(
        f"the pin of TensorFlow {pin.release} has no lock, and an image is built without a "
        "network, from exact versions",
        hint=f"`echo {pin.package}=={pin.release} | uv pip compile --python-version {pin.python} "
        "--no-annotate -o lock.txt -` makes one; name it as lock in the row of pins",
    )


def _unreadable(pin: Pin, lock: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the lock {lock} that the pin of TensorFlow {pin.release} names cannot be read: {error}"
    )


def _link(wheel: Path, place: Path) -> None:
    """Put the cache's wheel there without a second copy, where the filesystem has links."""
    try:
        place.hardlink_to(wheel)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP}:
            raise
        shutil.copyfile(wheel, place)


def _reporter(pin: Pin, folder: Path, progress: Progress | None) -> Callable[[], None] | None:
    """Return what reports the bytes that have come; pip itself tells nobody."""
    if progress is None:
        return None

    def report() -> None:
        # pip's temporaries are gone when they are looked at.
        with contextlib.suppress(FileNotFoundError):
            progress(size_of(folder), None, f"packages of TensorFlow {pin.release}")

    return report

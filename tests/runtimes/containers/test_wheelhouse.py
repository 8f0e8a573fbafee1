"""Tests of wheelhouses, filled by the real pip from a folder, and once from real locks."""

from __future__ import annotations

import errno
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import (
    ConfigurationError,
    DownloadError,
    InfrastructureError,
    UnsupportedError,
)
from savedmodel_compat.runtimes import _pip, download, pins, processes
from savedmodel_compat.runtimes.containers import wheelhouse
from savedmodel_compat.runtimes.pins import Pin

INSTALLER = {"pip", "setuptools", "wheel"}
BACKEND = """
import os

def build_wheel(*_):
    raise SystemExit("nothing is built here")

def prepare_metadata_for_build_wheel(folder, _=None):
    info = os.path.join(folder, "old-1.0.dist-info")
    os.mkdir(info)
    with open(os.path.join(info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: old\\nVersion: 1.0\\n")
    return "old-1.0.dist-info"
"""


def add_wheel(
    folder: Path, name: str, version: str, *, tag: str = "py3-none-any", more: str = ""
) -> None:
    """Add a wheel with nothing in it to a folder; ``more`` goes into its metadata."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/RECORD", "")


def add_source(folder: Path) -> None:
    """Add the source archive of ``old`` 1.0, which brings its own builder."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n',
        "b.py": BACKEND,
        "PKG-INFO": "Metadata-Version: 2.1\nName: old\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "old-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"old-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def distributions(folder: Path) -> set[str]:
    """Return the names of what a folder holds, besides what installs."""
    names = {path.name.partition("-")[0] for path in folder.iterdir()}
    return names - INSTALLER - {wheelhouse.REQUIREMENTS}


@pytest.fixture
def index(offline: Path) -> Path:
    """Return the folder that pip looks in, with the installers of every CPython."""
    for tools in (wheelhouse._INSTALLER, *wheelhouse._INSTALLERS.values()):
        for name, version in tools.items():
            add_wheel(offline, name, version)
    return offline


@pytest.fixture
def make_locked(
    make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], tmp_path: Path
) -> Callable[..., Pin]:
    """Make the pin of a release that pip finds, with a lock of the given lines."""

    def make(*lines: str, **changes: object) -> Pin:
        make_wheel({"tensorflow/__init__.py": b""})
        lock = tmp_path / "lock.txt"
        lock.write_text("\n".join(lines), encoding="utf-8")
        return make_pin(lock=lock, **changes)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    path = tmp_path / "house"
    path.mkdir()
    return path


def test_all_that_the_lock_names_is_there(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """And TensorFlow under the name that its wheel has, whatever the lock calls it."""
    add_wheel(index, "six", "1.17.0")
    add_wheel(index, "numpy", "1.26.4", tag="cp311-cp311-manylinux_2_17_x86_64")
    pin = make_locked("# a comment", "six==1.17.0", "numpy==1.26.4  # why", "tensorflow==9.8.7")
    wheelhouse.fill(pin, folder, cache=cache)
    assert distributions(folder) == {"six", "numpy", "tensorflow_cpu"}
    said = (folder / wheelhouse.REQUIREMENTS).read_text(encoding="utf-8")
    assert said == "numpy==1.26.4\nsix==1.17.0\ntensorflow-cpu==9.8.7\n"


def test_a_wheelhouse_is_enough(
    make_locked: Callable[..., Pin],
    index: Path,
    folder: Path,
    cache: Cache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What its requirements say is found in it, and nowhere else."""
    add_wheel(index, "six", "1.17.0")
    pin = make_locked("six==1.17.0", "tensorflow==9.8.7")
    wheelhouse.fill(pin, folder, cache=cache)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    again = index.with_name("again")
    _pip.download_all(
        (folder / wheelhouse.REQUIREMENTS).read_text(encoding="utf-8").split(),
        python=pin.python,
        platforms=wheelhouse.platforms(pin.machine),
        destination=again,
        temporary=index,
    )
    assert distributions(again) == {"six", "tensorflow_cpu"}


def test_what_tensorflow_depends_on_is_the_locks_to_say(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """A dependency that the lock leaves out is left out."""
    add_wheel(index, "six", "1.17.0", more="Requires-Dist: numpy\n")
    add_wheel(index, "numpy", "2.0.0")
    wheelhouse.fill(make_locked("six==1.17.0"), folder, cache=cache)
    assert distributions(folder) == {"six", "tensorflow_cpu"}


def test_tensorflow_is_not_kept_twice(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """Its wheel is the file that the cache has."""
    pin = make_locked()
    assert index.is_dir()
    wheelhouse.fill(pin, folder, cache=cache)
    wheel = download.wheel_of(pin, cache)
    assert (folder / wheel.name).samefile(wheel)


def test_tensorflow_is_copied_where_files_cannot_be_linked(
    make_locked: Callable[..., Pin],
    index: Path,
    folder: Path,
    cache: Cache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On another filesystem than the cache's."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another filesystem")

    pin = make_locked()
    assert index.is_dir()
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    wheelhouse.fill(pin, folder, cache=cache)
    wheel = download.wheel_of(pin, cache)
    assert (folder / wheel.name).read_bytes() == wheel.read_bytes()


def test_what_installs_is_there(
    make_pin: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """In versions that the CPython of the pin can run: this one knows no newer syntax."""
    lock = index / "lock.txt"
    lock.touch()
    add_wheel(index, "tensorflow_cpu", "9.8.7", tag="cp36-cp36m-manylinux2010_x86_64")
    wheelhouse.fill(make_pin(python="3.6", lock=lock), folder, cache=cache)
    names = {path.name.removesuffix("-py3-none-any.whl") for path in folder.iterdir()}
    assert names >= {"pip-21.3.1", "setuptools-59.6.0", "wheel-0.37.1"}


def test_what_the_lock_says_of_installers_counts(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """Two versions of one package could not be installed."""
    add_wheel(index, "setuptools", "68.0.0")
    wheelhouse.fill(make_locked("setuptools==68.0.0"), folder, cache=cache)
    assert [path.name for path in folder.glob("setuptools-*")] == [
        "setuptools-68.0.0-py3-none-any.whl"
    ]


def test_what_has_no_wheel_comes_as_its_source(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """It is built where it is installed: what is compiled here may not run there."""
    add_source(index)
    wheelhouse.fill(make_locked("old==1.0"), folder, cache=cache)
    assert (folder / "old-1.0.tar.gz").is_file()


def test_a_wheel_for_a_newer_libc_is_not_taken(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """Whatever the machine has on which the wheelhouse is filled."""
    add_wheel(index, "numpy", "1.26.4", tag="cp311-cp311-manylinux_2_39_x86_64")
    with pytest.raises(DownloadError, match="numpy==1.26.4 for CPython 3.11"):
        wheelhouse.fill(make_locked("numpy==1.26.4"), folder, cache=cache)


def test_the_first_patch_of_a_cpython_is_not_meant(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """Packages that refuse 3.11.0 for its faults run in the images, which have a later one."""
    add_wheel(index, "six", "1.17.0", more="Requires-Python: !=3.11.0,>=3.7\n")
    wheelhouse.fill(make_locked("six==1.17.0"), folder, cache=cache)
    assert "six" in distributions(folder)


def test_markers_are_the_pins_to_answer(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """Not the interpreter's that runs this; and the image is asked nothing."""
    add_wheel(index, "yes", "1.0")
    pin = make_locked(
        'yes==1.0 ; python_version == "3.11" and platform_machine == "x86_64"',
        'no==1.0 ; python_version != "3.11" or sys_platform != "linux"',
        'no_one==1.0 ; python_full_version < "3.11.4"',
    )
    wheelhouse.fill(pin, folder, cache=cache)
    said = (folder / wheelhouse.REQUIREMENTS).read_text(encoding="utf-8")
    assert said == "tensorflow-cpu==9.8.7\nyes==1.0\n"


def test_a_missing_package_is_named(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """With the release, the lock and what to do; and nothing of pip's is left."""
    assert index.is_dir()
    pin = make_locked("absent==1.0")
    with pytest.raises(DownloadError) as caught:
        wheelhouse.fill(pin, folder, cache=cache)
    for word in ("TensorFlow 9.8.7 on x86_64", str(pin.lock), "absent==1.0 for CPython 3.11"):
        assert word in caught.value.message
    assert "PIP_FIND_LINKS" in str(caught.value.hint)
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_not_taken_for_a_missing_package(
    make_locked: Callable[..., Pin], index: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip says of it becomes the error of a full disk."""
    pin = make_locked()
    assert index.is_dir()
    download.wheel_of(pin, cache)
    full = processes.Completed(
        command=("pip",),
        returncode=1,
        stdout="",
        stderr="ERROR: [Errno 28] No space left on device",
    )
    monkeypatch.setattr(processes, "run", lambda *_, **__: full)
    with pytest.raises(InfrastructureError, match="(?i)space|full"):
        cache.get("wheelhouses/x", lambda into: wheelhouse.fill(pin, into, cache=cache))
    assert not cache.path("wheelhouses/x").exists()


def test_progress_is_of_the_packages_too(
    make_locked: Callable[..., Pin], index: Path, folder: Path, cache: Cache
) -> None:
    """First TensorFlow's bytes, then those of the others, of which nobody knows how many come."""
    assert index.is_dir()
    seen: list[tuple[int, int | None, str]] = []
    wheelhouse.fill(make_locked(), folder, cache=cache, progress=lambda *told: seen.append(told))
    assert seen[0][2] == "tensorflow-cpu 9.8.7"
    assert {total for _, total, what in seen if what == "packages of TensorFlow 9.8.7"} == {None}


def test_a_pin_without_a_lock_is_refused(
    make_pin: Callable[..., Pin], folder: Path, cache: Cache
) -> None:
    """The command that makes one is in the hint."""
    with pytest.raises(ConfigurationError, match="9.8.7 has no lock") as caught:
        wheelhouse.fill(make_pin(), folder, cache=cache)
    assert "uv pip compile --python-version 3.11" in str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="9.8.7 has no lock"):
        wheelhouse.digest(make_pin())


def test_a_release_without_a_wheel_is_not_supported(make_pin: Callable[..., Pin]) -> None:
    """The reason is the pin's, and not that it has no lock either."""
    with pytest.raises(UnsupportedError, match="no wheel of TensorFlow 9"):
        wheelhouse.digest(make_pin(package=None))


def test_a_lock_that_is_not_there_is_refused(make_pin: Callable[..., Pin], tmp_path: Path) -> None:
    """Its path is in the text."""
    with pytest.raises(ConfigurationError, match=r"absent\.txt that the pin of TensorFlow 9"):
        wheelhouse.digest(make_pin(lock=tmp_path / "absent.txt"))


def test_a_line_that_is_no_package_is_refused(
    make_locked: Callable[..., Pin], folder: Path, cache: Cache
) -> None:
    """With its number."""
    with pytest.raises(ConfigurationError, match=r"lock\.txt:2: '--hash=sha256:0'"):
        wheelhouse.fill(make_locked("six==1.17.0", "--hash=sha256:0"), folder, cache=cache)


def test_the_digest_tells_what_makes_a_wheelhouse(make_locked: Callable[..., Pin]) -> None:
    """Each of the lock, the wheel, the CPython and the machine makes another one."""
    pin = make_locked("six==1.17.0")

    def digests() -> Iterator[str]:
        yield wheelhouse.digest(pin)
        yield wheelhouse.digest(replace(pin, sha256="0" * 64))
        yield wheelhouse.digest(replace(pin, python="3.12"))
        yield wheelhouse.digest(replace(pin, machine="aarch64"))
        assert pin.lock is not None
        pin.lock.write_text("six==1.16.0\n", encoding="utf-8")
        yield wheelhouse.digest(pin)

    assert len(set(digests())) == 5
    assert wheelhouse.digest(pin) == wheelhouse.digest(replace(pin))


@pytest.mark.parametrize(
    ("machine", "oldest"), [("x86_64", "manylinux1_x86_64"), ("aarch64", "manylinux2014_aarch64")]
)
def test_platforms_are_those_of_the_bases(machine: str, oldest: str) -> None:
    """From the newest libc to the oldest that wheels of the machine were ever made for."""
    tags = wheelhouse.platforms(machine)
    assert tags[0] == f"manylinux_2_31_{machine}"
    assert tags[-2:] == (oldest, f"linux_{machine}")
    assert tags.index(f"manylinux_2_28_{machine}") < tags.index(f"manylinux2014_{machine}")


def test_every_lock_can_be_read() -> None:
    """For each pinned release, with TensorFlow's own package taken out of its lock."""
    for pin in pins.load().on("cpu"):
        locked = wheelhouse._locked(pin)
        assert {"numpy", "protobuf", "six"} <= locked.keys()
        assert not locked.keys() & wheelhouse._TENSORFLOW
        assert all("==" in line for line in locked.values())


def test_a_real_release(oldest_pin: Pin, oldest_wheel: Path, folder: Path) -> None:
    """One of its packages never had a wheel."""
    try:
        wheelhouse.fill(oldest_pin, folder, cache=Cache(root=default_root()))
    except DownloadError as error:
        pytest.skip(f"the packages of its lock cannot be fetched: {error.message}")
    names = {path.name for path in folder.iterdir()}
    assert {oldest_wheel.name, "html5lib-0.9999999.tar.gz", "pip-21.3.1-py3-none-any.whl"} <= names
    lines = (folder / wheelhouse.REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    assert "tensorflow==1.4.1" in lines
    assert (
        len(names) == len(lines) + len(INSTALLER - {line.partition("=")[0] for line in lines}) + 1
    )

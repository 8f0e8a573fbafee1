"""Tests of fetching wheels, through the real pip or with its seam replaced."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import DownloadError, InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes import _pip, download
from savedmodel_compat.runtimes.manifest import sha256_of
from savedmodel_compat.runtimes.pins import Pin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wheels are Linux's")

FETCH = """
import sys
from pathlib import Path
from savedmodel_compat.cache import Cache
from savedmodel_compat.runtimes import download
from savedmodel_compat.runtimes.pins import Pin

pin = Pin(release="9.8.7", python="3.11", package="tensorflow-cpu", machine="x86_64")
print(download.wheel_of(pin, Cache(root=Path(sys.argv[1]))))
"""
SLOW_PIP = """
import pathlib, sys, time
from savedmodel_compat.runtimes import _pip

def slow(*_, destination, **__):
    (pathlib.Path(destination) / "half.whl").write_bytes(b"half")
    print("fetching", flush=True)
    time.sleep(60)

_pip.download = slow
"""


def left_in(cache: Cache) -> list[str]:
    """List what lies in the cache besides the locks."""
    files = (path for path in cache.root.rglob("*") if path.is_file())
    return sorted(path.name for path in files if path.suffix != ".lock")


def test_a_wheel_is_fetched_from_a_folder_without_an_index(
    cache: Cache, make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], offline: Path
) -> None:
    """The settings of pip say where to look, and the file arrives as it is."""
    source = make_wheel({"tensorflow/__init__.py": b""})
    assert source.parent == offline
    wheel = download.wheel_of(make_pin(sha256=sha256_of(source)), cache)
    assert wheel.read_bytes() == source.read_bytes()
    assert left_in(cache) == [wheel.name]


def test_a_cached_wheel_is_not_fetched_again(
    cache: Cache,
    make_pin: Callable[..., Pin],
    make_wheel: Callable[..., Path],
    offline: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once it is there, pip is not even started."""
    make_wheel({})
    first = download.wheel_of(make_pin(), cache)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError(f"pip was asked although {offline} had been read")

    monkeypatch.setattr(_pip, "download", refuse)
    assert download.wheel_of(make_pin(), cache) == first


def test_another_digest_is_refused(
    cache: Cache, make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], offline: Path
) -> None:
    """Both digests are in the text, and the file is not kept."""
    digest = sha256_of(make_wheel({}))
    assert offline.is_dir()
    with pytest.raises(DownloadError) as caught:
        download.wheel_of(make_pin(sha256="0" * 64), cache)
    assert digest in caught.value.message
    assert "0" * 64 in caught.value.message
    assert left_in(cache) == []


def test_a_wheel_that_does_not_exist_says_what_pip_said(
    cache: Cache, make_pin: Callable[..., Pin], offline: Path
) -> None:
    """The last lines of pip and the place to look are in the error."""
    assert offline.is_dir()
    with pytest.raises(DownloadError, match="No matching distribution") as caught:
        download.wheel_of(make_pin(), cache)
    assert "tensorflow-cpu==9.8.7 for CPython 3.11" in caught.value.message
    assert "PIP_FIND_LINKS" in str(caught.value.hint)


def test_a_wheel_for_another_python_is_not_taken(
    cache: Cache, make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], offline: Path
) -> None:
    """The interpreter of the pin decides, not the one that runs the controller."""
    make_wheel({})
    assert offline.is_dir()
    with pytest.raises(DownloadError):
        download.wheel_of(make_pin(python="3.9"), cache)


def test_a_download_that_breaks_off_leaves_nothing(
    cache: Cache, make_pin: Callable[..., Pin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a wheel is removed with its folder, and the next request begins anew."""

    def broken(*_: object, destination: Path, temporary: Path, **__: object) -> None:
        (temporary / "part").write_bytes(b"part")
        (destination / "half.whl").write_bytes(b"half")
        raise DownloadError("the connection was reset")

    monkeypatch.setattr(_pip, "download", broken)
    with pytest.raises(DownloadError, match="reset"):
        download.wheel_of(make_pin(), cache)
    assert left_in(cache) == []


def test_a_download_that_is_killed_is_begun_anew(
    cache: Cache, make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], offline: Path
) -> None:
    """What a killed controller had fetched is swept by the next one."""
    source = make_wheel({})
    assert offline.is_dir()
    command = [sys.executable, "-c", SLOW_PIP + FETCH, str(cache.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "fetching\n"
        killed.send_signal(signal.SIGKILL)
    assert left_in(cache) == ["half.whl"]
    wheel = download.wheel_of(make_pin(), cache)
    assert left_in(cache) == [source.name] == [wheel.name]


def test_a_full_disk_is_an_error_of_the_infrastructure(
    cache: Cache, make_pin: Callable[..., Pin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of the wheel are in the text, twice over: pip copies it."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_pip, "download", full)
    with pytest.raises(InfrastructureError, match="about 2,000 bytes"):
        download.wheel_of(make_pin(bytes=1000), cache)
    assert left_in(cache) == []


def test_two_processes_fetch_a_wheel_once(
    cache: Cache, make_wheel: Callable[..., Path], offline: Path
) -> None:
    """Both get the same file, and no temporary stays."""
    source = make_wheel({"tensorflow/data": bytes(1000)})
    assert offline.is_dir()
    command = [sys.executable, "-c", FETCH, str(cache.root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = [process.communicate()[0].strip() for process in running]
    assert paths[0] == paths[1] != ""
    assert left_in(cache) == [source.name]


def test_progress_is_measured_by_the_bytes_that_came(
    cache: Cache, make_pin: Callable[..., Pin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not go beyond the size that is pinned; at the end the size is that of the file."""
    seen: list[tuple[int, int | None, str]] = []

    def slow(*_: object, destination: Path, tick: Callable[[], None], **__: object) -> None:
        for _part in range(3):
            with (destination / "a.whl").open("ab") as file:
                file.write(bytes(400))
            tick()

    monkeypatch.setattr(_pip, "download", slow)

    def progress(done: int, total: int | None, what: str) -> None:
        seen.append((done, total, what))

    download.wheel_of(make_pin(bytes=1000), cache, progress=progress)
    assert [done for done, _, _ in seen] == [400, 800, 1000, 1200]
    assert [total for _, total, _ in seen] == [1000, 1000, 1000, 1200]
    assert {what for *_, what in seen} == {"tensorflow-cpu 9.8.7"}


def test_the_real_pip_is_watched(
    cache: Cache, make_pin: Callable[..., Pin], make_wheel: Callable[..., Path], offline: Path
) -> None:
    """The callback is reached through the process that pip runs in."""
    make_wheel({"tensorflow/data": os.urandom(10**6)})
    assert offline.is_dir()
    seen: list[int] = []
    began = time.monotonic()
    download.wheel_of(make_pin(), cache, progress=lambda done, *_: seen.append(done))
    assert len(seen) >= min(2, int((time.monotonic() - began) * 2))


def test_a_machine_without_a_wheel_is_not_supported(
    cache: Cache, make_pin: Callable[..., Pin]
) -> None:
    """The reason is the pin's."""
    with pytest.raises(UnsupportedError, match="no wheel of TensorFlow 9"):
        download.wheel_of(make_pin(package=None), cache)


@pytest.mark.parametrize(("python", "tag"), [("3.6", "cp36m"), ("3.7", "cp37m"), ("3.8", "cp38")])
def test_the_abi_has_its_letter_up_to_python_3_7(python: str, tag: str) -> None:
    """The m stood for pymalloc."""
    assert _pip.abi(python) == tag


def test_the_settings_of_pip_are_read(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's are above the files'."""
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example/simple https://two.example/s'x")
    found: dict[str, Any] = dict(_pip.settings())
    assert found["find-links"] == str(offline)
    assert found["no-index"] == "1"
    assert found["extra-index-url"].split()[-1] == "https://two.example/s'x"


def test_the_environment_is_above_every_file() -> None:
    """Whatever the order in which pip lists them."""
    listing = ":env:.find-links='/a'\nglobal.find-links='/b'\nsite.timeout='3'\nuser.timeout='2'\n"
    assert dict(_pip._parsed(listing)) == {"find-links": "/a", "timeout": "3"}

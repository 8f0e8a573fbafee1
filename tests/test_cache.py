"""Tests of the cache: whole entries or none, whatever happens to who builds them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from savedmodel_compat.cache import VARIABLE, Cache, default_root, size_of
from savedmodel_compat.errors import InfrastructureError

BUILDER = """
import sys, time
from pathlib import Path
from savedmodel_compat.cache import Cache

root, name, seconds, log = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])

def build(folder):
    with log.open("a") as file:
        file.write("built\\n")
    (folder / "part").write_text("half")
    print("building", flush=True)
    time.sleep(seconds)
    (folder / "whole").write_text("whole")

print(Cache(root=root).get(name, build))
"""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return Cache(root=tmp_path / "cache")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a filesystem of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small filesystem can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def start_builder(cache: Cache, name: str, seconds: float, log: Path) -> subprocess.Popen[str]:
    """Start another process that builds an entry and takes its time."""
    arguments = [str(cache.root), name, str(seconds), str(log)]
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until_building(builder: subprocess.Popen[str]) -> None:
    """Wait until it has begun."""
    assert builder.stdout is not None
    assert builder.stdout.readline() == "building\n"


def put(folder: Path) -> None:
    """Build the smallest entry."""
    (folder / "file").write_text("text")


def test_an_entry_is_built_once(cache: Cache) -> None:
    """The second request finds the folder and does not build."""
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        put(folder)

    assert cache.get("kind/name", build) == cache.get("kind/name", build)
    assert len(built) == 1
    assert (cache.path("kind/name") / "file").read_text() == "text"


def test_an_entry_is_built_under_another_name_on_the_same_filesystem(cache: Cache) -> None:
    """The final name appears by a rename, which cannot be seen half done."""
    seen: list[tuple[bool, bool]] = []

    def build(folder: Path) -> None:
        same = folder.stat().st_dev == cache.root.stat().st_dev
        seen.append((cache.path("kind/name").exists(), same))

    cache.get("kind/name", build)
    assert seen == [(False, True)]


def test_others_may_read_an_entry(cache: Cache) -> None:
    """A container's ordinary user can enter the folder."""
    assert cache.get("kind/name", put).stat().st_mode & 0o777 == 0o755


def test_a_failed_build_leaves_nothing(cache: Cache) -> None:
    """The exception comes through, and neither an entry nor a temporary stays."""

    def build(folder: Path) -> None:
        put(folder)
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        cache.get("kind/name", build)
    assert not cache.path("kind/name").exists()
    assert list((cache.root / "tmp").iterdir()) == []


def test_an_interrupted_build_leaves_nothing(cache: Cache) -> None:
    """Ctrl-C removes the temporary as any other exception does."""

    def build(folder: Path) -> None:
        put(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("kind/name", build)
    assert list((cache.root / "tmp").iterdir()) == []


def test_what_a_killed_builder_left_is_swept(cache: Cache, tmp_path: Path) -> None:
    """The next builder of any entry removes the temporaries of dead ones."""
    builder = start_builder(cache, "kind/killed", 60, tmp_path / "log")
    wait_until_building(builder)
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    assert not cache.path("kind/killed").exists()
    assert len(list((cache.root / "tmp").iterdir())) == 1
    cache.get("kind/other", put)
    assert list((cache.root / "tmp").iterdir()) == []


def test_a_living_builder_keeps_its_temporary(cache: Cache, tmp_path: Path) -> None:
    """Sweeping asks for the lock of each temporary, so that work in progress stays."""
    builder = start_builder(cache, "kind/slow", 1, tmp_path / "log")
    wait_until_building(builder)
    cache.get("kind/other", put)
    builder.communicate()
    assert builder.returncode == 0
    assert (cache.path("kind/slow") / "part").is_file()
    assert (cache.path("kind/slow") / "whole").is_file()


def test_two_processes_build_an_entry_once(cache: Cache, tmp_path: Path) -> None:
    """The second waits for the first and takes what that one made."""
    log = tmp_path / "log"
    builders = [start_builder(cache, "kind/name", 0.5, log) for _ in range(2)]
    outputs = [builder.communicate()[0].splitlines()[-1] for builder in builders]
    assert outputs == [str(cache.path("kind/name"))] * 2
    assert log.read_text() == "built\n"


def test_a_full_disk_says_where_and_how_much(cache: Cache) -> None:
    """ENOSPC names the folder, the bytes that are needed and those that are free."""

    def build(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InfrastructureError) as caught:
        cache.get("kind/name", build, needs=1000)
    assert str(cache.path("kind/name")) in caught.value.message
    assert "about 1,000 bytes" in caught.value.message
    assert "bytes are free" in caught.value.message
    assert VARIABLE in str(caught.value.hint)


def test_a_really_full_disk_leaves_nothing(small_disk: Path) -> None:
    """A write beyond the end of the filesystem is reported, and its space is free again."""
    cache = Cache(root=small_disk / "cache")

    def build(folder: Path) -> None:
        (folder / "file").write_bytes(b"\0" * 10**6)

    with pytest.raises(InfrastructureError, match="no space left"):
        cache.get("kind/name", build)
    assert list((cache.root / "tmp").iterdir()) == []
    assert cache.get("kind/small", put).is_dir()


def test_too_little_space_is_seen_before_building(cache: Cache) -> None:
    """What is known to be too large is not begun."""
    needs = 2 * shutil.disk_usage(cache.root.parent).free

    def build(_: Path) -> None:
        raise AssertionError("begun")

    with pytest.raises(InfrastructureError, match=f"{needs:,}"):
        cache.get("kind/name", build, needs=needs)


def test_other_errors_of_the_system_come_through(cache: Cache) -> None:
    """Only a full disk and a cache that cannot be written are told in other words."""

    def build(_: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "elsewhere")

    with pytest.raises(FileNotFoundError, match="elsewhere"):
        cache.get("kind/name", build)


def test_a_cache_that_cannot_be_written_names_the_variable(cache: Cache) -> None:
    """A refused write under the root is an error of the infrastructure, with a way out."""

    def build(folder: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / "file"))

    with pytest.raises(InfrastructureError, match="cannot be written") as caught:
        cache.get("kind/name", build)
    assert VARIABLE in str(caught.value.hint)


def test_a_cache_in_a_file_names_the_variable(tmp_path: Path) -> None:
    """A root that cannot become a folder is told like one that cannot be written."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        Cache(root=tmp_path / "file" / "cache").get("kind/name", put)


def test_removing_tells_what_was_freed(cache: Cache) -> None:
    """The entry is gone, and asking again frees nothing."""
    cache.get("kind/name", put)
    assert cache.remove("kind/name") == len("text")
    assert not cache.path("kind/name").exists()
    assert cache.remove("kind/name") == 0


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    """Hard links take no space of their own."""
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "three").write_bytes(b"678")
    assert size_of(tmp_path) == 8


def test_the_variable_moves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAVEDMODEL_COMPAT_CACHE is taken as it is."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert default_root() == tmp_path


def test_without_the_variable_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder carries the project's name, and an empty variable counts as none."""
    monkeypatch.setenv(VARIABLE, "")
    assert default_root().name == "savedmodel-compat"

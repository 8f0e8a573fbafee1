"""The commands about runtimes, on a cache of their own that one small release is linked into."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat import cli
from savedmodel_compat.cache import VARIABLE, Cache, default_root
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import download, pins, wheel
from savedmodel_compat.runtimes.base import Runtime

COMMAND = (sys.executable, "-c", "from savedmodel_compat.cli import main; main()")
SMALLEST = "1.4.1"


def linked(source: str, destination: str) -> str:
    """Link a file, or copy it to where no link leads."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
    return destination


@pytest.fixture
def pin(table: pins.PinTable, wheel_runtime: Callable[[str], Runtime]) -> pins.Pin:
    """The smallest release, which the user's own cache has ready."""
    wheel_runtime(SMALLEST)
    return table.get(SMALLEST)


@pytest.fixture
def cache(pin: pins.Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache that holds the release, and nothing else."""
    mine, users = Cache(root=tmp_path / "cache"), Cache(root=default_root())
    entry = wheel.entry_of(pin)
    shutil.copytree(users.path(entry), mine.path(entry), copy_function=linked)
    monkeypatch.setenv(VARIABLE, str(mine.root))
    return mine


def test_list_as_json(cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    """Each release and provider is a row with its state and its bytes."""
    assert cli.run(["runtime", "list", "--format", "json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    ready = [(row["release"], row["provider"]) for row in rows if row["state"] == "ready"]
    assert ready == [(SMALLEST, "wheel")]
    assert len(rows) == 2 * len(pins.load().on("cpu"))
    assert all(row["bytes"] == 0 for row in rows if row["state"] != "ready")


def test_list_as_text(cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    """The list can be narrowed to a release and a provider."""
    assert cli.run(["runtime", "list", SMALLEST, "--provider", "wheel"]) == 0
    head, row, total = capfd.readouterr().out.splitlines()
    assert head.split() == ["release", "CPython", "provider", "state", "disk", "to", "fetch"]
    assert row.split()[:4] == [SMALLEST, "3.6", "wheel", "ready"]
    assert "in 1 runtimes" in total


def test_build_what_is_ready(cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    """Building a release that is ready prints where it is and fetches nothing."""
    assert cli.run(["runtime", "build", SMALLEST]) == 0
    out, err = capfd.readouterr()
    [folder] = (cache.root / "runtimes").iterdir()
    assert (out, err) == (f"{SMALLEST} wheel cpu: {folder}\n", "")


def test_build_what_cannot_be_fetched(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A release without a wheel is infrastructure; the others are made all the same."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert cli.run(["runtime", "build", f"{SMALLEST},1.7.1"]) == 7
    out, err = capfd.readouterr()
    assert out.startswith(f"{SMALLEST} wheel cpu: ")
    assert "tensorflow==1.7.1 for CPython 3.6 could not be fetched" in err
    assert "1 of 2 releases could not be made ready" in err


def test_remove(cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    """Removing says what was set free; what is not there is an empty selection, the unknown a mistake."""
    assert cli.run(["runtime", "remove", SMALLEST, "--yes"]) == 0
    assert "1 runtimes removed" in capfd.readouterr().err
    assert list((cache.root / "runtimes").iterdir()) == []
    assert cli.run(["runtime", "remove", SMALLEST, "--yes"]) == 5
    assert cli.run(["runtime", "remove", "2.99.0", "--yes"]) == 4
    assert "Traceback" not in capfd.readouterr().err


def test_doctor(cache: Cache, capfd: pytest.CaptureFixture[str]) -> None:
    """The doctor's text and JSON name the same checks, and the cache that is in use."""
    assert cli.run(["doctor"]) == 0
    text = capfd.readouterr().out
    assert cli.run(["doctor", "--format", "json"]) == 0
    checks = json.loads(capfd.readouterr().out)
    assert str(cache.root) in text
    assert {check["verdict"] for check in checks} <= {"ok", "warn"}
    assert all(check["name"] in text for check in checks)


@pytest.mark.parametrize(("options", "code"), [([], 2), (["--yes"], 7)], ids=["asked", "yes"])
def test_a_large_download_is_asked_about(
    exported: Callable[..., Model], tmp_path: Path, options: list[str], code: int
) -> None:
    """On a terminal the size is said and the user asked, unless `--yes` has answered."""
    model = exported("half_plus_two").path
    terminal, line = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "run", str(model), "--on", "2.21.0", *options],
        env={**os.environ, VARIABLE: str(tmp_path / "cache"), "PIP_NO_INDEX": "1"},
        stdin=line,
        stdout=subprocess.PIPE,
        stderr=line,
    ) as process:
        os.write(terminal, b"n\n")
        assert process.wait(timeout=60) == code
    said = os.read(terminal, 1 << 16).decode()
    assert "to be downloaded once: 2" in said
    assert ("Go on? [Y/n]" in said) is not bool(options)


def test_two_at_once(pin: pins.Pin, exported: Callable[..., Model], tmp_path: Path) -> None:
    """Two runs that find a cache without the runtime unpack it once, and say the same."""
    mine, users = Cache(root=tmp_path / "cache"), Cache(root=default_root())
    download.wheel_of(pin, users)
    entry = download.entry_of(pin)
    shutil.copytree(users.path(entry), mine.path(entry), copy_function=linked)
    model = exported("half_plus_two", producer="1.15.5").path
    processes = [
        subprocess.Popen(
            [*COMMAND, "run", str(model), "--on", SMALLEST, "--json", f"{tmp_path}/{name}.json"],
            env={**os.environ, VARIABLE: str(mine.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert ends[0][1] == ends[1][1] in {0, 1}, ends
    records = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("a", "b")]
    one, other = ([(c["id"], c["outcome"]) for c in record["cells"]] for record in records)
    assert one == other
    assert [path.name for path in (mine.root / "runtimes").iterdir()] == [
        Path(wheel.entry_of(pin)).name
    ]
    assert list((mine.root / "tmp").iterdir()) == []

"""Tests of the store with many writers, and with writers that die: real processes, at every place."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.golden.racing import COUNT
from tests.golden.stored import factor_of, golden, key

from savedmodel_compat.golden import pending
from savedmodel_compat.golden.store import Store, Written

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path)))}
WAYS = ["swap", "rename"]
FOREVER = """
import sys
from pathlib import Path
from savedmodel_compat.golden.store import Store
from tests.golden.stored import golden

store, factor = Store(Path(sys.argv[1])), 1
while True:
    factor = 3 - factor
    store.write(golden(factor=factor))
    print("written", flush=True)
"""


def start(
    folder: Path, what: str, factor: float = 1, *, way: str = "swap"
) -> subprocess.Popen[str]:
    """Start a process of two threads, which waits for the others."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.golden.racing", str(folder), what, str(factor)],
        env={**ENVIRONMENT, "WAY": way},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def race(processes: Sequence[subprocess.Popen[str]]) -> list[Counter[str]]:
    """Let all of them begin, and return what came of each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [Counter(json.loads(text)) for text in said]


def hidden(folder: Path) -> list[str]:
    """Return what no writer should have left."""
    return [str(path) for path in folder.rglob(".*") if path.name != ".gitignore"]


def test_two_processes_record_the_same_goldens(tmp_path: Path) -> None:
    """Of four threads in two processes, each golden is new to exactly one, and one right set is left."""
    folder = tmp_path / "golden"
    one, other = race([start(folder, "add"), start(folder, "add")])

    assert one + other == Counter(new=COUNT, unchanged=3 * COUNT)
    store = Store(folder)
    assert len(store.keys()) == COUNT
    assert all(factor_of(store, which) == 1 for which in store.keys())  # noqa: SIM118 - no mapping
    assert store.verify() == ()
    assert hidden(folder) == []


def test_two_processes_record_different_goldens(tmp_path: Path) -> None:
    """The first one stays, and the other is told that its own differs."""
    folder = tmp_path / "golden"
    found = sum(race([start(folder, "add", 1), start(folder, "add", 2)]), Counter[str]())

    assert found["new"] == COUNT
    assert found["unchanged"] == COUNT
    assert found["differs"] == 2 * COUNT
    assert Store(folder).verify() == ()


@pytest.mark.parametrize("way", WAYS)
def test_readers_beside_writers(tmp_path: Path, way: str) -> None:
    """While two threads replace goldens again and again, others find each of them whole, all of the time."""
    folder = tmp_path / "golden"
    store = Store(folder)
    for index in range(COUNT):
        store.write(golden(key(f"s{index}"), factor=1))
    seen, written = race([start(folder, "read", way=way), start(folder, "write", 1, way=way)])

    assert set(written) <= {"replaced", "unchanged"}
    assert len(seen) > 1
    assert store.verify() == ()
    assert hidden(folder) == []


def test_two_processes_leave_the_same_proposal(tmp_path: Path) -> None:
    """However often consumers leave proposals at once, there is one for each label, whole."""
    folder = tmp_path / "golden"
    Store(folder).write(golden(key("s0"), factor=1))
    race([start(folder, "leave", 5), start(folder, "leave", 6)])

    found = pending.proposals(Store(folder))
    assert [proposal.label for proposal in found] == ["2.5.3-wheel-c-cpu", "5.0", "6.0"]
    assert sorted(map(len, pending.groups(found))) == [1, 2]
    assert hidden(folder) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("replace", "old", "new"),
        ("record", "none", "new"),
        ("remove", "old", "none"),
        ("accept", "old, 2 proposals", "new, 0 proposals"),
        ("leave", "old, 0 proposals", "old, 1 proposals"),
        ("freeze", "none", "frozen"),
    ],
)
def test_dying_at_every_place(
    tmp_path: Path, action: str, before: str, after: str, way: str
) -> None:
    """Wherever it dies on its way, all is as before or as after, and the next writer sweeps what is left."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.dying", str(tmp_path), action, way],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert set(found) == {before, after}
    assert found[before] >= 5
    assert found[after] >= 1


def test_killed_at_any_time(tmp_path: Path) -> None:
    """A writer that is killed whenever it may be leaves one golden or the other, for anybody to read and replace."""
    random_times = random.Random(7)
    store = Store(tmp_path / "golden")
    store.write(golden(factor=1))
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", FOREVER, str(store.root)],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        time.sleep(random_times.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()

        fresh = Store(store.root)
        assert fresh.verify() == ()
        assert factor_of(fresh) in {1, 2}
        assert fresh.write(golden(factor=3)) is Written.REPLACED
        assert hidden(store.root) == []

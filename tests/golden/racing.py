"""A process of two threads that write the same goldens as others do, at the same time.

``python -m tests.golden.racing FOLDER add|write|read|leave FACTOR`` waits for a line on standard input, begins, and prints
what came of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.golden.stored import factor_of, golden, key, never_swap

from savedmodel_compat.golden import pending
from savedmodel_compat.golden.store import Store

COUNT = 50
_THREADS = 2
_ROUNDS = 4


def main(folder: Path, what: str, factor: float) -> None:
    """Do one thing with all goldens in each of the threads, once the others are ready, too."""
    if os.environ.get("WAY") == "rename":
        never_swap()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with ThreadPoolExecutor(_THREADS) as pool:
        done = [pool.submit(_ACTIONS[what], folder, factor) for _ in range(_THREADS)]
        found = sum((one.result() for one in done), Counter[str]())
    sys.stdout.write(json.dumps(found))


def _add(folder: Path, factor: float) -> Counter[str]:
    store = Store(folder)
    return Counter(
        store.add(golden(key(f"s{index}"), factor=factor)).value for index in range(COUNT)
    )


def _write(folder: Path, factor: float) -> Counter[str]:
    store = Store(folder)
    return Counter(
        store.write(golden(key(f"s{index}"), factor=factor + turn)).value
        for turn in range(_ROUNDS)
        for index in range(0, COUNT, 10)
    )


def _read(folder: Path, _: float) -> Counter[str]:
    """Read what the others write: it must be there, whole, all of the time."""
    store = Store(folder)
    seen: Counter[str] = Counter()
    for _ in range(_ROUNDS * 4):
        for index in range(0, COUNT, 10):
            assert store.has(key(f"s{index}"))
            seen[str(int(factor_of(store, key(f"s{index}"))))] += 1
        assert len(store.keys()) == COUNT
    return seen


def _leave(folder: Path, factor: float) -> Counter[str]:
    store = Store(folder)
    for _ in range(_ROUNDS):
        pending.leave(store, golden(key("s0"), factor=factor), "2.5.3-wheel-c-cpu", summary="off")
        pending.leave(store, golden(key("s0"), factor=2), f"{factor}", summary="off")
        pending.proposals(store)
    return Counter()


_ACTIONS = {"add": _add, "write": _write, "read": _read, "leave": _leave}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))

"""Tests of the plan that shares units among workers, and of the threads that follow it.

The workers are real ones that are never asked anything, so that none of them starts.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from savedmodel_compat.matrix.pool import Chunk, Plan, execute
from savedmodel_compat.runtimes import pins
from savedmodel_compat.runtimes.base import Provider, Runtime
from savedmodel_compat.runtimes.client import Worker


def _chunk(units: int, *, native: bool = True, release: str = "2.21.0") -> Chunk[int]:
    runtime = Runtime(
        pin=pins.load().get(release),
        provider=Provider.WHEEL if native else Provider.VENV,
        device="cpu",
        folder=Path("nowhere"),
        release=release,
        python=Path(sys.executable),
        libraries=(),
        loaders=frozenset(),
    )
    return Chunk(runtime=runtime, native=native, units=range(units))


def _names(plan: Plan[int], times: int) -> list[str]:
    """Return the releases of the chunks that so many threads join."""
    joined = [plan.join() for _ in range(times)]
    return [left.chunk.runtime.release if left else "none" for left in joined]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_every_unit_is_done_once(jobs: int) -> None:
    """However many threads there are, each unit of each chunk gives one result."""
    chunks = [_chunk(7, release="2.4.4"), _chunk(30), _chunk(1, native=False)]
    done = execute(chunks, lambda _, unit: unit, jobs=jobs)
    assert sorted(done) == sorted([*range(7), *range(30), 0])


def test_nothing_to_do_ends_at_once() -> None:
    """No chunks give no results."""
    assert list(execute([], lambda _, unit: unit, jobs=2)) == []


def test_untouched_chunks_go_first() -> None:
    """A chunk that no worker has come to is joined before a large one is shared."""
    plan = Plan([_chunk(100, release="2.4.4"), _chunk(1, release="2.11.1"), _chunk(2)])
    assert _names(plan, 4) == ["2.4.4", "2.21.0", "2.11.1", "2.4.4"]


def test_python_workers_go_before_native_ones() -> None:
    """What takes longest to start is started first, however little it has to do."""
    plan = Plan([_chunk(100, release="2.4.4"), _chunk(1, native=False)])
    assert _names(plan, 2) == ["2.21.0", "2.4.4"]


def test_the_chunk_with_the_most_left_for_each_is_shared() -> None:
    """A third and a fourth worker go where they relieve the others most."""
    plan = Plan([_chunk(30, release="2.4.4"), _chunk(21, release="2.11.1")])
    assert _names(plan, 5) == ["2.4.4", "2.11.1", "2.4.4", "2.11.1", "2.4.4"]


@pytest.mark.parametrize(("native", "units"), [(True, 3), (False, 29)])
def test_a_small_chunk_is_not_worth_another_start(*, native: bool, units: int) -> None:
    """Where the start of a worker takes longer than it saves, one worker does it all."""
    plan = Plan([_chunk(units, native=native)])
    assert _names(plan, 2) == ["2.21.0", "none"]


@pytest.mark.parametrize(("native", "units"), [(True, 4), (False, 30)])
def test_a_chunk_large_enough_is_shared(*, native: bool, units: int) -> None:
    """Two workers share what is just worth a second start, and a third stays away."""
    plan = Plan([_chunk(units, native=native)])
    assert _names(plan, 3) == ["2.21.0", "2.21.0", "none"]


def test_a_chunk_that_is_finished_is_not_joined() -> None:
    """A thread that comes when all units are taken has nothing to do."""
    plan = Plan([_chunk(1)])
    left = plan.join()
    assert left is not None
    assert [plan.take(left), plan.take(left)] == [0, None]
    assert plan.join() is None


def test_the_last_chunk_of_an_odd_number_is_shared() -> None:
    """With three equal chunks and two threads, neither thread waits for the other in the end."""
    plan = Plan([_chunk(4, release="2.4.4"), _chunk(4, release="2.11.1"), _chunk(4)])
    assert _names(plan, 4) == ["2.4.4", "2.11.1", "2.21.0", "2.4.4"]


def test_an_exception_of_the_work_is_raised_to_the_caller() -> None:
    """A fault in one unit ends the others and is not swallowed."""

    def fail(_: Worker, unit: int) -> int:
        if unit == 3:
            raise ZeroDivisionError("seeded")
        return unit

    with pytest.raises(ZeroDivisionError, match="seeded"):
        list(execute([_chunk(50)], fail, jobs=2))


def test_a_caller_that_stops_early_stops_the_work() -> None:
    """When the results are no longer wanted, units that nobody has begun are left."""
    begun: list[int] = []
    wanted = threading.Event()

    def slow(_: Worker, unit: int) -> int:
        begun.append(unit)
        if unit:
            wanted.wait(0.05)
        return unit

    results = execute([_chunk(1000)], slow, jobs=2)
    assert next(results) in range(1000)
    results.close()
    assert len(begun) < 1000


def test_each_thread_has_a_worker_of_its_own() -> None:
    """A worker is asked by one thread at a time, since it answers one request at a time."""
    together = threading.Barrier(2, timeout=10)
    seen: dict[int, set[int]] = {}

    def meet(worker: Worker, unit: int) -> int:
        seen.setdefault(id(worker), set()).add(threading.get_ident())
        if unit < 2:
            together.wait()
        return unit

    assert sorted(execute([_chunk(20)], meet, jobs=2)) == list(range(20))
    assert [len(threads) for threads in seen.values()] == [1, 1]

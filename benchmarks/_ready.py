"""What it takes to get a runtime ready."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from _bench import NEWEST, Bench, runtime
from _measure import Row, Sample, Unit, interleaved, row_of, timed
from savedmodel_compat.cache import Cache
from savedmodel_compat.runtimes import pins, wheel
from savedmodel_compat.runtimes.base import Provider
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime
    from savedmodel_compat.runtimes.pins import Pin

_RELEASES = ("1.15.5", "2.4.4", "2.11.1", NEWEST)


def rows(bench: Bench) -> Iterator[Row]:
    """Measure the start of workers, and making ready what is ready.

    Args:
        bench: how much is measured, and with what.
    """
    native = {release: runtime(release, Provider.WHEEL) for release in _RELEASES}
    starts = {
        f"native worker of {release}": partial(start, found, native=True)
        for release, found in native.items()
    }
    python = runtime(NEWEST, Provider.VENV)
    starts[f"Python worker of {NEWEST}"] = partial(start, python, native=False)
    for name, sample in interleaved(starts, bench.rounds).items():
        yield row_of(f"{name}: start to ready", Unit.MILLISECONDS, sample)
    pin = pins.load().get(NEWEST)
    warm = interleaved({"make_ready": timed(partial(wheel.make_ready, pin))}, bench.rounds)
    yield row_of(f"make ready {NEWEST} wheel, when it is", Unit.MILLISECONDS, warm["make_ready"])
    if bench.cold:
        yield from _cold(bench, pins.load().get(bench.cold))


def start(found: Runtime, *, native: bool) -> float:
    """Start a worker, end it, and return the seconds from its start to its being ready."""
    with Worker(found, native=native) as worker:
        worker.start()
        return worker.ready_seconds


def _cold(bench: Bench, pin: Pin) -> Iterator[Row]:
    """Build a runtime in an empty cache; then once more with the wheel at hand."""
    cache = Cache(root=bench.folder / "cache")
    build = timed(partial(wheel.make_ready, pin, cache=cache))
    whole = Sample((build(),))
    shutil.rmtree(cache.path(wheel.entry_of(pin)))
    unpacking = Sample((build(),))
    name = f"build {pin.release} wheel"
    yield row_of(f"{name}: download, unpack, mend, probe", Unit.SECONDS, whole)
    yield row_of(f"{name}: unpack, mend, probe", Unit.SECONDS, unpacking)
    shutil.rmtree(cache.root)

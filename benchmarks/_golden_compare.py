"""Comparing 1 GB of float32 outputs: all equal, all a little off, all far off; and the memory that takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from _bench import Bench, run_process
from _measure import Row, Sample, Target, Unit, row_of

_CASES = ("all equal", "all within the tolerance", "all off")
# In a process of its own, whose peak of memory is that of nothing else. The outputs are there before the clock starts.
_MEASURED = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from savedmodel_compat.golden.compare import compare

def memory(what):
    return int(re.search(what + ":\\\\s*(\\\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

case, size, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random, piece = np.random.default_rng(0), 1 << 20
expected, actual = np.empty(size, np.float32), np.empty(size, np.float32)
for start in range(0, size, piece):
    part = expected[start : start + piece]
    part[:] = random.standard_normal(len(part), dtype=np.float32)
    change = {"all equal": 1, "all within the tolerance": 1 + 3e-6, "all off": 1.1}[case]
    np.multiply(part, np.float32(change), out=actual[start : start + piece])
before = memory("VmRSS")
seconds, busy = [], []
for _ in range(rounds):
    began, worked = time.perf_counter(), time.process_time()
    found = compare({"y": expected}, {"y": actual})
    seconds.append(time.perf_counter() - began)
    busy.append(time.process_time() - worked)
    assert bool(found.differences) is (case == "all off")
    assert (found.observed[0].max_abs > 0) is (case != "all equal")
print(json.dumps({"seconds": seconds, "busy": busy, "extra": memory("VmHWM") - before}))
"""
_SIZE = 250_000_000
_QUICK_SIZE = 25_000_000


def rows(bench: Bench) -> Iterator[Row]:
    """Measure each case in a process of its own.

    Args:
        bench: how much is measured, and with what.
    """
    size = _QUICK_SIZE if bench.is_quick else _SIZE
    share = size / _SIZE
    extra = 0.0
    for case in _CASES:
        command = (sys.executable, "-c", _MEASURED, case, str(size), str(bench.rounds))
        said = json.loads(run_process(command, {}))
        extra = max(extra, said["extra"])
        what = f"{4 * size / 1e9:g} GB of float32 outputs: {case}"
        target = None if case == "all off" else Target(limit=2 * share)
        yield row_of(what, Unit.SECONDS, Sample(tuple(said["seconds"])), target)
        # It runs on one thread: what is less than the time that passed went to other work on the machine.
        yield row_of(f"{what}, CPU time", Unit.SECONDS, Sample(tuple(said["busy"])))
    yield Row(
        what="the same: memory beside the two outputs at most",
        unit=Unit.MEGABYTES,
        value=extra,
        target=Target(limit=500 * share),
    )

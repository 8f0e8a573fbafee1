"""Recording and checking many small goldens, and one large one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _bench import Bench
from _measure import Row, Sample, Target, Unit, interleaved, row_of, timed
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.golden.manifest import Event, Manifest, Source
from savedmodel_compat.golden.store import DataSet, Golden, Key, Store, Written

_GOLDENS = 1000
_LARGE_MEGABYTES = 1000
_QUICK_MEGABYTES = 100


def rows(bench: Bench) -> Iterator[Row]:
    """Measure recording into an empty folder, recording what is there, and checking.

    Args:
        bench: how much is measured, and with what.
    """
    folder = bench.folder / "goldens"
    goldens = [_small(index) for index in range(_GOLDENS)]

    def record() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        _record(folder, goldens, Written.NEW)

    jobs = {
        "record": timed(record),
        "record again": timed(lambda: _record(folder, goldens, Written.UNCHANGED)),
        "check": timed(lambda: _check(folder)),
    }
    samples = interleaved(jobs, bench.rounds)
    name = f"{_GOLDENS} small goldens"
    yield row_of(f"{name}: record", Unit.SECONDS, samples["record"])
    yield row_of(f"{name}: record what is there", Unit.SECONDS, samples["record again"])
    yield row_of(f"{name}: check", Unit.SECONDS, samples["check"])
    pairs = zip(samples["record"].seconds, samples["check"].seconds, strict=True)
    both = Sample(tuple(sum(pair) for pair in pairs))
    yield row_of(f"{name}: record and check", Unit.SECONDS, both, Target(limit=10))
    yield from _large_rows(bench)


def _large_rows(bench: Bench) -> Iterator[Row]:
    megabytes = _QUICK_MEGABYTES if bench.is_quick else _LARGE_MEGABYTES
    values = np.random.default_rng(0).standard_normal(megabytes * 250_000, np.float32)
    key = Key(model="large", tags=("serve",), signature="serving_default")
    golden = _golden(key, DataSet(name="typical", inputs={}, outputs={"y": values}, dtypes={}))
    store = Store(bench.folder / "large")

    def record() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        store.add(golden)

    jobs = {"record": timed(record), "read": timed(lambda: store.read(key))}
    samples = interleaved(jobs, 3)
    for what, sample in samples.items():
        yield row_of(f"{megabytes} MB of float32 output: {what}", Unit.SECONDS, sample)
    shutil.rmtree(store.root)


def _small(index: int) -> Golden:
    """Return a golden of two data sets with numbers and strings, as exporters of this repository have them."""
    random = np.random.default_rng(index)
    key = Key(model=f"model_{index // 10}", tags=("serve",), signature=f"signature_{index % 10}")
    sets = [
        DataSet(
            name=name,
            inputs={"x": random.standard_normal((batch, 28, 28), np.float32)},
            outputs={
                "scores": random.standard_normal((batch, 10), np.float32),
                "class": np.array([b"class %d" % index] * batch, dtype=object),
            },
            dtypes={},
        )
        for name, batch in (("typical", 3), ("batch-1", 1))
    ]
    return _golden(key, *sets)


def _golden(key: Key, *sets: DataSet) -> Golden:
    source = Source(kind="exporter", name="exporter", sha256="0" * 64)
    by = "2.21.0 wheel c cpu"
    manifest = Manifest(
        model=key.model,
        tags=key.tags,
        signature=key.signature,
        producer="2.21.0",
        recorded_by=by,
        source=source,
        surroundings={"cpu": {"features": [f"feature_{index}" for index in range(60)]}},
        data_sets=(),
        history=(Event(date="2026-01-01", what="recorded", reason="", by=by),),
    )
    return Golden(key=key, manifest=manifest, data_sets=sets)


def _record(folder: Path, goldens: list[Golden], expected: Written) -> None:
    store = Store(folder)
    for golden in goldens:
        if (written := store.add(golden)) is not expected:
            raise SavedModelCompatError(f"{golden.key} is {written.value}, not {expected.value}")


def _check(folder: Path) -> None:
    store = Store(folder)
    read = [store.read(key).data_sets for key in store.keys()]  # noqa: SIM118 - no mapping
    if len(read) != _GOLDENS:
        raise SavedModelCompatError(f"{_GOLDENS} goldens were to be checked, not {len(read)}")

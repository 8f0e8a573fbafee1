"""What is predicted of many models for many releases, in one process that has done nothing before."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping

from _bench import NEWEST, Bench, run_process
from _measure import Row, Sample, Target, Unit, row_of
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.registry import snapshots

_MODELS = 20
_RELEASES = 24
_PREDICT = """
import json, re, sys, time
from pathlib import Path
from savedmodel_compat import model
from savedmodel_compat.prediction.predict import Predictor

def run():
    releases, paths = map(json.loads, sys.argv[1:3])
    began = time.perf_counter()
    graphs = [model.read(path, tensor_data=False).meta_graphs[0] for path in paths]
    read = time.perf_counter()
    predictors = [Predictor(graph) for graph in graphs]
    told = [one.predict(release).loads.value for one in predictors for release in releases]
    ended = time.perf_counter()
    most = re.search("VmHWM:\\\\s*(\\\\d+)", Path("/proc/self/status").read_text())[1]
    print(json.dumps({"read": read - began, "predict": ended - read, "most": int(most), "told": told}))

run()
"""


def rows(bench: Bench) -> Iterator[Row]:
    """Measure reading and predicting apart, and the memory of the whole process.

    Args:
        bench: how much is measured, and with what.
    """
    models = _models(bench)
    releases = snapshots.releases()[-_RELEASES:]
    _once(bench, models, releases)
    taken = [_once(bench, models, releases) for _ in range(bench.rounds)]
    name = f"{len(models)} models x {len(releases)} releases"
    read = Sample(tuple(one["read"] for one in taken))
    predict = Sample(tuple(one["predict"] for one in taken))
    both = Sample(tuple(one["read"] + one["predict"] for one in taken))
    yield row_of(f"{name}: read", Unit.SECONDS, read)
    yield row_of(f"{name}: predict", Unit.SECONDS, predict, Target(limit=1))
    yield row_of(f"{name}: read and predict", Unit.SECONDS, both, Target(limit=1))
    yield Row(
        what=f"{name}: memory of the process at most",
        unit=Unit.MEGABYTES,
        value=max(one["most"] for one in taken) / 1024,
        target=Target(limit=300),
    )


def _models(bench: Bench) -> list[str]:
    """Export models of all kinds, by releases that write them differently."""
    found = [
        bench.export(exporter, producer, strip=strip)
        for exporter in ("half_plus_two", "mnist_cnn")
        for producer in ("2.4.4", "2.11.1", NEWEST)
        for strip in (False, True)
    ]
    found += [bench.export(exporter, "1.15.5") for exporter in ("half_plus_two", "mnist_cnn")]
    found += [
        bench.export(exporter, producer)
        for exporter in ("half_plus_two_module", "mnist_cnn_module")
        for producer in ("2.4.4", "2.11.1", NEWEST)
    ]
    if len(found) != _MODELS:
        raise SavedModelCompatError(f"{_MODELS} models were to be predicted, not {len(found)}")
    return [str(model.path) for model in found]


def _once(bench: Bench, models: list[str], releases: tuple[str, ...]) -> Mapping[str, float]:
    """Predict in a new process; the first time compiles its bytecode."""
    environment = {"PYTHONPYCACHEPREFIX": str(bench.folder / "bytecode")}
    command = (sys.executable, "-c", _PREDICT, json.dumps(releases), json.dumps(models))
    said = json.loads(run_process(command, environment))
    told = said.pop("told")
    if len(told) != len(models) * len(releases) or "unknown" in told:
        raise SavedModelCompatError(f"{len(told)} predictions, {told.count('unknown')} unknown")
    figures: Mapping[str, float] = said
    return figures

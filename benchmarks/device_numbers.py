"""Print what the ways of computing on a CPU change: each against the plain CPU of the same release, bit for bit.

``python benchmarks/device_numbers.py [--loader c|v1|v2] [RELEASE]...`` makes the tables of docs/devices.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from savedmodel_compat.config import Configuration
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.golden.compare import compare
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.exports import Order, export_model, find_exporter
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.runtimes import Loader, Runtime, devices, pins, venv, wheel
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

_ROOT = Path(__file__).resolve().parent.parent
_LIMITS = Limits(seconds=300, megabytes=0)
_VARIANTS = tuple(d for d in devices.DEVICES if d.base == "cpu" and d is not devices.CPU)
_EXACT = Policy(rtol=0.0, atol=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    title: str
    exporter: str
    producer: str


_SUBJECTS = (
    _Subject(
        title="mnist_cnn of 2.21.0: softmax of 4 images",
        exporter="suites/exporters/mnist_cnn.py::export_builder",
        producer="2.21.0",
    ),
    _Subject(
        title="sums of 1.15.5: one sum of 1048576 numbers, and 16 of 262144",
        exporter="tests/runtimes/exporters.py::sums",
        producer="1.15.5",
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    parser.add_argument("--loader", choices=["c", "v1", "v2"], default="c")
    chosen = parser.parse_args(arguments)
    table = pins.load()
    rows = [table.get(release) for release in chosen.releases] or table.on("cpu")
    for subject in _SUBJECTS:
        model = _exported(subject, table)
        print(f"\n{subject.title}, loader {chosen.loader}\n")
        print("| release |", " | ".join(variant.name for variant in _VARIANTS), "|")
        print("|---" * (len(_VARIANTS) + 1) + "|")
        for pin in rows:
            made = wheel.make_ready(pin) if chosen.loader == "c" else venv.make_ready(pin)
            if Loader(chosen.loader) in made.loaders:
                cells = _cells(model, made, chosen.loader)
                print(f"| {pin.release} |", " | ".join(cells), "|", flush=True)


def _exported(subject: _Subject, table: pins.PinTable) -> Model:
    runtime = venv.make_ready(table.get(subject.producer))
    exporter = find_exporter(str(_ROOT / subject.exporter), Configuration())
    order = Order(exporter=exporter, producer=subject.producer, strip=True)
    with Worker(runtime, native=False) as worker:
        return export_model(worker, runtime, order, _LIMITS)


def _cells(model: Model, runtime: Runtime, loader: str) -> Iterator[str]:
    plain = _outputs(model, runtime, loader, devices.CPU)
    for variant in _VARIANTS:
        if plain is None:
            yield "does not load"
            continue
        try:
            outputs = _outputs(model, runtime, loader, variant)
        except UnsupportedError:
            yield "-"
            continue
        yield "fails" if outputs is None else _told(plain, outputs)


def _outputs(
    model: Model, runtime: Runtime, loader: str, device: devices.Device
) -> Mapping[str, np.ndarray[Any, Any]] | None:
    case = next(case for case in model.cases if case.signature == "serving_default")
    work = work_of(model, case, loader)
    with Worker(devices.on_device(runtime, device), native=loader == "c") as worker:
        verdict = worker.run(work, _LIMITS)
    return verdict.answers[0].outputs if verdict.answers else None


def _told(plain: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    observed = compare(plain, outputs, _EXACT).observed
    off = sum(each.off for each in observed)
    if not off:
        return "same"
    elements = sum(each.elements for each in observed)
    furthest = max(each.max_ulp or 0 for each in observed)
    return f"{off} of {elements}, {max(each.max_abs for each in observed):.1e}, {furthest} ulp"


if __name__ == "__main__":
    main()

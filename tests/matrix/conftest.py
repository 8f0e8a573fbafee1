"""What the tests of the matrix share: consumers that are ready, and models that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.matrix.exports import Exporter, Order, export_model
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.matrix.plan import Consumer
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

PRODUCER = "2.11.1"
MISBEHAVING = Path(__file__).with_name("misbehaving.py")


@pytest.fixture(scope="session")
def consumers(wheel_runtime: Callable[[str], Runtime]) -> Callable[..., list[Consumer]]:
    """Make the C++ loaders of some releases ready."""

    def make(*releases: str) -> list[Consumer]:
        return [
            Consumer(
                release=release,
                provider="wheel",
                loader="c",
                device="cpu",
                runtime=wheel_runtime(release),
            )
            for release in releases
        ]

    return make


@pytest.fixture(scope="session")
def misbehaving(venv_runtime: Callable[[str], Runtime]) -> Callable[..., Model]:
    """Export one of the models of ``misbehaving.py``, or take what the cache has."""

    def export(function: str) -> Model:
        runtime = venv_runtime(PRODUCER)
        exporter = Exporter(name=function, file=MISBEHAVING, function=function)
        order = Order(exporter=exporter, producer=PRODUCER, strip=True)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=120, megabytes=0))

    return export

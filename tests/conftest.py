"""Fixtures of the harness' own tests: runtimes made ready once, and a small model that was exported for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.matrix.exports import Order, export_model, find_exporter
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import pins, venv, wheel
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

ROOT = Path(__file__).parent.parent
PRODUCER = "2.11.1"


@pytest.fixture(scope="session")
def table() -> pins.PinTable:
    """The shipped pins."""
    return pins.load()


@pytest.fixture(scope="session")
def wheel_runtime(table: pins.PinTable) -> Callable[[str], Runtime]:
    """Make the libraries of a release ready."""
    return lambda release: wheel.make_ready(table.get(release))


@pytest.fixture(scope="session")
def venv_runtime(table: pins.PinTable) -> Callable[[str], Runtime]:
    """Make the environment of a release ready."""
    return lambda release: venv.make_ready(table.get(release))


@pytest.fixture(scope="session")
def exported(venv_runtime: Callable[[str], Runtime]) -> Callable[..., Model]:
    """Export with an exporter of this repository, or take what the cache has."""

    def export(name: str, *, producer: str = PRODUCER, strip: bool = True) -> Model:
        runtime = venv_runtime(producer)
        exporter = find_exporter(name, config.read(ROOT / "pyproject.toml"))
        order = Order(exporter=exporter, producer=producer, strip=strip)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return export

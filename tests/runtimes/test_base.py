"""Tests of what the providers hand over, and of the door to them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.runtimes.base import Loader, Provider, Runtime, python_loaders
from savedmodel_compat.runtimes.pins import Pin


@pytest.fixture
def runtime(make_pin: Callable[..., Pin], tmp_path: Path) -> Runtime:
    """Return a runtime that nobody made."""
    return Runtime(
        pin=make_pin(),
        provider=Provider.WHEEL,
        device="cpu",
        folder=tmp_path,
        release="9.8.7",
        python=Path(sys.executable),
        libraries=(),
        loaders=frozenset({Loader.C}),
    )


def test_a_runtime_is_called_by_release_provider_and_device(runtime: Runtime) -> None:
    """The label is what reports show."""
    assert runtime.label == "9.8.7 wheel cpu"


def test_a_runtime_can_be_a_key(runtime: Runtime) -> None:
    """Its environment is a mapping, and takes no part in the hash."""
    assert {runtime: 1}[runtime] == 1


def test_a_worker_has_one_thread_before_it_forks(runtime: Runtime) -> None:
    """The thread pool of numpy's linear algebra would be lost in the child."""
    assert runtime.environment["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("release", "loaders"),
    [("1.15.5", {"c", "v1"}), ("2.0.0rc1", {"c", "v1"}), ("2.0.4", {"c", "v1", "v2", "keras"})],
)
def test_the_object_loader_came_with_2_0(release: str, loaders: set[str]) -> None:
    """A pre-release is before its release."""
    assert python_loaders(release) == loaders


def test_nothing_of_tensorflow_is_imported() -> None:
    """The controller's process stays free of it, and of numpy while runtimes are made ready."""
    code = (
        "import sys, savedmodel_compat.runtimes; print({'tensorflow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"

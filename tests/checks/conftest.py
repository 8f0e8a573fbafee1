"""Good models that TensorFlow itself wrote, to be broken in one place, and what the rules say then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a frozen model that a test may break."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(MODELS / name, tmp_path / name))

    return copy


@pytest.fixture
def builder(copy_of: Callable[[str], Path]) -> Path:
    """A v1 model: two MetaGraphs, four signatures, an asset, two variables, a main op."""
    return copy_of("builder-1.15.5")


@pytest.fixture
def module(copy_of: Callable[[str], Path]) -> Path:
    """A v2 model: two signatures, functions that call functions, an asset, two variables, a fingerprint."""
    return copy_of("module-2.21.0")

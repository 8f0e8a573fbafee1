"""What a provider hands over: a TensorFlow release made ready, and how to start a worker in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.errors import SavedModelCompatError, UnsupportedError
from savedmodel_compat.runtimes.pins import Pin

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.containers.contained import Contained

Progress = Callable[[int, "int | None", str], None]
"""Told the bytes done, the bytes in all where they are known, and what they are of."""

WORKER_ENVIRONMENT: Mapping[str, str] = {
    # A thread pool of numpy's would be lost in the forked child, and a lock of it held for ever.
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONNOUSERSITE": "1",
}
"""What every worker is started with, whatever provides its runtime."""


class Provider(str, Enum):
    """How a runtime is made ready."""

    WHEEL = "wheel"
    VENV = "venv"
    DOCKER = "docker"
    CURRENT = "current"

    def __str__(self) -> str:
        """Return the word that options and reports use."""
        return self.value


class Loader(str, Enum):
    """The code that loads a model inside a runtime."""

    C = "c"
    V1 = "v1"
    V2 = "v2"
    KERAS = "keras"

    def __str__(self) -> str:
        """Return the word that options and reports use."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU that TensorFlow sees.

    Args:
        model: its maker's name of it.
        driver: the version of the driver.
    """

    model: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One TensorFlow release, made ready by a provider.

    Args:
        pin: the row that was asked for.
        provider: who made it ready.
        device: ``cpu``, ``gpu``, or another of `savedmodel_compat.runtimes.devices.DEVICES`.
        folder: what the runtime keeps on disk; ``ops.pb`` in it is the release's ``OpList``.
        release: the release that is really there, as its library says.
        python: the interpreter that runs the worker.
        libraries: the shared libraries of the C loader, to be loaded in this order with
            ``RTLD_GLOBAL``; the last exports the C API. Empty if there are none.
        loaders: the loaders that work there.
        container: where it is in an engine; None if it is on this machine, where ``python`` and ``libraries`` mean files.
        gpu: the GPU that its cells run on; None on a CPU.
        problems: why loaders that were asked for are not among ``loaders``, where something went wrong.
        environment: variables to add to the worker's environment.
    """

    pin: Pin
    provider: Provider
    device: str
    folder: Path
    release: str
    python: Path
    libraries: tuple[Path, ...]
    loaders: frozenset[Loader]
    container: Contained | None = None
    gpu: Gpu | None = None
    problems: Mapping[Loader, SavedModelCompatError] = field(default_factory=dict, hash=False)
    environment: Mapping[str, str] = field(
        default_factory=lambda: dict(WORKER_ENVIRONMENT),
        hash=False,
    )

    @property
    def label(self) -> str:
        """Return the runtime's name in reports, such as ``2.11.1 wheel cpu``."""
        return f"{self.pin.release} {self.provider} {self.device}"

    @property
    def places(self) -> tuple[str, ...]:
        """Where it is: its folder, or its images."""
        if self.container is None:
            return (str(self.folder),)
        found = (self.container.native, self.container.installed)
        return tuple(dict.fromkeys(inside.image.name for inside in found if inside is not None))

    @property
    def ops(self) -> Path:
        """Return where the serialized ``OpList`` of the release lies; it may be absent."""
        return self.folder / "ops.pb"


def worker_environment(base: str) -> Mapping[str, str]:
    """Return the variables with which a worker is started.

    Args:
        base: of its device: ``cpu`` or ``gpu``.
    """
    if base == "gpu":
        # TensorFlow would otherwise take all of the card's memory at once (1.14 and later read this).
        return {**WORKER_ENVIRONMENT, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    # A build with GPU support would otherwise place ops there and take the card's memory.
    return {**WORKER_ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "-1"}


def python_loaders(release: str) -> frozenset[Loader]:
    """Return the loaders of a runtime that holds the whole Python package of ``release``."""
    loaders = {Loader.C, Loader.V1}
    if Version(release) >= Version("2.0"):
        loaders |= {Loader.V2, Loader.KERAS}
    return frozenset(loaders)


def demand_linux(provider: Provider) -> None:
    """Refuse a provider that exists on Linux only.

    Raises:
        UnsupportedError: this is another system.
    """
    if sys.platform != "linux":
        raise UnsupportedError(
            f"provider {provider} runs Linux builds of TensorFlow, and this is {sys.platform}",
            hint="`savedmodel-compat inspect`, `check` and `diff` work here; run the rest in a "
            "Linux container",
        )

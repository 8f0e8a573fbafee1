"""TensorFlow releases made ready to run: the pins, the providers, and what they hand over."""

from __future__ import annotations

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.runtimes import current, venv, wheel
from savedmodel_compat.runtimes.base import Loader, Progress, Provider, Runtime
from savedmodel_compat.runtimes.pins import Pin, PinTable, load
from savedmodel_compat.runtimes.specs import select

__all__ = [
    "Loader",
    "Pin",
    "PinTable",
    "Progress",
    "Provider",
    "Runtime",
    "load",
    "make_ready",
    "select",
]


def make_ready(pin: Pin, provider: Provider, *, progress: Progress | None = None) -> Runtime:
    """Make one release ready with one provider, unless that was done before.

    Provider ``current`` has one release of its own, so that ``pin`` must name it.

    Args:
        pin: the release.
        provider: who makes it ready.
        progress: told how far a download or an unpacking is.

    Raises:
        UnsupportedError: the provider does not exist here, or does not have the release.
        InfrastructureError: the runtime could not be made.
    """
    if provider is Provider.WHEEL:
        return wheel.make_ready(pin, progress=progress)
    if provider is Provider.VENV:
        return venv.make_ready(pin, progress=progress)
    if provider is Provider.DOCKER:
        from savedmodel_compat.runtimes import docker

        return docker.make_ready(pin, progress=progress)
    return _current(pin)


def _current(pin: Pin) -> Runtime:
    runtime = current.make_ready(device=pin.device)
    if runtime.pin.version != pin.version:
        raise UnsupportedError(
            f"provider current has TensorFlow {runtime.release}, and {pin.release} was asked for",
            hint=f"use --provider wheel or venv for {pin.release}",
        )
    return runtime

"""What is said of a runtime and its machine wherever its numbers are kept: all that may change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.devices import Device, base_of
from savedmodel_compat.runtimes.requests import Limits

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime
    from savedmodel_compat.runtimes.client import Worker
    from savedmodel_compat.runtimes.verdicts import Verdict

_LIMITS = Limits(seconds=60.0, megabytes=0)


def surroundings(worker: Worker, runtime: Runtime, device: Device | str) -> Mapping[str, Any]:
    """Return, as plain JSON with sorted keys, what a runtime says of itself and of the machine that it is on.

    ``onednn`` is ``on``, ``off``, ``absent`` or None, as the release itself says; ``tf32`` and ``determinism.ops`` are None
    where it does not know them; ``flags`` are the variables that its worker has, not those of whoever calls.

    Args:
        worker: of the runtime.
        runtime: the runtime, on the device.
        device: the device, or its name.

    Raises:
        WorkerError: the worker cannot be asked.
    """
    said = dict(_described(worker.describe(_LIMITS), runtime))
    driver, *cards = said.pop("driver")
    name = device if isinstance(device, str) else device.name
    said["tensorflow"] = {**said["tensorflow"], "package": runtime.pin.package}
    said["device"] = name
    said["gpu"] = _gpu(runtime, driver, cards) if base_of(name) == "gpu" else None
    return _sorted(said)


def _described(verdict: Verdict, runtime: Runtime) -> Mapping[str, Any]:
    if verdict.described is not None:
        return verdict.described
    said = verdict.failure.text if verdict.failure else verdict.worker_lost or verdict.log[-2000:]
    raise WorkerError(
        f"{runtime.label} does not say what it is: {said or 'its process ended without an answer'}",
        hint="run `savedmodel-compat doctor`, then rebuild this runtime",
    )


def _gpu(runtime: Runtime, driver: str, cards: list[str]) -> Mapping[str, str] | None:
    if runtime.gpu is not None:
        return {"model": runtime.gpu.model, "driver": runtime.gpu.driver}
    if not cards:
        return None
    from savedmodel_compat.runtimes.containers.look import driver_of, model_of

    return {"model": model_of(cards[0].encode()), "driver": driver_of(driver.encode())}


def _sorted(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a JSON object with its keys, and those of the objects in it, in order."""
    return {
        key: _sorted(value) if isinstance(value, dict) else value
        for key, value in sorted(said.items())
    }

"""What an image holds, found out inside it: its interpreter, its TensorFlow, the ops of that, its GPU."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from savedmodel_compat.errors import InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes.base import Gpu, worker_environment
from savedmodel_compat.runtimes.channel import LostError
from savedmodel_compat.runtimes.containers.contained import Contained, ContainerChannel, Inside
from savedmodel_compat.runtimes.verdicts import Verdict, verdict_of
from savedmodel_compat.runtimes.wire import Arrays
from savedmodel_compat.runtimes.worker import _frames

_SECONDS = 180.0
_MODEL = re.compile(rb"^Model:\s*(.+?)\s*$", re.MULTILINE)
_DRIVER = re.compile(rb"Kernel Module.*?\s(\d+\.[\d.]+)\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an image holds.

    Args:
        release: of its TensorFlow, as its library says.
        python: its interpreter.
        python_version: of that.
        libraries: of the C loader, in load order.
        ops: the serialized ``OpList``.
    """

    release: str
    python: str
    python_version: str
    libraries: tuple[str, ...]
    ops: bytes


def look(runtime: Contained, inside: Inside) -> Found:
    """Find out what an image holds.

    Args:
        runtime: the engine and the seal.
        inside: the image, and the interpreter to start there.

    Raises:
        InfrastructureError: it has no such interpreter, no TensorFlow, or one that cannot be loaded.
    """
    ready, outputs = _answer(runtime, inside, "describe")
    return Found(
        release=outputs["release"].item().decode("utf-8", "replace"),
        python=ready["python"],
        python_version=ready["python_version"],
        libraries=tuple(ready["libraries"]),
        ops=outputs["ops"].tobytes(),
    )


def gpu_of(runtime: Contained, inside: Inside) -> Gpu:
    """Return the GPU that TensorFlow sees in a container of an image.

    Raises:
        UnsupportedError: it sees none; with what it printed.
        InfrastructureError: as for `look`.
    """
    _, outputs = _answer(runtime, inside, "gpus")
    if not outputs["seen"].size:
        raise UnsupportedError(
            f"TensorFlow in {inside.image.label} sees no GPU, though the container was given one",
            hint="its CUDA may not know this card or driver; choose a release that does",
        )
    driver, *cards = outputs["driver"].tolist()
    return Gpu(model=model_of(cards[0] if cards else b""), driver=driver_of(driver))


def model_of(information: bytes) -> str:
    """Return a GPU's name from what the driver has of it under /proc/driver/nvidia/gpus."""
    found = _MODEL.search(information)
    return found.group(1).decode("utf-8", "replace") if found else "unknown"


def driver_of(version: bytes) -> str:
    """Return the driver's version from /proc/driver/nvidia/version."""
    found = _DRIVER.search(version)
    return found.group(1).decode("ascii") if found else "unknown"


def _answer(runtime: Contained, inside: Inside, op: str) -> tuple[Mapping[str, Any], Arrays]:
    environment = worker_environment("gpu" if runtime.gpu else "cpu")
    channel = ContainerChannel(runtime, inside, kind="image", environment=environment)
    decoder = _frames.Decoder()
    deadline = time.monotonic() + _SECONDS
    try:
        try:
            ready = _exchange(channel, decoder, {}, deadline)[0]
            if "error" in ready:
                raise InfrastructureError(
                    f"{inside.image.label}: {ready['error']}\n{ready['trace']}"
                )
            if not ready["libraries"]:
                raise InfrastructureError(
                    f"{inside.image.label} has no TensorFlow for {ready['python']} "
                    f"({', '.join(ready['packages']) or 'no package of that name'})",
                    hint="name an image whose first python3 on PATH has TensorFlow installed",
                )
            request = {"op": op, "timeout": _SECONDS / 2, "memory_mb": 0}
            verdict = verdict_of(*_exchange(channel, decoder, request, deadline))
        except LostError as lost:
            raise InfrastructureError(
                f"{inside.image.label} could not be looked into: {lost}\n{channel.close()}"
            ) from None
    finally:
        channel.close()
    return ready, _outputs(verdict, inside)


def _outputs(verdict: Verdict, inside: Inside) -> Arrays:
    if verdict.completed and verdict.answers and verdict.answers[0].outputs is not None:
        return verdict.answers[0].outputs
    said = verdict.failure.text if verdict.failure else verdict.worker_lost or verdict.log[-2000:]
    raise InfrastructureError(
        f"the TensorFlow of {inside.image.label} cannot be loaded: {said}",
        hint="an image of another processor, or without the libraries that TensorFlow needs?",
    )


def _exchange(
    channel: ContainerChannel,
    decoder: _frames.Decoder,
    header: dict[str, Any],
    deadline: float,
) -> tuple[dict[str, Any], list[_frames.Tensor]]:
    for piece in _frames.encode(header):
        channel.write(piece)
    while (frame := decoder.frame()) is None:
        try:
            decoder.feed(channel.read(deadline))
        except _frames.ProtocolError as error:
            raise LostError(f"garbage on its standard output: {error}") from None
    return frame

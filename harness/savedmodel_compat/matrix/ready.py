"""Make the runtimes of a matrix ready, several at a time, and say of each that is not why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from savedmodel_compat.errors import (
    InfrastructureError,
    InterpreterNotFoundError,
    SavedModelCompatError,
    UnsupportedError,
)
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.matrix.plan import Consumer
from savedmodel_compat.runtimes import current, devices, processes, venv, wheel
from savedmodel_compat.runtimes.base import Loader, Provider

if TYPE_CHECKING:
    from savedmodel_compat.config import Docker
    from savedmodel_compat.runtimes.base import Progress, Runtime
    from savedmodel_compat.runtimes.devices import Device
    from savedmodel_compat.runtimes.pins import Pin

ProgressOf = Callable[[str], "Progress"]
"""Gives, for the label of a runtime, the callback that is told how far it is."""

Readied = tuple["Pin", "Runtime | SavedModelCompatError"]

# More than a few downloads and unpackings at a time gain nothing and hold that many libraries in memory.
_AT_A_TIME = 3
_REASON = 580
"""A reason is one line of a report, and what to do is not to be cut off."""


def make_ready(
    pins: Sequence[Pin],
    provider: Provider,
    *,
    jobs: int,
    progress: ProgressOf | None = None,
    loaders: Sequence[Loader] = (Loader.C,),
    docker: Docker | None = None,
) -> list[Readied]:
    """Make every pin ready, or find out why it cannot be.

    Args:
        pins: the releases.
        provider: what makes them ready.
        jobs: how many at a time, at most.
        progress: told how far each is.
        loaders: those that will be asked for; provider ``docker`` has an image for each kind.
        docker: what the configuration says of provider ``docker``.
    """

    def one(pin: Pin) -> Readied:
        watch = progress(f"{pin.release} {provider}") if progress else None
        try:
            if provider is Provider.DOCKER:
                from savedmodel_compat.runtimes import docker as containers

                made = containers.make_ready(pin, loaders=loaders, settings=docker, progress=watch)
                return pin, made
            return pin, _provide(pin, provider, watch)
        except (UnsupportedError, InfrastructureError) as error:
            return pin, error

    with ThreadPoolExecutor(max_workers=min(jobs, _AT_A_TIME)) as pool:
        try:
            return list(pool.map(one, pins))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.stop_all()
            raise


def _provide(pin: Pin, provider: Provider, progress: Progress | None) -> Runtime:
    if provider is Provider.WHEEL:
        return wheel.make_ready(pin, progress=progress)
    if provider is Provider.VENV:
        return venv.make_ready(pin, progress=progress)
    raise UnsupportedError(f"provider '{provider}' does not make pins ready")


def consumers(
    readied: Sequence[Readied], provider: Provider, loaders: Sequence[Loader], device: str
) -> list[Consumer]:
    """Return one consumer for each release and loader.

    Args:
        readied: what `make_ready` gave.
        provider: what made them ready.
        loaders: the loaders that were asked for.
        device: ``cpu`` or ``gpu``.

    Raises:
        UnsupportedError: the only loader that was asked for is nowhere.
    """
    found = [
        _consumer(pin.release, got, provider, loader, device)
        for pin, got in readied
        for loader in loaders
    ]
    runtimes = [got for _, got in readied if not isinstance(got, SavedModelCompatError)]
    if len(loaders) == 1 and runtimes and all(loaders[0] not in r.loaders for r in runtimes):
        raise UnsupportedError(
            f"provider '{provider}' has no loader '{loaders[0]}' in {', '.join(r.release for r in runtimes)}",
            hint=_other_way(provider, loaders[0]),
        )
    return found


def on_device(consumer: Consumer, device: Device) -> Consumer:
    """Return a consumer whose cells run on a device of its own base, or one that says why they cannot.

    Args:
        consumer: on the plain device.
        device: a variant of it, or itself.
    """
    if consumer.device == device.name:
        return consumer
    there = replace(consumer, device=device.name)
    if consumer.runtime is None:
        return there
    try:
        return replace(there, runtime=devices.on_device(consumer.runtime, device))
    except UnsupportedError as error:
        return _with_problem(replace(there, runtime=None), error)


def current_consumers(loaders: Sequence[Loader], device: str) -> list[Consumer]:
    """Return the consumers of the TensorFlow that is installed beside the harness."""
    runtime = current.make_ready(device=device)
    return consumers([(runtime.pin, runtime)], Provider.CURRENT, loaders, device)


def _consumer(
    release: str,
    got: Runtime | SavedModelCompatError,
    provider: Provider,
    loader: Loader,
    device: str,
) -> Consumer:
    common = Consumer(release=release, provider=str(provider), loader=str(loader), device=device)
    if isinstance(got, SavedModelCompatError):
        return _with_problem(common, got)
    if loader in got.problems:
        return _with_problem(common, got.problems[loader])
    if loader not in got.loaders:
        reason = f"{got.label} has no loader '{loader}': {_other_way(provider, loader)}"
        return _replaced(common, outcome=Outcome.UNSUPPORTED, reason=reason)
    return _replaced(common, runtime=got)


def is_unsupported(problem: SavedModelCompatError) -> bool:
    """Tell whether a problem means that this machine or release has it not, rather than that something broke."""
    return isinstance(problem, UnsupportedError | InterpreterNotFoundError)


def _with_problem(consumer: Consumer, problem: SavedModelCompatError) -> Consumer:
    outcome = Outcome.UNSUPPORTED if is_unsupported(problem) else Outcome.INFRA_ERROR
    hint = f" ({problem.hint})" if problem.hint else ""
    message = _shortened(problem.message, _REASON - len(hint))
    return _replaced(consumer, outcome=outcome, reason=f"{message}{hint}")


def _shortened(text: str, room: int) -> str:
    """Return a text on one line with its middle left out if it is too long: what happened is said first, why it did often last."""
    line = " ".join(text.split())
    if len(line) <= room:
        return line
    return f"{line[: room // 3]} … {line[-(2 * room // 3) + 3 :]}"


def _replaced(
    consumer: Consumer,
    *,
    runtime: Runtime | None = None,
    outcome: Outcome = Outcome.UNSUPPORTED,
    reason: str | None = None,
) -> Consumer:
    return Consumer(
        release=consumer.release,
        provider=consumer.provider,
        loader=consumer.loader,
        device=consumer.device,
        runtime=runtime,
        outcome=outcome,
        reason=reason,
    )


def _other_way(provider: Provider, loader: Loader) -> str:
    if provider is Provider.WHEEL:
        return "the wheel's libraries hold the C++ loader only; use --provider venv"
    if loader is Loader.V2:
        return "tf.saved_model.load is there from TensorFlow 2.0 on"
    if loader is Loader.KERAS:
        return "Keras loads SavedModel folders from TensorFlow 2.0 on"
    return "name another loader"

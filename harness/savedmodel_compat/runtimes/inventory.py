"""The runtimes in the cache: which there are, what they take, and how to be rid of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from savedmodel_compat.cache import Cache, default_root, size_of
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.runtimes import download, venv, wheel
from savedmodel_compat.runtimes.base import Provider
from savedmodel_compat.runtimes.pins import Pin

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.containers.facts import Image

_ENTRIES: Mapping[Provider, Callable[[Pin], str]] = {
    Provider.WHEEL: wheel.entry_of,
    Provider.VENV: venv.entry_of,
}


class State(str, Enum):
    """Whether a runtime can be used at once."""

    READY = "ready"
    ABSENT = "absent"
    UNSUPPORTED = "unsupported"

    def __str__(self) -> str:
        """Return the word that lists show."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One runtime, made ready or not.

    Args:
        pin: the release.
        provider: who makes it ready.
        state: whether it is.
        bytes: what it takes on disk.
        download_bytes: what would have to be fetched first; None if that is not known.
        images: those in the engine, of provider ``docker``.
    """

    pin: Pin
    provider: Provider
    state: State
    bytes: int
    download_bytes: int | None
    images: tuple[Image, ...] = ()


def listing(
    pins: Iterable[Pin],
    *,
    providers: Iterable[Provider] = (Provider.WHEEL, Provider.VENV),
    cache: Cache | None = None,
) -> tuple[Row, ...]:
    """Return a row for each of ``pins`` and of ``providers``."""
    cache = cache or Cache(root=default_root())
    providers = tuple(providers)
    images = _images() if Provider.DOCKER in providers else {}
    return tuple(
        _image_row(pin, images.get(pin.release, ()), cache)
        if provider is Provider.DOCKER
        else _row(pin, provider, cache)
        for pin in pins
        for provider in providers
    )


def remove(pin: Pin, provider: Provider, *, cache: Cache | None = None) -> int:
    """Remove one runtime, and its wheel once no provider uses it; return the bytes set free.

    Raises:
        UnsupportedError: ``provider`` keeps nothing in the cache.
        InfrastructureError: the cache cannot be written, or the engine does not answer.
    """
    cache = cache or Cache(root=default_root())
    if provider is Provider.DOCKER:
        from savedmodel_compat.runtimes import docker

        return docker.remove(pin, cache=cache)
    freed = cache.remove(_entry(pin, provider))
    if not any(cache.path(entry(pin)).is_dir() for entry in _ENTRIES.values()):
        freed += cache.remove(download.entry_of(pin))
    return freed


def wheel_bytes(*, cache: Cache | None = None) -> int:
    """Return the bytes of the wheels that are kept, so that no provider fetches one twice."""
    cache = cache or Cache(root=default_root())
    return size_of(cache.path("wheels"))


def _row(pin: Pin, provider: Provider, cache: Cache) -> Row:
    folder = cache.path(_entry(pin, provider))
    fetched = cache.path(download.entry_of(pin)).is_dir()
    ready = folder.is_dir()
    return Row(
        pin=pin,
        provider=provider,
        state=_state(pin, ready=ready),
        bytes=size_of(folder) if ready else 0,
        download_bytes=0 if ready or fetched else pin.bytes,
    )


def _images() -> Mapping[str, Sequence[Image]]:
    from savedmodel_compat.runtimes import docker

    return docker.stock()


def _image_row(pin: Pin, images: Sequence[Image], cache: Cache) -> Row:
    fetched = images or pin.image or cache.path(download.entry_of(pin)).is_dir()
    return Row(
        pin=pin,
        provider=Provider.DOCKER,
        # A release that is taken from a named image needs no wheel of this machine.
        state=State.READY if images else State.ABSENT if pin.image else _state(pin, ready=False),
        bytes=sum(image.bytes for image in images),
        download_bytes=0 if fetched else pin.bytes,
        images=tuple(images),
    )


def _state(pin: Pin, *, ready: bool) -> State:
    if pin.unavailable is not None:
        return State.UNSUPPORTED
    return State.READY if ready else State.ABSENT


def _entry(pin: Pin, provider: Provider) -> str:
    if provider not in _ENTRIES:
        raise UnsupportedError(f"provider {provider} keeps no runtimes in the cache")
    return _ENTRIES[provider](pin)

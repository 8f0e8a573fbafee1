"""Tests of the list of runtimes and of their removal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.runtimes import Provider, download, inventory, venv, wheel
from savedmodel_compat.runtimes.inventory import State
from savedmodel_compat.runtimes.pins import Pin


def fill(cache: Cache, name: str, size: int) -> None:
    """Make an entry of ``size`` bytes."""

    def build(folder: Path) -> None:
        (folder / "file").write_bytes(bytes(size))

    cache.get(name, build)


@pytest.fixture
def pin(make_pin: Callable[..., Pin]) -> Pin:
    """Return a pin whose wheel has 100 bytes."""
    return make_pin(bytes=100)


def test_what_is_there_is_listed_with_its_size(cache: Cache, pin: Pin) -> None:
    """The other provider's runtime of that release is absent, and its wheel needs no download."""
    fill(cache, wheel.entry_of(pin), 30)
    fill(cache, download.entry_of(pin), 100)
    ready, absent = inventory.listing([pin], cache=cache)
    assert (ready.provider, ready.state, ready.bytes) == (Provider.WHEEL, State.READY, 30)
    assert (absent.provider, absent.state, absent.bytes) == (Provider.VENV, State.ABSENT, 0)
    assert absent.download_bytes == 0


def test_what_is_absent_says_its_download(cache: Cache, pin: Pin) -> None:
    """It can be said before it is begun."""
    (row,) = inventory.listing([pin], providers=[Provider.WHEEL], cache=cache)
    assert (row.state, row.download_bytes) == (State.ABSENT, 100)


def test_what_the_machine_lacks_is_listed_so(cache: Cache, make_pin: Callable[..., Pin]) -> None:
    """Unsupported is not absent: nothing can make it ready."""
    (row,) = inventory.listing([make_pin(package=None)], providers=[Provider.WHEEL], cache=cache)
    assert row.state is State.UNSUPPORTED


def test_a_wheel_stays_while_a_provider_uses_it(cache: Cache, pin: Pin) -> None:
    """It goes with the last runtime that was made of it."""
    fill(cache, wheel.entry_of(pin), 30)
    fill(cache, venv.entry_of(pin), 50)
    fill(cache, download.entry_of(pin), 100)
    assert inventory.remove(pin, Provider.WHEEL, cache=cache) == 30
    assert cache.path(download.entry_of(pin)).is_dir()
    assert inventory.remove(pin, Provider.VENV, cache=cache) == 150
    assert not cache.path(download.entry_of(pin)).exists()


def test_removing_what_is_absent_frees_nothing(cache: Cache, pin: Pin) -> None:
    """It is no error: the end is reached."""
    assert inventory.remove(pin, Provider.WHEEL, cache=cache) == 0


def test_a_provider_without_entries_is_not_supported(cache: Cache, pin: Pin) -> None:
    """The installed TensorFlow is not ours to remove."""
    with pytest.raises(UnsupportedError, match="provider current"):
        inventory.remove(pin, Provider.CURRENT, cache=cache)

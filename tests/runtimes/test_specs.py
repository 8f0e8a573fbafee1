"""Tests of release specifiers: what each form selects, and what each mistake is told."""

from __future__ import annotations

import pytest

from savedmodel_compat.config import Configuration
from savedmodel_compat.errors import EmptySelectionError, UnknownReleaseError, UnsupportedError
from savedmodel_compat.runtimes import pins
from savedmodel_compat.runtimes.specs import select

TABLE = pins.load(machine="x86_64")


def selected(spec: str, table: pins.PinTable = TABLE) -> list[str]:
    """Return the releases that a specifier selects."""
    return [pin.release for pin in select(spec, table)]


@pytest.mark.parametrize(
    ("spec", "releases"),
    [
        ("2.4.4", ["2.4.4"]),
        ("2.21.0,2.4.4", ["2.4.4", "2.21.0"]),
        (" 2.4.4 , 2.4.4 ", ["2.4.4"]),
        ("2.11", ["2.11.1"]),
        ("2.1", ["2.1.4"]),
        (">=2.4,<2.6", ["2.4.4", "2.5.3"]),
        (">=2.4,<2.6,1.4.1,>=2.21", ["1.4.1", "2.4.4", "2.5.3", "2.21.0"]),
        ("==2.1.*", ["2.1.4"]),
        ("~=2.19", ["2.19.1", "2.20.0", "2.21.0"]),
        (">2,!=2.4.4,<2.5", ["2.0.4", "2.1.4", "2.3.4"]),
        ("smoke", ["1.15.5", "2.4.4", "2.11.1", "2.21.0"]),
        ("smoke,2.5", ["1.15.5", "2.4.4", "2.5.3", "2.11.1", "2.21.0"]),
    ],
)
def test_a_specifier_selects(spec: str, releases: list[str]) -> None:
    """Releases, minors, ranges and sets combine, oldest to newest, each once."""
    assert selected(spec) == releases


def test_a_set_may_name_a_set() -> None:
    """The default set is the smoke set and six more."""
    assert len(selected("default")) == 10
    assert set(selected("smoke")) < set(selected("default"))


def test_all_is_every_pin() -> None:
    """Nothing is left out."""
    assert select("all", TABLE) == TABLE.on("cpu")


def test_a_set_of_the_repository_holds_any_specifier() -> None:
    """Ranges may stand in a set."""
    table = pins.load(Configuration(sets={"gate": (">=2.4,<2.6", "2.21")}), machine="x86_64")
    assert selected("gate", table) == ["2.4.4", "2.5.3", "2.21.0"]


def test_a_set_that_names_itself_ends() -> None:
    """Inside of itself its name is a release, and there is no such release."""
    table = pins.load(Configuration(sets={"gate": ("gate",)}), machine="x86_64")
    with pytest.raises(UnknownReleaseError, match="'gate'"):
        select("gate", table)


def test_an_unknown_release_is_told_its_neighbours() -> None:
    """The nearest pins are those before and after it; the sets are listed."""
    with pytest.raises(UnknownReleaseError, match=r"the nearest are 2\.6\.5 and 2\.8\.4") as caught:
        select("2.7.1", TABLE)
    assert "default, smoke, all" in str(caught.value.hint)


def test_a_release_beyond_the_newest_has_one_neighbour() -> None:
    """There is nothing after the last pin."""
    with pytest.raises(UnknownReleaseError) as caught:
        select("3.0.0", TABLE)
    assert caught.value.message.endswith("the nearest are 2.21.0")


def test_a_misspelt_set_is_told_the_like() -> None:
    """The word is compared with the sets."""
    with pytest.raises(UnknownReleaseError, match="the nearest are smoke"):
        select("smok", TABLE)


@pytest.mark.parametrize("spec", ["", "2.4.4,,2.5", ","])
def test_an_empty_part_is_an_error(spec: str) -> None:
    """A stray comma does not select less than was meant."""
    with pytest.raises(UnknownReleaseError, match="''"):
        select(spec, TABLE)


@pytest.mark.parametrize("spec", [">=x", ">=", "=>2.4"])
def test_a_broken_range_is_an_error(spec: str) -> None:
    """The hint shows how ranges are written."""
    with pytest.raises(UnknownReleaseError, match="not a range") as caught:
        select(spec, TABLE)
    assert ">=2.4,<2.16" in str(caught.value.hint)


@pytest.mark.parametrize("spec", [">=3", ">2.4.4,<2.5"])
def test_a_sound_range_without_pins_is_an_empty_selection(spec: str) -> None:
    """It has an exit code of its own, and the hint lists the pins."""
    with pytest.raises(EmptySelectionError, match="no pinned release") as caught:
        select(spec, TABLE)
    assert "2.5.3" in str(caught.value.hint)


def test_a_device_without_pins_is_not_supported() -> None:
    """The hint shows the row that would pin one."""
    without = pins.PinTable(pins=TABLE.on("cpu"), sets=TABLE.sets)
    with pytest.raises(UnsupportedError, match="no release is pinned for device 'gpu'"):
        select("all", without, device="gpu")

"""Tests of the pins: the shipped table holds together, and a repository may change it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from savedmodel_compat.config import Configuration, PinRow
from savedmodel_compat.errors import ConfigurationError, UnknownReleaseError
from savedmodel_compat.runtimes import pins

SHIPPED = pins.load(machine="x86_64")


def with_row(row: PinRow) -> pins.PinTable:
    """Return the table of a repository that has one row."""
    configuration = Configuration(path=Path("pyproject.toml"), pins=(row,))
    return pins.load(configuration, machine="x86_64")


def test_the_pins_go_from_oldest_to_newest() -> None:
    """Releases are ordered as versions, so that 2.10 comes after 2.9."""
    releases = [pin.release for pin in SHIPPED.on("cpu")]
    assert (releases[0], releases[-1], len(releases)) == ("1.4.1", "2.21.0", 25)
    assert releases.index("2.10.1") == releases.index("2.9.3") + 1


@pytest.mark.parametrize("pin", SHIPPED.on("cpu"), ids=lambda pin: pin.release)
def test_a_shipped_pin_is_whole(pin: pins.Pin) -> None:
    """Each row says what is fetched, byte by byte."""
    assert pin.package in {"tensorflow", "tensorflow-cpu"}
    assert pin.sha256 is not None
    assert len(bytes.fromhex(pin.sha256)) == 32
    assert pin.bytes is not None
    assert pin.bytes > 40_000_000


@pytest.mark.parametrize("pin", SHIPPED.on("cpu"), ids=lambda pin: pin.release)
def test_a_lock_names_exact_versions_of_the_pins_release(pin: pins.Pin) -> None:
    """Every line is one version, and that of TensorFlow is the row's."""
    assert pin.lock is not None
    lines = [Requirement(line) for line in pin.lock.read_text().splitlines()]
    versions = {canonicalize_name(line.name): str(line.specifier) for line in lines}
    assert all(version.startswith("==") for version in versions.values())
    assert versions[canonicalize_name(str(pin.package))] == f"=={pin.release}"


def test_every_lock_belongs_to_a_pin() -> None:
    """No lock is left over from a pin that is gone."""
    folder = Path(pins.__file__).parent / "locks"
    assert {pin.lock for pin in SHIPPED.on("cpu")} == set(folder.glob("*.txt"))


def test_the_sets_name_pinned_releases() -> None:
    """A set that names what is not pinned would fail at its first use."""
    known = {pin.release for pin in SHIPPED.on("cpu")} | set(SHIPPED.sets)
    assert {item for items in SHIPPED.sets.values() for item in items} <= known


def test_another_machine_has_other_wheels() -> None:
    """On AArch64 the package and the digest are others."""
    pin = pins.load(machine="aarch64").get("2.21.0")
    assert pin.package == "tensorflow"
    assert pin.sha256 != SHIPPED.get("2.21.0").sha256


def test_a_machine_may_lack_a_release() -> None:
    """There the pin says why, and keeps its place in the table."""
    pin = pins.load(machine="aarch64").get("1.15.5")
    assert pin.unavailable == "no wheel of TensorFlow 1.15.5 exists for Linux on aarch64"


def test_a_machine_goes_by_the_names_of_other_systems() -> None:
    """Docker and macOS say arm64 for what Linux calls aarch64."""
    assert pins.load(machine="arm64") == pins.load(machine="aarch64")


def test_a_release_may_be_written_otherwise() -> None:
    """Releases are compared as versions."""
    assert SHIPPED.get("2.21").release == "2.21.0"


def test_a_release_without_a_pin_is_an_error() -> None:
    """The device is named too, since its pins are rows of their own."""
    with pytest.raises(UnknownReleaseError, match=r"2\.7\.0 is not pinned for cpu"):
        SHIPPED.get("2.7.0")


def test_a_row_adds_a_release() -> None:
    """A pin of the user's own takes its place by version."""
    table = with_row(PinRow(release="2.7.4", python="3.9", package="tensorflow-cpu"))
    releases = [pin.release for pin in table.on("cpu")]
    assert releases.index("2.7.4") == releases.index("2.6.5") + 1
    assert table.get("2.7.4").sha256 is None


def test_a_new_release_needs_a_python_and_a_package() -> None:
    """What is missing is said, with an example of a whole row."""
    with pytest.raises(ConfigurationError, match="no python and no package") as caught:
        with_row(PinRow(release="2.7.4"))
    assert 'release = "2.7.4"' in str(caught.value.hint)


def test_a_new_release_is_a_version() -> None:
    """A word cannot be ordered among releases."""
    with pytest.raises(ConfigurationError, match="'newest', which is no version"):
        with_row(PinRow(release="newest", python="3.9", package="tensorflow"))


def test_a_row_changes_a_lock_and_keeps_the_rest() -> None:
    """An override of one field leaves the wheel's digest alone."""
    changed = with_row(PinRow(release="2.4.4", lock=Path("/mine.txt"))).get("2.4.4")
    assert changed.lock == Path("/mine.txt")
    assert changed.sha256 == SHIPPED.get("2.4.4").sha256


def test_another_wheel_does_not_inherit_digest_and_lock() -> None:
    """A row that changes the interpreter means another file."""
    changed = with_row(PinRow(release="2.11.1", python="3.9")).get("2.11.1")
    assert (changed.sha256, changed.bytes, changed.lock) == (None, None, None)


def test_a_python_is_a_minor_version() -> None:
    """A whole version names no wheel tag."""
    with pytest.raises(ConfigurationError, match=r"'3\.9\.1'"):
        with_row(PinRow(release="2.11.1", python="3.9.1"))


def test_releases_on_a_gpu_are_images() -> None:
    """From 1.15 on each has a public image, whose name says its Python up to 2.1; no wheel stands for it."""
    found = {pin.release: pin for pin in SHIPPED.on("gpu")}
    assert list(found) == [pin.release for pin in SHIPPED.on("cpu")][4:]
    assert found["1.15.5"].public_image == "tensorflow/tensorflow:1.15.5-gpu-py3"
    assert found["2.11.1"].public_image == "tensorflow/tensorflow:2.11.1-gpu"
    assert "--provider docker" in str(found["2.11.1"].unavailable)


def test_a_row_that_names_an_image_needs_no_wheel() -> None:
    """Any image that a user has is a release of its own."""
    row = PinRow(release="2.7.4", image="registry.example.com/tf:{release}")
    pin = with_row(row).get("2.7.4")
    assert pin.image == "registry.example.com/tf:{release}"
    assert "--provider docker" in str(pin.unavailable)


def test_a_device_has_rows_of_its_own() -> None:
    """A GPU row does not replace the CPU row of the release."""
    row = PinRow(release="2.11.1", device="gpu", python="3.10", package="tensorflow")
    table = with_row(row)
    assert table.get("2.11.1").package == "tensorflow-cpu"
    assert table.get("2.11.1", device="gpu").package == "tensorflow"


def test_a_set_of_the_repository_replaces_a_shipped_one() -> None:
    """What a repository calls smoke is its own affair."""
    configuration = Configuration(sets={"smoke": ("2.4.4",)})
    assert pins.load(configuration).sets["smoke"] == ("2.4.4",)

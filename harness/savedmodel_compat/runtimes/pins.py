"""The pinned releases: the rows of pins.toml, as they hold on one machine."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from savedmodel_compat import _toml, config
from savedmodel_compat.errors import ConfigurationError, UnknownReleaseError

_HERE = Path(__file__).parent
_PYTHON = re.compile(r"3\.\d+")
_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One TensorFlow release that is known to install and to work.

    Args:
        release: the release, such as ``2.11.1``.
        python: the CPython that its wheel is for, such as ``3.10``.
        package: the distribution that carries the libraries; None if this machine has none.
        lock: the requirements file of a whole environment; None if there is none.
        device: ``cpu`` or ``gpu``.
        sha256: the wheel's digest in hexadecimal; None if it is not known beforehand.
        bytes: the wheel's size; None if it is not known beforehand.
        machine: whose wheel it is, as `platform.machine` calls it.
        image: the container image that a repository's configuration takes for it; None if it says nothing.
        public_image: the container image to take where it does not; None to build one.
    """

    release: str
    python: str
    package: str | None
    lock: Path | None = None
    device: str = "cpu"
    sha256: str | None = None
    bytes: int | None = None
    machine: str
    image: str | None = None
    public_image: str | None = None

    @property
    def version(self) -> Version:
        """Return the release as a version that can be compared."""
        return Version(self.release)

    def is_release(self, text: str) -> bool:
        """Tell whether ``text``, as TensorFlow gives its version, is this release; a vendor's may be no version at all."""
        try:
            return Version(text) == self.version
        except InvalidVersion:
            return False

    @property
    def unavailable(self) -> str | None:
        """Return why this machine cannot have the release, or None if it can."""
        if self.package is not None:
            return None
        if self.public_image is not None or self.image is not None:
            return (
                f"TensorFlow {self.release} is pinned for {self.device} as a container image: "
                "--provider docker"
            )
        return f"no wheel of TensorFlow {self.release} exists for Linux on {self.machine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinTable:
    """Every release that can be named, oldest to newest, and the named sets of them.

    Args:
        pins: the rows, oldest first; a release has one row a device.
        sets: the release specifiers of each named set.
    """

    pins: tuple[Pin, ...]
    sets: Mapping[str, tuple[str, ...]]

    def get(self, release: str, *, device: str = "cpu") -> Pin:
        """Return the row of one release.

        Raises:
            UnknownReleaseError: there is none.
        """
        for pin in self.on(device):
            if pin.version == Version(release):
                return pin
        raise UnknownReleaseError(f"TensorFlow {release} is not pinned for {device}")

    def on(self, device: str) -> tuple[Pin, ...]:
        """Return the rows of one device, oldest first."""
        return tuple(pin for pin in self.pins if pin.device == device)


def load(
    configuration: config.Configuration | None = None,
    *,
    machine: str | None = None,
) -> PinTable:
    """Return the shipped pins with the changes and additions of ``configuration``.

    Args:
        configuration: what a repository has registered; None for the shipped pins alone.
        machine: whose wheels to name, as `platform.machine` calls it; this one if None.

    Raises:
        ConfigurationError: a row adds a release without saying what is needed for it.
    """
    machine = _MACHINES.get(machine or platform.machine(), machine or platform.machine())
    document = _toml.parse((_HERE / "pins.toml").read_bytes())
    rows = {(pin.release, pin.device): pin for pin in _shipped(document["pins"], machine)}
    sets = {name: tuple(items) for name, items in document["sets"].items()}
    if configuration is not None:
        for row in configuration.pins:
            changed = _changed(rows.get((row.release, row.device)), row, configuration, machine)
            rows[row.release, row.device] = changed
        sets |= configuration.sets
    ordered = sorted(rows.values(), key=lambda pin: (pin.version, pin.device))
    return PinTable(pins=tuple(ordered), sets=sets)


def _shipped(rows: list[dict[str, Any]], machine: str) -> Iterator[Pin]:
    for row in rows:
        wheel = row.get(machine, {})
        yield Pin(
            release=row["release"],
            python=row["python"],
            package=wheel.get("package"),
            lock=_HERE / "locks" / row["lock"],
            device=row["device"],
            sha256=wheel.get("sha256"),
            bytes=wheel.get("bytes"),
            machine=machine,
        )
        if "gpu-image" in row:
            yield Pin(
                release=row["release"],
                python=row["python"],
                package=None,
                device="gpu",
                machine=machine,
                public_image=row["gpu-image"],
            )


def _changed(
    shipped: Pin | None,
    row: config.PinRow,
    configuration: config.Configuration,
    machine: str,
) -> Pin:
    pin = shipped or _added(row, configuration, machine)
    python = row.python or pin.python
    package = row.package or pin.package
    if not _PYTHON.fullmatch(python) and row.image is None:
        raise ConfigurationError(
            f"{configuration.path}: the pin of {row.release} has python = {python!r}, "
            "where a CPython such as '3.11' is expected",
        )
    # Another wheel than the shipped one has neither its digest nor its size.
    same = shipped is not None and (python, package) == (shipped.python, shipped.package)
    return replace(
        pin,
        python=python,
        package=package,
        lock=row.lock or (pin.lock if same else None),
        sha256=row.sha256 or (pin.sha256 if same else None),
        bytes=row.bytes or (pin.bytes if same and row.sha256 is None else None),
        image=row.image or pin.image,
    )


def _added(row: config.PinRow, configuration: config.Configuration, machine: str) -> Pin:
    try:
        Version(row.release)
    except InvalidVersion as error:
        raise ConfigurationError(
            f"{configuration.path}: a pin has release = {row.release!r}, which is no version",
        ) from error
    missing = [name for name in ("python", "package") if getattr(row, name) is None]
    if missing and row.image is None:
        raise ConfigurationError(
            f"{configuration.path}: TensorFlow {row.release} is not among the shipped pins, and "
            f"its row in tool.savedmodel-compat.pins has no {' and no '.join(missing)}",
            hint=f'a whole row has release = "{row.release}", python = "3.11" and '
            'package = "tensorflow-cpu", or an image',
        )
    return Pin(
        release=row.release,
        python=row.python or "",
        package=row.package,
        device=row.device,
        machine=machine,
    )

"""Release specifiers: the ``SPEC`` of the command line, read over the known pins."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from savedmodel_compat.errors import EmptySelectionError, UnknownReleaseError, UnsupportedError
from savedmodel_compat.runtimes.pins import Pin, PinTable

ALL = "all"
"""The set of every pin."""

_OPERATORS = ("<", ">", "=", "!", "~")
_MINOR = re.compile(r"\d+\.\d+")

# No release has such a number, and Python refuses to make one of thousands of digits.
_NO_NUMBER = re.compile(r"\d{10}")
_SHOWN = 80


def select(spec: str, table: PinTable, *, device: str = "cpu") -> tuple[Pin, ...]:
    """Return the pins that ``spec`` names, oldest to newest, each once.

    Args:
        spec: a comma list of releases (``2.4.4,2.21.0``), minors (``2.11``), PEP 440 ranges
            (``>=2.4,<2.16``: clauses that follow one another combine) and named sets.
        table: the pins and the sets to choose from.
        device: whose pins to choose from.

    Raises:
        UnknownReleaseError: a part of ``spec`` names nothing that is known.
        EmptySelectionError: ``spec`` is sound and selects nothing.
        UnsupportedError: no release at all is pinned for the device.
    """
    if not table.on(device):
        raise UnsupportedError(
            f"no release is pinned for device '{device}'",
            hint=f'add a row with device = "{device}" under [[tool.savedmodel-compat.pins]]',
        )
    chosen = set(_chosen(spec, table, device, ()))
    if not chosen:
        raise EmptySelectionError(
            f"no pinned release answers to {spec!r} on {device}",
            hint=f"the pins are {_known(table, device)}",
        )
    return tuple(pin for pin in table.on(device) if pin in chosen)


def _chosen(spec: str, table: PinTable, device: str, within: tuple[str, ...]) -> Iterator[Pin]:
    for part in parts(spec):
        if is_range(part):
            yield from _range(part, table, device)
        elif part == ALL:
            yield from table.on(device)
        elif part in table.sets and part not in within:
            yield from _chosen(",".join(table.sets[part]), table, device, (*within, part))
        else:
            yield from _release(part, table, device)


def parts(spec: str) -> Iterator[str]:
    """Yield the parts of a specifier: what stands between its commas, and range clauses that follow one another as one."""
    clauses: list[str] = []
    for part in (piece.strip() for piece in spec.split(",")):
        if is_range(part):
            clauses.append(part)
            continue
        if clauses:
            yield ",".join(clauses)
            clauses.clear()
        yield part
    if clauses:
        yield ",".join(clauses)


def is_range(part: str) -> bool:
    """Tell whether a part of a specifier is a range, and no name of a release or set."""
    return part.startswith(_OPERATORS)


def is_minor(part: str) -> bool:
    """Tell whether a part of a specifier is a minor version, such as ``2.11``."""
    return _MINOR.fullmatch(part) is not None


def specifier(clauses: str) -> SpecifierSet:
    """Return the PEP 440 range that clauses say.

    Raises:
        UnknownReleaseError: they say none.
    """
    try:
        found = SpecifierSet("" if _NO_NUMBER.search(clauses) else clauses)
    except InvalidSpecifier:
        found = SpecifierSet()
    if not found:
        raise UnknownReleaseError(
            f"{clauses[:_SHOWN]!r} is not a range of releases",
            hint="write ranges as in '>=2.4,<2.16'",
        )
    return found


def _range(clauses: str, table: PinTable, device: str) -> Iterator[Pin]:
    found = specifier(clauses)
    # A pre-release is pinned only by somebody who wants it.
    return (pin for pin in table.on(device) if found.contains(pin.version, prereleases=True))


def _release(part: str, table: PinTable, device: str) -> Iterable[Pin]:
    pins = table.on(device)
    exact = [pin for pin in pins if _same(pin, part)]
    if exact:
        return exact
    minor = [pin for pin in pins if is_minor(part) and pin.release.startswith(f"{part}.")]
    if minor:
        return minor
    raise UnknownReleaseError(
        f"{part!r} is neither a pinned release nor a named set{_nearest(part, table, device)}",
        hint=f"the pins are {_known(table, device)}; the sets are "
        f"{', '.join((*sorted(table.sets), ALL))}; `savedmodel-compat runtime list` shows them",
    )


def _same(pin: Pin, part: str) -> bool:
    try:
        return pin.version == Version(part)
    except InvalidVersion:
        return False


def _nearest(part: str, table: PinTable, device: str) -> str:
    """Return the known names that are nearest to ``part``, as the end of a sentence."""
    try:
        near = _neighbours(Version(part), table.on(device))
    except InvalidVersion:
        near = difflib.get_close_matches(part, (*table.sets, ALL), n=2)
    return f"; the nearest are {' and '.join(near)}" if near else ""


def _neighbours(wanted: Version, pins: tuple[Pin, ...]) -> list[str]:
    older = [pin.release for pin in pins if pin.version < wanted]
    newer = [pin.release for pin in pins if pin.version > wanted]
    return older[-1:] + newer[:1]


def _known(table: PinTable, device: str) -> str:
    return ", ".join(pin.release for pin in table.on(device)) or f"none for {device}"

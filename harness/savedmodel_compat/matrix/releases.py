"""Patterns of releases: what a specifier says of any release, pinned or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from savedmodel_compat.errors import UnknownReleaseError
from savedmodel_compat.matrix.seen import UNKNOWN
from savedmodel_compat.runtimes import specs
from savedmodel_compat.runtimes.pins import PinTable

_OPERATORS = ("<", ">", "=", "!", "~")
_MINOR = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """Which releases a specifier takes in.

    Unlike `specs.select` it is asked about releases, and knows those that no pin has: a model may come from any.

    Args:
        text: the specifier.
        ranges: PEP 440 ranges, one of which has to hold.
        minors: minor versions, such as ``2.11``.
        exact: releases.
        unknown: whether it takes in a release that nothing tells.
    """

    text: str
    ranges: tuple[SpecifierSet, ...] = ()
    minors: frozenset[str] = frozenset()
    exact: frozenset[Version] = field(default_factory=frozenset)
    unknown: bool = False

    def has(self, release: str | None) -> bool:
        """Tell whether a release is among them."""
        if release is None or release == UNKNOWN:
            return self.unknown
        try:
            version = Version(release)
        except InvalidVersion:
            return False
        minor = f"{version.major}.{version.minor}"
        return (
            version in self.exact
            or minor in self.minors
            or any(each.contains(version, prereleases=True) for each in self.ranges)
        )


def parse(text: str, table: PinTable) -> Releases:
    """Read a specifier: releases, minors, PEP 440 ranges and named sets, as on the command line; and ``unknown``.

    Raises:
        UnknownReleaseError: a part is neither a release nor a range nor a set.
    """
    ranges, minors, exact, unknown = [], set(), set(), False
    for part in _parts(text):
        if part == UNKNOWN:
            unknown = True
        elif part.startswith(_OPERATORS):
            ranges.append(_range(part))
        elif _MINOR.fullmatch(part):
            minors.add(part)
        elif _is_version(part):
            exact.add(Version(part))
        else:
            exact |= {pin.version for pin in specs.select(part, table)}
    return Releases(
        text=text,
        ranges=tuple(ranges),
        minors=frozenset(minors),
        exact=frozenset(exact),
        unknown=unknown,
    )


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the commas; clauses of one range, which follow one another, as one."""
    clauses: list[str] = []
    for part in (piece.strip() for piece in text.split(",")):
        if part.startswith(_OPERATORS):
            clauses.append(part)
            continue
        if clauses:
            yield ",".join(clauses)
            clauses = []
        yield part
    if clauses:
        yield ",".join(clauses)


def _range(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise UnknownReleaseError(
            f"{text!r} is not a range of releases", hint="write ranges as in '>=2.4,<2.16'"
        ) from error


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def spell(releases: frozenset[str], table: PinTable) -> str:
    """Return the shortest specifier that takes in exactly these releases, of all that are pinned or given.

    A range stands where three or more pins follow one another; anything else is a list.

    Args:
        releases: at least one; ``unknown`` for one that nothing tells.
        table: the pins.
    """
    pinned = [pin.release for pin in table.on("cpu")]
    others = sorted(releases - set(pinned))
    return ",".join([*_runs(releases, pinned), *others])


_LEAST = 3
"""As many pins in a row make a range."""


def _runs(releases: frozenset[str], pinned: list[str]) -> Iterator[str]:
    run: list[int] = []
    ranges, singles = [], []
    for index in range(len(pinned) + 1):
        if index < len(pinned) and pinned[index] in releases:
            run.append(index)
            continue
        said = _spelled(run, pinned)
        if said is not None:
            ranges.append(said)
        else:
            singles += [pinned[each] for each in run]
        run = []
    # Two ranges side by side would be read as one that both have to hold in: a list of releases parts nothing from nothing.
    if len(ranges) > 1 or (ranges and len(singles) > len(pinned)):
        yield from (release for release in pinned if release in releases)
    else:
        yield from singles
        yield from ranges


def _spelled(run: list[int], pinned: list[str]) -> str | None:
    """Return the range that takes in pins which follow one another, and no other pin; None for a few."""
    if len(run) < _LEAST:
        return None
    for digits in (2, 3):
        clauses = []
        if run[0] > 0:
            clauses.append(f">={_cut(pinned[run[0]], digits)}")
        if run[-1] + 1 < len(pinned):
            clauses.append(f"<{_cut(pinned[run[-1] + 1], digits)}")
        text = ",".join(clauses) or ">=0"
        found = SpecifierSet(text)
        taken = [i for i, each in enumerate(pinned) if found.contains(each, prereleases=True)]
        if taken == run:
            return text
    return None


def _cut(release: str, digits: int) -> str:
    return ".".join(release.split(".")[:digits])

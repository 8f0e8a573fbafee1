"""Patterns of releases: what a specifier says of any release, pinned or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from savedmodel_compat.matrix.seen import UNKNOWN
from savedmodel_compat.runtimes import specs
from savedmodel_compat.runtimes.pins import PinTable

# As many releases in a row make a range.
_LEAST = 3


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
    for part in specs.parts(text):
        if part == UNKNOWN:
            unknown = True
        elif specs.is_range(part):
            ranges.append(specs.specifier(part))
        elif specs.is_minor(part):
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


def _is_version(text: str) -> bool:
    """Tell whether a text is a version; a vendor's release may be none."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def is_release(text: str) -> bool:
    """Tell whether a specifier can name a release: a vendor's may be no version, and a minor version is several."""
    return _is_version(text) and not specs.is_minor(text)


def spell(releases: frozenset[str], known: Iterable[str]) -> str:
    """Return a short specifier that takes in these releases, and no other of those that are known.

    A range stands for the longest run of releases that follow one another, if it is long enough to be worth one;
    everything else is listed: two ranges side by side would be read as one, in which all clauses have to hold.

    Args:
        releases: at least one; ``unknown`` for one that nothing tells.
        known: the releases that are pinned, or that models are of.
    """
    texts = {*known, *releases}
    versions = sorted((each for each in texts if _is_version(each)), key=Version)
    run = max(_runs(releases, versions), key=len, default=[])
    said = _spelled(run, versions)
    if said is None:
        run, ranges = [], []
    else:
        ranges = [said]
    rest = releases - {versions[index] for index in run}
    listed = [each for each in versions if each in rest]
    return ",".join([*listed, *ranges, *sorted(rest - set(versions))])


def _runs(releases: frozenset[str], versions: list[str]) -> Iterator[list[int]]:
    """Yield the places of releases that follow one another, a list a run."""
    run: list[int] = []
    for index, each in enumerate(versions):
        if each in releases:
            run.append(index)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _spelled(run: list[int], versions: list[str]) -> str | None:
    """Return the range that takes in a run and nothing else; None if the run is short, or there is none."""
    if len(run) < _LEAST:
        return None
    for digits in (2, 3):
        clauses = []
        if run[0] > 0:
            clauses.append(f">={_cut(versions[run[0]], digits)}")
        if run[-1] + 1 < len(versions):
            clauses.append(f"<{_cut(versions[run[-1] + 1], digits)}")
        text = ",".join(clauses) or ">=0"
        found = SpecifierSet(text)
        taken = [i for i, each in enumerate(versions) if found.contains(each, prereleases=True)]
        if taken == run:
            return text
    return None


def _cut(release: str, digits: int) -> str:
    return ".".join(str(number) for number in Version(release).release[:digits])

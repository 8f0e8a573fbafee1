"""Expectations: which cells are known to fail, and what a run says of them. Strict in both directions."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from savedmodel_compat.matrix.releases import Releases
from savedmodel_compat.matrix.seen import UNKNOWN, Seen, ending

# An axis that a run was not narrowed on by its user is one that it covers.
_SCOPES = ("model", "strip", "producer", "consumer", "loader", "provider", "device")

# Between what is misspelled and what is another model: `half_plus_two` and `half_plus_three` are 0.79 alike.
_NEAR = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A pattern of cells that are known to fail, and why.

    Args:
        place: file and line, or number, where it stands.
        models: names, or their last parts, in which ``*``, ``?`` and ``[…]`` stand for others; a name behind a slash
            is a whole one.
        tags: the tag set; None for any.
        strip: whether default-valued attrs were stripped, or ``unknown``; None for any.
        producer: releases; None for any.
        consumer: releases; None for any.
        loaders: names; empty for any.
        providers: names; empty for any.
        devices: names, with wildcards; empty for any.
        signatures: keys, with wildcards, and the empty text for cells without one; empty for any.
        cause: why each of these cells fails.
        or_causes: why they may fail besides, or instead; a cell with any cause that is not named fails for something else, too.
        op: what the cause is about; None if it need not be compared.
        attr: the same.
        reason: why, for people.
        owner: who looks after it; None if a link says so.
        link: where it is being looked after; None if an owner does.
        expires: the last day on which it holds.
    """

    place: str
    models: tuple[str, ...]
    tags: frozenset[str] | None = None
    strip: bool | str | None = None
    producer: Releases | None = None
    consumer: Releases | None = None
    loaders: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    cause: str
    or_causes: tuple[str, ...] = ()
    op: str | None = None
    attr: str | None = None
    reason: str
    owner: str | None = None
    link: str | None = None
    expires: date

    @property
    def claim(self) -> str:
        """What is expected, in words, such as ``attr-unknown Conv2D.explicit_paddings``."""
        about = ".".join(name for name in (self.op, self.attr) if name)
        return f"{' or '.join(self.causes)} {about}".rstrip()

    @property
    def causes(self) -> tuple[str, ...]:
        """All causes that it allows."""
        return (self.cause, *self.or_causes)

    @property
    def whose(self) -> str:
        """Who or what looks after it."""
        return " ".join(name for name in (self.owner, self.link) if name)

    def is_live(self, today: date) -> bool:
        """Tell whether it holds on a day."""
        return today <= self.expires

    def met_by(self, cell: Seen) -> bool:
        """Tell whether a cell fails as it says."""
        return (
            cell.failed
            and cell.cause is not None
            and set(self.causes).issuperset((cell.cause, *cell.also))
            and (self.op is None or cell.op == self.op)
            and (self.attr is None or cell.attr == self.attr)
        )

    def contradicts(self, other: Expectation) -> bool:
        """Tell whether no failure is what both say."""
        pairs = ((self.op, other.op), (self.attr, other.attr))
        differ = any(a is not None and b is not None and a != b for a, b in pairs)
        return differ or not set(self.causes) & set(other.causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """A file of expectations.

    Args:
        path: the file.
        entries: in its order.
    """

    path: Path
    entries: tuple[Expectation, ...] = ()


class Breach(enum.Enum):
    """How a cell is not what is expected of it."""

    PASSED = "it passed"
    OTHER_CAUSE = "it failed for another cause"
    NOT_RUN = "it was not run"
    CONTRADICTED = "it is expected to fail for two causes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What expectations say of one cell.

    Args:
        live: the expectations that match it and hold.
        breach: how it is not what they say; None if it is, or if nothing is expected of it.
        expired: those that match it and no longer hold.
    """

    live: tuple[Expectation, ...] = ()
    breach: Breach | None = None
    expired: tuple[Expectation, ...] = ()

    @property
    def expected(self) -> bool:
        """Whether it failed as it was expected to."""
        return bool(self.live) and self.breach is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A cell that is not what is expected of it."""

    cell: Seen
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Misnamed:
    """An expectation about a model that the run has not, and what it may mean.

    Args:
        expectation: the expectation.
        pattern: the name of its that no model has.
        near: the name of a model of the run.
    """

    expectation: Expectation
    pattern: str
    near: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What expectations say of a run.

    Args:
        file: the expectations.
        expected: of each cell, in the order in which they were given, whether it failed as expected.
        broken: the cells that are not what is expected of them.
        stale: expectations that match no cell, though the run has what they are about.
        expired: expectations that are past their date.
        out_of_scope: expectations about models, releases, loaders, providers or devices that the run has not.
        misnamed: those of them that name no model of the run, and nearly do.
        used: of each expectation that failed as it says, how many cells.
    """

    file: Expectations
    expected: tuple[bool, ...] = ()
    broken: tuple[Broken, ...] = ()
    stale: tuple[Expectation, ...] = ()
    expired: tuple[Expectation, ...] = ()
    out_of_scope: tuple[Expectation, ...] = ()
    misnamed: tuple[Misnamed, ...] = ()
    used: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_broken(self) -> bool:
        """Whether anything about the expectations does not hold."""
        return bool(self.broken or self.stale or self.expired)


def today() -> date:
    """Return the day, in UTC, so that two machines agree on what is expired."""
    return datetime.now(timezone.utc).date()


class Matcher:
    """Matches cells with expectations; what each value of each axis selects is found out once.

    Args:
        entries: the expectations.
        day: the day on which they are to hold.
    """

    def __init__(self, entries: Sequence[Expectation], day: date) -> None:
        self.entries = entries
        self._live = sum(1 << i for i, each in enumerate(entries) if each.is_live(day))
        self._masks: dict[str, dict[Any, int]] = {axis: {} for axis in _AXES}
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}

    def mask(self, axis: str, value: Any) -> int:
        """Return one bit for each expectation whose pattern of an axis takes in a value."""
        masks = self._masks[axis]
        if value not in masks:
            takes = _AXES[axis].takes
            masks[value] = sum(1 << i for i, each in enumerate(self.entries) if takes(each, value))
        return masks[value]

    def matching(self, cell: Seen) -> int:
        """Return one bit for each expectation that matches a cell."""
        found = -1
        for name, axis in _AXES.items():
            found &= self.mask(name, axis.value(cell))
            if not found:
                return 0
        return found

    def verdict(self, cell: Seen, matching: int | None = None) -> Verdict:
        """Return what is to be said of a cell.

        Args:
            cell: the cell.
            matching: what `matching` gave of it, if that is known.
        """
        found = self.matching(cell) if matching is None else matching
        if not found:
            return _NOTHING
        key = (found, cell.outcome, cell.claim)
        if key not in self._verdicts:
            live = self._chosen(found & self._live)
            self._verdicts[key] = Verdict(
                live=live, breach=_breach(cell, live), expired=self._chosen(found & ~self._live)
            )
        return self._verdicts[key]

    def _chosen(self, mask: int) -> tuple[Expectation, ...]:
        return tuple(each for i, each in enumerate(self.entries) if mask >> i & 1)


def _breach(cell: Seen, live: Sequence[Expectation]) -> Breach | None:
    if not live:
        return None
    if any(each.contradicts(other) for each in live for other in live):
        return Breach.CONTRADICTED
    if all(each.met_by(cell) for each in live):
        return None
    if cell.failed:
        return Breach.OTHER_CAUSE
    return Breach.PASSED if cell.outcome == "pass" else Breach.NOT_RUN


def judge(
    file: Expectations,
    cells: Sequence[Seen],
    *,
    day: date | None = None,
    narrowed: Collection[str] = (),
    whole: bool = True,
) -> Judgement:
    """Return what expectations say of the cells of a run.

    Args:
        file: the expectations.
        cells: all of the run.
        day: the day on which they are to hold; None for today.
        narrowed: axes that the user has narrowed, ``signature`` or ``tags``, beside those that always may be.
        whole: whether these are all cells that the run could have had; if not, nothing is said to be stale or misnamed.
    """
    day = day or today()
    matcher = Matcher(file.entries, day)
    matches = [matcher.matching(cell) for cell in cells]
    verdicts = [matcher.verdict(cell, found) for cell, found in zip(cells, matches, strict=True)]
    matched = 0
    for found in set(matches):
        matched |= found
    unmatched = [
        each for i, each in enumerate(file.entries) if not matched >> i & 1 and each.is_live(day)
    ]
    scope = _Scope(matcher, cells, narrowed) if unmatched else None
    stale = [each for each in unmatched if whole and scope is not None and scope.has(each)]
    out_of_scope = tuple(each for each in unmatched if each not in stale)
    return Judgement(
        file=file,
        expected=tuple(verdict.expected for verdict in verdicts),
        broken=tuple(
            Broken(cell=cell, verdict=verdict)
            for cell, verdict in zip(cells, verdicts, strict=True)
            if verdict.breach is not None
        ),
        stale=tuple(stale),
        expired=tuple(each for each in file.entries if not each.is_live(day)),
        out_of_scope=out_of_scope,
        misnamed=tuple(_misnamed(out_of_scope, cells)) if whole else (),
        used=_used(verdicts),
    )


def _used(verdicts: Iterable[Verdict]) -> Mapping[str, int]:
    used: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.expected:
            for each in verdict.live:
                used[each.place] = used.get(each.place, 0) + 1
    return used


def _misnamed(entries: Iterable[Expectation], cells: Iterable[Seen]) -> Iterator[Misnamed]:
    """Yield expectations that take in no model of a run, and are near to one; folders are not compared."""
    models = {cell.model: cell.full_name for cell in cells}
    by_folder = {name.rpartition("/")[2]: name for name in sorted(models, reverse=True)}
    for each in entries:
        if any(takes_model(each.models, *names) for names in models.items()):
            continue
        for pattern in each.models:
            folder = pattern.rpartition("/")[2]
            for near in difflib.get_close_matches(folder, by_folder, n=1, cutoff=_NEAR):
                yield Misnamed(expectation=each, pattern=pattern, near=by_folder[near])


class _Scope:
    """Which values the cells of each model have, an axis at a time."""

    def __init__(self, matcher: Matcher, cells: Iterable[Seen], narrowed: Collection[str]) -> None:
        self._matcher = matcher
        self._axes = tuple(axis for axis in _AXES if axis in _SCOPES or axis in narrowed)
        self._values: dict[Any, dict[str, set[Any]]] = {}
        for cell in cells:
            model = _AXES["model"].value(cell)
            values = self._values.setdefault(model, {axis: set() for axis in self._axes})
            for axis in self._axes:
                values[axis].add(_AXES[axis].value(cell))

    def has(self, expectation: Expectation) -> bool:
        """Tell whether the cells of the models that it names have something on every axis that it selects."""
        bit = 1 << self._matcher.entries.index(expectation)
        mine = [
            values for model, values in self._values.items() if self._mask("model", model) & bit
        ]
        return bool(mine) and all(
            any(self._mask(axis, value) & bit for values in mine for value in values[axis])
            for axis in self._axes
        )

    def _mask(self, axis: str, value: Any) -> int:
        return self._matcher.mask(axis, value)


def _like(patterns: Collection[str], value: str) -> bool:
    return any(value == each or fnmatchcase(value, each) for each in patterns)


def takes_model(patterns: Collection[str], name: str, full_name: str) -> bool:
    """Tell whether one of several patterns is about a model.

    A pattern is about the models whose names are like it, or whose full names end in what is like it; behind a slash,
    about those whose names are like the rest of it, and no others.

    Args:
        patterns: such as ``half_plus_two``, ``models/*`` or ``/half_plus_two``.
        name: of the model.
        full_name: the same with all folders above it.
    """
    return any(
        _like((each[1:],), name)
        if each.startswith("/")
        else _like((each,), name) or _like((each,), ending(full_name, each))
        for each in patterns
    )


def _releases(releases: Releases | None, value: str | None) -> bool:
    return releases is None or releases.has(value)


def _strip(said: bool | str | None, value: bool | None) -> bool:
    return said is None or (value is None if said == UNKNOWN else said is value)


# Of a cell that was never started nobody knows the tags and the signature if it has none: it may be any of the model's.
def _tags_of(cell: Seen) -> frozenset[str] | None:
    return None if not cell.started and not cell.tags else frozenset(cell.tags)


def _signature_of(cell: Seen) -> str | None:
    return None if not cell.started and cell.signature is None else cell.signature or ""


@dataclass(frozen=True, slots=True)
class _Axis:
    value: Callable[[Seen], Any]
    takes: Callable[[Expectation, Any], bool]


_AXES: Mapping[str, _Axis] = {
    "model": _Axis(lambda c: (c.model, c.full_name), lambda e, v: takes_model(e.models, *v)),
    "consumer": _Axis(lambda c: c.consumer, lambda e, v: _releases(e.consumer, v)),
    "producer": _Axis(lambda c: c.producer, lambda e, v: _releases(e.producer, v)),
    "strip": _Axis(lambda c: c.strip, lambda e, v: _strip(e.strip, v)),
    "loader": _Axis(lambda c: c.loader, lambda e, v: not e.loaders or v in e.loaders),
    "provider": _Axis(lambda c: c.provider, lambda e, v: not e.providers or v in e.providers),
    "device": _Axis(lambda c: c.device, lambda e, v: not e.devices or _like(e.devices, v)),
    "tags": _Axis(_tags_of, lambda e, v: e.tags is None or v is None or e.tags == v),
    "signature": _Axis(
        _signature_of, lambda e, v: not e.signatures or v is None or _like(e.signatures, v)
    ),
}
_NOTHING = Verdict()

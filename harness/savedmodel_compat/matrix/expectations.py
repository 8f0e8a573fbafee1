"""Expectations: which cells are known to fail, and what a run says of them. Strict in both directions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path

from savedmodel_compat.matrix.releases import Releases
from savedmodel_compat.matrix.seen import Seen


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

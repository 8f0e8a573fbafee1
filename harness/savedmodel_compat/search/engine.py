"""Hypothesis at work: it draws inputs until one breaks a property, makes that one small, and says how to see it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky

from savedmodel_compat.cache import default_root
from savedmodel_compat.search import kept
from savedmodel_compat.search._words import as_source, shapes
from savedmodel_compat.search.subject import (
    BrokenError,
    DoesNotApplyError,
    Loaded,
    Tally,
    TooMuchError,
)

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from savedmodel_compat.runtimes.wire import Arrays
    from savedmodel_compat.search.subject import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What is asked of each drawn value.

    Args:
        name: what the property is called.
        asked: the signature.
        strategy: draws the values.
        feed_of: the inputs in a drawn value.
        value_of: the value that inputs which were kept stand for.
        holds: raises `BrokenError` where the property does not hold of a value, and tells the tally what became of it.
        loaded: the processes that it asks.
    """

    name: str
    asked: Asked
    strategy: st.SearchStrategy[Any]
    holds: Callable[[Any, Tally], None]
    loaded: Sequence[Loaded]
    feed_of: Callable[[Any], Arrays] = lambda drawn: drawn
    value_of: Callable[[Arrays], Any] = lambda feed: feed


def search(wanted: Property) -> Tally:
    """Try a property on what was kept, and then on what Hypothesis draws.

    Returns:
        What was tried, and what came of it.

    Raises:
        BrokenError: it does not hold; with the smallest inputs that show it.
        DoesNotApplyError: no input was answered, so that nothing is known.
    """
    tally = Tally()
    found = _Found()
    for each in wanted.loaded:
        # Hypothesis would make inputs small for which a model does not load.
        each.ask([])

    def tried(drawn: Any) -> None:
        tally.tried += 1
        try:
            wanted.holds(drawn, tally)
        except TooMuchError:
            tally.refused += 1
        except BrokenError as first:
            _again(wanted, drawn, tally, found, first)

    _try_kept(wanted, tried, found)
    how = wanted.asked.subject.search
    drawing = given(wanted.strategy)(_named(tried))
    drawing = settings(
        max_examples=how.examples,
        deadline=None,
        derandomize=not how.random,
        database=_database(wanted) if how.random else None,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )(drawing)
    try:
        drawing()
    except BrokenError:
        raise _told(wanted, found) from None
    except Flaky:
        # It was confirmed in a fresh process, and was otherwise when asked for once more.
        raise _told(wanted, found, note="it is not so each time: something else decides") from None
    if tally.unsteady and not wanted.asked.case.stateful:
        raise BrokenError(
            f"{_head(wanted)}: {len(tally.unsteady)} of {tally.tried} inputs were answered otherwise by a process that had "
            f"answered others before, and as they should be by a fresh one, such as: {tally.unsteady[0]}"
        )
    if not tally.answered:
        raise DoesNotApplyError(
            f"{_head(wanted)}: none of {tally.tried} inputs was answered, so that nothing is known"
        )
    return tally


def some(asked: Asked, strategy: st.SearchStrategy[Any]) -> list[Any]:
    """Return as many drawn values as a search tries, for what cannot be asked one at a time."""
    found: list[Any] = []
    how = asked.subject.search

    @settings(
        max_examples=how.examples,
        deadline=None,
        derandomize=not how.random,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(drawn: Any) -> None:
        found.append(drawn)

    collect()
    return found


@dataclass(slots=True)
class _Found:
    """The last value that broke the property; Hypothesis ends with the smallest."""

    drawn: Any = None
    error: BrokenError | None = None
    kept: Path | None = None


def _named(tried: Callable[[Any], None]) -> Callable[[Any], None]:
    def inputs(drawn: Any) -> None:
        tried(drawn)

    return inputs


def _again(wanted: Property, drawn: Any, tally: Tally, found: _Found, first: BrokenError) -> None:
    """Ask processes without a past; what only one with a past shows is another failure."""
    for each in wanted.loaded:
        each.renew()
    try:
        wanted.holds(drawn, tally)
    except BrokenError as again:
        found.drawn, found.error = drawn, again
        raise
    tally.unsteady.append(str(first))


def _try_kept(wanted: Property, tried: Callable[[Any], None], found: _Found) -> None:
    how = wanted.asked.subject.search
    if how.kept is None:
        return
    for file, feed in kept.read(how.kept, wanted.asked, wanted.name):
        found.kept = file
        try:
            tried(wanted.value_of(feed))
        except BrokenError:
            raise _told(wanted, found) from None
    found.kept = None


def _database(wanted: Property) -> DirectoryBasedExampleDatabase:
    """Return the examples that failed before, of this very search."""
    said = "\0".join((_head(wanted), wanted.asked.subject.model.sha256))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return DirectoryBasedExampleDatabase(default_root() / "hypothesis" / digest)


def _head(wanted: Property) -> str:
    asked = wanted.asked
    return f"{wanted.name}, signature '{asked.case.signature}' of {asked.subject.label}"


def _told(wanted: Property, found: _Found, note: str | None = None) -> BrokenError:
    """Return the failure with all that it takes to see it again."""
    assert found.error is not None
    feed = wanted.feed_of(found.drawn)
    said = [f"{_head(wanted)}: {found.error}", f"  smallest inputs: {shapes(feed)}"]
    if found.kept is not None:
        said[1] = f"  inputs kept in {found.kept}: {shapes(feed)}"
    if note:
        said.append(f"  {note}")
    said.append(f"    @example({as_source(feed)})")
    how = wanted.asked.subject.search
    if how.replay:
        said.append(f"  again: {how.replay}")
    said += [f"  answers alone: {command}" for command in kept.commands(wanted.asked, feed)]
    if how.kept is not None and found.kept is None and how.keep:
        said.append(f"  kept: {kept.write(how.kept, wanted.asked, wanted.name, feed)}")
    return BrokenError("\n".join(said))


VERSION = hypothesis.__version__
"""The Hypothesis that draws; another one draws other inputs, also where nothing is random."""

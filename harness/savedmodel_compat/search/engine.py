"""Hypothesis at work: it draws inputs until one breaks a property, makes that one small, and says how to see it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky

from savedmodel_compat.cache import default_root
from savedmodel_compat.errors import SavedModelCompatError, UsageError
from savedmodel_compat.matrix.inputs import wanted as inputs_of
from savedmodel_compat.search import kept
from savedmodel_compat.search._hypothesis import HypothesisProvider
from savedmodel_compat.search._mismatches import misfit_of
from savedmodel_compat.search._words import as_source, shapes
from savedmodel_compat.search.subject import (
    BrokenError,
    DoesNotApplyError,
    Loaded,
    Search,
    Tally,
    TookTooMuchError,
    TooMuchError,
)

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from savedmodel_compat.runtimes.wire import Arrays
    from savedmodel_compat.search.subject import Asked

# What was asked for takes a limit's time each; more of the like show nothing more.
_MOST_TOO_MUCH = 5
_CONSTANTS = "_maybe_draw_constant"


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
        unfit: why inputs that were kept say nothing any more of the signature; None if they do.
        is_answered: whether it says something of answers only: one that got none is not shown to hold.
        meant: what a marker says where the property is not meant to hold.
        against: the release whose answers are right, if the same command asks it, too.
    """

    name: str
    asked: Asked
    strategy: st.SearchStrategy[Any]
    holds: Callable[[Any, Tally], None]
    loaded: Sequence[Loaded]
    feed_of: Callable[[Any], Arrays] = lambda drawn: drawn
    value_of: Callable[[Arrays], Any] = lambda feed: feed
    unfit: Callable[[Arrays], str | None] | None = None
    is_answered: bool = True
    meant: str | None = None
    against: str | None = None


def search(wanted: Property) -> Tally:
    """Try a property on what was kept, and then on what Hypothesis draws.

    Returns:
        What was tried, and what came of it.

    Raises:
        BrokenError: it does not hold; with the smallest inputs that show it.
        DoesNotApplyError: no input was answered, so that nothing is known.
        UsageError: what was kept does not fit the signature.
    """
    trying = _Trying(wanted)
    tally, found = trying.tally, trying.found
    for each in wanted.loaded:
        # Hypothesis would make inputs small for which a model does not load.
        each.ask([])
    _try_kept(wanted, trying, found)
    how = wanted.asked.subject.search
    drawing = given(wanted.strategy)(_named(trying))
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
        with drawing_alike(how):
            drawing()
    except BrokenError:
        raise _told(wanted, found) from None
    except Flaky:
        # It was confirmed in a fresh process, and was otherwise when asked for once more.
        raise _told(wanted, found, note="it is not so each time: something else decides") from None
    if tally.unsteady and not (wanted.asked.case.stateful or how.stateful):
        raise BrokenError(
            f"{_head(wanted)}: {len(tally.unsteady)} of {tally.tried} inputs were answered otherwise by a process that had "
            f"answered others before, and as they should be by a fresh one, such as: {tally.unsteady[0]}"
        )
    if wanted.is_answered and not tally.answered:
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

    with drawing_alike(how):
        collect()
    return found


@contextmanager
def drawing_alike(how: Search) -> Iterator[None]:
    """Draw the same in each session, unless other inputs are wished for.

    Hypothesis mixes constants into what it draws that it finds in the modules which happen to be imported: another order of
    tests, or a test alone, would try other inputs. It has no switch for that.
    """
    if how.random or not hasattr(HypothesisProvider, _CONSTANTS):
        yield
        return
    drawn = getattr(HypothesisProvider, _CONSTANTS)
    setattr(HypothesisProvider, _CONSTANTS, lambda *_args, **_options: None)
    try:
        yield
    finally:
        setattr(HypothesisProvider, _CONSTANTS, drawn)


@dataclass(slots=True)
class _Found:
    """The last value that broke the property; Hypothesis ends with the smallest."""

    drawn: Any = None
    error: BrokenError | None = None
    kept: Path | None = None


@dataclass(slots=True)
class _Trying:
    """A property at work: it is called with what Hypothesis draws.

    Args:
        wanted: the property.
        tally: what it has come across.
        found: what has broken it.
        too_much: how many inputs took more than a question has.
        ended: what ended the search without breaking the property, such as a worker that was killed.
    """

    wanted: Property
    tally: Tally = field(default_factory=Tally)
    found: _Found = field(default_factory=_Found)
    too_much: int = 0
    ended: SavedModelCompatError | None = None

    def __call__(self, drawn: Any) -> None:
        if self.ended is not None:
            # Hypothesis asks once more, and a worker that has been started anew would answer.
            raise self.ended
        if self.too_much >= _MOST_TOO_MUCH:
            if self.found.error is not None and _is_same(self.wanted, drawn, self.found.drawn):
                raise self.found.error
            return
        self.tally.tried += 1
        try:
            self.wanted.holds(drawn, self.tally)
        except TooMuchError:
            self.tally.refused += 1
            self.too_much += 1
        except BrokenError as first:
            self.too_much += isinstance(first, TookTooMuchError)
            _again(self.wanted, drawn, self.tally, self.found, first)
        except SavedModelCompatError as error:
            self.ended = error
            raise


def _named(tried: Callable[[Any], None]) -> Callable[[Any], None]:
    def inputs(drawn: Any) -> None:
        tried(drawn)

    return inputs


def _is_same(wanted: Property, one: Any, other: Any) -> bool:
    return as_source(wanted.feed_of(one)) == as_source(wanted.feed_of(other))


def _again(wanted: Property, drawn: Any, tally: Tally, found: _Found, first: BrokenError) -> None:
    """Ask processes without a past; what only one with a past shows is another failure."""
    for each in wanted.loaded:
        each.renew()
    try:
        wanted.holds(drawn, tally)
    except BrokenError as again:
        found.drawn, found.error = drawn, again
        raise
    except DoesNotApplyError as error:
        # What was found is not lost for a process that could not be started once more.
        found.drawn, found.error = drawn, BrokenError(f"{first} (once more: {error.message})")
        raise found.error from None
    tally.unsteady.append(str(first))


def _try_kept(wanted: Property, tried: Callable[[Any], None], found: _Found) -> None:
    how = wanted.asked.subject.search
    if how.kept is None:
        return
    for file, feed in kept.read(how.kept, wanted.asked, wanted.name):
        found.kept = file
        if why := (wanted.unfit or _unfit(wanted.asked))(feed):
            raise UsageError(
                f"{file} was kept for signature '{wanted.asked.case.signature}', and says nothing of it any more: {why}",
                hint="delete it, if the signature was meant to become another",
            )
        try:
            tried(wanted.value_of(feed))
        except BrokenError:
            raise _told(wanted, found) from None
    found.kept = None


def _unfit(asked: Asked) -> Callable[[Arrays], str | None]:
    needed = inputs_of(asked.signature, asked.meta_graph)

    def why(feed: Arrays) -> str | None:
        found = misfit_of(needed, feed)
        return None if found is None else found.text

    return why


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
    if wanted.meant:
        said.append(f"  if that is meant, say so: {wanted.meant}")
    how = wanted.asked.subject.search
    if how.replay:
        said.append(f"  again: {how.replay}")
    commands = kept.commands(wanted.asked, feed, wanted.against)
    said += [f"  these inputs alone: {command}" for command in commands]
    if how.kept is not None and found.kept is None and how.keep:
        said.append(_kept_or_why_not(wanted, how.kept, feed))
    return BrokenError("\n".join(said))


def _kept_or_why_not(wanted: Property, folder: Path, feed: Arrays) -> str:
    try:
        return f"  kept: {kept.write(folder, wanted.asked, wanted.name, feed)}"
    except OSError as error:
        return f"  could not be kept: {error}"


VERSION = hypothesis.__version__
"""The Hypothesis that draws; another one draws other inputs, also where nothing is random."""

"""What all properties need: inputs to ask with, and what becomes of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat import strategies
from savedmodel_compat.search._inputs import ONE, Edges
from savedmodel_compat.search.engine import Property, search
from savedmodel_compat.search.subject import DoesNotApplyError, Loaded, Tally

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.verdicts import Answer
    from savedmodel_compat.search._hypothesis import st
    from savedmodel_compat.search.subject import Asked

Arrays = Mapping[str, np.ndarray[Any, Any]]


def edges_of(asked: Asked) -> Edges:
    """Return which edges are drawn where answers are compared with others: those that no order of adding up makes another."""
    return ONE if asked.subject.search.edges else False


def feeds(
    asked: Asked, *, edges: Edges = False, batch: int | None = None, defaults: bool = True
) -> st.SearchStrategy[Any]:
    """Return a strategy for inputs that fit a signature; see `savedmodel_compat.strategies.from_signature`."""
    return strategies.from_signature(
        asked.signature, asked.meta_graph, edges=edges, batch=batch, defaults=defaults
    )


def search_feeds(
    name: str,
    asked: Asked,
    holds: Callable[[Any, Tally], None],
    loaded: list[Loaded],
    *,
    edges: Edges = False,
) -> Tally:
    """Search for inputs that fit and break a property; see `savedmodel_compat.search.engine.search`."""
    return search(
        Property(
            name=name, asked=asked, strategy=feeds(asked, edges=edges), holds=holds, loaded=loaded
        )
    )


def counted(answer: Answer, tally: Tally) -> bool:
    """Note whether inputs were answered, and return it."""
    if answer.outputs is None:
        tally.refused += 1
        return False
    tally.answered += 1
    return True


def named(name: str, asked: Asked) -> str:
    """Return what a failure of a property begins with."""
    return f"{name}, signature '{asked.case.signature}' of {asked.subject.label}"


def demand_no_state(asked: Asked) -> None:
    """Demand a signature whose answers do not change.

    Raises:
        DoesNotApplyError: they may.
    """
    if asked.subject.search.stateful:
        raise DoesNotApplyError("it is said to be stateful")
    if asked.case.stateful:
        raise DoesNotApplyError(f"its answers may change: {asked.case.stateful}")

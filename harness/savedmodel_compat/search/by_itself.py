"""What a model's answers have to be, whatever others answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.matrix.inputs import components
from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.search._words import as_source, shapes
from savedmodel_compat.search.asking import (
    Arrays,
    counted,
    demand_no_state,
    edges_of,
    feeds,
    named,
    search_feeds,
)
from savedmodel_compat.search.engine import Property, search
from savedmodel_compat.search.subject import BrokenError, DoesNotApplyError, Loaded, Tally

_MOST_FRESH = 4

if TYPE_CHECKING:
    from savedmodel_compat.model import TensorSpec
    from savedmodel_compat.runtimes.verdicts import Answer
    from savedmodel_compat.search.subject import Asked


def outputs_as_declared(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.outputs_as_declared`."""
    loaded = asked.subject.load(asked.case)
    declared = {
        alias: part
        for name, spec in asked.signature.outputs.items()
        for alias, part in components(name, spec)
    }

    def holds(feed: Arrays, tally: Tally) -> None:
        [answer] = loaded.ask([feed])
        if not counted(answer, tally):
            return
        assert answer.outputs is not None
        if set(answer.outputs) != set(declared):
            raise BrokenError(
                f"the outputs are {sorted(answer.outputs)}, and declared are {sorted(declared)}"
            )
        for alias, spec in declared.items():
            _demand_declared(alias, spec, answer)

    return search_feeds(
        "outputs_as_declared", asked, holds, [loaded], edges=asked.subject.search.edges
    )


def _demand_declared(alias: str, spec: TensorSpec, answer: Answer) -> None:
    assert answer.outputs is not None
    array, dtype = answer.outputs[alias], answer.dtypes[alias]
    if dtype != spec.dtype.removesuffix("_ref"):
        raise BrokenError(f"output '{alias}' is {dtype}, and {spec.dtype} is declared")
    if spec.shape is None:
        return
    sizes = zip(array.shape, spec.shape, strict=False)
    if array.ndim != len(spec.shape) or any(want not in {None, have} for have, want in sizes):
        raise BrokenError(
            f"output '{alias}' has the shape {list(array.shape)}, and "
            f"{['?' if size is None else size for size in spec.shape]} is declared"
        )


def answers_twice_alike(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.answers_twice_alike`."""
    if asked.subject.search.stateful:
        raise DoesNotApplyError("it is said to be stateful")
    why = asked.case.stateful
    loaded = asked.subject.load(asked.case)
    is_suspect = False
    some: list[Arrays] = []
    most = max(1, min(_MOST_FRESH, asked.subject.search.examples // 10))

    def holds(drawn: tuple[Arrays, Arrays], tally: Tally) -> None:
        nonlocal is_suspect
        if is_suspect:
            loaded.renew()
        one, other = drawn
        first, _, again = loaded.ask([one, other, one])
        counted(first, tally)
        if len(some) < most and all(array.size for array in one.values()):
            some.append(one)
        different = asked.differences(first, again)
        if different:
            # From now on each pair of inputs is put to a process without a past: what is found shows again.
            is_suspect = True
            known = f" ({why})" if why else ""
            raise BrokenError(f"asked again, with {as_source(other)} between: {different}{known}")

    strategy = feeds(asked, edges=edges_of(asked))
    tally = search(
        Property(
            name="answers_twice_alike",
            asked=asked,
            strategy=st.tuples(strategy, strategy),
            holds=holds,
            loaded=[loaded],
            feed_of=lambda drawn: drawn[0],
            value_of=lambda feed: (feed, feed),
            meant="stateful=True",
        )
    )
    _demand_as_fresh(asked, loaded, some, others=tally.tried)
    return tally


def _demand_as_fresh(asked: Asked, loaded: Loaded, some: list[Arrays], others: int) -> None:
    """Demand the answers of processes without a past: state that comes once and stays is not seen between two questions."""
    for feed, answer in zip(some, loaded.ask(some), strict=True):
        loaded.renew()
        [fresh] = loaded.ask([feed])
        if different := asked.differences(fresh, answer):
            raise BrokenError(
                f"{named('answers_twice_alike', asked)}: asked after {others} others, and not first: {different}\n"
                f"  inputs: {shapes(feed)}\n    @example({as_source(feed)})\n  if that is meant, say so: stateful=True"
            )


def defaults_hold(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.defaults_hold`."""
    demand_no_state(asked)
    defaults = asked.signature.defaults
    if not defaults:
        raise DoesNotApplyError("no input has a default")
    loaded = asked.subject.load(asked.case)
    live = asked.subject.load_live(asked.case)

    def holds(feed: Arrays, tally: Tally) -> None:
        given, drawn = loaded.ask([{**feed, **defaults}, feed])
        if not counted(given, tally) and drawn.outputs is not None:
            assert given.failure is not None
            raise BrokenError(f"{_defaults(defaults)} are refused: {given.failure.text}")
        if live is None:
            return
        less = {alias: array for alias, array in feed.items() if alias not in defaults}
        [left_out] = live.ask([less])
        if different := asked.differences(left_out, given):
            raise BrokenError(f"{_defaults(defaults)} are not what is left out means: {different}")

    others = [] if live is None else [live]
    return search(
        Property(
            name="defaults_hold",
            asked=asked,
            strategy=feeds(asked, defaults=False),
            holds=holds,
            loaded=[loaded, *others],
        )
    )


def _defaults(defaults: Arrays) -> str:
    return f"the defaults of {sorted(defaults)}"

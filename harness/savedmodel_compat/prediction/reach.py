"""Which function bodies a load builds, replaces or runs, and which a signature runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from savedmodel_compat.prediction.usage import (
    INIT,
    RESTORE,
    Edge,
    Need,
    Reference,
    Usage,
    has_effects,
)

_CERTAIN, _BRANCH, _MAYBE = range(3)
_CALLS = (Edge.CALL, Edge.DIRECT)
_AT_LOAD = RESTORE | INIT
# What running a body that runs so surely says of the body behind an edge.
_ONWARD = {
    Edge.CALL: _CERTAIN,
    Edge.DIRECT: _CERTAIN,
    Edge.LOWERED: _CERTAIN,
    Edge.BRANCH: _BRANCH,
    Edge.OTHER: _MAYBE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What runs a function body, as bits of a `Usage`.

    Args:
        certain: what runs it whenever it runs at all.
        branch: what runs an op that may choose it among its branches, and makes it ready for that.
        maybe: what may run it.
    """

    certain: int = 0
    branch: int = 0
    maybe: int = 0

    @property
    def any(self) -> int:
        """Return all of them."""
        return self.certain | self.branch | self.maybe


NEVER = Runs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What reaches the function bodies of a MetaGraph.

    Args:
        called: those that nodes of the graph call, directly or through bodies that are called.
        direct: those that some node names as its op.
        lowered: those that control flow in the graph is replaced by, with the bits of what reaches it.
        runs: what runs each body.
        calls: what the nodes of each body call.
    """

    called: frozenset[str]
    direct: frozenset[str]
    lowered: Mapping[str, int]
    runs: Mapping[str, Runs]
    calls: Mapping[str, tuple[str, ...]]

    def behind(self, functions: Iterable[str]) -> frozenset[str]:
        """Return functions with all that they call, directly or through others."""
        found: set[str] = set()
        pending = list(functions)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.calls.get(name, ())
        return frozenset(found)

    def bits(self, function: str | None, reached: int) -> int:
        """Return the bits of all that may run a node.

        Args:
            function: the function whose body holds it; None if the graph does.
            reached: what reaches it, if the graph holds it.
        """
        if function is None:
            return reached
        return self.runs.get(function, NEVER).any | self.lowered.get(function, 0)


def reach_of(usage: Usage) -> Reach:
    """Return what reaches the bodies of a MetaGraph's functions."""
    behind: dict[str | None, list[Reference]] = {}
    for reference in usage.references:
        behind.setdefault(reference.function, []).append(reference)
    order = _callers_first(behind)
    lowered = _lowered(behind, order)
    return Reach(
        called=_called(behind, lowered),
        direct=frozenset(one.target for one in usage.references if one.edge is Edge.DIRECT),
        lowered=lowered,
        runs=_runs(behind, order),
        calls={
            name: tuple(one.target for one in references if one.edge in _CALLS)
            for name, references in behind.items()
            if name is not None
        },
    )


def _callers_first(behind: Mapping[str | None, list[Reference]]) -> list[str | None]:
    """Return the graph, as None, and all that it leads to, callers before what they call but for cycles."""
    done: list[str | None] = []
    entered: set[str | None] = set()
    pending: list[tuple[str | None, bool]] = [(None, False)]
    while pending:
        name, is_left = pending.pop()
        if is_left:
            done.append(name)
        elif name not in entered:
            entered.add(name)
            pending.append((name, True))
            pending += [(one.target, False) for one in behind.get(name, ())]
    return done[::-1]


def _lowered(
    behind: Mapping[str | None, list[Reference]], order: Sequence[str | None]
) -> Mapping[str, int]:
    found: dict[str | None, int] = {None: 0}
    changed = True
    while changed:
        # Once, and once more for functions that call each other.
        changed = False
        for name in order:
            if name not in found:
                continue
            for one in behind.get(name, ()):
                bits = one.reached if name is None else found[name]
                before = found.get(one.target)
                if one.edge is Edge.LOWERED and (before is None or bits & ~before):
                    found[one.target] = (before or 0) | bits
                    changed = True
    return {name: bits for name, bits in found.items() if name is not None}


def _called(
    behind: Mapping[str | None, list[Reference]], lowered: Mapping[str, int]
) -> frozenset[str]:
    found: set[str] = set()
    pending: list[str | None] = [None, *lowered]
    while pending:
        for reference in behind.get(pending.pop(), ()):
            if reference.edge in _CALLS and reference.target not in found:
                found.add(reference.target)
                pending.append(reference.target)
    return frozenset(found)


def _runs(
    behind: Mapping[str | None, list[Reference]], order: Sequence[str | None]
) -> Mapping[str, Runs]:
    bits: dict[str, list[int]] = {}
    changed = True
    while changed:
        changed = False
        for name in order:
            # What the graph runs is said of each of its nodes.
            here = [-1, 0, 0] if name is None else bits.get(name, [0, 0, 0])
            for one in behind.get(name, ()):
                changed = _pass_on(one, here, bits) or changed
    return {name: Runs(certain=c, branch=b, maybe=m) for name, (c, b, m) in bits.items()}


def _pass_on(one: Reference, here: Sequence[int], bits: dict[str, list[int]]) -> bool:
    """Add to the bits of a body what runs a node that refers to it; tell whether there was anything new."""
    changed = False
    for surety, passing in enumerate(here):
        for target, onward, new in _onward(one, one.reached if passing == -1 else passing):
            there = bits.setdefault(target, [0, 0, 0])
            at = max(surety, onward)
            if new & ~there[at]:
                there[at] |= new
                changed = True
    return changed


def _onward(reference: Reference, bits: int) -> Iterator[tuple[str, int, int]]:
    """Yield how surely a node that runs passes which bits on to the body that it refers to."""
    if reference.needed is Need.PRUNED:
        return
    surety = _ONWARD[reference.edge]
    # Who restores or initialises takes no results: what only makes one may be left out.
    is_call = reference.edge is Edge.DIRECT
    is_result = reference.needed is Need.RESULT or is_call or not has_effects(reference.op)
    at_load = bits & _AT_LOAD if is_result and surety == _CERTAIN else 0
    if at_load:
        yield reference.target, _MAYBE, at_load
    if bits & ~at_load:
        yield reference.target, surety, bits & ~at_load

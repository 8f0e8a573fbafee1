"""From what a loader comes upon, node by node, to reasons that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from savedmodel_compat.model.locate import clipped
from savedmodel_compat.prediction.effects import Effect
from savedmodel_compat.prediction.faults import Fault, Kind, parsed
from savedmodel_compat.prediction.usage import INIT, RESTORE, SAVE, Usage
from savedmodel_compat.prediction.values import Ignored, Place, Reason, When
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.prediction.usage import Demand, Site

_AT_LOAD = RESTORE | INIT
# The order in which reasons are told: that in which the C++ loader comes upon them.
_ORDER = tuple(Kind)
_PLACES = tuple(Place)
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault at a place, and when it is come upon.

    Args:
        fault: what is wrong.
        op: of the nodes.
        node: the first of them.
        function: the function whose body holds them; None if the graph does.
        count: how many there are.
        bits: of all that may run them.
        effect: when the loader comes upon it.
    """

    fault: Fault
    op: str
    node: str
    function: str | None
    count: int
    bits: int
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An attr that is left out at a place.

    Args:
        fault: of the kind `Kind.ATTR`.
        demand: what the nodes ask for.
        site: where they stand.
        bits: of all that may run them.
    """

    fault: Fault
    demand: Demand
    site: Site
    bits: int


def reasons_of(hits: Iterable[Hit], usage: Usage) -> list[Reason]:
    """Take alike hits together, and put first what is sure and comes first."""
    groups: dict[tuple[object, ...], list[Hit]] = {}
    for hit in hits:
        fault, effect = hit.fault, hit.effect
        key = (fault.kind, hit.op, fault.attr, fault.default, fault.said)
        groups.setdefault((*key, effect.when, effect.certain), []).append(hit)
    found = [(_reason(group, usage), group[0].fault.kind) for group in groups.values()]
    found.sort(key=lambda pair: _rank(*pair))
    return [reason for reason, _ in found]


def _reason(hits: Sequence[Hit], usage: Usage) -> Reason:
    first = min(hits, key=lambda hit: _PLACES.index(_place(hit.bits)))
    fault, effect = first.fault, first.effect
    bits = 0
    for hit in hits:
        bits |= hit.effect.bits
    return Reason(
        cause=fault.kind.cause,
        op=clipped(first.op),
        attr=None if fault.attr is None else clipped(fault.attr),
        node=clipped(first.node),
        function=None if first.function is None else clipped(first.function),
        count=sum(hit.count for hit in hits),
        place=_place(first.bits),
        when=effect.when,
        signatures=usage.signatures_of(bits),
        default=fault.default,
        certain=effect.certain,
        message=f"{clipped(first.op)} {fault.said}",
    )


def ignored_of(left: Iterable[Left], usage: Usage) -> Iterator[Ignored]:
    """Take alike attrs together, and show of each the node that says most."""
    groups: dict[tuple[str, str], list[Left]] = {}
    for one in left:
        assert one.fault.attr is not None
        groups.setdefault((one.demand.op, one.fault.attr), []).append(one)
    for (op, attr), members in sorted(groups.items(), key=lambda item: item[0]):
        yield _ignored(op, attr, members, usage)


def _ignored(op: str, attr: str, members: Sequence[Left], usage: Usage) -> Ignored:
    told = [one for one in members if one.fault.default is False]
    deviating = told or [one for one in members if one.fault.default is None]
    shown = min(deviating or members, key=lambda one: _PLACES.index(_place(one.bits)))
    running = 0
    for one in told:
        running |= one.bits
    return Ignored(
        op=clipped(op),
        attr=clipped(attr),
        node=clipped(shown.site.node),
        function=None if shown.site.function is None else clipped(shown.site.function),
        count=sum(one.site.count for one in members),
        default=shown.fault.default,
        place=_place(shown.bits),
        signatures=usage.signatures_of(running),
        value=_value(shown.fault.value),
        at_load=bool(running & _AT_LOAD),
    )


def _place(bits: int) -> Place:
    if bits & ~(_AT_LOAD | SAVE):
        return Place.INFERENCE
    for bit, place in ((RESTORE, Place.RESTORE), (INIT, Place.INIT), (SAVE, Place.SAVE)):
        if bits & bit:
            return place
    return Place.NOWHERE


def _rank(reason: Reason, kind: Kind) -> tuple[bool, bool, int, int, str]:
    return (
        not reason.certain,
        reason.when is When.RUN,
        _ORDER.index(kind),
        _PLACES.index(reason.place),
        str((reason.op, reason.attr)),
    )


def _value(value: bytes | None) -> str | None:
    if value is None:
        return None
    held = parsed(value)
    kind = held.WhichOneof("value")
    if kind is None:
        return "nothing"
    if kind == "s":
        text = repr(held.s.decode("utf-8", "replace"))
    elif kind == "type":
        text = dtype_name(held.type)
    elif kind == "list":
        text = _listed(held.list)
    else:
        text = str(getattr(held, kind)).strip()
    return text if len(text) <= _SHOWN and "\n" not in text else None


def _listed(value: Any) -> str:
    items = [*value.s, *value.i, *value.f, *value.b, *map(dtype_name, value.type)]
    others = (*value.shape, *value.tensor, *value.func)
    return f"a list of {len(others)}" if others else str(items)

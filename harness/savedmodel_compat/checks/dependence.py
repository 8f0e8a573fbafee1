"""Which outputs of signatures depend on their inputs, for all signatures of a graph in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import Signature

# A signature is one bit of a number that every node has; more of them are not looked at.
_SIGNATURES = 512
# Loops of a v1 graph need a pass for each level of nesting, and two.
_PASSES = 10
# They give what was stored before, and nothing new at every run.
_STORES = frozenset(
    (
        "VarHandleOp",
        "ReadVariableOp",
        "Variable",
        "VariableV2",
        "VarIsInitializedOp",
        "HashTable",
        "HashTableV2",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undependent:
    """An input that reaches no output of its signature, or an output that no input reaches."""

    signature: Signature
    alias: str
    is_input: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What runs of a graph.

    Args:
        sources: the nodes that each node takes inputs from, data and control alike; each node stands
            behind its sources, but where there is a cycle.
        cyclic: whether there is one.
    """

    sources: dict[int, list[int]]
    cyclic: bool


def undependent(
    graph: schema.GraphDef, nodes: Mapping[str, int], signatures: Sequence[Signature]
) -> Iterator[Undependent]:
    """Yield what has no connection, for signatures that have inputs and outputs.

    A call of a function counts as a whole. An output that depends on something that changes by
    itself, such as a random number, a data set or a counter, is left out; variables and tables are
    no such thing, since the values of a served model stay.

    Args:
        graph: that of a MetaGraph.
        nodes: the positions of its nodes, by name.
        signatures: in it; tensors that are not there are passed over.
    """
    ends = tuple(_ends(signatures[:_SIGNATURES], nodes))
    part = _running(
        graph, nodes, {place for end in ends if not end.is_input for place in end.places}
    )
    reaching = _spread(part, _bits(ends, inputs=False), to_sources=True)
    reached = _spread(part, _bits(ends, inputs=True), to_sources=False)
    if reaching is None or reached is None:
        return
    alone = [
        end
        for end in ends
        if not any((reaching if end.is_input else reached).get(p, 0) & end.bit for p in end.places)
    ]
    changing = {} if all(end.is_input for end in alone) else _changing(graph, part)
    for end in alone:
        if end.is_input or not any(changing.get(place) for place in end.places):
            yield Undependent(signature=end.signature, alias=end.alias, is_input=end.is_input)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """An input or output of a signature, the nodes it is made of, and the signature's bit."""

    signature: Signature
    alias: str
    is_input: bool
    places: tuple[int, ...]
    bit: int


def _ends(signatures: Iterable[Signature], nodes: Mapping[str, int]) -> Iterator[_End]:
    for number, signature in enumerate(signatures):
        for is_input, specs in ((False, signature.outputs), (True, signature.inputs)):
            for alias, spec in specs.items():
                named = (nodes.get(node_of(tensor)) for tensor in spec.tensors())
                places = tuple(place for place in named if place is not None)
                if places:
                    yield _End(
                        signature=signature,
                        alias=alias,
                        is_input=is_input,
                        places=places,
                        bit=1 << number,
                    )


def _bits(ends: Iterable[_End], *, inputs: bool) -> dict[int, int]:
    """Return the signatures that have an input, or an output, at a node."""
    bits: dict[int, int] = {}
    for end in ends:
        if end.is_input == inputs:
            for place in end.places:
                bits[place] = bits.get(place, 0) | end.bit
    return bits


def _running(graph: schema.GraphDef, nodes: Mapping[str, int], roots: Iterable[int]) -> _Part:
    """Return what running some nodes runs."""
    entered: dict[int, list[int]] = {}
    done: dict[int, list[int]] = {}
    cyclic = False
    pending = sorted(roots)
    while pending:
        place = pending[-1]
        if place not in entered:
            names = [name.split(":", 1)[0].lstrip("^") for name in graph.node[place].input]
            sources = [nodes[name] for name in names if name in nodes]
            entered[place] = sources
            for source in sources:
                if source not in entered:
                    pending.append(source)
                elif source not in done:
                    cyclic = True
        else:
            done[pending.pop()] = entered[place]
    return _Part(sources=done, cyclic=cyclic)


def _spread(part: _Part, bits: Mapping[int, int], *, to_sources: bool) -> dict[int, int] | None:
    """Return the bits that arrive at each node; None if the graph is too tangled to tell."""
    masks = dict(bits)
    for _ in range(_PASSES):
        pass_on = _to_sources if to_sources else _from_sources
        if not pass_on(part, masks) or not part.cyclic:
            return masks
    return None


def _to_sources(part: _Part, masks: dict[int, int]) -> bool:
    changed = False
    for place in reversed(part.sources):
        mask = masks.get(place, 0)
        for source in part.sources[place]:
            before = masks.get(source, 0)
            if before | mask != before:
                masks[source] = before | mask
                changed = True
    return changed


def _from_sources(part: _Part, masks: dict[int, int]) -> bool:
    changed = False
    for place, sources in part.sources.items():
        before = mask = masks.get(place, 0)
        for source in sources:
            mask |= masks.get(source, 0)
        if mask != before:
            masks[place] = mask
            changed = True
    return changed


def _changing(graph: schema.GraphDef, part: _Part) -> Mapping[int, int]:
    """Return the nodes whose values may change from run to run without any input, as true."""
    bits = {place: 1 for place in part.sources if _changes(graph.node[place].op)}
    spread = _spread(part, bits, to_sources=False)
    return dict.fromkeys(part.sources, 1) if spread is None else spread


def _changes(op: str) -> bool:
    definition = known.op(op)
    if definition is None or op.startswith("Assign"):
        return True
    return bool(definition.is_stateful) and op not in _STORES

"""Which outputs of signatures depend on their inputs, for all signatures of a graph in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import Signature, TensorSpec

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

    sources: Mapping[int, Sequence[int]]
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
    signatures = signatures[:_SIGNATURES]
    inputs = [_places(signature.inputs, nodes) for signature in signatures]
    outputs = [_places(signature.outputs, nodes) for signature in signatures]
    part = _running(graph, nodes, {place for _, places in _flat(outputs) for place in places})
    down = _spread_up(part, _bits(outputs))
    up = _spread_down(part, _bits(inputs))
    if down is None or up is None:
        return
    alone = [
        (number, alias, places)
        for number, (alias, places) in _numbered(outputs)
        if not any(up.get(place, 0) >> number & 1 for place in places)
    ]
    changing = _changing(graph, part) if alone else {}
    for number, alias, places in alone:
        if not any(changing.get(place, 0) for place in places):
            yield Undependent(signature=signatures[number], alias=alias, is_input=False)
    for number, (alias, places) in _numbered(inputs):
        if not any(down.get(place, 0) >> number & 1 for place in places):
            yield Undependent(signature=signatures[number], alias=alias, is_input=True)

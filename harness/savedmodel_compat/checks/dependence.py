"""Which outputs of signatures depend on their inputs, for all signatures of a graph in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from savedmodel_compat.checks._flow import Functions, Result
from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import Signature

# A signature is one bit of a number that every node has; more of them are not looked at.
_SIGNATURES = 512
# Loops of a v1 graph need a pass for each level of nesting, and two.
_PASSES = 10
_PORT_DIGITS = 9
# A call with more results times inputs counts as a whole.
_LARGE = 500_000
_VARIABLES = frozenset(("VarHandleOp", "VariableV2", "Variable"))
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

    An output that depends on something that changes by itself, such as a random number, a data set
    or a counter, is left out; variables and tables are no such thing, unless something that a
    signature runs assigns them, since the values of a served model stay.

    Args:
        graph: that of a MetaGraph.
        nodes: the positions of its nodes, by name.
        signatures: in it; tensors that are not there are passed over.
    """
    ports = _Ports(graph, nodes)
    ends = tuple(_ends(signatures[:_SIGNATURES], ports))
    roots = {place for end in ends if not end.is_input for place in end.places}
    part = _running(ports, roots)
    reaching = _spread(part, _bits(ends, inputs=False), to_sources=True)
    reached = _spread(part, _bits(ends, inputs=True), to_sources=False)
    if reaching is None or reached is None:
        return
    alone = [
        end
        for end in ends
        if not any((reaching if end.is_input else reached).get(p, 0) & end.bit for p in end.places)
    ]
    changing = {} if all(end.is_input for end in alone) else _changing(ports, part)
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


class _Ports:
    """The nodes of a graph by position; behind them the outputs of calls, each for itself.

    Args:
        graph: the graph.
        nodes: positions, by name.
    """

    def __init__(self, graph: schema.GraphDef, nodes: Mapping[str, int]) -> None:
        self._nodes = graph.node
        self._position = nodes
        self._functions = Functions(graph.library.function, _changes)
        self._has_functions = bool(graph.library.function)
        self._numbers: dict[tuple[int, int], int] = {}
        self._outputs: list[tuple[int, Result]] = []

    def place(self, tensor: str) -> int | None:
        """Return where a tensor, or a node, stands; None if it is not there."""
        name, _, digits = tensor.partition(":")
        position = self._position.get(name.lstrip("^"))
        if position is None or tensor.startswith("^") or not self._has_functions:
            return position
        node = self._nodes[position]
        flow = self._functions.flow(node)
        port = int(digits) if digits.isdecimal() and len(digits) <= _PORT_DIGITS else 0
        if flow is None or port >= len(flow.results):
            return position
        if len(flow.results) * len(node.input) > _LARGE:
            return position
        number = len(self._nodes) + len(self._outputs)
        number = self._numbers.setdefault((position, port), number)
        if number == len(self._nodes) + len(self._outputs):
            self._outputs.append((position, flow.results[port]))
        return number

    def sources(self, place: int) -> list[int]:
        """Return what a place takes inputs from, data and control alike."""
        if place < len(self._nodes):
            names: Iterable[str] = self._nodes[place].input
        else:
            position, result = self._outputs[place - len(self._nodes)]
            bits = result.arguments
            names = [
                name
                for index, name in enumerate(self._nodes[position].input)
                if name.startswith("^") or bits >> index & 1
            ]
        found = (self.place(name) for name in names)
        return [place for place in found if place is not None]

    def changes(self, place: int) -> bool:
        """Whether a place gives something else at every run."""
        if place < len(self._nodes):
            return _changes(self._nodes[place].op)
        return self._outputs[place - len(self._nodes)][1].changes

    def assigned(self, place: int) -> list[int]:
        """Return the variables that running a place may change."""
        is_output = place >= len(self._nodes)
        position = self._outputs[place - len(self._nodes)][0] if is_output else place
        node = self._nodes[position]
        flow = self._functions.flow(node) if self._has_functions else None
        if not (_changes(node.op) if flow is None else flow.leaves):
            return []
        found = (self._position.get(node_of(name)) for name in node.input)
        return [at for at in found if at is not None and self._nodes[at].op in _VARIABLES]


def _ends(signatures: Iterable[Signature], ports: _Ports) -> Iterator[_End]:
    for number, signature in enumerate(signatures):
        for is_input, specs in ((False, signature.outputs), (True, signature.inputs)):
            for alias, spec in specs.items():
                named = (ports.place(tensor) for tensor in spec.tensors())
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


def _running(ports: _Ports, roots: Iterable[int]) -> _Part:
    """Return what running some places runs."""
    entered: dict[int, list[int]] = {}
    done: dict[int, list[int]] = {}
    cyclic = False
    pending = sorted(roots)
    while pending:
        place = pending[-1]
        if place not in entered:
            sources = ports.sources(place)
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


def _changing(ports: _Ports, part: _Part) -> Mapping[int, int]:
    """Return the places whose values may change from run to run without any input, as true."""
    bits = {place: 1 for place in part.sources if ports.changes(place)}
    for place in part.sources:
        bits.update(dict.fromkeys(ports.assigned(place), 1))
    spread = _spread(part, bits, to_sources=False)
    return dict.fromkeys(part.sources, 1) if spread is None else spread


@lru_cache(maxsize=4096)
def _changes(op: str) -> bool:
    definition = known.op(op)
    if definition is None or op.startswith("Assign"):
        return True
    return bool(definition.is_stateful) and op not in _STORES

"""What a MetaGraph asks of whoever loads it: its nodes, alike ones taken together, and what reaches them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from savedmodel_compat.model.graph import Bearers, node_of
from savedmodel_compat.prediction.relevance import Relevance, relevance_of
from savedmodel_compat.prediction.taken import Varying, taken_outputs
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph, Signature

RESTORE, INIT, SAVE = 1, 2, 4
"""Bits of what reaches a node; each signature has one of the following."""
FIRST_SIGNATURE = 8
# A signature is one bit of a number that every node has; those beyond share the last.
_SIGNATURES = 1024

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_CONTROL_FLOW = frozenset(("If", "StatelessIf", "Case", "StatelessCase", "While", "StatelessWhile"))
_AT_CREATION = frozenset(("_create_resource", "_initialize"))
_COMPILED = "_XlaMustCompile"
_LOWERED = "_lower_using_switch_merge"


class Demand(NamedTuple):
    """What nodes that are alike ask of an op's definition and of its kernels.

    Args:
        op: its name.
        inputs: number of data inputs.
        attrs: name and serialized ``AttrValue`` of each attr, sorted; None stands for a value that
            makes no difference. Attrs that begin with ``_`` are left out: nobody checks them.
        label: of the kernel that is asked for by name; empty in all but tests of TensorFlow's own.
        device: that the nodes are pinned to; empty if they are not.
        taken: of an op whose outputs are not the same everywhere, those that other nodes or the results
            of a function take, as they name them, sorted: ``1`` in the graph, ``indices:0`` in a body.
            None stands for all.
    """

    op: str
    inputs: int
    attrs: tuple[tuple[str, bytes | None], ...]
    label: str
    device: str
    taken: tuple[str, ...] | None = None


class Edge(enum.Enum):
    """How a node refers to a function."""

    CALL = "call"
    """It calls the function, and nothing else."""
    DIRECT = "direct"
    """The same, by the function's name as its op: the way of TensorFlow 1."""
    LOWERED = "lowered"
    """Control flow that is replaced by the bodies of its branches before it runs."""
    BRANCH = "branch"
    """Control flow whose op runs one of its branches."""
    OTHER = "other"
    """Anything else, such as the map function of a data set."""


class Need(enum.IntEnum):
    """Whether running a function runs a node of its body."""

    PRUNED = 0
    """Nothing needs it: it is left out (``PruneFunctionGraph`` in ``core/common_runtime/function.cc``)."""
    RESULT = 1
    """A result of the function needs it; whoever takes no result may not run it."""
    EFFECT = 2
    """It is stateful, or something stateful needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where nodes that are alike stand.

    Args:
        demand: position of what they ask for.
        function: the library function whose body holds them; None if the graph does.
        reached: the bits of what reaches them; 0 in a function.
        needed: what for, in a function; `Need.EFFECT` in the graph.
        node: the name of the first.
        count: how many there are.
    """

    demand: int
    function: str | None
    reached: int
    needed: Need
    node: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A node that refers to a function.

    Args:
        target: the function; it may be missing.
        edge: how.
        op: of the node.
        node: its name.
        function: the function whose body holds it; None if the graph does.
        reached: the bits of what reaches it; 0 in a function.
        needed: what for, in a function; `Need.EFFECT` in the graph.
    """

    target: str
    edge: Edge
    op: str
    node: str
    function: str | None
    reached: int
    needed: Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a MetaGraph asks for.

    Args:
        demands: each kind of node once.
        sites: where they stand.
        references: to functions that the library has.
        absent: to functions that it has not.
        functions: names of all library functions.
        signatures: in the order of their bits.
        own: the producer's definitions that the model carries, by op.
        producer: GraphDef version of the producer.
        min_consumer: oldest GraphDef version that may read it.
        bad_consumers: GraphDef versions that must not read it.
        has_objects: whether it has an object graph, as what ``tf.saved_model.save`` wrote.
        compiles: whether XLA compiles some of it, where there is XLA.
        resource_functions: those that make and fill tables and the like, by the object graph.
    """

    demands: tuple[Demand, ...]
    sites: tuple[Site, ...]
    references: tuple[Reference, ...]
    absent: tuple[Reference, ...]
    functions: frozenset[str]
    signatures: tuple[str, ...]
    own: Mapping[str, schema.OpDef]
    producer: int
    min_consumer: int
    bad_consumers: tuple[int, ...]
    has_objects: bool
    compiles: bool
    resource_functions: frozenset[str]

    @property
    def every_signature(self) -> int:
        """Return the bits of all signatures."""
        return sum(FIRST_SIGNATURE << index for index in range(len(self.signatures[:_SIGNATURES])))

    def signatures_of(self, reached: int) -> tuple[str, ...]:
        """Return the signatures among some bits."""
        bits = reached >> FIRST_SIGNATURE.bit_length() - 1
        if not bits:
            return ()
        last = _SIGNATURES - 1
        return tuple(
            key for index, key in enumerate(self.signatures) if bits >> min(index, last) & 1
        )


def usage_of(meta_graph: MetaGraph) -> Usage:
    """Return what a MetaGraph asks for."""
    proto = meta_graph.proto
    graph = proto.graph_def
    own = {op.name: op for op in proto.meta_info_def.stripped_op_list.op}
    functions = frozenset(function.signature.name for function in graph.library.function)
    signatures = tuple(
        key for key, signature in meta_graph.signatures.items() if not signature.is_internal
    )
    survey = _Survey(functions)
    reached = _reached(graph, _roots(meta_graph, signatures))
    varying = Varying(own)
    survey.taken = taken_outputs(graph.node, varying)
    for node, bits in zip(graph.node, reached, strict=True):
        survey.take(node, function=None, reached=bits, needed=Need.EFFECT)
    for function in graph.library.function:
        needed = _needed(function)
        survey.taken = taken_outputs(function.node_def, varying, function.ret.values())
        for node in function.node_def:
            survey.take(node, function=function.signature.name, reached=0, needed=needed[node.name])
    return Usage(
        demands=tuple(survey.demands),
        sites=tuple(survey.sites()),
        references=tuple(survey.references),
        absent=tuple(survey.absent),
        functions=functions,
        signatures=signatures,
        own=own,
        producer=meta_graph.producer,
        min_consumer=meta_graph.min_consumer,
        bad_consumers=meta_graph.bad_consumers,
        has_objects=bool(proto.object_graph_def.nodes),
        compiles=survey.compiles,
        resource_functions=frozenset(_resource_functions(proto.object_graph_def)),
    )


def _resource_functions(objects: schema.SavedObjectGraph) -> Iterator[str]:
    """Yield the functions that ``tf.saved_model.load`` calls for each resource that it creates.

    They are ``_create_resource`` and ``_initialize`` of a ``CapturableResource``
    (``python/trackable/resource.py``).
    """
    for node in objects.nodes:
        for child in node.children:
            if child.local_name in _AT_CREATION and 0 < child.node_id < len(objects.nodes):
                yield from objects.nodes[child.node_id].function.concrete_functions


class _Survey:
    """Collects what nodes ask for.

    Attributes:
        taken: what is taken of the nodes whose op varies, in the graph or in the body that is gone through.
    """

    def __init__(self, functions: frozenset[str]) -> None:
        self._functions = functions
        self._numbers: dict[Demand, int] = {}
        self._places: dict[tuple[int, str | None, int, Need], list[str | int]] = {}
        self._relevance: dict[str, Relevance] = {}
        self._bearers = Bearers()
        self.compiles = False
        self.taken: Mapping[str, tuple[str, ...]] = {}
        self.references: list[Reference] = []
        self.absent: list[Reference] = []

    @property
    def demands(self) -> Iterable[Demand]:
        return self._numbers

    def sites(self) -> Iterator[Site]:
        for (demand, function, reached, needed), (node, count) in self._places.items():
            yield Site(
                demand=demand,
                function=function,
                reached=reached,
                needed=needed,
                node=str(node),
                count=int(count),
            )

    def take(
        self, node: schema.NodeDef, *, function: str | None, reached: int, needed: Need
    ) -> None:
        op = node.op
        self.compiles = self.compiles or _COMPILED in node.attr
        # The first is the op, which most often is no function.
        first, *named = self._bearers.named(node)
        for target in (first, *named) if op in self._functions else named:
            here = target in self._functions
            (self.references if here else self.absent).append(
                Reference(
                    target=target,
                    edge=_edge(node, target),
                    op=op,
                    node=node.name,
                    function=function,
                    reached=reached,
                    needed=needed,
                )
            )
        if op in self._functions:
            return
        number = self._numbers.setdefault(self._demand(node), len(self._numbers))
        place = self._places.setdefault((number, function, reached, needed), [node.name, 0])
        place[1] = int(place[1]) + 1

    def _demand(self, node: schema.NodeDef) -> Demand:
        op = node.op
        relevance = self._relevance.get(op)
        if relevance is None:
            relevance = self._relevance[op] = relevance_of(op)
        attrs = [
            (name, value.SerializeToString(deterministic=True) if relevance.matters(name) else None)
            for name, value in node.attr.items()
            if not name.startswith("_")
        ]
        attrs.sort()
        label = node.attr["_kernel"].s.decode("utf-8", "replace") if "_kernel" in node.attr else ""
        return Demand(
            op=op,
            inputs=sum([not name.startswith("^") for name in node.input]),
            attrs=tuple(attrs),
            label=label,
            device=node.device,
            taken=self.taken.get(node.name) if self.taken else None,
        )


def _edge(node: schema.NodeDef, target: str) -> Edge:
    op = node.op
    if op == target:
        return Edge.DIRECT
    if op in _CALLS:
        return Edge.CALL
    if op in _CONTROL_FLOW:
        lowered = _LOWERED in node.attr and node.attr[_LOWERED].b
        return Edge.LOWERED if lowered else Edge.BRANCH
    return Edge.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    """What is run together: tensors or nodes, those that are fed to it, and its bit."""

    bit: int
    run: tuple[str, ...]
    fed: tuple[str, ...]


def _roots(meta_graph: MetaGraph, signatures: tuple[str, ...]) -> Iterator[_Root]:
    saver = meta_graph.saver
    if saver is not None:
        yield _Root(bit=RESTORE, run=(saver.restore_op,), fed=(saver.filename_tensor,))
        yield _Root(bit=SAVE, run=(saver.save_tensor,), fed=(saver.filename_tensor,))
    if meta_graph.init_op:
        fed = tuple(asset.tensor for asset in meta_graph.assets)
        yield _Root(bit=INIT, run=(meta_graph.init_op,), fed=fed)
    for index, key in enumerate(signatures):
        signature = meta_graph.signatures[key]
        bit = FIRST_SIGNATURE << min(index, _SIGNATURES - 1)
        yield _Root(bit=bit, run=_tensors(signature, "outputs"), fed=_tensors(signature, "inputs"))


def _tensors(signature: Signature, side: str) -> tuple[str, ...]:
    specs = signature.outputs if side == "outputs" else signature.inputs
    return tuple(name for spec in specs.values() for name in spec.tensors())


def _reached(graph: schema.GraphDef, roots: Iterable[_Root]) -> list[int]:
    """Return the bits of what reaches each node; running a root does not run what is fed to it."""
    position = {node.name: index for index, node in enumerate(graph.node)}
    bits = [0] * len(graph.node)
    cut: dict[int, int] = {}
    pending: dict[int, int] = {}
    for root in roots:
        for names, marks in ((root.fed, cut), (root.run, pending)):
            for at in _positions(names, position):
                marks[at] = marks.get(at, 0) | root.bit
    sources: dict[int, list[int]] = {}
    order = _before_sources(graph, position, pending, sources)
    rank = {at: index for index, at in enumerate(order)}
    changed = True
    while changed:
        # Once, but for the loops of a v1 graph.
        changed = False
        for at in order:
            bits[at] |= pending.get(at, 0)
            onward = bits[at] & ~cut.get(at, 0)
            for behind in sources[at] if onward else ():
                if onward & ~bits[behind]:
                    bits[behind] |= onward
                    changed = changed or rank[behind] < rank[at]
    return bits


def _before_sources(
    graph: schema.GraphDef,
    position: Mapping[str, int],
    roots: Iterable[int],
    sources: dict[int, list[int]],
) -> list[int]:
    """Return what roots reach, each node before those that it takes inputs from, but for cycles.

    Args:
        graph: the graph.
        position: of each node, by name.
        roots: positions to begin at.
        sources: is filled with the positions that each node takes inputs from.
    """
    done: list[int] = []
    pending = [(root, False) for root in roots]
    while pending:
        at, is_left = pending.pop()
        if is_left:
            done.append(at)
        elif at not in sources:
            sources[at] = _positions(graph.node[at].input, position)
            pending.append((at, True))
            pending += [(behind, False) for behind in sources[at] if behind not in sources]
    return done[::-1]


def _positions(names: Iterable[str], position: Mapping[str, int]) -> list[int]:
    found = [position.get(name.split(":", 1)[0].lstrip("^")) for name in names]
    return [at for at in found if at is not None]


def _needed(function: schema.FunctionDef) -> Mapping[str, Need]:
    """Return what the nodes of a body are needed for, by name."""
    sources = {node.name: node.input for node in function.node_def}
    found = dict.fromkeys(sources, Need.PRUNED)
    results = [node_of(name) for name in function.ret.values()]
    effects = [node.name for node in function.node_def if has_effects(node.op)]
    for need, roots in (
        (Need.RESULT, results),
        (Need.EFFECT, effects + list(function.control_ret.values())),
    ):
        pending = roots
        while pending:
            name = pending.pop()
            if name in sources and found[name] < need:
                found[name] = need
                pending.extend([node_of(source) for source in sources[name]])
    return found


@lru_cache(maxsize=4096)
def has_effects(op: str) -> bool:
    """Whether an op is stateful, as far as is known: what calls a function directly is not."""
    definition = known.op(op)
    return definition is None or bool(definition.is_stateful)

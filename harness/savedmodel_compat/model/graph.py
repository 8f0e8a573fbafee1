"""Walking the nodes of a MetaGraph and of its library functions, and what reaches what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph

Place = tuple["str | None", str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node and where it stands.

    Args:
        function: the library function whose body holds it; None if the graph does.
        node: the NodeDef.
    """

    function: str | None
    node: schema.NodeDef


def walk(meta_graph: schema.MetaGraphDef) -> Iterator[Node]:
    """Yield every node of the graph, then of every library function, in the order of the file."""
    graph = meta_graph.graph_def
    for node in graph.node:
        yield Node(function=None, node=node)
    for function in graph.library.function:
        name = function.signature.name
        for node in function.node_def:
            yield Node(function=name, node=node)


def ops_used(meta_graph: schema.MetaGraphDef) -> frozenset[str]:
    """Return the ops of the graph and of all function bodies; calls of functions are no ops."""
    graph = meta_graph.graph_def
    ops = {node.op for node in graph.node}
    for function in graph.library.function:
        ops.update(node.op for node in function.node_def)
    return frozenset(ops - {function.signature.name for function in graph.library.function})


def reachable(
    meta_graph: schema.MetaGraphDef, roots: Iterable[str], fed: Iterable[str] = ()
) -> frozenset[Place]:
    """Return all nodes that running the roots may run: function (None for the graph) and name.

    Inputs are followed in the graph, data and control alike. A function that a node reached there
    refers to, by its op or an attr, counts with its whole body: which part of a body is pruned
    depends on the release.

    Args:
        meta_graph: the MetaGraph.
        roots: names of nodes, or of tensors such as ``x:0``; those that do not exist are passed
            over.
        fed: tensors that are given, so that nothing runs to compute them
            (``RewriteGraphForExecution`` in ``core/graph/subgraph.cc``).
    """
    graph = meta_graph.graph_def
    reached = _reached_nodes(graph, roots, frozenset(map(_tensor, fed)))
    bodies = {function.signature.name: function for function in graph.library.function}
    found: set[Place] = {(None, graph.node[index].name) for index in reached}
    for name in _reached_functions((graph.node[index] for index in reached), bodies):
        found.update((name, node.name) for node in bodies[name].node_def)
    return frozenset(found)


def functions_reached(meta_graph: schema.MetaGraphDef, roots: Iterable[str]) -> frozenset[str]:
    """Return the names of the library functions that running the roots may run; see `reachable`."""
    graph = meta_graph.graph_def
    bodies = {function.signature.name: function for function in graph.library.function}
    nodes = (graph.node[index] for index in _reached_nodes(graph, roots))
    return frozenset(_reached_functions(nodes, bodies))


def roots_of(meta_graph: MetaGraph) -> tuple[str, ...]:
    """Return the nodes and tensors that a loader or a request runs or feeds, sorted.

    These are the tensors of the signatures, the init op, the restore op with its file name, and the
    tensors of the assets (``cc/saved_model/loader.cc``). A function that only the object graph
    names, such as one a v2 caller looks up, is not reached from them.
    """
    roots = {asset.tensor for asset in meta_graph.assets}
    for signature in meta_graph.signatures.values():
        for specs in (signature.inputs, signature.outputs):
            roots.update(name for spec in specs.values() for name in spec.tensors())
    if meta_graph.init_op:
        roots.add(meta_graph.init_op)
    if meta_graph.saver:
        roots.update((meta_graph.saver.restore_op, meta_graph.saver.filename_tensor))
    return tuple(sorted(roots - {""}))


def node_of(name: str) -> str:
    """Return the node of a tensor or an input: ``a`` of ``a``, ``a:0``, ``a:out:0`` and ``^a``."""
    return name.split(":", 1)[0].lstrip("^")


def functions_named(node: schema.NodeDef) -> list[str]:
    """Return the functions that the attrs of a node name, those bound in such an attr included."""
    return [name for value in node.attr.values() for name in _named_by(value)]


def _named_by(value: schema.AttrValue) -> list[str]:
    found: list[str] = []
    pending = [value]
    while pending:
        value = pending.pop()
        functions = [value.func] if value.HasField("func") else value.list.func
        for function in functions:
            found.append(function.name)
            pending.extend(function.attr.values())
    return found


def _reached_nodes(
    graph: schema.GraphDef, roots: Iterable[str], fed: frozenset[str] = frozenset()
) -> list[int]:
    """Return the positions of the nodes that the roots reach.

    Positions, since objects for a hundred thousand nodes would keep the garbage collector busy for
    longer than all the rest takes.
    """
    position = {node.name: index for index, node in enumerate(graph.node)}
    pending = [node_of(root) for root in roots if _tensor(root) not in fed]
    found = []
    while pending:
        # Taken out as it is reached, so that a cycle ends.
        index = position.pop(pending.pop(), None)
        if index is not None:
            found.append(index)
            inputs = graph.node[index].input
            if fed:
                inputs = [source for source in inputs if _tensor(source) not in fed]
            pending.extend([source.split(":", 1)[0].lstrip("^") for source in inputs])
    return found


def _tensor(name: str) -> str:
    """Return a tensor by its full name: ``a:0`` of ``a``; a control input names none and stays one."""
    return name if ":" in name else f"{name}:0"


def _reached_functions(
    nodes: Iterable[schema.NodeDef], bodies: Mapping[str, schema.FunctionDef]
) -> set[str]:
    """Return the functions that nodes refer to, directly or through bodies, which may recur."""
    found: set[str] = set()
    bearers = Bearers()
    pending = [nodes] if bodies else []
    while pending:
        for node in pending.pop():
            for name in bearers.named(node):
                if name in bodies and name not in found:
                    found.add(name)
                    pending.append(bodies[name].node_def)
    return found


class Bearers:
    """Finds functions in attrs, and remembers which attr of which op cannot hold any.

    The type of an attr is the op's (``core/framework/op_def.proto``), so one look at a number is
    enough for all nodes of that op.
    """

    def __init__(self) -> None:
        """Begin without knowing any op."""
        self._plain: set[tuple[str, str]] = set()

    def named(self, node: schema.NodeDef) -> list[str]:
        """Return the op, which may be a function, and the functions that attrs name."""
        op = node.op
        found = [op]
        for key in node.attr:
            if (op, key) in self._plain:
                continue
            value = node.attr[key]
            if _may_name_functions(value):
                found.extend(_named_by(value))
            else:
                self._plain.add((op, key))
        return found


def _may_name_functions(value: schema.AttrValue) -> bool:
    """Whether the attr may hold functions: this value does, or does not tell, as an empty list."""
    kind = value.WhichOneof("value")
    if kind == "list":
        return bool(value.list.func) or not value.list.ByteSize()
    # A placeholder stands for a value that the caller of a function body binds.
    return kind in ("func", "placeholder", None)

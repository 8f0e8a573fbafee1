"""Walking the graph of a MetaGraph: its nodes, those of its library functions, and what reaches what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """Yield every node of the graph, then every node of every library function, in the order of the file."""
    graph = meta_graph.graph_def
    for node in graph.node:
        yield Node(function=None, node=node)
    for function in graph.library.function:
        name = function.signature.name
        for node in function.node_def:
            yield Node(function=name, node=node)


def ops_used(meta_graph: schema.MetaGraphDef) -> frozenset[str]:
    """Return the ops of all nodes, those of function bodies included, less the names of library functions."""
    graph = meta_graph.graph_def
    ops = {node.op for node in graph.node}
    for function in graph.library.function:
        ops.update(node.op for node in function.node_def)
    return frozenset(ops - {function.signature.name for function in graph.library.function})


def reachable(meta_graph: schema.MetaGraphDef, roots: Iterable[str]) -> frozenset[Place]:
    """Return all nodes that running the roots may run, as pairs of function (None for the graph) and name.

    Inputs are followed in the graph, data and control alike. A function that a node reached there refers to, by its op or an attr,
    counts with its whole body: which part of a body is pruned depends on the release.

    Args:
        meta_graph: the MetaGraph.
        roots: names of nodes, or of tensors such as ``x:0``; those that do not exist are passed over.
    """
    graph = meta_graph.graph_def
    nodes = _reached_nodes(graph, roots)
    bodies = {function.signature.name: function for function in graph.library.function}
    found: set[Place] = {(None, node.name) for node in nodes}
    for name in _reached_functions(nodes, bodies):
        found.update((name, node.name) for node in bodies[name].node_def)
    return frozenset(found)


def functions_reached(meta_graph: schema.MetaGraphDef, roots: Iterable[str]) -> frozenset[str]:
    """Return the names of the library functions that running the roots may run; see `reachable`."""
    graph = meta_graph.graph_def
    bodies = {function.signature.name: function for function in graph.library.function}
    return frozenset(_reached_functions(_reached_nodes(graph, roots), bodies))


def roots_of(meta_graph: MetaGraph) -> tuple[str, ...]:
    """Return the nodes and tensors that a loader or a request runs or feeds, sorted.

    These are the tensors of the signatures, the init op, the restore op with its file name, and the tensors of the assets
    (``cc/saved_model/loader.cc``). A function that only the object graph names, such as one a v2 caller looks up, is not reached from
    them.
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
    """Return the functions that the attrs of a node name, those bound inside such an attr included."""
    found: list[str] = []
    pending = [node.attr]
    while pending:
        # Of the ways to go through a map of messages this is the fastest, by a factor of two.
        for _, value in pending.pop().items():  # noqa: PERF102
            kind = value.WhichOneof("value")
            if kind == "func":
                found.append(value.func.name)
                pending.append(value.func.attr)
            elif kind == "list":
                for function in value.list.func:
                    found.append(function.name)
                    pending.append(function.attr)
    return found


def _reached_nodes(graph: schema.GraphDef, roots: Iterable[str]) -> list[schema.NodeDef]:
    by_name = {node.name: node for node in graph.node}
    pending = [node_of(root) for root in roots]
    seen: set[str] = set()
    found = []
    while pending:
        name = pending.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        node = by_name[name]
        found.append(node)
        pending.extend(node_of(source) for source in node.input)
    return found


def _reached_functions(
    nodes: Iterable[schema.NodeDef], bodies: dict[str, schema.FunctionDef]
) -> set[str]:
    """Return the functions that nodes refer to and, through their bodies, all others. They may be recursive."""
    found: set[str] = set()
    if not bodies:
        return found
    pending = list(nodes)
    while pending:
        node = pending.pop()
        for name in (node.op, *functions_named(node)):
            if name in bodies and name not in found:
                found.add(name)
                pending.extend(bodies[name].node_def)
    return found

"""What each output of a signature computes, as one hash: two graphs that compute the same way have the same, whatever their nodes are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import node_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph

# Nodes of function bodies count as often as they are called with other arguments.
BUDGET = 100_000
_DEEPEST = 100
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_VARIABLES = frozenset(("VarHandleOp", "VariableV2", "Variable", "VarIsInitializedOp"))
# Names and seeds that differ from one export of a model to the next, and settings of one machine.
_PASSED_OVER = frozenset(
    (
        "config",
        "config_proto",
        "container",
        "debug_name",
        "executor_type",
        "seed",
        "seed2",
        "shared_name",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the outputs of a MetaGraph's signatures compute.

    Args:
        named: hash of each output, by key of the signature and alias; variables go by their names.
        numbered: the same, but variables go by the order in which they are met.
        variables: names of those that were met.
    """

    named: Mapping[tuple[str, str], bytes]
    numbered: Mapping[tuple[str, str], bytes]
    variables: frozenset[str]


class TooLargeError(ValueError):
    """More nodes than the budget, with function bodies as often as they are called."""


def wiring(meta_graph: MetaGraph) -> Wiring:
    """Return what the outputs of the signatures compute.

    A hash takes in ops, attrs, devices, constants and edges, with the bodies of called functions;
    not the names of nodes and functions, seeds, and attrs that begin with an underscore.

    Raises:
        TooLargeError: that would take too long.
    """
    fed = _fed(meta_graph)
    named, numbered = (_Hasher(meta_graph.proto, fed, numbered=n) for n in (False, True))
    hashes: tuple[dict[tuple[str, str], bytes], ...] = ({}, {})
    for key, signature in meta_graph.signatures.items():
        if signature.is_internal:
            continue
        for alias, spec in signature.outputs.items():
            for hasher, found in zip((named, numbered), hashes, strict=True):
                found[key, alias] = _hash(b"output", *map(hasher.tensor, spec.tensors()))
    return Wiring(named=hashes[0], numbered=hashes[1], variables=frozenset(named.variables))


def rewired(a: Wiring, b: Wiring) -> list[tuple[str, str]]:
    """Return the outputs, by signature and alias, that both have and compute in different ways.

    Variables that all have other names count as renamed, in the order in which they are met.
    """
    same_names = a.variables == b.variables
    one, other = (a.named, b.named) if same_names else (a.numbered, b.numbered)
    return sorted(place for place in one.keys() & other.keys() if one[place] != other[place])


def _fed(meta_graph: MetaGraph) -> dict[str, bytes]:
    """Return what the nodes that signatures feed are called by their requests."""
    aliases: dict[str, set[str]] = {}
    for signature in meta_graph.signatures.values():
        for alias, spec in signature.inputs.items():
            for name in spec.tensors():
                aliases.setdefault(node_of(name), set()).add(alias)
    return {
        node: _hash(b"input", *(alias.encode() for alias in sorted(found)))
        for node, found in aliases.items()
    }


@dataclass(slots=True)
class _Body:
    """The nodes of a graph or of a function, and what its arguments are.

    Args:
        nodes: by name.
        arguments: hash of each argument, by name.
        depth: how many functions are around it.
    """

    nodes: Mapping[str, schema.NodeDef]
    arguments: Mapping[str, bytes] = field(default_factory=dict)
    depth: int = 0
    done: dict[str, bytes] = field(default_factory=dict)


class _Hasher:
    """Hashes of the tensors of one MetaGraph.

    Args:
        proto: the MetaGraph.
        fed: hash of each node that is fed, by name.
        numbered: whether variables go by the order in which they are met.
    """

    def __init__(
        self, proto: schema.MetaGraphDef, fed: Mapping[str, bytes], *, numbered: bool
    ) -> None:
        self.variables: dict[str, int] = {}
        self._numbered = numbered
        self._functions = {f.signature.name: f for f in proto.graph_def.library.function}
        self._bodies: dict[str, dict[str, schema.NodeDef]] = {}
        self._entered: set[str] = set()
        self._calls: dict[tuple[object, ...], list[bytes]] = {}
        nodes = {node.name: node for node in proto.graph_def.node}
        self._graph = _Body(nodes=nodes, done=dict(fed))
        self._left = BUDGET

    def tensor(self, name: str) -> bytes:
        """Return the hash of a tensor of the graph."""
        return self._tensor(self._graph, name)

    def _tensor(self, body: _Body, name: str) -> bytes:
        node, _, port = name.partition(":")
        if node in body.arguments:
            return body.arguments[node]
        self._run(body, node)
        return self._output(body, node, port or "0")

    def _output(self, body: _Body, name: str, port: str) -> bytes:
        """Return the hash of one output of a node that is done; that of a call is of its function's output."""
        return _hash(body.done.get(name, b"missing"), port.encode())

    def _run(self, body: _Body, root: str) -> None:
        """Hash a node after all that it takes, without recursion: graphs are deep."""
        pending = [root]
        entered: set[str] = set()
        while pending:
            name = pending[-1]
            node = body.nodes.get(name)
            if node is None or name in body.done:
                pending.pop()
                continue
            if name not in entered:
                entered.add(name)
                # What is entered and not done is met again on a cycle, as v1 loops are: its op will do.
                below = [node_of(source) for source in node.input]
                pending.extend(n for n in below if n not in body.done and n not in entered)
                continue
            pending.pop()
            body.done[name] = self._node(body, node)

    def _node(self, body: _Body, node: schema.NodeDef) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise TooLargeError
        data = [self._input(body, source) for source in node.input if source[:1] != "^"]
        control = sorted(self._input(body, source) for source in node.input if source[:1] == "^")
        parts = [node.op.encode(), node.device.encode(), *data, b"^", *control]
        if node.op in _VARIABLES:
            parts.append(self._variable(node))
        called = self._called(node)
        if called is not None:
            parts[0] = b"call"
            parts += self._inlined(called, data, body.depth + 1)
        else:
            parts += self._attrs(node, body.depth + 1)
        return _hash(*parts)

    def _input(self, body: _Body, source: str) -> bytes:
        name, _, port = source.lstrip("^").partition(":")
        if name in body.arguments:
            return body.arguments[name]
        if name in body.done:
            return self._output(body, name, "^" if source[:1] == "^" else port or "0")
        node = body.nodes.get(name)
        return _hash(b"around", node.op.encode() if node is not None else b"missing")

    def _variable(self, node: schema.NodeDef) -> bytes:
        name = node.attr["shared_name"].s if "shared_name" in node.attr else b""
        name = name or node.name.encode()
        number = self.variables.setdefault(name.decode("utf-8", "replace"), len(self.variables))
        return str(number).encode() if self._numbered else name

    def _called(self, node: schema.NodeDef) -> schema.FunctionDef | None:
        """Return the function that a node calls and nothing else."""
        name = node.attr["f"].func.name if node.op in _CALLS and "f" in node.attr else node.op
        return self._functions.get(name)

    def _attrs(self, node: schema.NodeDef, depth: int) -> Iterator[bytes]:
        for key in sorted(node.attr):
            if key in _PASSED_OVER or key.startswith("_"):
                continue
            value = node.attr[key]
            functions = [value.func] if value.HasField("func") else list(value.list.func)
            yield key.encode()
            if functions:
                for function in functions:
                    yield from self._alone(function.name, depth)
            else:
                yield value.SerializeToString(deterministic=True)

    def _alone(self, name: str, depth: int) -> list[bytes]:
        """Return the hashes of a function that an attr names, its arguments by number."""
        function = self._functions.get(name)
        if function is None:
            return [name.encode()]
        arguments = [b"argument %d" % n for n in range(len(function.signature.input_arg))]
        return self._inlined(function, arguments, depth)

    def _inlined(
        self, function: schema.FunctionDef, arguments: Sequence[bytes], depth: int
    ) -> list[bytes]:
        """Return the hashes of what a function returns, and of what it does besides."""
        name = function.signature.name
        if depth > _DEEPEST or name in self._entered:
            return [b"again"]
        call = (name, *arguments)
        if call not in self._calls:
            self._entered.add(name)
            self._calls[call] = self._results(function, arguments, depth)
            self._entered.remove(name)
        return self._calls[call]

    def _results(
        self, function: schema.FunctionDef, arguments: Sequence[bytes], depth: int
    ) -> list[bytes]:
        name = function.signature.name
        if name not in self._bodies:
            self._bodies[name] = {node.name: node for node in function.node_def}
        names = [argument.name for argument in function.signature.input_arg]
        body = _Body(
            nodes=self._bodies[name],
            arguments=dict(zip(names, arguments, strict=False)),
            depth=depth,
        )
        returned = [
            self._tensor(body, function.ret[out.name]) if out.name in function.ret else b"missing"
            for out in function.signature.output_arg
        ]
        done = sorted(self._tensor(body, function.control_ret[key]) for key in function.control_ret)
        return [*returned, b"^", *done]


def _hash(*parts: bytes) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()

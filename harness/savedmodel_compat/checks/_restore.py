"""What a MetaGraph restores from the checkpoint, as far as its graph tells without being run.

``RunRestore`` in ``cc/saved_model/loader.cc`` runs the saver's restore op; the ``RestoreV2`` that it reaches, in the graph of a
v1 model and in a function of a v2 model, name tensors in constants.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.model.graph import functions_named, node_of
from savedmodel_compat.tensors import dtype_name, shape_from_proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph, Shape

_RESTORE = "RestoreV2"
# They read checkpoints of the format V1, which no SavedModel has.
_OLD = frozenset(("Restore", "RestoreSlice"))
_ASSIGN = frozenset(("Assign", "AssignVariableOp"))
_VARIABLES = frozenset(("VarHandleOp", "VariableV2", "Variable"))
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_THROUGH = frozenset(("Identity", "PlaceholderWithDefault"))
# So far a value is followed; a longer way costs more than it tells.
_HOPS = 32
# A checkpoint of more tensors is not looked at either.
_MOST = 1_000_000
_STRING = 7
_DIGITS = 10

_Taker = tuple["str | None", "Shape | None"]
_Ref = tuple["_Scope", str]
_Found = tuple["_Scope", "schema.NodeDef", int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One tensor that a restore asks for.

    Args:
        function: where the ``RestoreV2`` is; None is the graph.
        node: its name.
        name: the tensor's key.
        dtype: the type that it must have.
        spec: full shape and slice, such as ``10 2 0,5:0,2``; empty asks for all of it.
        shape: of the variable that takes it; None if that is not known.
        variable: the node of that variable; None if it is not known.
    """

    function: str | None
    node: str
    name: str
    dtype: str
    spec: str
    shape: Shape | None
    variable: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What a MetaGraph restores.

    Args:
        asked: the tensors that its restore op asks for.
        complete: whether that is all; False if some names are only known when it runs.
    """

    asked: tuple[Asked, ...]
    complete: bool


@dataclass(slots=True, kw_only=True, eq=False)
class _Scope:
    """The graph, or the body of a function.

    Args:
        function: its name; None is the graph.
        nodes: the repeated field that holds them.
        position: of each, by name.
        run: positions of the nodes that may run.
        arguments: what the only call of the function gives it, by name.
    """

    function: str | None
    nodes: Any
    position: Mapping[str, int]
    run: list[int] = field(default_factory=list)
    arguments: dict[str, _Ref] = field(default_factory=dict)

    def node(self, name: str) -> schema.NodeDef | None:
        """Return the node of that name."""
        at = self.position.get(name)
        return None if at is None else self.nodes[at]


def restore_of(meta_graph: MetaGraph) -> Restore:
    """Return what the restore op of a MetaGraph asks the checkpoint for."""
    saver = meta_graph.saver
    graph = meta_graph.proto.graph_def
    if saver is None or not saver.restore_op:
        return Restore(asked=(), complete=True)
    scope = _scope(None, graph.node)
    scope.run = _reached(scope, node_of(saver.restore_op))
    scopes = [scope, *_bodies(scope, graph.library.function)]
    file = _followed(scope, saver.filename_tensor)
    asked: list[Asked] = []
    complete = True
    for scope in scopes:
        found = _Restores(scope=scope, file=file)
        asked += itertools.islice(found.asked(), _MOST - len(asked))
        complete = complete and found.complete
    return Restore(asked=tuple(asked), complete=complete and len(asked) < _MOST)


def _scope(function: str | None, nodes: Any) -> _Scope:
    position = {node.name: index for index, node in enumerate(nodes)}
    return _Scope(function=function, nodes=nodes, position=position)


def _reached(scope: _Scope, root: str) -> list[int]:
    """Return the positions of the nodes that running one of them runs."""
    seen = {root}
    pending = [root]
    found = []
    while pending:
        name = pending.pop()
        node = scope.node(name)
        if node is None:
            continue
        found.append(scope.position[name])
        for source in node.input:
            name = node_of(source)
            if name not in seen:
                seen.add(name)
                pending.append(name)
    return sorted(found)


def _bodies(graph: _Scope, library: Iterable[schema.FunctionDef]) -> Iterator[_Scope]:
    """Yield the functions that the restore op may run, each with all of its nodes."""
    functions = {function.signature.name: function for function in library}
    scopes: dict[str, _Scope] = {}
    pending = [graph] if functions else []
    while pending:
        caller = pending.pop()
        for index in caller.run:
            node = caller.nodes[index]
            for name in {node.op, *functions_named(node)} & functions.keys():
                if name in scopes:
                    # Called twice, its arguments are not known.
                    scopes[name].arguments.clear()
                    continue
                body = functions[name]
                scope = _scope(name, body.node_def)
                scope.run = list(range(len(body.node_def)))
                if node.op in _CALLS or node.op == name:
                    data = [source for source in node.input if not source.startswith("^")]
                    names = [argument.name for argument in body.signature.input_arg]
                    scope.arguments = {
                        name: (caller, source) for name, source in zip(names, data, strict=False)
                    }
                scopes[name] = scope
                pending.append(scope)
    yield from scopes.values()


def _followed(scope: _Scope, name: str) -> _Found | None:
    """Return the node, and which output of it, that a tensor comes from, through what only hands it on."""
    for _ in range(_HOPS):
        if name.startswith("^"):
            return None
        parts = name.split(":")
        node = scope.node(parts[0])
        if node is None:
            if parts[0] not in scope.arguments:
                return None
            scope, name = scope.arguments[parts[0]]
        elif node.op in _THROUGH and node.input:
            name = node.input[0]
        else:
            return scope, node, _output(parts)
    return None


def _output(parts: list[str]) -> int:
    """Return which output a name means: ``x:1`` in a graph, ``x:out:1`` in a function."""
    index = parts[-1]
    return int(index) if len(parts) > 1 and index.isdecimal() and len(index) < _DIGITS else 0


@dataclass(slots=True, kw_only=True)
class _Restores:
    """The ``RestoreV2`` of one scope."""

    scope: _Scope
    file: _Found | None
    complete: bool = True

    def asked(self) -> Iterator[Asked]:
        """Yield what they ask for; afterwards, `complete` says whether that is all."""
        nodes = [self.scope.nodes[index] for index in self.scope.run]
        if not any(node.op == _RESTORE or node.op in _OLD for node in nodes):
            return
        takers = self._takers(nodes)
        for node in nodes:
            if node.op in _OLD:
                self.complete = False
            elif node.op == _RESTORE and self._is_ours(node):
                yield from self._asked_by(node, takers)

    def _is_ours(self, node: schema.NodeDef) -> bool:
        """Whether it reads the model's checkpoint, not some other file."""
        found = _followed(self.scope, node.input[0]) if node.input else None
        if found is None or self.file is None:
            return True
        return found[0] is self.file[0] and found[1].name == self.file[1].name

    def _takers(self, nodes: Iterable[schema.NodeDef]) -> dict[tuple[str, int], _Taker]:
        """Return the variables that take what is restored, by the ``RestoreV2`` and its output."""
        takers: dict[tuple[str, int], _Taker] = {}
        for node in nodes:
            if node.op not in _ASSIGN or len(node.input) < 2:
                continue
            source = _followed(self.scope, node.input[1])
            target = _followed(self.scope, node.input[0])
            if source is None or source[0] is not self.scope or source[1].op != _RESTORE:
                continue
            if target is not None and target[1].op in _VARIABLES:
                # An Assign may be told to let the shape change.
                checked = "validate_shape" not in node.attr or node.attr["validate_shape"].b
                shape = _shape(target[1]) if checked or node.op != "Assign" else None
                takers[source[1].name, source[2]] = (target[1].name, shape)
        return takers

    def _asked_by(
        self, node: schema.NodeDef, takers: Mapping[tuple[str, int], _Taker]
    ) -> Iterator[Asked]:
        dtypes = list(node.attr["dtypes"].list.type) if "dtypes" in node.attr else []
        names = self._texts(node, 1, len(dtypes))
        specs = self._texts(node, 2, len(dtypes))
        if names is None or specs is None:
            self.complete = False
            return
        for index, (name, spec, dtype) in enumerate(zip(names, specs, dtypes, strict=True)):
            variable, shape = takers.get((node.name, index), (None, None))
            yield Asked(
                function=self.scope.function,
                node=node.name,
                name=name,
                dtype=dtype_name(dtype),
                spec=spec,
                shape=shape,
                variable=variable,
            )

    def _texts(self, node: schema.NodeDef, index: int, count: int) -> list[str] | None:
        """Return the strings of a constant input, of which there must be so many; None if they are not known."""
        found = _followed(self.scope, node.input[index]) if index < len(node.input) else None
        if found is None or found[1].op != "Const" or "value" not in found[1].attr:
            return None
        tensor = found[1].attr["value"].tensor
        shape = shape_from_proto(tensor.tensor_shape)
        if tensor.dtype != _STRING or shape is None or None in shape:
            return None
        if math.prod(size for size in shape if size is not None) != count or count > _MOST:
            return None
        texts = [text.decode("utf-8", "surrogateescape") for text in tensor.string_val[:count]]
        # Of too few, the last one stands for the others.
        return texts + (texts[-1:] or [""]) * (count - len(texts))


def _shape(variable: schema.NodeDef) -> Shape | None:
    return shape_from_proto(variable.attr["shape"].shape) if "shape" in variable.attr else None

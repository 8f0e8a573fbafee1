"""Which variables a signature reads that nothing gives a value.

A C++ session has what its restore op and its init op assign (``cc/saved_model/loader.cc``), in variables that it finds
by container and shared name (``core/kernels/resource_variable_ops.cc``, ``variable_ops.cc``). Python's ``tf.saved_model.load``
makes variables of the object graph instead, and answers where C++ fails.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.checks._flow import called
from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph, Signature

_HANDLE = "VarHandleOp"
_LEGACY = frozenset(("VariableV2", "Variable"))
# Of resources; of variables that are references, whatever takes the value and not the reference reads.
_READ = frozenset(("ReadVariableOp", "ResourceGather", "ResourceGatherNd"))
_NEITHER = frozenset(("VarIsInitializedOp", "DisableCopyOnRead", "IsVariableInitialized"))
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_BRANCHES = frozenset(("If", "StatelessIf"))
# A name that means a variable which nobody else finds (core/framework/resource_handle.cc).
_ANONYMOUS = b"cd2c89b7-88b7-44c8-ad83-06c2a9158347"
_LOCALHOST = b"localhost"
# More nodes of functions are not looked at.
_MOST = 200_000
# So many nodes are visited to tell which signature it is that reads a variable.
_MOST_REACHED = 300_000

_Key = tuple[bool, bytes, bytes]


class _Use(enum.Flag):
    """What becomes of a variable."""

    NONE = 0
    READ = enum.auto()  # for certain, whenever what is looked at runs
    OTHER = enum.auto()  # it may be assigned, or nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """The variables without a value that the outputs of a signature read.

    Args:
        signature: the signature.
        names: of the variables, as the session knows them.
        restored: one that the restore op assigns and no signature reads; None if there is none.
    """

    signature: Signature
    names: tuple[str, ...]
    restored: str | None


def unassigned(meta_graph: MetaGraph) -> Iterator[Unassigned]:
    """Yield the signatures that read what is not assigned, as far as the graph tells without being run.

    Args:
        meta_graph: the MetaGraph. If its restore op is not there, another rule says so.
    """
    nodes = meta_graph.proto.graph_def.node
    if not any(node.op == _HANDLE or node.op in _LEGACY for node in nodes):
        return
    graph = _Graph(meta_graph.proto.graph_def)
    restore = meta_graph.saver.restore_op if meta_graph.saver else ""
    if restore and not graph.has(restore):
        return
    started = graph.reached([restore, meta_graph.init_op or ""])
    # A function that is called here with a variable is there to assign it.
    uses = graph.uses(started, into_calls=False)
    assigned = {key for key, use in uses.items() if _Use.OTHER in use}
    left = graph.variables.keys() - assigned
    if left:
        left -= graph.keys_of_functions()
    if not left:
        return
    signatures = [s for s in meta_graph.signatures.values() if not s.is_internal]
    fed = {
        node_of(name) for s in signatures for spec in s.inputs.values() for name in spec.tensors()
    }
    needed = graph.uses(graph.reached(_outputs(signatures), fed))
    # What one signature assigns, a client may have run before it runs another.
    bare = {key for key in left if needed.get(key) is _Use.READ}
    if not bare:
        return
    restored = graph.uses(graph.reached([restore]), into_calls=False)
    spare = min(
        (graph.variables[key] for key, use in restored.items() if use and key not in needed),
        default=None,
    )
    left_to_see = _MOST_REACHED
    for signature in signatures:
        reached = graph.reached(_outputs([signature]), fed)
        left_to_see -= len(reached)
        if left_to_see < 0:
            return
        names = tuple(sorted(graph.variables[key] for key in bare & graph.keys(reached)))
        if names:
            yield Unassigned(signature=signature, names=names, restored=spare)


def _outputs(signatures: Iterable[Signature]) -> list[str]:
    specs = (spec for signature in signatures for spec in signature.outputs.values())
    return [name for spec in specs for name in spec.tensors()]


class _Graph:
    """The nodes of a graph, and the variables among them.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: schema.GraphDef) -> None:
        self._nodes = graph.node
        self._library = graph.library.function
        self._position = {node.name: index for index, node in enumerate(graph.node)}
        self._functions: _Functions | None = None
        self._keys = {node.name: key for node in graph.node if (key := _key(node)) is not None}
        self.variables = {
            key: (key[2] or name.encode()).decode("utf-8", "replace")
            for name, key in self._keys.items()
        }

    def has(self, name: str) -> bool:
        """Whether the node of a tensor, or a node, is there."""
        return node_of(name) in self._position

    def keys(self, places: Iterable[int]) -> set[_Key]:
        """Return the variables among some nodes."""
        names = (self._nodes[place].name for place in places)
        return {self._keys[name] for name in names if name in self._keys}

    def keys_of_functions(self) -> set[_Key]:
        """Return the variables that functions find by name, of which no more is known."""
        bodies = (function.node_def for function in self._library)
        keys = (_key(node) for body in bodies for node in body if node.op in (_HANDLE, *_LEGACY))
        return {key for key in keys if key is not None}

    def reached(self, starts: Iterable[str], stops: Iterable[str] = ()) -> list[int]:
        """Return the positions of what running some nodes runs, if others are fed."""
        seen = set(stops)
        pending = [name for name in dict.fromkeys(map(node_of, starts)) if name not in seen]
        seen.update(pending)
        found = []
        while pending:
            index = self._position.get(pending.pop())
            if index is None:
                continue
            found.append(index)
            for source in self._nodes[index].input:
                name = source.split(":", 1)[0].lstrip("^")
                if name not in seen:
                    seen.add(name)
                    pending.append(name)
        return found

    def uses(self, places: Iterable[int], *, into_calls: bool = True) -> dict[_Key, _Use]:
        """Return what some nodes do with the variables.

        Args:
            places: positions of the nodes.
            into_calls: whether to look at the functions that they call; otherwise a call may do all.
        """
        found: dict[_Key, _Use] = {}
        keys = self._keys
        for place in places:
            node = self._nodes[place]
            for index, source in enumerate(node.input):
                key = keys.get(source.removesuffix(":0"))
                if key is not None:
                    use = _use(node, index, is_handle=key[0])
                    if use is None:
                        use = self._called(node, index) if into_calls else _Use.OTHER
                    found[key] = found.get(key, _Use.NONE) | use
        return found

    def _called(self, node: schema.NodeDef, index: int) -> _Use:
        if self._functions is None:
            self._functions = _Functions(self._library)
        return self._functions.use(node, index)


def _key(node: schema.NodeDef) -> _Key | None:
    """Return what a session finds a variable by; None if it is none that can be found."""
    if node.op != _HANDLE and node.op not in _LEGACY:
        return None
    container = node.attr["container"].s if "container" in node.attr else b""
    name = node.attr["shared_name"].s if "shared_name" in node.attr else b""
    if name == _ANONYMOUS:
        return None
    if node.op != _HANDLE:
        name = name or node.name.encode()
    return node.op == _HANDLE, b"" if container == _LOCALHOST else container, name


def _use(node: schema.NodeDef, index: int, *, is_handle: bool) -> _Use | None:
    """Return what a node does with the variable that is one of its inputs; None if it is a call that may tell."""
    op = node.op
    if op in _NEITHER:
        return _Use.NONE
    if is_handle and op not in _READ:
        may_tell = op in _CALLS or op in _BRANCHES or known.op(op) is None
        return None if may_tell else _Use.OTHER
    # Behind a control input there may be an assignment, or a branch that is not taken.
    if any(source.startswith("^") for source in node.input) or (index and op in _READ):
        return _Use.OTHER
    if is_handle:
        return _Use.READ
    definition = known.op(op)
    takes = definition is not None and not any(arg.is_ref for arg in definition.input_arg)
    return _Use.READ if takes and op not in ("Switch", "Merge", "Enter") else _Use.OTHER


@dataclass(slots=True)
class _Functions:
    """What functions do with the variables that they are given.

    Args:
        library: the functions.
    """

    library: Iterable[schema.FunctionDef]
    _bodies: Mapping[str, schema.FunctionDef] = field(init=False)
    _uses: dict[str, list[_Use]] = field(default_factory=dict)
    _left: int = _MOST

    def __post_init__(self) -> None:
        self._bodies = {function.signature.name: function for function in self.library}

    def use(self, node: schema.NodeDef, index: int) -> _Use:
        """Return what a call does with one of its inputs, by position."""
        for name in _targets(node):
            if name not in self._uses:
                self._look(name)
        return self._seen(node, index)

    def _seen(self, node: schema.NodeDef, index: int) -> _Use:
        """Return what a call does whose functions were looked at: for certain what all of them do."""
        index -= node.op in _BRANCHES
        found, certain = _Use.NONE, True
        for name in _targets(node):
            uses = self._uses.get(name, [])
            use = uses[index] if 0 <= index < len(uses) else _Use.OTHER
            found |= use
            certain = certain and _Use.READ in use
        return found if certain else found & ~_Use.READ

    def _look(self, name: str) -> None:
        """Look at a function behind those that it calls; one that calls itself gives no certainty."""
        entered: set[str] = set()
        pending = [name]
        while pending:
            name = pending[-1]
            body = self._bodies.get(name)
            if body is None or name in self._uses:
                pending.pop()
            elif name in entered:
                pending.pop()
                self._uses[name] = self._of(body)
            else:
                entered.add(name)
                self._left -= len(body.node_def)
                if self._left < 0:
                    self._uses[name] = []
                    continue
                names = {name for node in body.node_def for name in _targets(node)}
                pending.extend(
                    name for name in sorted(names) if name not in self._uses and name not in entered
                )

    def _of(self, function: schema.FunctionDef) -> list[_Use]:
        """Return what a body does with its arguments; what runs is what its results need."""
        arguments = function.signature.input_arg
        if any(arg.number_attr or arg.type_list_attr for arg in arguments):
            return []
        position = {node.name: index for index, node in enumerate(function.node_def)}
        number = {arg.name: index for index, arg in enumerate(arguments)}
        uses = [_Use.NONE] * len(arguments)
        pending = [
            node_of(name) for name in (*function.ret.values(), *function.control_ret.values())
        ]
        seen = set(pending)
        while pending:
            name = pending.pop()
            if name in number and name not in position:
                # Given back, it may be anything to the caller.
                continue
            if name not in position:
                continue
            node = function.node_def[position[name]]
            for index, source in enumerate(node.input):
                name = node_of(source)
                if source in number:
                    uses[number[source]] |= self._inner(node, index)
                elif name not in seen:
                    seen.add(name)
                    pending.append(name)
        for name in function.ret.values():
            if name in number:
                uses[number[name]] |= _Use.OTHER
        return uses

    def _inner(self, node: schema.NodeDef, index: int) -> _Use:
        use = _use(node, index, is_handle=True)
        return self._seen(node, index) if use is None else use


def _targets(node: schema.NodeDef) -> tuple[str, ...]:
    """Return the functions of which a node runs one: the one that it calls, or a branch."""
    if node.op not in _BRANCHES:
        return (called(node),)
    attrs = (node.attr[key] for key in ("then_branch", "else_branch") if key in node.attr)
    return tuple(str(attr.func.name) for attr in attrs)

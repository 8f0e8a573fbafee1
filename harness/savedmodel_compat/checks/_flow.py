"""What each result of a function is made of: which of its arguments, and whether of something that changes by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import node_of

if TYPE_CHECKING:
    from savedmodel_compat.model import schema

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
# More nodes than these are not looked at; a call of the functions that are left counts as a whole.
_MOST = 100_000
_DIGITS = 9
# A call with more arguments times results counts as a whole.
_LARGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result of a function.

    Args:
        arguments: those that it depends on, a bit for each.
        changes: whether it depends on something that changes from run to run.
    """

    arguments: int
    changes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is known of a function.

    Args:
        results: what each is made of.
        leaves: whether it may leave something behind, such as another value of a variable.
    """

    results: tuple[Result, ...]
    leaves: bool


_Made = tuple[int, bool]


@dataclass(slots=True)
class Functions:
    """The functions of a graph, each looked at once.

    Args:
        library: the functions.
        changes: whether an op gives something else at every run.
    """

    library: Iterable[schema.FunctionDef]
    changes: Callable[[str], bool]
    _bodies: Mapping[str, schema.FunctionDef] = field(init=False)
    _known: dict[str, Flow | None] = field(default_factory=dict)
    _slots: dict[str, dict[str, int]] = field(default_factory=dict)
    _left: int = _MOST

    def __post_init__(self) -> None:
        self._bodies = {function.signature.name: function for function in self.library}

    def flow(self, node: schema.NodeDef) -> Flow | None:
        """Return what a call does; None if the node is none, or nobody knows."""
        name = called(node)
        if name not in self._bodies:
            return None
        if name not in self._known:
            self._look(name)
        return self._known.get(name)

    def _look(self, name: str) -> None:
        """Look at a function behind those that it calls; one that calls itself is not known."""
        entered: set[str] = set()
        pending = [name]
        while pending:
            name = pending[-1]
            if name in self._known:
                pending.pop()
            elif name in entered:
                pending.pop()
                self._known[name] = _Body(self._bodies[name], self).flow()
            else:
                entered.add(name)
                body = self._bodies[name].node_def
                self._left -= len(body)
                if self._left < 0:
                    self._known[name] = None
                    continue
                names = {called(node) for node in body}
                pending.extend(name for name in sorted(names) if self._is_new(name, entered))

    def _is_new(self, name: str, entered: set[str]) -> bool:
        return name in self._bodies and name not in self._known and name not in entered

    def seen(self, node: schema.NodeDef) -> Flow | None:
        """Return what a call does whose function was looked at before."""
        return self._known.get(called(node))

    def port(self, node: schema.NodeDef, rest: str) -> int:
        """Return which result of a call a name in a body means, such as ``output:1`` behind the node's."""
        slot, _, digits = rest.partition(":")
        if node.op in _CALLS:
            return int(digits) if digits.isdecimal() and len(digits) <= _DIGITS else 0
        if node.op not in self._slots:
            outputs = self._bodies[node.op].signature.output_arg
            self._slots[node.op] = {output.name: index for index, output in enumerate(outputs)}
        return self._slots[node.op].get(slot, 0)


def called(node: schema.NodeDef) -> str:
    """Return the name of the function that a node may call."""
    if node.op not in _CALLS:
        return str(node.op)
    return str(node.attr["f"].func.name) if "f" in node.attr else ""


class _Body:
    """The body of a function.

    Args:
        function: the function.
        functions: all of them.
    """

    def __init__(self, function: schema.FunctionDef, functions: Functions) -> None:
        self._function = function
        self._functions = functions
        self._position = {node.name: index for index, node in enumerate(function.node_def)}
        arguments = function.signature.input_arg
        self._bit = {argument.name: 1 << index for index, argument in enumerate(arguments)}
        self._plain = not any(arg.number_attr or arg.type_list_attr for arg in arguments)
        self._made: dict[int, _Made | list[_Made]] = {}
        self._waited: dict[int, _Made] = {}

    def flow(self) -> Flow | None:
        """Return what is known of it; None if there is a cycle or a list of arguments."""
        outputs = self._function.signature.output_arg
        names = [self._function.ret.get(output.name, "") for output in outputs]
        if not self._plain or not self._walk(names):
            return None
        results = [
            Result(arguments=mask, changes=changes) for mask, changes in map(self._of, names)
        ]
        leaves = any(map(self._leaves, self._function.node_def))
        return Flow(results=tuple(results), leaves=leaves)

    def _walk(self, names: Iterable[str]) -> bool:
        """Follow results to what they are made of; return whether that comes to an end."""
        nodes, position = self._function.node_def, self._position
        entered: set[int] = set()
        pending = [position[name] for name in map(node_of, names) if name in position]
        while pending:
            place = pending[-1]
            if place in self._made:
                pending.pop()
                continue
            sources = [name.split(":", 1)[0].lstrip("^") for name in nodes[place].input]
            below = [position[name] for name in sources if name in position]
            left = [index for index in below if index not in self._made]
            if not left:
                pending.pop()
                self._made[place] = self._make(nodes[place])
            elif place in entered:
                return False
            else:
                entered.add(place)
                pending.extend(left)
        return True

    def _leaves(self, node: schema.NodeDef) -> bool:
        flow = self._functions.seen(node)
        return self._functions.changes(node.op) if flow is None else flow.leaves

    def _make(self, node: schema.NodeDef) -> _Made | list[_Made]:
        """Return what a node's outputs are made of, in one if it is no call that is known."""
        data = [self._of(source) for source in node.input if not source.startswith("^")]
        # What only waits for something that leaves nothing behind does not depend on it.
        waits = [self._of(source) for source in node.input if source.startswith("^")]
        left = [(mask, changes) for mask, changes in waits if changes]
        flow = self._functions.seen(node)
        if flow is None:
            return _joined([*data, *left, (0, self._functions.changes(node.op))])
        if len(data) * len(flow.results) > _LARGE:
            return _joined([*data, *left, (0, any(result.changes for result in flow.results))])
        return [
            _joined(
                [
                    *(made for index, made in enumerate(data) if result.arguments >> index & 1),
                    *left,
                    (0, result.changes),
                ]
            )
            for result in flow.results
        ]

    def _of(self, source: str) -> _Made:
        """Return what a tensor of the body is made of; of a control input, what its node leaves behind."""
        name, _, rest = source.partition(":")
        bare = name.lstrip("^")
        place = self._position.get(bare)
        if place is None:
            return self._bit.get(bare, 0), False
        made = self._made.get(place, (0, True))
        node = self._function.node_def[place]
        if not isinstance(made, list):
            return made
        if name.startswith("^"):
            if place not in self._waited:
                given = [self._of(source) for source in node.input if not source.startswith("^")]
                left = [*given, (0, True)] if self._leaves(node) else []
                self._waited[place] = _joined([*made, *left])
            return self._waited[place]
        port = self._functions.port(node, rest)
        return made[port] if port < len(made) else (0, True)


def _joined(parts: Iterable[_Made]) -> _Made:
    mask, changes = 0, False
    for bits, also in parts:
        mask |= bits
        changes = changes or also
    return mask, changes

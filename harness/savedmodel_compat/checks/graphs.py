"""The nodes of the graph and of every function body: ops, attrs, constants, calls and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from savedmodel_compat.checks import _outputs, constants
from savedmodel_compat.checks._many import MOST, clipped
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.graph import functions_named
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.schema import FunctionDef, GraphDef, NodeDef, OpDef
    from savedmodel_compat.model.values import MetaGraph

    ArgDef = Any

_RULES = ("M2", "M5", "M10", "M11", "M15", "M17")
_FUNCTION_TYPES = ("func", "list(func)")
_DIGITS = 9
_Key = TypeVar("_Key", str, tuple[str, str])


def check(subject: Subject) -> Iterator[Finding]:
    """Yield breaches of M2, M5, M10, M11, M15 and M17; every node is looked at once."""
    if subject.saved is None:
        return
    breaches = {rule: _Breaches() for rule in _RULES}
    for meta_graph in subject.saved.meta_graphs:
        place = f"MetaGraph [{clipped(', '.join(meta_graph.tags))}]"
        _Pass(meta_graph, place, breaches).run()
    file = subject.graph_file
    for rule in _RULES:
        for where, message in breaches[rule].first:
            yield found(rule, where, message, file=file)
        if breaches[rule].more:
            yield found(rule, file, f"… and {breaches[rule].more} more", file=file)


@dataclass(slots=True)
class _Breaches:
    """Of one rule: the first ones with place and message, and how many more there are.

    They come up in the order of the nodes, not of the rules, and may be as many as the nodes.
    """

    first: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0

    def add(self, where: str, message: str) -> None:
        if len(self.first) < MOST:
            self.first.append((where, message))
        else:
            self.more += 1


@dataclass(slots=True)
class _Op:
    """What a pass needs to know of an op.

    Args:
        known: whether it is a function of the library, or TensorFlow itself has it.
        attrs: those that its nodes may have; None if nobody knows.
        names: whether attrs of its nodes may name functions.
        definition: what tells its outputs; None if nobody knows.
        outputs: those that it tells, by name.
    """

    known: bool
    attrs: set[str] | None
    names: bool
    definition: OpDef | None
    outputs: Mapping[str, ArgDef] = field(init=False)

    def __post_init__(self) -> None:
        told = () if self.definition is None else self.definition.output_arg
        self.outputs = {argument.name: argument for argument in told}


@dataclass(slots=True)
class _Uses:
    """Where something is used: the first place, and how often."""

    place: str
    times: int = 0

    def __str__(self) -> str:
        return "" if self.times == 1 else f" ({self.times} nodes)"


@dataclass(slots=True)
class _Scope:
    """The graph or the body of a function: what an input of a node in it may name.

    Args:
        place: in words.
        nodes: in the order of the file.
        ops: of the nodes, by name.
        arguments: those of the function.
    """

    place: str
    nodes: Sequence[NodeDef]
    ops: Mapping[str, str]
    arguments: Collection[str] = frozenset()
    _positions: Mapping[str, int] = field(default_factory=dict)

    def node(self, name: str) -> NodeDef:
        """Return one of the nodes; which one is where is found out when that is first asked for."""
        if not self._positions:
            self._positions = {node.name: index for index, node in enumerate(self.nodes)}
        return self.nodes[self._positions[name]]


@dataclass(slots=True)
class _Pass:
    """One pass over the nodes of a MetaGraph, and what it gathered."""

    meta_graph: MetaGraph
    place: str
    breaches: Mapping[str, _Breaches]
    ops: dict[str, _Op] = field(default_factory=dict)
    own: Mapping[str, OpDef] = field(default_factory=dict)
    functions: Mapping[str, FunctionDef] = field(default_factory=dict)
    ports: set[tuple[str | None, str]] = field(default_factory=set)
    unknown_ops: dict[str, _Uses] = field(default_factory=dict)
    unknown_attrs: dict[tuple[str, str], _Uses] = field(default_factory=dict)
    missing: dict[str, _Uses] = field(default_factory=dict)

    def run(self) -> None:
        """Look at the library, the graph and all bodies."""
        graph = self.meta_graph.proto.graph_def
        producers = self.meta_graph.proto.meta_info_def.stripped_op_list.op
        self.own = {op.name: op for op in producers}
        self.functions = {body.signature.name: body for body in graph.library.function}
        self._library(graph)
        self._graph(graph)
        for body in graph.library.function:
            self._body(body)
        self._sum_up()

    def _library(self, graph: GraphDef) -> None:
        """Find functions without a name of their own, and gradients of or by what is not there."""
        breaches = self.breaches["M10"]
        names = Counter(body.signature.name for body in graph.library.function)
        for name, times in names.items():
            if not name:
                breaches.add(self.place, f"{times} functions of the library have no name")
            elif times > 1:
                message = f"the library has {times} functions '{clipped(name)}'"
                breaches.add(self.place, message)
        for gradient in graph.library.gradient:
            for name in (gradient.function_name, gradient.gradient_func):
                if name not in self.functions:
                    breaches.add(
                        self.place,
                        f"the library has no function '{clipped(name)}', but a gradient:"
                        f" '{clipped(gradient.gradient_func)}' of '{clipped(gradient.function_name)}'",
                    )

    def _graph(self, graph: GraphDef) -> None:
        scope = self._scope(self.place, graph.node)
        for node in graph.node:
            self._node(self.place, node)
        # Nearly all inputs are the first output of a node.
        silent = {
            name
            for name, op in self.ops.items()
            if op.definition is not None and not op.definition.output_arg
        }
        sources = {name for name, op in scope.ops.items() if op not in silent}
        for node in graph.node:
            if not sources.issuperset(node.input):
                self._inputs(scope, node, sources)

    def _scope(
        self, place: str, nodes: Sequence[NodeDef], arguments: Collection[str] = frozenset()
    ) -> _Scope:
        ops = {node.name: node.op for node in nodes}
        if "" in ops or len(ops) < len(nodes):
            self._misnamed(place, "node", [node.name for node in nodes])
        return _Scope(place=place, nodes=nodes, ops=ops, arguments=arguments)

    def _inputs(self, scope: _Scope, node: NodeDef, sources: Collection[str]) -> None:
        """Look at inputs such as ``x``, ``x:1`` and ``^x``, the last kind last."""
        after_control = False
        for source in node.input:
            if source.startswith("^"):
                after_control = True
                exists = source[1:] in scope.ops
            else:
                if after_control:
                    self._disorder(scope, node, source)
                exists = source in sources or self._is_port(scope, source)
            if not exists:
                message = f"its input '{clipped(source)}' is not in the graph"
                self.breaches["M11"].add(_at(scope.place, node), message)

    def _is_port(self, scope: _Scope, source: str) -> bool:
        """Whether it is an output of a node of the graph: ``x`` is the first one of x."""
        name, _, port = (source, "", "0") if source in scope.ops else source.rpartition(":")
        if name not in scope.ops or not _is_number(port):
            return False
        definition = self._op(scope.ops[name]).definition
        return definition is None or _outputs.has_port(definition, scope.node(name), int(port))

    def _body(self, body: FunctionDef) -> None:
        place = f"{self.place}: function {clipped(body.signature.name)}"
        given = [argument.name for argument in body.signature.input_arg]
        arguments = frozenset(given)
        if "" in arguments or len(arguments) < len(given):
            self._misnamed(place, "argument", given)
        scope = self._scope(place, body.node_def, arguments)
        for node in body.node_def:
            self._node(place, node)
            if not arguments.issuperset(node.input):
                self._inputs_in_body(scope, node)
        self._results(scope, body)

    def _inputs_in_body(self, scope: _Scope, node: NodeDef) -> None:
        """Look at inputs such as ``argument``, ``x:y:0`` and ``^x``, the last kind last."""
        after_control = False
        arguments, ops = scope.arguments, scope.ops
        for source in node.input:
            if source.startswith("^"):
                after_control = True
                exists = source[1:] in ops or source[1:] in arguments
            else:
                if after_control:
                    self._disorder(scope, node, source)
                name, _, port = source.partition(":")
                # Nearly all inputs are one of these.
                exists = (
                    source in arguments
                    or (ops.get(name), port) in self.ports
                    or self._is_output(scope, name, port)
                )
            if not exists:
                message = f"its input '{clipped(source)}' is no argument and no output of a node"
                self.breaches["M11"].add(_at(scope.place, node), message)

    def _is_output(self, scope: _Scope, name: str, port: str) -> bool:
        """Whether it is one of a list of arguments, such as ``x:0``, or of an output, such as ``x:y:0``.

        It is how ``core/framework/function.cc`` names values in a body.
        """
        output, _, number = port.rpartition(":")
        if not output and _is_number(number):
            return name in scope.arguments
        if name not in scope.ops or not _is_number(number):
            return False
        op = self._op(scope.ops[name])
        if op.definition is None:
            return True
        argument = op.outputs.get(output)
        if argument is None:
            return False
        if number == "0" and _outputs.is_single(argument):
            self.ports.add((scope.ops[name], port))
        return _outputs.has_tensor(argument, op.definition, scope.node(name), int(number))

    def _disorder(self, scope: _Scope, node: NodeDef, source: str) -> None:
        message = f"its input '{clipped(source)}' comes after a control input"
        self.breaches["M11"].add(_at(scope.place, node), message)

    def _results(self, scope: _Scope, body: FunctionDef) -> None:
        """Look at what the function gives back; entries of no output of its signature are ignored."""
        breaches = self.breaches["M11"]
        returned, finished = body.ret, body.control_ret
        for argument in body.signature.output_arg:
            source = returned.get(argument.name, "")
            name, _, port = source.partition(":")
            if source not in scope.arguments and not self._is_output(scope, name, port):
                message = f"its output '{clipped(argument.name)}' is '{clipped(source)}', which is not there"
                breaches.add(scope.place, message)
        for output in body.signature.control_output:
            node = finished.get(output, "")
            if node not in scope.ops:
                words = f"its control output '{clipped(output)}' is the node '{clipped(node)}'"
                breaches.add(scope.place, f"{words}, which is not there")

    def _misnamed(self, place: str, kind: str, names: Sequence[str]) -> None:
        """Find names that are empty or used twice."""
        for name, times in Counter(names).items():
            if not name:
                self.breaches["M11"].add(place, f"{times} {kind}s without a name")
            elif times > 1:
                message = f"{times} {kind}s have the name '{clipped(name)}'"
                self.breaches["M11"].add(place, message)

    def _node(self, place: str, node: NodeDef) -> None:
        name = node.op
        op = self.ops.get(name) or self._op(name)
        if not op.known:
            _count(self.unknown_ops, name, place, node)
        if op.attrs is not None and not op.attrs.issuperset(node.attr):
            self._attrs(place, node, op.attrs)
        if op.names:
            self._named(place, node)
        if name == "Const":
            problem = constants.problem(node)
            if problem:
                self.breaches[problem[0]].add(_at(place, node), f"the Const {problem[1]}")

    def _op(self, name: str) -> _Op:
        if name not in self.ops:
            self.ops[name] = self._learn(name)
        return self.ops[name]

    def _learn(self, name: str) -> _Op:
        if name in self.functions:
            signature = self.functions[name].signature
            return _Op(known=True, attrs=None, names=True, definition=signature)
        definition = known.op(name)
        own = self.own.get(name)
        if definition is None:
            return _Op(known=False, attrs=None, names=True, definition=own)
        attrs = set(known.attrs(name))
        if own is not None:
            # The producer may be newer than all that is known here.
            attrs.update(attr.name for attr in own.attr)
        return _Op(
            known=known.op_library(name) is None,
            attrs=attrs,
            names=any(attr.type in _FUNCTION_TYPES for attr in definition.attr),
            # The outputs of the runtime's own ops did change from release to release.
            definition=None if name.startswith("_") else definition,
        )

    def _attrs(self, place: str, node: NodeDef, allowed: set[str]) -> None:
        for attr in node.attr:
            if attr in allowed:
                continue
            if attr.startswith("_"):
                # The runtime's own, on any op; remembered, since most nodes carry the same ones.
                allowed.add(attr)
            else:
                _count(self.unknown_attrs, (node.op, attr), place, node)

    def _named(self, place: str, node: NodeDef) -> None:
        for name in functions_named(node):
            # A gradient may be that of an op. An empty name stands for no function.
            primitive = node.op == "SymbolicGradient" and known.op(name) is not None
            if name and name not in self.functions and not primitive:
                _count(self.missing, name, place, node)

    def _sum_up(self) -> None:
        for op, uses in self.unknown_ops.items():
            message = f"the op '{clipped(op)}'{uses} {self._unknown(op)}"
            self.breaches["M5"].add(uses.place, message)
        for (op, attr), uses in self.unknown_attrs.items():
            message = (
                f"no TensorFlow that is known here has an attr '{clipped(attr)}' of {op}{uses}"
            )
            self.breaches["M15"].add(uses.place, message)
        for name, uses in self.missing.items():
            message = f"the function '{clipped(name)}' that it names{uses} is not in the library"
            self.breaches["M10"].add(uses.place, message)

    def _unknown(self, op: str) -> str:
        library = known.op_library(op)
        if library:
            return f"is not TensorFlow's own; its op library {library} has it"
        if op in self.own:
            return "is not one of TensorFlow's; its producer had it, likely from an op library"
        return "is not one of TensorFlow's, and no function of the model"


def _count(uses: dict[_Key, _Uses], key: _Key, place: str, node: NodeDef) -> None:
    if key not in uses:
        uses[key] = _Uses(_at(place, node))
    uses[key].times += 1


def _at(place: str, node: NodeDef) -> str:
    """Return the place of a node in a graph, or in a function that is named already."""
    return f"{place}{',' if ': function ' in place else ':'} node {clipped(node.name)}"


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _DIGITS

"""The nodes of the graph and of every function body: ops, attrs, constants, calls and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.checks import constants
from savedmodel_compat.checks._many import limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.graph import functions_named
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.schema import FunctionDef, GraphDef, NodeDef, OpDef
    from savedmodel_compat.model.values import MetaGraph

_RULES = ("M2", "M5", "M10", "M11", "M15")
_FUNCTION_TYPES = ("func", "list(func)")
_INPUT_PARTS = 3


def check(subject: Subject) -> Iterator[Finding]:
    """Yield breaches of M2, M5, M10, M11 and M15; every node is looked at once."""
    if subject.saved is None:
        return
    for meta_graph in subject.saved.meta_graphs:
        place = f"MetaGraph [{', '.join(meta_graph.tags)}]"
        breaches = _Pass(meta_graph, place).run()
        for rule in _RULES:
            findings = (
                found(rule, where, message, file=subject.graph_file)
                for where, message in breaches[rule]
            )
            yield from limited(findings, rule, place)


@dataclass(slots=True)
class _Op:
    """What a pass needs to know of an op.

    Args:
        calls: whether it is a function of the library.
        known: whether some TensorFlow has it.
        attrs: those that its nodes may have; None if nobody knows.
        names: whether attrs of its nodes may name functions.
    """

    calls: bool
    known: bool
    attrs: set[str] | None
    names: bool


@dataclass(slots=True)
class _Uses:
    """Where something is used: the first place, and how often."""

    place: str
    times: int = 0

    def __str__(self) -> str:
        return "" if self.times == 1 else f" ({self.times} nodes)"


@dataclass(slots=True)
class _Pass:
    """One pass over the nodes of a MetaGraph, and what it gathered."""

    meta_graph: MetaGraph
    place: str
    breaches: dict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: {rule: [] for rule in _RULES}
    )
    ops: dict[str, _Op] = field(default_factory=dict)
    own: dict[str, OpDef] = field(default_factory=dict)
    functions: Mapping[str, FunctionDef] = field(default_factory=dict)
    unknown_ops: dict[str, _Uses] = field(default_factory=dict)
    unknown_attrs: dict[tuple[str, str], _Uses] = field(default_factory=dict)
    missing: dict[str, _Uses] = field(default_factory=dict)

    def run(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return the breaches of each rule, as place and message."""
        graph = self.meta_graph.proto.graph_def
        operators = self.meta_graph.proto.meta_info_def.stripped_op_list.op
        self.own = {op.name: op for op in operators}
        self.functions = {body.signature.name: body for body in graph.library.function}
        self._library(graph)
        self._graph(graph)
        for body in graph.library.function:
            self._body(body)
        self._summed_up()
        return self.breaches

    def _graph(self, graph: GraphDef) -> None:
        names = {node.name for node in graph.node}
        self._names(self.place, "node", [node.name for node in graph.node], names)
        for node in graph.node:
            self._node(self.place, node)
            if not names.issuperset(node.input):
                self._inputs(self.place, node, names)

    def _inputs(self, place: str, node: NodeDef, names: Collection[str]) -> None:
        after_control = False
        for source in node.input:
            if source.startswith("^"):
                after_control = True
                exists = source[1:] in names
            else:
                if after_control:
                    self._breach("M11", f"{place}: node {node.name}", _order(source))
                exists = source in names or _is_port(source, names)
            if not exists:
                message = f"its input '{source}' is not in the graph"
                self._breach("M11", f"{place}: node {node.name}", message)

    def _body(self, body: FunctionDef) -> None:
        place = f"{self.place}: function {body.signature.name}"
        nodes = {node.name for node in body.node_def}
        arguments = {argument.name for argument in body.signature.input_arg}
        self._names(place, "node", [node.name for node in body.node_def], nodes)
        given = [argument.name for argument in body.signature.input_arg]
        self._names(place, "argument", given, arguments)
        for node in body.node_def:
            self._node(place, node)
            if not arguments.issuperset(node.input):
                self._inputs_in_body(place, node, arguments, nodes)
        self._results(place, body, arguments, nodes)

    def _inputs_in_body(
        self, place: str, node: NodeDef, arguments: Collection[str], nodes: Collection[str]
    ) -> None:
        where = f"{place}, node {node.name}"
        after_control = False
        for source in node.input:
            if source.startswith("^"):
                after_control = True
                exists = source[1:] in nodes or source[1:] in arguments
            else:
                if after_control:
                    self._breach("M11", where, _order(source))
                exists = _is_value(source, arguments, nodes)
            if not exists:
                message = f"its input '{source}' is neither an argument nor an output of a node"
                self._breach("M11", where, message)

    def _results(
        self, place: str, body: FunctionDef, arguments: Collection[str], nodes: Collection[str]
    ) -> None:
        returned = body.ret
        for output in body.signature.output_arg:
            if output.name not in returned:
                self._breach("M11", place, f"its output '{output.name}' has no value")
        for output in sorted(returned):
            if not _is_value(returned[output], arguments, nodes):
                message = f"its output '{output}' is '{returned[output]}', which is not in it"
                self._breach("M11", place, message)
        for output in sorted(body.control_ret):
            if body.control_ret[output] not in nodes:
                node = body.control_ret[output]
                message = f"its control output '{output}' is the node '{node}', which is not in it"
                self._breach("M11", place, message)

    def _names(self, place: str, kind: str, names: Sequence[str], unique: Collection[str]) -> None:
        """Find names that are empty or used twice."""
        if "" in unique:
            self._breach("M11", place, f"{names.count('')} of its {kind}s have no name")
        if len(unique) < len(names):
            for name, times in Counter(names).items():
                if times > 1 and name:
                    self._breach("M11", f"{place}", f"{times} {kind}s have the name '{name}'")

    def _node(self, place: str, node: NodeDef) -> None:
        name = node.op
        op = self.ops.get(name) or self._learn(name)
        if not op.known:
            _count(self.unknown_ops, name, place, node)
        if op.attrs is not None and not op.attrs.issuperset(node.attr):
            self._attrs(place, node, op.attrs)
        if op.names:
            self._named(place, node)
        if name == "Const":
            problem = constants.problem(node)
            if problem:
                self._breach("M2", _at(place, node), f"the Const {problem}")

    def _learn(self, name: str) -> _Op:
        calls = name in self.functions
        definition = None if calls else known.op(name)
        of_library = not calls and known.op_library(name) is not None
        op = _Op(
            calls=calls,
            known=calls or (definition is not None and not of_library),
            attrs=None,
            names=definition is None,
        )
        if definition is not None:
            op.attrs = set(known.attrs(name))
            if name in self.own:
                # A producer that is newer than what is known here, or was built with changes.
                op.attrs.update(attr.name for attr in self.own[name].attr)
            op.names = any(attr.type in _FUNCTION_TYPES for attr in definition.attr)
        self.ops[name] = op
        return op

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
            # The gradient may be that of an op. An empty name stands for no function.
            primitive = node.op == "SymbolicGradient" and known.op(name) is not None
            if name and name not in self.functions and not primitive:
                _count(self.missing, name, place, node)

    def _library(self, graph: GraphDef) -> None:
        """Find functions of one name that differ, and gradients of or by functions that are not there."""
        seen: dict[str, FunctionDef] = {}
        for body in graph.library.function:
            name = body.signature.name
            if not name:
                self._breach("M10", self.place, "a function of its library has no name")
            elif seen.setdefault(name, body) != body:
                message = f"its library has two different functions '{name}'"
                self._breach("M10", self.place, message)
        for gradient in graph.library.gradient:
            for name in (gradient.function_name, gradient.gradient_func):
                if name not in self.functions:
                    message = (
                        f"its library gives '{gradient.gradient_func}' as the gradient of"
                        f" '{gradient.function_name}', and '{name}' is not in it"
                    )
                    self._breach("M10", self.place, message)

    def _summed_up(self) -> None:
        for op, uses in self.unknown_ops.items():
            self._breach("M5", uses.place, f"the op '{op}'{uses} {self._unknown(op)}")
        for (op, attr), uses in self.unknown_attrs.items():
            message = f"no TensorFlow that is known here has an attr '{attr}' of the op '{op}'{uses}"
            self._breach("M15", uses.place, message)
        for name, uses in self.missing.items():
            message = f"the function '{name}'{uses} is not in the library"
            self._breach("M10", uses.place, message)

    def _unknown(self, op: str) -> str:
        library = known.op_library(op)
        if library:
            return f"is in no TensorFlow itself, but in its op library {library}"
        if op in self.own:
            return "is none of TensorFlow's; the producer had it from an op library"
        return "is none of TensorFlow's, and no function of the model"

    def _breach(self, rule: str, where: str, message: str) -> None:
        self.breaches[rule].append((where, message))


def _count(uses: dict[object, _Uses], key: object, place: str, node: NodeDef) -> None:
    if key not in uses:
        uses[key] = _Uses(_at(place, node))
    uses[key].times += 1


def _at(place: str, node: NodeDef) -> str:
    """Return the place of a node in a graph, or in a function that is named already."""
    return f"{place}{',' if ': function ' in place else ':'} node {node.name}"


def _order(source: str) -> str:
    return f"its input '{source}' comes after a control input"


def _is_port(source: str, nodes: Collection[str]) -> bool:
    """Whether it is an output of a node of the graph, such as ``x:1``."""
    node, _, port = source.rpartition(":")
    return node in nodes and port.isdecimal()


def _is_value(source: str, arguments: Collection[str], nodes: Collection[str]) -> bool:
    """Whether it is an argument, one of a list of them, or an output such as ``x:y:0``.

    It is how ``core/framework/function.cc`` names values in a body.
    """
    if source in arguments:
        return True
    parts = source.split(":")
    if len(parts) == _INPUT_PARTS:
        return parts[0] in nodes and parts[2].isdecimal()
    return _is_port(source, arguments)



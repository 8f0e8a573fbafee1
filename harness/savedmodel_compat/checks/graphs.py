"""The nodes of the graph and of every function body: ops, attrs, constants, calls and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from savedmodel_compat.checks import _outputs, _spelling, constants
from savedmodel_compat.checks._cycles import cycle
from savedmodel_compat.checks._many import MOST, clipped
from savedmodel_compat.checks._ops import UNKNOWN, Op, Types, base, learn
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.graph import functions_named, reachable, roots_of
from savedmodel_compat.registry import kinds, known
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.schema import FunctionDef, GraphDef, NodeDef, OpDef
    from savedmodel_compat.model.values import MetaGraph

_RULES = ("M2", "M5", "M10", "M11", "M15", "M17", "M18", "M19")
_DIGITS = 9
_SHOWN = 5
_Key = TypeVar("_Key", str, tuple[str, str])


def check(subject: Subject) -> Iterator[Finding]:
    """Yield breaches of M2, M5, M10, M11, M15, M17, M18 and M19; every node is looked at twice."""
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
        names: of the nodes.
        positions: of the nodes, by name.
        arguments: those of the function; None for the graph.
        tensors: the types of arguments and outputs, by what inputs call them.
    """

    place: str
    nodes: Sequence[NodeDef]
    names: Sequence[str]
    positions: Mapping[str, int]
    arguments: Collection[str] | None = None
    tensors: dict[str, int] = field(default_factory=dict)

    @property
    def is_body(self) -> bool:
        return self.arguments is not None

    def has(self, name: str) -> bool:
        """Whether a control input may name it."""
        return name in self.positions or (self.arguments is not None and name in self.arguments)

    def at(self, node: NodeDef) -> str:
        """Return the place of a node."""
        return f"{self.place}{',' if self.is_body else ':'} node {clipped(node.name)}"


@dataclass(slots=True)
class _Pass:
    """One pass over the nodes of a MetaGraph, and what it gathered."""

    meta_graph: MetaGraph
    place: str
    breaches: Mapping[str, _Breaches]
    ops: dict[str, Op] = field(default_factory=dict)
    own: Mapping[str, OpDef] = field(default_factory=dict)
    functions: Mapping[str, FunctionDef] = field(default_factory=dict)
    devices: set[str] = field(default_factory=lambda: {""})
    unknown_ops: dict[str, _Uses] = field(default_factory=dict)
    unknown_attrs: dict[tuple[str, str], _Uses] = field(default_factory=dict)
    missing: dict[str, _Uses] = field(default_factory=dict)
    reached: frozenset[str] | None = None

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
        """Find functions of one name, and gradients of or by what is not there."""
        breaches = self.breaches["M10"]
        named: dict[str, list[FunctionDef]] = {}
        for body in graph.library.function:
            named.setdefault(body.signature.name, []).append(body)
        for name, bodies in named.items():
            if len(bodies) > 1 and not self._harmless(name, bodies):
                message = f"the library has {len(bodies)} functions '{clipped(name)}'"
                breaches.add(self.place, message)
        for gradient in graph.library.gradient:
            for name in (gradient.function_name, gradient.gradient_func):
                if name not in self.functions:
                    breaches.add(
                        self.place,
                        f"the library has no function '{clipped(name)}', but a gradient:"
                        f" '{clipped(gradient.gradient_func)}' of '{clipped(gradient.function_name)}'",
                    )

    def _harmless(self, name: str, bodies: Sequence[FunctionDef]) -> bool:
        """Whether all functions of that name are the same one, and no loader counts them.

        ``python/saved_model/function_deserialization.py`` does, if they name functions or the object
        graph names them; the C++ library takes them for one.
        """
        if any(body != bodies[0] for body in bodies):
            return False
        if name and self.meta_graph.proto.HasField("object_graph_def"):
            return False
        calls = (self._calls(node) for node in bodies[0].node_def)
        return not any(calls)

    def _calls(self, node: NodeDef) -> bool:
        return node.op in self.functions or bool(functions_named(node))

    def _graph(self, graph: GraphDef) -> None:
        self._look(_scope(self.place, graph.node))

    def _body(self, body: FunctionDef) -> None:
        place = f"{self.place}: function {clipped(body.signature.name)}"
        given = list(body.signature.input_arg)
        names = [argument.name for argument in given]
        arguments = frozenset(names)
        if "" in arguments or len(arguments) < len(names):
            self._misnamed(place, "argument", names)
        scope = _scope(place, body.node_def, arguments)
        for argument in given:
            number = argument.type
            if number and not argument.number_attr:
                scope.tensors[argument.name] = base(number)
        self._look(scope)
        self._results(scope, body)

    def _look(self, scope: _Scope) -> None:
        """Look at the nodes of a graph or a body.

        Nearly all inputs are what a node before gave, of the right type; the others are looked at
        when all are known.
        """
        names = scope.names
        if "" in scope.positions or len(scope.positions) < len(names):
            self._misnamed(scope.place, "node", names)
        for name in _spelling.malformed_names(names):
            message = f"'{clipped(name)}' cannot be the name of a node"
            self.breaches["M11"].add(scope.place, message)
        tensors = scope.tensors
        others = []
        for index, node in enumerate(scope.nodes):
            types = self._node(scope, node)
            if tuple(map(tensors.get, node.input)) != types.inputs:
                others.append((index, types))
            name = names[index]
            for suffix, number in types.outputs:
                tensors[name + suffix] = number
        late = [index for index, types in others if self._inputs(scope, index, types)]
        if late:
            self._circle(scope, late)

    def _circle(self, scope: _Scope, late: Sequence[int]) -> None:
        found = cycle(scope.nodes, scope.positions, late)
        if found:
            shown = ", ".join(map(clipped, found[:_SHOWN]))
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            message = f"{len(found)} nodes wait for each other in a circle: {shown}{more}"
            self.breaches["M11"].add(scope.place, message)

    def _inputs(self, scope: _Scope, index: int, types: Types) -> bool:
        """Look at inputs such as ``x``, ``x:1``, ``x:y:0`` and ``^x``, the last kind last.

        Returns:
            Whether one of them does not stand before its node.
        """
        node = scope.nodes[index]
        breaches = self.breaches["M11"]
        late, control, whole = False, False, True
        data: list[str] = []
        for source in node.input:
            if source.startswith("^"):
                control = True
                name = source[1:]
                exists = scope.has(name)
            else:
                if control:
                    message = f"its input '{clipped(source)}' comes after a control input"
                    breaches.add(scope.at(node), message)
                    whole = False
                data.append(source)
                name = source.partition(":")[0]
                exists = source in scope.tensors or self._is_tensor(scope, source)
            if not exists:
                words = (
                    "is no argument and no output of a node"
                    if scope.is_body
                    else "is not in the graph"
                )
                breaches.add(scope.at(node), f"its input '{clipped(source)}' {words}")
                whole = False
            elif scope.positions.get(name, -1) >= index:
                late = True
        if whole:
            self._data(scope, node, data, types)
        return late

    def _data(self, scope: _Scope, node: NodeDef, data: Sequence[str], types: Types) -> None:
        """Look at the number of data inputs, and at their types."""
        op = self._op(node.op)
        if not op.takes(node, len(data)):
            message = f"it has {len(data)} data inputs; {clipped(node.op)} takes {op.wanted(node)}"
            self.breaches["M11"].add(scope.at(node), message)
            return
        for source, wanted in zip(data, types.inputs or (), strict=False):
            given = scope.tensors.get(source if scope.is_body else source.removesuffix(":0"), 0)
            if given != UNKNOWN and wanted > UNKNOWN and given != wanted:
                message = (
                    f"its input '{clipped(source)}' is {dtype_name(given)};"
                    f" {clipped(node.op)} takes {dtype_name(wanted)} there"
                )
                self.breaches["M11"].add(scope.at(node), message)
                return

    def _is_tensor(self, scope: _Scope, source: str) -> bool:
        return (self._is_output if scope.is_body else self._is_port)(scope, source)

    def _is_port(self, scope: _Scope, source: str) -> bool:
        """Whether it is an output of a node of the graph: ``x`` is the first one of x."""
        name, _, port = (source, "", "0") if source in scope.positions else source.rpartition(":")
        if name not in scope.positions or not _is_number(port):
            return False
        node = scope.nodes[scope.positions[name]]
        return self._op(node.op).has_port(node, int(port))

    def _is_output(self, scope: _Scope, source: str) -> bool:
        """Whether it is an argument, one of a list of them, such as ``x:0``, or of an output, such as ``x:y:0``.

        It is how ``core/framework/function.cc`` names values in a body.
        """
        arguments = scope.arguments or ()
        if source in arguments:
            return True
        name, _, port = source.partition(":")
        output, _, number = port.rpartition(":")
        if not output and _is_number(number):
            return name in arguments
        if name not in scope.positions or not _is_number(number):
            return False
        node = scope.nodes[scope.positions[name]]
        op = self._op(node.op)
        if op.definition is None:
            return True
        argument = op.outputs.get(output)
        return argument is not None and _outputs.has_tensor(
            argument, op.definition, node, int(number)
        )

    def _results(self, scope: _Scope, body: FunctionDef) -> None:
        """Look at what the function gives back; entries of no output of its signature are ignored."""
        breaches = self.breaches["M11"]
        returned, finished = body.ret, body.control_ret
        for argument in body.signature.output_arg:
            source = returned.get(argument.name, "")
            if source not in scope.tensors and not self._is_output(scope, source):
                message = f"its output '{clipped(argument.name)}' is '{clipped(source)}', which is not there"
                breaches.add(scope.place, message)
        for output in body.signature.control_output:
            node = finished.get(output, "")
            if node not in scope.positions:
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

    def _node(self, scope: _Scope, node: NodeDef) -> Types:
        """Look at one node by itself, and return what it takes and gives."""
        name = node.op
        op = self.ops.get(name) or self._op(name)
        if not op.known:
            _count(self.unknown_ops, name, scope, node)
        given = self._attrs(scope, node, op)
        if op.names:
            self._named(scope, node, op)
        if name == "Const":
            self._const(scope, node)
        if node.device not in self.devices:
            self._device(scope, node)
        return op.types(node, given, body=scope.is_body)

    def _attrs(self, scope: _Scope, node: NodeDef, op: Op) -> dict[str, int]:
        """Look at the attrs, and return those that are types."""
        allowed, fields = op.attrs, op.fields
        types = {}
        attrs = node.attr
        for name in attrs:
            wanted = fields.get(name)
            if wanted is None:
                if allowed is not None and name not in allowed:
                    self._unknown_attr(scope, node, name, allowed)
                continue
            value = attrs[name]
            if value.WhichOneof("value") != wanted or wanted == "list":
                self._kind(scope, node, op, name)
            elif wanted == "type":
                types[name] = value.type
                if not value.type:
                    self._kind(scope, node, op, name)
        for name in op.required:
            if name not in attrs:
                message = f"it has no attr '{name}', which {clipped(node.op)} requires"
                self.breaches["M18"].add(scope.at(node), message)
        return types

    def _unknown_attr(self, scope: _Scope, node: NodeDef, name: str, allowed: set[str]) -> None:
        if name.startswith("_"):
            # The runtime's own, on any op; remembered, since most nodes carry the same ones.
            allowed.add(name)
        else:
            _count(self.unknown_attrs, (node.op, name), scope, node)

    def _kind(self, scope: _Scope, node: NodeDef, op: Op, name: str) -> None:
        # What a Const must have is a rule of its own; the caller of a function may know better.
        if name not in op.kinds or node.op == "Const":
            return
        found = kinds.misfit(node.attr[name], op.kinds[name], body=scope.is_body)
        if found:
            message = f"its attr '{name}' is {found}; {clipped(node.op)} takes {op.kinds[name]}"
            self.breaches["M18"].add(scope.at(node), message)

    def _const(self, scope: _Scope, node: NodeDef) -> None:
        problem = constants.problem(node)
        if problem is None:
            return
        rule, words = problem.rule, f"the Const {problem.words}"
        if problem.when_run and not scope.is_body and node.name not in self._run():
            rule, words = "M17", f"{words}; no loader and no signature reads it"
        self.breaches[rule].add(scope.at(node), words)

    def _run(self) -> Collection[str]:
        """Return the nodes of the graph that a loader or a signature may run or read."""
        if self.reached is None:
            proto = self.meta_graph.proto
            constants_named = (node.constant.operation for node in proto.object_graph_def.nodes)
            roots = {*roots_of(self.meta_graph), *constants_named} - {""}
            places = reachable(proto, roots)
            self.reached = frozenset(name for function, name in places if function is None)
        return self.reached

    def _device(self, scope: _Scope, node: NodeDef) -> None:
        if _spelling.is_device(node.device):
            self.devices.add(node.device)
        else:
            message = f"its device '{clipped(node.device)}' is none that can be read"
            self.breaches["M19"].add(scope.at(node), message)

    def _op(self, name: str) -> Op:
        if name not in self.ops:
            self.ops[name] = learn(name, self.functions, self.own)
        return self.ops[name]

    def _named(self, scope: _Scope, node: NodeDef, op: Op) -> None:
        for name in op.functions_named(node):
            # A gradient may be that of an op. An empty name stands for no function.
            primitive = node.op == "SymbolicGradient" and known.op(name) is not None
            if name and name not in self.functions and not primitive:
                _count(self.missing, name, scope, node)

    def _sum_up(self) -> None:
        for op, uses in self.unknown_ops.items():
            if not op:
                self.breaches["M11"].add(uses.place, f"it has no op{uses}")
                continue
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


def _count(uses: dict[_Key, _Uses], key: _Key, scope: _Scope, node: NodeDef) -> None:
    if key not in uses:
        uses[key] = _Uses(scope.at(node))
    uses[key].times += 1


def _scope(
    place: str, nodes: Iterable[NodeDef], arguments: Collection[str] | None = None
) -> _Scope:
    # Held, since a message makes its objects anew whenever it is gone through.
    held = list(nodes)
    names = [node.name for node in held]
    positions = {name: index for index, name in enumerate(names)}
    return _Scope(place, held, names, positions, arguments)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _DIGITS

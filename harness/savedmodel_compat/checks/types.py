"""Dtype and shape of a tensor of the graph, as far as the graph itself says; nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from savedmodel_compat.checks._many import clipped
from savedmodel_compat.checks._ports import Outputs, attr_of, outputs_of
from savedmodel_compat.registry import known
from savedmodel_compat.tensors import shape_from_proto

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import Shape

# A chain of nodes and calls longer than this is left alone: the shape is then not known.
_HOPS = 256
_HOPS_IN_ALL = 100_000
# Up to this version of the graph a scalar in the attr of a placeholder may mean any shape
# (core/ops/array_ops.cc).
_LAST_AMBIGUOUS_SCALAR = 23
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"))
_PASSING_ON = frozenset(
    ("Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics")
)
_PORT_DIGITS = 9
_DIMENSIONS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorType:
    """What is known of a tensor.

    Args:
        dtype: TensorFlow's name of its element type; None if it is not known.
        shape: None if not even the rank is known.
    """

    dtype: str | None = None
    shape: Shape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """There is no such tensor.

    Args:
        why: in words, after its name.
    """

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A function's body, and what called it; the graph itself has neither.

    Args:
        nodes: positions in the body, by name.
        function: None for the graph.
        node: the node that calls it; None for the graph.
        caller: where that node stands; None for the graph.
    """

    nodes: Mapping[str, int]
    function: schema.FunctionDef | None = None
    node: schema.NodeDef | None = None
    caller: _Call | None = None


class TensorTypes:
    """The tensors of one MetaGraph's graph.

    Args:
        meta_graph: the MetaGraph; it is not changed.
    """

    def __init__(self, meta_graph: schema.MetaGraphDef) -> None:
        self._graph = meta_graph.graph_def
        self._bodies: dict[str, Mapping[str, int]] = {}
        self._arguments: dict[str, Mapping[str, int]] = {}
        self._outputs: dict[tuple[str | None, str], Outputs | None] = {}
        self._hops = _HOPS_IN_ALL

    @cached_property
    def nodes(self) -> Mapping[str, int]:
        """The positions of the graph's nodes, by name."""
        return _positions(self._graph.node)

    @cached_property
    def _functions(self) -> Mapping[str, int]:
        library = self._graph.library.function
        return {function.signature.name: index for index, function in enumerate(library)}

    def find(self, tensor: str) -> TensorType | Absent:
        """Return what is known of a tensor.

        Args:
            tensor: its name, such as ``x:0``, or that of a node, whose first output is meant.
        """
        name, port = _parsed(tensor)
        if port is None:
            return Absent(why="is not the name of a tensor")
        if name not in self.nodes:
            return Absent(why=f"is not there: the graph has no node '{clipped(name)}'")
        node = self._graph.node[self.nodes[name]]
        whole = _Call(nodes=self.nodes)
        outputs = self._outputs_of(whole, node)
        dtype = None
        if outputs is not None:
            if outputs.total is not None and port >= outputs.total:
                return Absent(
                    why=f"is not there: node '{clipped(name)}', op {clipped(node.op)}, has"
                    f" {_counted(outputs.total)}"
                )
            dtype = outputs.dtype(port)
        return TensorType(dtype=dtype, shape=self._shape(whole, node, port))

    def _outputs_of(self, call: _Call, node: schema.NodeDef) -> Outputs | None:
        """Return the outputs of a node; None if nobody knows its op."""
        place = (call.function and call.function.signature.name, node.name)
        if place not in self._outputs:
            index = self._functions.get(node.op)
            definition = (
                known.op(node.op)
                if index is None
                else self._graph.library.function[index].signature
            )
            self._outputs[place] = None if definition is None else outputs_of(node, definition)
        return self._outputs[place]

    def _shape(self, call: _Call, node: schema.NodeDef, port: int) -> Shape | None:
        """Return the shape of an output, followed through calls and what passes tensors on."""
        for _ in range(min(_HOPS, self._hops)):
            self._hops -= 1
            said = self._said_shape(node, port)
            if said is not None:
                return said
            step = self._step(call, node, port)
            if step is None:
                return None
            call, node, port = step
            if node.op == "VarHandleOp":
                return _shape_attr(node)
        return None

    def _said_shape(self, node: schema.NodeDef, port: int) -> Shape | None:
        """Return the shape that a node's own attrs give."""
        if node.op == "Const":
            value = attr_of(node, "value", "tensor")
            return None if value is None else shape_from_proto(value.tensor.tensor_shape)
        if node.op in ("VarHandleOp", "VariableV2"):
            return () if node.op == "VarHandleOp" else _shape_attr(node)
        if node.op in _PLACEHOLDERS and "shape" in node.attr:
            shape = _shape_attr(node)
            ambiguous = self._graph.versions.producer <= _LAST_AMBIGUOUS_SCALAR
            return None if shape == () and ambiguous else shape
        if "_output_shapes" in node.attr:
            shapes = node.attr["_output_shapes"].list.shape
            return shape_from_proto(shapes[port]) if port < len(shapes) else None
        return None

    def _step(
        self, call: _Call, node: schema.NodeDef, port: int
    ) -> tuple[_Call, schema.NodeDef, int] | None:
        """Return the output that has the same shape; None if there is none that is known to."""
        function = self._called(node)
        if function is not None:
            inner = self._entered(call, node, function)
            outputs = function.signature.output_arg
            if port >= len(outputs) or outputs[port].name not in function.ret:
                return None
            return self._source(inner, function.ret[outputs[port].name])
        if node.op == "ReadVariableOp":
            port = 0
        elif node.op not in _PASSING_ON:
            return None
        source = self._source(call, node.input[port]) if port < len(node.input) else None
        reads = node.op == "ReadVariableOp"
        if source is None or reads != (source[1].op == "VarHandleOp"):
            return None
        return source

    def _called(self, node: schema.NodeDef) -> schema.FunctionDef | None:
        name = node.op
        if name in _CALLS:
            value = attr_of(node, "f", "func")
            name = "" if value is None else value.func.name
        index = self._functions.get(name)
        return None if index is None else self._graph.library.function[index]

    def _entered(self, call: _Call, node: schema.NodeDef, function: schema.FunctionDef) -> _Call:
        name = function.signature.name
        if name not in self._bodies:
            self._bodies[name] = _positions(function.node_def)
            self._arguments[name] = _arguments(function.signature)
        return _Call(nodes=self._bodies[name], function=function, node=node, caller=call)

    def _source(self, call: _Call, tensor: str) -> tuple[_Call, schema.NodeDef, int] | None:
        """Return the output that an input of a node, or a returned value, stands for."""
        while call.function is not None and call.caller is not None:
            name, _, rest = tensor.partition(":")
            index = call.nodes.get(name)
            if index is not None:
                node = call.function.node_def[index]
                outputs = self._outputs_of(call, node)
                found = None if outputs is None else outputs.port(*_slot_and_index(rest))
                return None if found is None else (call, node, found)
            handed = self._handed_over(call, name)
            if handed is None:
                return None
            call, tensor = call.caller, handed
        name, port = _parsed(tensor)
        index = call.nodes.get(name)
        if index is None or port is None:
            return None
        return call, self._graph.node[index], port

    def _handed_over(self, call: _Call, name: str) -> str | None:
        """Return what the caller hands over as an argument of its function."""
        if call.function is None or call.node is None:
            return None
        position = self._arguments[call.function.signature.name].get(name)
        if position is None or position >= len(call.node.input):
            return None
        return str(call.node.input[position])


def compatible(one: Shape | None, other: Shape | None) -> bool:
    """Whether a tensor could have both shapes."""
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def shape_text(shape: Iterable[int | None] | None) -> str:
    """Return a shape such as ``[?, 28]``; ``[]`` is a scalar."""
    if shape is None:
        return "of unknown rank"
    sizes = ["?" if size is None else str(size) for size in islice(shape, _DIMENSIONS_SHOWN + 1)]
    if len(sizes) > _DIMENSIONS_SHOWN:
        sizes[-1] = "…"
    return f"[{', '.join(sizes)}]"


def _counted(total: int) -> str:
    return {0: "no output", 1: "one output"}.get(total, f"{total} outputs")


def _positions(nodes: Iterable[schema.NodeDef]) -> dict[str, int]:
    return {node.name: index for index, node in enumerate(nodes)}


def _parsed(tensor: str) -> tuple[str, int | None]:
    """Return the node and the port of a tensor's name; the port is None if it is none."""
    if tensor.startswith("^") or not tensor:
        return tensor.lstrip("^"), None
    name, colon, digits = tensor.rpartition(":")
    if not colon:
        return tensor, 0
    is_port = digits.isascii() and digits.isdigit() and len(digits) <= _PORT_DIGITS
    return name, int(digits) if is_port else None


def _slot_and_index(rest: str) -> tuple[str, int]:
    """Return what stands behind the node in a function's body: ``y:0`` or ``y``."""
    slot, _, digits = rest.partition(":")
    _, index = _parsed(f":{digits}")
    return slot, index or 0


def _arguments(signature: schema.OpDef) -> dict[str, int]:
    """Return which input of a call each argument is, up to the first that may be several."""
    found = {}
    for position, arg in enumerate(signature.input_arg):
        if arg.number_attr or arg.type_list_attr:
            break
        found[arg.name] = position
    return found


def _shape_attr(node: schema.NodeDef) -> Shape | None:
    value = attr_of(node, "shape", "shape")
    return None if value is None else shape_from_proto(value.shape)

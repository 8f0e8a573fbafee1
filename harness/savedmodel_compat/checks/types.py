"""Dtype and shape of a tensor of the graph, as far as the graph itself says; nothing is guessed."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.registry import known
from savedmodel_compat.tensors import (
    DType,
    content_size,
    dtype_from_enum,
    dtype_name,
    shape_from_proto,
)

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
_MOST_DIMENSIONS = 254
_DIGITS = re.compile(r"\d+")


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
class _Slot:
    """One output of an op, which may be several tensors.

    Args:
        name: as a function's body calls it.
        count: number of tensors; None if it is not known.
        dtypes: their types, or one for all; empty if they are not known.
    """

    name: str
    count: int | None
    dtypes: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outputs:
    """The outputs of one node.

    Args:
        slots: as far as their numbers are known.
        starts: the port at which each begins.
        by_name: the positions of the slots.
        total: number of ports; None if it is not known.
    """

    slots: tuple[_Slot, ...]
    starts: tuple[int, ...]
    by_name: Mapping[str, int]
    total: int | None

    def dtype(self, port: int) -> str | None:
        """Return the type of an output; None if it is not known."""
        place = bisect_right(self.starts, port) - 1
        if place < 0:
            return None
        dtypes = self.slots[place].dtypes
        index = port - self.starts[place]
        if len(dtypes) == 1:
            return dtypes[0]
        return dtypes[index] if index < len(dtypes) else None

    def port(self, slot: str, index: int) -> int | None:
        """Return the port of a tensor of a slot; None if it is not known."""
        place = self.by_name.get(slot)
        return None if place is None else self.starts[place] + index


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
        self._outputs: dict[tuple[str | None, str], _Outputs | None] = {}
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
            return Absent(why=f"is not there: the graph has no node '{name}'")
        node = self._graph.node[self.nodes[name]]
        whole = _Call(nodes=self.nodes)
        outputs = self._outputs_of(whole, node)
        dtype = None
        if outputs is not None:
            if outputs.total is not None and port >= outputs.total:
                return Absent(
                    why=f"is not there: node '{name}', op {node.op}, has {_counted(outputs.total)}"
                )
            dtype = outputs.dtype(port)
        return TensorType(dtype=dtype, shape=self._shape(whole, node, port))

    def _outputs_of(self, call: _Call, node: schema.NodeDef) -> _Outputs | None:
        """Return the outputs of a node; None if nobody knows its op."""
        place = (call.function and call.function.signature.name, node.name)
        if place not in self._outputs:
            index = self._functions.get(node.op)
            definition = (
                known.op(node.op)
                if index is None
                else self._graph.library.function[index].signature
            )
            self._outputs[place] = None if definition is None else _outputs(node, definition)
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
            value = _attr(node, "value", "tensor")
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
            value = _attr(node, "f", "func")
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
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


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


def _outputs(node: schema.NodeDef, definition: schema.OpDef) -> _Outputs:
    slots, starts = [], []
    total: int | None = 0
    for slot in _slots(node, definition):
        slots.append(slot)
        starts.append(total or 0)
        total = None if slot.count is None else (total or 0) + slot.count
        if total is None:
            break
    return _Outputs(
        slots=tuple(slots),
        starts=tuple(starts),
        by_name={slot.name: place for place, slot in enumerate(slots)},
        total=total,
    )


def _slots(node: schema.NodeDef, definition: schema.OpDef) -> Iterator[_Slot]:
    """Yield the outputs of a node as its op defines them (``core/framework/op_def.proto``)."""
    for arg in definition.output_arg:
        count: int | None = 1
        dtypes: tuple[str | None, ...] = (None,)
        if arg.type_list_attr:
            value = _value(node, definition, arg.type_list_attr, "list")
            dtypes = () if value is None else tuple(map(_dtype, value.list.type))
            count = None if value is None else len(dtypes)
        elif arg.type_attr:
            value = _value(node, definition, arg.type_attr, "type")
            dtypes = (None,) if value is None else (_dtype(value.type),)
        else:
            dtypes = (_dtype(arg.type),)
        if arg.number_attr:
            value = _value(node, definition, arg.number_attr, "i")
            count = None if value is None else max(value.i, 0)
        if count is None:
            dtypes = ()
        if arg.is_ref:
            dtypes = tuple(name and f"{name.removesuffix('_ref')}_ref" for name in dtypes)
        yield _Slot(name=arg.name, count=count, dtypes=dtypes)


def _value(
    node: schema.NodeDef, definition: schema.OpDef, name: str, kind: str
) -> schema.AttrValue | None:
    """Return an attr's value, or its default, if it is of the kind that the op says."""
    if name in node.attr:
        return _attr(node, name, kind)
    for attr in definition.attr:
        if attr.name == name and attr.default_value.WhichOneof("value") == kind:
            return attr.default_value
    return None


def _attr(node: schema.NodeDef, name: str, kind: str) -> schema.AttrValue | None:
    """Return the value of a node's own attr, if it is of that kind."""
    # Looking up a missing key would add it to the message.
    if name not in node.attr or node.attr[name].WhichOneof("value") != kind:
        return None
    return node.attr[name]


def _dtype(number: int) -> str | None:
    return dtype_name(number) if number else None


def _shape_attr(node: schema.NodeDef) -> Shape | None:
    value = _attr(node, "shape", "shape")
    return None if value is None else shape_from_proto(value.shape)


def tensor_fault(tensor: schema.TensorProto) -> str | None:
    """Return why no TensorFlow makes a tensor of a TensorProto, in words after "it"; None if it does.

    That is what ``Tensor::FromProto`` in ``core/framework/tensor.cc`` refuses. Nothing is allocated:
    a small message can ask for a huge tensor.
    """
    try:
        dtype = dtype_from_enum(tensor.dtype)
    except UnsupportedError:
        return f"has the type {dtype_name(tensor.dtype)}, which is none"
    shape = tensor.tensor_shape
    if len(shape.dim) > _MOST_DIMENSIONS:
        return f"has {len(shape.dim)} dimensions; TensorFlow has at most {_MOST_DIMENSIONS}"
    sizes = [int(dim.size) for dim in shape.dim]
    if shape.unknown_rank or min(sizes, default=0) < 0:
        return "has a shape that is not known"
    count = math.prod(sizes)
    if count >= 1 << 63:
        return f"has the shape {shape_text(sizes)}, which has too many values to count"
    size, width = content_size(tensor), _width(dtype)
    if size and width and size != count * width:
        return (
            f"holds {size} bytes, but {dtype.name} of the shape {shape_text(sizes)} takes"
            f" {count * width}"
        )
    return None


def _width(dtype: DType) -> int:
    """Return the bytes of one value in ``tensor_content``; 0 if they are not known.

    It goes by the name, since numpy takes long to import; what is smaller than a byte takes one.
    """
    digits = _DIGITS.search(dtype.array_name or "")
    if dtype.array_name == "bool":
        return 1
    return max(1, int(digits[0]) // 8) if digits else 0

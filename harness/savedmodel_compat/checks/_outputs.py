"""Which outputs a node has, by the definition of its op or the signature of the function that it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, NodeDef, OpDef

    ArgDef = Any


def has_port(definition: OpDef, node: NodeDef, port: int) -> bool:
    """Whether a node has an output of that number, counted over all its outputs as a graph does.

    True is returned where the definition does not tell.
    """
    for argument in definition.output_arg:
        count = _count(argument, definition, node)
        if count is None or port < count:
            return True
        port -= count
    return False


def has_tensor(output: ArgDef, definition: OpDef, node: NodeDef, index: int) -> bool:
    """Whether an output of a node has a tensor of that number; True where the definition does not tell."""
    count = _count(output, definition, node)
    return count is None or index < count


def is_single(output: ArgDef) -> bool:
    """Whether an output is one tensor in every node of its op."""
    return not (output.number_attr or output.type_list_attr)


def _count(argument: ArgDef, definition: OpDef, node: NodeDef) -> int | None:
    if argument.number_attr:
        value = _attr(argument.number_attr, definition, node)
        return value.i if value is not None and value.WhichOneof("value") == "i" else None
    if argument.type_list_attr:
        value = _attr(argument.type_list_attr, definition, node)
        return len(value.list.type) if value is not None and value.HasField("list") else None
    return 1


def _attr(name: str, definition: OpDef, node: NodeDef) -> AttrValue | None:
    if name in node.attr:
        return node.attr[name]
    defaults = (attr.default_value for attr in definition.attr if attr.name == name)
    return next(defaults, None)

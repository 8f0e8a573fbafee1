"""Which inputs and outputs a node has, by the definition of its op or the signature of the function that it calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, NodeDef, OpDef

    ArgDef = Any


def has_port(definition: OpDef, node: NodeDef, port: int) -> bool:
    """Whether a node has an output of that number, counted over all its outputs as a graph does.

    True is returned where the definition does not tell.
    """
    for argument in definition.output_arg:
        counted = _count(argument, definition, node)
        if counted is None or port < counted:
            return True
        port -= counted
    return False


def has_tensor(output: ArgDef, definition: OpDef, node: NodeDef, index: int) -> bool:
    """Whether an output of a node has a tensor of that number; True where the definition does not tell."""
    counted = _count(output, definition, node)
    return counted is None or index < counted


def count(arguments: Iterable[ArgDef], definition: OpDef, node: NodeDef) -> int | None:
    """Return how many tensors the inputs or outputs of a node are; None where the definition does not tell."""
    total = 0
    for argument in arguments:
        counted = _count(argument, definition, node)
        if counted is None:
            return None
        total += counted
    return total


def is_single(argument: ArgDef) -> bool:
    """Whether an input or output is one tensor in every node of its op."""
    return not (argument.number_attr or argument.type_list_attr)


def attr(name: str, definition: OpDef, node: NodeDef) -> AttrValue | None:
    """Return the value of an attr of a node, or its default; None if there is neither."""
    if name in node.attr:
        return node.attr[name]
    defaults = (one.default_value for one in definition.attr if one.name == name)
    return next(defaults, None)


def _count(argument: ArgDef, definition: OpDef, node: NodeDef) -> int | None:
    if argument.number_attr:
        value = attr(argument.number_attr, definition, node)
        return value.i if value is not None and value.WhichOneof("value") == "i" else None
    if argument.type_list_attr:
        value = attr(argument.type_list_attr, definition, node)
        return len(value.list.type) if value is not None and value.HasField("list") else None
    return 1

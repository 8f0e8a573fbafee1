"""How many outputs a node has, and of which types, as its op defines them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.model import schema


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
class Outputs:
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


def outputs_of(node: schema.NodeDef, definition: schema.OpDef) -> Outputs:
    """Return the outputs of a node.

    Args:
        node: the node.
        definition: of its op, or the signature of the function that it calls.
    """
    slots, starts = [], []
    total: int | None = 0
    for slot in _slots(node, definition):
        slots.append(slot)
        starts.append(total or 0)
        total = None if slot.count is None else (total or 0) + slot.count
        if total is None:
            break
    return Outputs(
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
        return attr_of(node, name, kind)
    for attr in definition.attr:
        if attr.name == name and attr.default_value.WhichOneof("value") == kind:
            return attr.default_value
    return None


def attr_of(node: schema.NodeDef, name: str, kind: str) -> schema.AttrValue | None:
    """Return the value of a node's own attr, if it is of that kind."""
    # Looking up a missing key would add it to the message.
    if name not in node.attr or node.attr[name].WhichOneof("value") != kind:
        return None
    return node.attr[name]


def _dtype(number: int) -> str | None:
    return dtype_name(number) if number else None

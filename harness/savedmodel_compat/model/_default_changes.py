"""Which attrs of which nodes go, or come back: ``strip_graph_default_valued_attrs`` and its inverse.

The rules are those of ``python/framework/meta_graph.py``: all nodes of the graph and of every library function, less those
that call a function of the library and those whose op is not registered. What the op does not define, such as ``_class``,
is left alone.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.model._default_ops import Default, Defaults, ProducerOps
from savedmodel_compat.model.attr_values import are_equal

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, MetaGraphDef, NodeDef

Attr = tuple[str, str]
"""An op, and the name of one of its attrs."""


class Direction(enum.Enum):
    """What is done to the attrs that have, or would have, their default values."""

    STRIP = "strip"
    PUT_BACK = "put-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """What becomes of the attrs of a node.

    Args:
        removed: the attrs that go.
        added: the attrs that come, with their defaults.
    """

    removed: frozenset[str] = frozenset()
    added: Mapping[str, Default] = field(default_factory=dict)

    def apply(self, node: NodeDef) -> None:
        """Change a node."""
        for name in self.removed:
            del node.attr[name]
        for name, default in self.added.items():
            node.attr[name].CopyFrom(default.value)


Changes = Mapping[int, NodeChange]
"""The nodes of one list that change, by their place in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphChanges:
    """What becomes of a MetaGraph.

    Args:
        stripped: ``stripped_default_attrs``, as it will be.
        flagged: whether that is other than it was.
        nodes: the nodes of the graph that change.
        functions: those of each function that changes, by its place in the library.
        attrs: how many nodes lose or get each attr.
        unknown: how many nodes there are of each op that nothing is known of; they stay as they are.
        undecided: how many nodes have, or lack, each attr that the known OpDefs do not agree on; it stays as it is.
        total: how many nodes there are.
    """

    stripped: bool
    flagged: bool
    nodes: Changes
    functions: Mapping[int, Changes]
    attrs: Counter[Attr]
    unknown: Counter[str]
    undecided: Counter[Attr]
    total: int

    @property
    def changed(self) -> int:
        """How many nodes change."""
        return len(self.nodes) + sum(map(len, self.functions.values()))

    @property
    def is_empty(self) -> bool:
        """Whether the MetaGraph stays as it is."""
        return not self.changed and not self.flagged


def changes_of(meta_graph: MetaGraphDef, ops: ProducerOps, direction: Direction) -> GraphChanges:
    """Return what becomes of a MetaGraph.

    Args:
        meta_graph: the MetaGraph; it is not changed. Long constants may be left out of it.
        ops: the OpDefs of its producer.
        direction: what is done.
    """
    look = _Look(ops=ops, direction=direction)
    stripped = direction is Direction.STRIP
    graph = meta_graph.graph_def
    nodes = look.over(graph.node)
    bodies = [look.over(function.node_def) for function in graph.library.function]
    return GraphChanges(
        stripped=stripped,
        flagged=bool(meta_graph.meta_info_def.stripped_default_attrs) is not stripped,
        nodes=nodes,
        functions={index: changes for index, changes in enumerate(bodies) if changes},
        attrs=look.attrs,
        unknown=look.unknown,
        undecided=look.undecided,
        total=look.total,
    )


def _to_strip(node: NodeDef, defaults: Defaults) -> tuple[list[str], list[str]]:
    """Return the attrs of a node that go, and those of which that is not known."""
    attrs = node.attr
    found = [
        name
        for name, default in defaults.values.items()
        if name in attrs and _is_default(attrs[name], default)
    ]
    return found, [name for name in defaults.disputed if name in attrs]


def _to_put_back(node: NodeDef, defaults: Defaults) -> tuple[list[str], list[str]]:
    """Return the attrs of a node that come, and those of which that is not known."""
    absent = [name for name in defaults.values if name not in node.attr]
    return (
        [name for name in absent if name not in defaults.partial],
        [name for name in (*defaults.disputed, *defaults.partial) if name not in node.attr],
    )


def _is_default(value: AttrValue, default: Default) -> bool:
    # Nearly all are told by their bytes.
    same = value.SerializeToString(deterministic=True) == default.serialized
    return same or are_equal(value, default.value)


_TO_CHANGE = {Direction.STRIP: _to_strip, Direction.PUT_BACK: _to_put_back}


@dataclass(slots=True, kw_only=True)
class _Look:
    """A look at the nodes of one MetaGraph, and what was found."""

    ops: ProducerOps
    direction: Direction
    attrs: Counter[Attr] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    undecided: Counter[Attr] = field(default_factory=Counter)
    total: int = 0
    # The changes of most nodes are those of some other.
    made: dict[tuple[str, tuple[str, ...]], NodeChange] = field(default_factory=dict)

    def over(self, nodes: Iterable[NodeDef]) -> dict[int, NodeChange]:
        """Return the changes of a list of nodes."""
        changes = {}
        to_change = _TO_CHANGE[self.direction]
        for index, node in enumerate(nodes):
            self.total += 1
            op = node.op
            if self.ops.is_function(op):
                continue
            defaults = self.ops.defaults(op)
            if defaults is None:
                self.unknown[op] += 1
                continue
            names, undecided = to_change(node, defaults)
            for name in undecided:
                self.undecided[op, name] += 1
            if names:
                changes[index] = self._change(op, tuple(names), defaults)
        return changes

    def _change(self, op: str, names: tuple[str, ...], defaults: Defaults) -> NodeChange:
        for name in names:
            self.attrs[op, name] += 1
        if (op, names) not in self.made:
            self.made[op, names] = (
                NodeChange(removed=frozenset(names))
                if self.direction is Direction.STRIP
                else NodeChange(added={name: defaults.values[name] for name in names})
            )
        return self.made[op, names]

"""The variables of a model's object graph, and the keys under which the checkpoint's own object graph has them.

``python/saved_model/load.py`` restores by walking both graphs from their roots, along the names of children
(``python/checkpoint/restore.py``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from savedmodel_compat.model import schema

_VALUE = "VARIABLE_VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What the checkpoint has of one object of the model.

    Args:
        keys: of all that is saved of it.
        value: the one of its value, if it is a variable; None if it is none.
        variable: the model's ``SavedVariable``, if it is one.
    """

    keys: tuple[str, ...]
    value: str | None
    variable: Any | None


def matched(
    saved: schema.SavedObjectGraph, tracked: schema.TrackableObjectGraph
) -> Iterator[Tracked]:
    """Yield the objects that both graphs have; indices that lead out of a graph are passed over."""
    if not saved.nodes or not tracked.nodes:
        return
    # Each object once, in either graph: otherwise two small hostile graphs have a great many pairs.
    seen = {0}
    seen_there = {0}
    pending = deque([(0, 0)])
    while pending:
        ours, theirs = pending.popleft()
        node, other = saved.nodes[ours], tracked.nodes[theirs]
        keys = {attribute.name: attribute.checkpoint_key for attribute in other.attributes}
        variable = node.variable if node.WhichOneof("kind") == "variable" else None
        yield Tracked(
            keys=tuple(keys.values()),
            value=None if variable is None else keys.get(_VALUE),
            variable=variable,
        )
        children = {child.local_name: child.node_id for child in other.children}
        for child in node.children:
            below = children.get(child.local_name, -1)
            if (
                0 <= child.node_id < len(saved.nodes)
                and 0 <= below < len(tracked.nodes)
                and child.node_id not in seen
                and below not in seen_there
            ):
                seen.add(child.node_id)
                seen_there.add(below)
                pending.append((child.node_id, below))

"""The variables of a model's object graph, and the keys under which the checkpoint's own object graph has them.

``python/saved_model/load.py`` restores by walking both graphs from their roots, along the names of children
(``python/checkpoint/restore.py``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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


def held(keys: Collection[str], names: Collection[str]) -> Mapping[str, list[str]]:
    """Return the tensors that each key of the object graph stands for; a key that has none is left out.

    What an object saves under a key is the tensor of that name, or several whose names begin with it, as
    those of a mutable table do: ``KEY-keys`` and ``KEY-values`` (``python/ops/lookup_ops.py``). A
    tensor belongs to the longest key that its name begins with.

    Args:
        keys: the ``checkpoint_key`` of all attributes.
        names: of the tensors of the checkpoint.
    """
    found: dict[str, list[str]] = {}
    around: list[str] = []
    # What begins with a key stands right behind it, and a key before a tensor of its own name.
    for name, is_tensor in sorted([(key, False) for key in set(keys)] + [(n, True) for n in names]):
        while around and not name.startswith(around[-1]):
            around.pop()
        if not is_tensor:
            around.append(name)
        elif around:
            found.setdefault(around[-1], []).append(name)
    return found

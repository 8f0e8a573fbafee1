"""The object graph of a TensorFlow 2 model, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from savedmodel_compat.model import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectGraph:
    """Summary of a SavedObjectGraph (``core/protobuf/saved_object_graph.proto``).

    Args:
        nodes: how many objects there are; 0 in a model that a v1 builder wrote.
        kinds: how many of each kind, such as ``variable``; a user object goes by its identifier.
        children: kind of each named child of the root, by name.
        concrete_functions: how many traced functions there are.
    """

    nodes: int
    kinds: Mapping[str, int]
    children: Mapping[str, str]
    concrete_functions: int


def summarise(graph: schema.SavedObjectGraph) -> ObjectGraph:
    """Return an object graph in numbers.

    Args:
        graph: the message; an index that leads out of it gives the kind ``missing``.
    """
    kinds = [kind(node) for node in graph.nodes]
    root = graph.nodes[0].children if kinds else ()
    return ObjectGraph(
        nodes=len(kinds),
        kinds=dict(sorted(Counter(kinds).items())),
        children={
            child.local_name: kinds[child.node_id] if 0 <= child.node_id < len(kinds) else "missing"
            for child in sorted(root, key=lambda child: child.local_name)
        },
        concrete_functions=len(graph.concrete_functions),
    )


def kind(node: schema.SavedObject) -> str:
    """Return the kind of an object: the field that is set, or the identifier of a user object."""
    found = node.WhichOneof("kind")
    if found == "user_object" and node.user_object.identifier:
        return str(node.user_object.identifier)
    return str(found or "unset")

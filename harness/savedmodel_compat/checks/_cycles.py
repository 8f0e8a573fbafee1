"""Whether the nodes of a graph or a body wait for each other in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import node_of

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import NodeDef

_NEXT = frozenset(("NextIteration", "RefNextIteration"))
_MERGES = frozenset(("Merge", "RefMerge"))


def cycle(
    nodes: Sequence[NodeDef], positions: Mapping[str, int], late: Sequence[int]
) -> list[str] | None:
    """Return the names of nodes of which each has the next one as an input, and the last the first.

    An input of a Merge from a NextIteration does not count: that is how loops of TensorFlow 1 look
    (``core/common_runtime/graph_constructor.cc``).

    Args:
        nodes: of the graph or the body; inputs that are not among them are no matter.
        positions: of the nodes, by name.
        late: positions of all nodes with an input that is not before them, lowest first. The first
            node of a circle is one of them, so none is before the first of them all.
    """
    path: dict[int, Iterator[int]] = {}
    done: set[int] = set()
    for start in late:
        if start in done:
            continue
        path[start] = _sources(nodes, positions, start, late[0])
        while path:
            index = next(reversed(path))
            source = next(path[index], None)
            if source is None:
                done.add(index)
                del path[index]
            elif source in path:
                around = list(path)
                return [nodes[one].name for one in around[around.index(source) :]]
            elif source not in done:
                path[source] = _sources(nodes, positions, source, late[0])
    return None


def _sources(
    nodes: Sequence[NodeDef], positions: Mapping[str, int], index: int, first: int
) -> Iterator[int]:
    node = nodes[index]
    found = [positions.get(name, -1) for name in map(node_of, node.input)]
    found = [source for source in found if source >= first]
    if node.op in _MERGES:
        found = [source for source in found if nodes[source].op not in _NEXT]
    return iter(found)

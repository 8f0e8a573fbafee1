"""Whether an object graph holds together: what ``tf.saved_model.load`` looks up by number or by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from savedmodel_compat.checks._many import clipped

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import MetaGraphDef, SavedObject, SavedObjectGraph

Problem = tuple[str, str]


def problems(proto: MetaGraphDef, nodes: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the object graph of a MetaGraph, as place and message.

    Args:
        proto: the MetaGraph; one that a v1 builder wrote has no object graph.
        nodes: names of the nodes of its graph.
    """
    if not proto.HasField("object_graph_def"):
        return
    graph = proto.object_graph_def
    if not graph.nodes:
        yield "object graph", "it has no root object"
    library = {body.signature.name for body in proto.graph_def.library.function}
    yield from _functions(graph, library)
    for index, node in enumerate(graph.nodes):
        where = f"object {index}"
        for message in _references(node, len(graph.nodes)):
            yield where, message
        for message in _content(node, graph, len(proto.asset_file_def), nodes):
            yield where, message


def _functions(graph: SavedObjectGraph, library: Collection[str]) -> Iterator[Problem]:
    for name in sorted(graph.concrete_functions):
        where = f"concrete function '{clipped(name)}'"
        if name not in library:
            yield where, "it is not in the library of the graph"
        for bound in graph.concrete_functions[name].bound_inputs:
            if not 0 <= bound < len(graph.nodes):
                yield where, f"it captures object {bound}; there are {len(graph.nodes)}"


def _references(node: SavedObject, count: int) -> Iterator[str]:
    """Yield the numbers of objects that are not there."""
    for what, number, least in _named_by(node, count):
        if not least <= number < count:
            yield f"{what} is object {number}; there are {count}"


def _named_by(node: SavedObject, count: int) -> Iterator[tuple[str, int, int]]:
    """Yield the numbers of the objects that an object names, what they are to it, and the least that may be.

    ``python/saved_model/load.py`` looks some of them up in a list, where -1 is the last, and others
    among the numbers that there are.
    """
    for child in node.children:
        yield f"its child '{clipped(child.local_name)}'", child.node_id, -count
    for slot in node.slot_variables:
        yield (
            f"the variable of its slot '{clipped(slot.slot_name)}'",
            slot.original_variable_node_id,
            0,
        )
        yield f"its slot '{clipped(slot.slot_name)}'", slot.slot_variable_node_id, 0
    for name in sorted(node.saveable_objects):
        saveable = node.saveable_objects[name]
        yield f"what saves its '{clipped(name)}'", saveable.save_function, -count
        yield f"what restores its '{clipped(name)}'", saveable.restore_function, -count
    # An old TensorBoard does not know the field, which TensorFlow has since 2.6.
    for dependency in getattr(node, "dependencies", ()):
        yield "what it depends on", dependency.node_id, 0


def _content(
    node: SavedObject, graph: SavedObjectGraph, assets: int, nodes: Collection[str]
) -> Iterator[str]:
    """Yield what an object of each kind names and is not there."""
    kind = node.WhichOneof("kind")
    if kind == "function":
        names = list(node.function.concrete_functions)
    elif kind == "bare_concrete_function":
        names = [node.bare_concrete_function.concrete_function_name]
    else:
        names = []
    if not node.ByteSize():
        # One of a kind that is not known here would have some bytes.
        yield "it is of no kind at all"
    for name in names:
        if name not in graph.concrete_functions:
            yield f"its function '{clipped(name)}' is none of the concrete functions"
    if kind == "asset" and not -assets <= node.asset.asset_file_def_index < assets:
        yield f"it is asset {node.asset.asset_file_def_index}; there are {assets}"
    if kind == "constant" and node.constant.operation not in nodes:
        yield f"its constant '{clipped(node.constant.operation)}' is not in the graph"
    if kind == "captured_tensor" and node.captured_tensor.concrete_function not in (
        graph.concrete_functions
    ):
        name = node.captured_tensor.concrete_function
        yield f"it was captured by '{clipped(name)}', which is none of the concrete functions"

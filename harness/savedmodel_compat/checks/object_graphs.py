"""Whether an object graph holds together: what ``tf.saved_model.load`` looks up by number or by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import MetaGraphDef, SavedObject, SavedObjectGraph

Problem = tuple[str, str]


def problems(proto: MetaGraphDef, nodes: set[str]) -> Iterator[Problem]:
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


def _functions(graph: SavedObjectGraph, library: set[str]) -> Iterator[Problem]:
    for name in sorted(graph.concrete_functions):
        where = f"concrete function '{name}'"
        if name not in library:
            yield where, "it is not in the library of the graph"
        for bound in graph.concrete_functions[name].bound_inputs:
            if not 0 <= bound < len(graph.nodes):
                yield where, f"it captures object {bound}; there are {len(graph.nodes)}"


def _references(node: SavedObject, count: int) -> Iterator[str]:
    """Yield the numbers of objects that are not there."""
    for child in node.children:
        if not 0 <= child.node_id < count:
            yield f"its child '{child.local_name}' is object {child.node_id}; there are {count}"
    for slot in node.slot_variables:
        for number in (slot.original_variable_node_id, slot.slot_variable_node_id):
            if not 0 <= number < count:
                yield f"its slot '{slot.slot_name}' is of object {number}; there are {count}"
    # TensorBoard has these fields since TensorFlow 2.4 and 2.8.
    saveables = getattr(node, "saveable_objects", {})
    for name in sorted(saveables):
        for number in (saveables[name].save_function, saveables[name].restore_function):
            if not 0 <= number < count:
                yield f"its saveable '{name}' uses object {number}; there are {count}"
    for dependency in getattr(node, "dependencies", ()):
        if not 0 <= dependency.node_id < count:
            yield f"it needs object {dependency.node_id}; there are {count}"


def _content(
    node: SavedObject, graph: SavedObjectGraph, assets: int, nodes: set[str]
) -> Iterator[str]:
    """Yield what an object of each kind names and is not there."""
    kind = node.WhichOneof("kind")
    if kind == "function":
        names = list(node.function.concrete_functions)
    elif kind == "bare_concrete_function":
        names = [node.bare_concrete_function.concrete_function_name]
    else:
        names = []
    for name in names:
        if name not in graph.concrete_functions:
            yield f"its function '{name}' is none of the concrete functions"
    if kind == "asset" and not 0 <= node.asset.asset_file_def_index < assets:
        yield f"it is asset {node.asset.asset_file_def_index}; there are {assets}"
    if kind == "constant" and node.constant.operation not in nodes:
        yield f"its constant '{node.constant.operation}' is not in the graph"
    if kind == "captured_tensor" and node.captured_tensor.concrete_function not in (
        graph.concrete_functions
    ):
        name = node.captured_tensor.concrete_function
        yield f"it was captured by '{name}', which is none of the concrete functions"

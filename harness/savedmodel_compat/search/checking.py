"""Which loader looks at what of its inputs; the C++ loader answers some that the Python ones refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import reachable
from savedmodel_compat.search._mismatches import DTYPE, KINDS, MISSING, RANK, SIZE, UNKNOWN

if TYPE_CHECKING:
    from savedmodel_compat.model import MetaGraph, Signature
    from savedmodel_compat.model.schema import NodeDef

_WITH_DEFAULT = "PlaceholderWithDefault"
_PLACEHOLDERS = ("Placeholder", _WITH_DEFAULT)

# Measured over every pin: docs/search.md. The C API looks at names and dtypes. A session of Python converts numbers and even
# text of another dtype, and compares shapes. A function compares names and dtypes, and leaves shapes to its kernels. What is
# no Example only a kernel finds out.
_CHECKED = {
    "c": frozenset((MISSING, UNKNOWN, DTYPE)),
    "v1": frozenset((MISSING, UNKNOWN, RANK, SIZE)),
    "v2": frozenset((MISSING, UNKNOWN, DTYPE)),
    "keras": frozenset(),
}
# A session runs what its outputs need, and does not miss an input that nothing needs; a function wants all its arguments.
_SESSIONS = frozenset(("c", "v1"))


def checks(loader: str, kind: str, *, is_used: bool) -> bool:
    """Tell whether a loader refuses inputs of which this is wrong, whatever the graph would make of them.

    Args:
        loader: ``c``, ``v1``, ``v2`` or ``keras``.
        kind: one of `savedmodel_compat.search._mismatches.KINDS`.
        is_used: whether an output needs the input that is wrong.
    """
    assert kind in KINDS
    if kind == MISSING and loader in _SESSIONS and not is_used:
        return False
    return kind in _CHECKED[loader]


def used_inputs(meta_graph: MetaGraph, signature: Signature) -> frozenset[str]:
    """Return the aliases of the inputs that an output needs to be fed: not those that have a value where they are not.

    Args:
        meta_graph: the MetaGraph.
        signature: one of its signatures.
    """
    outputs = [name for spec in signature.outputs.values() for name in spec.tensors()]
    reached = reachable(meta_graph.proto, outputs)
    nodes = {node.name: node for node in meta_graph.proto.graph_def.node}
    return frozenset(
        alias
        for alias, spec in signature.inputs.items()
        if any((None, name.partition(":")[0]) in reached for name in spec.tensors())
        and not all(_has_value(nodes.get(name.partition(":")[0])) for name in spec.tensors())
    )


def shape_of_placeholder(meta_graph: MetaGraph, tensor: str) -> tuple[int | None, ...] | None:
    """Return the shape that a session demands of what is fed for a tensor, which a signature may have narrowed.

    Args:
        meta_graph: the MetaGraph.
        tensor: its name.

    Returns:
        None if the session knows no rank.
    """
    name = tensor.partition(":")[0]
    for node in meta_graph.proto.graph_def.node:
        if node.name == name and node.op in _PLACEHOLDERS:
            shape = node.attr["shape"].shape
            if shape.unknown_rank:
                return None
            return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return None


def _has_value(node: NodeDef | None) -> bool:
    return node is not None and node.op == _WITH_DEFAULT

"""How a model that was loaded and saved again departs from what it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat import model as saved_models
from savedmodel_compat.matrix.inputs import components
from savedmodel_compat.model.graph import ops_used

if TYPE_CHECKING:
    from collections.abc import Mapping

    from savedmodel_compat.model import MetaGraph, Signature, TensorSpec
    from savedmodel_compat.search.subject import Asked

Declared = dict[str, tuple[str, object]]

# Variables, their reading and writing, checkpoints, and what hands things on: either API has its own way of these.
_OWN_WAYS = frozenset(
    [
        "Assert",
        "Assign",
        "AssignVariableOp",
        "Const",
        "Identity",
        "IdentityN",
        "MergeV2Checkpoints",
        "NoOp",
        "Pack",
        "PartitionedCall",
        "Placeholder",
        "PlaceholderWithDefault",
        "ReadVariableOp",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StatefulPartitionedCall",
        "StaticRegexFullMatch",
        "StringJoin",
        "Select",
        "VarHandleOp",
        "VarIsInitializedOp",
        "Variable",
        "VariableV2",
        "DisableCopyOnRead",
    ]
)


def departure(asked: Asked, again: Path) -> str | None:
    """Return what is no longer there, in words; None if all is.

    Args:
        asked: the signature of the model as it was.
        again: the folder of the model that was saved again.
    """
    meta_graph = saved_models.read(again).meta_graph(asked.subject.model.tags)
    before, after = asked.signature, meta_graph.signatures.get(asked.case.signature)
    if after is None:
        return (
            f"saved again, it has the signatures {sorted(meta_graph.signatures)} and not this one"
        )
    for side in ("inputs", "outputs"):
        was, now = _declared(getattr(before, side)), _declared(getattr(after, side))
        if was != now:
            return f"saved again, its {side} are {_words(now)}, and were {_words(was)}"
    lost = _ops(asked.meta_graph) - _ops(meta_graph)
    return f"saved again, it has lost the ops {sorted(lost)}" if lost else _method(before, after)


def _method(before: Signature, after: Signature) -> str | None:
    if before.method_name == after.method_name:
        return None
    return f"saved again, its method is {after.method_name!r}, and was {before.method_name!r}"


def _declared(specs: Mapping[str, TensorSpec]) -> Declared:
    return {
        alias: (part.dtype, part.shape)
        for name, spec in specs.items()
        for alias, part in components(name, spec)
    }


def _words(declared: Declared) -> str:
    return ", ".join(f"{name} {dtype} {shape}" for name, (dtype, shape) in sorted(declared.items()))


def _ops(meta_graph: MetaGraph) -> frozenset[str]:
    return ops_used(meta_graph.proto) - _OWN_WAYS

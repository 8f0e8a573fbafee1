"""Which signatures may answer otherwise from one call to the next: they write what a later call reads, or draw at random.

It is read from the names of the ops; one that is stateful and of which nothing is known may do anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from savedmodel_compat.model import _effects
from savedmodel_compat.model.graph import ops_used, reachable, walk
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph, Signature


class Effect(Enum):
    """What an op does to a later call; the value says it in words."""

    WRITES = "writes what a later call may read"
    DRAWS = "draws at random"
    UNKNOWN = "may do anything: it is stateful, and what it does is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A node that makes a later call answer otherwise.

    Args:
        op: its op.
        node: its name.
        function: the library function that holds it; None if the graph does.
        effect: what its op does.
    """

    op: str
    node: str
    function: str | None
    effect: Effect

    @property
    def draws(self) -> bool:
        """Whether it draws at random; else it writes what a later call may read, or may do anything."""
        return self.effect is Effect.DRAWS

    def __str__(self) -> str:
        """Return it in words."""
        where = f" of function {self.function}" if self.function else ""
        return f"{self.op} at node {self.node}{where} {self.effect.value}"


def changes(meta_graph: MetaGraph, signature: Signature) -> tuple[Change, ...]:
    """Return what may make a signature answer otherwise from one call to the next, in the order of the file.

    What is written and never read counts, and so does what stands in a branch that is never taken: an empty answer says
    that the same inputs have the same answer, another one only that they may not.

    Args:
        meta_graph: the MetaGraph.
        signature: one of its signatures.
    """
    effects = _effects_of(meta_graph.proto)
    if not effects:
        return ()
    outputs = [name for spec in signature.outputs.values() for name in spec.tensors()]
    inputs = [name for spec in signature.inputs.values() for name in spec.tensors()]
    reached = reachable(meta_graph.proto, outputs, fed=inputs)
    return tuple(
        Change(
            op=found.node.op,
            node=found.node.name,
            function=found.function,
            effect=effects[found.node.op],
        )
        for found in walk(meta_graph.proto)
        if found.node.op in effects
        and (found.function, found.node.name) in reached
        and not _is_idle(found.node)
    )


def _effects_of(proto: schema.MetaGraphDef) -> dict[str, Effect]:
    """Return what each op does that may make a later call answer otherwise."""
    found: dict[str, Effect] = {}
    unknown = []
    for op in ops_used(proto):
        effect = _named(op)
        if effect is not None:
            found[op] = effect
        elif known.op(op) is None:
            unknown.append(op)
    if unknown:
        own = {op.name: op for op in proto.meta_info_def.stripped_op_list.op}
        found.update((op, Effect.UNKNOWN) for op in unknown if _is_stateful(own.get(op)))
    return found


@lru_cache(maxsize=4096)
def _named(op: str) -> Effect | None:
    """Return what an op does, by its name and TensorFlow's definition; None if it changes nothing, or is none of TensorFlow's."""
    if _effects.DRAWING.fullmatch(op):
        return Effect.DRAWS
    if _effects.WRITING.fullmatch(op):
        return Effect.WRITES
    definition = known.op(op)
    if definition is None or not _is_stateful(definition) or _effects.passes(op):
        return None
    return Effect.UNKNOWN


def _is_stateful(definition: schema.OpDef | None) -> bool:
    """Return whether an op may do more than to compute its outputs; one without a definition may."""
    if definition is None:
        return True
    args = (*definition.input_arg, *definition.output_arg)
    return definition.is_stateful or any(arg.is_ref for arg in args)


def _is_idle(node: schema.NodeDef) -> bool:
    """Return whether a node's attrs keep its op from what it may do: cuDNN draws for a dropout only."""
    return node.op.startswith("CudnnRNN") and not (
        "dropout" in node.attr and node.attr["dropout"].f
    )

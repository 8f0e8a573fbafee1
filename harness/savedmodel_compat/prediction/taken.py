"""Which outputs of nodes are taken, by other nodes or as a function's results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from savedmodel_compat.prediction.relevance import outputs_of, relevance_of

if TYPE_CHECKING:
    from savedmodel_compat.model import schema


class Varying:
    """Tells ops whose outputs are not declared alike everywhere.

    Args:
        own: the producer's definitions that the model carries, by op.
    """

    def __init__(self, own: Mapping[str, schema.OpDef]) -> None:
        self._own = own
        self._known: dict[str, bool] = {}

    def __contains__(self, op: str) -> bool:
        """Whether releases, or the model's producer, declare other outputs than others."""
        if op not in self._known:
            declared = relevance_of(op).outputs
            own = self._own.get(op)
            self._known[op] = len(declared | {outputs_of(own)} if own else declared) > 1
        return self._known[op]


def taken_outputs(
    nodes: Sequence[schema.NodeDef], varying: Varying, results: Iterable[str] = ()
) -> Mapping[str, tuple[str, ...]]:
    """Return what is taken of the nodes whose op varies, by name; nothing is said of the others.

    Args:
        nodes: of a graph, or of a body.
        varying: tells those ops.
        results: the tensors that a function returns; what is fetched of a graph is not among them, as nobody minds its type.
    """
    ops = {op for op in {node.op for node in nodes} if op in varying}
    if not ops:
        return {}
    found: dict[str, set[str]] = {node.name: set() for node in nodes if node.op in ops}
    for tensor in (*results, *(tensor for node in nodes for tensor in node.input)):
        name, _, port = tensor.partition(":")
        if name in found:
            found[name].add(port or "0")
    return {name: tuple(sorted(ports)) for name, ports in found.items()}

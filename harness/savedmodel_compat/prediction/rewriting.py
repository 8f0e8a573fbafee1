"""What Grappler makes of a body before kernels are made for it: nobody looks at the attrs of what it fuses or removes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.usage import Site, Usage

_NORMS = frozenset(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"))
_PRODUCTS = frozenset(("Conv2D", "MatMul"))
# What becomes one node with what (core/grappler/optimizers/remapper.cc).
_FUSED: Mapping[str, frozenset[str]] = {
    "BiasAdd": _PRODUCTS,
    "Conv2D": _NORMS | {"BiasAdd"},
    "MatMul": frozenset(("BiasAdd",)),
    **dict.fromkeys(_NORMS, frozenset(("Conv2D",))),
    **dict.fromkeys(("Elu", "Relu", "Relu6"), _PRODUCTS),
}
# What is removed where it changes nothing, or becomes a constant (core/grappler/optimizers/constant_folding.cc).
_REMOVED = frozenset(("AddN", "Cast", "ConcatOffset", "Fill", "Reshape", "Transpose"))


class Rewriting:
    """Which nodes of function bodies may be others when they run.

    Args:
        usage: what the MetaGraph asks for.
        release: of the consumer.
    """

    def __init__(self, usage: Usage, release: str) -> None:
        self._usage = usage
        self._fuses = loaders.FUSES_NODES.at(release)

    def may_lose(self, site: Site, op: str) -> bool:
        """Whether an attr of a node in a body may be gone when its kernel is made.

        Args:
            site: where it stands.
            op: of the node.
        """
        if op in _REMOVED:
            return True
        beside = self._ops.get(site.function, frozenset())
        return self._fuses is not False and not beside.isdisjoint(_FUSED.get(op, frozenset()))

    @cached_property
    def _ops(self) -> Mapping[str | None, frozenset[str]]:
        """The ops that stand in each body."""
        found: dict[str | None, set[str]] = {}
        for site in self._usage.sites:
            found.setdefault(site.function, set()).add(self._usage.demands[site.demand].op)
        return {function: frozenset(ops) for function, ops in found.items()}

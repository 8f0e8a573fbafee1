"""Tensors to which a load feeds the paths of assets, and which cannot be fed so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.checks.types import Absent, TensorTypes
from savedmodel_compat.model.locate import clipped
from savedmodel_compat.prediction.values import Place, Reason

if TYPE_CHECKING:
    from savedmodel_compat.model.values import MetaGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFeed:
    """A tensor that a load cannot feed as the MetaGraph says.

    Args:
        said: what is wrong, in words.
        only_cpp: whether Python feeds it all the same: it keeps what it feeds by name, and the last path holds.
        surely_fed: whether every load feeds it.
    """

    said: str
    only_cpp: bool
    surely_fed: bool


def bad_feeds(meta_graph: MetaGraph) -> tuple[BadFeed, ...]:
    """Return the tensors of assets that are not there, or are listed more than once.

    C++ feeds every asset that is listed to the restore op and to the init op (``AddAssetsTensorsToInputs`` in
    ``cc/saved_model/loader.cc``), and no session feeds a tensor twice (``core/graph/subgraph.cc``). The restore op runs only
    if there are variables.
    """
    if not meta_graph.assets or not (meta_graph.init_op or meta_graph.saver):
        return ()
    return tuple(_bad(meta_graph))


def _bad(meta_graph: MetaGraph) -> Iterator[BadFeed]:
    types = TensorTypes(meta_graph.proto)
    surely = meta_graph.init_op is not None
    names: dict[str, Counter[str]] = {}
    for asset in meta_graph.assets:
        names.setdefault(asset.tensor.removesuffix(":0"), Counter())[asset.tensor] += 1
    for spellings in names.values():
        tensor = clipped(next(iter(spellings)))
        real = types.find(next(iter(spellings)))
        if isinstance(real, Absent):
            said = f"the tensor '{tensor}' of an asset {real.why}"
            yield BadFeed(said=said, only_cpp=False, surely_fed=False)
        elif spellings.total() > 1:
            said = f"the tensor '{tensor}' is that of {spellings.total()} assets, and C++ feeds a tensor once"
            alike = len(spellings) == 1
            yield BadFeed(said=said, only_cpp=alike, surely_fed=surely and alike)


def feed_reasons(feeds: Iterable[BadFeed], loader: str) -> Iterator[Reason]:
    """Yield why a loader does not load a model with such tensors, or may not.

    Args:
        feeds: the tensors.
        loader: ``c``, ``v1`` or ``v2``.
    """
    for feed in feeds:
        if loader == "c" or not feed.only_cpp:
            yield Reason(
                cause="init-failed",
                place=Place.INIT,
                certain=loader == "c" and feed.surely_fed,
                message=feed.said,
            )

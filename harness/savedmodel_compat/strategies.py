"""Hypothesis strategies for the inputs of signatures; they need the extra ``[hypothesis]``.

What they draw is what workers take: a dict of arrays by alias, strings as object arrays of bytes, and of a composite input one
array for each of its parts (``alias/values``, ``alias/0``, …). Everything shrinks to the smallest shape, and in it to zeros
and empty strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.matrix.examples import Feature, encode_example
from savedmodel_compat.matrix.inputs import Wanted, wanted
from savedmodel_compat.search._elements import elements, repeated
from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.search._inputs import Edges, input_parts
from savedmodel_compat.search._mismatches import Mismatch, mismatches
from savedmodel_compat.search._sizes import Shape, Sizes, most_rows
from savedmodel_compat.search.signatures import DrawnInput, DrawnSignature, signatures

if TYPE_CHECKING:
    from savedmodel_compat.model import MetaGraph, Signature

__all__ = [
    "DrawnInput",
    "DrawnSignature",
    "Feature",
    "Mismatch",
    "examples",
    "from_signature",
    "mismatched",
    "signatures",
]

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

_MOST_VALUES = 4


def from_signature(
    signature: Signature,
    meta_graph: MetaGraph | None = None,
    *,
    edges: Edges = True,
    batch: int | None = None,
    defaults: bool = True,
) -> st.SearchStrategy[Arrays]:
    """Return a strategy for inputs that fit a signature.

    Open dimensions are 0, 1, odd and large (up to 1025, and 16384 elements an input); mostly the first ones of all inputs are
    equal, and the second ones, as models want it. An unknown rank is 0 to 4.

    Args:
        signature: what the inputs have to fit.
        meta_graph: of the signature; its graph may know more of a shape, and which features Examples need. None: what the
            signature says is all.
        edges: whether the edges of each dtype are drawn too: NaN with and without payload, infinities, denormals, -0.0, the
            extremes, binary strings and invalid UTF-8. Without them numbers are small and exact, and strings are words. With
            ``"one"`` at most one element of an input is NaN, an infinity or an odd string.
        batch: the size of all first dimensions that are open; None draws it.
        defaults: whether an input with a default is given it; else it is drawn like any other.

    Raises:
        UnsupportedError: an input has a dtype that no array has, or needs Examples that the graph does not describe.
    """
    needed = _needed(signature, meta_graph)
    for each in needed.values():
        for part in _parts(each):
            elements(part, edges=edges is True)
    return _feeds(
        {
            alias: each if defaults or each.default is None else _without_default(each)
            for alias, each in needed.items()
        },
        edges,
        batch,
    )


def mismatched(
    signature: Signature, meta_graph: MetaGraph | None = None
) -> st.SearchStrategy[Mismatch]:
    """Return a strategy for inputs that do not fit a signature, each with what is wrong.

    One thing is wrong at a time: an input is missing, has another dtype, another rank or another size where the signature
    gives one, or holds what is no Example; or there is one that the signature lacks. The rest is drawn as `from_signature` does
    without edges.

    Args:
        signature: what the inputs must not fit.
        meta_graph: of the signature, as for `from_signature`.

    Raises:
        UnsupportedError: as `from_signature` does.
    """
    return mismatches(
        _needed(signature, meta_graph), from_signature(signature, meta_graph, edges=False)
    )


def examples(
    feature_spec: Mapping[str, tuple[str, Shape]] | Sequence[Feature], *, edges: bool = True
) -> st.SearchStrategy[bytes]:
    """Return a strategy for serialized ``tf.train.Example`` messages.

    Args:
        feature_spec: by name, each feature's dtype (``float32``, ``int64`` or ``string``) and the shape of its values, None for a
            dimension of any size: ``{"age": ("float32", ()), "words": ("string", (None,))}``; or what a graph says of them.
        edges: whether the edges of each dtype are drawn too.
    """
    if not isinstance(feature_spec, Mapping):
        return _examples(tuple(feature_spec), edges)
    features = (
        Feature(name=name if isinstance(name, bytes) else name.encode(), dtype=dtype, shape=shape)
        for name, (dtype, shape) in feature_spec.items()
    )
    return _examples(tuple(features), edges)


def _needed(signature: Signature, meta_graph: MetaGraph | None) -> dict[str, Wanted]:
    if meta_graph is not None:
        return wanted(signature, meta_graph)
    return {
        alias: Wanted(spec=spec, default=signature.defaults.get(alias), features=None)
        for alias, spec in signature.inputs.items()
    }


def _parts(each: Wanted) -> list[str]:
    """Return the dtypes that are drawn of an input."""
    if each.default is not None:
        return []
    from savedmodel_compat.matrix.inputs import components

    return [part.dtype for _, part in components("", each.spec)]


def _without_default(each: Wanted) -> Wanted:
    return Wanted(spec=each.spec, default=None, features=each.features)


@st.composite
def _feeds(draw: Any, needed: Mapping[str, Wanted], edges: Edges, batch: int | None) -> Arrays:
    tied = len(needed) < 2 or draw(st.sampled_from((True, True, True, False)))
    # Inputs of one batch have as many rows as the widest of them may have.
    most = [most_rows(each.spec.shape) for each in needed.values() if each.default is None]
    sizes = Sizes(draw=draw, tied=tied, batch=batch, most_rows=min(most, default=1))
    feed: Arrays = {}
    for alias, each in needed.items():
        if each.default is not None:
            feed[alias] = each.default
        elif each.features is not None:
            feed[alias] = _array_of_examples(
                draw, each.features, edges, sizes.shape(each.spec.shape)
            )
        else:
            feed.update(input_parts(draw, alias, each.spec, sizes, edges=edges))
    return feed


def _array_of_examples(
    draw: Any, features: tuple[Feature, ...], edges: Edges, shape: tuple[int, ...]
) -> Array:
    drawn = _examples(features, edges is True)
    few = draw(st.lists(drawn, min_size=1, max_size=_MOST_VALUES))
    return repeated(few, "string", shape)


@st.composite
def _examples(draw: Any, features: tuple[Feature, ...], edges: bool) -> bytes:
    sizes = Sizes(draw=draw, tied=False)
    values = {}
    for feature in features:
        few = draw(
            st.lists(elements(feature.dtype, edges=edges), min_size=1, max_size=_MOST_VALUES)
        )
        shape = tuple(sizes.length() if size is None else size for size in feature.shape)
        values[feature.name] = repeated(few, feature.dtype, shape)
    return encode_example(values)

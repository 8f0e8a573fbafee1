"""One input of a signature, dense, sparse, ragged or otherwise composite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from savedmodel_compat.matrix.inputs import RAGGED, SPARSE, sparse_shape
from savedmodel_compat.model.values import Encoding
from savedmodel_compat.search._elements import elements, kind_of, repeated, strays
from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.search._sizes import Draw, Sizes

if TYPE_CHECKING:
    from savedmodel_compat.model.values import TensorSpec

Array = np.ndarray[Any, Any]
Edges = bool | Literal["one"]

ONE: Literal["one"] = "one"
"""At most one element of an input is at an edge of its dtype."""

# Few values, repeated, tell an element from its neighbours, and take a fraction of the time of one draw for each element.
_MOST_VALUES = 4
_MOST_SET = 5


def input_parts(
    draw: Draw, alias: str, spec: TensorSpec, sizes: Sizes, *, edges: Edges
) -> Iterator[tuple[str, Array]]:
    """Yield the dense tensors of an input with their names, as a request gives them.

    Args:
        draw: Hypothesis' function.
        alias: of the input.
        spec: what it has to be.
        sizes: of this set of inputs.
        edges: whether the edges of its dtype are drawn too; see `savedmodel_compat.strategies.from_signature`.
    """
    if not spec.components:
        yield alias, _dense(draw, spec.dtype, sizes.shape(spec.shape), edges)
    elif spec.encoding is Encoding.SPARSE:
        parts = _sparse(draw, spec.dtype, sizes.shape(sparse_shape(spec)), edges)
        yield from ((f"{alias}/{part}", parts[part]) for part in spec.components)
    elif spec.type_spec in SPARSE:
        dtype = list(spec.components.values())[1].dtype
        parts = _sparse(draw, dtype, sizes.shape(sparse_shape(spec)), edges)
        names = ("indices", "values", "dense_shape")
        yield from ((f"{alias}/{at}", parts[name]) for at, name in enumerate(names))
    elif spec.type_spec in RAGGED:
        yield from _ragged(draw, alias, list(spec.components.values()), sizes, edges)
    else:
        for part, inner in spec.components.items():
            yield from input_parts(draw, f"{alias}/{part}", inner, sizes, edges=edges)


def _dense(draw: Draw, dtype: str, shape: tuple[int, ...], edges: Edges) -> Array:
    """Return few values, repeated, and mostly one element that is another: what looks at all of them sees it, and finds it."""
    drawn = elements(dtype, edges=edges is True)
    few = draw(st.lists(drawn, min_size=1, max_size=_MOST_VALUES))
    array = repeated(few, dtype, shape)
    if array.size > 1 and draw(st.booleans()):
        stray = strays(dtype) if edges == ONE else drawn
        array[np.unravel_index(draw(st.integers(0, array.size - 1)), shape)] = draw(stray)
    return array


def _sparse(draw: Draw, dtype: str, shape: tuple[int, ...], edges: Edges) -> dict[str, Array]:
    """Return the parts of a sparse tensor of a shape, its indices in order and each once."""
    count = int(np.prod(shape, dtype=np.int64))
    places = sorted(draw(st.sets(st.integers(0, count - 1), max_size=_MOST_SET))) if count else []
    unravelled = np.array(np.unravel_index(places, shape) if places else np.empty((len(shape), 0)))
    return {
        "indices": unravelled.T.astype(np.int64).reshape(len(places), len(shape)),
        "values": _dense(draw, dtype, (len(places),), edges),
        "dense_shape": np.array(shape, dtype=np.int64),
    }


def _ragged(
    draw: Draw, alias: str, parts: list[TensorSpec], sizes: Sizes, edges: Edges
) -> Iterator[tuple[str, Array]]:
    """Yield the flat values of a ragged tensor and then its row splits, the outermost first."""
    values, splits = parts[0], parts[1:]
    [rows] = sizes.shape(((splits[0].shape or (None,))[0],))
    rows = rows - 1 if (splits[0].shape or (None,))[0] is not None else rows
    made = []
    for spec in splits:
        lengths = [draw(st.integers(0, 3)) for _ in range(min(rows, 4))]
        lengths = list(np.resize(lengths, rows)) if rows else []
        made.append(np.concatenate([[0], np.cumsum(lengths)]).astype(kind_of(spec.dtype)))
        rows = int(made[-1][-1])
    inner = sizes.shape(tuple((values.shape or (None,))[1:]))
    yield f"{alias}/0", _dense(draw, values.dtype, (rows, *inner), edges)
    yield from ((f"{alias}/{at}", each) for at, each in enumerate(made, start=1))

"""The data sets of a golden: from one set of inputs that a signature is known to take, others that look elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    from savedmodel_compat.matrix._feeds import Array, Arrays
    from savedmodel_compat.matrix.models import Case
    from savedmodel_compat.model import TensorSpec

TYPICAL, ONE, MANY, EDGES = "typical", "one", "many", "edges"
NAMES = (TYPICAL, ONE, MANY, EDGES)
"""All of them, in the order in which they are recorded."""

_MANY = 17
_STRINGS = (b"", b"\0", b"a", b"\xff\xfe", b"zero at the end\0", b"x" * 300)
# An infinity or NaN has no one right answer: releases differ in what a maximum of NaN is, and both are right.
_EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 100.0, -100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One set of inputs that is to be recorded.

    Args:
        name: of its data set.
        inputs: the arrays by alias.
        why: what it is for.
        optional: whether a signature may refuse it, since nobody said that it takes that.
    """

    name: str
    inputs: Arrays
    why: str
    optional: bool = True


def feeds_of(
    case: Case,
    specs: Mapping[str, TensorSpec],
    typical: Arrays,
    *,
    names: tuple[str, ...] = NAMES,
    said: str = "as the exporter recorded it",
) -> Iterator[Feed]:
    """Yield the sets of inputs that are recorded for a signature.

    One and many are a batch of the typical ones, where the signature leaves the size of its batch open; edges are zeros of
    both signs, ones, large and small values, the ends of integer types, and strings that are no text.

    Args:
        case: the signature.
        specs: its dense inputs by alias.
        typical: inputs that it takes.
        names: which of them.
        said: where the typical ones are from.
    """
    if TYPICAL in names:
        yield Feed(name=TYPICAL, inputs=typical, why=said, optional=False)
    size = _batch(specs, typical)
    if size is not None and ONE in names:
        one = {alias: array[:1] for alias, array in typical.items()}
        yield Feed(name=ONE, inputs=one, why="a batch of one")
    if size is not None and MANY in names:
        rows = np.arange(_MANY) % size
        many = {alias: array[rows] for alias, array in typical.items()}
        yield Feed(name=MANY, inputs=many, why=f"a batch of {_MANY}")
    if EDGES in names and typical:
        values = {port.alias: _edge_values(port.dtype) for port in case.inputs}
        height = _height(values, typical) if size is not None else None
        edges = {a: _edges(values[a], array.shape, height) for a, array in typical.items()}
        yield Feed(name=EDGES, inputs=edges, why="zeros, ends of ranges, strings that are no text")


def _batch(specs: Mapping[str, TensorSpec], typical: Arrays) -> int | None:
    """Return the size of the batch that all inputs share and the signature leaves open; None if there is none."""
    shapes = [specs[alias].shape if alias in specs else () for alias in typical]
    if not shapes or any(not shape or shape[0] is not None for shape in shapes):
        return None
    sizes = {array.shape[0] for array in typical.values()}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else None


def _height(values: Arrays, typical: Arrays) -> int:
    """Return the rows of a batch in which every edge has its place."""
    in_a_row = {alias: max(1, math.prod(array.shape[1:])) for alias, array in typical.items()}
    wanted = [math.ceil(len(values[alias]) / count) for alias, count in in_a_row.items()]
    height: int = max([*wanted, *(array.shape[0] for array in typical.values())])
    return height


def _edges(values: Array, shape: tuple[int, ...], height: int | None) -> Array:
    """Return edges in a shape, of so many rows where the batch is open, taken in turn."""
    shape = shape if height is None else (height, *shape[1:])
    count = int(np.prod(shape, dtype=np.int64))
    picked: Array = values[np.arange(count) % len(values)].reshape(shape)
    return picked


def _edge_values(dtype: str) -> Array:
    name = dtype.removesuffix("_ref")
    kind = dtype_from_name(name).numpy
    assert kind is not None  # there was an array of it
    if name == "string":
        strings = np.empty(len(_STRINGS), dtype=object)
        strings[:] = _STRINGS
        return strings
    if name == "bool":
        return np.array([True, False])
    if "float" in name or name == "half":
        least = [float(ml_dtypes.finfo(kind).smallest_normal)]
        return np.array([*_EDGES, *least]).astype(kind)
    if name.startswith("complex"):
        return np.array(
            [complex(a, -b) for a, b in zip(_EDGES, reversed(_EDGES), strict=True)]
        ).astype(kind)
    ends: Any = ml_dtypes.iinfo(kind)
    return np.array([0, 1, int(ends.max), int(ends.min)], dtype=object).astype(kind)

"""Whether the slices of a partitioned tensor cover it, once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from savedmodel_compat.model.checkpoint import Slice, TensorEntry

_NEIGHBOURS = 32


def faults(tensor: TensorEntry) -> Iterator[str]:
    """Yield, in words, what is wrong with the slices of a tensor; nothing if it has none."""
    covered = 0
    whole = True
    for part in tensor.slices:
        why = _fault(tensor, part)
        covered += math.prod(length for _, length in part.extents)
        if why:
            whole = False
            yield f"slice {shown(part)}: {why}"
    if not tensor.slices or not whole:
        return
    overlap = _overlap(tensor)
    if overlap:
        yield f"slices {shown(overlap[0])} and {shown(overlap[1])} overlap"
    elif covered != tensor.elements:
        yield f"the {len(tensor.slices)} slices hold {covered} of {tensor.elements} elements"


def shown(part: Slice) -> str:
    """Return a slice as TensorFlow writes it, such as ``0,5:0,10``."""
    return ":".join(f"{start},{length}" for start, length in part.extents[:8]) or "of a scalar"


def _fault(tensor: TensorEntry, part: Slice) -> str | None:
    for (start, length), size in zip(part.extents, tensor.shape, strict=True):
        if start < 0 or start + length > size:
            return f"it is not within the shape {list(tensor.shape[:8])}"
    if part.entry is None:
        return "it is not stored"
    if part.entry.dtype != tensor.dtype:
        return f"it is stored as {part.entry.dtype}, the tensor is {tensor.dtype}"
    if part.entry.shape != tuple(length for _, length in part.extents):
        return f"it is stored with the shape {list(part.entry.shape[:8])}"
    return None


def _overlap(tensor: TensorEntry) -> tuple[Slice, Slice] | None:
    """Return two slices that share an element.

    Those of a tensor that is cut along one dimension are all compared with their neighbours there; of
    other ones, each with so many of the following as there mostly are beside it.
    """
    parts = [part for part in tensor.slices if all(length for _, length in part.extents)]
    if not parts or not tensor.shape:
        return (parts[0], parts[1]) if len(parts) > 1 else None
    axes = range(len(tensor.shape))
    axis = max(axes, key=lambda axis: len({part.extents[axis] for part in parts}))
    parts.sort(key=lambda part: part.extents[axis])
    for index, part in enumerate(parts):
        start, length = part.extents[axis]
        for other in parts[index + 1 : index + 1 + _NEIGHBOURS]:
            if other.extents[axis][0] >= start + length:
                break
            if _meet(part, other):
                return part, other
    return None


def _meet(one: Slice, other: Slice) -> bool:
    return all(
        a < b + m and b < a + n for (a, n), (b, m) in zip(one.extents, other.extents, strict=True)
    )

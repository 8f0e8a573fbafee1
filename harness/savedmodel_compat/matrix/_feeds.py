"""What the two sources of inputs, made up and given, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from savedmodel_compat.model.values import TensorSpec

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]
"""Dense tensors by alias; strings are object arrays of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The sets of inputs of one signature.

    Args:
        feeds: the sets; a signature without inputs has one, empty.
        problem: why there is none, in words; None if there is one.
    """

    feeds: tuple[Arrays, ...] = ()
    problem: str | None = None


def components(alias: str, spec: TensorSpec) -> list[tuple[str, TensorSpec]]:
    """Return the dense tensors that an input or output is made of, each with a name of its own.

    A dense one keeps its alias. A sparse one gives ``alias/values``, ``alias/indices`` and
    ``alias/dense_shape``, a composite one ``alias/0``, ``alias/1``, …; a composite one within it
    lengthens the name once more.
    """
    if not spec.components:
        return [(alias, spec)]
    parts = spec.components.items()
    return [dense for name, part in parts for dense in components(f"{alias}/{name}", part)]

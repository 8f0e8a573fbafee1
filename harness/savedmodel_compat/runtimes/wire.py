"""Arrays on their way to a worker and back; see ``worker/_frames.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import DTYPES, dtype_from_name

Arrays = Mapping[str, np.ndarray[Any, Any]]
"""Dense tensors by alias; strings are object arrays of bytes."""


def to_wire(name: str, array: np.ndarray[Any, Any], dtype: str | None = None) -> _frames.Tensor:
    """Return an array as it travels; see ``worker/_frames.py``.

    Args:
        name: its alias.
        array: its values; strings as bytes, or as text that becomes UTF-8.
        dtype: TensorFlow's name of the element type, where numpy has none of its own (``qint8`` is held as ``int8``); it
            is not a cast.
    """
    if array.dtype.kind in "SUO":
        items = [i if isinstance(i, bytes) else str(i).encode() for i in array.ravel()]
        return _frames.Tensor(name, "string", array.shape, _frames.pack_strings(items))
    held = dtype is not None and dtype_from_name(dtype).numpy == array.dtype
    sent = dtype if dtype is not None and held else array.dtype.name
    return _frames.Tensor(name, sent, array.shape, array.tobytes())


def from_wire(tensor: _frames.Tensor) -> np.ndarray[Any, Any]:
    """Return an array from its wire form; elements that numpy cannot hold become void ones of their size."""
    count = int(np.prod(tensor.shape, dtype=np.int64))
    if tensor.dtype == "string":
        array = np.empty(count, dtype=object)
        array[:] = _frames.unpack_strings(tensor.data, count)
        return array.reshape(tensor.shape)
    kind = _numpy_of(tensor.dtype) or np.dtype(f"V{len(tensor.data) // max(count, 1)}")
    return np.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape)


def _numpy_of(dtype: str) -> np.dtype[Any] | None:
    found = [known for known in DTYPES if known.name == dtype]
    return found[0].numpy if found else None

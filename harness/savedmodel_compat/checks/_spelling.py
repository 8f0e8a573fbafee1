"""How TensorFlow spells the names of nodes and of devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# As IsValidNodeName in core/common_runtime/graph_constructor.cc; 1.15 does not know the >.
_PIECE = r"[A-Za-z0-9.][A-Za-z0-9_./-]*"
_NAME = re.compile(rf"{_PIECE}(?:>{_PIECE})*")
_NAMES = re.compile(rf"(?:{_PIECE}(?:>{_PIECE})*(?:\n|\Z))*")
# What both core/util/device_name_utils.cc and python/framework/device_spec.py read.
_NUMBER = r"(?:\*|[0-9]+)"
_DEVICE = re.compile(
    rf"/|(?:/job:(?:\*|[A-Za-z][A-Za-z0-9_]*)|/replica:{_NUMBER}|/task:{_NUMBER}"
    rf"|/device:(?:\*|[A-Za-z][A-Za-z0-9_]*):{_NUMBER}|/(?:cpu|CPU|gpu|GPU):{_NUMBER})*"
)


def malformed_names(names: Sequence[str]) -> Iterator[str]:
    """Yield those that no node may have; empty ones are left to others."""
    joined = "\n".join(names)
    # One look at all of them together is enough for nearly every graph.
    if joined.count("\n") == len(names) - 1 and _NAMES.fullmatch(joined):
        return
    for name in names:
        if name and not _NAME.fullmatch(name):
            yield name


def is_device(text: str) -> bool:
    """Whether every loader can read the name of a device; whether there is one is another matter."""
    return _DEVICE.fullmatch(text) is not None

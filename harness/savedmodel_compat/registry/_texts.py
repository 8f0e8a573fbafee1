"""Kernels in words, as releases tell them that have no list of them.

``KernelsRegisteredForOp`` (tensorflow/core/framework/op_kernel.cc) writes a line for each kernel, such
as ``  device='CPU'; label='eigen'; T in [DT_FLOAT, DT_HALF]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from savedmodel_compat.model import schema
from savedmodel_compat.tensors import DTYPES

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import KernelDef

_NONE = "  <no registered kernels>"
_LINE = re.compile(r"  device='([^']*)'(?:; label='([^']*)')?((?:; \w+ in \[[^]]*])*)")
_CONSTRAINT = re.compile(r"; (\w+) in \[([^]]*)]")
_NUMBERS = {dtype.enum_name: dtype.number for dtype in DTYPES}


def kernels_in(text: str) -> Iterator[KernelDef]:
    """Yield the kernels of an op that a text tells of, without the op's name.

    Args:
        text: a line for each kernel.

    Raises:
        ValueError: a line is none of a kernel.
    """
    for line in text.splitlines():
        if line != _NONE:
            yield _kernel(line)


def _kernel(line: str) -> KernelDef:
    matched = _LINE.fullmatch(line)
    if matched is None:
        raise ValueError(f"this line tells of no kernel: {line!r}")
    device, label, constraints = matched.groups()
    kernel = schema.KernelDef(device_type=device, label=label or "")
    for attr, types in _CONSTRAINT.findall(constraints):
        allowed = kernel.constraint.add(name=attr).allowed_values
        allowed.list.type.extend(_number(name, line) for name in types.split(", "))
    return kernel


def _number(dtype: str, line: str) -> int:
    try:
        return _NUMBERS[dtype]
    except KeyError as error:
        raise ValueError(f"{dtype!r} is no dtype in this line: {line!r}") from error

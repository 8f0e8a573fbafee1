"""Whether a Const carries the value that it declares; no value is unpacked."""

from __future__ import annotations

import math
import re
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.tensors import DType, content_size, dtype_from_enum, dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import NodeDef, TensorProto

_MOST = 2**63 - 1
_DIMENSIONS = 254
_BITS = re.compile(r"\d+")
_NO_SIZE = ("object", None)
_COMPLEX = ("scomplex_val", "dcomplex_val")


def problem(node: NodeDef) -> str | None:
    """Return what is wrong with a Const, in words; None if nothing is.

    The rules are those of ``ValidateSavedTensors`` (``cc/saved_model/loader.cc``), of the op's kernel
    (``core/kernels/constant_op.cc``) and of ``Tensor::FromProto`` (``core/framework/tensor.cc``), which
    repeats the last value of a list that is too short. In a function body, value and type may be
    placeholders that the caller binds.
    """
    attrs = node.attr
    if "value" not in attrs:
        return "has no value"
    value = attrs["value"]
    kind = value.WhichOneof("value")
    if kind == "placeholder":
        return None
    if kind != "tensor":
        return "has a value that is no tensor"
    return _of_type(node, value.tensor) or _of_shape(value.tensor)


def _of_type(node: NodeDef, tensor: TensorProto) -> str | None:
    if "dtype" not in node.attr:
        return "has no dtype"
    declared = node.attr["dtype"]
    if declared.WhichOneof("value") == "placeholder" or declared.type == tensor.dtype:
        return None
    return f"is declared as {dtype_name(declared.type)}, but its value is {dtype_name(tensor.dtype)}"


def _of_shape(tensor: TensorProto) -> str | None:
    shape = tensor.tensor_shape
    if shape.unknown_rank:
        return "has a value of unknown rank"
    sizes = [dim.size for dim in shape.dim]
    if sizes and min(sizes) < 0:
        return f"has a value of the shape {_shown(sizes)}, with a negative dimension"
    if len(sizes) > _DIMENSIONS:
        return f"has a value of {len(sizes)} dimensions; TensorFlow has at most {_DIMENSIONS}"
    # A later size of 0 does not mend what overflowed before.
    if max(accumulate(sizes, mul), default=1) > _MOST:
        return f"has a value of the shape {_shown(sizes)}, which has too many elements to count"
    try:
        dtype = dtype_from_enum(tensor.dtype)
    except UnsupportedError:
        return None if tensor.dtype else "has a value without a dtype"
    return _of_size(tensor, dtype, sizes)


def _of_size(tensor: TensorProto, dtype: DType, sizes: list[int]) -> str | None:
    count = math.prod(sizes)
    content = content_size(tensor)
    if content:
        if dtype.array_name in _NO_SIZE or content == count * _item_size(dtype):
            return None
        return (
            f"is {dtype.name} of shape {_shown(sizes)}, which takes {count * _item_size(dtype)} bytes,"
            f" but has {content}"
        )
    if dtype.field is None:
        return None
    listed = len(getattr(tensor, dtype.field, ()))
    if dtype.field in _COMPLEX:
        listed = (listed + 1) // 2
    if listed <= count:
        return None
    return f"is {dtype.name} of shape {_shown(sizes)}, which has {count} values, but lists {listed}"


def _item_size(dtype: DType) -> int:
    """Return the bytes of an element in ``tensor_content``; types of less than a byte take a whole one."""
    bits = _BITS.search(dtype.array_name or "")
    return max(1, int(bits[0]) // 8) if bits else 1


def _shown(sizes: list[int]) -> str:
    return str(sizes) if len(sizes) <= 8 else f"[{', '.join(map(str, sizes[:8]))}, …]"

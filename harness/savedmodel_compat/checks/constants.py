"""Whether a Const carries the value that it declares; no value is unpacked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.tensors import content_size, dtype_from_enum, dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, NodeDef, TensorProto

_MOST = 2**63 - 1
_DIMENSIONS = 254
_BITS = re.compile(r"\d+")
_NO_SIZE = ("object", None)
_COMPLEX = ("scomplex_val", "dcomplex_val")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a Const.

    Args:
        rule: that it breaks.
        words: what it has or is.
        when_run: whether no loader minds, until the node is run or its value is read.
    """

    rule: str
    words: str
    when_run: bool = False


def problem(node: NodeDef) -> Problem | None:
    """Return the rule that a Const breaks, and how; None if it breaks none.

    The rules are those of ``ValidateSavedTensors`` (``cc/saved_model/loader.cc``), of the op's kernel
    (``core/kernels/constant_op.cc``) and of ``Tensor::FromProto`` (``core/framework/tensor.cc``), which
    repeats the last value of a list that is too short and drops what is too much. In a function
    body, value and type may be placeholders that the caller binds.
    """
    attrs = node.attr
    if "value" not in attrs:
        return _refused("has no value")
    value = attrs["value"]
    kind = value.WhichOneof("value")
    if kind == "placeholder":
        return None
    if kind != "tensor":
        return _refused("has a value that is no tensor")
    if "dtype" not in attrs:
        return _refused("has no dtype")
    return (
        _of_shape(value.tensor) or _of_type(attrs["dtype"], value.tensor) or _of_size(value.tensor)
    )


def _refused(words: str) -> Problem:
    return Problem(rule="M2", words=words)


def _of_type(declared: AttrValue, tensor: TensorProto) -> Problem | None:
    if declared.type == tensor.dtype or declared.WhichOneof("value") == "placeholder":
        return None
    words = (
        f"is declared as {dtype_name(declared.type)}, but its value is {dtype_name(tensor.dtype)}"
    )
    return Problem(rule="M2", words=words, when_run=True)


def _of_shape(tensor: TensorProto) -> Problem | None:
    shape = tensor.tensor_shape
    if shape.unknown_rank:
        return _refused("has a value of unknown rank")
    sizes = [dim.size for dim in shape.dim]
    if len(sizes) > _DIMENSIONS:
        words = f"has a value of {len(sizes)} dimensions; TensorFlow has at most {_DIMENSIONS}"
        return _refused(words)
    count = 1
    for size in sizes:
        if size < 0:
            return _refused(f"has a value of the shape {_shown(sizes)}, with a negative dimension")
        count *= size
        # A later size of 0 does not mend it.
        if count > _MOST:
            return _refused(
                f"has a value of the shape {_shown(sizes)}, which has too many elements to count"
            )
    return None


def _of_size(tensor: TensorProto) -> Problem | None:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    count = prod(sizes)
    if not tensor.dtype:
        return Problem(rule="M2", words="has a value without a dtype", when_run=True)
    item, field = _storage(tensor.dtype)
    content = content_size(tensor)
    if content:
        if item is None or content == count * item:
            return None
        words = f"{_named(tensor, sizes)} takes {count * item} bytes, but has {content}"
        # Without elements, no loader looks at the content.
        return Problem(rule="M2" if count else "M17", words=words, when_run=bool(count))
    listed = len(getattr(tensor, field, ()))
    if field in _COMPLEX:
        listed = (listed + 1) // 2
    if listed <= count:
        return None
    words = f"{_named(tensor, sizes)} has {count} values, but lists {listed}: the rest is dropped"
    return Problem(rule="M17", words=words)


@cache
def _storage(number: int) -> tuple[int | None, str]:
    """Return the bytes of an element in ``tensor_content``, and the field that lists elements.

    Types of less than a byte take a whole one; None is returned for those of no fixed size, and for
    what is not known here, as no field is.
    """
    try:
        dtype = dtype_from_enum(number)
    except UnsupportedError:
        return None, ""
    if dtype.array_name in _NO_SIZE:
        return None, dtype.field or ""
    bits = _BITS.search(dtype.array_name or "")
    return (max(1, int(bits[0]) // 8) if bits else 1), dtype.field or ""


def _named(tensor: TensorProto, sizes: list[int]) -> str:
    return f"is {dtype_name(tensor.dtype)} of shape {_shown(sizes)}, which"


def _shown(sizes: list[int]) -> str:
    return str(sizes) if len(sizes) <= 8 else f"[{', '.join(map(str, sizes[:8]))}, …]"

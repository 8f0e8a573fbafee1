"""What TensorFlow Serving takes: signatures for Classify and Regress requests, and tensors for inputs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sized
from itertools import islice

from savedmodel_compat.checks._many import clipped
from savedmodel_compat.checks.types import compatible, shape_text
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.model import schema
from savedmodel_compat.model.values import Encoding, Signature, TensorSpec
from savedmodel_compat.tensors import (
    DType,
    content_size,
    dtype_from_enum,
    dtype_name,
    shape_from_proto,
)

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
DEFAULT_KEY = "serving_default"
SERVE = "serve"
_SHOWN = 10
_MOST_DIMENSIONS = 254
_DIGITS = re.compile(r"\d+")


def classify_faults(signature: Signature) -> Iterator[str]:
    """Yield what TensorFlow Serving's classifier.cc does not take of a signature, in words."""
    yield from _input_faults(signature)
    if not signature.outputs.keys() & {"classes", "scores"}:
        yield f"its outputs are {named(signature.outputs)}; 'classes' or 'scores' must be there"
    elif len(signature.outputs) > 2:
        yield f"it has {len(signature.outputs)} outputs, {named(signature.outputs)}; at most 2 are taken"
    for alias, dtype in (("classes", "string"), ("scores", "float32")):
        spec = signature.outputs.get(alias)
        if spec is None:
            continue
        if spec.dtype != dtype:
            yield f"output '{alias}' is {spec.dtype}, and must be {dtype}"
        if spec.shape is not None and len(spec.shape) != 2:
            yield f"output '{alias}' has the shape {shape_text(spec.shape)}, and must be of rank 2"


def regress_faults(signature: Signature) -> Iterator[str]:
    """Yield what TensorFlow Serving's regressor.cc does not take of a signature, in words."""
    yield from _input_faults(signature)
    if signature.outputs.keys() != {"outputs"}:
        yield f"its outputs are {named(signature.outputs)}; it must have 'outputs' and no other"
    spec = signature.outputs.get("outputs")
    if spec is None:
        return
    if spec.dtype != "float32":
        yield f"output 'outputs' is {spec.dtype}, and must be float32"
    if not (compatible(spec.shape, (None,)) or compatible(spec.shape, (None, 1))):
        yield f"output 'outputs' has the shape {shape_text(spec.shape)}, and must be [n] or [n, 1]"


def tensor_fault(tensor: schema.TensorProto) -> str | None:
    """Return why no TensorFlow makes a tensor of a TensorProto, in words after "it"; None if it does.

    That is what ``Tensor::FromProto`` in ``core/framework/tensor.cc`` refuses. Nothing is allocated:
    a small message can ask for a huge tensor.
    """
    try:
        dtype = dtype_from_enum(tensor.dtype)
    except UnsupportedError:
        return f"has the type {dtype_name(tensor.dtype)}, which is none"
    shape = tensor.tensor_shape
    if len(shape.dim) > _MOST_DIMENSIONS:
        return f"has {len(shape.dim)} dimensions; TensorFlow has at most {_MOST_DIMENSIONS}"
    sizes = [int(dim.size) for dim in shape.dim]
    if shape.unknown_rank or min(sizes, default=0) < 0:
        return "has a shape that is not known"
    count = math.prod(sizes)
    if count >= 1 << 63:
        return f"has the shape {shape_text(sizes)}, which has too many values to count"
    size, width = content_size(tensor), _width(dtype)
    if size and width and size != count * width:
        return (
            f"holds {size} bytes, but {dtype.name} of the shape {shape_text(sizes)} takes"
            f" {count * width}"
        )
    return None


def _width(dtype: DType) -> int:
    """Return the bytes of one value in ``tensor_content``; 0 if they are not known.

    It goes by the name, since numpy takes long to import; what is smaller than a byte takes one.
    """
    digits = _DIGITS.search(dtype.array_name or "")
    if dtype.array_name == "bool":
        return 1
    return max(1, int(digits[0]) // 8) if digits else 0


def feed_fault(tensor: schema.TensorProto, spec: TensorSpec | None) -> str | None:
    """Return why a tensor cannot be fed to an input, in words after "it"; None if it can."""
    if spec is None:
        return "is of an input that the signature has not"
    fault = tensor_fault(tensor)
    if fault is not None or spec.encoding is not Encoding.DENSE:
        return fault
    dtype = dtype_name(tensor.dtype)
    if dtype != spec.dtype.removesuffix("_ref"):
        return f"is {dtype}, but the signature says {spec.dtype}"
    shape = shape_from_proto(tensor.tensor_shape)
    if not compatible(shape, spec.shape):
        return f"has the shape {shape_text(shape)}, but the signature says {shape_text(spec.shape)}"
    return None


def named(names: Iterable[str], total: int | None = None) -> str:
    """Return names as a list for a message, cut off where it gets long.

    Args:
        names: sorted, as those of a signature are.
        total: how many there are; None if they can be counted.
    """
    first = [f"'{clipped(name)}'" for name in islice(names, _SHOWN)]
    if total is None:
        total = len(names) if isinstance(names, Sized) else len(first)
    more = f" and {total - len(first)} more" if total > len(first) else ""
    return (", ".join(first) or "none") + more


def _input_faults(signature: Signature) -> Iterator[str]:
    if signature.inputs.keys() != {"inputs"}:
        yield f"its inputs are {named(signature.inputs)}; it must have 'inputs' and no other"
    elif signature.inputs["inputs"].dtype != "string":
        yield (
            f"input 'inputs' is {signature.inputs['inputs'].dtype}; serialized tf.Examples come, so it"
            " must be string"
        )

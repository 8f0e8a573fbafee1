"""Is the value of an attr its default: ``AreAttrValuesEqual`` in ``core/framework/attr_value_util.cc``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.tensors import to_numpy

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, NameAttrList, TensorProto

# A default takes a few bytes; what is larger by far is none.
_TENSOR_LIMIT = 1 << 20
# No parser goes deeper.
_DEPTH = 100


def are_equal(a: AttrValue, b: AttrValue) -> bool:
    """Return whether two values are the same one to TensorFlow.

    Numbers are compared bit by bit, so that 0.0 is not -0.0 and a NaN is itself. Tensors are compared by what they
    hold, in whatever form it stands, and so are the attrs that are bound to a function.
    """
    return _are_equal(a, b, _DEPTH)


def _are_equal(a: AttrValue, b: AttrValue, depth: int) -> bool:
    if a.HasField("tensor") and b.HasField("tensor"):
        return _are_tensors_equal(a.tensor, b.tensor)
    if a.HasField("func") and b.HasField("func"):
        return _are_functions_equal(a.func, b.func, depth)
    return bool(a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True))


def _are_functions_equal(a: NameAttrList, b: NameAttrList, depth: int) -> bool:
    return (
        a.name == b.name
        and depth > 0
        and set(a.attr) == set(b.attr)
        and all(_are_equal(a.attr[key], b.attr[key], depth - 1) for key in a.attr)
    )


def _are_tensors_equal(a: TensorProto, b: TensorProto) -> bool:
    try:
        first, second = (to_numpy(tensor, limit=_TENSOR_LIMIT) for tensor in (a, b))
    except SavedModelCompatError:
        # TensorFlow takes a tensor that it cannot make for no default, too.
        return False
    if a.dtype != b.dtype or first.shape != second.shape:
        return False
    if first.dtype.hasobject:
        return bool(first.tolist() == second.tolist())
    return first.tobytes() == second.tobytes()

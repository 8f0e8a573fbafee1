"""Arrays as the bytes that a golden keeps of them, and back, bit for bit."""

from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.runtimes.worker._frames import ProtocolError, pack_strings, unpack_strings
from savedmodel_compat.tensors import DType, dtype_from_name

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_STRINGS = "OSU"


def dtype_of(array: Array, name: str | None, what: str) -> DType:
    """Return the type under which an array is kept.

    Args:
        array: the values.
        name: TensorFlow's name of the type, where known; None takes the array's own.
        what: what the array is, for the error.

    Raises:
        UnsupportedError: no array holds that type here, or this array is of another one.
    """
    own = "string" if array.dtype.kind in _STRINGS else array.dtype.name
    try:
        dtype = dtype_from_name(own if name is None else name)
    except UnsupportedError as error:
        raise UnsupportedError(f"{what}: {error.message}", hint=_hint(array)) from error
    kind = array_dtype(dtype, what)
    held = own == "string" if kind.kind == "O" else array.dtype.newbyteorder("=") == kind
    if not held:
        raise UnsupportedError(
            f"{what} is said to be {dtype.name}, which is held as {_name(kind)}, but its array has"
            f" {own}",
            hint=_hint(array),
        )
    return dtype


def array_dtype(dtype: DType, what: str) -> np.dtype[Any]:
    """Return the type of the arrays that hold a type of TensorFlow.

    Raises:
        UnsupportedError: there is none, or not in this release of ml_dtypes.
    """
    kind = dtype.numpy
    if kind is not None:
        return kind
    if dtype.array_name is None:
        raise UnsupportedError(f"{what} is of type {dtype.name}, which has no form as an array")
    import ml_dtypes

    raise UnsupportedError(
        f"{what} is of type {dtype.name}, and ml_dtypes {ml_dtypes.__version__} has no"
        f" {dtype.array_name}",
        hint="pip install --upgrade ml-dtypes",
    )


def stored_bytes(array: Array, what: str) -> memoryview:
    """Return the bytes of an array: row-major, little-endian; strings as the worker packs them.

    They are the array's own memory wherever it has that form already.

    Raises:
        UnsupportedError: an element of a string tensor is no text, or longer than 4 GiB.
    """
    if array.dtype.kind in _STRINGS:
        items = [_as_bytes(item, what) for item in array.reshape(-1).tolist()]
        try:
            return memoryview(pack_strings(items))
        except struct.error as error:
            raise UnsupportedError(f"{what} has an element of 4 GiB or more") from error
    flat = np.ascontiguousarray(array.reshape(-1))
    if not _is_little(flat.dtype):
        flat = flat.byteswap()
    return flat.view(np.uint8).data


def array_from(data: memoryview, kind: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """Return a read-only array over bytes that `stored_bytes` made.

    Raises:
        ValueError: the bytes do not make that array, or numpy has no such array; says why.
    """
    count = math.prod(shape)
    array: Array
    if kind.kind == "O":
        array = np.empty(count, dtype=object)
        try:
            array[:] = unpack_strings(data, count)  # type: ignore[arg-type]
        except ProtocolError as error:
            raise ValueError(str(error)) from error
    elif count:
        array = np.frombuffer(data, dtype=kind if _is_custom(kind) else kind.newbyteorder("<"))
    else:
        array = np.empty(count, dtype=kind)
    try:
        array = array.reshape(shape)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    array.flags.writeable = False
    return array


def _as_bytes(item: object, what: str) -> bytes:
    if isinstance(item, bytes):
        return bytes(item)
    if isinstance(item, str):
        return item.encode()
    raise UnsupportedError(
        f"{what} is a string tensor and holds {item!r}, a {type(item).__name__}",
        hint="strings are bytes, or text that becomes UTF-8",
    )


def _is_custom(kind: np.dtype[Any]) -> bool:
    """Tell ml_dtypes' types, whose byte order cannot be chosen, from numpy's."""
    return kind.kind == "V" or kind.num >= 256


def _is_little(kind: np.dtype[Any]) -> bool:
    if kind.itemsize == 1 or _is_custom(kind):
        return True
    return kind.byteorder == "<" or (kind.byteorder in "=|" and sys.byteorder == "little")


def _name(kind: np.dtype[Any]) -> str:
    return "string" if kind.kind == "O" else kind.name


def _hint(array: Array) -> str | None:
    if array.dtype.kind == "V" and array.dtype.name.startswith("void"):
        return "elements that this ml_dtypes has no type for arrive as plain bytes: pip install --upgrade ml-dtypes"
    return None

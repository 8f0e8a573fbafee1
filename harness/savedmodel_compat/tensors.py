"""The element types of TensorFlow, and tensors between protocol buffers and numpy."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import DamagedModelError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from savedmodel_compat.model.schema import TensorProto, TensorShapeProto

_REF = 100
LIMIT = 1 << 30
# ``core/framework/tensor_shape.h``
_MOST_DIMENSIONS = 254
_MOST_VALUES = 2**63 - 1
_SHOWN_DIMENSIONS = 8

# The field of a TensorProto that stands for content that was not read, and what is in it beside the
# size: no file can know it, so that none can pretend.
OMITTED = 536870000
_SECRET = secrets.randbits(31) | 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class DType:
    """One value of TensorFlow's ``DataType`` (``core/framework/types.proto``).

    Args:
        number: its number in the enum; a reference type is its element type's plus 100.
        name: what Python calls it, such as ``float32`` or ``float32_ref``.
        enum_name: what the enum calls it, such as ``DT_FLOAT``.
        array_name: the type of a numpy array that holds it, by name; None if numpy cannot hold it.
            The quantised integers are held as plain ones, strings as objects.
        field: the repeated field of a TensorProto that lists its values one by one; None if there
            is none.
    """

    number: int
    name: str
    enum_name: str
    array_name: str | None
    field: str | None

    @property
    def is_reference(self) -> bool:
        """Whether it is the type of a reference, as a v1 variable hands out."""
        return self.number > _REF

    @property
    def numpy(self) -> np.dtype[Any] | None:
        """The numpy type of its arrays; None if there is none, or this ml_dtypes is too old."""
        import numpy as np

        if self.array_name is None:
            return None
        if self.array_name in _PLAIN:
            return np.dtype(self.array_name)
        import ml_dtypes

        extension = getattr(ml_dtypes, self.array_name, None)
        return None if extension is None else np.dtype(extension)


# All other names are ml_dtypes'.
_PLAIN = frozenset(
    ("float16", "float32", "float64", "complex64", "complex128", "bool", "object")
) | frozenset(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"))


def _dtype(
    number: int, enum: str, name: str | None = None, array: str | None = "", field: str | None = ""
) -> DType:
    """Return a row of the table; an array or field that is not given goes by the name."""
    name = name or enum.lower()
    return DType(
        number=number,
        name=name,
        enum_name=f"DT_{enum}",
        array_name=name if array == "" else array,
        field=f"{name}_val" if field == "" else field,
    )


_VALUES = (
    _dtype(1, "FLOAT", "float32", field="float_val"),
    _dtype(2, "DOUBLE", "float64", field="double_val"),
    _dtype(3, "INT32", field="int_val"),
    _dtype(4, "UINT8", field="int_val"),
    _dtype(5, "INT16", field="int_val"),
    _dtype(6, "INT8", field="int_val"),
    _dtype(7, "STRING", array="object"),
    _dtype(8, "COMPLEX64", field="scomplex_val"),
    _dtype(9, "INT64"),
    _dtype(10, "BOOL"),
    _dtype(11, "QINT8", array="int8", field="int_val"),
    _dtype(12, "QUINT8", array="uint8", field="int_val"),
    _dtype(13, "QINT32", array="int32", field="int_val"),
    _dtype(14, "BFLOAT16", field="half_val"),
    _dtype(15, "QINT16", array="int16", field="int_val"),
    _dtype(16, "QUINT16", array="uint16", field="int_val"),
    _dtype(17, "UINT16", field="int_val"),
    _dtype(18, "COMPLEX128", field="dcomplex_val"),
    _dtype(19, "HALF", "float16", field="half_val"),
    _dtype(20, "RESOURCE", array=None, field="resource_handle_val"),
    _dtype(21, "VARIANT", array=None),
    _dtype(22, "UINT32"),
    _dtype(23, "UINT64"),
    _dtype(24, "FLOAT8_E5M2", field="float8_val"),
    _dtype(25, "FLOAT8_E4M3FN", field="float8_val"),
    _dtype(26, "FLOAT8_E4M3FNUZ", field="float8_val"),
    _dtype(27, "FLOAT8_E4M3B11FNUZ", field="float8_val"),
    _dtype(28, "FLOAT8_E5M2FNUZ", field="float8_val"),
    _dtype(29, "INT4", field="int_val"),
    _dtype(30, "UINT4", field="int_val"),
    _dtype(31, "INT2", field="int_val"),
    _dtype(32, "UINT2", field="int_val"),
    _dtype(33, "FLOAT4_E2M1FN", field="float8_val"),
)


def _reference(dtype: DType) -> DType:
    return DType(
        number=dtype.number + _REF,
        name=f"{dtype.name}_ref",
        enum_name=f"{dtype.enum_name}_REF",
        array_name=dtype.array_name,
        field=dtype.field,
    )


DTYPES = _VALUES + tuple(_reference(dtype) for dtype in _VALUES)
_BY_NUMBER = MappingProxyType({dtype.number: dtype for dtype in DTYPES})
_BY_NAME = MappingProxyType({dtype.name: dtype for dtype in DTYPES})
_ALIASES = MappingProxyType({"half": "float16", "float": "float32", "double": "float64"})
_BY_ARRAY = MappingProxyType(
    {dtype.array_name: dtype for dtype in _VALUES if not dtype.name.startswith("q")}
)


def dtype_from_enum(number: int) -> DType:
    """Return the type with that number in ``DataType``.

    Raises:
        UnsupportedError: no known release has such a type; 0 is ``DT_INVALID``, which is none.
    """
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    raise UnsupportedError(
        f"{number} is not a type of TensorFlow that is known here ({_VALUES[0].number} to"
        f" {_VALUES[-1].number}, and those plus {_REF} for references)"
    )


def dtype_from_name(name: str) -> DType:
    """Return the type that TensorFlow's Python calls so; ``half``, ``float``, ``double`` are known.

    Raises:
        UnsupportedError: no known release has such a type.
    """
    found = _BY_NAME.get(_ALIASES.get(name, name))
    if found is None:
        known = ", ".join(dtype.name for dtype in _VALUES)
        raise UnsupportedError(f"'{name}' is not a type of TensorFlow; known are {known}")
    return found


def dtype_name(number: int) -> str:
    """Return the name of a ``DataType``, or ``unknown(99)`` for a number from a newer release."""
    if number == 0:
        return "invalid"
    return _BY_NUMBER[number].name if number in _BY_NUMBER else f"unknown({number})"


def shape_from_proto(shape: TensorShapeProto) -> tuple[int | None, ...] | None:
    """Return a shape: None for an unknown rank, ``()`` for a scalar; None in it is any size."""
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)


def omitted_mark(size: int) -> int:
    """Return what stands in the field `OMITTED` for that many bytes, which were left out."""
    return _SECRET << 32 | size


def content_size(tensor: TensorProto) -> int:
    """Return the bytes in ``tensor_content``, also where they were left out at reading."""
    return len(tensor.tensor_content) + _omitted(tensor)


def _omitted(tensor: TensorProto) -> int:
    mark = int(tensor.savedmodel_compat_omitted)
    return mark & 0xFFFFFFFF if mark >> 32 == _SECRET else 0


def to_numpy(tensor: TensorProto, *, limit: int = LIMIT) -> np.ndarray[Any, Any]:
    """Return what a TensorProto holds: ``Tensor::FromProto`` in ``core/framework/tensor.cc``.

    The values stand in ``tensor_content`` or one by one in a typed field; of too few, the last one
    is repeated.

    Args:
        tensor: the message.
        limit: the most bytes that the array may take; a small message can ask for a huge one.

    Returns:
        An array of its own memory; strings are an object array of bytes.

    Raises:
        UnsupportedError: numpy cannot hold the type or so many dimensions, the array is larger than
            the limit, or the model was read without its long constants.
        DamagedModelError: the sizes do not fit together.
    """
    dtype = dtype_from_enum(tensor.dtype)
    kind = dtype.numpy
    if kind is None:
        raise UnsupportedError(f"a tensor of type {dtype.name} has no form as an array")
    shape = _known_shape(tensor.tensor_shape, dtype)
    if _omitted(tensor):
        raise UnsupportedError(
            f"the {_omitted(tensor)} bytes of {_named(dtype, shape)} were left out when the model was"
            " read",
            hint="read it with tensor_data=True",
        )
    count = math.prod(shape)
    if count * kind.itemsize > limit:
        raise UnsupportedError(
            f"{_named(dtype, shape)} takes {count * kind.itemsize} bytes; the limit is {limit}"
        )
    _check_array(dtype, kind, shape)
    if tensor.tensor_content:
        return _from_content(tensor.tensor_content, dtype, kind, shape)
    return _repeated(_listed(tensor, dtype, kind), dtype, shape)


def from_numpy(array: np.ndarray[Any, Any], *, dtype: DType | None = None) -> TensorProto:
    """Return an array as a TensorProto: strings one by one, all else as ``tensor_content``.

    Args:
        array: the values; text is encoded as UTF-8.
        dtype: the type to declare; None takes the one that the array has. It is needed for
            quantised integers.

    Raises:
        UnsupportedError: TensorFlow has no such type, or the array is not of the given one.
    """
    from savedmodel_compat.model import schema

    dtype = dtype or _dtype_of(array)
    tensor = schema.TensorProto(dtype=dtype.number)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if dtype.array_name == "object":
        tensor.string_val.extend(_as_bytes(item) for item in array.ravel().tolist())
        return tensor
    if dtype.array_name != array.dtype.name:
        raise UnsupportedError(f"an array of {array.dtype} is not one of {dtype.name}")
    tensor.tensor_content = _little_endian(array).tobytes()
    return tensor


def _named(dtype: DType, shape: tuple[int, ...]) -> str:
    return f"a {dtype.name} tensor of shape {_shape_text(shape)}"


def _shape_text(shape: Sequence[int]) -> str:
    shown = ", ".join(map(str, shape[:_SHOWN_DIMENSIONS]))
    return f"[{shown}]" if len(shape) <= _SHOWN_DIMENSIONS else f"[{shown}, …] of rank {len(shape)}"


def _known_shape(shape: TensorShapeProto, dtype: DType) -> tuple[int, ...]:
    """Return a shape as ``TensorShape::IsValid`` in ``core/framework/tensor_shape.cc`` wants it."""
    sizes = tuple([int(dim.size) for dim in shape.dim])
    if shape.unknown_rank or min(sizes, default=0) < 0:
        found = "unknown rank" if shape.unknown_rank else _shape_text(sizes)
        raise DamagedModelError(f"a {dtype.name} tensor with values has the shape {found}")
    if len(sizes) > _MOST_DIMENSIONS:
        raise DamagedModelError(
            f"{_named(dtype, sizes)} has more than the {_MOST_DIMENSIONS} dimensions that there can be"
        )
    count = 1
    for size in sizes:
        count *= size
        # In TensorFlow, too, a zero that comes later does not make it small again.
        if count > _MOST_VALUES:
            raise DamagedModelError(f"{_named(dtype, sizes)} has too many values to count")
    return sizes


def _check_array(dtype: DType, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Refuse a shape that numpy has not: it knows 32 or 64 dimensions, and no huge one beside a zero."""
    import numpy as np

    try:
        np.broadcast_to(np.empty((), dtype=kind), shape)
    except ValueError as error:
        raise UnsupportedError(f"{_named(dtype, shape)} is no array of numpy: {error}") from error


def _from_content(
    content: bytes, dtype: DType, kind: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    import numpy as np

    if dtype.array_name == "object":
        raise UnsupportedError("a string tensor in tensor_content has no documented form")
    wanted = math.prod(shape) * kind.itemsize
    if len(content) != wanted:
        raise DamagedModelError(
            f"{_named(dtype, shape)} takes {wanted} bytes, but tensor_content has {len(content)}"
        )
    flat = np.frombuffer(content, dtype=kind.newbyteorder("<") if _is_plain(kind) else kind)
    return flat.astype(kind).reshape(shape)


def _listed(tensor: TensorProto, dtype: DType, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return the values of the typed field, one-dimensional."""
    import numpy as np

    values = getattr(tensor, str(dtype.field))
    if dtype.field == "string_val":
        strings = np.empty(len(values), dtype=object)
        strings[:] = list(values)
        return strings
    if dtype.field == "half_val":
        return np.array(values, dtype=np.int64).astype(np.uint16).view(kind)
    if dtype.field == "float8_val":
        return np.frombuffer(values, dtype=np.uint8).view(kind)
    if dtype.field in ("scomplex_val", "dcomplex_val"):
        if len(values) % 2:
            raise DamagedModelError(
                f"{dtype.field} lists {len(values)} numbers, which are no pairs"
            )
        part = np.float32 if dtype.field == "scomplex_val" else np.float64
        return np.array(values, dtype=part).view(kind)
    if dtype.field == "int_val":
        return np.array(values, dtype=np.int64).astype(kind)
    return np.array(values, dtype=kind)


def _repeated(
    values: np.ndarray[Any, Any], dtype: DType, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """Return as many values as the shape has; the last one fills up, and zeros if there is none."""
    import numpy as np

    count = math.prod(shape)
    if len(values) > count:
        raise DamagedModelError(
            f"{_named(dtype, shape)} holds {count} values, but {dtype.field} lists {len(values)}"
        )
    zero = b"" if dtype.array_name == "object" else 0
    # numpy.full would take a string for an S array, and lose the zero bytes at its end.
    array = np.empty(count, dtype=values.dtype)
    array[: len(values)] = values
    array[len(values) :] = values[-1] if len(values) else zero
    return array.reshape(shape)


def _is_plain(kind: np.dtype[Any]) -> bool:
    return kind.name in _PLAIN


def _little_endian(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(array.dtype.newbyteorder("<")) if _is_plain(array.dtype) else array


def _dtype_of(array: np.ndarray[Any, Any]) -> DType:
    name = "object" if array.dtype.kind in "OSU" else array.dtype.name
    if name in _BY_ARRAY:
        return _BY_ARRAY[name]
    raise UnsupportedError(f"TensorFlow has no type for arrays of {array.dtype}")


def _as_bytes(item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode()
    raise UnsupportedError(f"a string tensor cannot hold {item!r}, a {type(item).__name__}")

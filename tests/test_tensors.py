"""Tests of `savedmodel_compat.tensors`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tensorboard.compat.proto import types_pb2

from savedmodel_compat import tensors
from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.model import schema

HELD = [d for d in tensors.DTYPES if not d.is_reference and d.numpy is not None]


def tensor(dtype: str, shape: list[int], **fields: Any) -> schema.TensorProto:
    """Return a TensorProto with those fields set."""
    made = schema.TensorProto(dtype=tensors.dtype_from_name(dtype).number, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def test_every_type_of_tensorboard_is_in_the_table() -> None:
    """No type that TensorBoard's copy of the enum has is missing here, and the numbers agree."""
    known = {dtype.enum_name: dtype.number for dtype in tensors.DTYPES}

    for name, number in types_pb2.DataType.items():
        assert number == 0 or known[name] == number


def test_types_are_found_by_number_and_by_name() -> None:
    """Number and name lead to the same row, for values and references alike."""
    for dtype in tensors.DTYPES:
        assert tensors.dtype_from_enum(dtype.number) is dtype
        assert tensors.dtype_from_name(dtype.name) is dtype


def test_a_reference_is_its_type_plus_100() -> None:
    """A v1 variable's float32_ref has the number 101 and says that it is a reference."""
    reference = tensors.dtype_from_name("float32_ref")

    assert reference.number == 101
    assert reference.is_reference
    assert not tensors.dtype_from_name("float32").is_reference


def test_half_is_float16() -> None:
    """The enum's DT_HALF is what Python calls float16."""
    assert tensors.dtype_from_name("half") is tensors.dtype_from_enum(19)
    assert tensors.dtype_from_enum(19).name == "float16"


def test_an_unknown_number_is_refused() -> None:
    """A type from a newer release is named by its number."""
    with pytest.raises(UnsupportedError, match="99 is not a type"):
        tensors.dtype_from_enum(99)


def test_an_unknown_name_is_refused() -> None:
    """A misspelt type is quoted, beside those that exist."""
    with pytest.raises(UnsupportedError, match=r"'float33' is not.*float32"):
        tensors.dtype_from_name("float33")


def test_the_name_of_an_unknown_number_says_so() -> None:
    """A report can name every number, DT_INVALID and those of newer releases too."""
    assert tensors.dtype_name(1) == "float32"
    assert tensors.dtype_name(0) == "invalid"
    assert tensors.dtype_name(99) == "unknown(99)"


def test_a_resource_has_no_array_type() -> None:
    """A handle cannot be an element of a numpy array."""
    assert tensors.dtype_from_name("resource").numpy is None
    assert tensors.dtype_from_name("variant").numpy is None


def test_bfloat16_is_an_ml_dtype() -> None:
    """The types that numpy lacks come from ml_dtypes."""
    assert tensors.dtype_from_name("bfloat16").numpy == np.dtype(ml_dtypes.bfloat16)


def test_importing_does_not_import_numpy() -> None:
    """What only names types does not pay for numpy."""
    code = "import sys, savedmodel_compat.tensors; assert 'numpy' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("dtype", HELD, ids=lambda dtype: dtype.name)
def test_arrays_survive_a_round_trip(dtype: tensors.DType) -> None:
    """Values of every type that numpy holds come back with the same bits, type and shape."""
    values = [b"a", b"\xff\0", b"", b"1"] if dtype.name == "string" else [0, 1, 0, 1]
    array = np.array(values, dtype=dtype.numpy).reshape(2, 2)

    message = tensors.from_numpy(array, dtype=dtype)
    back = tensors.to_numpy(schema.TensorProto.FromString(message.SerializeToString()))

    assert message.dtype == dtype.number
    assert back.dtype == array.dtype
    assert back.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("dtype", "fields", "expected"),
    [
        ("float32", {"float_val": [1.5, 2.5]}, [1.5, 2.5]),
        ("float64", {"double_val": [1.5, 2.5]}, [1.5, 2.5]),
        ("int32", {"int_val": [1, -2]}, [1, -2]),
        ("uint8", {"int_val": [1, 255]}, [1, 255]),
        ("int8", {"int_val": [1, -128]}, [1, -128]),
        ("uint16", {"int_val": [1, 65535]}, [1, 65535]),
        ("qint8", {"int_val": [1, -1]}, [1, -1]),
        ("int4", {"int_val": [7, -8]}, [7, -8]),
        ("int64", {"int64_val": [2**62, -1]}, [2**62, -1]),
        ("uint32", {"uint32_val": [2**32 - 1, 0]}, [2**32 - 1, 0]),
        ("uint64", {"uint64_val": [2**64 - 1, 0]}, [2**64 - 1, 0]),
        ("bool", {"bool_val": [True, False]}, [True, False]),
        ("float16", {"half_val": [0x3C00, 0xC000]}, [1.0, -2.0]),
        ("bfloat16", {"half_val": [0x3F80, 0xC000]}, [1.0, -2.0]),
        ("float8_e5m2", {"float8_val": b"\x3c\xc0"}, [1.0, -2.0]),
        ("complex64", {"scomplex_val": [1.0, 2.0, 3.0, -4.0]}, [1 + 2j, 3 - 4j]),
        ("complex128", {"dcomplex_val": [1.0, 2.0, 3.0, -4.0]}, [1 + 2j, 3 - 4j]),
        ("string", {"string_val": [b"a", b"\xff\0"]}, [b"a", b"\xff\0"]),
    ],
)
def test_typed_fields_are_read(dtype: str, fields: dict[str, Any], expected: list[Any]) -> None:
    """Each typed field gives its values: halves from bit patterns, complex ones from pairs."""
    array = tensors.to_numpy(tensor(dtype, [2], **fields))

    assert array.dtype == tensors.dtype_from_name(dtype).numpy
    assert array.tolist() == expected


def test_the_last_value_fills_up() -> None:
    """TensorFlow writes a run of equal values at the end only once."""
    array = tensors.to_numpy(tensor("int32", [2, 3], int_val=[1, 2]))

    assert array.tolist() == [[1, 2, 2], [2, 2, 2]]


def test_no_value_at_all_is_zero() -> None:
    """A tensor whose field is empty holds zeros, or empty strings."""
    assert tensors.to_numpy(tensor("float32", [2])).tolist() == [0.0, 0.0]
    assert tensors.to_numpy(tensor("bfloat16", [1])).tolist() == [0.0]
    assert tensors.to_numpy(tensor("string", [2])).tolist() == [b"", b""]


def test_a_scalar_has_the_empty_shape() -> None:
    """A tensor without dimensions is a scalar, not one element."""
    assert tensors.to_numpy(tensor("string", [], string_val=[b"a"])).shape == ()


def test_a_tensor_without_elements_is_empty() -> None:
    """A dimension of 0 leaves nothing, whatever the others are."""
    assert tensors.to_numpy(tensor("float32", [0, 7])).shape == (0, 7)


def test_the_array_owns_its_memory() -> None:
    """What is read can be written to without touching the message."""
    message = tensors.from_numpy(np.zeros(2, dtype=np.float32))
    tensors.to_numpy(message)[0] = 1

    assert tensors.to_numpy(message).tolist() == [0, 0]


def test_content_of_the_wrong_size_is_damage() -> None:
    """The message says how many bytes the shape asks for, and how many there are."""
    with pytest.raises(DamagedModelError, match=r"shape \[2\] takes 8 bytes.*has 7"):
        tensors.to_numpy(tensor("float32", [2], tensor_content=b"1234567"))


def test_too_many_values_are_damage() -> None:
    """More values than the shape has room for are not dropped silently."""
    with pytest.raises(DamagedModelError, match="holds 2 values, but int_val lists 3"):
        tensors.to_numpy(tensor("int32", [2], int_val=[1, 2, 3]))


def test_half_a_complex_number_is_damage() -> None:
    """An odd count of parts makes no complex numbers."""
    with pytest.raises(DamagedModelError, match="3 numbers, which are no pairs"):
        tensors.to_numpy(tensor("complex64", [2], scomplex_val=[1, 2, 3]))


def test_an_unknown_dimension_in_a_value_is_damage() -> None:
    """Values need a shape that is known."""
    with pytest.raises(DamagedModelError, match=r"has the shape \[2, -1\]"):
        tensors.to_numpy(tensor("float32", [2, -1], float_val=[1.0]))


def test_an_unknown_rank_in_a_value_is_damage() -> None:
    """Values need a rank that is known."""
    message = schema.TensorProto(dtype=1, float_val=[1.0])
    message.tensor_shape.unknown_rank = True

    with pytest.raises(DamagedModelError, match="unknown rank"):
        tensors.to_numpy(message)


def test_a_huge_tensor_is_not_allocated() -> None:
    """A message of a few bytes cannot make the process ask for terabytes."""
    with pytest.raises(UnsupportedError, match="the limit is 1073741824"):
        tensors.to_numpy(tensor("float32", [2**40, 2**20], float_val=[1.0]))


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ([2**40, 2**40], DamagedModelError, "too many values to count"),
        ([2**62] * 3 + [0], DamagedModelError, "too many values to count"),
        ([0] + [2**62] * 3, UnsupportedError, "no array of numpy"),
        ([1] * 70, UnsupportedError, r"\[1, 1, .*, …\] of rank 70 is no array of numpy"),
        ([1] * 255, DamagedModelError, "more than the 254 dimensions"),
        ([2**62] * 100_000, DamagedModelError, "of rank 100000 has more than"),
        ([1, -1] * 100_000, DamagedModelError, r"\[1, -1, .*, …\] of rank 200000"),
    ],
)
@pytest.mark.parametrize("field", [{}, {"float_val": [1.0]}, {"tensor_content": b"123"}])
def test_no_shape_brings_it_down(
    shape: list[int], error: type[Exception], words: str, field: dict[str, Any]
) -> None:
    """Whatever a message says, the error is ours, and its text is short."""
    with pytest.raises(error, match=words) as caught:
        tensors.to_numpy(tensor("float32", shape, **field))
    assert len(str(caught.value)) < 400


def test_the_limit_can_be_set() -> None:
    """A caller may allow less, by bytes."""
    message = tensor("float64", [4], double_val=[1.0])

    assert tensors.to_numpy(message, limit=32).shape == (4,)
    with pytest.raises(UnsupportedError, match="takes 32 bytes; the limit is 31"):
        tensors.to_numpy(message, limit=31)


def test_a_resource_cannot_be_read() -> None:
    """A handle in a TensorProto has no form as an array."""
    with pytest.raises(UnsupportedError, match="type resource"):
        tensors.to_numpy(tensor("resource", []))


def test_a_string_that_fills_up_keeps_its_zero_bytes() -> None:
    """A tensor that lists fewer strings than it holds repeats the last one, whole."""
    repeated = tensors.to_numpy(tensor("string", [3], string_val=[b"a", b"b\0"]))
    assert repeated.tolist() == [b"a", b"b\0", b"b\0"]
    assert tensors.to_numpy(tensor("string", [2], string_val=[b"\0"])).tolist() == [b"\0", b"\0"]


def test_strings_in_content_are_refused() -> None:
    """The layout of strings in tensor_content is nowhere fixed."""
    with pytest.raises(UnsupportedError, match="string tensor"):
        tensors.to_numpy(tensor("string", [1], tensor_content=b"\x01a"))


def test_text_is_written_as_utf_8() -> None:
    """Arrays of str become strings of bytes."""
    message = tensors.from_numpy(np.array(["ä", "b"]))

    assert list(message.string_val) == ["ä".encode(), b"b"]


def test_what_is_no_string_is_refused() -> None:
    """An object array may hold anything; only bytes and text are strings."""
    with pytest.raises(UnsupportedError, match="cannot hold 1, a int"):
        tensors.from_numpy(np.array([1, b"a"], dtype=object))


def test_an_array_type_that_tensorflow_lacks_is_refused() -> None:
    """Dates have no type in TensorFlow."""
    with pytest.raises(UnsupportedError, match="datetime64"):
        tensors.from_numpy(np.array(["2020-01-01"], dtype="datetime64[D]"))


def test_an_array_of_another_type_than_declared_is_refused() -> None:
    """Declaring a type does not convert to it."""
    with pytest.raises(UnsupportedError, match="int64 is not one of int32"):
        tensors.from_numpy(np.zeros(1, np.int64), dtype=tensors.dtype_from_name("int32"))


def test_big_endian_arrays_are_written_little_endian() -> None:
    """The bytes of a message do not depend on the order of the array."""
    message = tensors.from_numpy(np.array([1], dtype=">i4"), dtype=tensors.dtype_from_name("int32"))

    assert message.tensor_content == b"\1\0\0\0"


def test_shapes_tell_unknown_rank_from_scalar() -> None:
    """None is an unknown rank, the empty tuple a scalar, None within an unknown dimension."""
    shape = schema.TensorShapeProto
    unknown = shape(unknown_rank=True)
    partial = shape(dim=[{"size": -1}, {"size": 3}])

    assert tensors.shape_from_proto(unknown) is None
    assert tensors.shape_from_proto(shape()) == ()
    assert tensors.shape_from_proto(partial) == (None, 3)

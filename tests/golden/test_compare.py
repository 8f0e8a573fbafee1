"""Tests of the comparison of outputs: each way to differ is seeded, and so is each way to agree."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from savedmodel_compat.golden.compare import Difference, compare
from savedmodel_compat.golden.tolerances import Policy, tolerance_for

Array = np.ndarray[Any, Any]
FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"]
WHOLE = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int4", "uint4"]


def array(values: Any, dtype: str) -> Array:
    """Return an array of one of numpy's or ml_dtypes' element types."""
    return np.asarray(values).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))


def strings(*items: bytes) -> Array:
    """Return strings as they come from a worker."""
    return np.array(items, dtype=object)


def differences(expected: Any, actual: Any, **tolerance: float) -> tuple[Difference, ...]:
    """Compare one output `y`."""
    policy = Policy(rtol=tolerance.get("rtol"), atol=tolerance.get("atol"))
    return compare({"y": np.asarray(expected)}, {"y": np.asarray(actual)}, policy).differences


def only(expected: Any, actual: Any, **tolerance: float) -> Difference:
    """Return the one difference that there must be."""
    [difference] = differences(expected, actual, **tolerance)
    return difference


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE, "bool"])
def test_equal_arrays(dtype: str) -> None:
    """An array of any type is equal to itself."""
    same = array([[0, 1], [1, 0]], dtype)
    assert differences(same, same.copy()) == ()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("share", "differs"), [(0.9, False), (1.6, True)])
def test_tolerance_of_each_float(dtype: str, share: float, differs: bool) -> None:
    """A value just within the tolerance of its type agrees, and one just beyond it does not."""
    tolerance = tolerance_for(dtype)
    assert tolerance is not None
    off = share * (tolerance.atol + tolerance.rtol * 16)
    assert bool(differences(array([16.0], dtype), array([16.0 + off], dtype))) is differs


def test_atol_alone_decides_at_zero() -> None:
    """Beside a reference of zero nothing is left but the absolute tolerance, which is that of outputs around 1."""
    one = np.array([0, 1], np.float32)
    assert differences(one, np.array([0.9e-6, 1], np.float32)) == ()
    assert differences(one, np.array([2e-6, 1], np.float32)) != ()


def test_atol_shrinks_with_small_outputs() -> None:
    """Where all values are small, such as a softmax of 1000 classes, the absolute tolerance does not swallow them."""
    softmax = np.linspace(0, 0.002, 1000)
    for kind in (np.float32, np.float16, ml_dtypes.bfloat16):
        assert differences(softmax.astype(kind), softmax[::-1].astype(kind)) != ()
    small = np.linspace(0, 9e-7, 100, dtype=np.float32)
    assert differences(small, np.zeros_like(small)) != ()


def test_the_reference_scales_the_tolerance() -> None:
    """The relative tolerance is of the reference, not of the value."""
    assert (
        differences(np.array([100], np.float32), np.array([91], np.float32), rtol=0.1, atol=0) == ()
    )
    assert only(np.array([91], np.float32), np.array([100.2], np.float32), rtol=0.1, atol=0)


def test_a_tolerance_of_the_user_s() -> None:
    """A tolerance that is given replaces the default, and only for itself."""
    assert differences(np.array([1.0], np.float32), np.array([1.05], np.float32), rtol=0.1) == ()
    assert (
        "rtol 0, atol 1e-06"
        in only(np.array([1.0], np.float32), np.array([1.00001], np.float32), rtol=0).text
    )


def test_the_message_has_the_numbers() -> None:
    """A mismatch says how many, by how much, where first, and both values."""
    expected = np.array([[1, 2], [3, 4]], np.float32)
    actual = np.array([[1, 2.5], [3, 4.25]], np.float32)
    assert only(expected, actual) == Difference(
        cause="output-mismatch",
        output="y",
        text="output 'y': 2 of 4 elements differ (rtol 1e-05, atol 1e-06), at most by 0.5"
        " (mean 0.375), relative 0.25 (mean 0.156), 2097152 ulp (mean 1.31e+06); "
        "at [0, 1] 2.5, the reference has 2.0; at [1, 1] 4.25, the reference has 4.0",
    )


def test_a_scalar() -> None:
    """An array without dimensions is compared, and its place is the empty one."""
    assert differences(np.float32(1), np.float32(1)) == ()
    assert "at [] 2.0, the reference has 1.0" in only(np.float32(1), np.float32(2)).text


def test_empty_arrays() -> None:
    """Without elements there is only the shape to compare."""
    assert differences(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)) == ()
    difference = only(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32))
    assert difference.cause == "output-shape-differs"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e5m2"])
def test_nan_equals_nan(dtype: str) -> None:
    """NaN in both is agreement."""
    assert differences(array([np.nan, 1], dtype), array([np.nan, 1], dtype)) == ()


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        (np.nan, 1.0, "1 NaN of the reference is a number here"),
        (1.0, np.nan, "1 number of the reference is NaN here"),
    ],
)
def test_nan_lost_and_gained(expected: float, actual: float, words: str) -> None:
    """NaN on one side alone is a mismatch that no difference measures."""
    text = only(np.array([expected], np.float32), np.array([actual], np.float32)).text
    assert words in text
    assert "at most by" not in text
    assert "nan" in text


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_the_sign_of_infinity(dtype: str) -> None:
    """An infinity agrees with itself and with nothing else, whatever the tolerance."""
    infinite = array([np.inf], dtype)
    assert differences(infinite, infinite) == ()
    assert only(infinite, -infinite).cause == "output-mismatch"
    assert only(infinite, array([3e4], dtype), rtol=10.0, atol=10.0).cause == "output-mismatch"


def test_zeros_of_both_signs_agree() -> None:
    """The sign of a zero is no difference."""
    assert differences(np.array([0.0], np.float32), np.array([-0.0], np.float32)) == ()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_parts(dtype: str) -> None:
    """Either part of a complex number tells."""
    assert differences(array([1 + 1j], dtype), array([1 + 1j], dtype)) == ()
    assert only(array([1 + 1j], dtype), array([1 - 1j], dtype)).text.endswith("has (1+1j)")
    assert only(array([1 + 1j], dtype), array([1.1 + 1j], dtype)).cause == "output-mismatch"


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_are_exact(dtype: str) -> None:
    """An integer that is off by one is off, and no tolerance helps."""
    text = only(array([3, 5], dtype), array([3, 6], dtype), rtol=1.0, atol=9.0).text
    assert "1 of 2 elements differ (compared exactly), at most by 1" in text


def test_neighbours_that_a_float_cannot_tell() -> None:
    """The difference of large integers is computed in integers."""
    expected = np.array([2**63 - 1], np.int64)
    assert "at most by 1;" in only(expected, expected - 1).text
    ends = only(np.array([0], np.uint64), np.array([2**64 - 1], np.uint64)).text
    assert f"at most by {2**64 - 1};" in ends


def test_bools() -> None:
    """Bools are compared exactly, and have no distance."""
    text = only([True, False], [True, True]).text
    assert text.endswith("(compared exactly); at [1] True, the reference has False")


def test_strings() -> None:
    """Strings are bytes, compared exactly, shown as such."""
    assert differences(strings(b"a", b"\xff\0"), strings(b"a", b"\xff\0")) == ()
    text = only(strings(b"a", b"b\0"), strings(b"a", b"b")).text
    assert text.endswith("(compared exactly); at [1] b'b', the reference has b'b\\x00'")


def test_a_long_string_is_cut() -> None:
    """Of a long string the beginning is shown, and its size."""
    text = only(strings(b"x" * 9000), strings(b"y" * 8000)).text
    assert "(8000 bytes)" in text
    assert "(9000 bytes)" in text
    assert len(text) < 500


def test_string_and_number() -> None:
    """Strings against numbers are another element type, and are called strings."""
    difference = only(strings(b"1"), np.array([1], np.float32))
    assert difference.cause == "output-dtype-differs"
    assert difference.text == "output 'y': dtype float32, the reference has string"


def test_elements_that_numpy_cannot_hold() -> None:
    """Elements of an unknown type are compared byte by byte."""
    expected = np.frombuffer(b"abcdefgh", dtype="V4")
    assert differences(expected, expected.copy()) == ()
    text = only(expected, np.frombuffer(b"abcdefgX", dtype="V4")).text
    assert text.startswith("output 'y': 1 of 2 elements differ (compared exactly); at [1]")


def test_large_elements_that_numpy_cannot_hold() -> None:
    """Of a large element, too, the beginning is shown, and its size."""
    text = only(
        np.frombuffer(bytes(64), dtype="V64"), np.frombuffer(b"\xff" * 64, dtype="V64")
    ).text
    assert text.count("… (64 bytes)") == 2


def test_another_dtype() -> None:
    """The same values in another type are a difference of types, not of values."""
    difference = only(np.array([1], np.float32), np.array([1], np.float64))
    assert difference.cause == "output-dtype-differs"
    assert difference.text == "output 'y': dtype float64, the reference has float32"


def test_another_shape() -> None:
    """The same values in another shape are not broadcast."""
    difference = only(np.ones((2, 1), np.float32), np.ones((2,), np.float32))
    assert difference.cause == "output-shape-differs"
    assert difference.text == "output 'y': shape [2], the reference has [2, 1]"


def test_a_missing_output() -> None:
    """An output that is not there is told by its name, and the others are still compared."""
    one, two = np.array([1], np.float32), np.array([2], np.float32)
    found = compare({"a": one, "b": one}, {"b": two}).differences
    assert [(each.cause, each.output) for each in found] == [
        ("output-names-differ", None),
        ("output-mismatch", "b"),
    ]
    assert found[0].text == "outputs missing: ['a']; outputs not expected: none"


def test_an_extra_output() -> None:
    """An output that nobody expects is a difference."""
    one = np.array([1], np.float32)
    [difference] = compare({"a": one}, {"a": one, "b": one}).differences
    assert difference.text == "outputs missing: none; outputs not expected: ['b']"


def test_a_renamed_output() -> None:
    """A renamed output is one missing and one too many."""
    one = np.array([1], np.float32)
    [difference] = compare({"a": one}, {"A": one}).differences
    assert difference.text == "outputs missing: ['a']; outputs not expected: ['A']"


def test_swapped_outputs() -> None:
    """Two outputs that changed places are two mismatches."""
    one, two = np.array([1], np.float32), np.array([2], np.float32)
    found = compare({"a": one, "b": two}, {"a": two, "b": one}).differences
    assert [(each.cause, each.output) for each in found] == [
        ("output-mismatch", "a"),
        ("output-mismatch", "b"),
    ]

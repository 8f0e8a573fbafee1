"""Seeded faults of outputs: each is caught, and described as what it is."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from savedmodel_compat.golden import _pass
from savedmodel_compat.golden.compare import Comparison, Difference, compare
from savedmodel_compat.golden.tolerances import Override, Policy

Array = np.ndarray[Any, Any]
EXACT_4 = Policy(overrides=(Override(rtol=0, atol=0, ulp=4, reason="four places"),))


def compared(expected: Any, actual: Any, policy: Policy | None = None) -> Comparison:
    """Compare one output `y`."""
    return compare({"y": np.asarray(expected)}, {"y": np.asarray(actual)}, policy or Policy())


def only(expected: Any, actual: Any, policy: Policy | None = None) -> Difference:
    """Return the one difference that there must be."""
    [difference] = compared(expected, actual, policy).differences
    return difference


def stepped(array: Array, place: int, steps: int) -> Array:
    """Return an array with one element moved up by some representable values."""
    moved: Array = array.copy()
    for _ in range(steps):
        moved[place] = np.nextafter(moved[place], array.dtype.type(400))
    return moved


def share(number: float, **more: Any) -> Policy:
    """Return a policy that lets a share of `y` be off."""
    return Policy(overrides=(Override(output="y", share=number, reason="a share", **more),))


def noise(*shape: int, seed: int = 0) -> Array:
    """Return floats of both signs."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn"])
def test_two_ulp_more_than_allowed(dtype: str) -> None:
    """With 4 ulp allowed an element that is 4 off agrees, and one that is 6 off does not."""
    one = np.linspace(1, 9, 50).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    good, bad = stepped(one, 17, 4), stepped(one, 17, 6)
    assert not compared(one, good, EXACT_4).differences
    text = only(one, bad, EXACT_4).text
    assert "1 of 50 elements differ (rtol 0, atol 0, 4 ulp)" in text
    assert "6 ulp; at [17] " in text


def test_float_for_integer() -> None:
    """The right numbers in another type are told by both types."""
    difference = only(np.arange(4), np.arange(4, dtype=np.float32))
    assert difference.cause == "output-dtype-differs"
    assert difference.text == "output 'y': dtype float32, the reference has int64"


def test_a_quantised_type_that_numpy_cannot_tell() -> None:
    """Where both sides' types are known by TensorFlow's names, these count."""
    same = {"y": np.zeros(2, np.int8)}
    found = compare(same, same, expected_dtypes={"y": "qint8"}, actual_dtypes={"y": "int8"})
    assert found.differences[0].text == "output 'y': dtype int8, the reference has qint8"
    assert not compare(same, same, expected_dtypes={"y": "qint8"}).differences


def test_lost_nan_and_infinities() -> None:
    """What is lost is counted by what it was and what it became."""
    expected = np.array([np.nan, np.inf, -np.inf, np.inf, 1, 2], np.float32)
    actual = np.array([7, 1, 2, -np.inf, np.nan, 2], np.float32)
    text = only(expected, actual).text
    assert "1 NaN of the reference is a number here" in text
    assert "2 infinities of the reference are numbers here" in text
    assert "1 infinity of the reference has another sign here" in text
    assert "1 number of the reference is NaN here" in text
    assert compared(expected, actual).observed[0].used == np.inf


def test_nan_of_another_payload() -> None:
    """A NaN is a NaN, whatever its sign and payload."""
    bits = np.array([0x7FC00000, 0xFFC00001], np.uint32)
    found = compared(bits.view(np.float32), bits[::-1].copy().view(np.float32))
    assert not found.differences
    assert found.observed[0].used == 0


def test_ulp_do_not_reach_infinity() -> None:
    """By its bits the largest number is beside infinity; they are no neighbours all the same."""
    largest = np.array([np.finfo(np.float32).max, 1], np.float32)
    assert only(largest, np.array([np.inf, 1], np.float32), EXACT_4).cause == "output-mismatch"


def test_a_transposed_output() -> None:
    """A transposed output is called so, if its shape betrays it and if it does not."""
    square = noise(5, 5)
    assert (
        "it has the values of the reference transposed (axes [1, 0])" in only(square, square.T).text
    )
    difference = only(noise(2, 3, 4), noise(2, 3, 4).transpose(0, 2, 1))
    assert difference.cause == "output-shape-differs"
    assert difference.text == (
        "output 'y': shape [2, 4, 3], the reference has [2, 3, 4]: it has the values of the reference"
        " transposed (axes [0, 2, 1])"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y[::-1], "reversed along axis 0"),
        (lambda y: y[:, ::-1], "reversed along axis 1"),
        (lambda y: y[::-1, ::-1], "reversed along all axes"),
        (np.zeros_like, "it is all zeros"),
        (lambda y: np.full_like(y, np.nan), "it is all NaN"),
        (lambda y: y * 255, "it is 255 times the reference"),
        (lambda y: y + np.float32(0.5), "it is the reference plus 0.5"),
    ],
)
def test_what_it_looks_like(change: Any, words: str) -> None:
    """What happened to all values alike is named; noise is not named anything."""
    assert words in only(noise(6, 7), change(noise(6, 7))).text
    assert words not in only(noise(6, 7), noise(6, 7, seed=1)).text


def test_looks_of_a_large_output_are_of_a_sample() -> None:
    """What is too large to look at whole says so; places that are known to differ are always among them."""
    large = noise(300, 300)
    assert (
        "transposed (axes [1, 0]) (as far as 4096 of 90000 elements tell)"
        in only(large, large.T).text
    )
    sparse = np.zeros(90000, np.float32)
    sparse[70000] = 1
    other = sparse.copy()
    other[5] = 1
    assert only(sparse, other).text.endswith("at [5] 1.0, the reference has 0.0")


def test_swapped_outputs_of_one_type() -> None:
    """Outputs that changed places say of each other which they are."""
    a, b = noise(4), noise(4, seed=1)
    first, second = compare({"a": a, "b": b}, {"a": b, "b": a}).differences
    assert first.text.endswith("; it has the values of the reference's output 'b'")
    assert second.text.endswith("; it has the values of the reference's output 'a'")


def test_swapped_outputs_of_other_shapes() -> None:
    """Their shapes tell, and so do their values."""
    a, b = noise(4), noise(5)
    first, _ = compare({"a": a, "b": b}, {"a": b, "b": a}).differences
    assert first.text == (
        "output 'a': shape [5], the reference has [4]: it has the values of the reference's output 'b'"
    )


def test_a_trailing_zero_byte() -> None:
    """Strings that a C string cannot tell apart differ, and are shown with all their bytes."""
    text = only(np.array([b"ab\0"], object), np.array([b"ab"], object)).text
    assert text.endswith("at [0] b'ab', the reference has b'ab\\x00'")


def test_where_long_strings_differ() -> None:
    """Of strings that are too long to show it is said where they part."""
    long = b"x" * 5000
    text = only(np.array([long + b"a"], object), np.array([long + b"b"], object)).text
    assert "(alike up to byte 5000)" in text
    assert len(text) <= 500


def test_an_empty_output() -> None:
    """An output without elements is called empty."""
    difference = only(np.zeros(4, np.float32), np.zeros(0, np.float32))
    assert difference.text == "output 'y': shape [0], the reference has [4]: it is empty"


def test_everything_is_reported_in_order() -> None:
    """Names come before types, these before shapes, these before values; nothing hides anything else."""
    one = np.ones(2, np.float32)
    expected = {"a": one, "b": one, "c": one, "d": one, "e": one}
    actual: dict[str, Array] = {
        "a": 2 * one,
        "b": np.ones(3, np.float32),
        "c": np.ones((1, 2)),
        "d": one,
    }
    found = compare(expected, actual)
    assert [(each.cause, each.output) for each in found.differences] == [
        ("output-names-differ", None),
        ("output-dtype-differs", "c"),
        ("output-shape-differs", "b"),
        ("output-shape-differs", "c"),
        ("output-mismatch", "a"),
    ]
    assert found.compared == 5
    assert [each.output for each in found.observed] == ["a", "d"]


def test_a_share_may_be_off() -> None:
    """As many as the share says may be off and not one more; the text says how many."""
    expected = noise(100)
    for count, agrees in ((29, True), (30, False)):
        actual = expected.copy()
        actual[:count] += 1
        found = compared(expected, actual, share(0.29))
        assert (not found.differences) is agrees
        assert found.observed[0].off == count
    assert "30 of 100 elements differ (rtol 1e-05, atol 1e-06; 29 may, a share of 0.29)" in (
        found.differences[0].text
    )


def test_a_nan_counts_as_off_within_a_share() -> None:
    """No tolerance allows a NaN for a number, but a share counts it as one element that is off."""
    expected = noise(10)
    actual = expected.copy()
    actual[3] = np.nan
    assert compared(expected, actual, share(0.1)).observed[0].off == 1
    assert only(expected, actual, share(0.05, rtol=1.0, atol=9.0))


def test_integers_with_a_tolerance_of_their_own() -> None:
    """An output that is named may be off by one, in integers that no float can tell apart."""
    policy = Policy(overrides=(Override(output="y", atol=1, reason="a decoder"),))
    expected = np.array([2**62, 5], np.int64)
    assert not compared(expected, expected + 1, policy).differences
    assert "at most by 2" in only(expected, expected + np.array([2, 0]), policy).text


def test_what_is_observed() -> None:
    """The numbers of an output that agrees: how far, and how much of the tolerance it took."""
    expected = np.array([1, 2, 0, 4], np.float32)
    actual = np.array([1, 2.5, 0, 4], np.float32)
    [seen] = compared(expected, actual, Policy(rtol=0.5, atol=0)).observed
    assert (seen.output, seen.dtype, seen.elements, seen.off) == ("y", "float32", 4, 0)
    assert (seen.max_abs, seen.mean_abs, seen.max_rel, seen.max_ulp) == (0.5, 0.125, 0.25, 1 << 21)
    assert seen.mean_rel == pytest.approx(0.25 / 4)
    assert seen.used == pytest.approx(0.5, rel=1e-5)


def test_one_part_of_a_complex_number() -> None:
    """Beside a NaN, or an infinity, that both have, the other part is still compared."""
    expected = np.array([complex(np.inf, 1), complex(2, np.nan)], np.complex64)
    near = np.array([complex(np.inf, 1 + 1e-6), complex(2 + 1e-6, np.nan)], np.complex64)
    far = np.array([complex(np.inf, 1.1), complex(2.1, np.nan)], np.complex64)
    assert not compared(expected, near).differences
    assert "2 of 2 elements differ" in only(expected, far).text


def test_the_scale_is_that_of_all_pieces() -> None:
    """The largest magnitude that `atol` shrinks with may stand in the last piece."""
    expected = np.zeros(2 * _pass.PIECE, np.float32)
    expected[-1] = 0.5
    actual = expected.copy()
    actual[0] = 4e-7
    assert not compared(expected, actual).differences
    actual[0] = 6e-7
    assert "atol 5e-07" in only(expected, actual).text


@pytest.mark.parametrize("kind", ["fortran", "strided", "swapped", "read-only", "mapped", "odd"])
def test_arrays_of_every_make(kind: str, tmp_path: Any) -> None:
    """Memory that is not contiguous, not native, not ours or not aligned holds the same values."""
    plain = noise(40, 30)
    plain[7, 3] = np.nan
    made = plain.copy()
    if kind == "fortran":
        made = np.asfortranarray(plain)
    elif kind == "strided":
        made = np.repeat(plain, 2, axis=1)[:, ::2]
    elif kind == "swapped":
        made = plain.astype(">f4")
    elif kind == "read-only":
        made.setflags(write=False)
    elif kind == "mapped":
        np.save(tmp_path / "y.npy", plain)
        made = np.load(tmp_path / "y.npy", mmap_mode="r")
    else:
        made = np.frombuffer(b"x" + plain.tobytes(), np.float32, offset=1).reshape(40, 30)
    assert not compared(plain, made).differences
    assert not compared(made, plain).differences
    fault = plain.copy()
    fault[20, 11] += 1
    assert "1 of 1200 elements differ" in only(made, fault).text
    assert "at [20, 11] " in only(fault, made).text


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int64", "bool"])
def test_more_than_one_piece(dtype: str) -> None:
    """The first and the last element of every piece are compared, and places count through."""
    size = 2 * _pass.PIECE + 7
    expected = np.zeros(size, dtype)
    places = [0, _pass.PIECE - 1, _pass.PIECE, 2 * _pass.PIECE, size - 1]
    actual = expected.copy()
    actual[places] = 1
    text = only(expected, actual).text
    assert f"5 of {size} elements differ" in text
    for place in places[:3]:
        assert f"at [{place}] " in text


def test_a_line_is_never_too_long() -> None:
    """However long names and values are, a difference is one line of 500 characters."""
    name = "n" * 400
    strings = np.array([b"\xff" * 900, b"\n" * 900, b"z"], object)
    [difference] = compare({name: strings}, {name: strings[::-1].copy()}).differences
    assert len(difference.text) <= 500
    assert "\n" not in difference.text
    assert "2 of 3 elements differ" in difference.text or name[:200] in difference.text


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (np.array(b"quick", object), np.array(b"quack", object)),
        (np.array(True), np.array(False)),
        (np.float32(1), np.float32(2)),
        (np.int64(1), np.int64(2)),
        (np.complex64(1), np.complex64(2)),
        (np.array(1, ml_dtypes.bfloat16), np.array(2, ml_dtypes.bfloat16)),
    ],
    ids=["string", "bool", "float32", "int64", "complex64", "bfloat16"],
)
def test_a_scalar_of_any_kind(theirs: Any, ours: Any) -> None:
    """One value that differs is told as one, whatever it is; it has no axes to be reversed along."""
    found = only(np.asarray(theirs), np.asarray(ours))
    assert "1 of 1" in found.text
    assert "reversed" not in found.text


STRINGS = [
    (b"cat", b"dogs"),
    (b"cat", b"dog"),
    (b"cat", b""),
    (b"cat\0", b"cat"),
    (b"", b"\0"),
    (b"a\0\0", b"a\0"),
]


def filled(shape: tuple[int, ...], text: bytes) -> Array:
    """Return an array of one string; numpy.full would lose the zero bytes at its end."""
    array = np.empty(shape, object)
    array[...] = text
    return array


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2), (1, 1, 1)], ids=str)
@pytest.mark.parametrize(("theirs", "ours"), STRINGS)
def test_strings_of_any_shape_and_length(
    theirs: bytes, ours: bytes, shape: tuple[int, ...]
) -> None:
    """Another string is a mismatch wherever it stands, beside another output too, zero bytes at its end included."""
    expected = {"a": filled(shape, theirs), "b": filled(shape, b"xx")}
    actual = {"a": filled(shape, ours), "b": filled(shape, b"xx")}
    [found] = compare(expected, actual, Policy()).differences
    assert (found.cause, found.output) == ("output-mismatch", "a")
    assert repr(ours) in found.text
    assert not compare(expected, expected, Policy()).differences


def test_a_string_without_a_shape_that_is_another_output_s() -> None:
    """What it looks like is told of scalars too, and not of one that lacks a zero byte at its end."""
    expected = {name: filled((), text) for name, text in (("a", b"cat"), ("b", b"xx\0"))}
    for text, looks in ((b"xx\0", True), (b"xx", False)):
        actual = expected | {"a": filled((), text)}
        [found] = compare(expected, actual, Policy()).differences
        assert ("the reference's output 'b'" in found.text) is looks

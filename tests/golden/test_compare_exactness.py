"""Properties of the comparison: what no array may break, and verdicts against naive ones."""

from __future__ import annotations

import itertools
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from savedmodel_compat.golden import _pass
from savedmodel_compat.golden._elements import distance
from savedmodel_compat.golden._pass import tally_of
from savedmodel_compat.golden.compare import compare
from savedmodel_compat.golden.tolerances import Override, Policy, Tolerance

Array = np.ndarray[Any, Any]
NARROW = [name for name in dir(ml_dtypes) if name.startswith(("float8_", "float6_", "float4_"))]
FLOATS = ["float64", "float32", "float16", "bfloat16", *NARROW]
EVERY = [*FLOATS, "complex64", "complex128", "int8", "int64", "uint64", "int4", "uint4", "bool"]
TOLERANCES = [
    Tolerance(rtol=1e-5, atol=1e-6),
    Tolerance(rtol=0.1),
    Tolerance(atol=0.25),
    Tolerance(atol=3e-45),
    Tolerance(rtol=1e-30, atol=1e-44),
    Tolerance(ulp=4),
    Tolerance(rtol=1e-7, ulp=1),
    Tolerance(),
]


def dtype_of(name: str) -> np.dtype[Any]:
    """Return one of numpy's or ml_dtypes' types."""
    return np.dtype(getattr(ml_dtypes, name, name))


def bits_of(name: str) -> int:
    """Return how many bits tell an element of a float type."""
    return int(name[5]) if name in NARROW else 8 * dtype_of(name).itemsize


def from_bits(name: str, patterns: list[int]) -> Array:
    """Return floats given by their bit patterns."""
    size = dtype_of(name).itemsize
    return np.array(patterns, f"u{size}").view(dtype_of(name))


def patterns(name: str) -> st.SearchStrategy[list[int]]:
    """Draw bit patterns, NaN and infinities among them."""
    return st.lists(st.integers(0, 2 ** bits_of(name) - 1), min_size=1, max_size=30)


def naive(expected: Any, actual: Any, tolerance: Tolerance, ulp: int) -> bool:
    """Tell whether one element is off, in the plainest way there is."""
    if np.isnan(expected) or np.isnan(actual):
        return not (np.isnan(expected) and np.isnan(actual))
    if np.isinf(expected) or np.isinf(actual):
        return bool(expected != actual)
    with np.errstate(all="ignore"):
        gap = abs(actual - expected)
        limit = type(gap)(tolerance.rtol) * abs(expected) + type(gap)(tolerance.atol)
    return not (gap <= limit or ulp <= tolerance.ulp)


def steps(name: str, one: Any, other: Any) -> int:
    """Count the values between two finite ones by what sign and magnitude their bits are."""
    whole = []
    width = bits_of(name)
    for value in (one, other):
        bits = int(np.asarray(value).reshape(1).view(f"u{dtype_of(name).itemsize}")[0])
        if name == "float8_e8m0fnu":
            whole.append(bits)
            continue
        magnitude = bits & (2 ** (width - 1) - 1)
        whole.append(-magnitude if bits >> (width - 1) & 1 else magnitude)
    return abs(whole[0] - whole[1])


@pytest.mark.parametrize("name", EVERY)
@given(data=st.binary(min_size=16, max_size=512))
@settings(max_examples=30, deadline=None)
def test_nothing_differs_from_itself(name: str, data: bytes) -> None:
    """Whatever the bits, NaN of every payload among them, an array agrees with itself, and uses up nothing."""
    array = np.frombuffer(data[: len(data) // 16 * 16], dtype_of(name))
    for policy in (Policy(), Policy(rtol=0, atol=0), Policy(device="gpu")):
        found = compare({"y": array}, {"y": array.copy()}, policy)
        assert not found.differences
        assert all((seen.used, seen.max_abs, seen.off) == (0, 0, 0) for seen in found.observed)


@pytest.mark.parametrize("name", NARROW)
def test_ulp_of_all_narrow_floats(name: str) -> None:
    """The distance of any two values of up to 8 bits is the number of values between them."""
    array = from_bits(name, list(range(2 ** bits_of(name))))
    wide = array.astype(np.float64)
    finite = np.flatnonzero(np.isfinite(wide))
    ranks = {value: rank for rank, value in enumerate(sorted(set(wide[finite].tolist())))}
    rank = np.array([ranks[value] for value in wide[finite].tolist()])
    one, other = (places.ravel() for places in np.meshgrid(finite, finite))
    first, second = (places.ravel() for places in np.meshgrid(rank, rank))
    assert np.array_equal(distance(array[one], array[other]), np.abs(first - second))


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_ulp_are_the_steps_of_nextafter(name: str, data: st.DataObject) -> None:
    """Some steps of nextafter are that many ulp, through zero, through subnormals, up and down."""
    bits = data.draw(st.integers(0, 2 ** bits_of(name) - 1) | st.sampled_from([0, 1, 5]))
    start = from_bits(name, [bits])
    up, count = data.draw(st.booleans()), data.draw(st.integers(0, 20))
    end = start.copy()
    target = dtype_of(name).type(np.inf if up else -np.inf)
    for _ in range(count):
        end = np.nextafter(end, target)
    assume(np.isfinite(start.astype(np.float64))[0] and np.isfinite(end.astype(np.float64))[0])
    assert distance(start, end)[0] == count
    assert distance(end, start)[0] == count


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_ulp_of_the_ends(name: str) -> None:
    """From the smallest to the largest number there are more values than a signed integer counts."""
    facts = np.finfo(name)
    ends = np.array([facts.min, facts.max], name)
    most = int(np.array(facts.max, name).view(f"u{dtype_of(name).itemsize}"))
    assert distance(ends, ends[::-1].copy()).tolist() == [2 * most, 2 * most]
    assert distance(np.array([0.0], name), np.array([-0.0], name))[0] == 0


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", FLOATS)
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_the_naive_verdict_on_any_bits(
    name: str, tolerance: Tolerance, data: st.DataObject
) -> None:
    """On any floats, near each other or not, the verdict is that of the plain formula in a wider type."""
    theirs = data.draw(patterns(name))
    most = 2 ** bits_of(name) - 1
    ours = [
        min(max(bits + data.draw(st.integers(-6, 6)), 0), most)
        if data.draw(st.booleans())
        else data.draw(st.integers(0, most))
        for bits in theirs
    ]
    check_verdict(name, from_bits(name, theirs), from_bits(name, ours), tolerance)


def check_verdict(name: str, expected: Array, actual: Array, tolerance: Tolerance) -> None:
    """Compare places and counts with the naive ones."""
    wide = np.longdouble if name == "float64" else np.float64
    with np.errstate(all="ignore"):
        pairs = list(zip(expected.astype(wide), actual.astype(wide), strict=True))
    ulps = [steps(name, *pair) for pair in zip(expected, actual, strict=True)]
    off = [naive(*pair, tolerance, ulp) for pair, ulp in zip(pairs, ulps, strict=True)]
    tally = tally_of(expected, actual, tolerance)
    assert tally.off == sum(off)
    assert tally.places == [place for place, is_off in enumerate(off) if is_off][:3]
    finite = [
        ulp
        for (one, other), ulp in zip(pairs, ulps, strict=True)
        if np.isfinite(one) and np.isfinite(other)
    ]
    assert tally.over_all.max_ulp == max(finite, default=0)
    # Just beyond the limit may be 1 again when it is rounded.
    assert tally.used >= 1 if any(off) else tally.used <= 1


@pytest.mark.parametrize("name", ["float32", "float64"])
@given(
    reference=st.floats(-1000, 1000, width=32),
    rtol=st.sampled_from([0, 1e-5, 0.1, 0.3]),
    atol=st.sampled_from([0, 1e-6, 0.25]),
    nudge=st.integers(-3, 3),
)
@example(reference=100, rtol=0.1, atol=0, nudge=0)
@settings(max_examples=200, deadline=None)
def test_the_naive_verdict_at_the_limit(
    name: str, reference: float, rtol: float, atol: float, nudge: int
) -> None:
    """A few representable values around the limit itself, on either side of it, are decided right."""
    kind = dtype_of(name)
    expected = np.array([reference] * 3, kind)
    limit = np.longdouble(rtol) * np.abs(expected.astype(np.longdouble)) + np.longdouble(atol)
    actual = (expected.astype(np.longdouble) + limit).astype(kind)
    for _ in range(abs(nudge)):
        actual = np.nextafter(actual, kind.type(math.copysign(np.inf, nudge)))
    check_verdict(name, expected, actual, Tolerance(rtol=rtol, atol=atol))


@pytest.mark.parametrize("name", ["complex64", "complex128"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_complex_numbers_by_their_modulus(name: str, data: st.DataObject) -> None:
    """Finite complex numbers agree as their modulus says; NaN and infinities part by part."""
    part = {"complex64": "float32", "complex128": "float64"}[name]
    numbers = st.sampled_from([0.0, -0.0, 1.0, 1.00001, -2.5, 1e30, math.nan, math.inf, -math.inf])
    drawn = data.draw(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1))
    parts = np.array(drawn, part)
    theirs, ours = (np.ascontiguousarray(parts[:, at : at + 2]) for at in (0, 2))
    tolerance = Tolerance(rtol=1.5e-5, atol=1e-6)
    off = []
    for (a, b), (c, d) in zip(theirs.tolist(), ours.tolist(), strict=True):
        same = [x == y or (math.isnan(x) and math.isnan(y)) for x, y in ((a, c), (b, d))]
        finite = [math.isfinite(x) and math.isfinite(y) for x, y in ((a, c), (b, d))]
        if not all(is_same or is_finite for is_same, is_finite in zip(same, finite, strict=True)):
            off.append(True)
            continue
        gap = math.hypot(c - a if finite[0] else 0, d - b if finite[1] else 0)
        size = math.hypot(a if finite[0] else 0, b if finite[1] else 0)
        off.append(not gap <= 1.5e-5 * size + 1e-6)
    tally = tally_of(theirs.view(name)[:, 0].copy(), ours.view(name)[:, 0].copy(), tolerance)
    assert tally.off == sum(off)


@pytest.mark.parametrize("name", ["int8", "uint8", "int64", "uint64", "int4", "uint4"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_integers_in_integers(name: str, data: st.DataObject) -> None:
    """The largest distance of integers is that of Python's, and a tolerance counts them exactly."""
    bits = int(name.lstrip("uint"))
    least = 0 if name.startswith("u") else -(2 ** (bits - 1))
    number = st.integers(least, least + 2**bits - 1)
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=20))
    theirs, ours = (np.array(side, dtype_of(name)) for side in zip(*pairs, strict=True))
    gaps = [abs(a - b) for a, b in pairs]
    tally = tally_of(theirs, ours, None)
    assert (tally.off, tally.over_all.max_ulp) == (sum(gap > 0 for gap in gaps), max(gaps))
    atol = data.draw(st.sampled_from([1, 3, 100]))
    assert tally_of(theirs, ours, Tolerance(atol=atol)).off == sum(gap > atol for gap in gaps)


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_numbers_over_many_pieces(name: str) -> None:
    """Maxima and means over all pieces are those of all elements at once."""
    random = np.random.default_rng(0)
    expected = random.standard_normal(3 * _pass.PIECE + 100).astype(dtype_of(name))
    actual = (
        expected.astype(np.float64) * (1 + random.uniform(-4e-6, 4e-6, expected.size))
    ).astype(dtype_of(name))
    actual[[7, _pass.PIECE + 3]] += dtype_of(name).type(1)
    expected[11] = 0
    one, other = expected.astype(np.float64), actual.astype(np.float64)
    gap = np.abs(other - one)
    [seen] = compare({"y": expected}, {"y": actual}).observed
    assert seen.max_abs == pytest.approx(gap.max(), rel=1e-6)
    assert seen.mean_abs == pytest.approx(gap.mean(), rel=1e-4)
    nonzero = one != 0
    assert seen.max_rel == pytest.approx((gap[nonzero] / np.abs(one[nonzero])).max(), rel=1e-6)
    relative = gap[nonzero] / np.abs(one[nonzero])
    assert seen.mean_rel == pytest.approx(relative.sum() / one.size, rel=1e-4)
    assert seen.max_ulp == max(steps(name, *pair) for pair in zip(expected, actual, strict=True))


def test_numbers_beyond_the_work_type() -> None:
    """A difference that single precision cannot hold is measured and compared all the same."""
    most = np.finfo(np.float32).max
    expected, actual = (
        np.array([most, 1, most], np.float32),
        np.array([-most, 1, most / 2], np.float32),
    )
    override = Override(output="y", rtol=2.5, atol=0, reason="as far as it goes")
    [seen] = compare({"y": expected}, {"y": actual}, Policy(overrides=(override,))).observed
    assert seen.off == 0
    assert seen.max_abs == pytest.approx(2 * float(most))
    assert seen.used == pytest.approx(0.8, rel=1e-5)


def test_every_pair_of_special_values() -> None:
    """Zeros, subnormals, ones, ends, infinities and NaN against each other, under every tolerance."""
    facts = np.finfo(np.float32)
    special = [0.0, -0.0, float(facts.smallest_subnormal), float(facts.tiny), 1, -1]
    special += [float(facts.max), float(facts.min), math.inf, -math.inf, math.nan]
    pairs = np.array(list(itertools.product(special, special)), np.float32)
    for tolerance in TOLERANCES:
        check_verdict("float32", pairs[:, 0].copy(), pairs[:, 1].copy(), tolerance)

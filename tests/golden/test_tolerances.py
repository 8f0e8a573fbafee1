"""Tests of tolerances: the defaults, what overrides them, and what is refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import pytest

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden.tolerances import Override, Policy, Tolerance, tolerance_for

FLOATS = ["float64", "float32", "float16", "bfloat16", "complex64", "complex128", "float8_e5m2"]
DEVICES = [
    "cpu",
    "cpu-onednn",
    "cpu-no-onednn",
    "cpu-one-thread",
    "cpu-many-threads",
    "cpu-xla",
    "gpu",
]


def default(dtype: str, device: str = "cpu") -> Tolerance:
    """Return a default that there must be."""
    found = tolerance_for(dtype, device)
    assert found is not None
    return found


def override(**said: Any) -> Override:
    """Return an override with a reason."""
    return Override(reason="a test", **said)


def of(policy: Policy, output: str = "y", dtype: str = "float32") -> Tolerance:
    """Return the tolerance of an output that has one."""
    found = policy.tolerance(output, dtype)
    assert found is not None
    return found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int32", "string", "bool", "uint8", "qint8", "int4", "V4"])
def test_types_without_tolerance(dtype: str, device: str) -> None:
    """Whatever is not floating-point is compared exactly, on every device."""
    assert tolerance_for(dtype, device) is None


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [name for name in dir(ml_dtypes) if name.startswith("float")])
def test_every_small_float_has_a_tolerance(dtype: str, device: str) -> None:
    """No float of ml_dtypes is compared exactly by mistake."""
    assert tolerance_for(dtype, device) is not None


def test_the_defaults_of_the_cpu() -> None:
    """The numbers that a mismatch quotes where nothing else is said."""
    assert default("float32") == Tolerance(rtol=1e-5, atol=1e-6, scaled=True)
    assert default("float64") == Tolerance(rtol=1e-9, atol=1e-12, scaled=True)
    assert default("float8_e4m3fn") == Tolerance(rtol=0.125, atol=0.0625, scaled=True)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_no_device_is_stricter_than_the_cpu(dtype: str, device: str) -> None:
    """A golden is recorded on some CPU; another device is never held closer to it than that one itself."""
    there, here = default(dtype, device), default(dtype)
    assert (there.rtol, there.atol) >= (here.rtol, here.atol)
    assert there.scaled
    assert there.ulp == 0
    assert there.share == 0


def test_tf32_has_room_on_a_gpu() -> None:
    """Factors of 10 bits are some 1e-3 off, which is within the row of the GPU and not of the CPU."""
    assert default("float32", "gpu").rtol > 2**-10 > default("float32", "cpu-xla").rtol


@pytest.mark.parametrize(
    ("device", "like"), [("gpu:1", "gpu"), ("cpu-new", "cpu"), ("tpu", "cpu"), ("gpu-xla", "gpu")]
)
def test_a_device_without_a_row(device: str, like: str) -> None:
    """A variant has the row of its base, and what nobody knows the strictest."""
    assert tolerance_for("float32", device) == tolerance_for("float32", like)


def test_an_override_says_only_what_it_says() -> None:
    """What an override leaves out stays as it was."""
    found = of(Policy(overrides=(override(ulp=4),)))
    assert found == Tolerance(rtol=1e-5, atol=1e-6, ulp=4, scaled=True)


def test_an_absolute_tolerance_that_is_given_is_not_scaled() -> None:
    """An `atol` of an override is in the unit of the values, however small they are."""
    assert of(Policy(overrides=(override(atol=1e-3),))) == Tolerance(rtol=1e-5, atol=1e-3)


def test_the_most_telling_override_wins() -> None:
    """Output and device before output, that before device, that before neither, in whatever order they stand."""
    overrides = [
        override(output="y", device="cpu-xla", rtol=0.1),
        override(output="y", device="cpu", rtol=0.2),
        override(output="y", rtol=0.3),
        override(device="cpu-xla", rtol=0.4),
        override(device="cpu", rtol=0.5),
        override(rtol=0.6),
    ]
    for first, expected in enumerate([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]):
        for some in (overrides[first:], overrides[first:][::-1]):
            assert of(Policy(device="cpu-xla", overrides=tuple(some))).rtol == expected


def test_overrides_fill_each_other_up() -> None:
    """A telling override leaves to less telling ones what it does not say."""
    policy = Policy(overrides=(override(output="y", ulp=4), override(rtol=0.5, ulp=9)))
    assert (of(policy).rtol, of(policy).ulp) == (0.5, 4)
    assert (of(policy, "other").rtol, of(policy, "other").ulp) == (0.5, 9)


def test_an_override_of_another_device() -> None:
    """One for a variant holds neither for its base nor for another variant."""
    policy = Policy(overrides=(override(device="cpu-xla", rtol=0.5), override(device="gpu", ulp=7)))
    assert of(policy) == tolerance_for("float32")


def test_integers_are_loosened_only_by_name() -> None:
    """An override for all outputs is one for all floats; an integer has to be named."""
    policy = Policy(overrides=(override(atol=2.0),))
    assert policy.tolerance("y", "int32") is None
    policy = Policy(overrides=(override(output="y", atol=2.0),))
    assert policy.tolerance("y", "int32") == Tolerance(atol=2.0)
    assert policy.tolerance("z", "int32") is None


def test_the_command_line_has_the_last_word() -> None:
    """What is given by hand replaces overrides, and no ulp and no share weaken it."""
    overrides = (override(rtol=0.5, atol=0.5, ulp=9, share=0.5),)
    assert of(Policy(rtol=1e-3, atol=0, overrides=overrides)) == Tolerance(rtol=1e-3)
    assert of(Policy(rtol=0)) == Tolerance(atol=1e-6, scaled=True)
    assert of(Policy(atol=0, overrides=overrides)) == Tolerance(rtol=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rtol", -1e-9),
        ("atol", float("nan")),
        ("rtol", float("inf")),
        ("ulp", -1),
        ("share", 1.5),
        ("ulp", 1 << 63),
    ],
)
@pytest.mark.parametrize("make", [Tolerance, override])
def test_what_no_tolerance_can_be(make: Any, name: str, value: float) -> None:
    """Negative numbers, infinities, NaN and shares above 1 are refused by name."""
    with pytest.raises(UsageError, match=f"{name} {value} is no tolerance"):
        make(**{name: value})
    if name in {"rtol", "atol"}:
        with pytest.raises(UsageError, match=name):
            Policy(rtol=value) if name == "rtol" else Policy(atol=value)


@pytest.mark.parametrize("name", ["rtol", "atol", "ulp", "share"])
@pytest.mark.parametrize("make", [Tolerance, override])
def test_integers_that_are_too_large_for_any_number(make: Any, name: str) -> None:
    """An integer of thousands of digits is refused by its length, not by an overflow."""
    with pytest.raises(UsageError, match=rf"{name} \(an integer of 33220 bits\) is no tolerance"):
        make(**{name: 10**10_000})


def test_the_most_units_in_the_last_place() -> None:
    """What fits into 63 bits is a tolerance like any other."""
    assert Tolerance(ulp=(1 << 63) - 1).ulp == (1 << 63) - 1

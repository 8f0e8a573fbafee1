"""How far values may be apart: defaults by element type and device, and what is said of single outputs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from savedmodel_compat.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """When an element agrees with the reference ``b``.

    It does if it is equal, or if ``|a - b| <= atol + rtol * |b|``, or if it is at most ``ulp``
    representable values away.

    Args:
        rtol: of the reference's magnitude.
        atol: in the unit of the values.
        ulp: units in the last place of the element type; of an integer, 1 is 1.
        share: the part of all elements, 0 to 1, that may be off nevertheless. A NaN or an infinity
            on one side only is off like any other.
        scaled: whether ``atol`` shrinks with outputs whose largest finite magnitude, on either side,
            is below 1: what is noise beside 1 is all there is in a small softmax.

    Raises:
        UsageError: a number is negative, not finite, a share above 1, or more units than any type has.
    """

    rtol: float = 0.0
    atol: float = 0.0
    ulp: int = 0
    share: float = 0.0
    scaled: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def __str__(self) -> str:
        """Return it as a mismatch quotes it, without what allows nothing."""
        text = f"rtol {self.rtol:g}, atol {self.atol:g}"
        return f"{text}, {self.ulp} ulp" if self.ulp else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Another tolerance than the default, for one golden; None leaves what else is said.

    Integers, bools and strings are loosened only by an override that names their output.

    Args:
        output: alias of the one output that it holds for; None for all.
        device: the device that it holds for; None for all. One for ``cpu`` holds for the variants
            of the CPU, too, where nothing is said of the variant itself.
        rtol: as in `Tolerance`.
        atol: as in `Tolerance`; taken as it is, whatever the magnitude of the values.
        ulp: as in `Tolerance`.
        share: as in `Tolerance`.
        reason: why.

    Raises:
        UsageError: a number is negative, not finite, or a share above 1.
    """

    output: str | None = None
    device: str | None = None
    rtol: float | None = None
    atol: float | None = None
    ulp: int | None = None
    share: float | None = None
    reason: str

    def __post_init__(self) -> None:
        _check(self)

    def _weight(self, output: str, device: str) -> tuple[bool, int] | None:
        """Return how telling it is of an output on a device; None if it does not hold for it."""
        if self.output not in {None, output} or self.device not in {None, device, _base(device)}:
            return None
        told_of_device = 2 if self.device == device else int(self.device is not None)
        return self.output is not None, told_of_device

    def _over(self, tolerance: Tolerance) -> Tolerance:
        """Return a tolerance with what this one says in its place."""
        said: dict[str, Any] = {
            name: value
            for name in ("rtol", "atol", "ulp", "share")
            if (value := getattr(self, name)) is not None
        }
        if self.atol is not None:
            said["scaled"] = False
        return replace(tolerance, **said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Outputs that are right in more than one way, and what tells whether they are.

    Args:
        checker: name of a checker; see `savedmodel_compat.golden.checkers`.
        outputs: aliases of the outputs that it judges; they are not compared value by value.
        options: what the checker is told besides.
        reason: why the outputs are not unique.
    """

    checker: str
    outputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the outputs of one signature are compared on one device.

    Args:
        device: the device of the consumer, such as ``cpu``, ``cpu-xla`` or ``gpu``.
        rtol: from the command line; it replaces whatever else is said of ``rtol``, and leaves
            nothing of ``ulp`` and ``share``.
        atol: the same of ``atol``.
        overrides: from the golden's manifest. The most telling wins: one for output and device
            before one for the output, that before one for the device, that before one for neither;
            of two that tell the same, the later one.
        checks: from the golden's manifest.

    Raises:
        UsageError: a number is negative or not finite.
    """

    device: str = "cpu"
    rtol: float | None = None
    atol: float | None = None
    overrides: tuple[Override, ...] = ()
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def tolerance(self, output: str, dtype: str) -> Tolerance | None:
        """Return the tolerance of an output, or None if it is compared exactly.

        Args:
            output: its alias.
            dtype: its element type by TensorFlow's name.
        """
        default = tolerance_for(dtype, self.device)
        overrides = self._overrides_of(output, is_float=default is not None)
        if default is None and not overrides:
            return None
        found = default or Tolerance()
        for override in overrides:
            found = override._over(found)  # noqa: SLF001 - of this module
        if default is None or (self.rtol is None and self.atol is None):
            return found
        # What is given by hand is a question about these numbers, which no allowance should answer.
        found = replace(found, ulp=0, share=0.0)
        if self.rtol is not None:
            found = replace(found, rtol=self.rtol)
        return found if self.atol is None else replace(found, atol=self.atol, scaled=False)

    def _overrides_of(self, output: str, *, is_float: bool) -> Iterable[Override]:
        """Return the overrides that hold, the most telling last."""
        weighed = [
            (weight, override)
            for override in self.overrides
            if (weight := override._weight(output, self.device)) is not None  # noqa: SLF001
            and (is_float or override.output is not None)
        ]
        return [override for _, override in sorted(weighed, key=lambda pair: pair[0])]


def tolerance_for(dtype: str, device: str = "cpu") -> Tolerance | None:
    """Return the default tolerance of an element type, or None if its values are compared exactly.

    Args:
        dtype: TensorFlow's name of the type.
        device: a device; what has no row of its own has that of its base, and a base that is not
            known has that of ``cpu``, which is the strictest.
    """
    kind = "small" if dtype.startswith(_SMALL) else dtype
    for name in (device, _base(device), "cpu"):
        found = _DEFAULTS.get(name, {}).get(kind)
        if found is not None:
            return found
    return None


def _base(device: str) -> str:
    """Return what a variant is one of: ``cpu-xla`` is one of ``cpu``, ``gpu:1`` one of ``gpu``."""
    return device.replace(":", "-").partition("-")[0]


def _check(numbers: Tolerance | Override | Policy) -> None:
    """Refuse what no tolerance can be.

    Raises:
        UsageError: see `Tolerance`.
    """
    for name in ("rtol", "atol", "ulp", "share"):
        value = getattr(numbers, name, None)
        most = _MOST.get(name, sys.float_info.max)
        # NaN is not within the two, nor is any integer that is too large to be a float.
        if value is not None and not 0 <= value <= most:
            above = f", at most {most}" if name in _MOST else ""
            raise UsageError(
                f"{name} {_told(value)} is no tolerance: it is a finite number, at least 0{above}"
            )


def _told(value: float) -> str:
    """Return a number in words; of an integer of thousands of digits there is no text."""
    bits = value.bit_length() if isinstance(value, int) else 0
    return f"(an integer of {bits} bits)" if bits > _SHOWN_BITS else str(value)


def _default(rtol: float, atol: float) -> Tolerance:
    return Tolerance(rtol=rtol, atol=atol, scaled=True)


# No two values of a type are further apart than an integer of 64 bits can tell.
_MOST: Mapping[str, int] = MappingProxyType({"ulp": (1 << 63) - 1, "share": 1})
_SHOWN_BITS = 128

_SMALL = ("float8_", "float6_", "float4_")

# The machine epsilon of a release is the same everywhere; kernels differ in the order of their sums. 64 ulp or so is
# what convolutions of the same weights were seen to drift between releases, with an order of magnitude to spare.
_CPU = {
    "float64": _default(1e-9, 1e-12),
    "float32": _default(1e-5, 1e-6),
    "float16": _default(1e-2, 1e-3),
    "bfloat16": _default(2e-2, 1e-2),
    "complex64": _default(1e-5, 1e-6),
    "complex128": _default(1e-9, 1e-12),
    "small": _default(0.125, 0.0625),
}

# Another order of the sums, in blocks as wide as a register, and convolutions by Winograd's algorithm, which adds before
# it multiplies and loses some three bits. Measured in float32 (docs/devices.md): 13 ulp on a small network, 5 on products
# that mostly cancel out; the rest is room for deeper ones. The halves are not measured: oneDNN sums them in float32,
# which is nearer to the truth than Eigen's kernels and should lie within the rows of `cpu`.
_ONEDNN = {"float32": _default(1e-4, 1e-5)}

# A row is what differs from the row of its base.
_DEFAULTS: Mapping[str, Mapping[str, Tolerance]] = MappingProxyType(
    {
        "cpu": _CPU,
        # Which of the two is the default depends on release and platform, so that the golden may be of either.
        "cpu-onednn": _ONEDNN,
        "cpu-no-onednn": _ONEDNN,
        # The same kernels share out the same sums otherwise, which the margin of `cpu` is made for. Measured in float32:
        # nothing on a small network, 6 ulp on sums of a million.
        "cpu-one-thread": {},
        "cpu-many-threads": {},
        # XLA reassociates and fuses, contracts a product and a sum into one rounding, and has its own polynomials for
        # exp, log and tanh of float32 (third_party/xla/xla/service/cpu). Measured in float32: 13 ulp on a small network,
        # some hundreds on sums of a million sines that cancel out. The other types are not measured.
        "cpu-xla": {
            "float64": _default(1e-8, 1e-11),
            "float32": _default(1e-4, 1e-5),
            "complex64": _default(1e-4, 1e-5),
            "complex128": _default(1e-8, 1e-11),
        },
        # TF32 on Ampere and later, which is on by default from release 2.4, keeps 10 bits of the mantissa of each factor
        # (core/platform/tensor_float_32_utils.h): 2**-11 for each, some 1e-3 for a product, and sums of both signs
        # cancel. Complex products are made of such ones. Doubles and halves differ by the order of their sums, and by
        # tensor cores that sum halves in float32. Not measured.
        "gpu": {
            "float64": _default(1e-8, 1e-11),
            "float32": _default(5e-3, 2e-3),
            "float16": _default(2e-2, 5e-3),
            "bfloat16": _default(4e-2, 2e-2),
            "complex64": _default(5e-3, 2e-3),
            "complex128": _default(1e-8, 1e-11),
        },
    }
)

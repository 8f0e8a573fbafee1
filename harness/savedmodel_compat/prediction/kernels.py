"""Whether a release has a kernel for a node, and whether a device that a node is pinned to is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from savedmodel_compat.model.locate import clipped
from savedmodel_compat.prediction.faults import Fault, Kind, parsed
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.prediction.usage import Demand
    from savedmodel_compat.registry.snapshots import Constraint, Kernel

# A kernel of this device type serves every device that has none of its own
# (core/framework/op_kernel.cc, FindKernelRegistration).
_ANYWHERE = "DEFAULT"
# These are rewritten before kernels are looked for (core/common_runtime/accumulate_n_optimizer.cc).
_REWRITTEN = frozenset(("AccumulateNV2",))
_SHOWN = 3
_FIRST = frozenset(("0", "*"))
# A part of a device's name, between slashes; no part fits two of them
# (core/util/device_name_utils.cc).
_PARTS = (
    re.compile(r"(?P<key>job):(?P<value>[A-Za-z]\w*)"),
    re.compile(r"(?P<key>replica|task):(?P<value>\d+|\*)"),
    re.compile(r"device:(?P<kind>[A-Za-z_]\w*|\*)(?::(?P<number>\d+|\*))?"),
    re.compile(r"(?P<kind>(?!job:|replica:|task:|device:)[A-Za-z_]\w*):(?P<number>\d+|\*)"),
)
_LONGEST = 300


def kernel_fault(
    demand: Demand,
    kernels: Iterable[Kernel],
    definition: schema.OpDef,
    devices: frozenset[str],
) -> Fault | None:
    """Return that no device has a kernel for a node, or None.

    It is the rule of ``KernelAttrsMatch`` in ``core/framework/kernel_def_util.cc``.

    Args:
        demand: what the node asks for.
        kernels: those of its op.
        definition: the consumer's, for attrs that the node leaves out.
        devices: the types of device that the consumer has.
    """
    if demand.op in _REWRITTEN:
        return None
    here = [kernel for kernel in kernels if kernel.device in devices or kernel.device == _ANYWHERE]
    given = dict(demand.attrs)
    here = [kernel for kernel in here if kernel.label == demand.label]
    if any(all(_meets(one, given, definition) for one in kernel.constraints) for kernel in here):
        return None
    if not here:
        return Fault(kind=Kind.KERNEL, said=f"has no kernel for {' or '.join(sorted(devices))}")
    names = sorted({one.attr for kernel in here for one in kernel.constraints})
    types = [f"{name}={_shown(name, given, definition)}" for name in names[:_SHOWN]]
    said = f"has no kernel for {' or '.join(sorted(devices))} with {', '.join(types)}"
    return Fault(kind=Kind.KERNEL, attr=names[0] if names else None, said=said)


def _meets(
    constraint: Constraint, given: Mapping[str, bytes | None], definition: schema.OpDef
) -> bool:
    value = _value(constraint.attr, given, definition)
    if value is None:
        return False
    allowed = constraint.allowed.list
    found = value.WhichOneof("value")
    if found == "list":
        return all(number in allowed.type for number in value.list.type)
    held = getattr(value, str(found)) if found else None
    choices = {"type": allowed.type, "s": allowed.s, "i": allowed.i, "b": allowed.b, "f": allowed.f}
    return found in choices and held in choices[found]


def _value(
    name: str, given: Mapping[str, bytes | None], definition: schema.OpDef
) -> schema.AttrValue | None:
    if name in given:
        held = given[name]
        return None if held is None else parsed(held)
    return next((attr.default_value for attr in definition.attr if attr.name == name), None)


def _shown(name: str, given: Mapping[str, bytes | None], definition: schema.OpDef) -> str:
    value = _value(name, given, definition)
    if value is None:
        return "nothing"
    if value.HasField("type"):
        return dtype_name(value.type)
    return ", ".join(map(dtype_name, value.list.type)) or "another value"


def device_fault(device: str, devices: frozenset[str]) -> Fault | None:
    """Return that a device is not there, in a process that has one of each type, or None.

    Args:
        device: as a node names it, such as ``/job:worker/device:GPU:0`` or ``/gpu:0``.
        devices: the types of device that the consumer has.
    """
    if not device:
        return None
    parts = (
        [_parsed(part) for part in device.strip("/").split("/")] if len(device) < _LONGEST else []
    )
    if not parts or None in parts:
        said = f"is pinned to {clipped(repr(device))}, which is no name of a device"
        return Fault(kind=Kind.DEVICE, said=said)
    if all(_is_there(part, devices) for part in parts if part is not None):
        return None
    return Fault(kind=Kind.DEVICE, said=f"is pinned to {device}, which is not there")


def _parsed(part: str) -> Mapping[str, str | None] | None:
    found = (pattern.fullmatch(part) for pattern in _PARTS)
    return next((match.groupdict() for match in found if match), None)


def _is_there(part: Mapping[str, str | None], devices: frozenset[str]) -> bool:
    """Whether a part of a device's name, such as ``device:GPU:0``, is that of a process of its own."""
    if part.get("key") == "job":
        return part["value"] == "localhost"
    if part.get("key") is not None:
        return part["value"] in _FIRST
    kind, number = part["kind"], part["number"]
    return (kind == "*" or str(kind).upper() in devices) and (number is None or number in _FIRST)

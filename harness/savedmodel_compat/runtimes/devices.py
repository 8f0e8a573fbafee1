"""The devices that cells run on: the CPU, ways of computing on it that change numbers, and a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from packaging.version import Version

from savedmodel_compat.errors import UnsupportedError, UsageError
from savedmodel_compat.runtimes.base import Runtime, worker_environment
from savedmodel_compat.runtimes.requests import Placement

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where and how TensorFlow is to compute.

    Args:
        name: what options and reports call it.
        base: ``cpu`` or ``gpu``: whose pins have it.
        text: what it is, in one sentence.
        environment: what a worker has beside the variables of its base.
        since: the oldest release, by its minor, whose wheels were seen to obey; None for all.
        placement: what is asked of each cell, and found out of it; None for nothing.
    """

    name: str
    base: str
    text: str
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    since: str | None = None
    placement: Placement | None = None


CPU = Device(
    name="cpu",
    base="cpu",
    text="The CPU, with whatever TensorFlow takes by itself on this machine.",
)
GPU = Device(
    name="gpu",
    base="gpu",
    text="The first GPU that TensorFlow sees, one cell at a time, its memory taken as it is needed.",
    placement=Placement(device="GPU:0", trace=True),
)
DEVICES = (
    CPU,
    GPU,
    Device(
        name="cpu-onednn",
        base="cpu",
        text="The CPU with oneDNN's kernels, which is the default of newer releases on newer processors.",
        environment={"TF_ENABLE_ONEDNN_OPTS": "1"},
        since="2.5",
    ),
    Device(
        name="cpu-no-onednn",
        base="cpu",
        text="The CPU without oneDNN's kernels.",
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
        since="2.5",
    ),
    Device(
        name="cpu-one-thread",
        base="cpu",
        text="The CPU with one thread for the parts of an op and one for ops, so that sums have one order.",
        environment={"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
        since="1.15",
    ),
    Device(
        name="cpu-many-threads",
        base="cpu",
        text="The CPU with eight threads for the parts of an op and eight for ops, however many processors there are.",
        environment={"TF_NUM_INTRAOP_THREADS": "8", "TF_NUM_INTEROP_THREADS": "8"},
        since="1.15",
    ),
    Device(
        name="cpu-xla",
        base="cpu",
        text="The CPU with what XLA can compile compiled.",
        environment={
            "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit --tf_xla_min_cluster_size=1",
            # That something was compiled is said once, as information.
            _LOG_LEVEL: "0",
        },
        since="1.12",
        placement=Placement(trace=True, compiled=True),
    ),
)
"""Every device, in the order in which they are listed."""


def device(name: str) -> Device:
    """Return a device by its name.

    Raises:
        UsageError: there is none of that name; with those that there are.
    """
    for known in DEVICES:
        if known.name == name:
            return known
    raise UsageError(
        f"there is no device {name!r}",
        hint=f"the devices are {', '.join(known.name for known in DEVICES)}",
    )


def parse(text: str) -> tuple[Device, ...]:
    """Return the devices of a comma list, each once, in the list's order.

    Raises:
        UsageError: it names none, or one that there is not.
    """
    names = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise UsageError(
            f"{text!r} names no device",
            hint=f"the devices are {', '.join(known.name for known in DEVICES)}",
        )
    return tuple(device(name) for name in names)


def base_of(name: str) -> str:
    """Return ``gpu`` for a GPU and ``cpu`` for all else, whatever it is called."""
    return "gpu" if name == "gpu" or name.startswith("gpu-") else "cpu"


def placement_of(name: str) -> Placement | None:
    """Return what is asked of each cell of a runtime by the name of its device; None for one that nobody knows."""
    for known in DEVICES:
        if known.name == name:
            return known.placement
    return None


def on_device(runtime: Runtime, wanted: Device) -> Runtime:
    """Return a runtime whose workers run on a device.

    Whether there is a GPU is found out in each cell.

    Args:
        runtime: one that is ready, on any device.
        wanted: the device.

    Raises:
        UnsupportedError: that release has no such switch.
    """
    if wanted.since is not None and Version(runtime.release) < Version(wanted.since):
        variables = " and ".join(name for name in wanted.environment if name != _LOG_LEVEL)
        raise UnsupportedError(
            f"TensorFlow {runtime.release} does not read {variables} (first in {wanted.since})",
            hint=f"leave device '{wanted.name}' out for releases before {wanted.since}",
        )
    return replace(
        runtime, device=wanted.name, environment=_environment(runtime.environment, wanted)
    )


def _environment(given: Mapping[str, str], wanted: Device) -> Mapping[str, str]:
    """Return the variables of a runtime with those of its device replaced by those of another."""
    of_devices = {name for known in DEVICES for name in known.environment}
    of_devices |= {name for base in ("cpu", "gpu") for name in worker_environment(base)}
    own = {name: value for name, value in given.items() if name not in of_devices}
    return {**own, **worker_environment(wanted.base), **wanted.environment}

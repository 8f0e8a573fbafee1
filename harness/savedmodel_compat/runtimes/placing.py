"""A placement on its way to a worker, and what is to be told where it was not kept."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from savedmodel_compat.runtimes.requests import Placement

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.verdicts import Verdict


def as_header(placement: Placement) -> dict[str, Any]:
    """Return a placement as it travels; see ``worker/_devices.py``."""
    config = None
    if placement.cpus > 1:
        from tensorboard.compat.proto.config_pb2 import ConfigProto

        made = ConfigProto(device_count={"CPU": placement.cpus})
        config = base64.b64encode(made.SerializeToString()).decode("ascii")
    return {
        "device": placement.device,
        "trace": placement.trace,
        "cpus": placement.cpus,
        "config": config,
    }


def with_notes(verdict: Verdict, placement: Placement | None) -> Verdict:
    """Return a verdict that says so where what ran did not run as the placement wished."""
    seen = verdict.traced
    if placement is None or seen is None:
        return verdict
    notes = []
    if placement.device is not None and not seen.nodes.get(placement.device):
        where = ", ".join(f"{count} on {name}" for name, count in seen.nodes.items())
        notes.append(f"no node ran on {placement.device}: {where or 'none was traced'}")
    if placement.compiled and not seen.compiled:
        notes.append("XLA compiled nothing of it, so that it ran as on the plain CPU")
    return replace(verdict, notes=(*verdict.notes, *notes))

"""Which nodes of a cell ran where, from what TensorFlow traced."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboard.compat.proto.config_pb2 import RunMetadata

_DEVICE = re.compile(r"/(?:device:)?((?:XLA_)?[CG]PU):(\d+)", re.IGNORECASE)
_LABEL = re.compile(r" = (\w+)\(")
_CARRIED = frozenset({"_Arg", "_HostRecv", "_HostSend", "_Recv", "_Retval", "_Send", "NoOp"})
"""The ops that compute nothing: they stand on a device because others do, or somebody feeds and fetches."""
_COMPILED = frozenset({"XlaLaunch", "_XlaLaunch", "XlaRun", "_XlaRun"})
"""The ops that run what XLA has compiled (tensorflow/compiler/jit/ops/xla_ops.cc)."""
_COMPILED_LINE = "Compiled cluster using XLA!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What ran where, over all sets of inputs.

    Args:
        nodes: how many nodes ran on each device, such as ``{"CPU:0": 3, "GPU:0": 12}``; each counts once.
        compiled: how many of them were clusters that XLA had compiled.
    """

    nodes: Mapping[str, int] = field(default_factory=dict)
    compiled: int = 0


def traced(metadata: Sequence[bytes], log: str) -> Traced:
    """Return what ran where.

    Args:
        metadata: a serialized ``RunMetadata`` for each set of inputs. Where it tells no steps, the nodes of its graphs are
            those that ran.
        log: what was printed; a cluster in a graph is known to have been compiled only if it says so.

    Raises:
        ValueError: one of them is no ``RunMetadata``.
    """
    nodes: set[tuple[str, str]] = set()
    compiled: set[tuple[str, str]] = set()
    for data in metadata:
        said = _parsed(data)
        is_sure = any(device.node_stats for device in said.step_stats.dev_stats)
        for device, node, op in _steps(said) if is_sure else _placed(said):
            if op in _CARRIED:
                continue
            nodes.add((device, node))
            if op in _COMPILED and (is_sure or _COMPILED_LINE in log):
                compiled.add((device, node))
    counts = Counter(device for device, _ in nodes)
    return Traced(nodes=dict(sorted(counts.items())), compiled=len(compiled))


def _parsed(data: bytes) -> RunMetadata:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import config_pb2

    try:
        return config_pb2.RunMetadata.FromString(data)
    except DecodeError as error:
        raise ValueError(f"a trace that is no RunMetadata: {error}") from None


def _steps(said: RunMetadata) -> Iterator[tuple[str, str, str]]:
    """Yield device, node and op of what ran; a transfer has no op."""
    for device in said.step_stats.dev_stats:
        place = _short(device.device)
        if place is None:
            # What a card's own streams did is told a second time under a name of theirs.
            continue
        for node in device.node_stats:
            op = _LABEL.search(node.timeline_label)
            if op is not None:
                yield place, node.node_name, op.group(1)


def _placed(said: RunMetadata) -> Iterator[tuple[str, str, str]]:
    for graph in said.partition_graphs:
        for node in graph.node:
            place = _short(node.device)
            if place is not None:
                yield place, node.name, node.op


def _short(device: str) -> str | None:
    """Return ``GPU:0`` of ``/job:localhost/replica:0/task:0/device:GPU:0``; None for what is no device of TensorFlow's."""
    found = _DEVICE.fullmatch(device[max(device.rfind("/"), 0) :])
    return f"{found.group(1).upper()}:{found.group(2)}" if found else None

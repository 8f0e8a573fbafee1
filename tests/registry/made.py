"""Small releases made up of real messages, and their store."""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat.model import schema
from savedmodel_compat.registry._pack import Registered, pack
from savedmodel_compat.registry._store import Store


def definition(name: str, **attrs: str) -> bytes:
    """An op with an input ``x`` and attrs of the kinds that are given."""
    op = schema.OpDef(name=name)
    op.input_arg.add(name="x", type=1)
    for attr, kind in attrs.items():
        op.attr.add(name=attr, type=kind)
    return bytes(op.SerializeToString(deterministic=True))


def kernel(device: str, *types: int) -> bytes:
    """A kernel that demands types of the attr ``T``; any if none are given."""
    message = schema.KernelDef(device_type=device)
    if types:
        message.constraint.add(name="T").allowed_values.list.type.extend(types)
    return bytes(message.SerializeToString(deterministic=True))


def release(number: str, **parts: object) -> Registered:
    """A release of which only the parts are told that matter."""
    fields: dict[str, object] = {
        "wheel_sha256": number.replace(".", "").ljust(64, "0"),
        "graph_def_version": 7,
        "ops": {},
        "kernels": {},
        "libraries": {},
    }
    return Registered(release=number, **{**fields, **parts})  # type: ignore[arg-type]


def written(path: Path, *releases: Registered) -> Store:
    """Write a store of releases and open it."""
    path.write_bytes(pack(releases))
    return Store.open(path)

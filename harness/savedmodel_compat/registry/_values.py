"""The kernels of a snapshot, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.model import schema

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What a kernel demands of an attr (``KernelDef.AttrConstraint``).

    Args:
        attr: its name.
        allowed: a list of the values that it may have, most often of types.
    """

    attr: str
    allowed: AttrValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel that is registered for an op (``KernelDef``). It is no key of a dict: messages are none.

    Args:
        device: the type of the devices that it runs on, such as ``CPU``; ``DEFAULT`` is any that is
            pluggable or has no kernel of its own.
        label: the value that the attr ``_kernel`` of a node must have for it; empty for most.
        constraints: what it demands of the node's attrs; all of them must hold.
        priority: the highest wins where several fit.
    """

    device: str
    label: str
    constraints: tuple[Constraint, ...]
    priority: int

    @classmethod
    def parse(cls, kernel: bytes) -> Kernel:
        """Return the kernel of a serialized ``KernelDef``."""
        message = schema.parse(schema.KernelDef, kernel)
        return cls(
            device=message.device_type,
            label=message.label,
            constraints=tuple(
                Constraint(attr=constraint.name, allowed=constraint.allowed_values)
                for constraint in message.constraint
            ),
            priority=message.priority,
        )

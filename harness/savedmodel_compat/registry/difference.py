"""What tells two snapshots of one release apart, in words: a snapshot taken anew, and the shipped one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from savedmodel_compat.model import schema
from savedmodel_compat.registry._values import Kernel

if TYPE_CHECKING:
    from savedmodel_compat.registry._pack import Kernels, Registered

# The parts of an OpDef that have names of their own, and what they are called.
_NAMED = {"input_arg": "input", "output_arg": "output", "attr": "attr"}


def differences(before: Registered, after: Registered) -> Iterator[str]:
    """Yield a line for each thing that two snapshots of a release do not share.

    Args:
        before: the one that is shipped.
        after: the one that was taken now.
    """
    if before.wheel_sha256 != after.wheel_sha256:
        yield f"it was taken from the wheel {before.wheel_sha256}, and now from {after.wheel_sha256}"
    if before.graph_def_version != after.graph_def_version:
        yield f"the GraphDef version was {before.graph_def_version}, and is {after.graph_def_version}"
    yield from _op_changes(before.ops, after.ops)
    for place in sorted({*before.libraries, *after.libraries}):
        changes = _op_changes(before.libraries.get(place, {}), after.libraries.get(place, {}))
        yield from (f"op library {place}: {change}" for change in changes)
    for op in sorted({*before.kernels, *after.kernels}):
        yield from _kernel_changes(op, before.kernels.get(op, ()), after.kernels.get(op, ()))


def _op_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if new is None:
            yield f"op {name} is gone"
        elif old is None:
            yield f"op {name} is new"
        elif old != new:
            yield from (f"op {name}: {change}" for change in _definition_changes(old, new))


def _definition_changes(before: bytes, after: bytes) -> Iterator[str]:
    old, new = (schema.parse(schema.OpDef, op) for op in (before, after))
    changes = [*_field_changes(old, new, skipped=_NAMED)]
    for field, what in _NAMED.items():
        changes += _named_changes(what, getattr(old, field), getattr(new, field))
    if not changes:
        # Such as a reordering, or what a newer TensorFlow added.
        changes = [f"{len(before)} bytes changed to {len(after)} in what is not told apart here"]
    yield from changes


def _named_changes(what: str, before: Any, after: Any) -> Iterator[str]:
    old = {part.name: part for part in before}
    new = {part.name: part for part in after}
    for name in (*old, *(name for name in new if name not in old)):
        if name not in new:
            yield f"{what} '{name}' is gone"
        elif name not in old:
            yield f"{what} '{name}' is new"
        else:
            changes = _field_changes(old[name], new[name])
            yield from (f"{what} '{name}': {change}" for change in changes)


def _field_changes(
    before: Any, after: Any, skipped: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield which fields of two messages of one type differ."""
    old, new = (
        {field.name: _text(value) for field, value in message.ListFields()}
        for message in (before, after)
    )
    for name in sorted({*old, *new}.difference(skipped or ())):
        if old.get(name) != new.get(name):
            yield f"{name} was {old.get(name, 'not set')}, and is {new.get(name, 'not set')}"


def _text(value: Any) -> str:
    if hasattr(value, "ListFields"):
        return f"{{{text_format.MessageToString(value, as_one_line=True)}}}"
    if isinstance(value, str | int | float):
        return repr(value)
    return f"[{', '.join(map(_text, value))}]"


def _kernel_changes(op: str, before: Kernels, after: Kernels) -> Iterator[str]:
    gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
    yield from (f"op {op}: the kernel {_in_words(kernel)} is gone" for kernel in gone.elements())
    yield from (f"op {op}: the kernel {_in_words(kernel)} is new" for kernel in new.elements())


def _in_words(serialized: bytes) -> str:
    kernel = Kernel.parse(serialized)
    label = [f"label '{kernel.label}'"] if kernel.label else []
    priority = [f"priority {kernel.priority}"] if kernel.priority else []
    constraints = [
        f"{constraint.attr} in {_text(constraint.allowed)}" for constraint in kernel.constraints
    ]
    return "; ".join([kernel.device, *label, *constraints, *priority])

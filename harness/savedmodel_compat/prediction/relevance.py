"""Which attrs of an op can make a difference between releases: of all others only the presence is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from savedmodel_compat.registry import snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from savedmodel_compat.model.schema import OpDef

_TYPES = ("type", "list(type)")

Outputs = tuple[tuple[str, int, str, str, str, bool], ...]
"""The outputs that a definition declares, as far as names and types go; to be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Which attrs of an op matter with their value.

    Args:
        deciding: types, numbers of inputs and outputs, attrs with a bound or a list of allowed
            values, and those that choose a kernel.
        common: the attrs that every release knows that has the op; None if no release has it. The
            value of any other may be its default, so that nothing is lost where it is not known.
        outputs: how releases declare its outputs, each way once.
    """

    deciding: frozenset[str]
    common: frozenset[str] | None
    outputs: frozenset[Outputs] = frozenset()

    def matters(self, attr: str) -> bool:
        """Whether the value of an attr, and not only its presence, decides what a release does."""
        return attr in self.deciding or (self.common is not None and attr not in self.common)


@lru_cache(maxsize=4096)
def relevance_of(op: str) -> Relevance:
    """Return what matters of an op, over all snapshots that are shipped."""
    forms: dict[int, OpDef] = {}
    kernels: dict[int, frozenset[str]] = {}
    for release in snapshots.releases():
        snapshot = snapshots.get(release)
        if snapshot is None:
            continue
        form, definition = snapshot.form(op), snapshot.op(op)
        if form is None or definition is None:
            continue
        forms[form] = definition
        choice = snapshot.kernel_form(op)
        if choice not in kernels:
            found = (one.attr for kernel in snapshot.kernels(op) for one in kernel.constraints)
            kernels[choice] = frozenset(found)
    names = [frozenset(attr.name for attr in form.attr) for form in forms.values()]
    deciding = frozenset(name for form in forms.values() for name in _deciding(form))
    outputs = frozenset(map(outputs_of, forms.values()))
    return Relevance(
        deciding=deciding.union(*kernels.values()),
        common=frozenset.intersection(*names) if names else None,
        outputs=outputs,
    )


def outputs_of(definition: OpDef) -> Outputs:
    """Return the outputs that a definition declares."""
    return tuple(
        (one.name, one.type, one.type_attr, one.number_attr, one.type_list_attr, one.is_ref)
        for one in definition.output_arg
    )


def _deciding(definition: OpDef) -> Iterator[str]:
    for attr in definition.attr:
        if attr.type in _TYPES or attr.has_minimum or attr.HasField("allowed_values"):
            yield attr.name
    for argument in (*definition.input_arg, *definition.output_arg):
        if argument.number_attr:
            yield argument.number_attr

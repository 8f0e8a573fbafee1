"""A golden made anew beside the one that is there: what of each is kept, and how the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from savedmodel_compat.golden.compare import compare
from savedmodel_compat.golden.store import DataSet, Golden
from savedmodel_compat.matrix import data_sets, goldens
from savedmodel_compat.runtimes.wire import to_wire

if TYPE_CHECKING:
    from savedmodel_compat.golden.tolerances import Policy


def merged(there: Golden, made: Golden) -> Golden:
    """Return a golden made anew, with what was said of the one that is there, and its other data sets."""
    names = {each.name for each in made.data_sets}
    kept = [each for each in there.data_sets if each.name not in names]
    sets = _ordered([*made.data_sets, *kept])
    return _with_sets(made, sets, there)


def with_new_sets(there: Golden, made: Golden) -> Golden:
    """Return the golden that is there with the data sets that it had not; those that it had stay bit for bit."""
    had = {each.name: each for each in there.data_sets}
    by = made.manifest.recorded_by
    sets = [
        had.get(each.name) or replace(each, why=f"{each.why}; by {by}") for each in made.data_sets
    ]
    # Who recorded the first of them stands above all; who added others, beside those and in the history.
    manifest = replace(
        there.manifest,
        source=made.manifest.source,
        history=(*there.manifest.history, made.manifest.history[-1]),
    )
    return Golden(key=there.key, manifest=manifest, data_sets=tuple(sets))


def _with_sets(made: Golden, sets: Sequence[DataSet], there: Golden) -> Golden:
    overrides, checks = goldens.fitting(there.manifest, sets)
    manifest = replace(
        made.manifest,
        overrides=overrides,
        checks=checks,
        history=(*there.manifest.history, made.manifest.history[-1]),
    )
    return Golden(key=made.key, manifest=manifest, data_sets=tuple(sets))


def _ordered(sets: Sequence[DataSet]) -> list[DataSet]:
    order = {name: at for at, name in enumerate(data_sets.NAMES)}
    return sorted(sets, key=lambda each: (order.get(each.name, len(order)), each.name))


def difference(old: DataSet, new: DataSet, policy: Policy) -> str:
    """Return how one data set differs from another of its name; empty if it does not."""
    if _unlike_inputs(old, new):
        return "it has other inputs"
    found = compare(
        old.outputs,
        new.outputs,
        policy,
        expected_dtypes=goldens.outputs_of(old.dtypes),
        actual_dtypes=goldens.outputs_of(new.dtypes),
    )
    return found.differences[0].text if found.differences else ""


def _unlike_inputs(old: DataSet, new: DataSet) -> bool:
    if set(old.inputs) != set(new.inputs):
        return True
    pairs = [(to_wire(a, old.inputs[a]), to_wire(a, new.inputs[a])) for a in old.inputs]
    return any((a.dtype, a.shape, a.data) != (b.dtype, b.shape, b.data) for a, b in pairs)

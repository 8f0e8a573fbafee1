"""Which cells an expectation is about, an axis at a time, and what it says of each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from savedmodel_compat.matrix.expectations import Breach, Expectation, Verdict
from savedmodel_compat.matrix.releases import Releases
from savedmodel_compat.matrix.seen import UNKNOWN, Seen, ending

# An axis that a run was not narrowed on by its user is one that it covers.
_SCOPES = ("model", "strip", "producer", "consumer", "loader", "provider", "device")


class Matcher:
    """Matches cells with expectations; what each value of each axis selects is found out once.

    Args:
        entries: the expectations.
        day: the day on which they are to hold.
    """

    def __init__(self, entries: Sequence[Expectation], day: date) -> None:
        self.entries = entries
        self._live = sum(1 << i for i, each in enumerate(entries) if each.is_live(day))
        self._masks: dict[str, dict[Any, int]] = {axis: {} for axis in _AXES}
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}

    def mask(self, axis: str, value: Any) -> int:
        """Return one bit for each expectation whose pattern of an axis takes in a value."""
        masks = self._masks[axis]
        if value not in masks:
            takes = _AXES[axis].takes
            masks[value] = sum(1 << i for i, each in enumerate(self.entries) if takes(each, value))
        return masks[value]

    def matching(self, cell: Seen) -> int:
        """Return one bit for each expectation that matches a cell."""
        found = -1
        for name, axis in _AXES.items():
            found &= self.mask(name, axis.value(cell))
            if not found:
                return 0
        return found

    def verdict(self, cell: Seen, matching: int | None = None) -> Verdict:
        """Return what is to be said of a cell.

        Args:
            cell: the cell.
            matching: what `matching` gave of it, if that is known.
        """
        found = self.matching(cell) if matching is None else matching
        if not found:
            return _NOTHING
        key = (found, cell.outcome, cell.claim)
        if key not in self._verdicts:
            live = self._chosen(found & self._live)
            self._verdicts[key] = Verdict(
                live=live, breach=_breach(cell, live), expired=self._chosen(found & ~self._live)
            )
        return self._verdicts[key]

    def _chosen(self, mask: int) -> tuple[Expectation, ...]:
        return tuple(each for i, each in enumerate(self.entries) if mask >> i & 1)


def _breach(cell: Seen, live: Sequence[Expectation]) -> Breach | None:
    if not live:
        return None
    if any(each.contradicts(other) for each in live for other in live):
        return Breach.CONTRADICTED
    if all(each.met_by(cell) for each in live):
        return None
    if cell.failed:
        return Breach.OTHER_CAUSE
    return Breach.PASSED if cell.outcome == "pass" else Breach.NOT_RUN


class Scope:
    """Which values the cells of each model have, an axis at a time.

    Args:
        matcher: of the expectations.
        cells: all of the run.
        narrowed: axes that the user has narrowed, beside those that always may be.
    """

    def __init__(self, matcher: Matcher, cells: Iterable[Seen], narrowed: Collection[str]) -> None:
        self._matcher = matcher
        self._axes = tuple(axis for axis in _AXES if axis in _SCOPES or axis in narrowed)
        self._values: dict[Any, dict[str, set[Any]]] = {}
        for cell in cells:
            model = _AXES["model"].value(cell)
            values = self._values.setdefault(model, {axis: set() for axis in self._axes})
            for axis in self._axes:
                values[axis].add(_AXES[axis].value(cell))

    def has(self, expectation: Expectation) -> bool:
        """Tell whether the cells of the models that it names have something on every axis that it selects."""
        bit = 1 << self._matcher.entries.index(expectation)
        mine = [
            values for model, values in self._values.items() if self._mask("model", model) & bit
        ]
        return bool(mine) and all(
            any(self._mask(axis, value) & bit for values in mine for value in values[axis])
            for axis in self._axes
        )

    def _mask(self, axis: str, value: Any) -> int:
        return self._matcher.mask(axis, value)


def _like(patterns: Collection[str], value: str) -> bool:
    return any(value == each or fnmatchcase(value, each) for each in patterns)


def takes_model(patterns: Collection[str], name: str, full_name: str) -> bool:
    """Tell whether one of several patterns is about a model.

    A pattern is about the models whose names are like it, or whose full names end in what is like it; behind a slash,
    about those whose names are like the rest of it, and no others.

    Args:
        patterns: such as ``half_plus_two``, ``models/*`` or ``/half_plus_two``.
        name: of the model.
        full_name: the same with all folders above it.
    """
    return any(
        _like((each[1:],), name)
        if each.startswith("/")
        else _like((each,), name) or _like((each,), ending(full_name, each))
        for each in patterns
    )


def _releases(releases: Releases | None, value: str | None) -> bool:
    return releases is None or releases.has(value)


def _strip(said: bool | str | None, value: bool | None) -> bool:
    return said is None or (value is None if said == UNKNOWN else said is value)


# Of a cell that was never started nobody knows the tags and the signature if it has none: it may be any of the model's.
def _tags_of(cell: Seen) -> frozenset[str] | None:
    return None if not cell.started and not cell.tags else frozenset(cell.tags)


def _signature_of(cell: Seen) -> str | None:
    return None if not cell.started and cell.signature is None else cell.signature or ""


@dataclass(frozen=True, slots=True)
class _Axis:
    value: Callable[[Seen], Any]
    takes: Callable[[Expectation, Any], bool]


_AXES: Mapping[str, _Axis] = {
    "model": _Axis(lambda c: (c.model, c.full_name), lambda e, v: takes_model(e.models, *v)),
    "consumer": _Axis(lambda c: c.consumer, lambda e, v: _releases(e.consumer, v)),
    "producer": _Axis(lambda c: c.producer, lambda e, v: _releases(e.producer, v)),
    "strip": _Axis(lambda c: c.strip, lambda e, v: _strip(e.strip, v)),
    "loader": _Axis(lambda c: c.loader, lambda e, v: not e.loaders or v in e.loaders),
    "provider": _Axis(lambda c: c.provider, lambda e, v: not e.providers or v in e.providers),
    "device": _Axis(lambda c: c.device, lambda e, v: not e.devices or _like(e.devices, v)),
    "tags": _Axis(_tags_of, lambda e, v: e.tags is None or v is None or e.tags == v),
    "signature": _Axis(
        _signature_of, lambda e, v: not e.signatures or v is None or _like(e.signatures, v)
    ),
}
_NOTHING = Verdict()

"""Every op that a pinned release of TensorFlow knows, in its newest form.

It is read from the snapshots that are shipped: `savedmodel_compat.registry.snapshots` says of one
release what this says of all together.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from savedmodel_compat.registry._source import shipped

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import OpDef


def op(name: str) -> OpDef | None:
    """Return an op's definition of the newest pinned release that has it; None if none has.

    It has no descriptions, and must not be changed: every caller gets the same one.
    """
    return _op(name) if name in shipped().store.rows else None


def attrs(name: str) -> frozenset[str]:
    """Return the attrs that an op has in any pinned release; none for an op that is not known."""
    return _attrs(name) if name in shipped().store.rows else frozenset()


def op_library(name: str) -> str | None:
    """Return which op library of TensorFlow's package has an op that TensorFlow itself never had.

    Such as ``contrib/resampler``: the op is known only where Python has imported that package, or
    where the server was built with it.

    Args:
        name: of the op; None is returned for one that is not known.
    """
    return shipped().store.places.get(name)


def releases() -> tuple[str, ...]:
    """Return the releases that the data were taken from, oldest first."""
    return tuple(head.release for head in shipped().store.releases)


# Only names that are known are kept: a model may hold any number of others.
@cache
def _op(name: str) -> OpDef | None:
    source = shipped()
    number = source.store.newest(name)
    return source.op(number) if number else None


@cache
def _attrs(name: str) -> frozenset[str]:
    newest = _op(name)
    own = () if newest is None else (attr.name for attr in newest.attr)
    return frozenset((*own, *shipped().store.former.get(name, ())))

"""Inputs as Python writes them, so that whoever reads of a failure can paste them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from savedmodel_compat.search._elements import places

Array = np.ndarray[Any, Any]

_MOST_SHOWN = 24
_LONGEST_PERIOD = 8
_MOST_VALUES = 4


def as_source(feed: Mapping[str, Array]) -> str:
    """Return an expression whose value is the feed, given ``import numpy as np`` (and ``ml_dtypes`` for its types)."""
    return "{" + ", ".join(f"{name!r}: {array_source(feed[name])}" for name in feed) + "}"


def shapes(feed: Mapping[str, Array]) -> str:
    """Return names, dtypes and shapes of a feed in words."""
    said = (
        f"{name} {'string' if array.dtype == object else array.dtype.name} {list(array.shape)}"
        for name, array in feed.items()
    )
    return ", ".join(said) or "no inputs"


def array_source(array: Array) -> str:
    """Return an expression whose value is an array, to the bit; one of many different elements is cut, and says so."""
    kind = "object" if array.dtype == object else repr(array.dtype.name)
    if not array.size:
        return f"np.empty({array.shape}, {kind})"
    flat = array.ravel()
    period = _period(flat)
    if period is not None:
        return f"np.resize({_values(flat[:period], kind)}, {array.shape})"
    if array.size <= _MOST_SHOWN:
        return f"{_values(flat, kind)}.reshape({array.shape})"
    return _drawn(array, kind) or f"... # {array.size} elements, in the file below"


def _drawn(array: Array, kind: str) -> str | None:
    """Return an array as it is drawn: few values along each of its dimensions, and at most one other; None if it is not."""
    flat, at = array.ravel(), places(array.shape).ravel()
    for count in range(1, _MOST_VALUES + 1):
        few = _few(flat, at, count)
        if few is None:
            return None
        repeated = few[at % count]
        different = [
            place
            for place in range(flat.size)
            if not _same(repeated[place : place + 1], flat[place : place + 1])
        ]
        pattern = f"{_values(few, kind)}[np.indices({array.shape}).sum(0) % {count}]"
        if not different:
            return pattern
        if len(different) == 1:
            [place] = different
            other = _values(flat[place : place + 1], kind)
            return f"np.where(np.arange({flat.size}).reshape({array.shape}) == {place}, {other}, {pattern})"
    return None


def _few(flat: Array, at: Array, count: int) -> Array | None:
    """Return the values that are repeated, if there are so many: what two of three elements say that should be alike."""
    found = []
    for residue in range(count):
        [where] = np.nonzero(at % count == residue)
        if not where.size:
            return None
        first, *others = (flat[place : place + 1] for place in where[:3])
        is_alone = len(others) > 1 and not any(_same(first, other) for other in others)
        found.append(others[0] if is_alone else first)
    return np.concatenate(found)


def _values(flat: Array, kind: str) -> str:
    listed = flat.tolist()
    if flat.dtype != object and not _is_written_exactly(flat, listed):
        parts = 2 if flat.dtype.kind == "c" else 1
        bits = f"u{flat.dtype.itemsize // parts}"
        return f"np.array({flat.view(bits).tolist()}, {bits!r}).view({kind})"
    return f"np.array({listed!r}, {kind})"


def _is_written_exactly(flat: Array, listed: list[Any]) -> bool:
    """Tell whether the elements, written as Python writes them, are these very ones, and need no names for it."""
    if flat.dtype.kind not in "biufc":
        return False
    with np.errstate(all="ignore"):
        again = np.array(listed, flat.dtype)
    special = flat.dtype.kind in "fc" and not np.all(np.isfinite(flat))
    # Python reads `-0+1j` as a difference and `-1j` as a product, and either gives zeros another sign.
    special = special or (flat.dtype.kind == "c" and bool(np.any(np.signbit(_parts(flat)))))
    return not special and again.tobytes() == flat.tobytes()


def _parts(flat: Array) -> Array:
    """Return the real and imaginary parts of complex numbers, one after the other."""
    return flat.view(flat.real.dtype)


def _period(flat: Array) -> int | None:
    """Return after how many elements an array repeats itself, if after few."""
    for period in range(1, min(_LONGEST_PERIOD, flat.size) + 1):
        if _same(np.resize(flat[:period], flat.shape), flat):
            return period
    return None


def _same(one: Array, other: Array) -> bool:
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return one.tobytes() == other.tobytes()

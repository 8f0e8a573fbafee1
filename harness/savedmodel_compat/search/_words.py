"""Inputs as Python writes them, so that whoever reads of a failure can paste them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MOST_SHOWN = 24
_LONGEST_PERIOD = 8


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
    if period is None and array.size > _MOST_SHOWN:
        return f"... # {array.size} elements, in the file below"
    values = _values(flat if period is None else flat[:period], kind)
    if period is None:
        return f"{values}.reshape({array.shape})"
    return f"np.resize({values}, {array.shape})"


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

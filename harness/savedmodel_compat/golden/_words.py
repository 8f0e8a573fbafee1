"""What a report says of values that differ: how many, how far, where; one line that a terminal can hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from savedmodel_compat.golden._elements import Array, Kind, kind_of
from savedmodel_compat.golden._tally import Gaps, Tally
from savedmodel_compat.golden.tolerances import Tolerance

LINE = 500
_SHOWN = 100
# One of them, and several.
_NAMES = {
    "nan": ("NaN", "NaN"),
    "infinity": ("an infinity", "infinities"),
    "number": ("a number", "numbers"),
}


def mismatch(
    name: str,
    expected: Array,
    actual: Array,
    tally: Tally,
    *,
    tolerance: Tolerance | None,
    allowed: int,
    looks: str,
) -> str:
    """Return the text of a mismatch.

    Args:
        name: alias of the output.
        expected: the reference.
        actual: what is there instead.
        tally: what was found of the two.
        tolerance: how they were compared; None exactly.
        allowed: how many elements may be off.
        looks: what the output looks like; empty if it looks like nothing else.
    """
    policy = "compared exactly" if tolerance is None else str(tolerance)
    head = f"output '{name}': {tally.off} of {expected.size} elements differ ({policy}"
    if tolerance is not None and tolerance.share:
        head += f"; {allowed} may, a share of {tolerance.share:g}"
    head += ")"
    if tally.classes:
        head += f", {_class_words(tally)}"
    if tally.beyond.count:
        head += f", at most by {_gap_words(tally, kind_of(expected.dtype))}"
    tail = f"; {looks}" if looks else ""
    # An alias may be of any length.
    head = head if len(head) <= LINE // 2 else f"{head[: LINE // 2]}…"
    places: list[str] = []
    for number in tally.places:
        index = tuple(int(at) for at in np.unravel_index(number, expected.shape))
        place = _place(index, expected[index], actual[index])
        if places and len("; ".join([head, *places, place])) + len(tail) > LINE:
            break
        places.append(place)
    return "; ".join([head, *places]) + tail


def cut(text: str, length: int = LINE) -> str:
    """Return a text of at most that length."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def shown(value: Any) -> str:
    """Return an element in words; the end of a long string says nothing that its beginning does not."""
    if isinstance(value, np.void):
        value = value.tobytes()
    text = repr(value) if isinstance(value, bytes | str) else str(value)
    if len(text) <= _SHOWN or not isinstance(value, bytes):
        return cut(text, _SHOWN)
    return f"{text[:_SHOWN]}… ({len(value)} bytes)"


def _place(index: tuple[int, ...], expected: Any, actual: Any) -> str:
    here, there = shown(actual), shown(expected)
    text = f"at {list(index)} {here}, the reference has {there}"
    if isinstance(expected, bytes) and isinstance(actual, bytes) and "…" in here + there:
        text += f" (alike up to byte {_shared(expected, actual)})"
    return text


def _shared(one: bytes, other: bytes) -> int:
    """Return the number of the first byte that differs."""
    least = min(len(one), len(other))
    unequal = np.flatnonzero(
        np.frombuffer(one, np.uint8, least) != np.frombuffer(other, np.uint8, least)
    )
    return int(unequal[0]) if unequal.size else least


def _class_words(tally: Tally) -> str:
    """Say which NaN and infinities are something else, and the other way round."""
    parts = []
    for (theirs, ours), count in sorted(tally.classes.items()):
        is_many = count > 1
        what = _NAMES[theirs][is_many].split()[-1]
        if theirs != ours:
            became = f"{'are' if is_many else 'is'} {_NAMES[ours][is_many]} here"
        else:
            # Of a complex NaN, or of an infinity, either part may be what differs.
            other = "sign" if theirs == "infinity" else "part"
            became = f"{'have' if is_many else 'has'} another {other} here"
        parts.append(f"{count} {what} of the reference {became}")
    return ", ".join(parts)


def _gap_words(tally: Tally, kind: Kind) -> str:
    """Say how far the elements that are off are, and how far any element is where that is more."""
    of, over = tally.beyond, tally.over_all
    if kind is Kind.WHOLE:
        # Of an integer the one distance is all three.
        return str(of.max_ulp) + _rest(of, of.mean_abs, over.max_ulp, of.max_ulp)
    texts = [f"{of.max_abs:.3g}" + _rest(of, of.mean_abs, over.max_abs, of.max_abs)]
    if of.max_rel:
        texts.append(
            f"relative {of.max_rel:.3g}" + _rest(of, of.mean_rel, over.max_rel, of.max_rel)
        )
    texts.append(f"{of.max_ulp} ulp" + _rest(of, of.mean_ulp, over.max_ulp, of.max_ulp))
    return ", ".join(texts)


def _rest(of: Gaps, mean: float, over_all: float, most: float) -> str:
    """Return the mean, where it is not the maximum itself, and the maximum of all elements, where that is larger."""
    parts = [f"mean {mean:.3g}"] if of.count > 1 else []
    if over_all > most and not math.isclose(over_all, most, rel_tol=1e-5):
        parts.append(f"of all elements {over_all:.3g}")
    return f" ({', '.join(parts)})" if parts else ""

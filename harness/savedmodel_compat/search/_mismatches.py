"""Inputs that do not fit a signature, with what is wrong about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.matrix.inputs import components
from savedmodel_compat.search._elements import elements, kind_of, repeated
from savedmodel_compat.search._hypothesis import st

if TYPE_CHECKING:
    from savedmodel_compat.matrix.inputs import Wanted

Array = np.ndarray[Any, Any]

_EXTRA = "not_in_the_signature"

MISSING, UNKNOWN, DTYPE, RANK, SIZE, EXAMPLE = (
    "missing",
    "extra",
    "dtype",
    "rank",
    "size",
    "example",
)
KINDS = (MISSING, UNKNOWN, DTYPE, RANK, SIZE, EXAMPLE)
"""What may be wrong."""

_OTHER_DTYPES = ("float32", "int32", "string", "int64", "bool")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A set of inputs that does not fit.

    Args:
        feed: the inputs, by alias.
        kind: what is wrong, one of `KINDS`.
        alias: of the input that is wrong.
        text: what is wrong, in words.
    """

    feed: Mapping[str, Array]
    kind: str
    alias: str
    text: str


def mismatches(
    needed: Mapping[str, Wanted], feeds: st.SearchStrategy[dict[str, Array]]
) -> st.SearchStrategy[Mismatch]:
    """Return a strategy for inputs of which one thing is wrong.

    Args:
        needed: the inputs of the signature.
        feeds: draws inputs that fit.
    """
    ways = [(UNKNOWN, extra_of(needed))]
    for alias, each in needed.items():
        # What has a default may be left out, and the parts of a composite input say little by themselves.
        if each.spec.components:
            continue
        ways += [(MISSING, alias)] if each.default is None else []
        ways += [(DTYPE, alias)]
        ways += [(EXAMPLE, alias)] if each.features is not None else []
        ways += [(RANK, alias)] if each.spec.shape is not None else []
        ways += [(SIZE, alias)] if any(each.spec.shape or ()) else []
    return _mismatched(needed, feeds, sorted(ways, key=lambda way: KINDS.index(way[0])))


@st.composite
def _mismatched(
    draw: Any,
    needed: Mapping[str, Wanted],
    feeds: st.SearchStrategy[dict[str, Array]],
    ways: list[tuple[str, str]],
) -> Mismatch:
    kind, alias = draw(st.sampled_from(ways))
    feed = dict(draw(feeds))
    if kind == MISSING:
        del feed[alias]
    elif kind == UNKNOWN:
        feed[alias] = np.zeros((), dtype=np.float32)
    else:
        was = needed[alias].spec
        feed[alias] = _WRONG[kind](draw, feed[alias], was.dtype, was.shape)
    return mismatch_of(needed, feed)


def mismatch_of(needed: Mapping[str, Wanted], feed: Mapping[str, Array]) -> Mismatch:
    """Return what is wrong about inputs of which one thing is.

    Args:
        needed: the inputs of the signature.
        feed: the inputs that are given.
    """
    if found := misfit_of(needed, feed):
        return found
    [alias] = [alias for alias, each in needed.items() if each.features is not None][:1] or [""]
    return Mismatch(feed, EXAMPLE, alias, f"input '{alias}' holds what is no Example")


def misfit_of(needed: Mapping[str, Wanted], feed: Mapping[str, Array]) -> Mismatch | None:
    """Return what of some inputs does not fit a signature by names, dtypes and shapes; None if all does.

    Args:
        needed: the inputs of the signature.
        feed: the inputs that are given.
    """
    parts = {alias: components(alias, each.spec) for alias, each in needed.items()}
    for alias, each in sorted(needed.items()):
        if each.default is None and not all(name in feed for name, _ in parts[alias]):
            return Mismatch(feed, MISSING, alias, f"input '{alias}' is missing")
    known = {name: spec for several in parts.values() for name, spec in several}
    for name in sorted(set(feed) - set(known)):
        return Mismatch(feed, UNKNOWN, name, f"there is no input '{name}'")
    for name, array in feed.items():
        spec = known[name]
        if kind := _wrong_about(array, spec.dtype, spec.shape):
            wants = f"the signature wants {spec.dtype} {_open(spec.shape)}"
            return Mismatch(feed, kind, name, f"input '{name}' is {_said(array)}, {wants}")
    return None


def extra_of(needed: Mapping[str, Wanted]) -> str:
    """Return the alias of an input that a signature has not."""
    alias = _EXTRA
    while alias in needed:
        alias += "_"
    return alias


def _wrong_about(array: Array, dtype: str, shape: tuple[int | None, ...] | None) -> str | None:
    if array.dtype != kind_of(dtype):
        return DTYPE
    if shape is None:
        return None
    if array.ndim != len(shape):
        return RANK
    return None if fits(array.shape, shape) else SIZE


def fits(sizes: tuple[int, ...], shape: tuple[int | None, ...] | None) -> bool:
    """Tell whether the sizes of an array are what a shape wants."""
    if shape is None:
        return True
    return len(sizes) == len(shape) and all(
        want in {None, have} for have, want in zip(sizes, shape, strict=True)
    )


def _dtype(draw: Any, right: Array, dtype: str, shape: Any) -> Array:  # noqa: ARG001
    # A quantised integer is held as a plain one, and is told from it by nobody.
    others = [name for name in _OTHER_DTYPES if kind_of(name) != kind_of(dtype)]
    other = draw(st.sampled_from(others))
    return repeated([draw(elements(other, edges=False))], other, right.shape)


def _rank(draw: Any, right: Array, dtype: str, shape: Any) -> Array:  # noqa: ARG001
    ranks = [rank for rank in range(len(shape) + 3) if rank != len(shape)]
    rank = draw(st.sampled_from(ranks))
    dimensions = tuple(draw(st.integers(0, 3)) for _ in range(rank))
    return repeated([draw(elements(dtype, edges=False))], dtype, dimensions)


def _size(draw: Any, right: Array, dtype: str, shape: Any) -> Array:
    known = [place for place, size in enumerate(shape) if size is not None and size > 0]
    place = draw(st.sampled_from(known))
    sizes = [size for size in (0, 1, shape[place] - 1, shape[place] + 1) if size != shape[place]]
    dimensions = list(right.shape)
    dimensions[place] = draw(st.sampled_from(sorted({size for size in sizes if size >= 0})))
    return repeated([draw(elements(dtype, edges=False))], dtype, tuple(dimensions))


def _example(draw: Any, right: Array, dtype: str, shape: Any) -> Array:  # noqa: ARG001
    wrong = draw(st.sampled_from((b"\xff", b"\x0a\xff", b"no Example at all")))
    # Of no Examples at all none is wrong.
    return repeated([wrong], "string", tuple(max(1, size) for size in right.shape))


_WRONG = {DTYPE: _dtype, RANK: _rank, SIZE: _size, EXAMPLE: _example}


def _said(array: Array) -> str:
    name = "string" if array.dtype == kind_of("string") else array.dtype.name
    return f"{name} {list(array.shape)}"


def _open(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of any shape"
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"

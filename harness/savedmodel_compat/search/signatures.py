"""Whole signatures, as Hypothesis draws them, exporters that write models of them, and what `tf.saved_model.save` makes of names."""

from __future__ import annotations

import json
import keyword
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.search._sizes import Shape

_GENERATED = Path(__file__).parent / "inside" / "generated.py"
_DTYPES = (
    "float32",
    "int32",
    "int64",
    "string",
    "bool",
    "float64",
    "uint8",
    "float16",
    "complex64",
)
_PLAIN_NAMES = ("x", "y", "inputs", "Image", "x_1")
_ODD_NAMES = (
    "_hidden",
    "X",
    "a/b",
    "two words",
    "1",
    "é",
    "self",
    "lambda",
    "x:0",
    "a.b",
    "a-b",
    "n" * 200,
)
_PLAIN_KEYS = ("serving_default", "predict", "classify_labels")
_ODD_KEYS = ("a/b", "two words", "é", "1", "k" * 200)
DENSE, SPARSE, RAGGED, DICT, TUPLE = "dense", "sparse", "ragged", "dict", "tuple"
KINDS = (DENSE, SPARSE, RAGGED, DICT, TUPLE)
"""What an input may be; a ``dict`` and a ``tuple`` hold others."""

_NESTS = (DICT, TUPLE)
OPEN = 2
"""The size that exporters give to what a shape leaves open."""


@dataclass(frozen=True, slots=True)
class DrawnInput:
    """One input of a signature that was drawn.

    Args:
        name: its alias; of a part of a ``dict`` its key, and of a ``tuple`` the name of its own, or nothing.
        dtype: TensorFlow's name of its element type; empty if it holds others.
        shape: None for an unknown rank; None stands for an unknown dimension.
        kind: one of `KINDS`.
        parts: what a ``dict`` or ``tuple`` holds.
        default: what is meant where it is left out, as a flat list that fits the shape with `OPEN` for each open dimension;
            None if it may not be left out.
        default_as: what a module's function is given as that default: a ``tensor``, an ``array``, a ``list`` or a ``number``.
    """

    name: str
    dtype: str = ""
    shape: Shape | None = None
    kind: str = DENSE
    parts: tuple[DrawnInput, ...] = ()
    default: tuple[float | str, ...] | None = None
    default_as: str = "tensor"


@dataclass(frozen=True, slots=True)
class DrawnSignature:
    """A signature that was drawn.

    Args:
        key: what a request calls it.
        inputs: each of another name.
    """

    key: str
    inputs: tuple[DrawnInput, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor of an input, as `tf.saved_model.save` sees it.

    Args:
        wanted: the name that it would have if nothing else had it.
        dtype: TensorFlow's name of its element type.
        shape: as of `DrawnInput`.
    """

    wanted: str
    dtype: str
    shape: Shape | None


def signatures(
    *,
    kinds: Sequence[str] = KINDS,
    odd_names: bool = True,
    defaults: bool = True,
    most: int = 3,
) -> st.SearchStrategy[tuple[DrawnSignature, ...]]:
    """Return a strategy for the signatures of one model, each with another key.

    Args:
        kinds: of inputs, of `KINDS`; a builder of TensorFlow 1 cannot nest them.
        odd_names: whether names and keys are drawn that Python would not take, or that TensorFlow may make of others.
        defaults: whether dense inputs may have a default; TensorFlow writes them from 2.14 on.
        most: how many signatures, and how many inputs of one, at most.
    """
    names = st.sampled_from(_PLAIN_NAMES + (_ODD_NAMES if odd_names else ()))
    keys = st.sampled_from(_PLAIN_KEYS + (_ODD_KEYS if odd_names else ()))
    inputs = st.lists(
        _input(names, tuple(kinds), defaults), max_size=most, unique_by=lambda each: each.name
    )
    signature = st.builds(DrawnSignature, keys, inputs.map(tuple))
    return st.lists(signature, min_size=1, max_size=most, unique_by=lambda each: each.key).map(
        tuple
    )


_SIZE = st.none() | st.integers(0, 3)


@st.composite
def _input(
    draw: Any, names: st.SearchStrategy[str], kinds: tuple[str, ...], defaults: bool
) -> DrawnInput:
    name, kind = draw(names), draw(st.sampled_from(kinds))
    if kind in _NESTS:
        nest: DrawnInput = draw(_nest(name, kind, kinds))
        return nest
    shape = draw(_shapes(kind))
    plain = DrawnInput(name, draw(st.sampled_from(_DTYPES)), shape, kind)
    # What TensorFlow writes down as a default it calls an argument of Python.
    may_default = defaults and kind == DENSE and name.isidentifier() and not keyword.iskeyword(name)
    if not may_default or not draw(st.booleans()):
        return plain
    return replace(plain, default=draw(_default(plain)))


@st.composite
def _nest(draw: Any, name: str, kind: str, kinds: tuple[str, ...]) -> DrawnInput:
    """Draw what holds one to three others; a level below it there may be others of the kind."""
    keys = draw(st.lists(st.sampled_from(("b", "a", "c")), min_size=1, unique=True))
    parts = []
    for key in keys:
        within = draw(st.sampled_from((DENSE, *(each for each in kinds if each != DENSE))))
        own = key if kind == DICT or draw(st.booleans()) else ""
        if within in _NESTS:
            leaf = DrawnInput("d" if within == DICT else "", "int32", (None,))
            parts.append(DrawnInput(own, kind=within, parts=(leaf,)))
        else:
            dtype = draw(st.sampled_from(_DTYPES))
            parts.append(DrawnInput(own, dtype, draw(_shapes(within)), within))
    return DrawnInput(name, kind=kind, parts=tuple(parts))


def _shapes(kind: str) -> st.SearchStrategy[Shape | None]:
    if kind == DENSE:
        return st.none() | st.lists(_SIZE, max_size=3).map(tuple)
    if kind == SPARSE:
        return st.lists(_SIZE, min_size=1, max_size=3).map(tuple)
    return st.lists(st.integers(0, 3), max_size=1).map(lambda inner: (None, None, *inner))


def _default(one: DrawnInput) -> st.SearchStrategy[tuple[float | str, ...]]:
    sizes = (OPEN,) if one.shape is None else [OPEN if n is None else n for n in one.shape]
    count = prod(sizes)
    element: st.SearchStrategy[Any] = st.integers(0, 8)
    if one.dtype == "string":
        element = st.sampled_from(("", "a", "two words", "é"))
    elif one.dtype == "bool":
        element = st.integers(0, 1)
    return st.lists(element, min_size=count, max_size=count).map(tuple)


def module_inputs(signature: DrawnSignature) -> dict[str, Leaf]:
    """Return the inputs that `tf.saved_model.save` makes of those that were drawn, by alias, in its own order.

    It knows no nests and no composite inputs: each tensor of one becomes an input of the argument's name, or of its own if its
    `tf.TensorSpec` has one. A name that another has already gets the first number that makes it another; so an argument that is
    called ``x_1`` is ``x_1_1`` beside a sparse one that is called ``x``.
    """
    found: dict[str, Leaf] = {}
    counts: dict[str, int] = {}
    for one in in_order(signature):
        for leaf in _leaves(one, one.name):
            alias = leaf.wanted
            while alias in found:
                counts[leaf.wanted] = counts.get(leaf.wanted, 0) + 1
                alias = f"{leaf.wanted}_{counts[leaf.wanted]}"
            found[alias] = leaf
    return found


def in_order(signature: DrawnSignature) -> list[DrawnInput]:
    """Return the arguments of a module's function: by name, or those with a default behind the others, as Python wants them."""
    if any(one.default is not None for one in signature.inputs):
        return sorted(signature.inputs, key=lambda one: one.default is not None)
    return sorted(signature.inputs, key=lambda one: one.name)


def _leaves(one: DrawnInput, wanted: str) -> Iterator[Leaf]:
    shape, rank = one.shape, len(one.shape or ())
    if one.kind == DICT:
        for part in sorted(one.parts, key=lambda part: part.name):
            yield from _leaves(part, wanted)
    elif one.kind == TUPLE:
        for part in one.parts:
            named = part.kind == DENSE and part.name
            yield from _leaves(part, part.name if named else wanted)
    elif one.kind == SPARSE:
        yield Leaf(wanted, "int64", (None, rank))
        yield Leaf(wanted, one.dtype, (None,))
        yield Leaf(wanted, "int64", (rank,))
    elif one.kind == RAGGED:
        yield Leaf(wanted, one.dtype, (None, *(shape or ())[2:]))
        yield Leaf(wanted, "int64", (None,))
    else:
        yield Leaf(wanted, one.dtype, shape)


def write_exporter(folder: Path, drawn: tuple[DrawnSignature, ...]) -> Path:
    """Write a file with two exporters of a model with these signatures: ``export_graph`` and ``export_module``.

    Args:
        folder: where; it holds nothing else.
        drawn: the signatures.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_GENERATED, folder / _GENERATED.name)
    described = json.dumps(
        [
            {
                "key": each.key,
                "inputs": [asdict(one) for one in each.inputs],
                "arguments": [one.name for one in in_order(each)],
                "aliases": list(module_inputs(each)),
            }
            for each in drawn
        ]
    )
    file = folder / "drawn.py"
    file.write_text(
        "import json\n\nfrom generated import graph_exporter, module_exporter\n\n"
        f"DESCRIPTION = json.loads({described!r})\n"
        "export_graph = graph_exporter(DESCRIPTION)\nexport_module = module_exporter(DESCRIPTION)\n",
        encoding="utf-8",
    )
    return file

"""Whole signatures, as Hypothesis draws them, and exporters that write models of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
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
_PLAIN_NAMES = ("x", "y", "inputs", "Image")
_ODD_NAMES = (
    "_hidden",
    "x_1",
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
DENSE, SPARSE, RAGGED = "dense", "sparse", "ragged"


@dataclass(frozen=True, slots=True)
class DrawnInput:
    """One input of a signature that was drawn.

    Args:
        name: its alias.
        dtype: TensorFlow's name of its element type.
        shape: None for an unknown rank; None stands for an unknown dimension.
        kind: ``dense``, ``sparse`` or ``ragged``.
    """

    name: str
    dtype: str
    shape: Shape | None
    kind: str = DENSE


@dataclass(frozen=True, slots=True)
class DrawnSignature:
    """A signature that was drawn.

    Args:
        key: what a request calls it.
        inputs: each of another name.
    """

    key: str
    inputs: tuple[DrawnInput, ...]


def signatures(
    *, kinds: tuple[str, ...] = (DENSE,), odd_names: bool = True, most: int = 3
) -> st.SearchStrategy[tuple[DrawnSignature, ...]]:
    """Return a strategy for the signatures of one model, each with another key.

    Args:
        kinds: of inputs: ``dense``, ``sparse`` or ``ragged``.
        odd_names: whether names and keys are drawn that Python would not take, or that TensorFlow may make of others.
        most: how many signatures, and how many inputs of one, at most.
    """
    names = st.sampled_from(_PLAIN_NAMES + (_ODD_NAMES if odd_names else ()))
    keys = st.sampled_from(_PLAIN_KEYS + (_ODD_KEYS if odd_names else ()))
    inputs = st.lists(_input(names, kinds), max_size=most, unique_by=lambda each: each.name)
    signature = st.builds(DrawnSignature, keys, inputs.map(tuple))
    return st.lists(signature, min_size=1, max_size=most, unique_by=lambda each: each.key).map(
        tuple
    )


@st.composite
def _input(draw: Any, names: st.SearchStrategy[str], kinds: tuple[str, ...]) -> DrawnInput:
    kind = draw(st.sampled_from(kinds))
    size = st.none() | st.integers(0, 3)
    if kind == DENSE:
        shape = draw(st.none() | st.lists(size, max_size=3).map(tuple))
    elif kind == SPARSE:
        shape = draw(st.lists(size, min_size=1, max_size=3).map(tuple))
    else:
        shape = (None, None, *draw(st.lists(st.integers(0, 3), max_size=1)))
    return DrawnInput(draw(names), draw(st.sampled_from(_DTYPES)), shape, kind)


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
    described = json.dumps([asdict(each) for each in drawn])
    file = folder / "drawn.py"
    file.write_text(
        "import json\n\nfrom generated import graph_exporter, module_exporter\n\n"
        f"DESCRIPTION = json.loads({described!r})\n"
        "export_graph = graph_exporter(DESCRIPTION)\nexport_module = module_exporter(DESCRIPTION)\n",
        encoding="utf-8",
    )
    return file

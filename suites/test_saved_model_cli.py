"""TensorFlow's own `saved_model_cli` sees what `inspect` sees and computes what cells compute, in every release.

The tool is that of each consumer's environment; `SAVEDMODEL_COMPAT_CONSUMERS` names others than these four, such as `all`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suites.saved_model_cli import Printed, Shown, ShownSignature, Signatures, meta_graphs, run

from savedmodel_compat.golden.compare import compare
from savedmodel_compat.matrix.examples import encode_example
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.model import schema
from savedmodel_compat.model.reader import read
from savedmodel_compat.report.inspect import as_json
from savedmodel_compat.runtimes import pins, specs, venv, wheel
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits
from savedmodel_compat.tensors import DTYPES

ROOT = Path(__file__).parent.parent
FROZEN = ROOT / "golden" / "models"
SMOKE = "1.15.5,2.4.4,2.11.1,2.21.0"
TABLE = pins.load()
CONSUMERS = [
    pin.release for pin in specs.select(os.environ.get("SAVEDMODEL_COMPAT_CONSUMERS", SMOKE), TABLE)
]
HALF_PLUS_TWO, MNIST = FROZEN / "half_plus_two-1.4.1", FROZEN / "mnist_cnn-1.15.5"
# An init op has none.
ENUM_NAMES = {"invalid": "DT_INVALID", **{dtype.name: dtype.enum_name for dtype in DTYPES}}
NUMBERS = np.array([[1.0], [2.0], [-3.5]], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A run of a signature that the tool and a cell are both asked for.

    Args:
        model: its folder.
        signature: its key.
        option: how the tool is given the inputs, and what it is given.
        feed: the same inputs as arrays.
    """

    model: Path
    signature: str
    option: Sequence[str]
    feed: Mapping[str, np.ndarray[Any, Any]]


Tool = Callable[..., "list[Printed]"]


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Run the tool of a release with several lists of arguments."""

    def call(release: str, commands: Sequence[Sequence[str]]) -> list[Printed]:
        runtime = venv.make_ready(TABLE.get(release))
        return run(runtime, commands, home=tmp_path_factory.mktemp("home"))

    return call


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_the_tool_shows_what_inspect_reads(consumer: str, tool: Tool, corpus: Path) -> None:
    """Tag sets, signatures, methods, and of each tensor its alias, name, type and shape."""
    models = [
        HALF_PLUS_TWO,
        MNIST,
        *sorted(found.parent for found in corpus.glob("*/saved_model.*")),
    ]
    shown = tool(consumer, [("show", "--dir", str(model), "--all") for model in models])
    for model, printed in zip(models, shown, strict=True):
        assert meta_graphs(printed.text) == inspected(model), printed.text[-2000:]


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_the_tool_computes_what_a_cell_computes(consumer: str, tool: Tool, tmp_path: Path) -> None:
    """Whether it is given a file, an expression or examples: within the tolerances that cells are compared with."""
    calls = list(made_calls(tmp_path))
    printed = tool(
        consumer,
        [
            (
                *("run", "--dir", str(call.model), "--tag_set", "serve"),
                *("--signature_def", call.signature, *call.option),
                *("--outdir", str(tmp_path / str(number)), "--overwrite"),
            )
            for number, call in enumerate(calls)
        ],
    )
    runtime = wheel.make_ready(TABLE.get(consumer))
    with Worker(runtime, native=True) as worker:
        for number, (call, said) in enumerate(zip(calls, printed, strict=True)):
            assert said.status == 0, said.text[-2000:]
            folder = tmp_path / str(number)
            theirs = {path.stem: np.load(path) for path in folder.glob("*.npy")}
            found = compare(theirs, answer(worker, call))
            assert not found.differences
            assert found.compared >= 1


def test_another_signature_is_seen(tool: Tool, tmp_path: Path) -> None:
    """What the tool shows of a model with another alias, shape, type or method is not what `inspect` read of the first."""
    original = inspected(HALF_PLUS_TWO)
    changes: tuple[Callable[[Any], object], ...] = (
        lambda signature: setattr(signature, "method_name", "tensorflow/serving/classify"),
        lambda signature: signature.inputs["also"].CopyFrom(signature.inputs.pop("x")),
        lambda signature: setattr(signature.outputs["y"], "dtype", 2),
        lambda signature: setattr(signature.outputs["y"].tensor_shape.dim[1], "size", 2),
    )
    copies = []
    for number, change in enumerate(changes):
        copy = tmp_path / str(number)
        shutil.copytree(HALF_PLUS_TWO, copy)
        model = schema.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
        change(model.meta_graphs[0].signature_def["serving_default"])
        (copy / "saved_model.pb").write_bytes(model.SerializeToString())
        copies.append(copy)
    shown = tool("1.15.5", [("show", "--dir", str(copy), "--all") for copy in copies])
    for copy, printed in zip(copies, shown, strict=True):
        assert meta_graphs(printed.text) != original
        assert meta_graphs(printed.text) == inspected(copy)


def made_calls(folder: Path) -> Iterator[Call]:
    """Yield the runs: predict from a file and from an expression, classify and regress of examples, a convolution."""
    np.savez(folder / "x.npz", x=NUMBERS)
    from_file = ("--inputs", f"x={folder / 'x.npz'}[x]")
    yield Call(
        model=HALF_PLUS_TWO, signature="serving_default", option=from_file, feed={"x": NUMBERS}
    )
    yield Call(
        model=HALF_PLUS_TWO,
        signature="serving_default",
        option=("--input_exprs", f"x={NUMBERS.tolist()}"),
        feed={"x": NUMBERS},
    )
    examples = [{"x": [number]} for number in NUMBERS.ravel().tolist()]
    serialized = [encode_example({b"x": np.array(one["x"], np.float32)}) for one in examples]
    for signature in ("classify_x_to_y", "regress_x_to_y"):
        yield Call(
            model=HALF_PLUS_TWO,
            signature=signature,
            option=("--input_examples", f"inputs={examples}"),
            feed={"inputs": np.array(serialized, object)},
        )
    [mnist] = load_models([MNIST], seed=0)
    case = next(case for case in mnist.cases if case.signature == "serving_default")
    feed = case.feeds[0]
    np.savez(folder / "mnist.npz", **feed)  # type: ignore[arg-type] # names of arrays
    option = ";".join(f"{alias}={folder / 'mnist.npz'}[{alias}]" for alias in feed)
    yield Call(
        model=MNIST, signature="serving_default", option=("--inputs", option), feed=dict(feed)
    )


def answer(worker: Worker, call: Call) -> Mapping[str, np.ndarray[Any, Any]]:
    """Return what a cell of the C++ loader answers."""
    [model] = load_models([call.model], seed=0)
    case = next(case for case in model.cases if case.signature == call.signature)
    work = replace(work_of(model, case, "c"), feeds=(call.feed,))
    verdict = worker.run(work, Limits())
    [got] = verdict.answers
    assert got.outputs is not None, got.failure
    return got.outputs


def inspected(path: Path) -> Mapping[frozenset[str], Signatures]:
    """Return what `inspect` reads of the signatures of a model, in the tool's terms."""
    return {
        frozenset(meta_graph["tags"]): {
            key: ShownSignature(
                method=signature["method_name"],
                inputs={alias: _shown(one) for alias, one in signature["inputs"].items()},
                outputs={alias: _shown(one) for alias, one in signature["outputs"].items()},
            )
            for key, signature in meta_graph["signatures"].items()
        }
        for meta_graph in as_json(read(path), digest=None)["meta_graphs"]
    }


def _shown(tensor: Mapping[str, Any]) -> Shown:
    shape = tensor["shape"]
    return Shown(
        dtype=ENUM_NAMES[tensor["dtype"]],
        shape=None if shape is None else tuple(-1 if size is None else size for size in shape),
        name=tensor["name"],
    )

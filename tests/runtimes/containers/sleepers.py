"""SavedModels that answer at once, after a while, or never, in any release: written by hand, without variables.

Each has signatures y = x, or y = n * x, float32 vectors, of which the first is ``serving_default``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from savedmodel_compat.model import schema
from savedmodel_compat.runtimes.requests import LoadAndRun, Port
from savedmodel_compat.runtimes.verdicts import Verdict

Array = np.ndarray[Any, Any]

_FLOAT = 1
_PRODUCER = 24
"""The GraphDef version of TensorFlow 1.4, which every release reads."""


def write(
    folder: Path,
    *,
    seconds: float | None = 0,
    signatures: int = 1,
    times: int = 1,
    notes: int = 0,
) -> Path:
    """Write a model and return its folder.

    Args:
        folder: what is there already of such a model is written anew.
        seconds: how long it takes to answer, without keeping a processor busy; None answers never.
        signatures: how many it has.
        times: what it multiplies by.
        notes: how many small files it has beside its graph.
    """
    saved = schema.SavedModel(saved_model_schema_version=1)
    meta_graph = saved.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    graph = meta_graph.graph_def
    graph.versions.producer = _PRODUCER
    for number in range(signatures):
        name = f"s{number}" if number else "serving_default"
        x = _node(graph, f"{name}_x", "Placeholder", dtype=_FLOAT)
        x.attr["shape"].shape.dim.add(size=-1)
        factor = _node(graph, f"{name}_factor", "Const", dtype=_FLOAT)
        factor.attr["value"].tensor.dtype = _FLOAT
        factor.attr["value"].tensor.tensor_shape.SetInParent()
        factor.attr["value"].tensor.float_val.append(times)
        source = _source(graph, name, seconds)
        _node(graph, f"{name}_y", "Mul", source, f"{name}_factor", T=_FLOAT)
        signature = meta_graph.signature_def[name]
        signature.method_name = "tensorflow/serving/predict"
        for tensors, alias in ((signature.inputs, "x"), (signature.outputs, "y")):
            tensors[alias].name = f"{name}_{alias}:0"
            tensors[alias].dtype = _FLOAT
            tensors[alias].tensor_shape.dim.add(size=-1)
    (folder / "assets.extra").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    for number in range(notes):
        (folder / "assets.extra" / f"{number:05d}.txt").write_text(f"note {number}\n")
    return folder


_FED = np.array([1, 2, 3], np.float32)


def work(model: Path, x: Array = _FED) -> LoadAndRun:
    """Return the request for the first signature of such a model."""
    return LoadAndRun(
        model=model,
        tags=("serve",),
        loader="c",
        signature="serving_default",
        inputs=(Port("x", "serving_default_x:0", "float32"),),
        outputs=(Port("y", "serving_default_y:0", "float32"),),
        feeds=({"x": x},),
    )


def answer(verdict: Verdict) -> list[float]:
    """Return what it answered."""
    [only] = verdict.answers
    assert only.outputs is not None, only.failure
    return [float(value) for value in only.outputs["y"]]


def _source(graph: Any, name: str, seconds: float | None) -> str:
    """Add what stands between a signature's input and its output, and return its tensor."""
    if seconds is None:
        queue = _node(graph, f"{name}_queue", "FIFOQueueV2", component_types=[_FLOAT])
        queue.attr["capacity"].i = 1
        _node(graph, f"{name}_wait", "QueueDequeueV2", queue.name, component_types=[_FLOAT])
        _node(graph, f"{name}_sum", "Add", f"{name}_x", f"{name}_wait", T=_FLOAT)
        return f"{name}_sum"
    if not seconds:
        return f"{name}_x"
    # A batch that is never full is handed on when its time is over (core/ops/batch_ops.cc).
    batch = _node(graph, f"{name}_batch", "Batch", f"{name}_x", T=[_FLOAT])
    batch.attr["num_batch_threads"].i = 1
    batch.attr["max_batch_size"].i = 1 << 20
    batch.attr["batch_timeout_micros"].i = int(seconds * 1e6)
    batch.attr["grad_timeout_micros"].i = 0
    return f"{name}_batch"


def _node(graph: Any, name: str, op: str, *inputs: str, **types: int | list[int]) -> Any:
    node = graph.node.add(name=name, op=op)
    node.input.extend(inputs)
    for attr, value in types.items():
        if isinstance(value, list):
            node.attr[attr].list.type.extend(value)
        else:
            node.attr[attr].type = value
    return node

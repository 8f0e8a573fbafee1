"""SavedModels that touch more than their inputs, in any release: written by hand, without variables.

Each is of a few ops, loaded and run as it is, and takes what it does its harm with as inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from savedmodel_compat.model import schema
from savedmodel_compat.runtimes.requests import LoadAndRun, Port

_FLOAT, _INT32, _STRING, _BOOL = 1, 3, 7, 10
_NAMES = {_FLOAT: "float32", _INT32: "int32", _STRING: "string"}
_PRODUCER = 24
"""The GraphDef version of TensorFlow 1.4, which every release reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A model and its only signature.

    Args:
        path: its folder.
        inputs: by alias, TensorFlow's numbers of their types; each is a scalar or what its op wants.
        outputs: likewise, with the tensor behind each.
    """

    path: Path
    inputs: Mapping[str, int]
    outputs: Mapping[str, tuple[str, int]]

    def ask(self, *feeds: Mapping[str, object], model: Path | None = None) -> LoadAndRun:
        """Return the request that runs the model on some sets of inputs.

        Args:
            feeds: values by alias.
            model: where it lies, if it was copied.
        """
        return LoadAndRun(
            model=model or self.path,
            tags=("serve",),
            loader="c",
            signature="serving_default",
            inputs=tuple(Port(alias, f"{alias}:0", _NAMES[t]) for alias, t in self.inputs.items()),
            outputs=tuple(
                Port(alias, tensor, _NAMES[t]) for alias, (tensor, t) in self.outputs.items()
            ),
            feeds=[
                {alias: _array(feed[alias], number) for alias, number in self.inputs.items()}
                for feed in feeds
            ],
        )


def writer(folder: Path) -> Hostile:
    """Write ``text`` to the file ``path``; folders on the way to it are made."""
    graph = _Graph(path=_STRING, text=_STRING)
    graph.add("write", "WriteFile", "path", "text")
    graph.add("y", "Identity", "path", "^write", T=_STRING)
    return graph.save(folder, y=("y:0", _STRING))


def reader(folder: Path) -> Hostile:
    """Answer what is in the file ``path``."""
    graph = _Graph(path=_STRING)
    graph.add("y", "ReadFile", "path")
    return graph.save(folder, y=("y:0", _STRING))


def finder(folder: Path) -> Hostile:
    """Answer the names that ``pattern`` matches."""
    graph = _Graph(pattern=_STRING)
    graph.add("y", "MatchingFiles", "pattern")
    return graph.save(folder, y=("y:0", _STRING))


def filler(folder: Path) -> Hostile:
    """Make a tensor of ones with the shape ``sizes`` in memory, and answer their sum."""
    graph = _Graph(sizes=_INT32)
    graph.constant("one", _FLOAT, [], float_val=[1.0])
    graph.constant("axis", _INT32, [1], int_val=[0])
    graph.add("ones", "Fill", "sizes", "one", T=_FLOAT)
    graph.add("y", "Sum", "ones", "axis", T=_FLOAT, Tidx=_INT32)
    return graph.save(folder, y=("y:0", _FLOAT))


def answerer(folder: Path) -> Hostile:
    """Answer a tensor of ones with the shape ``sizes``."""
    graph = _Graph(sizes=_INT32)
    graph.constant("one", _FLOAT, [], float_val=[1.0])
    graph.add("y", "Fill", "sizes", "one", T=_FLOAT)
    return graph.save(folder, y=("y:0", _FLOAT))


def looper(folder: Path) -> Hostile:
    """Count up to ``trips``, one turn of a loop each."""
    graph = _Graph(trips=_INT32)
    graph.loop()
    return graph.save(folder, y=("y:0", _INT32))


def printer(folder: Path) -> Hostile:
    """Print ``text``, once in each of ``trips`` turns of a loop."""
    graph = _Graph(trips=_INT32, text=_STRING)
    graph.add("told", "Enter", "text", T=_STRING, frame="loop", is_constant=True)
    graph.loop("print")
    graph.add("print", "PrintV2", "told", "^body")
    graph.nodes["print"].attr["output_stream"].s = b"stderr"
    return graph.save(folder, y=("y:0", _INT32))


def caller(folder: Path) -> Hostile:
    """Call a service at ``address``, a host and a port (core/ops/rpc_ops.cc; from 1.12 to 2.4)."""
    graph = _Graph(address=_STRING, method=_STRING, request=_STRING)
    graph.add("y", "Rpc", "address", "method", "request", fail_fast=False)
    graph.nodes["y"].attr["protocol"].s = b"grpc"
    graph.nodes["y"].attr["timeout_in_ms"].i = 1000
    return graph.save(folder, y=("y:0", _STRING))


def complainer(folder: Path) -> Hostile:
    """Fail with a message that has all of ``text`` in it, which is no number."""
    graph = _Graph(text=_STRING)
    graph.add("y", "StringToNumber", "text", out_type=_FLOAT)
    return graph.save(folder, y=("y:0", _FLOAT))


def aborter(folder: Path) -> Hostile:
    """End in LOG(FATAL), as a CHECK that does not hold does."""
    graph = _Graph(x=_FLOAT)
    graph.add("abort", "Abort")
    graph.nodes["abort"].attr["error_msg"].s = b"seeded abort"
    graph.add("y", "Identity", "x", "^abort", T=_FLOAT)
    return graph.save(folder, y=("y:0", _FLOAT))


def _array(value: object, number: int) -> np.ndarray:
    return np.array(value, dtype={_FLOAT: np.float32, _INT32: np.int32}.get(number, object))


class _Graph:
    """A graph in the making.

    Args:
        inputs: its placeholders with TensorFlow's numbers of their types.
    """

    def __init__(self, **inputs: int) -> None:
        self.inputs = inputs
        self.nodes: dict[str, schema.NodeDef] = {}
        for alias, number in inputs.items():
            self.add(alias, "Placeholder", dtype=number)

    def add(self, name: str, op: str, *inputs: str, frame: str = "", **attrs: int) -> None:
        """Add a node; attrs are types, but for truth values."""
        node = self.nodes[name] = schema.NodeDef(name=name, op=op, input=inputs)
        for attr, value in attrs.items():
            if isinstance(value, bool):
                node.attr[attr].b = value
            else:
                node.attr[attr].type = value
        if frame:
            node.attr["frame_name"].s = frame.encode()

    def constant(self, name: str, dtype: int, shape: list[int], **values: list[object]) -> None:
        """Add a constant."""
        self.add(name, "Const", dtype=dtype)
        value = self.nodes[name].attr["value"].tensor
        value.CopyFrom(schema.TensorProto(dtype=dtype, **values))
        for size in shape:
            value.tensor_shape.dim.add(size=size)
        value.tensor_shape.SetInParent()

    def loop(self, *before_next: str) -> None:
        """Add a loop of ``trips`` turns that counts in ``y`` (core/ops/control_flow_ops.cc).

        Args:
            before_next: nodes that each turn waits for.
        """
        for name, value in (("zero", 0), ("one", 1)):
            self.constant(name, _INT32, [], int_val=[value])
        self.add("start", "Enter", "zero", T=_INT32, frame="loop")
        for name, source in (("end", "trips"), ("step", "one")):
            self.add(name, "Enter", source, T=_INT32, frame="loop", is_constant=True)
        self.add("merge", "Merge", "start", "next", T=_INT32)
        self.nodes["merge"].attr["N"].i = 2
        self.add("less", "Less", "merge", "end", T=_INT32)
        self.add("condition", "LoopCond", "less")
        self.add("switch", "Switch", "merge", "condition", T=_INT32)
        self.add("body", "Identity", "switch:1", T=_INT32)
        self.add("more", "Add", "body", "step", *(f"^{name}" for name in before_next), T=_INT32)
        self.add("next", "NextIteration", "more", T=_INT32)
        self.add("y", "Exit", "switch", T=_INT32)

    def save(self, folder: Path, **outputs: tuple[str, int]) -> Hostile:
        """Write the model; ``folder`` must not exist."""
        saved = schema.SavedModel(saved_model_schema_version=1)
        meta_graph = saved.meta_graphs.add()
        meta_graph.meta_info_def.tags.append("serve")
        meta_graph.graph_def.versions.producer = _PRODUCER
        meta_graph.graph_def.node.extend(self.nodes.values())
        signature = meta_graph.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        for alias, number in self.inputs.items():
            signature.inputs[alias].name, signature.inputs[alias].dtype = f"{alias}:0", number
        for alias, (tensor, number) in outputs.items():
            signature.outputs[alias].name, signature.outputs[alias].dtype = tensor, number
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            info.tensor_shape.unknown_rank = True
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        return Hostile(path=folder, inputs=self.inputs, outputs=outputs)

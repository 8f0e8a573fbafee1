"""A SavedModel built field by field, to be bent into the shape that a test needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.model import schema


@pytest.fixture
def proto() -> schema.SavedModel:
    """A model of two nodes, with the tags {serve} and one signature."""
    model = schema.SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.meta_info_def.tensorflow_version = "2.11.1"
    meta_graph.graph_def.versions.producer = 1286
    meta_graph.graph_def.node.add(name="x", op="Placeholder")
    meta_graph.graph_def.node.add(name="y", op="Identity", input=["x"])
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["x"].name = "x:0"
    signature.inputs["x"].dtype = 1
    signature.inputs["x"].tensor_shape.dim.add(size=-1)
    signature.inputs["x"].tensor_shape.dim.add(size=28)
    signature.outputs["y"].name = "y:0"
    signature.outputs["y"].dtype = 1
    signature.outputs["y"].tensor_shape.unknown_rank = True
    return model


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes, text or a message as the file of a model, and return its folder."""

    def write_file(content: bytes | str | schema.SavedModel, name: str = "saved_model.pb") -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
        return folder

    return write_file

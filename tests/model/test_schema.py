"""Tests of `savedmodel_compat.model.schema`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf import descriptor_pool, text_format
from tensorboard.compat.proto import meta_graph_pb2

from savedmodel_compat.model import schema
from savedmodel_compat.tensors import DTYPES


def modules_after(statement: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after a statement."""
    code = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_tensorflow_is_not_imported() -> None:
    """The messages come without TensorFlow, its stub in TensorBoard, or numpy."""
    modules = modules_after("import savedmodel_compat.model")

    assert not {"tensorflow", "numpy", "tensorboard.compat.tensorflow_stub"} & modules


def test_the_default_pool_is_left_alone() -> None:
    """An imported TensorFlow finds its own names free."""
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("tensorflow.SavedModel")


def test_messages_have_tensorflows_names() -> None:
    """Any messages and text files that name tensorflow.X resolve."""
    assert schema.NodeDef.DESCRIPTOR.full_name == "tensorflow.NodeDef"
    assert schema.SavedModel.DESCRIPTOR.full_name == "tensorflow.SavedModel"


def test_tensorboards_messages_are_wire_compatible() -> None:
    """What TensorBoard's copy writes, ours reads."""
    theirs = meta_graph_pb2.MetaGraphDef()
    theirs.meta_info_def.tags.append("serve")
    theirs.graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = 1

    ours = schema.MetaGraphDef.FromString(theirs.SerializeToString())

    assert list(ours.meta_info_def.tags) == ["serve"]
    assert ours.graph_def.node[0].attr["dtype"].type == 1


def test_unknown_fields_survive() -> None:
    """A field of a newer release, in the middle of a model, is written as it was read."""
    # Field 200 of a NodeDef, of bytes; no release has it.
    node = schema.NodeDef(name="x").SerializeToString() + b"\xc2\x0c\x03new"
    model = schema.SavedModel()
    model.meta_graphs.add().graph_def.node.add().MergeFromString(node)
    data = model.SerializeToString()

    assert b"\xc2\x0c\x03new" in schema.SavedModel.FromString(data).SerializeToString()


def test_signatures_have_defaults() -> None:
    """The map of TensorFlow 2.14 is there, also where TensorBoard's copy is older."""
    signature = schema.SignatureDef()
    signature.defaults["x"].float_val.append(0.5)
    back = schema.SignatureDef.FromString(signature.SerializeToString())

    assert back.defaults["x"].float_val[0] == 0.5
    assert schema.SignatureDef.DESCRIPTOR.fields_by_name["defaults"].number == 4


def test_all_types_can_be_named_in_text() -> None:
    """Text files name the newest types, also where TensorBoard's copy is older."""
    for dtype in DTYPES:
        parsed = text_format.Parse(f"type: {dtype.enum_name}", schema.AttrValue())
        assert parsed.type == dtype.number


def test_kernel_lists_are_nested_as_tensorflows() -> None:
    """A kernel's constraint is read field by field."""
    kernels = schema.KernelList()
    constraint = kernels.kernel.add(op="Add", device_type="CPU").constraint.add(name="T")
    constraint.allowed_values.list.type.append(1)
    back = schema.KernelList.FromString(kernels.SerializeToString())

    assert (
        back.kernel[0].constraint[0].DESCRIPTOR.full_name == "tensorflow.KernelDef.AttrConstraint"
    )
    assert back.kernel[0].constraint[0].allowed_values.list.type[0] == 1

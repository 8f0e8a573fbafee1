"""Tests of `savedmodel_compat.model.payloads`: what is left out, and that nothing else changes."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError, UnsupportedError
from savedmodel_compat.model import payloads, read, schema, wire
from savedmodel_compat.tensors import OMITTED, content_size, to_numpy

LONG = 100


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave contents out that are not so long, of any file."""
    monkeypatch.setattr(payloads, "SMALLEST_FILE", 0)
    monkeypatch.setattr(payloads, "LONG", LONG)
    monkeypatch.setattr(payloads, "BYTES_PER_FIELD", 1)


def add_constant(nodes: Any, name: str, size: int) -> schema.NodeDef:
    """Add a constant of so many bytes to the nodes of a graph or of a function."""
    node = nodes.add(name=name, op="Const")
    node.attr["dtype"].type = 4
    tensor = node.attr["value"].tensor
    tensor.dtype = 4
    tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = bytes(index % 251 for index in range(size))
    return node


def grown(proto: schema.SavedModel) -> schema.SavedModel:
    """Add constants, long and short, to a model's graph and to a function of it."""
    graph = proto.meta_graphs[0].graph_def
    body = graph.library.function.add()
    body.signature.name = "f"
    for size in (0, 3, LONG, LONG + 1, 40 * LONG):
        add_constant(graph.node, f"c{size}", size)
        add_constant(body.node_def, f"c{size}", size)
    return proto


def constants(proto: schema.SavedModel) -> list[schema.TensorProto]:
    """Return the values of all constants, in the order of the file."""
    graph = proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
    return [node.attr["value"].tensor for node in nodes if node.op == "Const"]


@pytest.mark.usefixtures("small")
def test_long_contents_are_left_out_and_nothing_else(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """What is read without tensor data is the model, but for the contents that are longer than the limit."""
    folder = write(grown(proto))
    model = read(folder, tensor_data=False)
    whole = read(folder)

    assert (model.tensor_data, whole.tensor_data) == (False, True)
    for tensor in (*constants(model.proto), *constants(whole.proto)):
        if content_size(tensor) > LONG:
            tensor.ClearField("tensor_content")
            tensor.ClearField("savedmodel_compat_omitted")
    assert model.proto == whole.proto


@pytest.mark.usefixtures("small")
def test_the_size_of_what_was_left_out_is_known(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """A rule that counts bytes sees no difference between the two ways of reading."""
    folder = write(grown(proto))
    short = [content_size(tensor) for tensor in constants(read(folder, tensor_data=False).proto)]

    assert short == [len(tensor.tensor_content) for tensor in constants(read(folder).proto)]
    assert max(short) == 40 * LONG


@pytest.mark.usefixtures("small")
def test_values_that_were_left_out_are_not_made_up(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """A tensor without its content is not read as one of zeros."""
    add_constant(proto.meta_graphs[0].graph_def.node, "c", LONG + 1)
    [tensor] = constants(read(write(proto), tensor_data=False).proto)

    with pytest.raises(UnsupportedError, match="the 101 bytes of a uint8 tensor .* were left out"):
        to_numpy(tensor)


def test_a_small_model_is_read_whole(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """Below a size that is worth the walk nothing is left out."""
    add_constant(proto.meta_graphs[0].graph_def.node, "c", 2 * payloads.LONG)
    model = read(write(proto), tensor_data=False)

    assert model.tensor_data
    assert len(constants(model.proto)[0].tensor_content) == 2 * payloads.LONG


def test_a_large_constant_costs_no_memory(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """Reading a file of many megabytes without its constant allocates next to nothing."""
    folder = write(proto)
    tensor = add_constant(proto.meta_graphs[0].graph_def.node, "c", 0).attr["value"].tensor
    tensor.tensor_content = bytes(20 << 20)
    write(proto)
    tracemalloc.start()
    model = read(folder, tensor_data=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert content_size(constants(model.proto)[0]) == 20 << 20
    assert peak < 1 << 20


@pytest.mark.usefixtures("small")
def test_more_nodes_than_the_walk_looks_at(
    write: Callable[..., Path], proto: schema.SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies beyond the budget of the walk is read whole: slower, and no less right."""
    graph = proto.meta_graphs[0].graph_def
    add_constant(graph.node, "first", 50 * LONG)
    for index in range(200):
        graph.node.add(name=f"n{index}", op="NoOp")
    add_constant(graph.node, "last", 50 * LONG)
    folder = write(proto)
    monkeypatch.setattr(payloads, "BYTES_PER_FIELD", 200)
    model = read(folder, tensor_data=False)
    first, last = constants(model.proto)

    assert (first.tensor_content, content_size(first)) == (b"", 50 * LONG)
    assert len(last.tensor_content) == 50 * LONG
    assert [node.name for node in model.proto.meta_graphs[0].graph_def.node] == [
        node.name for node in graph.node
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("second", [b"", b"xy", b"z" * (LONG + 5)])
def test_a_content_that_is_there_twice_is_not_left_out(
    write: Callable[..., Path], proto: schema.SavedModel, second: bytes
) -> None:
    """The last one counts for every parser; a mark of another would lie about its size."""
    data = proto.SerializeToString()
    content = b"".join(field(4, part) for part in (b"a" * 2 * LONG, second))
    for tag in (8, 2, 5, 1, 2, 2):
        # AttrValue.tensor, the attr's value, NodeDef.attr, GraphDef.node, and up to the model.
        content = field(tag, (field(1, b"value") if tag == 5 else b"") + content)
    folder = write(data + content)

    assert read(folder, tensor_data=False).proto == read(folder).proto


def test_a_file_cannot_pretend(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """A file that brings our mark along is not believed."""
    tensor = add_constant(proto.meta_graphs[0].graph_def.node, "c", 3).attr["value"].tensor
    tensor.savedmodel_compat_omitted = 1 << 40
    [read_back] = constants(read(write(proto)).proto)

    assert read_back.savedmodel_compat_omitted == 1 << 40
    assert content_size(read_back) == 3
    assert to_numpy(read_back).tolist() == [0, 1, 2]


@pytest.mark.usefixtures("small")
def test_damage_is_told_as_ever(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """Cut short anywhere, or with any byte changed, a file has the same error in both ways of reading."""
    data = grown(proto).SerializeToString()
    generator = random.Random(5)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        damaged[generator.randrange(len(data))] = generator.randrange(256)
        cut = generator.choice((len(data), generator.randrange(len(data))))
        folder = write(bytes(damaged[:cut]))
        errors = [error_of(folder, tensor_data=tensor_data) for tensor_data in (True, False)]
        assert errors[0] == errors[1]
        refused += errors[0] is not None

    assert 0 < refused < 400


def error_of(folder: Path, *, tensor_data: bool) -> str | None:
    """Return what is wrong with a model, if anything is."""
    try:
        read(folder, tensor_data=tensor_data)
    except SavedModelCompatError as error:
        return str(error)
    return None


@pytest.mark.usefixtures("small")
def test_a_length_that_lies_is_found(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """A field that claims more than its message holds is damage, though the file has those bytes."""
    inner = bytes([wire.tag_of(1)]) + wire.as_varint(1 << 20)
    data = proto.SerializeToString() + field(2, field(2, inner + b"x" * 2 * LONG))

    with pytest.raises(DamagedModelError, match="does not parse as a SavedModel"):
        read(write(data + field(2, b"y" * (1 << 20))), tensor_data=False)


@pytest.mark.usefixtures("small")
def test_a_frozen_graph_is_still_recognised(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """What is wrong with a file is told of the file, not of what was left of it."""
    graph = grown(proto).meta_graphs[0].graph_def

    with pytest.raises(DamagedModelError, match="a frozen GraphDef of 7 nodes"):
        read(write(graph), tensor_data=False)


def test_the_mark_is_no_field_of_tensorflow() -> None:
    """Our mark stands at the very end of the numbers that a field can have."""
    numbers = {field.number for field in schema.TensorProto.DESCRIPTOR.fields}

    assert OMITTED in numbers
    assert max(numbers - {OMITTED}) < 1000


def field(number: int, content: bytes) -> bytes:
    """Return a field of bytes."""
    return wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(content)) + content

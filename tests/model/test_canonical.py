"""Tests of `savedmodel_compat.model.canonical`; `test_fingerprint` proves it on what TensorFlow wrote."""

from __future__ import annotations

import gc
import random
import time
from typing import Any

import pytest

from savedmodel_compat.model import schema, wire
from savedmodel_compat.model.canonical import canonical

# Each begins with one that stands before it, as the names of TensorFlow's own outputs do.
KEYS = ["", "T", "Tin", "Tidx", "identity", "identity_1", "identity_10", "é", "z" * 200]


def field(number: int, content: bytes) -> bytes:
    """Return a field of bytes."""
    return wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(content)) + content


def entries(data: bytes) -> list[bytes]:
    """Return the keys of a message that is nothing but a map of texts, in the order of the bytes."""
    at = 0
    keys = []
    while at < len(data):
        _, body, at = wire.field(data, at)
        _, start, end = wire.field(data, body)
        keys.append(data[start:end])
    return keys


def test_texts_are_ordered_as_bytes() -> None:
    """A key stands before those that begin with it, and bytes beyond ASCII come last."""
    inputs = [field(1, field(1, key.encode()) + field(2, b"")) for key in reversed(KEYS)]
    ordered = entries(canonical(b"".join(inputs), "SignatureDef"))

    assert ordered == sorted(key.encode() for key in KEYS)


def test_numbers_are_ordered_as_numbers() -> None:
    """The keys of `FunctionDef.arg_attr` are numbers: 10 comes after 9, and 300 after both."""
    number = wire.tag_of(7)
    made = [
        bytes([number]) + wire.as_varint(len(entry)) + entry
        for key in (300, 10, 9, 0)
        for entry in (bytes([8]) + wire.as_varint(key) + field(2, b""),)
    ]

    assert canonical(b"".join(made), "FunctionDef") == b"".join(reversed(made))


def test_the_order_in_which_a_map_was_written_does_not_matter() -> None:
    """Every order of the entries, at every depth, gives the same bytes."""
    generator = random.Random(1)
    forms = {canonical(_shuffled(generator).SerializeToString()) for _ in range(10)}

    assert len(forms) == 1
    assert schema.parse(schema.SavedModel, forms.pop()) == _shuffled(generator)


def _shuffled(generator: random.Random) -> schema.SavedModel:
    """Return always the same model, its maps filled in another order each time."""
    model = schema.SavedModel()
    meta_graph = model.meta_graphs.add()
    for index in range(5):
        _fill(meta_graph.graph_def.node.add(name=f"n{index}").attr, 2, generator)
    body = meta_graph.graph_def.library.function.add()
    _fill(body.attr, 1, generator)
    for number in generator.sample(range(300), 300):
        body.resource_arg_unique_id[number] = number
    for key in generator.sample(KEYS, len(KEYS)):
        body.ret[key] = key
        body.control_ret[key] = key
        meta_graph.collection_def[key].node_list.value.append(key)
        signature = meta_graph.signature_def[key]
        for alias in generator.sample(KEYS, len(KEYS)):
            signature.inputs[alias].name = alias
            signature.defaults[alias].dtype = 1
        meta_graph.object_graph_def.concrete_functions[key].bound_inputs.append(1)
    return model


def _fill(attrs: Any, depth: int, generator: random.Random) -> None:
    """Fill a map of attrs, with functions and lists of functions that have attrs themselves."""
    for key in generator.sample(KEYS, len(KEYS)):
        if key == "T" and depth:
            attrs[key].func.name = "f"
            _fill(attrs[key].func.attr, depth - 1, generator)
        elif key == "Tin" and depth:
            for _ in range(2):
                _fill(attrs[key].list.func.add().attr, depth - 1, generator)
        else:
            attrs[key].s = key.encode() * 3


def test_what_is_in_order_is_not_copied() -> None:
    """The bytes of a model that C++ wrote are handed back as they are."""
    data = canonical(_shuffled(random.Random(1)).SerializeToString())

    assert canonical(data) is data


def test_unknown_fields_stay_where_they_are() -> None:
    """A field of a newer TensorFlow is neither lost nor moved, and parts the runs of a map."""
    one, two, new = (
        field(1, field(1, b"a") + field(2, b"")),
        field(1, field(1, b"b") + field(2, b"")),
        field(3000, b"new"),
    )

    assert canonical(two + one + new, "SignatureDef") == one + two + new
    assert canonical(two + new + one, "SignatureDef") == two + new + one


def test_the_same_bytes_in_another_message_are_another_thing() -> None:
    """Attrs that are in order in a node say nothing of a function that ends with the same bytes."""
    attr = field(5, field(1, b"a") + field(2, b""))
    rest = field(4, field(1, b"b") + field(2, b"")) + field(4, field(1, b"a") + field(2, b""))
    node = attr + rest
    data = field(1, node) + field(2, field(1, node))
    ordered = field(4, field(1, b"a") + field(2, b"")) + field(4, field(1, b"b") + field(2, b""))

    assert canonical(data, "GraphDef") == field(1, node) + field(2, field(1, attr + ordered))


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_message_that_was_cut_short_is_refused(cut: int) -> None:
    """What ends within a field has no order."""
    data = field(2, field(2, field(1, field(5, field(1, b"key") + field(2, field(2, b"v" * 40))))))

    with pytest.raises(wire.WireError):
        canonical(data[:-cut])


def test_deep_nesting_is_refused() -> None:
    """Functions within functions within functions end at the depth at which every parser ends."""
    value = b""
    for _ in range(2000):
        value = field(10, field(2, field(1, b"a") + field(2, value)))

    with pytest.raises(wire.WireError, match="nested too deeply"):
        canonical(value, "AttrValue")


def test_the_time_grows_with_the_size_alone() -> None:
    """Ten times the entries take about ten times as long, however they are ordered."""

    def seconds(count: int) -> float:
        data = b"".join(
            field(1, field(1, b"%09d" % (count - index)) + field(2, b"")) for index in range(count)
        )
        rounds = []
        # What other processes do, and what the collector does to all that pytest holds, is not the function's.
        gc.disable()
        try:
            for _ in range(3):
                started = time.process_time()
                canonical(data, "SignatureDef")
                rounds.append(time.process_time() - started)
        finally:
            gc.enable()
        return min(rounds)

    assert seconds(100_000) < 40 * max(seconds(10_000), 0.005)

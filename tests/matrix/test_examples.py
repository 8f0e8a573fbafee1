"""Tests of the Examples that string inputs are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.matrix import inputs
from savedmodel_compat.matrix.examples import Feature, encode_example, parsed_features
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.model import schema
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Answer
from savedmodel_compat.tensors import dtype_from_name, from_numpy

AGE = Feature(name=b"age", dtype="float32", shape=(1,))
CITY = Feature(name=b"city", dtype="string", shape=(None,))
PARSED_TWICE = (
    "half_plus_two_cpu",
    "half_plus_two_extra_assets",
    "half_plus_two_pbtxt",
    "half_plus_two_tf2",
)


def example_class() -> Any:
    """Return protobuf's own class for an Example, from the fields of ``core/example/*.proto``."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    for name, kind in (("BytesList", "BYTES"), ("FloatList", "FLOAT"), ("Int64List", "INT64")):
        add_field(file.message_type.add(name=name), 1, "value", kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        add_field(feature, number, name.replace("List", "_list").lower(), f".t.{name}")
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add_field(entry, 1, "key", "STRING")
    add_field(entry, 2, "value", ".t.Feature")
    add_field(features, 1, "feature", ".t.Features.FeatureEntry", repeated=True)
    add_field(file.message_type.add(name="Example"), 1, "features", ".t.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName("t.Example")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return getattr(message_factory, "MessageFactory")(pool).GetPrototype(descriptor)  # noqa: B009


def add_field(message: Any, number: int, name: str, kind: str, *, repeated: bool = False) -> None:
    """Add a field to the description of a message."""
    field = message.field.add(name=name, number=number)
    proto = descriptor_pb2.FieldDescriptorProto
    field.label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
    if kind.startswith("."):
        field.type, field.type_name = proto.TYPE_MESSAGE, kind
    else:
        field.type = getattr(proto, f"TYPE_{kind}")


def decoded(example: bytes) -> dict[str, list[Any]]:
    """Return the values of an Example by name, read by protobuf."""
    features = example_class().FromString(example).features.feature
    return {
        name: list(getattr(features[name], features[name].ListFields()[0][0].name).value)
        for name in features
    }


def strings(*values: bytes) -> np.ndarray[Any, Any]:
    """Return a vector of strings."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def node(op: str, name: str, *sources: str, **attrs: Any) -> schema.NodeDef:
    """Return a node; an attr is an AttrValue as keyword arguments."""
    made = schema.NodeDef(op=op, name=name, input=sources)
    for key, value in attrs.items():
        made.attr[key].CopyFrom(schema.AttrValue(**value))
    return made


def constant(name: str, *values: bytes) -> schema.NodeDef:
    """Return a Const of a vector of strings."""
    return node("Const", name, value={"tensor": from_numpy(strings(*values))})


def types(*names: str) -> dict[str, Any]:
    """Return an attr that lists element types."""
    return {"list": {"type": [dtype_from_name(name).number for name in names]}}


def shapes(*dimensions: tuple[int, ...]) -> dict[str, Any]:
    """Return an attr that lists shapes."""
    made = [{"dim": [{"size": size} for size in shape]} for shape in dimensions]
    return {"list": {"shape": made}}


def parse_v2(source: str, names: str, **attrs: Any) -> schema.NodeDef:
    """Return a ParseExampleV2 of the dense float ``age`` and the sparse string ``city``."""
    attrs = {
        "sparse_types": types("string"),
        "ragged_value_types": types(),
        "Tdense": types("float32"),
        "dense_shapes": shapes((1,)),
        **attrs,
    }
    keys = ("none", "sparse_keys", names, "none", "default")
    return node("ParseExampleV2", "parse", source, *keys, **attrs)


def graph(*nodes: schema.NodeDef) -> schema.GraphDef:
    """Return a graph of these nodes and the constants of `parse_v2`, fed at ``examples``."""
    fixed = (
        node("Placeholder", "examples"),
        constant("none"),
        constant("sparse_keys", b"city"),
        constant("dense_keys", b"age"),
        constant("default"),
    )
    return schema.GraphDef(node=[*fixed, *nodes])


def test_bytes_are_those_of_the_wire_format() -> None:
    """A feature of one int64 has the bytes that the encoding of protocol buffers prescribes."""
    encoded = encode_example({b"a": np.array([300], dtype=np.int64)})
    assert encoded.hex() == "0a0d0a0b0a016112061a040a02ac02"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            np.array([[0.5, -2.0], [0.0, 1e-3]], dtype=np.float32),
            [0.5, -2.0, 0.0, np.float32(1e-3)],
        ),
        (np.array([0, 1, -1, 2**63 - 1, -(2**63)]), [0, 1, -1, 2**63 - 1, -(2**63)]),
        (strings(b"", b"caf\xc3\xa9", b"\0\xff" * 100), [b"", b"caf\xc3\xa9", b"\0\xff" * 100]),
    ],
)
def test_protobuf_reads_back_the_values(values: np.ndarray[Any, Any], expected: list[Any]) -> None:
    """What is encoded here is what protobuf itself decodes, for each kind of list."""
    assert decoded(encode_example({b"f": values})) == {"f": expected}


def test_an_empty_feature_is_present_without_values() -> None:
    """A feature of no values keeps its name, as a sparse feature of an Example may."""
    encoded = encode_example({b"f": np.empty(0, dtype=np.int64)})
    assert list(example_class().FromString(encoded).features.feature) == ["f"]


def test_bytes_do_not_depend_on_the_order_of_names() -> None:
    """The same features make the same bytes in whatever order they come."""
    one, two = np.array([1]), np.array([2.0], dtype=np.float32)
    assert encode_example({b"a": one, b"b": two}) == encode_example({b"b": two, b"a": one})


def test_values_of_another_type_are_refused() -> None:
    """An Example has no list for float64 values."""
    with pytest.raises(UnsupportedError, match="float32, int64 and string values, not float64"):
        encode_example({b"f": np.zeros(1)})


def test_an_input_that_nothing_parses_has_no_features() -> None:
    """A string that no ParseExample takes holds no Example."""
    assert parsed_features(graph(node("Identity", "out", "examples")), "examples:0") is None


def test_another_input_is_not_taken_for_the_examples() -> None:
    """Only the first input of a ParseExampleV2 holds Examples; its second holds their names."""
    parse = parse_v2("none", "dense_keys")
    parse.input[1] = "examples"
    assert parsed_features(graph(parse), "examples:0") is None


def test_features_of_parse_example_v2() -> None:
    """Dense, sparse and ragged features are found, by name."""
    parse = parse_v2("examples", "dense_keys", ragged_value_types=types("int64"))
    parse.input[4] = "ragged_keys"
    found = parsed_features(graph(parse, constant("ragged_keys", b"zip")), "examples:0")
    assert found == (AGE, CITY, Feature(name=b"zip", dtype="int64", shape=(None,)))


def test_features_of_parse_example() -> None:
    """The first version takes each name as an input of its own, sparse ones first."""
    parse = node(
        "ParseExample",
        "parse",
        *("examples", "none", "sparse_keys", "dense_keys", "default"),
        sparse_types=types("string"),
        Tdense=types("float32"),
        dense_shapes=shapes((1,)),
    )
    assert parsed_features(graph(parse), "examples:0") == (AGE, CITY)


def test_features_of_parse_single_example() -> None:
    """The version for one Example has the names in its attrs."""
    parse = node(
        "ParseSingleExample",
        "parse",
        *("examples", "default"),
        sparse_keys={"list": {"s": [b"city"]}},
        sparse_types=types("string"),
        dense_keys={"list": {"s": [b"age"]}},
        Tdense=types("float32"),
        dense_shapes=shapes((1,)),
    )
    assert parsed_features(graph(parse), "examples:0") == (AGE, CITY)


def test_a_dense_feature_of_any_length_keeps_its_inner_dimensions() -> None:
    """An unknown first dimension stays unknown, and the others stand."""
    parse = parse_v2("examples", "dense_keys", dense_shapes=shapes((-1, 4)))
    found = parsed_features(graph(parse), "examples:0")
    assert found is not None
    assert found[0].shape == (None, 4)


def test_examples_are_followed_through_nodes_that_hand_them_on() -> None:
    """Identity and Reshape between the input and the ParseExampleV2 hide nothing."""
    handed = node("Identity", "same", "examples:0"), node("Reshape", "flat", "same", "default")
    found = parsed_features(graph(*handed, parse_v2("flat:0", "dense_keys")), "examples:0")
    assert found == (AGE, CITY)


def test_two_parsers_of_one_input_are_both_heard() -> None:
    """The features of all parsers are joined, each once."""
    other = parse_v2("examples", "more_keys")
    other.name = "other"
    found = parsed_features(
        graph(parse_v2("examples", "dense_keys"), constant("more_keys", b"wage"), other),
        "examples:0",
    )
    assert found is not None
    assert [feature.name for feature in found] == [b"age", b"city", b"wage"]


def functional_graph(call: schema.NodeDef) -> schema.GraphDef:
    """Return a graph whose function takes dense names and Examples, and parses the latter."""
    parse = parse_v2("serialized", "names")
    parse.input[2:] = ["sparse:output:0", "names", "none:output:0", "none:output:0"]
    parse.input[1] = "none:output:0"
    body = [constant("none"), constant("sparse", b"city"), parse]
    made = graph(call)
    function = made.library.function.add(node_def=body)
    function.signature.name = "serve"
    for argument in ("names", "serialized"):
        function.signature.input_arg.add(name=argument)
    return made


@pytest.mark.parametrize("op", ["StatefulPartitionedCall", "PartitionedCall"])
def test_examples_are_followed_into_a_called_function(op: str) -> None:
    """An argument of the function is followed in, and a name from outside is found around it."""
    call = node(op, "call", "dense_keys", "examples", f={"func": {"name": "serve"}})
    assert parsed_features(functional_graph(call), "examples:0") == (AGE, CITY)


def test_examples_are_followed_into_a_loop() -> None:
    """Examples that ``tf.map_fn`` parses one by one are a list that a loop takes apart."""
    parts = node("TensorListFromTensor", "list", "examples")
    loop = node("StatelessWhile", "loop", "dense_keys", "list", body={"func": {"name": "serve"}})
    made = functional_graph(loop)
    made.node.append(parts)
    body = made.library.function[0]
    body.node_def[2].input[0] = "item:item:0"
    body.node_def.append(node("TensorListGetItem", "item", "serialized"))
    assert parsed_features(made, "examples:0") == (AGE, CITY)


def test_examples_are_followed_into_a_function_that_is_an_op() -> None:
    """TensorFlow 1 calls a function by using its name as an op."""
    call = node("serve", "call", "dense_keys", "examples")
    assert parsed_features(functional_graph(call), "examples:0") == (AGE, CITY)


def test_a_recursive_function_comes_to_an_end() -> None:
    """A function that calls itself with the same argument is walked once."""
    call = node("serve", "call", "dense_keys", "examples")
    made = functional_graph(call)
    again = node("serve", "again", "names", "serialized")
    made.library.function[0].node_def.add().CopyFrom(again)
    assert parsed_features(made, "examples:0") == (AGE, CITY)


def test_names_that_are_computed_are_told() -> None:
    """Names that come out of an op which is not constant cannot be known, and the op is named."""
    made = graph(node("ReadFile", "list", "default"), parse_v2("examples", "list"))
    with pytest.raises(UnsupportedError, match="ReadFile 'list', which is not a constant"):
        parsed_features(made, "examples:0")


def test_names_from_a_ring_of_nodes_are_told() -> None:
    """A damaged graph whose nodes feed one another does not hang the search."""
    ring = node("Identity", "a", "b"), node("Identity", "b", "a")
    with pytest.raises(UnsupportedError, match="not a constant"):
        parsed_features(graph(*ring, parse_v2("examples", "a")), "examples:0")


def test_names_that_are_no_strings_are_told() -> None:
    """A constant of numbers names no feature."""
    numbers = node("Const", "numbers", value={"tensor": from_numpy(np.zeros(1, dtype=np.int32))})
    with pytest.raises(DamagedModelError, match="Const 'numbers' names features, but holds int32"):
        parsed_features(graph(numbers, parse_v2("examples", "numbers")), "examples:0")


def test_names_and_types_that_do_not_match_are_told() -> None:
    """A parser with more names than types is damaged, and both numbers are given."""
    made = graph(constant("two", b"a", b"b"), parse_v2("examples", "two"))
    with pytest.raises(DamagedModelError, match="names 2 features, but its attr 'Tdense' lists 1"):
        parsed_features(made, "examples:0")


def test_looking_for_features_leaves_the_model_as_it_is() -> None:
    """Reading attrs that a node lacks does not add them to the message."""
    made = graph(node("StatefulPartitionedCall", "call", "examples"), parse_v2("x", "dense_keys"))
    before = made.SerializeToString(deterministic=True)
    parsed_features(made, "examples:0")
    assert made.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name", PARSED_TWICE)
def test_features_of_real_models(corpus: Path, name: str) -> None:
    """Models of TensorFlow 1 and 2, binary and text, parse the floats ``x`` and ``x2``."""
    (meta_graph,) = saved_models.read(corpus / name).meta_graphs
    signature = meta_graph.signatures["regress_x_to_y"]
    tensor = signature.inputs["inputs"].name
    x, x2 = (Feature(name=name, dtype="float32", shape=(1,)) for name in (b"x", b"x2"))
    assert parsed_features(meta_graph.proto.graph_def, tensor) == (x, x2)


def answers(runtime: Runtime, folder: Path, signature: str) -> tuple[Answer, ...]:
    """Run a signature on made-up inputs."""
    (loaded,) = load_models([folder], signature=signature)
    (case,) = loaded.cases
    work = LoadAndRun(
        model=loaded.path,
        tags=loaded.tags,
        loader="c",
        signature=signature,
        inputs=case.inputs,
        outputs=case.outputs,
        feeds=case.feeds,
    )
    with Worker(runtime, native=True) as worker:
        return worker.run(work, Limits()).answers


@pytest.mark.parametrize("name", PARSED_TWICE)
def test_the_real_parser_reads_the_values(
    corpus: Path, wheel_runtime: Callable[[str], Runtime], name: str
) -> None:
    """The C++ loader answers half of the ``x`` in each Example plus two."""
    (meta_graph,) = saved_models.read(corpus / name).meta_graphs
    signature = meta_graph.signatures["regress_x_to_y"]
    made = inputs.generate(signature, meta_graph, seed=0)
    batch = made.feeds[1]["inputs"]
    expected = [[decoded(example)["x"][0] / 2 + 2] for example in batch]
    answer = answers(wheel_runtime("2.21.0"), corpus / name, "regress_x_to_y")[1]
    assert answer.outputs is not None
    np.testing.assert_allclose(answer.outputs["outputs"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("estimator_dnn_audit", "serving_default"),
        ("keras2_lstm", "serving_default"),
        ("static_hash_table", "serving_default"),
        ("counter_stateful", "get_counter"),
        ("counter_stateful", "incr_counter_by"),
        ("half_plus_two_tf2", "serving_default"),
    ],
)
def test_the_real_loader_accepts_what_is_made_up(
    corpus: Path, wheel_runtime: Callable[[str], Runtime], name: str, signature: str
) -> None:
    """At least one set of made-up inputs is accepted, whatever the signature takes."""
    found = answers(wheel_runtime("2.21.0"), corpus / name, signature)
    assert any(answer.outputs is not None for answer in found)

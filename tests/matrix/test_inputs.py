"""Tests of the inputs that signatures are given."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix.inputs import Given, Made, components, generate
from savedmodel_compat.model import Encoding, MetaGraph, Signature, TensorSpec, schema
from savedmodel_compat.tensors import DTYPES, dtype_from_name, from_numpy

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...] | None

# An old ml_dtypes lacks the newest ones.
FLOATS = [d.name for d in DTYPES if "float" in d.name and not d.is_reference and d.numpy]
INDICES = ["int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "int4", "uint4"]
QUANTISED = ["qint8", "quint8", "qint16", "quint16", "qint32"]


def dense(name: str, dtype: str = "float32", shape: Shape = (None, 2)) -> TensorSpec:
    """Return the spec of a dense tensor."""
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def sparse(shape: Shape, dtype: str = "float32") -> TensorSpec:
    """Return the spec of a sparse tensor."""
    rank = None if shape is None else len(shape)
    parts = {
        "values": dense("v:0", dtype, (None,)),
        "indices": dense("i:0", "int64", (None, rank)),
        "dense_shape": dense("s:0", "int64", (rank,)),
    }
    return TensorSpec(name="", dtype=dtype, shape=shape, encoding=Encoding.SPARSE, components=parts)


def composite(type_spec: str, *parts: TensorSpec) -> TensorSpec:
    """Return the spec of a composite tensor; like a real one it has neither type nor shape."""
    return TensorSpec(
        name="",
        dtype="invalid",
        shape=(),
        encoding=Encoding.COMPOSITE,
        components={str(number): part for number, part in enumerate(parts)},
        type_spec=type_spec,
    )


def signature(key: str = "serve", **inputs: TensorSpec) -> Signature:
    """Return a signature with these inputs."""
    return Signature(key=key, method_name="", inputs=inputs, outputs={})


def with_default(wanted: Signature, **defaults: Array) -> Signature:
    """Return a signature with default values."""
    return Signature(
        key=wanted.key,
        method_name="",
        inputs=wanted.inputs,
        outputs={},
        defaults=defaults,
    )


def meta_graph(*nodes: schema.NodeDef, producer: int = 1000) -> MetaGraph:
    """Return a MetaGraph of these nodes."""
    proto = schema.MetaGraphDef()
    proto.graph_def.node.extend(nodes)
    proto.graph_def.versions.producer = producer
    return MetaGraph(
        tags=("serve",),
        tensorflow_version="",
        tensorflow_git_version="",
        stripped_default_attrs=False,
        producer=producer,
        min_consumer=0,
        bad_consumers=(),
        signatures={},
        assets=(),
        init_op=None,
        saver=None,
        proto=proto,
    )


def placeholder(name: str, shape: Shape, attr: str = "shape") -> schema.NodeDef:
    """Return a placeholder that knows its shape."""
    made = schema.TensorShapeProto(unknown_rank=shape is None)
    for size in shape or ():
        made.dim.add(size=-1 if size is None else size)
    node = schema.NodeDef(op="Placeholder", name=name)
    if attr == "shape":
        node.attr[attr].shape.CopyFrom(made)
    else:
        node.attr[attr].list.shape.append(made)
    return node


def made_up(wanted: Signature, graph: MetaGraph | None = None, *, seed: int = 0) -> Made:
    """Make up inputs, in an empty graph unless one is given."""
    return generate(wanted, graph or meta_graph(), seed=seed)


def shapes(made: Made, name: str = "x") -> list[tuple[int, ...]]:
    """Return the shape of an input in each set."""
    return [feed[name].shape for feed in made.feeds]


def saved(folder: Path, arrays: Mapping[str, Any]) -> Path:
    """Write a file of inputs."""
    path = folder / "inputs.npz"
    np.savez(path, **arrays)
    return path


def given(folder: Path, **arrays: Any) -> Given:
    """Return inputs that went through a file."""
    return Given.read(saved(folder, arrays))


def test_a_dense_tensor_is_its_own_component() -> None:
    """A dense tensor goes by its alias."""
    spec = dense("x:0")
    assert components("x", spec) == [("x", spec)]


def test_components_of_a_sparse_tensor() -> None:
    """A sparse tensor gives its three parts, each with its tensor's name."""
    found = [(name, part.name) for name, part in components("x", sparse((3, 4)))]
    assert found == [("x/values", "v:0"), ("x/indices", "i:0"), ("x/dense_shape", "s:0")]


def test_components_of_nested_composites() -> None:
    """A composite tensor in a composite tensor gives names of three parts."""
    spec = composite("Pair", dense("a:0"), composite("Pair", dense("b:0"), dense("c:0")))
    assert [name for name, _ in components("x", spec)] == ["x/0", "x/1/0", "x/1/1"]


def test_unknown_dimensions_are_one_and_three() -> None:
    """There is a set for a single element and one for a batch."""
    assert shapes(made_up(signature(x=dense("x:0", shape=(None, 5, None))))) == [
        (1, 5, 1),
        (3, 5, 3),
    ]


def test_known_dimensions_are_kept_in_one_set() -> None:
    """Where nothing is unknown one set is enough."""
    made = made_up(signature(x=dense("x:0", shape=(2, 3)), y=dense("y:0", shape=())))
    assert shapes(made) == [(2, 3)]
    assert shapes(made, "y") == [()]


def test_one_open_input_opens_the_signature() -> None:
    """An input with a known shape is in every set that another input's shape asks for."""
    made = made_up(signature(x=dense("x:0", shape=(2,)), y=dense("y:0", shape=(None,))))
    assert shapes(made) == [(2,), (2,)]


def test_an_unknown_rank_is_a_vector_and_then_a_scalar() -> None:
    """A third set has scalars, since an input without a shape may be either."""
    assert shapes(made_up(signature(x=dense("x:0", shape=None)))) == [(1,), (3,), ()]


@pytest.mark.parametrize("attr", ["shape", "_output_shapes"])
def test_the_graph_may_know_the_rank(attr: str) -> None:
    """A placeholder's own shape is used where the signature has none."""
    graph = meta_graph(placeholder("x", (None, 7), attr))
    assert shapes(made_up(signature(x=dense("x:0", shape=None)), graph)) == [(1, 7), (3, 7)]


def test_the_graph_may_know_a_dimension() -> None:
    """A dimension that only the placeholder knows is used."""
    graph = meta_graph(placeholder("x", (2, None)))
    assert shapes(made_up(signature(x=dense("x:0", shape=(None, 5))), graph)) == [(2, 5)]


def test_the_signature_is_believed_where_the_ranks_differ() -> None:
    """A placeholder of another rank than the signature's does not change the shape."""
    graph = meta_graph(placeholder("x", (4, 4, 4)))
    assert shapes(made_up(signature(x=dense("x:0", shape=(2,))), graph)) == [(2,)]


def test_a_scalar_placeholder_of_an_old_graph_may_be_anything() -> None:
    """Up to GraphDef version 21 the shape attr of a scalar and of an unknown shape look alike."""
    wanted, node = signature(x=dense("x:0", shape=None)), placeholder("x", ())
    assert shapes(made_up(wanted, meta_graph(node, producer=21))) == [(1,), (3,), ()]
    assert shapes(made_up(wanted, meta_graph(node, producer=22))) == [()]


def test_the_shape_attr_of_another_op_means_something_else() -> None:
    """Only a placeholder's shape attr is the shape of its output."""
    node = placeholder("x", (2, 2))
    node.op = "VarHandleOp"
    assert shapes(made_up(signature(x=dense("x:0", shape=None)), meta_graph(node))) == [
        (1,),
        (3,),
        (),
    ]


def test_a_signature_without_inputs_has_one_empty_set() -> None:
    """A signature that takes nothing can be run."""
    assert made_up(signature()) == Made(feeds=({},))


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_lie_below_one(dtype: str) -> None:
    """Floating-point values are in [0, 1), exact in their type and not all alike."""
    (feed,) = made_up(signature(x=dense("x:0", dtype, (400,)))).feeds
    assert feed["x"].dtype == dtype_from_name(dtype).numpy
    values = feed["x"].astype(np.float64)
    assert (values >= 0).all()
    assert (values < 1).all()
    assert len(set(values.tolist())) > 1


@pytest.mark.parametrize("dtype", INDICES)
def test_integers_are_zero_or_one(dtype: str) -> None:
    """Integers are safe as indices, whatever their width."""
    (feed,) = made_up(signature(x=dense("x:0", dtype, (100,)))).feeds
    assert feed["x"].dtype == dtype_from_name(dtype).numpy
    assert set(feed["x"].astype(np.int64).tolist()) == {0, 1}


def test_bytes_have_their_whole_range() -> None:
    """A uint8 input is likely a picture, so its values go from 0 to 255."""
    (feed,) = made_up(signature(x=dense("x:0", "uint8", (5000,)))).feeds
    assert feed["x"].dtype == np.uint8
    assert len(np.unique(feed["x"])) == 256


@pytest.mark.parametrize("dtype", QUANTISED)
def test_quantised_integers_are_zero(dtype: str) -> None:
    """Quantised integers are held as plain ones, and zero is in the range of any scale."""
    (feed,) = made_up(signature(x=dense("x:0", dtype, (4,)))).feeds
    assert feed["x"].dtype == dtype_from_name(dtype).numpy
    assert not feed["x"].any()


def test_bools_are_of_both_kinds() -> None:
    """Bool inputs are true and false."""
    (feed,) = made_up(signature(x=dense("x:0", "bool", (50,)))).feeds
    assert set(feed["x"].tolist()) == {True, False}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_have_two_parts(dtype: str) -> None:
    """Both parts of complex inputs are drawn, and not alike."""
    (feed,) = made_up(signature(x=dense("x:0", dtype, (4,)))).feeds
    assert feed["x"].dtype == np.dtype(dtype)
    assert (feed["x"].real != feed["x"].imag).all()


def test_strings_are_ascii_words() -> None:
    """A string input that nothing parses is given short words, as bytes."""
    (feed,) = made_up(signature(x=dense("x:0", "string", (20,)))).feeds
    assert feed["x"].dtype == object
    assert all(isinstance(word, bytes) and word.isalpha() for word in feed["x"])


def test_the_values_of_a_seed_never_change() -> None:
    """These values were computed once, and are the same on every machine and with every numpy."""
    wanted = signature(x=dense("x:0", shape=(3,)), y=dense("y:0", "int64", (8,)))
    (feed,) = made_up(wanted).feeds
    assert feed["x"].tolist() == [0.012440085411071777, 0.7746976017951965, 0.7136812210083008]
    assert feed["y"].tolist() == [0, 0, 1, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("key", "alias", "seed"), [("other", "x", 0), ("serve", "z", 0), ("serve", "x", 1)]
)
def test_values_differ_by_signature_alias_and_seed(key: str, alias: str, seed: int) -> None:
    """Each input of each signature has values of its own, for each seed others."""
    (first,) = made_up(signature("serve", x=dense("x:0", shape=(8,)))).feeds
    (second,) = made_up(signature(key, **{alias: dense("x:0", shape=(8,))}), seed=seed).feeds
    assert first["x"].tolist() != second[alias].tolist()


def test_values_do_not_depend_on_other_inputs() -> None:
    """An input keeps its values when the signature gains another one."""
    x = dense("x:0", shape=(8,))
    (alone,) = made_up(signature(x=x)).feeds
    (joined,) = made_up(signature(a=dense("a:0", shape=(5,)), x=x)).feeds
    assert alone["x"].tolist() == joined["x"].tolist()


def test_a_large_fixed_shape_is_respected() -> None:
    """A large input is made, from repeated values."""
    (feed,) = made_up(signature(x=dense("x:0", shape=(1000, 1000)))).feeds
    assert feed["x"].shape == (1000, 1000)
    assert feed["x"].std() > 0.2


def test_a_huge_fixed_shape_is_a_problem() -> None:
    """An input above the limit is not made, and its size is told."""
    made = made_up(signature(x=dense("x:0", shape=(None, 1 << 40))))
    assert made.feeds == ()
    assert made.problem is not None
    assert "input 'x' cannot be made up" in made.problem
    assert "4194304 MB" in made.problem


@pytest.mark.parametrize("dtype", ["resource", "variant", "invalid", "unknown(99)"])
def test_a_type_without_arrays_is_a_problem(dtype: str) -> None:
    """An input that no array can hold is told by its type, or by its number."""
    made = made_up(signature(x=dense("x:0", dtype)))
    assert made.feeds == ()
    assert made.problem is not None
    assert dtype in made.problem


def test_an_input_with_a_default_is_given_it() -> None:
    """The default is fed as it is, and its open shape makes no further set."""
    default = np.array([4.0, 2.0], dtype=np.float32)
    wanted = with_default(signature(x=dense("x:0", shape=(None,))), x=default)
    (feed,) = made_up(wanted).feeds
    assert feed["x"] is default


@pytest.mark.parametrize("shape", [(3, 4), (None, 4), None, (1,), (1 << 40, 1 << 40)])
def test_a_sparse_tensor_is_valid(shape: Shape) -> None:
    """Indices are within the dense shape, in order, each once, and as many as there are values."""
    for feed in made_up(signature(x=sparse(shape, "int64"))).feeds:
        indices, bounds = feed["x/indices"], feed["x/dense_shape"]
        assert indices.dtype == bounds.dtype == np.int64
        assert indices.shape == (len(feed["x/values"]), len(bounds))
        assert (indices < bounds).all()
        rows = [tuple(row) for row in indices.tolist()]
        assert rows == sorted(set(rows))


def test_a_sparse_tensor_without_room_is_empty() -> None:
    """A dense shape with a zero holds no value."""
    (feed,) = made_up(signature(x=sparse((0, 4)))).feeds
    assert feed["x/values"].shape == (0,)
    assert feed["x/indices"].shape == (0, 2)


def test_a_composite_sparse_tensor_is_valid() -> None:
    """A SparseTensorSpec lists indices, values and dense shape in this order."""
    spec = composite(
        "SparseTensorSpec",
        dense("i:0", "int64", (None, 3)),
        dense("v:0", "float32", (None,)),
        dense("s:0", "int64", (3,)),
    )
    feed = made_up(signature(x=spec)).feeds[1]
    assert feed["x/2"].tolist() == [3, 3, 3]
    assert feed["x/0"].tolist() == [[0, 0, 0], [2, 2, 2]]
    assert feed["x/1"].shape == (2,)


@pytest.mark.parametrize("splits", ["int32", "int64"])
def test_a_ragged_tensor_is_valid(splits: str) -> None:
    """Row splits start at 0, never fall, and end at the number of rows or values within."""
    spec = composite(
        "RaggedTensorSpec",
        dense("v:0", "float32", (None, 6)),
        dense("outer:0", splits, (None,)),
        dense("inner:0", splits, (None,)),
    )
    feed = made_up(signature(x=spec)).feeds[1]
    assert feed["x/0"].shape == (3, 6)
    assert feed["x/1"].tolist() == feed["x/2"].tolist() == [0, 1, 2, 3]
    assert feed["x/1"].dtype == np.dtype(splits)


def test_a_ragged_tensor_keeps_a_known_number_of_rows() -> None:
    """Splits of a known length decide the number of rows."""
    spec = composite("RaggedTensorSpec", dense("v:0", shape=(None,)), dense("s:0", "int64", (5,)))
    feed = made_up(signature(x=spec)).feeds[0]
    assert feed["x/0"].shape == (4,)
    assert feed["x/1"].tolist() == [0, 1, 2, 3, 4]


def test_other_composites_are_made_part_by_part() -> None:
    """Of a composite that is not known here each part is made by itself."""
    spec = composite("Pair", dense("a:0", shape=(2,)), dense("b:0", "bool", ()))
    (feed,) = made_up(signature(x=spec)).feeds
    assert {name: array.shape for name, array in feed.items()} == {"x/0": (2,), "x/1": ()}


def parsing_graph(op: str = "Const") -> MetaGraph:
    """Return a graph that parses the float vector ``age`` of any length out of ``examples``."""
    name = np.array([b"age"], dtype=object)
    keys = schema.NodeDef(op=op, name="keys")
    keys.attr["value"].tensor.CopyFrom(from_numpy(name))
    parse = schema.NodeDef(op="ParseExample", name="parse", input=["examples", "none", "keys"])
    parse.attr["Tdense"].list.type.append(1)
    parse.attr["dense_shapes"].list.shape.add().dim.add(size=-1)
    parse.attr["sparse_types"].list.SetInParent()
    return meta_graph(placeholder("examples", (None,)), keys, parse)


def test_an_input_that_is_parsed_is_given_examples() -> None:
    """Each element is an Example that names the feature, with values of its own."""
    wanted = signature(x=dense("examples:0", "string", None))
    one, three = made_up(wanted, parsing_graph()).feeds
    assert one["x"].shape == (1,)
    assert three["x"].shape == (3,)
    assert len(set(three["x"])) == 3
    assert all(b"age" in example for example in three["x"])


def test_features_that_cannot_be_known_are_a_problem() -> None:
    """Where the names of the features are computed no input can be made, and the reason is told."""
    wanted = signature(x=dense("examples:0", "string", None))
    made = made_up(wanted, parsing_graph(op="ReadFile"))
    assert made.feeds == ()
    assert made.problem is not None
    assert "input 'x' cannot be made up" in made.problem
    assert "ReadFile 'keys'" in made.problem


def test_every_signature_of_real_models_has_inputs(corpus: Path) -> None:
    """Nothing in the third-party models is beyond what can be made up."""
    problems = []
    for folder in sorted(path for path in corpus.iterdir() if path.is_dir()):
        for graph in saved_models.read(folder).meta_graphs:
            for found in graph.signatures.values():
                made = made_up(found, graph)
                names = {name for a, s in found.inputs.items() for name, _ in components(a, s)}
                if made.problem or any(set(feed) != names for feed in made.feeds):
                    problems.append((folder.name, found.key, made.problem))
    assert problems == []


def test_a_given_array_is_fed_as_it_is(tmp_path: Path) -> None:
    """An array of the right type and shape is fed unchanged, in one set."""
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    (feed,) = given(tmp_path, x=array).feeds(signature(x=dense("x:0"))).feeds
    np.testing.assert_array_equal(feed["x"], array)
    assert feed["x"].dtype == np.float32


def test_the_name_with_a_signature_wins(tmp_path: Path) -> None:
    """An array for one signature alone goes before one for all that have the alias."""
    path = saved(tmp_path, {"x": np.zeros(1), "a/serve/x": np.ones(1)})
    spec = dense("x:0", "float64", (1,))
    first = Given.read(path).feeds(signature("a/serve", x=spec))
    other = Given.read(path).feeds(signature("other", x=spec))
    assert first.feeds[0]["x"].tolist() == [1]
    assert other.feeds[0]["x"].tolist() == [0]


def test_components_are_given_by_their_names(tmp_path: Path) -> None:
    """The parts of a sparse input are arrays of their own."""
    arrays = {
        "x/values": np.ones(1, dtype=np.float32),
        "x/indices": np.zeros((1, 2), dtype=np.int64),
        "x/dense_shape": np.array([3, 4]),
    }
    made = Given.read(saved(tmp_path, arrays)).feeds(signature(x=sparse((3, 4))))
    assert set(made.feeds[0]) == set(arrays)


def test_an_input_with_a_default_may_be_left_out(tmp_path: Path) -> None:
    """A default stands in for an array that the file lacks."""
    wanted = signature(x=dense("x:0", shape=(1,)), y=dense("y:0", shape=(1,)))
    default = np.array([7], dtype=np.float32)
    made = given(tmp_path, x=np.ones(1)).feeds(with_default(wanted, y=default))
    assert made.feeds[0]["y"].tolist() == [7]


def test_a_given_array_goes_before_a_default(tmp_path: Path) -> None:
    """A default gives way to the file."""
    wanted = with_default(signature(x=dense("x:0", shape=(1,))), x=np.zeros(1, dtype=np.float32))
    assert given(tmp_path, x=np.ones(1)).feeds(wanted).feeds[0]["x"].tolist() == [1]


def test_a_signature_without_inputs_needs_no_array(tmp_path: Path) -> None:
    """A signature that takes nothing is run whatever the file holds."""
    assert given(tmp_path, x=np.ones(1)).feeds(signature()) == Made(feeds=({},))


def test_a_file_about_other_signatures_is_a_problem(tmp_path: Path) -> None:
    """A signature that the file does not mention has no inputs, and is told so."""
    made = given(tmp_path, z=np.ones(1)).feeds(signature(x=dense("x:0")))
    assert made.feeds == ()
    assert made.problem is not None
    assert "inputs.npz names none of its inputs ['x']" in made.problem


def test_a_missing_input_is_an_error(tmp_path: Path) -> None:
    """A file that has only some of the inputs is refused, naming those that lack."""
    wanted = signature(x=dense("x:0"), y=dense("y:0"))
    with pytest.raises(UsageError, match=r"inputs\.npz lacks \['y'\] of signature 'serve'"):
        given(tmp_path, x=np.ones((1, 2))).feeds(wanted)


@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 2, 1), ()])
def test_a_wrong_shape_is_an_error(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Another rank or fixed dimension is refused, with both shapes."""
    with pytest.raises(UsageError) as caught:
        given(tmp_path, x=np.ones(shape)).feeds(signature(x=dense("x:0")))
    assert "'x', for input 'x' of signature 'serve'" in caught.value.message
    assert f"has the shape {list(shape)}, the signature wants [None, 2]" in caught.value.message


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_an_unknown_rank_takes_any_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A signature without a shape does not refuse one."""
    made = given(tmp_path, x=np.ones(shape)).feeds(signature(x=dense("x:0", shape=None)))
    assert shapes(made) == [shape]


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array([0.1, np.nan, np.inf]), "float32"),
        (np.array([1, 2, 3]), "float32"),
        (np.array([1, 255, 0], dtype=np.uint8), "bfloat16"),
        (np.array([1, -5, 2**31 - 1]), "int32"),
        (np.array([1, 2, 3], dtype=np.uint64), "int64"),
        (np.array([-8, 0, 7]), "int4"),
        (np.array([-128, 0, 127]), "qint8"),
        (np.array([0.5, 1, 2]), "complex64"),
        (np.array([1j, 1, 2]), "complex64"),
        (np.array([1, 2, 3], dtype=">i4"), "int32"),
        (np.array([True, False, True]), "bool"),
    ],
)
def test_arrays_become_the_type_of_the_input(tmp_path: Path, array: Array, dtype: str) -> None:
    """A type that holds the values is converted to the one that the signature has."""
    (feed,) = given(tmp_path, x=array).feeds(signature(x=dense("x:0", dtype, (3,)))).feeds
    kind = dtype_from_name(dtype).numpy
    assert feed["x"].dtype == kind
    np.testing.assert_array_equal(feed["x"], array.astype(kind))


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array([2**31]), "int32"),
        (np.array([-1]), "uint8"),
        (np.array([2**63], dtype=np.uint64), "int64"),
        (np.array([8]), "int4"),
        (np.array([2**24 + 1]), "float32"),
        (np.array([1e39]), "float32"),
        (np.array([70000.0]), "float16"),
        (np.array([0, 1e39j]), "complex64"),
        (np.array([0.5]), "int32"),
        (np.array([1j]), "float32"),
        (np.array([1]), "bool"),
        (np.array([True]), "int32"),
        (np.array(["1"]), "float32"),
        (np.array([1]), "string"),
        (np.array(["2026-11-21"], dtype="datetime64[D]"), "int64"),
        (np.zeros(1, dtype=[("a", "i4")]), "float32"),
        (np.array([1]), "resource"),
    ],
)
def test_values_that_do_not_fit_are_an_error(tmp_path: Path, array: Array, dtype: str) -> None:
    """An array that the input's type cannot hold is refused, with both types."""
    with pytest.raises(UsageError, match=f"which does not become {dtype} without loss") as caught:
        given(tmp_path, x=array).feeds(signature(x=dense("x:0", dtype, None)))
    assert str(array.dtype) in caught.value.message


@pytest.mark.parametrize("array", [np.array([["é", "ab"]]), np.array([[b"\xc3\xa9", b"ab"]])])
def test_text_becomes_bytes(tmp_path: Path, array: Array) -> None:
    """Arrays of text and of bytes are fed as objects of bytes, text as UTF-8."""
    (feed,) = given(tmp_path, x=array).feeds(signature(x=dense("x:0", "string"))).feeds
    assert feed["x"].dtype == object
    assert feed["x"].tolist() == [[b"\xc3\xa9", b"ab"]]


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "int4"])
def test_types_of_ml_dtypes_survive_a_file(tmp_path: Path, dtype: str) -> None:
    """A file holds such arrays as bare bytes; the signature says what they are."""
    array = np.array([0, 1, 1], dtype=getattr(ml_dtypes, dtype))
    (feed,) = given(tmp_path, x=array).feeds(signature(x=dense("x:0", dtype, (3,)))).feeds
    np.testing.assert_array_equal(feed["x"], array)
    assert feed["x"].dtype == array.dtype


def test_bare_bytes_of_another_size_are_an_error(tmp_path: Path) -> None:
    """Bytes that are not of the input's size are not taken for it."""
    array = np.zeros(4, dtype=ml_dtypes.bfloat16)
    with pytest.raises(UsageError, match="does not become float8_e5m2"):
        given(tmp_path, x=array).feeds(signature(x=dense("x:0", "float8_e5m2", (4,))))


def test_keys_that_name_no_input_are_found(tmp_path: Path) -> None:
    """A misspelt alias or signature is unused; one that another entry goes before is not."""
    arrays = {name: np.ones(1) for name in ("x", "serve/x", "X", "serv/x", "serve/y")}
    wanted = [signature(x=dense("x:0")), signature("other", y=dense("y:0"))]
    assert Given.read(saved(tmp_path, arrays)).unused(wanted) == ("X", "serv/x", "serve/y")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The path is named, and how such a file is written."""
    with pytest.raises(UsageError, match=r"none\.npz is not there") as caught:
        Given.read(tmp_path / "none.npz")
    assert caught.value.hint is not None
    assert "numpy.savez" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n"])
def test_a_file_of_another_kind_is_an_error(tmp_path: Path, content: bytes) -> None:
    """What is no zip archive is no .npz file."""
    path = tmp_path / "inputs.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"inputs\.csv is not an \.npz file"):
        Given.read(path)


def test_a_single_array_is_an_error(tmp_path: Path) -> None:
    """An .npy file has no names, so it cannot say which input it is for."""
    path = tmp_path / "inputs.npy"
    np.save(path, np.ones(3))
    with pytest.raises(UsageError, match=r"inputs\.npy is not an \.npz file"):
        Given.read(path)


def test_an_archive_of_other_files_is_an_error(tmp_path: Path) -> None:
    """A member that is no array is named."""
    path = tmp_path / "inputs.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UsageError, match=r"'readme\.txt' is no array"):
        Given.read(path)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    """An array of Python objects is refused by name, since loading it could run anything."""
    with pytest.raises(UsageError, match="'x' cannot be read: Object arrays cannot be loaded"):
        given(tmp_path, x=np.array([b"a", None], dtype=object))


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    """A member whose bytes were changed fails its checksum, and is named."""
    path = saved(tmp_path, {"x": np.zeros(100)})
    data = bytearray(path.read_bytes())
    data[300] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="'x' cannot be read"):
        Given.read(path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    """An archive without members gives no inputs."""
    with pytest.raises(UsageError, match="holds no arrays"):
        Given.read(saved(tmp_path, {}))

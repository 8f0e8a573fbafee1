"""What the strategies draw fits signatures, or fails to in the way that they say, and reaches the edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from savedmodel_compat import strategies
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.model.values import Encoding, Signature, TensorSpec
from savedmodel_compat.search._elements import repeated
from savedmodel_compat.search.signatures import module_inputs
from savedmodel_compat.strategies import DrawnInput, DrawnSignature, Feature, Mismatch
from savedmodel_compat.tensors import DTYPES, dtype_from_name

Feed = dict[str, np.ndarray[Any, Any]]

MANY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
DRAWN = [dtype.name for dtype in DTYPES if dtype.numpy is not None and not dtype.is_reference]


def spec(dtype: str, shape: tuple[int | None, ...] | None) -> TensorSpec:
    """A dense input."""
    return TensorSpec(name="x:0", dtype=dtype, shape=shape)


def signature(defaults: Feed | None = None, **inputs: TensorSpec) -> Signature:
    """A signature of these inputs."""
    return Signature(key="s", method_name="", inputs=inputs, outputs={}, defaults=defaults or {})


def drawn(strategy: st.SearchStrategy[Any], count: int = 300) -> list[Any]:
    """Values that a strategy draws, always the same."""
    found: list[Any] = []

    @settings(MANY, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def smallest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool]) -> Any:
    """The smallest value of a strategy of which something holds."""
    return find(strategy, condition, settings=settings(MANY, max_examples=2000))


@pytest.mark.parametrize("dtype", DRAWN)
def test_every_dtype(dtype: str) -> None:
    """Inputs have the dtype and shape that are wanted, with edges and without."""
    kind = dtype_from_name(dtype).numpy
    for edges in (True, False):
        for feed in drawn(
            strategies.from_signature(signature(x=spec(dtype, (None, 2))), edges=edges), 40
        ):
            assert feed["x"].dtype == kind
            assert feed["x"].shape[1:] == (2,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_edges_of_floats(dtype: str) -> None:
    """NaN with a payload, infinities, denormals, -0.0 and the largest are all drawn; without edges all is small and finite."""
    kind = dtype_from_name(dtype).numpy
    assert kind is not None
    bits = f"u{kind.itemsize}"
    info = ml_dtypes.finfo(kind)
    plain_nan = int(np.array(np.nan, kind).view(bits))
    seen: set[str] = set()
    for feed in drawn(strategies.from_signature(signature(x=spec(dtype, (3,))))):
        for element in feed["x"]:
            raw, value = int(np.array(element).view(bits)), float(element)
            if math.isnan(value):
                seen.add("nan" if raw == plain_nan else "payload")
            elif math.isinf(value):
                seen.add("inf")
            elif value == 0 and raw:
                seen.add("-0.0")
            elif abs(value) == float(info.max):
                seen.add("max")
            elif 0 < abs(value) < float(info.tiny):
                seen.add("denormal")
    assert seen == {"nan", "payload", "inf", "-0.0", "max", "denormal"}
    for feed in drawn(strategies.from_signature(signature(x=spec(dtype, (3,))), edges=False)):
        assert np.all(np.abs(feed["x"].astype(np.float64)) <= 8)


def test_edges_of_integers() -> None:
    """Both ends of an integer's range are drawn."""
    seen = {
        int(e)
        for feed in drawn(strategies.from_signature(signature(x=spec("int64", (3,)))))
        for e in feed["x"]
    }
    assert {-(2**63), 2**63 - 1, 0, -1} <= seen


def test_edges_of_strings() -> None:
    """Empty, binary, invalid and long strings are drawn; what is invalid as UTF-8 is."""
    strings = strategies.from_signature(signature(x=spec("string", (2,))))
    seen = {each for feed in drawn(strings, 1000) for each in feed["x"].tolist()}
    assert {b"", b"\x00", b"\xff\xfe"} <= seen
    assert any(len(each) > 200 for each in seen)
    with pytest.raises(UnicodeDecodeError):
        b"\xed\xa0\x80".decode()


def test_open_dimensions() -> None:
    """They are 0, 1, odd and large; a rank that is not known is anything from 0 to 4."""
    found = [
        feed["x"].shape
        for feed in drawn(strategies.from_signature(signature(x=spec("float32", (None, 3)))))
    ]
    sizes = {shape[0] for shape in found}
    assert {0, 1, 2, 3} <= sizes
    assert max(sizes) > 130
    assert any(size % 2 and size > 4 for size in sizes)
    unranked = drawn(strategies.from_signature(signature(x=spec("float32", None))))
    assert {feed["x"].ndim for feed in unranked} == {0, 1, 2, 3, 4}


def test_sizes_are_bounded() -> None:
    """However many dimensions are open, an input stays small."""
    wide = signature(x=spec("float32", (None, None, None, None)))
    assert max(feed["x"].size for feed in drawn(strategies.from_signature(wide))) <= 1 << 14


@pytest.mark.parametrize("shape", [(3, 12), (4, 32, 32, 3), (5, 4), (5, 1), (2, 768)])
def test_rows_side_by_side(shape: tuple[int, ...]) -> None:
    """Few values that are repeated make no two rows alike that are side by side, whatever their size; nor columns."""
    for count in (2, 3, 4):
        array = repeated([float(value) for value in range(count)], "float32", shape)
        for axis, size in enumerate(shape):
            for place in range(size - 1):
                one, other = (array.take(at, axis) for at in (place, place + 1))
                assert not np.any(one == other)


def test_one_that_is_another() -> None:
    """One element of an input is often unlike all others; with edges="one" it may be no number, and all others are."""
    said = signature(x=spec("float32", (2, 6)))
    odd = [feed["x"] for feed in drawn(strategies.from_signature(said, edges="one"))]
    counts = [int(np.sum(~np.isfinite(array))) for array in odd]
    assert set(counts) == {0, 1}
    assert any(np.isnan(array).any() for array in odd)
    plain = [feed["x"] for feed in drawn(strategies.from_signature(said, edges=False))]
    assert all(np.isfinite(array).all() for array in plain)
    assert any(
        len(np.unique(array)) == 2 and 1 in np.unique(array, return_counts=True)[1]
        for array in plain
    )
    words = signature(x=spec("string", (2, 6)))
    strings = [feed["x"] for feed in drawn(strategies.from_signature(words, edges="one"))]
    assert any(b"\xff\xfe" in array.ravel().tolist() for array in strings)


def test_batches_of_large_rows() -> None:
    """Of large rows there are batches of a few, and all inputs have as many; of rows that nobody could hold there are none."""
    image = signature(x=spec("float32", (None, 224, 224, 3)))
    sizes = {feed["x"].shape[0] for feed in drawn(strategies.from_signature(image), 60)}
    assert sizes == {0, 1, 2, 3}
    two = signature(a=spec("float32", (None, 3)), b=spec("float32", (None, 20000)))
    for feed in drawn(strategies.from_signature(two, batch=65), 10):
        assert feed["a"].shape[0] == feed["b"].shape[0] == 13
    small = signature(x=spec("float32", (None, 32, 32, 3)))
    assert max(f["x"].shape[0] for f in drawn(strategies.from_signature(small))) > 64
    with pytest.raises(UnsupportedError, match="too large to be drawn"):
        drawn(strategies.from_signature(signature(x=spec("float32", (1 << 20, 1 << 13)))), 1)


def test_batches_are_tied() -> None:
    """The open dimensions of several inputs mostly agree, and not always."""
    two = signature(a=spec("float32", (None, 2)), b=spec("int32", (None,)))
    pairs = [
        (feed["a"].shape[0], feed["b"].shape[0]) for feed in drawn(strategies.from_signature(two))
    ]
    alike = sum(a == b for a, b in pairs) / len(pairs)
    assert 0.6 < alike < 1


def test_a_given_batch() -> None:
    """The batch may be given."""
    two = signature(a=spec("float32", (None, 2)), b=spec("int32", (None,)))
    for feed in drawn(strategies.from_signature(two, batch=5), 30):
        assert (feed["a"].shape[0], feed["b"].shape[0]) == (5, 5)


def test_defaults() -> None:
    """An input with a default is given it, or drawn if that is wanted."""
    default = np.array([7.0], np.float32)
    said = signature(x=spec("float32", (1,)), defaults={"x": default})
    assert all(feed["x"] is default for feed in drawn(strategies.from_signature(said), 10))
    others = drawn(strategies.from_signature(said, defaults=False), 30)
    assert any(feed["x"][0] != 7 for feed in others)


def test_sparse_inputs() -> None:
    """The parts of a sparse input make one: indices in order, each once, within its shape."""
    parts = {
        name: spec(dtype, shape)
        for name, dtype, shape in (
            ("values", "float32", (None,)),
            ("indices", "int64", (None, 2)),
            ("dense_shape", "int64", (2,)),
        )
    }
    sparse = TensorSpec(
        name="", dtype="float32", shape=(None, 4), encoding=Encoding.SPARSE, components=parts
    )
    counts = set()
    for feed in drawn(strategies.from_signature(signature(x=sparse))):
        indices, shape = feed["x/indices"].tolist(), feed["x/dense_shape"].tolist()
        assert shape[1] == 4
        assert sorted(map(tuple, indices)) == list(map(tuple, indices))
        assert len(set(map(tuple, indices))) == len(indices) == len(feed["x/values"])
        assert all(row < shape[0] and column < 4 for row, column in indices)
        counts.add(len(indices))
    assert len(counts) > 2


def test_ragged_inputs() -> None:
    """The parts of a ragged input make one: each level's splits end at the next one's rows."""
    parts = {
        "0": spec("float32", (None,)),
        "1": spec("int64", (None,)),
        "2": spec("int64", (None,)),
    }
    ragged = TensorSpec(
        name="",
        dtype="float32",
        shape=None,
        encoding=Encoding.COMPOSITE,
        components=parts,
        type_spec="RaggedTensorSpec",
    )
    for feed in drawn(strategies.from_signature(signature(x=ragged)), 60):
        outer, inner = feed["x/1"], feed["x/2"]
        assert outer[0] == inner[0] == 0
        assert np.all(np.diff(outer) >= 0)
        assert outer[-1] == len(inner) - 1
        assert inner[-1] == len(feed["x/0"])


def test_the_smallest() -> None:
    """Inputs shrink to no elements, to zeros and to empty strings; a size that matters to that size."""
    inputs = strategies.from_signature(signature(x=spec("float32", (None, None))))
    assert smallest(inputs, lambda _: True)["x"].shape == (0, 0)
    found = smallest(inputs, lambda feed: feed["x"].shape[0] > 64)["x"]
    assert found.shape == (65, 0)
    text = strategies.from_signature(signature(x=spec("string", (None,))))
    assert smallest(text, lambda feed: feed["x"].size == 3)["x"].tolist() == [b""] * 3
    nan = smallest(inputs, lambda feed: bool(np.isnan(feed["x"]).any()))["x"]
    assert nan.shape == (1, 1)


def test_what_no_array_holds() -> None:
    """A resource cannot be drawn, and that is said."""
    with pytest.raises(UnsupportedError, match="resource"):
        strategies.from_signature(signature(x=spec("resource", ())))


MISMATCHED = signature(x=spec("float32", (None, 3)), ids=spec("int64", (None,)))


def test_mismatches() -> None:
    """Each kind is drawn, one thing is wrong, and it is what is said."""
    kinds = set()
    for wrong in drawn(strategies.mismatched(MISMATCHED)):
        kinds.add(wrong.kind)
        assert wrong_about(wrong) == [wrong.alias], wrong
    assert kinds == {"missing", "extra", "dtype", "rank", "size"}


def wrong_about(wrong: Mismatch) -> list[str]:
    """The names of all that does not fit, judged here anew."""
    found = []
    for name in sorted({*MISMATCHED.inputs, *wrong.feed}):
        if name not in wrong.feed or name not in MISMATCHED.inputs:
            found.append(name)
            continue
        wanted, array = MISMATCHED.inputs[name], wrong.feed[name]
        shape = wanted.shape or ()
        fits = array.ndim == len(shape) and all(
            w in (None, h) for w, h in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype_from_name(wanted.dtype).numpy or not fits:
            found.append(name)
    return found


def test_a_mismatch_shrinks() -> None:
    """The smallest mismatch of a kind has nothing that it does not need."""
    found = smallest(strategies.mismatched(MISMATCHED), lambda wrong: wrong.kind == "rank")
    assert found.feed[found.alias].size <= 1


def test_examples() -> None:
    """Serialized Examples have the features that they should, of their shapes; edges are among the values."""
    features = [
        Feature(name=b"a", dtype="float32", shape=(2,)),
        Feature(name=b"b", dtype="string", shape=(None,)),
        Feature(name=b"c", dtype="int64", shape=()),
    ]
    seen = drawn(strategies.examples(features), 100)
    assert all(b"\n\x01a" in each and b"\n\x01b" in each and b"\n\x01c" in each for each in seen)
    assert len(set(seen)) > 50
    named = {each.name.decode(): (each.dtype, each.shape) for each in features}
    assert drawn(strategies.examples(named), 20) == drawn(strategies.examples(features), 20)


def test_signatures() -> None:
    """Whole signatures have keys and names of their own, odd ones among them, shapes, nests and defaults of all kinds."""
    models = drawn(strategies.signatures())
    keys = [[each.key for each in model] for model in models]
    assert all(1 <= len(model) == len(set(model)) <= 3 for model in keys)
    inputs = [one for model in models for each in model for one in each.inputs]
    for model in models:
        for each in model:
            assert len({one.name for one in each.inputs}) == len(each.inputs)
    names = {one.name for one in inputs}
    assert {"x", "a/b", "é", "lambda"} <= names
    assert {one.kind for one in inputs} == {"dense", "sparse", "ragged", "dict", "tuple"}
    dense = {one.shape for one in inputs if one.kind == "dense"}
    assert {None, ()} <= dense
    assert any(shape and None in shape for shape in dense)
    assert any(shape and 0 in shape for shape in dense)


def test_nests_of_signatures() -> None:
    """A nest holds up to three others, of which some are sparse, ragged or nests; what holds nothing has no parts."""
    models = drawn(strategies.signatures())
    inputs = [one for model in models for each in model for one in each.inputs]
    nests = [one for one in inputs if one.kind in {"dict", "tuple"}]
    assert all(1 <= len(one.parts) <= 3 and not one.dtype for one in nests)
    assert {part.kind for one in nests for part in one.parts} == {
        "dense",
        "sparse",
        "ragged",
        "dict",
        "tuple",
    }
    for one in nests:
        names = [part.name for part in one.parts if part.name]
        assert len(set(names)) == len(names)
        assert one.kind == "tuple" or len(names) == len(one.parts)
    assert any(part.name == "" for one in nests for part in one.parts)
    assert all(not one.parts for one in inputs if one not in nests)


def test_defaults_of_signatures() -> None:
    """A default has as many elements as its shape holds, with two for each open dimension."""
    models = drawn(strategies.signatures())
    inputs = [one for model in models for each in model for one in each.inputs]
    found = [one for one in inputs if one.default is not None]
    assert {one.dtype for one in found} >= {"float32", "string", "bool", "complex64"}
    for one in found:
        shape = (None,) if one.shape is None else one.shape
        assert one.default is not None
        assert len(one.default) == math.prod(2 if size is None else size for size in shape)
        assert one.kind == "dense"
        assert one.name.isidentifier()
    assert any(one.default is None and one.kind == "dense" for one in inputs)
    without = drawn(strategies.signatures(defaults=False), 100)
    assert all(one.default is None for model in without for each in model for one in each.inputs)


def test_plain_signatures() -> None:
    """Odd names and composite inputs are left out where that is wished for; the smallest has no input."""
    plain = strategies.signatures(kinds=("dense",), odd_names=False)
    for model in drawn(plain, 100):
        for each in model:
            assert all(one.name.isidentifier() and one.kind == "dense" for one in each.inputs)
    [only] = smallest(plain, lambda _: True)
    assert only.inputs == ()


def test_names_in_modules() -> None:
    """What TensorFlow calls the tensors of a module's arguments: see the generated models, which hold this against real ones."""
    sparse, taken = DrawnInput("x", "string", (None, 4), "sparse"), DrawnInput("x_1", "bool", ())
    nest = DrawnInput("a", kind="dict", parts=(sparse, DrawnInput("q", "int32", None)))
    found = module_inputs(DrawnSignature("s", (taken, sparse, nest)))
    assert {alias: (leaf.dtype, leaf.shape) for alias, leaf in found.items()} == {
        "a": ("int32", None),
        "a_1": ("int64", (None, 2)),
        "a_2": ("string", (None,)),
        "a_3": ("int64", (2,)),
        "x": ("int64", (None, 2)),
        "x_1": ("string", (None,)),
        "x_2": ("int64", (2,)),
        "x_1_1": ("bool", ()),
    }
    # Behind the others, as Python wants it.
    late = DrawnInput("a", "int32", (), default=(1,))
    assert list(module_inputs(DrawnSignature("s", (late, taken)))) == ["x_1", "a"]

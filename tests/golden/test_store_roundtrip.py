"""Every type and every kind of shape through the store and back, bit for bit, as Hypothesis draws them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from tests.golden import stored

from savedmodel_compat.golden._names import escape, escape_all
from savedmodel_compat.golden.store import Golden, Key, Store, Written
from savedmodel_compat.tensors import DTYPES, DType, dtype_from_name

Array = np.ndarray[Any, Any]

KEPT = [dtype for dtype in DTYPES if dtype.numpy is not None]
SHAPES = st.one_of(
    st.just(()),
    st.just((0,)),
    st.tuples(st.integers(0, 3), st.just(0), st.integers(0, 3)),
    st.tuples(st.integers(1, 40)),
    st_numpy.array_shapes(min_dims=2, max_dims=3, max_side=5),
    st_numpy.array_shapes(min_dims=5, max_dims=5, max_side=3),
    st.just((1,) * 20),
    st.tuples(st.integers(1000, 3000)),
)
ALIASES = st.one_of(
    st.sampled_from(["x", "x/indices", "x/dense_shape", "X", "é", "", "\0", "\ud800", "a b"]),
    st.text(max_size=20),
)


def bits(array: Array) -> bytes | list[bytes]:
    """Return the elements of an array as the bytes that they are."""
    if array.dtype == object:
        return [bytes(item) for item in array.ravel().tolist()]
    return array.tobytes()


@st.composite
def arrays(draw: st.DrawFn, dtype: DType) -> Array:
    """Draw any bits that an array of a type may hold: signalling NaNs, and integers of 4 bits."""
    shape = draw(SHAPES)
    count = int(np.prod(shape, dtype=np.int64))
    kind = dtype.numpy
    assert kind is not None
    array: Array = np.empty(count, dtype=object)
    if kind.kind != "O":
        seed = draw(st.integers(0, 2**32 - 1))
        raw = np.random.default_rng(seed).integers(0, 256, count * kind.itemsize, dtype=np.uint8)
        array = raw.view(kind)
    elif count < 100:
        array[:] = draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count))
    else:
        array[:] = [b"\0" * (index % 3) for index in range(count)]
    shaped: Array = array.reshape(shape)
    return shaped


@st.composite
def tensors(draw: st.DrawFn) -> Mapping[str, tuple[Array, str]]:
    """Draw the tensors of one side, with their types."""
    found = {}
    for alias in draw(st.lists(ALIASES, min_size=1, max_size=4, unique=True)):
        dtype = draw(st.sampled_from(KEPT))
        found[alias] = (draw(arrays(dtype)), dtype.name)
    return found


def golden_of(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Golden:
    """Return the golden of two sides."""
    sides = {"inputs": inputs, "outputs": outputs}
    return stored.of_arrays(
        {alias: array for alias, (array, _) in inputs.items()},
        {alias: array for alias, (array, _) in outputs.items()},
        {f"{side}/{alias}": name for side, of in sides.items() for alias, (_, name) in of.items()},
    )


@pytest.mark.parametrize("dtype", KEPT, ids=lambda dtype: str(dtype.name))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_type(dtype: DType, data: st.DataObject) -> None:
    """An array of any type comes back with its name, its shape and all of its bits."""
    array = data.draw(arrays(dtype))
    golden = golden_of({}, {"y": (array, dtype.name)})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.write(golden)
        [found] = store.read(golden.key).data_sets

        assert found.dtypes == {"outputs/y": dtype.name}
        assert found.outputs["y"].dtype == array.dtype
        assert found.outputs["y"].shape == array.shape
        assert bits(found.outputs["y"]) == bits(array)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs=tensors(), outputs=tensors())
def test_any_signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Aliases of any text, and types in any mixture, come back; nothing of the store is damaged then."""
    golden = golden_of(inputs, outputs)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        assert store.write(golden) is Written.NEW
        assert store.write(golden) is Written.UNCHANGED
        [found] = store.read(golden.key).data_sets

        assert store.verify() == ()
        for side, of in (("inputs", inputs), ("outputs", outputs)):
            read = getattr(found, side)
            assert {alias: bits(array) for alias, array in read.items()} == {
                alias: bits(array) for alias, (array, _) in of.items()
            }
            assert all(
                found.dtypes[f"{side}/{alias}"] == dtype_from_name(name).name
                for alias, (_, name) in of.items()
            )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs=tensors(), outputs=tensors())
def test_equal_content_is_equal_bytes(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> None:
    """Two stores with the same golden hold the same files, whatever order its tensors came in."""
    turned = golden_of(dict(reversed(list(inputs.items()))), dict(reversed(list(outputs.items()))))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        Store(Path(one)).write(golden_of(inputs, outputs))
        Store(Path(other)).write(turned)

        assert stored.files_below(Path(one)) == stored.files_below(Path(other))


NAMES = st.one_of(
    st.sampled_from(
        ["", ".", "..", "a/b", "A", "a", "=a", "%61", "con", "CON", "con.x", "a.", "-a"]
    ),
    st.text(max_size=12),
    st.text(min_size=100, max_size=400),
)


@settings(max_examples=300, deadline=None)
@given(one=NAMES, other=NAMES)
@example(one="É", other="é")
@example(one="x" * 200, other="x" * 201)
@example(one="x" * 200, other="X" * 200)
def test_names_of_folders(one: str, other: str) -> None:
    """Any text is one safe name, and two texts never have one name, also where case is ignored."""
    names = [escape(one), escape(other)]
    assert (names[0].casefold() == names[1].casefold()) is (one == other)
    for name in names:
        assert name == name.casefold()
        assert name.isascii()
        assert 0 < len(name) <= 120
        assert name[0] not in ".-"
        assert not set(name) & set('/\\:*?"<>|+ ')


@settings(max_examples=200, deadline=None)
@given(one=st.sets(NAMES, max_size=4), other=st.sets(NAMES, max_size=4))
@example(one=set(), other={""})
@example(one={"a", "b"}, other={"a+b"})
def test_names_of_tag_sets(one: set[str], other: set[str]) -> None:
    """Two tag sets are one folder only if they are one set."""
    assert (escape_all(one) == escape_all(other)) is (one == other)
    assert 0 < len(escape_all(one)) <= 120


def test_tags_are_a_set() -> None:
    """The order of tags, and one that stands twice, makes no other golden."""
    key = Key(model="m", tags=("serve", "gpu", "gpu"), signature="s")
    assert key == Key(model="m", tags=("gpu", "serve"), signature="s")
    assert key.folder.as_posix() == "tensors/m/gpu+serve/s"

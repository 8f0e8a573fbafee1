"""Tests of the data sets that are made of one set of inputs."""

from __future__ import annotations

import numpy as np
import pytest

from savedmodel_compat.matrix.data_sets import NAMES, feeds_of
from savedmodel_compat.matrix.models import Case
from savedmodel_compat.model import TensorSpec
from savedmodel_compat.runtimes.requests import Port
from savedmodel_compat.tensors import DTYPES


def made(
    dtype: str, array: np.ndarray, shape: tuple[int | None, ...] | None
) -> dict[str, np.ndarray]:
    """Return the data sets of a signature with one input."""
    port = Port("x", "x:0", dtype)
    case = Case(signature="s", inputs=(port,), outputs=(), feeds=({"x": array},))
    specs = {"x": TensorSpec(name="x:0", dtype=dtype, shape=shape)}
    return {feed.name: feed.inputs["x"] for feed in feeds_of(case, specs, {"x": array})}


def test_one_and_many_where_the_batch_is_open() -> None:
    """A batch of one is the first row, one of many takes the rows in turn."""
    found = made("float32", np.arange(6, dtype=np.float32).reshape(3, 2), (None, 2))
    assert tuple(found) == NAMES
    assert found["one"].tolist() == [[0, 1]]
    assert found["many"].shape == (17, 2)
    assert found["many"][3].tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(3, 2), None])
def test_no_batch_where_it_is_not_open(shape: tuple[int | None, ...] | None) -> None:
    """A fixed or unknown shape has no batch that could be another one."""
    found = made("float32", np.zeros((3, 2), np.float32), shape)
    assert tuple(found) == ("typical", "edges")


def test_every_edge_of_a_string_has_a_row() -> None:
    """A batch of strings has as many rows as there are edges, whatever the typical one has."""
    edges = made("string", np.array([b"a"], dtype=object), (None,))["edges"]
    assert {b"", b"\0", b"\xff\xfe", b"zero at the end\0"} <= set(edges.tolist())


def test_edges_of_an_integer_are_its_ends() -> None:
    """Neither is lost in a conversion."""
    edges = made("int64", np.zeros(4, np.int64), (None,))["edges"]
    assert edges.tolist() == [0, 1, 2**63 - 1, -(2**63)]


def test_edges_of_a_float_have_both_zeros_and_no_nan() -> None:
    """What differs between releases for no fault of theirs is left out."""
    edges = made("float32", np.zeros(8, np.float32), (None,))["edges"]
    assert np.isfinite(edges).all()
    assert np.signbit(edges[1])
    assert edges[7] == np.finfo(np.float32).smallest_normal


@pytest.mark.parametrize(
    "dtype", [d.name for d in DTYPES if d.numpy is not None and not d.is_reference]
)
def test_edges_of_every_type(dtype: str) -> None:
    """Every element type has some, in its own type and shape."""
    [kind] = [d.numpy for d in DTYPES if d.name == dtype]
    assert kind is not None
    empty = np.zeros((2, 5), kind) if kind.kind != "O" else np.full((2, 5), b"", object)
    edges = made(dtype, empty, None)["edges"]
    assert (edges.dtype, edges.shape) == (kind, (2, 5))

"""Inputs as Python writes them are those inputs, to the bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from savedmodel_compat import strategies
from savedmodel_compat.model.values import Signature, TensorSpec
from savedmodel_compat.search._words import array_source, as_source, shapes
from savedmodel_compat.tensors import DTYPES

DRAWN = [dtype.name for dtype in DTYPES if dtype.numpy is not None and not dtype.is_reference]


def read(source: str) -> Any:
    """What the source stands for."""
    return eval(source, {"np": np, "ml_dtypes": ml_dtypes})


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays are alike to the bit."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", DRAWN)
def test_what_is_drawn(dtype: str) -> None:
    """Whatever the strategies draw, edges and payloads of NaN included."""
    x = TensorSpec(name="x:0", dtype=dtype, shape=(None, 3))
    signature = Signature(key="s", method_name="", inputs={"x": x}, outputs={})

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.from_signature(signature))
    def written(feed: dict[str, np.ndarray[Any, Any]]) -> None:
        assert same(read(as_source(feed))["x"], feed["x"])

    written()


@given(st.lists(st.floats(width=32), min_size=1, max_size=24))
@settings(deadline=None, derandomize=True, database=None)
def test_what_does_not_repeat(values: list[float]) -> None:
    """A few elements, each another."""
    array = np.array(values, np.float32)
    assert same(read(array_source(array)), array)


def test_what_is_long() -> None:
    """Many elements, each another, are not written, and that is said."""
    assert "100 elements, in the file below" in array_source(np.arange(100))


def test_shapes() -> None:
    """Names, dtypes and shapes in a line."""
    feed = {"a": np.zeros((2, 0), np.float16), "b": np.array(b"", object)}
    assert shapes(feed) == "a float16 [2, 0], b string []"
    assert shapes({}) == "no inputs"

"""Whatever a golden holds reaches the model and comes back bit for bit: store, wire, both workers, three loaders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savedmodel_compat.golden.store import DataSet, Golden, Key, Store
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.goldens import with_goldens
from savedmodel_compat.matrix.models import Case, Model, load_models
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.matrix.references import Reference, compare_answers
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits
from savedmodel_compat.tensors import dtype_from_name

Array = np.ndarray[Any, Any]

MODELS = Path(__file__).parent.parent.parent / "golden" / "models"
SHAPES = ((), (0,), (1,), (3,), (2, 0, 4), (2, 3), (1, 1, 1, 1, 2), (257,))
LIMITS = Limits(seconds=60)
# By the release of the frozen model: all that it has of its own time.
RELEASES = {"1.15.5": ("c", "v1"), "2.21.0": ("c", "v1", "v2")}
DENSE = ("sparse", "ragged")


@pytest.fixture(scope="module")
def workers(
    wheel_runtime: Callable[[str], Runtime], venv_runtime: Callable[[str], Runtime]
) -> Iterator[Callable[[str, str], Worker]]:
    """Start each worker once."""
    started: dict[tuple[str, bool], Worker] = {}

    def worker(release: str, loader: str) -> Worker:
        native = loader == "c"
        if (release, native) not in started:
            runtime = wheel_runtime(release) if native else venv_runtime(release)
            started[release, native] = Worker(runtime, native=native)
        return started[release, native]

    yield worker
    for each in started.values():
        each.close()


def model_of(release: str) -> Model:
    """Return the frozen model that gives back what it is fed, in every element type of a release."""
    [model] = load_models([MODELS / f"every_dtype-{release}"])
    return model


def cases() -> list[tuple[str, str]]:
    """Return every release and element type."""
    return [
        (release, case.signature)
        for release in RELEASES
        for case in model_of(release).cases
        if case.signature not in DENSE
    ]


def arrays(dtype: str) -> Any:
    """Return a strategy of arrays of an element type, any bits in any shape."""
    shapes = st.sampled_from(SHAPES)
    return shapes.flatmap(lambda shape: _filled(dtype, shape))


def _filled(dtype: str, shape: tuple[int, ...]) -> Any:
    count = math.prod(shape)
    if dtype == "string":
        items = st.lists(st.binary(max_size=60), min_size=count, max_size=count)
        return items.map(lambda strings: _strings(strings, shape))
    kind = dtype_from_name(dtype).numpy
    assert kind is not None
    size = count * kind.itemsize
    drawn = st.binary(min_size=size, max_size=size)
    return drawn.map(lambda data: _numbers(dtype, kind, data, shape))


def _strings(strings: list[bytes], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(strings), dtype=object)
    array[:] = strings
    return array.reshape(shape)


def _numbers(dtype: str, kind: np.dtype[Any], data: bytes, shape: tuple[int, ...]) -> Array:
    """Return any bits as elements, but for types whose elements do not use all of theirs."""
    octets = np.frombuffer(data, np.uint8)
    if dtype == "bool":
        return (octets & 1).view(bool).reshape(shape)
    bits = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn": 4}.get(dtype)
    if bits is not None:
        low = (octets & ((1 << bits) - 1)).astype(np.uint8)
        if dtype.startswith("int"):
            # A negative one has all its upper bits set.
            low = np.where(low >> (bits - 1), low | ((0xFF << bits) & 0xFF), low).astype(np.uint8)
        return low.view(kind).reshape(shape)
    return octets.view(kind).reshape(shape)


def kept(store: Store, case: Case, array: Array) -> DataSet:
    """Write a golden whose output is its input, and return what is read of it."""
    key = Key(model="every_dtype", tags=("serve",), signature=case.signature)
    [port] = case.inputs
    dtypes = {"inputs/x": port.dtype, "outputs/y": port.dtype}
    made = DataSet(name="drawn", inputs={"x": array}, outputs={"y": array}, dtypes=dtypes)
    store.write(Golden(key=key, manifest=template(key), data_sets=(made,)))
    [read] = store.read(key).data_sets
    return read


def template(key: Key) -> Any:
    """Return the manifest of one of this repository's goldens, for another key."""
    there = Store(MODELS.parent)
    signature = "float32"
    found = there.manifest(Key(model="every_dtype-1.15.5", tags=("serve",), signature=signature))
    return replace(found, model=key.model, signature=key.signature, data_sets=())


def same(a: Array, b: Array) -> bool:
    """Tell whether two arrays are equal in type, shape and every bit."""
    if a.dtype == object:
        return bool(a.shape == b.shape and a.tolist() == b.tolist())
    pairs = ((a.dtype, b.dtype), (a.shape, b.shape), (a.tobytes(), b.tobytes()))
    return all(bool(one == other) for one, other in pairs)


@pytest.mark.parametrize(("release", "dtype"), cases())
def test_every_bit_survives(
    release: str,
    dtype: str,
    workers: Callable[[str, str], Worker],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What is drawn is stored, read, fed and answered as it was, with its own type's name, in every loader."""
    model = model_of(release)
    [case] = [case for case in model.cases if case.signature == dtype]
    store = Store(tmp_path_factory.mktemp("golden"))

    @settings(max_examples=2, deadline=None, database=None, derandomize=True)
    @given(st.lists(arrays(dtype), min_size=10, max_size=10))
    def check(drawn: list[Array]) -> None:
        sets = [kept(store, case, array) for array in drawn]
        assert all(same(each.inputs["x"], array) for each, array in zip(sets, drawn, strict=True))
        for loader in RELEASES[release]:
            fed = replace(case, feeds=tuple(each.inputs for each in sets))
            work = work_of(model, fed, loader)
            verdict = workers(release, loader).run(work, LIMITS)
            assert verdict.completed, verdict
            for answer, array in zip(verdict.answers, drawn, strict=True):
                assert answer.outputs is not None, answer.failure
                assert answer.dtypes == {"y": dtype}, loader
                assert same(answer.outputs["y"], array), (loader, answer.outputs["y"], array)

    check()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("signature", DENSE)
def test_composite_tensors_are_their_dense_parts(
    signature: str, release: str, workers: Callable[[str, str], Worker]
) -> None:
    """A sparse and a ragged tensor go through store and workers by their parts."""
    [model] = with_goldens([model_of(release)], Store(MODELS.parent))
    found = [case for case in model.cases if case.signature == signature]
    if not found:
        pytest.skip(f"{release} has no signature with a {signature} tensor")
    [case] = found
    assert case.expected is not None
    for loader in RELEASES[release]:
        work = work_of(model, case, loader)
        verdict = workers(release, loader).run(work, LIMITS)
        reference = Reference(name="golden", outputs=case.expected)
        comparison = compare_answers(verdict.answers, reference, Policy())
        assert comparison.compared >= len(case.outputs), verdict
        assert not comparison.differences, loader

"""Tensors into a native cell and back: every dtype, every shape, both layouts of strings."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.matrix.exports import Exporter, Order, export_model
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import worker as worker_folder
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Answer
from savedmodel_compat.runtimes.wire import from_wire, to_wire
from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import dtype_from_name

LIMITS = Limits(seconds=60, megabytes=2000)
OFFSETS, VIEWS = "2.3.4", "2.4.4"
OLD = "float32 float64 int32 uint8 int16 int8 complex64 int64 bool bfloat16 uint16 complex128 float16".split()
QUANTISED = "qint8 quint8 qint32".split()
NEWEST = "uint32 uint64 int4 uint4 int2 uint2 float8_e5m2 float8_e4m3fn float4_e2m1fn".split()
SHAPES = [(), (3,), (2, 3), (0,), (2, 0), (1, 1, 1, 1, 2)]


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the native worker, imported as the worker does: by the names of its folder."""
    monkeypatch.syspath_prepend(str(Path(worker_folder.__file__).parent))
    return importlib.import_module("_native")


@pytest.fixture(scope="session")
def identity(venv_runtime: Callable[[str], Runtime]) -> Callable[[str, str], Model]:
    """The model of `identity.py`, exported by a release."""

    def export(producer: str, function: str) -> Model:
        runtime = venv_runtime(producer)
        file = Path(__file__).with_name("identity.py")
        exporter = Exporter(name=function, file=file, function=function)
        order = Order(exporter=exporter, producer=producer, strip=True)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return export


def ask(
    runtime: Runtime, model: Model, name: str, feeds: list[np.ndarray[Any, Any]]
) -> list[Answer]:
    """What the Identity of one dtype makes of each feed."""
    case = next(case for case in model.cases if case.signature == name)
    work = LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader="c",
        signature=name,
        inputs=case.inputs,
        outputs=case.outputs,
        feeds=[{"x": feed} for feed in feeds],
    )
    with Worker(runtime, native=True) as worker:
        verdict = worker.run(work, LIMITS)
    assert verdict.failure is None, verdict.failure
    assert verdict.completed, verdict.log
    return list(verdict.answers)


def random_array(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Bits of all kinds, NaNs among them."""
    kind = dtype_from_name(name).numpy
    assert kind is not None
    random = np.random.default_rng(7)
    if kind.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if name in {"int4", "uint4", "int2", "uint2"}:
        return random.integers(0, 2, shape).astype(kind)
    bits = random.integers(0, 256, (*shape, kind.itemsize), dtype=np.uint8)
    return np.frombuffer(bits.tobytes(), dtype=kind).reshape(shape)


@pytest.mark.parametrize("release", ["1.4.1", "1.15.5", OFFSETS, VIEWS, "2.21.0"])
def test_every_dtype_is_byte_exact(
    release: str, wheel_runtime: Callable[[str], Runtime], identity: Callable[[str, str], Model]
) -> None:
    """What goes in comes out, bit for bit, in dtype and shape, whatever the shape."""
    model, runtime = identity("2.11.1", "export_old"), wheel_runtime(release)
    for name in OLD + QUANTISED:
        feeds = [random_array(name, shape) for shape in SHAPES]
        for feed, answer in zip(feeds, ask(runtime, model, name, feeds), strict=True):
            assert answer.failure is None, (name, answer.failure)
            assert answer.outputs is not None
            back = answer.outputs["y"]
            assert (back.dtype, back.shape) == (feed.dtype, feed.shape), name
            assert back.tobytes() == feed.tobytes(), name


@pytest.mark.parametrize("name", NEWEST)
def test_new_dtypes_in_the_newest_release(
    name: str, wheel_runtime: Callable[[str], Runtime], identity: Callable[[str, str], Model]
) -> None:
    """The small floats and integers of later releases come back as they went in."""
    feed = random_array(name, (2, 3))
    [answer] = ask(wheel_runtime("2.21.0"), identity("2.21.0", "export_new"), name, [feed])
    assert answer.failure is None, answer.failure
    assert answer.outputs is not None
    assert answer.outputs["y"].dtype == feed.dtype
    assert answer.outputs["y"].tobytes() == feed.tobytes()


def strings() -> list[np.ndarray[Any, Any]]:
    """Strings of 0 to 100 000 bytes, zero bytes and invalid UTF-8 among them, in several shapes."""
    random = np.random.default_rng(11)
    pool = [
        b"",
        b"\0",
        b"a",
        b"\xff\xfe",
        b"x" * 22,
        b"y" * 23,
        b"\0" * 127,
        b"z" * 128,
        b"w" * 100_000,
    ]
    pool += [random.bytes(int(size)) for size in random.integers(0, 500, 9)]
    arrays = []
    for shape in [(3, 3), (), (0,), (2, 0), (len(pool),)]:
        array = np.empty(int(np.prod(shape)), dtype=object)
        array[:] = pool[: array.size]
        arrays.append(array.reshape(shape))
    return arrays


@pytest.mark.parametrize("release", ["1.4.1", "1.15.5", OFFSETS, VIEWS, "2.11.1", "2.21.0"])
def test_strings_of_both_layouts(
    release: str, wheel_runtime: Callable[[str], Runtime], identity: Callable[[str, str], Model]
) -> None:
    """Strings are laid out as the release wants them, and read as it hands them out."""
    feeds = strings()
    for feed, answer in zip(
        feeds,
        ask(wheel_runtime(release), identity("2.11.1", "export_old"), "string", feeds),
        strict=True,
    ):
        assert answer.outputs is not None, answer.failure
        back = answer.outputs["y"]
        assert back.shape == feed.shape
        assert back.ravel().tolist() == feed.ravel().tolist()


def test_a_dtype_that_the_consumer_does_not_have(
    wheel_runtime: Callable[[str], Runtime], identity: Callable[[str, str], Model]
) -> None:
    """A model with a dtype of the future is refused at load by an old release, not crashed on."""
    model = identity("2.21.0", "export_new")
    case = next(case for case in model.cases if case.signature == "uint32")
    work = LoadAndRun(
        model=model.path, tags=model.tags, loader="c", inputs=case.inputs, outputs=case.outputs
    )
    with Worker(wheel_runtime("2.4.4"), native=True) as worker:
        verdict = worker.run(work, LIMITS)
    assert verdict.failure is not None
    assert verdict.stage == "load"


@pytest.mark.parametrize("items", [[], [b""], [b"a", b"", b"\0" * 300], [b"x" * 20_000]])
def test_offset_layout_round_trip(items: list[bytes], native: Any) -> None:
    """The layout up to 2.3 is read as it was written; its length counts every byte."""
    data = native.encode_offset_strings(items)
    assert native.decode_offset_strings(data, len(items)) == items


def test_views_round_trip(native: Any) -> None:
    """The 24-byte views from 2.4 on point to buffers that are kept."""
    items = [b"", b"small", b"\0" * 22, b"L" * 5000]
    data, kept = native.encode_ctstrings(items)
    memory = ctypes.create_string_buffer(data, len(data))
    assert native.decode_ctstrings(ctypes.addressof(memory), len(items)) == items
    assert len(kept) == len(items)


def test_small_strings_are_read_in_place(native: Any) -> None:
    """A string of up to 22 bytes may lie in the element itself."""
    element = bytes([len(b"inside") << 2]) + b"inside" + bytes(17)
    memory = ctypes.create_string_buffer(element, 24)
    assert native.decode_ctstrings(ctypes.addressof(memory), 1) == [b"inside"]


def test_wire_of_strings_and_text() -> None:
    """Text travels as UTF-8, bytes as they are."""
    array = np.array(["ä", "b"])
    assert from_wire(to_wire("x", array)).tolist() == ["ä".encode(), b"b"]


def test_wire_of_an_element_type_that_numpy_has_not() -> None:
    """Elements without a numpy type keep their bytes."""
    back = from_wire(_frames.Tensor("x", "enum 99", (2,), b"abcd"))
    assert (back.shape, back.dtype.itemsize, back.tobytes()) == ((2,), 2, b"abcd")


def test_frame_in_pieces() -> None:
    """A frame that comes byte by byte is whole at its last byte and not before."""
    data = b"".join(_frames.encode({"a": 1}, [_frames.Tensor("x", "int8", (3,), b"abc")]))
    decoder = _frames.Decoder()
    for byte in data[:-1]:
        decoder.feed(bytes([byte]))
        assert decoder.frame() is None
    decoder.feed(data[-1:])
    frame = decoder.frame()
    assert frame is not None
    header, [tensor] = frame
    assert header == {"a": 1}
    assert (tensor.name, tensor.shape, tensor.data) == ("x", (3,), b"abc")


def test_garbage_is_no_frame() -> None:
    """The first bytes tell."""
    decoder = _frames.Decoder()
    decoder.feed(b"Hello")
    with pytest.raises(_frames.ProtocolError, match="Hello"):
        decoder.frame()

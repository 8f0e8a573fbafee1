"""Tests of `savedmodel_compat.registry.known`: what is shipped, against the libraries that it was taken from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.model import schema
from savedmodel_compat.registry import known, make
from savedmodel_compat.runtimes import pins, wheel
from savedmodel_compat.runtimes.base import Runtime

SMOKE = ("1.15.5", "2.4.4", "2.11.1", "2.21.0")


def test_an_op_is_the_newest_one() -> None:
    """An op of today has the attrs of today, and its arguments with their types."""
    op = known.op("VarHandleOp")
    assert op is not None
    assert "debug_name" in [attr.name for attr in op.attr]
    assert [output.name for output in op.output_arg] == ["resource"]


def test_what_nobody_has_is_not_known() -> None:
    """An op that is no release's is None and has no attrs, rather than an error."""
    assert known.op("NoSuchOp") is None
    assert known.attrs("NoSuchOp") == frozenset()
    assert known.op_library("NoSuchOp") is None


def test_an_op_that_is_gone_is_known() -> None:
    """An op that only old releases have is still an op of TensorFlow."""
    assert known.op("Rpc") is not None
    assert known.op_library("Rpc") is None


def test_an_attr_that_is_gone_is_known() -> None:
    """An attr that the newest form has no more may stand in an older model."""
    op = known.op("CustomAggregator")
    assert op is not None
    assert "initial_num_bins" not in {attr.name for attr in op.attr}
    assert "initial_num_bins" in known.attrs("CustomAggregator")


@pytest.mark.parametrize(
    ("op", "library"),
    [
        ("Resampler", "contrib/resampler"),
        ("AudioMicrofrontend", "lite/experimental/microfrontend"),
        ("GatherTree", "contrib/seq2seq"),
        ("MatMul", None),
        ("_Arg", None),
        # It was in tf.contrib up to 1.4, and moved into TensorFlow itself.
        ("LSTMBlockCell", None),
    ],
)
def test_ops_of_op_libraries_are_told(op: str, library: str | None) -> None:
    """An op that TensorFlow never had in itself is known with the place that has it."""
    assert known.op(op) is not None
    assert known.op_library(op) == library


def test_it_was_made_of_the_pins(table: pins.PinTable) -> None:
    """The data are of exactly the releases and the wheels that are pinned."""
    assert known.releases() == tuple(pin.release for pin in table.on("cpu"))
    x86 = pins.load(machine="x86_64").on("cpu")
    assert known.shipped().wheels == {pin.release: pin.sha256 for pin in x86}


def test_it_is_small_and_without_documentation() -> None:
    """The file is a small part of the package, since descriptions are left out."""
    assert known.FILE.stat().st_size < 150_000
    for name in known.shipped().ops:
        op = known.op(name)
        assert op is not None
        assert not op.summary
        assert not op.description
        assert not any(attr.description for attr in op.attr)


def test_packing_is_undone_by_unpacking() -> None:
    """What is packed comes back whole, and again as the same bytes."""
    data = known.shipped()
    assert known.unpack(known.pack(data)) == data
    assert known.pack(data) == known.pack(known.unpack(known.pack(data)))


@pytest.mark.parametrize("release", SMOKE)
def test_a_release_made_anew(release: str, wheel_runtime: Callable[[str], Runtime]) -> None:
    """Every op of a release, of its op libraries too, is known with every attr that it has there."""
    found = make.of_release(wheel_runtime(release), Cache(root=default_root()))
    ops = [*found.ops, *(op for some in found.libraries.values() for op in some)]
    assert len(found.ops) > 1000
    for op in ops:
        assert {attr.name for attr in op.attr} <= known.attrs(op.name), op.name
    for library, some in found.libraries.items():
        for op in some:
            assert known.op_library(op.name) in (library, None)
    if release == known.releases()[-1]:
        again = make.merge([found])
        shipped = known.shipped().ops
        assert {name: shipped[name] for name in again.ops} == dict(again.ops)


def test_all_releases_that_are_ready(table: pins.PinTable) -> None:
    """The ops of all runtimes that lie in the cache, put together anew, are those that are shipped."""
    cache = Cache(root=default_root())
    ready = [pin for pin in table.on("cpu") if cache.path(wheel.entry_of(pin)).is_dir()]
    runtimes = [wheel.make_ready(pin, cache=cache) for pin in ready]
    again = make.merge(
        [
            make.Release(
                release=runtime.release,
                sha256=known.shipped().wheels[runtime.release],
                ops=make.ops_in(runtime.ops),
                libraries={},
            )
            for runtime in runtimes
        ]
    )
    for name in again.ops:
        op = schema.parse(schema.OpDef, again.ops[name])
        assert {attr.name for attr in op.attr} <= known.attrs(name), name
    if len(ready) == len(known.releases()):
        shipped = known.shipped()
        own = {name: op for name, op in shipped.ops.items() if name not in shipped.libraries}
        assert own == dict(again.ops)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("tensorflow_core/contrib/resampler/python/ops/_resampler_ops.so", "contrib/resampler"),
        (
            "tensorflow-1.4.1.data/purelib/tensorflow/contrib/ffmpeg/ffmpeg.so",
            "contrib/ffmpeg",
        ),
        (
            "tensorflow/lite/experimental/microfrontend/python/ops/_audio_microfrontend_op.so",
            "lite/experimental/microfrontend",
        ),
        ("tensorflow/contrib/lite/toco/python/_tensorflow_wrap_toco.so", None),
        ("tensorflow/contrib/resampler/__init__.py", None),
        ("tensorflow/libtensorflow_framework.so.2", None),
        ("numpy/core/_multiarray.so", None),
    ],
)
def test_the_place_of_an_op_library(name: str, place: str | None) -> None:
    """Op libraries are told from the other files of a wheel by where they lie."""
    assert make.place(name) == place

"""Tests of `savedmodel_compat.registry.make`: the shipped ops, against the libraries that they were taken from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.model import schema
from savedmodel_compat.registry import known, make
from savedmodel_compat.runtimes import pins, wheel
from savedmodel_compat.runtimes.base import Runtime

SMOKE = ("1.15.5", "2.4.4", "2.11.1", "2.21.0")


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

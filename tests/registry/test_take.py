"""Tests of `savedmodel_compat.registry.take`: snapshots taken from real wheels, against those that are shipped."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import schema
from savedmodel_compat.model.wire import WireError
from savedmodel_compat.registry import _wire, keep, take
from savedmodel_compat.registry._values import Kernel
from savedmodel_compat.runtimes import download, wheel
from savedmodel_compat.runtimes.base import Runtime

BOTH = "1.12.3"
"""A release that lists its kernels, and tells them in words too."""


@pytest.mark.parametrize("release", ["1.4.1", "1.15.5", "2.21.0"])
def test_a_snapshot_taken_anew(release: str, wheel_runtime: Callable[[str], Runtime]) -> None:
    """What a release registers is what is shipped: every definition, kernel, op library and version."""
    again = take.take(wheel_runtime(release), Cache(root=default_root()))
    shipped = keep.shipped()[release]
    assert again.ops == shipped.ops
    assert again.kernels == shipped.kernels
    assert again.libraries == shipped.libraries
    assert again == shipped


@pytest.fixture(scope="module")
def told(
    wheel_runtime: Callable[[str], Runtime], tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, dict[str, str]]:
    """The kernels of one release, as a list and as a text for each op."""
    runtime = wheel_runtime(BOTH)
    folder = tmp_path_factory.mktemp("registry")
    wheel.describe_registry(runtime.python, runtime.libraries, folder)
    texts: dict[str, str] = json.loads((folder / "kernels.json").read_text())
    return (folder / "kernels.pb").read_bytes(), texts


def test_texts_say_what_the_list_says(told: tuple[bytes, dict[str, str]]) -> None:
    """For every op, the kernels read from the text are those of the list.

    The text shortens lists of more than ten types, which XLA's kernels alone have: these are only counted.
    """
    listed = take.from_list(told[0])
    short = {
        op: [line for line in text.splitlines() if "..." in line] for op, text in told[1].items()
    }
    whole = {
        op: "\n".join(line for line in text.splitlines() if "..." not in line)
        for op, text in told[1].items()
    }
    read = take.from_texts(whole)
    assert len(read) > 900
    for op in told[1]:
        missing = Counter(listed.get(op, ())) - Counter(read.get(op, ()))
        assert not Counter(read.get(op, ())) - Counter(listed.get(op, ())), op
        assert missing.total() == len(short[op]), op
        assert {Kernel.parse(kernel).device for kernel in missing} <= {"XLA_CPU", "XLA_CPU_JIT"}, op
    assert sum(map(bool, short.values())) < 20


def test_a_text_that_was_shortened(told: tuple[bytes, dict[str, str]]) -> None:
    """A kernel whose types are not all told is refused, rather than taken for one of fewer types."""
    text = next(text for text in told[1].values() if "..." in text)
    with pytest.raises(ValueError, match=r"'\.\.\.' is no dtype in this line"):
        take.from_texts({"Op": text})


@pytest.mark.parametrize("line", ["device='CPU'", "  device='CPU'; T of [DT_FLOAT]", "  kernel"])
def test_a_text_of_another_form(line: str) -> None:
    """A line that is none of a kernel is an error, and not a kernel that is lost."""
    with pytest.raises(ValueError, match="tells of no kernel"):
        take.from_texts({"Op": line})


def test_descriptions_are_cut_out(wheel_runtime: Callable[[str], Runtime]) -> None:
    """Cutting out descriptions changes nothing else: the parsed op without them is the same message."""
    content = wheel_runtime("2.21.0").ops.read_bytes()
    cut = [_wire.bare_op(op) for op in _wire.entries(content)]
    for whole, bare in zip(schema.parse(schema.OpList, content).op, cut, strict=True):
        for message in (whole, *whole.input_arg, *whole.output_arg, *whole.attr):
            message.ClearField("description")
        whole.ClearField("summary")
        assert schema.parse(schema.OpDef, bare) == whole


def test_bytes_that_are_no_list() -> None:
    """Bytes that end within a field are refused."""
    with pytest.raises(WireError, match="ends beyond the message"):
        list(_wire.entries(b"\x0a\x7f"))
    with pytest.raises(WireError, match="without a name"):
        _wire.name_of(b"\x12\x01a")


def test_libraries_that_do_not_load(
    wheel_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """A library that is damaged is infrastructure, named with what the loader said."""
    broken = tmp_path / "_pywrap.so"
    broken.write_bytes(b"\x7fELF, and no more")
    runtime = replace(wheel_runtime("2.21.0"), libraries=(broken,))
    with pytest.raises(InfrastructureError, match=r"_pywrap\.so cannot be loaded on this machine"):
        take.take(runtime, Cache(root=default_root()))


def test_an_op_library_that_does_not_load(
    wheel_runtime: Callable[[str], Runtime], tmp_path: Path
) -> None:
    """An op library that is damaged is an error that names it and the release, and no library without ops."""
    runtime, cache = wheel_runtime("2.21.0"), Cache(root=tmp_path)
    folder = cache.path(download.entry_of(runtime.pin))
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "tensorflow.whl", "w") as archive:
        archive.writestr("tensorflow/contrib/mine/_mine_ops.so", b"\x7fELF, and no more")
    with pytest.raises(InfrastructureError) as raised:
        take.take(runtime, cache)
    assert (
        "the op library _mine_ops.so of TensorFlow 2.21.0 cannot be loaded" in raised.value.message
    )
    assert "_mine_ops.so: " in raised.value.message


def test_a_damaged_wheel(wheel_runtime: Callable[[str], Runtime], tmp_path: Path) -> None:
    """A wheel that is none is an error that names it, though the runtime is there."""
    runtime, cache = wheel_runtime("2.21.0"), Cache(root=tmp_path)
    folder = cache.path(download.entry_of(runtime.pin))
    folder.mkdir(parents=True)
    (folder / "tensorflow.whl").write_bytes(b"no archive")
    with pytest.raises(InfrastructureError, match=r"tensorflow\.whl is damaged"):
        take.take(runtime, cache)


def test_variables_for_tensorflow_change_nothing(
    wheel_runtime: Callable[[str], Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's switch that makes devices of XLA adds no kernels to what is taken."""
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_enable_xla_devices=true")
    runtime = wheel_runtime("2.4.4")
    wheel.describe_registry(runtime.python, runtime.libraries, tmp_path)
    assert take.kernels_in(tmp_path) == keep.shipped()["2.4.4"].kernels


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
    assert take.place(name) == place

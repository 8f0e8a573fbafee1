"""The devices by name, the switches behind them, and that these are there and change numbers in real releases."""

from __future__ import annotations

import mmap
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat.errors import UnsupportedError, UsageError
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import devices
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.runtimes.verdicts import Verdict

LIMITS = Limits(seconds=120, megabytes=0)
Outputs = Mapping[str, np.ndarray[Any, Any]]
Answer = Callable[..., Outputs]


@pytest.fixture
def verdict(wheel_runtime: Callable[[str], Runtime]) -> Callable[..., Verdict]:
    """What becomes of a model on a device, in the C++ loader of a release, with the inputs that were recorded."""

    def run(model: Model, release: str, device: str) -> Verdict:
        runtime = devices.on_device(wheel_runtime(release), devices.device(device))
        case = next(case for case in model.cases if case.signature == "serving_default")
        work = LoadAndRun(
            model=model.path,
            tags=model.tags,
            loader="c",
            signature=case.signature,
            inputs=case.inputs,
            outputs=case.outputs,
            feeds=case.feeds,
        )
        with Worker(runtime, native=True) as worker:
            return worker.run(work, LIMITS)

    return run


@pytest.fixture
def answer(verdict: Callable[..., Verdict]) -> Answer:
    """What the C++ loader of a release answers on a device, for the first set of inputs that was recorded."""

    def run(model: Model, release: str, device: str) -> Outputs:
        said = verdict(model, release, device)
        assert said.completed, said
        assert said.notes == ()
        outputs = said.answers[0].outputs
        assert outputs is not None
        return outputs

    return run


def differ(a: Outputs, b: Outputs) -> int:
    """How many elements are not the same, bit for bit."""
    assert sorted(a) == sorted(b)
    return sum(int((a[name] != b[name]).sum()) for name in a)


def test_a_list_has_each_device_once() -> None:
    """A comma list names devices in its order, however often."""
    assert [d.name for d in devices.parse("gpu, cpu-xla,cpu,gpu")] == ["gpu", "cpu-xla", "cpu"]


@pytest.mark.parametrize("text", ["", " , "])
def test_a_list_of_nothing(text: str) -> None:
    """A list that names nothing is refused with the names that there are."""
    with pytest.raises(UsageError, match="names no device") as refused:
        devices.parse(text)
    assert "cpu-onednn" in str(refused.value)


def test_an_unknown_device() -> None:
    """A name that there is not is refused with those that there are."""
    with pytest.raises(UsageError, match="there is no device 'tpu'") as refused:
        devices.parse("cpu,tpu")
    assert all(device.name in str(refused.value) for device in devices.DEVICES)


def test_every_device_has_a_base_and_a_sentence() -> None:
    """A variant of the CPU is told by its name alone, which the lock of the GPU goes by."""
    for device in devices.DEVICES:
        assert device.base == devices.base_of(device.name)
        assert device.text.endswith(".")
    assert len({device.name for device in devices.DEVICES}) == len(devices.DEVICES)


def test_no_variable_of_one_device_stays_on_the_next(
    wheel_runtime: Callable[[str], Runtime],
) -> None:
    """From any device to any other, a runtime has the variables of the other and its own, and no more."""
    plain = wheel_runtime("2.21.0")
    own = replace(plain, environment={**plain.environment, "TF_OF_MINE": "1"})
    for first in devices.DEVICES:
        for second in devices.DEVICES:
            moved = devices.on_device(devices.on_device(own, first), second)
            assert moved.environment == devices.on_device(own, second).environment
            assert moved.device == second.name
            assert moved.environment["TF_OF_MINE"] == "1"
    assert devices.on_device(own, devices.CPU).environment == own.environment


def test_a_cpu_sees_no_card_and_a_gpu_grows(wheel_runtime: Callable[[str], Runtime]) -> None:
    """A worker on a CPU has its cards hidden; one on a GPU has not, and takes memory as it needs it."""
    runtime = wheel_runtime("2.21.0")
    on_gpu = devices.on_device(runtime, devices.GPU).environment
    assert "CUDA_VISIBLE_DEVICES" not in on_gpu
    assert on_gpu["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert runtime.environment["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.parametrize(
    ("device", "release", "said"),
    [
        (
            "cpu-onednn",
            "2.4.4",
            "TensorFlow 2.4.4 does not read TF_ENABLE_ONEDNN_OPTS (first in 2.5)",
        ),
        ("cpu-no-onednn", "2.1.4", "does not read TF_ENABLE_ONEDNN_OPTS (first in 2.5)"),
        ("cpu-one-thread", "1.13.2", "TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS"),
        ("cpu-many-threads", "1.4.1", "(first in 1.15)"),
        ("cpu-xla", "1.7.1", "TensorFlow 1.7.1 does not read TF_XLA_FLAGS (first in 1.12)"),
    ],
)
def test_a_release_without_the_switch(
    device: str, release: str, said: str, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """A release that does not read a variable is not run as if it did."""
    with pytest.raises(UnsupportedError) as refused:
        devices.on_device(wheel_runtime(release), devices.device(device))
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("variable", "without", "first"),
    [
        ("TF_ENABLE_ONEDNN_OPTS", "2.4.4", "2.5.3"),
        ("TF_NUM_INTRAOP_THREADS", "1.13.2", "1.15.5"),
        ("TF_NUM_INTEROP_THREADS", "1.13.2", "1.15.5"),
        ("TF_XLA_FLAGS", "1.7.1", "1.12.3"),
    ],
)
def test_the_libraries_say_the_same(
    variable: str, without: str, first: str, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """The first release that a device names is the first pinned one whose library has the variable's name in it."""
    assert not mentions(wheel_runtime(without), variable)
    assert mentions(wheel_runtime(first), variable)
    for device in devices.DEVICES:
        if variable in device.environment:
            assert device.since is not None
            assert first.startswith(device.since)


def mentions(runtime: Runtime, text: str) -> bool:
    """Tell whether a library of a runtime holds a text."""
    for library in runtime.libraries:
        with (
            library.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            if data.find(text.encode()) >= 0:
                return True
    return False


def is_amd() -> bool:
    """Tell whether the processor is AMD's."""
    return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


@pytest.mark.parametrize("release", ["2.5.3", "2.11.1", "2.21.0"])
def test_onednn_changes_numbers(
    release: str, answer: Answer, verdict: Callable[..., Verdict], exported: Callable[..., Model]
) -> None:
    """With oneDNN's kernels and without them a convolution is not the same to the last bit, and nearly the same."""
    model = exported("mnist_cnn", producer="2.21.0")
    said = verdict(model, release, "cpu-onednn")
    if release == "2.5.3" and is_amd() and said.signal == signal.SIGFPE:
        # Its oneDNN divides by the size of a cache that such a processor does not tell it: docs/devices.md.
        assert (said.stage, said.completed) == ("run", False)
        return
    with_it = answer(model, release, "cpu-onednn")
    without = answer(model, release, "cpu-no-onednn")
    assert differ(with_it, without)
    np.testing.assert_allclose(with_it["softmax"], without["softmax"], atol=1e-6)


@pytest.mark.parametrize("release", ["1.15.5", "2.4.4", "2.21.0"])
def test_threads_change_numbers(release: str, answer: Answer, sums: Model) -> None:
    """With one thread and with eight, sums of a million numbers are added up in another order."""
    alone = answer(sums, release, "cpu-one-thread")
    many = answer(sums, release, "cpu-many-threads")
    assert differ(alone, many)
    assert not differ(alone, answer(sums, release, "cpu-one-thread"))


@pytest.mark.parametrize("release", ["1.12.3", "1.15.5", "2.4.4", "2.21.0"])
def test_xla_changes_numbers(release: str, answer: Answer, sums: Model) -> None:
    """What XLA compiles, it computes in its own way."""
    assert differ(answer(sums, release, "cpu"), answer(sums, release, "cpu-xla"))

"""What a runtime says of itself and of its machine, and that nothing of the caller's own gets into it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes import devices
from savedmodel_compat.runtimes.base import Gpu, Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits
from savedmodel_compat.runtimes.surroundings import surroundings
from savedmodel_compat.runtimes.verdicts import Verdict

RELEASES = ["1.4.1", "1.15.5", "2.4.4", "2.11.1", "2.21.0"]
Runtimes = Callable[[str], Runtime]


def said(runtime: Runtime, device: str = "cpu", *, native: bool = True) -> Mapping[str, Any]:
    """The surroundings of a runtime on a device."""
    wanted = devices.device(device)
    there = devices.on_device(runtime, wanted)
    with Worker(there, native=native) as worker:
        return surroundings(worker, there, wanted)


@pytest.mark.parametrize("release", RELEASES)
def test_both_workers_say_the_same(
    release: str, wheel_runtime: Runtimes, venv_runtime: Runtimes
) -> None:
    """The libraries and the Python package of a release agree on all but what the libraries do not know."""
    native = dict(said(wheel_runtime(release)))
    python = dict(said(venv_runtime(release), native=False))
    for each in (native, python):
        assert json.loads(json.dumps(each)) == each
        assert list(each) == sorted(each)
        assert each.pop("python").count(".") == 2
    own, other = native.pop("tensorflow"), python.pop("tensorflow")
    assert native == python
    assert own["release"] == other["release"] == release
    assert own["package"] == other["package"]
    assert other["build"].startswith(("v", "b'v"))
    # From 2.9 on the libraries export neither.
    assert own["build"] in {other["build"], None}
    assert own["compiler"] in {other["compiler"], None}


def test_the_processor_is_told(wheel_runtime: Runtimes) -> None:
    """The model and the extensions that matter to numbers, in order, and no others."""
    cpu = said(wheel_runtime("2.21.0"))["cpu"]
    listed = Path("/proc/cpuinfo").read_text()
    assert cpu["features"] == sorted(cpu["features"])
    assert set(cpu["features"]) <= set(listed.split())
    if platform.machine() == "x86_64":
        assert cpu["model"] in listed
        assert ("fma" in cpu["features"]) == (" fma " in listed)
        assert not {"smep", "smap", "sse2", "rdrand"} & set(cpu["features"])


@pytest.mark.parametrize(
    ("release", "device", "onednn"),
    [
        ("1.4.1", "cpu", None),
        ("2.4.4", "cpu", "absent"),
        ("2.5.3", "cpu", "off"),
        ("2.5.3", "cpu-onednn", "on"),
        ("2.5.3", "cpu-no-onednn", "off"),
        ("2.21.0", "cpu-onednn", "on"),
        ("2.21.0", "cpu-no-onednn", "off"),
    ],
)
def test_onednn_as_the_release_says(
    release: str, device: str, onednn: str | None, wheel_runtime: Runtimes
) -> None:
    """Whether oneDNN is used is asked of the release, and not read off its environment."""
    assert said(wheel_runtime(release), device)["onednn"] == onednn


def test_switches_are_recorded(wheel_runtime: Runtimes) -> None:
    """What a device sets is in the flags, and the threads in a place of their own; how much is printed is not."""
    threads = said(wheel_runtime("2.21.0"), "cpu-one-thread")
    assert threads["device"] == "cpu-one-thread"
    assert threads["threads"]["intra_op"] == threads["threads"]["inter_op"] == "1"
    assert threads["threads"]["processors"] > 0
    xla = said(wheel_runtime("2.21.0"), "cpu-xla")
    assert list(xla["flags"]) == ["TF_XLA_FLAGS"]
    assert said(wheel_runtime("2.21.0"))["flags"] == {}


def test_determinism_is_told(wheel_runtime: Runtimes) -> None:
    """The switches of determinism are told by name, beside what the release makes of them."""
    runtime = wheel_runtime("2.21.0")
    plain = said(runtime)["determinism"]
    assert plain == {"TF_CUDNN_DETERMINISTIC": None, "TF_DETERMINISTIC_OPS": None, "ops": False}
    asked = replace(runtime, environment={**runtime.environment, "TF_DETERMINISTIC_OPS": "1"})
    assert said(asked)["determinism"] == {
        "TF_CUDNN_DETERMINISTIC": None,
        "TF_DETERMINISTIC_OPS": "1",
        "ops": True,
    }
    assert said(wheel_runtime("2.4.4"))["determinism"]["ops"] is None


@pytest.mark.parametrize("native", [True, False])
def test_the_caller_s_own_switches_do_not_get_in(
    *,
    native: bool,
    wheel_runtime: Runtimes,
    venv_runtime: Runtimes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a user has set for TensorFlow in a shell neither reaches a worker nor is recorded of it."""
    runtime = (wheel_runtime if native else venv_runtime)("2.21.0")
    before = said(runtime, native=native)
    other = "0" if before["onednn"] == "on" else "1"
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", other)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert said(runtime, native=native) == before


def test_a_gpu_is_told_on_a_gpu_only(wheel_runtime: Runtimes) -> None:
    """The card that a runtime is known to have is told for device `gpu`, and for no variant of the CPU."""
    runtime = replace(wheel_runtime("2.21.0"), gpu=Gpu(model="A card", driver="1.2.3"))
    assert said(runtime, "gpu")["gpu"] == {"model": "A card", "driver": "1.2.3"}
    assert said(runtime, "cpu-xla")["gpu"] is None


def test_the_driver_s_own_words(wheel_runtime: Runtimes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody has said which card there is, the driver is read."""
    runtime = wheel_runtime("2.21.0")
    with Worker(runtime, native=True) as worker:
        known = worker.describe(Limits())
        assert known.described is not None
        driver = [
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6\n",
            "Model: \t\t A card\nIRQ: 1\n",
        ]
        answer = replace(known, described={**known.described, "driver": driver})
        monkeypatch.setattr(worker, "describe", lambda _: answer)
        found = surroundings(worker, runtime, "gpu")
    assert found["gpu"] == {"model": "A card", "driver": "535.54.03"}
    assert "driver" not in found


def test_a_worker_that_does_not_say(
    wheel_runtime: Runtimes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is lost is an error with its words, and no empty record."""
    runtime = wheel_runtime("2.21.0")
    worker = Worker(runtime, native=True)
    monkeypatch.setattr(worker, "describe", lambda _: Verdict(worker_lost="it was killed"))
    with pytest.raises(WorkerError, match="it was killed"):
        surroundings(worker, runtime, "cpu")

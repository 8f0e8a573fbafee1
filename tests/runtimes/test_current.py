"""Tests of the provider ``current``: what is installed is seen without importing it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat import runtimes
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.runtimes import Provider, current
from savedmodel_compat.runtimes.pins import Pin

Install = Callable[..., Path]


def alone_on_the_path(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every installed distribution but those in ``packages``."""
    own = [entry for entry in sys.path if not entry.endswith(("site-packages", "dist-packages"))]
    monkeypatch.setattr(sys, "path", [str(packages), *own])


@pytest.fixture
def install(tmp_path: Path, extension_module: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a TensorFlow that consists of metadata and one library, alone on the path."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    alone_on_the_path(packages, monkeypatch)

    def put(name: str, version: str, library: str | None = None) -> Path:
        info = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if library is not None:
            (packages / library).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(extension_module, packages / library)
        return packages

    return put


def test_an_installed_release_is_found(install: Install) -> None:
    """The release, the interpreter and the library of the C API are known without an import."""
    library = "tensorflow/libtensorflow_cc.so.2"
    packages = install("tensorflow-cpu", "2.15.1", library)
    runtime = current.make_ready()
    assert (runtime.label, runtime.release) == ("2.15.1 current cpu", "2.15.1")
    assert runtime.python == Path(sys.executable)
    assert runtime.libraries == (packages / library,)
    assert runtime.loaders == {"c", "v1", "v2", "keras"}
    assert runtime.pin.package == "tensorflow-cpu"
    assert "tensorflow" not in sys.modules


def test_a_release_before_2_has_no_v2_loader(install: Install) -> None:
    """The object loader came with 2.0."""
    install("tensorflow", "1.15.5", "tensorflow_core/python/_pywrap_tensorflow_internal.so")
    assert current.make_ready().loaders == {"c", "v1"}


def test_a_build_without_the_c_api_keeps_the_python_loaders(install: Install) -> None:
    """Some builds export it from nowhere that is known."""
    install("tensorflow", "2.15.1")
    runtime = current.make_ready()
    assert runtime.libraries == ()
    assert runtime.loaders == {"v1", "v2", "keras"}


def test_the_package_with_the_libraries_is_preferred(install: Install) -> None:
    """Beside it there may be a `tensorflow` that only requires it."""
    install("tensorflow", "2.15.1")
    install("tensorflow-cpu-aws", "2.15.1")
    assert current.make_ready().pin.package == "tensorflow-cpu-aws"


def test_a_cpu_runtime_sees_no_card(install: Install) -> None:
    """A build with GPU support would use one otherwise."""
    install("tensorflow", "2.15.1")
    assert current.make_ready().environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "CUDA_VISIBLE_DEVICES" not in current.make_ready(device="gpu").environment


def test_no_installation_is_not_supported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is named, and another provider is proposed."""
    alone_on_the_path(tmp_path, monkeypatch)
    with pytest.raises(UnsupportedError, match="no TensorFlow is installed") as caught:
        current.make_ready()
    assert sys.executable in caught.value.message
    assert "--provider wheel" in str(caught.value.hint)


def test_another_release_than_the_installed_one_is_not_supported(
    install: Install, make_pin: Callable[..., Pin]
) -> None:
    """Asked for by name, a release that is not there is refused rather than replaced."""
    install("tensorflow", "2.15.1")
    with pytest.raises(UnsupportedError, match=r"has TensorFlow 2\.15\.1, and 9\.8\.7 was asked"):
        runtimes.make_ready(make_pin(), Provider.CURRENT)
    pin = make_pin(release="2.15.1")
    assert runtimes.make_ready(pin, Provider.CURRENT).release == "2.15.1"

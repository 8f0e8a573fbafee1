"""What the tests of the runtimes share: small wheels, real libraries, a cache of their own."""

from __future__ import annotations

import sysconfig
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.config import Configuration
from savedmodel_compat.errors import DownloadError
from savedmodel_compat.matrix.exports import Order, export_model, find_exporter
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import download, interpreters, pins
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

MakeWheel = Callable[[Mapping[str, bytes]], Path]
MakePin = Callable[..., pins.Pin]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return Cache(root=tmp_path / "cache")


@pytest.fixture
def make_pin() -> MakePin:
    """Make the pin of a release that no index has."""

    def make(**changes: object) -> pins.Pin:
        fields: dict[str, object] = {
            "release": "9.8.7",
            "python": "3.11",
            "package": "tensorflow-cpu",
            "machine": "x86_64",
        }
        return pins.Pin(**{**fields, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Make a wheel of that release with the given files, in a folder that pip can look in."""

    def make(files: Mapping[str, bytes]) -> Path:
        folder = tmp_path / "wheelhouse"
        folder.mkdir(exist_ok=True)
        path = folder / "tensorflow_cpu-9.8.7-cp311-cp311-manylinux2014_x86_64.whl"
        info = "tensorflow_cpu-9.8.7.dist-info"
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux2014_x86_64\n"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(f"{info}/WHEEL", tags)
            metadata = "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 9.8.7\n"
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip look in one folder, and nowhere else."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def extension_module() -> Path:
    """Return a library of this interpreter's that refers to CPython's own symbols."""
    folder = sysconfig.get_config_var("DESTSHARED")
    found = sorted(Path(str(folder)).glob("_ctypes.*.so"))
    if not found:
        pytest.skip("this interpreter has its extension modules built in")
    return found[0]


@pytest.fixture(scope="session")
def oldest_pin() -> pins.Pin:
    """Return the smallest release there is."""
    return pins.load().get("1.4.1")


@pytest.fixture(scope="session")
def oldest_wheel(oldest_pin: pins.Pin) -> Path:
    """Fetch its wheel, of 41 MB, from the user's cache or from an index."""
    if oldest_pin.unavailable is not None:
        pytest.skip(oldest_pin.unavailable)
    try:
        return download.wheel_of(oldest_pin, Cache(root=default_root()))
    except DownloadError as error:
        pytest.skip(f"the wheel of TensorFlow 1.4.1 is not in the cache: {error.message}")


@pytest.fixture
def fresh_interpreters() -> Iterator[None]:
    """Forget which interpreters were found, before and after."""
    interpreters.installed.cache_clear()
    yield
    interpreters.installed.cache_clear()


@pytest.fixture(scope="session")
def placed(venv_runtime: Callable[[str], Runtime]) -> Callable[[str], Model]:
    """Export with an exporter of `exporters.py` beside this file in 1.15.5, or take what the cache has."""

    def export(name: str) -> Model:
        runtime = venv_runtime("1.15.5")
        file = Path(__file__).parent / "exporters.py"
        exporter = find_exporter(f"{file}::{name}", Configuration())
        order = Order(exporter=exporter, producer="1.15.5", strip=True)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return export


@pytest.fixture(scope="session")
def sums(placed: Callable[[str], Model]) -> Model:
    """A model of sums of so many numbers that their order shows."""
    return placed("sums")

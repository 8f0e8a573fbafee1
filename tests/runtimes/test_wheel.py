"""Tests of the provider ``wheel``, on the libraries of real releases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import savedmodel_compat
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes import _pip, download, manifest, pins, wheel
from savedmodel_compat.runtimes.base import Loader, Provider, Runtime
from savedmodel_compat.runtimes.manifest import sha256_of
from savedmodel_compat.runtimes.pins import Pin

OLD_API = "tensorflow/python/_pywrap_tensorflow_internal.so"
VERSION = """
import ctypes, sys
api = [ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in sys.argv[1:]][-1]
api.TF_Version.restype = ctypes.c_char_p
print(api.TF_Version().decode())
"""


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Return a cache that the tests of this file share."""
    return Cache(root=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def oldest(oldest_pin: Pin, oldest_wheel: Path, module_cache: Cache) -> Runtime:
    """Make TensorFlow 1.4.1 ready from a folder that has its wheel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(oldest_wheel.parent))
        return wheel.make_ready(oldest_pin, cache=module_cache)


@pytest.fixture
def wheel_of_nothing(make_wheel: Callable[..., Path], offline: Path) -> Path:
    """Make a wheel without libraries."""
    assert offline.is_dir()
    return make_wheel({"tensorflow/__init__.py": b""})


def version_of(runtime: Runtime) -> str:
    """Load the libraries in a process of their own and ask which release they are."""
    command = [str(runtime.python), "-I", "-c", VERSION, *map(str, runtime.libraries)]
    environment = {**os.environ, **runtime.environment, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@pytest.mark.parametrize("pin", pins.load().on("cpu"), ids=lambda pin: pin.release)
def test_the_c_api_of_a_release_says_its_version(pin: Pin) -> None:
    """Every release loads in a process of its own under this interpreter."""
    cache = Cache(root=default_root())
    # All of them take 16 GB. Where the corpus is tested, all are made ready in any case.
    if (
        not cache.path(wheel.entry_of(pin)).is_dir()
        and "SAVEDMODEL_COMPAT_CORPUS" not in os.environ
    ):
        pytest.skip(
            f"TensorFlow {pin.release} is not in the cache: `savedmodel-compat runtime build`"
        )
    assert version_of(wheel.make_ready(pin, cache=cache)) == pin.release


def test_the_oldest_release_runs_under_this_interpreter(oldest: Runtime) -> None:
    """Built for CPython 3.6, its library refers to symbols that this CPython does not have."""
    assert version_of(oldest) == "1.4.1"


def test_a_runtime_says_what_it_is(oldest: Runtime) -> None:
    """One loader, the host's interpreter, and the framework library before the C API's."""
    assert (oldest.label, oldest.release) == ("1.4.1 wheel cpu", "1.4.1")
    assert oldest.provider is Provider.WHEEL
    assert oldest.loaders == {Loader.C} == {"c"}
    assert oldest.python == Path(sys.executable)
    names = [path.name for path in oldest.libraries]
    assert names == ["libtensorflow_framework.so", "_pywrap_tensorflow_internal.so"]


def test_only_the_libraries_are_unpacked(oldest: Runtime) -> None:
    """Of the wheel's thousands of files two are kept, and what was learnt of them."""
    files = {path.name for path in oldest.folder.rglob("*") if path.is_file()}
    assert files == {*(path.name for path in oldest.libraries), "manifest.json", "ops.pb"}


def test_the_manifest_says_what_was_changed(oldest: Runtime, oldest_pin: Pin) -> None:
    """The weakened symbols are listed, with the digests before and after."""
    made = manifest.read(oldest.folder)
    framework, api = made.libraries
    assert made.wheel_sha256 == oldest_pin.sha256
    assert made.harness == savedmodel_compat.__version__
    assert "_Py_NoneStruct" in api.weakened
    assert api.sha256 != api.original_sha256
    assert api.sha256 == sha256_of(oldest.libraries[-1])
    assert (framework.weakened, framework.sha256) == ((), framework.original_sha256)


def test_the_op_list_is_kept_in_order(oldest: Runtime) -> None:
    """The library gives another order each time; the file is sorted by name."""
    protos = pytest.importorskip("tensorboard.compat.proto.op_def_pb2")
    ops = protos.OpList.FromString(oldest.ops.read_bytes())
    names = [op.name for op in ops.op]
    assert len(names) == 793
    assert names == sorted(names)


def test_a_runtime_that_is_ready_needs_no_pip(
    oldest: Runtime, oldest_pin: Pin, module_cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request reads the manifest, and nothing else."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(_pip, "download", refuse)
    assert wheel.make_ready(oldest_pin, cache=module_cache) == oldest


def test_unpacking_is_reported(
    oldest_pin: Pin, oldest_wheel: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the bytes of the wheel, then those of each library."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(oldest_wheel.parent))
    last: dict[str, tuple[int, int | None]] = {}

    def progress(done: int, total: int | None, what: str) -> None:
        last[what] = (done, total)

    runtime = wheel.make_ready(oldest_pin, cache=cache, progress=progress)
    assert last["tensorflow 1.4.1"] == (oldest_pin.bytes, oldest_pin.bytes)
    sizes = {path.name: path.stat().st_size for path in runtime.libraries}
    assert {name: last[name] for name in sizes} == {name: (n, n) for name, n in sizes.items()}


def test_a_wheel_of_another_release_is_refused(
    oldest: Runtime,
    cache: Cache,
    make_pin: Callable[..., Pin],
    make_wheel: Callable[..., Path],
    offline: Path,
) -> None:
    """The library itself is asked which release it is."""
    assert offline.is_dir()
    framework, api = (path.read_bytes() for path in oldest.libraries)
    names = ("tensorflow/libtensorflow_framework.so", OLD_API)
    make_wheel(dict(zip(names, (framework, api), strict=True)))
    with pytest.raises(
        InfrastructureError, match=r"holds TensorFlow 1\.4\.1, and 9\.8\.7 is pinned"
    ):
        wheel.make_ready(make_pin(), cache=cache)
    assert not cache.path("runtimes").exists()


def test_a_library_that_does_not_load_is_an_error(
    cache: Cache,
    make_pin: Callable[..., Pin],
    make_wheel: Callable[..., Path],
    offline: Path,
    extension_module: Path,
) -> None:
    """A library without the C API under the right name is found out by calling it."""
    assert offline.is_dir()
    content = extension_module.read_bytes()
    make_wheel({OLD_API: content})
    with pytest.raises(InfrastructureError, match="cannot be loaded on this machine") as caught:
        wheel.make_ready(make_pin(), cache=cache)
    assert "TF_Version" in caught.value.message


def test_a_wheel_without_libraries_is_an_error(
    cache: Cache, make_pin: Callable[..., Pin], wheel_of_nothing: Path
) -> None:
    """Some releases of `tensorflow` only require another package."""
    assert wheel_of_nothing.is_file()
    with pytest.raises(InfrastructureError, match="exports TensorFlow's C API"):
        wheel.make_ready(make_pin(), cache=cache)


def test_a_damaged_wheel_is_an_error(
    cache: Cache, make_pin: Callable[..., Pin], wheel_of_nothing: Path
) -> None:
    """A wheel that was damaged after it came is named, with the way to get it anew."""
    assert wheel_of_nothing.is_file()
    kept = download.wheel_of(make_pin(), cache)
    kept.write_bytes(b"PK" + bytes(1000))
    with pytest.raises(InfrastructureError, match="is damaged") as caught:
        wheel.make_ready(make_pin(), cache=cache)
    assert str(kept.parent) in str(caught.value.hint)


def test_files_outside_of_the_folder_are_not_unpacked(
    cache: Cache,
    make_pin: Callable[..., Pin],
    make_wheel: Callable[..., Path],
    offline: Path,
    extension_module: Path,
) -> None:
    """A needed library under a path with .. is taken for one of the system's."""
    assert offline.is_dir()
    content = extension_module.read_bytes()
    make_wheel({OLD_API: content, "../../libc.so.6": content})
    with pytest.raises(InfrastructureError, match="cannot be loaded on this machine"):
        wheel.make_ready(make_pin(), cache=cache)
    assert not list(cache.root.parent.rglob("libc.so.6"))


def test_a_damaged_manifest_is_told(oldest: Runtime, tmp_path: Path) -> None:
    """Somebody's hand in the cache is the likely cause, and the hint says what to remove."""
    fields = json.loads((oldest.folder / "manifest.json").read_text())
    del fields["release"]
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(InfrastructureError, match="cannot be read") as caught:
        manifest.read(tmp_path)
    assert str(tmp_path) in str(caught.value.hint)


def test_another_system_is_not_supported(
    make_pin: Callable[..., Pin], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text says what is missing, and that the static commands work."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnsupportedError, match="this is darwin") as caught:
        wheel.make_ready(make_pin(), cache=cache)
    assert "`check`" in str(caught.value.hint)


def test_the_name_of_an_entry_holds_what_makes_it(make_pin: Callable[..., Pin]) -> None:
    """Another digest, package or interpreter is another folder."""
    changes: tuple[dict[str, str], ...] = (
        {},
        {"sha256": "0" * 64},
        {"package": "tensorflow"},
        {"python": "3.12"},
    )
    names = {wheel.entry_of(make_pin(**change)) for change in changes}
    assert len(names) == len(changes)

"""Tests of the provider ``venv``, on the smallest real release."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import ConfigurationError, InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes import interpreters, manifest, venv
from savedmodel_compat.runtimes.base import Provider, Runtime
from savedmodel_compat.runtimes.manifest import sha256_of
from savedmodel_compat.runtimes.pins import Pin

IMPORT = "import json, sys, tensorflow as t; print(json.dumps([t.__version__, sys.version[:3]]))"


@pytest.fixture(scope="module")
def module_cache(
    oldest_pin: Pin, oldest_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Cache:
    """Return a cache that holds the wheel already."""
    if interpreters.installed(oldest_pin.python) is None:
        pytest.skip(interpreters.how_to_get(oldest_pin.python))
    root = tmp_path_factory.mktemp("cache")
    wheels = root / "wheels"
    wheels.mkdir()
    (wheels / oldest_wheel.parent.name).symlink_to(oldest_wheel.parent)
    return Cache(root=root)


@pytest.fixture(scope="module")
def oldest(oldest_pin: Pin, module_cache: Cache) -> Runtime:
    """Make the environment of TensorFlow 1.4.1, with a variable that forbids bytecode."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        try:
            return venv.make_ready(oldest_pin, cache=module_cache)
        except InfrastructureError as error:
            if "did not succeed" in error.message:
                pytest.skip(f"the packages of its lock cannot be fetched: {error.message}")
            raise


def test_tensorflow_is_imported_by_its_own_interpreter(oldest: Runtime) -> None:
    """The environment was moved after it was made, and its interpreter still finds it."""
    command = (oldest.python, "-I", "-c", IMPORT)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == ["1.4.1", "3.6"]


def test_a_runtime_says_what_it_is(oldest: Runtime) -> None:
    """The C loader works there too, with the libraries that were installed."""
    assert (oldest.label, oldest.release) == ("1.4.1 venv cpu", "1.4.1")
    assert oldest.provider is Provider.VENV
    assert oldest.loaders == {"c", "v1"}
    assert [path.is_file() for path in oldest.libraries] == [True, True]
    assert oldest.ops.stat().st_size > 0


def test_the_bytecode_is_compiled(oldest: Runtime) -> None:
    """Every module of TensorFlow has its bytecode, whatever the environment said."""
    packages = oldest.libraries[0].parent
    sources = [path for path in packages.rglob("*.py") if path.stat().st_size]
    compiled = {path.name.partition(".")[0] for path in packages.rglob("__pycache__/*.pyc")}
    assert len(sources) > 1000
    assert {path.stem for path in sources} <= compiled


def test_the_versions_are_those_of_the_lock(oldest: Runtime, oldest_pin: Pin) -> None:
    """What is installed is the whole lock, and TensorFlow."""
    assert oldest_pin.lock is not None
    folders = oldest.libraries[0].parent.parent.glob("*.dist-info")
    names = {folder.name.removesuffix(".dist-info").replace("_", "-").lower() for folder in folders}
    locked = {line.replace("==", "-").lower() for line in oldest_pin.lock.read_text().splitlines()}
    assert {line.replace("_", "-") for line in locked} <= names


def test_the_manifest_says_how_it_was_made(oldest: Runtime, oldest_pin: Pin) -> None:
    """The lock, the wheel and the interpreter are recorded."""
    assert oldest_pin.lock is not None
    made = manifest.read(oldest.folder)
    assert made.lock_sha256 == sha256_of(oldest_pin.lock)
    assert made.wheel_sha256 == oldest_pin.sha256
    assert str(made.python).startswith("3.6.")


def test_nothing_of_the_making_stays(oldest: Runtime) -> None:
    """The cache in which the wheel was unpacked is gone."""
    names = {path.name for path in oldest.folder.iterdir()}
    assert names == {"venv", "requirements.txt", "ops.pb", "manifest.json"}


def test_an_environment_that_is_ready_is_not_made_again(
    oldest: Runtime, oldest_pin: Pin, module_cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No interpreter is looked for."""

    def refuse(_: str) -> None:
        raise AssertionError("an interpreter was looked for")

    monkeypatch.setattr(interpreters, "find", refuse)
    assert venv.make_ready(oldest_pin, cache=module_cache) == oldest


def test_a_tensorflow_that_cannot_be_imported_is_found_out(
    oldest_pin: Pin, module_cache: Cache, tmp_path: Path
) -> None:
    """A lock without its dependencies installs, and fails when it is tried."""
    lock = tmp_path / "lock.txt"
    lock.write_text("tensorflow==1.4.1\n")
    with pytest.raises(InfrastructureError, match="cannot be imported") as caught:
        venv.make_ready(replace(oldest_pin, lock=lock), cache=module_cache)
    assert "numpy" in caught.value.message
    assert str(lock) in str(caught.value.hint)
    assert not module_cache.path(venv.entry_of(replace(oldest_pin, lock=lock))).exists()


def test_a_lock_that_is_not_there_is_named(make_pin: Callable[..., Pin], tmp_path: Path) -> None:
    """It is the configuration that is wrong."""
    with pytest.raises(ConfigurationError, match=r"mine\.txt"):
        venv.entry_of(make_pin(lock=tmp_path / "mine.txt"))


def test_another_lock_is_another_environment(make_pin: Callable[..., Pin], tmp_path: Path) -> None:
    """The digest of the lock is part of the name."""
    lock = tmp_path / "lock.txt"
    lock.write_text("six==1.16.0\n")
    before = venv.entry_of(make_pin(lock=lock))
    lock.write_text("six==1.17.0\n")
    assert venv.entry_of(make_pin(lock=lock)) != before


def test_another_system_is_not_supported(
    make_pin: Callable[..., Pin], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pins are Linux builds."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UnsupportedError, match="this is win32"):
        venv.make_ready(make_pin(), cache=cache)

"""The provider ``venv``: a whole TensorFlow installation, in an interpreter of its own."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import savedmodel_compat
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import ConfigurationError, InfrastructureError
from savedmodel_compat.runtimes import _pip, _uv, download, interpreters, libraries, processes
from savedmodel_compat.runtimes.base import (
    Progress,
    Provider,
    Runtime,
    demand_linux,
    python_loaders,
    worker_environment,
)
from savedmodel_compat.runtimes.interpreters import Interpreter
from savedmodel_compat.runtimes.manifest import Library, Manifest, digest_of, read, sha256_of
from savedmodel_compat.runtimes.pins import Pin
from savedmodel_compat.runtimes.wheel import describe_libraries

_RECIPE = 1
"""Counted up whenever what is installed, or how, becomes another."""

_BYTES_A_WHEEL_BYTE = 8
"""How much an environment takes, as a multiple of its wheel (measured: 4 to 7.5)."""

_TENSORFLOW = frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-cpu-aws", "tensorflow-gpu"})
_IMPORT = "import tensorflow; print(); print(tensorflow.__version__)"
_IMPORT_SECONDS = 300.0
_COMPILE_SECONDS = 600.0
_ENVIRONMENT = "venv"
_REQUIREMENTS = "requirements.txt"


def entry_of(pin: Pin) -> str:
    """Return the name of the runtime's entry in the cache."""
    lock = None if pin.lock is None else _lock_digest(pin.lock)
    parts = (pin.package, pin.release, pin.python, pin.machine, pin.sha256)
    return f"runtimes/venv-{pin.release}-{pin.device}-{digest_of(_RECIPE, *parts, lock)}"


def make_ready(
    pin: Pin,
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Runtime:
    """Make the virtual environment of ``pin`` from its lock, unless that was done before.

    The environment is moved after it was made. Its scripts would not work then, but nothing runs
    them: ``bin/python`` is all that is used.

    Args:
        pin: the release.
        cache: where runtimes are kept; the user's own if None.
        progress: told the bytes of the wheel that have come.

    Raises:
        UnsupportedError: this is not Linux, or this machine has no wheel of the release.
        InterpreterNotFoundError: there is no CPython of the version that the wheel is for.
        DownloadError: the wheel could not be fetched whole.
        InfrastructureError: the disk is full, a package could not be installed, or TensorFlow
            cannot be imported.
    """
    demand_linux(Provider.VENV)
    cache = cache or Cache(root=default_root())
    name = entry_of(pin)
    folder = cache.path(name)
    if not folder.is_dir():
        interpreter = interpreters.find(pin.python)
        wheel = download.wheel_of(pin, cache, progress=progress)
        needs = _BYTES_A_WHEEL_BYTE * wheel.stat().st_size
        cache.get(name, lambda into: _build(pin, wheel, interpreter, into), needs=needs)
    return _runtime(pin, folder)


def _runtime(pin: Pin, folder: Path) -> Runtime:
    manifest = read(folder)
    return Runtime(
        pin=pin,
        provider=Provider.VENV,
        device=pin.device,
        folder=folder,
        release=manifest.release,
        python=folder / (manifest.interpreter or ""),
        libraries=tuple(folder / library.path for library in manifest.libraries),
        loaders=python_loaders(manifest.release),
        environment=worker_environment(pin.device),
    )


def _build(pin: Pin, wheel: Path, interpreter: Interpreter, folder: Path) -> None:
    environment = folder / _ENVIRONMENT
    python = environment / "bin" / "python"
    requirements = folder / _REQUIREMENTS
    uv = _uv.executable()
    if pin.lock is not None:
        requirements.write_text(_without_tensorflow(pin.lock), encoding="utf-8")
    if uv is None:
        _install_with_pip(interpreter.path, environment, wheel, requirements)
    else:
        _install_with_uv(uv, interpreter.path, environment, wheel, requirements)
    packages = _packages(environment)
    _compile(python, packages)
    release = _imported_release(pin, python)
    found = libraries.installed(packages)
    describe_libraries(python, found, folder / "ops.pb")
    Manifest(
        harness=savedmodel_compat.__version__,
        release=release,
        wheel=wheel.name,
        wheel_sha256=pin.sha256 or sha256_of(wheel),
        libraries=tuple(_library(path, folder) for path in found),
        interpreter=python.relative_to(folder).as_posix(),
        python=interpreter.version,
        lock_sha256=None if pin.lock is None else sha256_of(pin.lock),
    ).write(folder)


def _install_with_uv(
    uv: Path,
    base: Path,
    environment: Path,
    wheel: Path,
    requirements: Path,
) -> None:
    settings = _pip.settings()
    variables = _uv.variables(settings, _outside_of_environments())
    options = tuple(_uv.options(settings, variables))
    python = environment / "bin" / "python"
    _uv.make_environment(uv, base, environment)
    locked = requirements.is_file()
    if locked:
        from_lock = ("--no-deps", "--requirement", requirements)
        _uv.install(uv, python, (*options, *from_lock), environment=variables)
    # uv would keep the unpacked wheel, a gigabyte, in its own cache as well.
    passing = environment.with_name("uv-cache")
    alone = ("--no-deps",) if locked else ()
    last = (*options, *alone, "--cache-dir", passing, wheel)
    _uv.install(uv, python, last, environment=variables)
    shutil.rmtree(passing, ignore_errors=True)
    if not locked:
        requirements.write_text(_uv.freeze(uv, python), encoding="utf-8")


def _install_with_pip(base: Path, environment: Path, wheel: Path, requirements: Path) -> None:
    python = environment / "bin" / "python"
    variables = _outside_of_environments()
    made = processes.run((base, "-m", "venv", environment), environment=variables)
    if made.returncode != 0:
        raise InfrastructureError(f"no environment of {base} could be made: {made.describe()}")
    # The pip that CPython 3.6 and 3.7 bring does not know today's platform tags.
    _pip.install(python, ("--upgrade", "pip"), environment=variables)
    locked = requirements.is_file()
    if locked:
        from_lock = ("--no-deps", "--no-compile", "--requirement", requirements)
        _pip.install(python, from_lock, environment=variables)
    alone = ("--no-deps",) if locked else ()
    _pip.install(python, ("--no-compile", *alone, wheel), environment=variables)
    if not locked:
        requirements.write_text(_pip.freeze(python), encoding="utf-8")


def _outside_of_environments() -> Mapping[str, str]:
    """Return the controller's variables without the one that names its own environment."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


def _compile(python: Path, packages: Path) -> None:
    """Compile the bytecode of ``packages``, whatever PYTHONDONTWRITEBYTECODE says.

    Without it an import of TensorFlow takes two to four times as long, every time. uv can compile
    as well, but not for CPython 3.6.
    """
    command = (python, "-I", "-m", "compileall", "-q", "-j", "0", packages)
    done = processes.run(command, timeout=_COMPILE_SECONDS)
    # The status is 1 also if a package has files for another Python, as some do.
    if done.disk_is_full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(packages))


def _imported_release(pin: Pin, python: Path) -> str:
    variables = {**os.environ, **worker_environment(pin.device), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = (python, "-I", "-c", _IMPORT)
    done = processes.run(command, environment=variables, timeout=_IMPORT_SECONDS)
    if done.returncode != 0:
        raise InfrastructureError(
            f"TensorFlow {pin.release} was installed and cannot be imported: {done.describe()}",
            hint=f"its versions are in {pin.lock}" if pin.lock else "give the pin a lock",
        )
    release = done.stdout.split()[-1]
    if Version(release) != pin.version:
        raise InfrastructureError(f"TensorFlow {release} was installed for the pin {pin.release}")
    return release


def _packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python3*")) / "site-packages"


def _library(path: Path, folder: Path) -> Library:
    digest = sha256_of(path)
    return Library(
        path=path.relative_to(folder).as_posix(),
        original_sha256=digest,
        sha256=digest,
    )


def _lock_digest(lock: Path) -> str:
    try:
        return sha256_of(lock)
    except FileNotFoundError as error:
        raise ConfigurationError(f"the lock {lock} that a pin names is not there") from error


def _without_tensorflow(lock: Path) -> str:
    """Return the lock without TensorFlow itself, whose wheel comes from the cache."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text("utf-8").splitlines())
    names = ((line, canonicalize_name(Requirement(line).name)) for line in lines if line)
    return "".join(f"{line}\n" for line, name in names if name not in _TENSORFLOW)

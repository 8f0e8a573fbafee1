"""The provider ``current``: the TensorFlow installed for the interpreter that runs the controller.

It is seen through the metadata of its distribution. TensorFlow itself is imported by the worker, in
a process of its own.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.version import Version

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes import libraries
from savedmodel_compat.runtimes.base import (
    Loader,
    Provider,
    Runtime,
    python_loaders,
    worker_environment,
)
from savedmodel_compat.runtimes.manifest import digest_of
from savedmodel_compat.runtimes.pins import Pin
from savedmodel_compat.runtimes.wheel import describe_libraries

_DISTRIBUTIONS = (
    # Those that may be installed beside an empty `tensorflow` come first.
    "tensorflow-cpu",
    "tensorflow-cpu-aws",
    "tensorflow-intel",
    "tensorflow-macos",
    "tensorflow-gpu",
    "tensorflow-rocm",
    "tensorflow",
    "tf-nightly-cpu",
    "tf-nightly",
)


def make_ready(*, device: str = "cpu") -> Runtime:
    """Return the runtime of the TensorFlow that is installed beside this package.

    Args:
        device: ``cpu`` or ``gpu``.

    Raises:
        UnsupportedError: none is installed for `sys.executable`.
    """
    found = _installed()
    packages = Path(str(found.locate_file("")))
    release = str(Version(found.version))
    shared = _libraries(packages)
    loaders = python_loaders(release)
    return Runtime(
        pin=_pin(found, release, device),
        provider=Provider.CURRENT,
        device=device,
        folder=_op_list(release, shared, packages / "tensorflow"),
        release=release,
        python=Path(sys.executable),
        libraries=shared,
        loaders=loaders if shared else loaders - {Loader.C},
        environment=worker_environment(device),
    )


def _op_list(release: str, shared: tuple[Path, ...], package: Path) -> Path:
    """Return the cache's folder with the op list of the installed libraries, made once for each build of them.

    Libraries that cannot be loaded have none; what their worker says of it is the verdict of the cells.
    """
    if not shared:
        return package
    status = shared[-1].stat()
    digest = digest_of(str(shared[-1]), status.st_size, status.st_mtime_ns)

    def build(folder: Path) -> None:
        describe_libraries(sys.executable, shared, folder / "ops.pb")

    try:
        return Cache(root=default_root()).get(f"runtimes/current-{release}-{digest}", build)
    except InfrastructureError:
        return package


def _installed() -> Distribution:
    for name in _DISTRIBUTIONS:
        try:
            return distribution(name)
        except PackageNotFoundError:
            continue
    raise UnsupportedError(
        f"provider current has nothing to run: no TensorFlow is installed for {sys.executable}",
        hint="`pip install tensorflow-cpu` there, or use --provider wheel, which needs no "
        "installation",
    )


def _libraries(packages: Path) -> tuple[Path, ...]:
    """Return the libraries of the C loader; none where TensorFlow is not built for Linux."""
    if sys.platform != "linux":
        return ()
    try:
        return libraries.installed(packages)
    except InfrastructureError:
        # A build that exports no C API still has the Python loaders.
        return ()


def _pin(found: Distribution, release: str, device: str) -> Pin:
    return Pin(
        release=release,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        package=found.metadata["Name"],
        device=device,
        machine=platform.machine(),
    )

"""Which shared libraries of a TensorFlow package make up its C API, and in what order they load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import elf

# The oldest wheels keep everything under tensorflow-1.4.1.data/purelib/.
_ROOT = r"(tensorflow[^/]*\.data/(pure|plat)lib/)?tensorflow(_core)?"
_C_API = (
    # From 2.12 on the C API is in the C++ library, and the extension module holds bindings only.
    re.compile(rf"{_ROOT}/libtensorflow_cc\.so(\.\d+)?"),
    re.compile(rf"{_ROOT}/python/_pywrap_tensorflow_internal\.so"),
)
_FRAMEWORK = re.compile(rf"{_ROOT}/libtensorflow_framework\.so(\.\d+)?")
_PACKAGES = ("tensorflow", "tensorflow_core")


def closure(names: Iterable[str], place: Callable[[str], Path]) -> tuple[Path, ...]:
    """Return the library that exports the C API, after the libraries of the package it needs.

    What it needs from elsewhere (the C and C++ libraries, CUDA) is the system's to provide.

    Args:
        names: the files of the package, relative to the folder of packages, with ``/``.
        place: puts one of them on the disk, if it is not there, and returns where.

    Raises:
        InfrastructureError: the package has no such library.
    """
    shared = tuple(name for name in names if ".so" in PurePosixPath(name).name)
    ordered: dict[str, Path] = {}
    _visit(_c_api(shared), _by_basename(shared), place, ordered, set())
    return tuple(ordered.values())


def installed(packages: Path) -> tuple[Path, ...]:
    """Return the libraries of the C API of the TensorFlow installed in ``packages``, in load order.

    Args:
        packages: a ``site-packages`` folder.

    Raises:
        InfrastructureError: there is no such library.
    """
    folders = [packages / name / inner for name in _PACKAGES for inner in ("", "python")]
    files = (path for folder in folders for path in sorted(folder.glob("*.so*")))
    names = [path.relative_to(packages).as_posix() for path in files]
    return closure(names, lambda name: packages / name)


def main_ones(names: Iterable[str]) -> tuple[str, ...]:
    """Return the library of the C API and TensorFlow's framework library, by name alone.

    They are nearly all of what `closure` places, so that their sizes tell the disk that it needs.

    Raises:
        InfrastructureError: the package has no library of the C API.
    """
    shared = tuple(name for name in names if ".so" in PurePosixPath(name).name)
    return (_c_api(shared), *filter(_FRAMEWORK.fullmatch, shared))


def _c_api(shared: tuple[str, ...]) -> str:
    for pattern in _C_API:
        found = [name for name in shared if pattern.fullmatch(name)]
        if found:
            return max(found, key=len)
    raise InfrastructureError(
        f"none of the {len(shared)} shared libraries of the package exports TensorFlow's C API",
        hint="the wheel of another package may carry them: `tensorflow-cpu` rather than "
        "`tensorflow`, or the reverse",
    )


def _by_basename(shared: tuple[str, ...]) -> Mapping[str, str]:
    """Index by basename; of files of one basename the one nearest to the root is meant."""
    deepest_first = sorted(shared, key=lambda name: -name.count("/"))
    return {PurePosixPath(name).name: name for name in deepest_first}


def _visit(
    name: str,
    known: Mapping[str, str],
    place: Callable[[str], Path],
    ordered: dict[str, Path],
    open_names: set[str],
) -> None:
    if name in ordered or name in open_names:
        return
    open_names.add(name)
    path = place(name)
    for needed in elf.needed(path):
        if needed in known:
            _visit(known[needed], known, place, ordered, open_names)
    ordered[name] = path

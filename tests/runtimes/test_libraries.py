"""Tests of the choice of libraries: the C API's, what it needs from its package, and the order."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import elf, libraries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's format")

Place = Callable[[str], Path]

OLD = "tensorflow/python/_pywrap_tensorflow_internal.so"
OLDER = "tensorflow_core/python/_pywrap_tensorflow_internal.so"
OLDEST = "tensorflow-1.4.1.data/purelib/tensorflow/python/_pywrap_tensorflow_internal.so"
NEW = "tensorflow/libtensorflow_cc.so.2"


@pytest.fixture
def place(tmp_path: Path, extension_module: Path) -> Place:
    """Put a real library under any name."""

    def put(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(extension_module, path))

    return put


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the file names."""
    return [path.name for path in paths]


@pytest.mark.parametrize("name", [OLD, OLDER, OLDEST, NEW])
def test_the_library_of_the_c_api_is_known_by_name(name: str, place: Place) -> None:
    """Each generation of wheels keeps it elsewhere."""
    found = libraries.closure([name, "tensorflow/lite/other.so", "tensorflow/__init__.py"], place)
    assert names_of(found) == [Path(name).name]


def test_the_c_library_is_preferred_to_the_bindings(place: Place) -> None:
    """From 2.12 on both files exist, and only one exports the C API."""
    assert names_of(libraries.closure([OLD, NEW], place)) == ["libtensorflow_cc.so.2"]


def test_what_it_needs_from_its_package_comes_first(place: Place, extension_module: Path) -> None:
    """A library of the package is loaded before the one that needs it."""
    needed = next(name for name in elf.needed(extension_module) if name != "libc.so.6")
    found = libraries.closure([OLD, f"tensorflow/{needed}"], place)
    assert names_of(found) == [needed, Path(OLD).name]


def test_of_two_files_of_one_name_the_outer_one_is_meant(
    place: Place, extension_module: Path, tmp_path: Path
) -> None:
    """The copy in a nested folder belongs to something else."""
    needed = next(name for name in elf.needed(extension_module) if name != "libc.so.6")
    names = [f"tensorflow/{needed}", f"tensorflow/lite/inner/{needed}", OLD]
    assert libraries.closure(names, place)[0] == tmp_path / "tensorflow" / needed


def test_libraries_that_need_one_another_end(place: Place, extension_module: Path) -> None:
    """A circle is walked once."""
    needed = elf.needed(extension_module)
    found = libraries.closure([OLD, *(f"tensorflow/{name}" for name in needed)], place)
    assert sorted(names_of(found)) == sorted({*needed, Path(OLD).name})


def test_a_package_without_the_c_api_is_an_error(place: Place) -> None:
    """An empty `tensorflow` that only requires another package is a likely cause."""
    with pytest.raises(InfrastructureError, match="none of the 1 shared libraries") as caught:
        libraries.closure(["tensorflow/lite/other.so", "tensorflow/__init__.py"], place)
    assert "tensorflow-cpu" in str(caught.value.hint)


def test_the_main_ones_are_known_without_reading_any() -> None:
    """Their sizes tell how much room an unpacking takes."""
    framework = "tensorflow/libtensorflow_framework.so.2"
    names = [NEW, framework, "tensorflow/lite/other.so", OLD]
    assert libraries.main_ones(names) == (NEW, framework)


def test_an_installed_package_is_looked_through(place: Place, tmp_path: Path) -> None:
    """The files are where the installer put them."""
    place(NEW)
    assert libraries.installed(tmp_path) == (tmp_path / NEW,)

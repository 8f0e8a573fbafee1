"""Tests of the reading and weakening of shared libraries, on this interpreter's own."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import elf

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's format")

CPYTHON = (b"Py", b"_Py")


@pytest.fixture
def library(tmp_path: Path, extension_module: Path) -> Path:
    """Return a copy that may be changed."""
    return Path(shutil.copy(extension_module, tmp_path / "library.so"))


def test_what_a_library_needs_is_read(extension_module: Path) -> None:
    """The C library is needed by every extension module."""
    assert "libc.so.6" in elf.needed(extension_module)


def test_readelf_agrees_on_what_is_needed(extension_module: Path) -> None:
    """Another reader of the same file finds the same names in the same order."""
    if shutil.which("readelf") is None:
        pytest.skip("readelf is not installed")
    command = ["readelf", "--dynamic", "--wide", str(extension_module)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    names = [line.rpartition("[")[2].rstrip("]") for line in lines if "(NEEDED)" in line]
    assert elf.needed(extension_module) == tuple(names)


def test_the_undefined_symbols_of_cpython_are_weakened(library: Path) -> None:
    """Functions and data of CPython are among them, and the C library's are not."""
    names = elf.weaken(library, prefixes=CPYTHON)
    assert {"PyExc_TypeError", "PyObject_GetAttr"} <= set(names)
    assert all(name.startswith(("Py", "_Py")) for name in names)


def test_weakening_twice_changes_nothing_more(library: Path) -> None:
    """What is weak already is left as it is."""
    elf.weaken(library, prefixes=CPYTHON)
    once = library.read_bytes()
    assert elf.weaken(library, prefixes=CPYTHON) == ()
    assert library.read_bytes() == once


def test_weakening_changes_one_byte_a_symbol(library: Path, extension_module: Path) -> None:
    """Only the binding of a symbol becomes another: 1 to 2 in the upper half of one byte."""
    names = elf.weaken(library, prefixes=CPYTHON)
    before, after = extension_module.read_bytes(), library.read_bytes()
    changes = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changes) == len(names)
    assert {(old >> 4, new >> 4) for old, new in changes} == {(1, 2)}
    assert all(old & 0xF == new & 0xF for old, new in changes)


def test_a_weakened_library_loads_where_an_untouched_one_does_not(
    tmp_path: Path, extension_module: Path, library: Path
) -> None:
    """A program without CPython's symbols loads the weakened copy only."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, with which a program without CPython could be made")
    source = tmp_path / "load.c"
    source.write_text(
        "#include <dlfcn.h>\nint main(int n, char **a) { return dlopen(a[1], RTLD_NOW) == 0; }\n"
    )
    program = tmp_path / "load"
    subprocess.run([compiler, str(source), "-o", str(program), "-ldl"], check=True)
    elf.weaken(library, prefixes=CPYTHON)
    assert subprocess.run([program, extension_module], check=False).returncode == 1
    assert subprocess.run([program, library], check=False).returncode == 0


def test_a_weakened_library_still_works_in_python(library: Path) -> None:
    """Where the symbols exist they are found as before."""
    elf.weaken(library, prefixes=CPYTHON)
    assert ctypes.PyDLL(str(library)).PyInit__ctypes is not None


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    """The error names the file and how it begins."""
    path = tmp_path / "text.so"
    path.write_bytes(b"MZ" + bytes(100))
    with pytest.raises(InfrastructureError, match="not a 64-bit little-endian ELF") as caught:
        elf.needed(path)
    assert "4d 5a" in caught.value.message


def test_a_library_of_another_byte_order_is_refused(tmp_path: Path) -> None:
    """Big-endian machines have the other value in the sixth byte."""
    path = tmp_path / "other.so"
    path.write_bytes(b"\x7fELF\x02\x02" + bytes(100))
    with pytest.raises(InfrastructureError, match="little-endian"):
        elf.weaken(path, prefixes=CPYTHON)


def test_a_library_that_is_cut_short_is_refused(library: Path) -> None:
    """The section table lies at the end, so that a half-written file has none."""
    size = library.stat().st_size
    with library.open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(InfrastructureError, match="cut short") as caught:
        elf.needed(library)
    assert f"{size // 2:,}" in caught.value.message


def test_the_names_of_another_prefix_stay_strong(library: Path) -> None:
    """A prefix that nothing has weakens nothing."""
    before = library.read_bytes()
    assert elf.weaken(library, prefixes=(b"ThereIsNone",)) == ()
    assert library.read_bytes() == before
    assert struct.unpack_from("<H", before, 16) == (3,)

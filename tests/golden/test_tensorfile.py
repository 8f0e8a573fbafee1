"""Tests of the file of a data set: its layout, and every way in which it may be damaged."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from savedmodel_compat.errors import (
    GoldenDamagedError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden import tensorfile
from savedmodel_compat.golden.tensorfile import MAGIC, read, stored, write

Array = np.ndarray[Any, Any]
NAME = "typical.tensors"
AS_NOBODY = """
import os, pathlib, sys
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.golden.tensorfile import read
if os.geteuid() == 0:
    os.setuid(65534)
try:
    read(pathlib.Path(sys.argv[1]))
except InfrastructureError as error:
    print(error)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with an int8 input, a string input, and a float32 output."""
    place = tmp_path / NAME
    write(
        place,
        [
            stored("outputs", "y", np.array([[1.5, -2.0]], np.float32)),
            stored("inputs", "text", np.array([b"a\0", b""], dtype=object)),
            stored("inputs", "number", np.array(7, np.int8)),
        ],
    )
    return place


def edited(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    """Edit the rows of a file's header, and write it as it would have been written."""
    content = path.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    rows = json.loads(content[16 : 16 + length])["tensors"]
    change(rows)
    header = json.dumps({"tensors": rows}, sort_keys=True, separators=(",", ":")).encode()
    begin = 16 + length + -(16 + length) % 64
    head = MAGIC + struct.pack("<II", 1, len(header)) + header
    path.write_bytes(head + bytes(-len(head) % 64) + content[begin:])
    return path


def damage(path: Path) -> str:
    """Return what a damaged file is said to have."""
    with pytest.raises(GoldenDamagedError) as raised:
        read(path)
    assert raised.value.path == path
    assert str(path) in raised.value.message
    return raised.value.problem


def read_plainly(path: Path) -> Iterator[tuple[str, list[int], bytes]]:
    """Read a file as the description of its layout says, with none of the package's code."""
    content = path.read_bytes()
    magic, version, length = struct.unpack("<8sII", content[:16])
    assert (magic, version) == (b"\x89SMCT\r\n\x1a", 1)
    begin = (16 + length + 63) // 64 * 64
    for row in json.loads(content[16 : 16 + length])["tensors"]:
        at = begin + row["offset"]
        yield (
            f"{row['side']}/{row['alias']}:{row['dtype']}",
            row["shape"],
            content[at : at + row["nbytes"]],
        )


def test_the_layout_is_the_one_described(path: Path) -> None:
    """A reader of ten lines, made from the module's docstring, finds every tensor."""
    assert list(read_plainly(path)) == [
        ("inputs/number:int8", [], b"\x07"),
        ("inputs/text:string", [2], b"\x02\0\0\0\0\0\0\0a\0"),
        ("outputs/y:float32", [1, 2], struct.pack("<2f", 1.5, -2.0)),
    ]


def test_what_is_written_is_read(path: Path) -> None:
    """Side, alias, type, shape and elements come back, inputs first; strings keep their zero bytes."""
    found = read(path)

    assert [(one.side, one.alias, one.dtype, one.shape) for one in found] == [
        ("inputs", "number", "int8", ()),
        ("inputs", "text", "string", (2,)),
        ("outputs", "y", "float32", (1, 2)),
    ]
    assert found[0].array == 7
    assert found[1].array.tolist() == [b"a\0", b""]
    assert found[2].array.tolist() == [[1.5, -2.0]]


def test_the_same_tensors_are_the_same_bytes(path: Path, tmp_path: Path) -> None:
    """Neither the order in which tensors are given nor how arrays lie in memory shows in the file."""
    other = tmp_path / "other.tensors"
    strided = np.array([[1.5, 9, -2.0, 9]], ">f4")[:, ::2]
    assert not strided.flags.c_contiguous
    write(
        other,
        [
            stored("inputs", "number", np.array(7, np.int8)),
            stored("inputs", "text", np.array(["a\0", ""], dtype=object)),
            stored("outputs", "y", strided),
        ],
    )

    assert other.read_bytes() == path.read_bytes()


def test_a_file_without_tensors(tmp_path: Path) -> None:
    """A data set of nothing is a head and a header."""
    write(tmp_path / NAME, [])
    assert read(tmp_path / NAME) == ()


def test_a_file_is_never_overwritten(path: Path) -> None:
    """Only a new file is written."""
    with pytest.raises(FileExistsError):
        write(path, [])


def test_one_alias_names_one_tensor(tmp_path: Path) -> None:
    """Two tensors of one side and alias are refused before anything is written."""
    one = stored("inputs", "x", np.zeros(1))
    with pytest.raises(UsageError, match="several tensors are named inputs/x"):
        write(tmp_path / NAME, [one, one])
    assert not (tmp_path / NAME).exists()


def test_a_large_tensor_lies_in_the_file(tmp_path: Path) -> None:
    """Reading 64 MB of output takes no memory of the process, and nobody can write to it."""
    big = np.arange(16 << 20, dtype=np.float32)
    write(tmp_path / NAME, [stored("outputs", "y", big)])
    tracemalloc.start()
    [found] = read(tmp_path / NAME)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 1 << 20
    assert np.array_equal(found.array, big)
    with pytest.raises(ValueError, match="read-only"):
        found.array[0] = 1


def test_an_array_outlives_its_file(tmp_path: Path) -> None:
    """A mapped array stays what it was when its file is replaced or removed."""
    write(tmp_path / NAME, [stored("outputs", "y", np.ones(1 << 20, np.float32))])
    [found] = read(tmp_path / NAME)
    (tmp_path / NAME).unlink()
    write(tmp_path / NAME, [stored("outputs", "y", np.zeros(1 << 20, np.float32))])

    assert found.array.sum() == 1 << 20


def test_a_file_cut_short_anywhere(path: Path) -> None:
    """Wherever a file ends too early, it is said how many bytes it has and where it should end."""
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        said = damage(path)
        assert f"it has {size} bytes" in said
        assert "it was cut short" in said
    path.write_bytes(content[:-1])
    assert f"its tensors end at {len(content)}" in damage(path)


def test_bytes_added(path: Path) -> None:
    """One byte more at the end is one too many."""
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\0")
    assert (
        damage(path) == f"it has {size + 1} bytes and its tensors end at {size}: bytes were added"
    )


def test_any_byte_changed(path: Path) -> None:
    """Nothing but the elements and the names can be changed unseen, and no change raises anything else."""
    content = path.read_bytes()
    begin = len(content) - 128 - 8
    elements = {begin, *range(begin + 64, begin + 74), *range(begin + 128, begin + 136)}
    for alias in (b'"number"', b'"text"', b'"y"'):
        first = content.index(alias) + 1
        elements |= set(range(first, first + len(alias) - 2))
    for at in range(len(content)):
        for value in (0, content[at] ^ 1, content[at] ^ 0x80, 0xFF):
            path.write_bytes(content[:at] + bytes([value]) + content[at + 1 :])
            try:
                read(path)
            except GoldenDamagedError:
                continue
            except UnsupportedError as error:  # pragma: no cover - the bug that is looked for
                pytest.fail(f"byte {at}: {error}")
            assert value == content[at] or at in elements, f"byte {at}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[2].update(offset=0), "its header puts outputs/y at 0"),
        (lambda rows: rows[2].update(offset=1 << 40), "its header puts outputs/y at 1099511627776"),
        (lambda rows: rows[2].update(offset=-64), "its header puts outputs/y at -64"),
        (lambda rows: rows[2].update(nbytes=1 << 40), "1099511627776 bytes are no float32"),
        (lambda rows: rows[2].update(nbytes=-8), "-8 bytes are no float32 of shape"),
        (
            lambda rows: rows[2].update(shape=[3]),
            "8 bytes are no float32 of shape [3], which takes 12",
        ),
        (lambda rows: rows[2].update(shape=[1 << 62, 1 << 62]), "bytes are no float32 of shape"),
        (lambda rows: rows[2].update(shape=[-1, -2]), "no tensor has the shape [-1, -2]"),
        (lambda rows: rows[2].update(shape=[True, 2]), "no tensor has the shape"),
        (lambda rows: rows[2].update(shape=[1.0, 2]), "no tensor has the shape"),
        (lambda rows: rows[2].update(shape=[1] * 300), "no tensor has the shape"),
        (lambda rows: rows[2].update(shape=[1] * 253 + [2]), "outputs/y, of shape"),
        (lambda rows: rows[2].update(shape="2"), "shape is no list"),
        (lambda rows: rows[2].update(dtype="float33"), "float33 is no type of TensorFlow"),
        (lambda rows: rows[2].update(dtype="resource"), "no tensor is kept as resource"),
        (lambda rows: rows[2].update(dtype="half"), "no tensor is kept as half"),
        (lambda rows: rows[2].update(dtype="string"), "a string tensor of"),
        (lambda rows: rows[2].update(dtype=None), "dtype is no str"),
        (lambda rows: rows[2].update(side="middle"), "a side named middle"),
        (lambda rows: rows[2].update(alias=3), "alias is no str"),
        (lambda rows: rows[2].update(more=1), "it has not the keys"),
        (lambda rows: rows[2].pop("nbytes"), "it has not the keys"),
        (lambda rows: rows[1].update(shape=[3]), "10 bytes are no 3 strings of shape [3]"),
        (lambda rows: rows[1].update(shape=[1]), "string tensor of"),
        (lambda rows: rows[1].update(shape=[1 << 40]), "bytes are no 1099511627776 strings"),
        (lambda rows: rows.reverse(), "its header puts outputs/y at 128"),
        (lambda rows: rows.pop(), "bytes were added"),
        (lambda rows: rows.append(dict(rows[2], alias="z", offset=192)), "it was cut short"),
        (lambda rows: rows.append(rows[2]), "has outputs/y before outputs/y"),
        (lambda rows: rows.append(7), "it has not the keys"),
    ],
)
def test_an_edited_header(path: Path, change: Callable[[Any], object], said: str) -> None:
    """Whatever a header is made to say, it is refused with the tensor and the numbers, and costs no memory."""
    edited(path, change)
    tracemalloc.start()
    found = damage(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert said in found
    assert len(found) < 500
    assert most < 1 << 20


def test_a_shape_of_nothing_that_is_too_large(tmp_path: Path) -> None:
    """No elements of huge dimensions take no bytes, and are no array either."""
    path = tmp_path / NAME
    write(path, [stored("outputs", "y", np.zeros((0, 1), np.float32))])
    edited(path, lambda rows: rows[0].update(shape=[0, 1 << 62, 1 << 62]))
    assert "outputs/y, of shape [0, 4611686018427387904, 4611686018427387904]" in damage(path)
    edited(path, lambda rows: rows[0].update(shape=[0, 1 << 66]))
    assert "outputs/y, of shape [0, 73786976294838206464]" in damage(path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b'{"tensors": []}', "its header is not as it is written"),
        (b'{"tensors":[],"tensors":[]}', "its header is not as it is written"),
        (b'{"tensors":{}}', "its header lists no tensors"),
        (b"{}", "its header says nothing: KeyError"),
        (b"[]", "its header says nothing"),
        (b"[" * 100_000, "its header says nothing: RecursionError"),
        (b'{"tensors":[' + b"9" * 100_000 + b"]}", "its header says nothing: ValueError"),
        (b"\xff\xfe", "its header says nothing"),
        (b"", "its header says nothing"),
    ],
)
def test_a_header_of_something_else(tmp_path: Path, header: bytes, said: str) -> None:
    """JSON of another form, and what is no JSON, is a damaged file."""
    path = tmp_path / NAME
    path.write_bytes(MAGIC + struct.pack("<II", 1, len(header)) + header)
    assert said in damage(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it has 0 bytes, and not even a head of 16: it was cut short"),
        (b"\x93NUMPY" + bytes(60), "it is none of ours"),
        (MAGIC.replace(b"\r\n", b"\n") + bytes(60), "its line ends were converted"),
        (b"version https://git-lfs.github.com/spec/v1\n" + bytes(60), "git lfs pull"),
        (MAGIC + struct.pack("<II", 2, 0), "its layout has the version 2, and known here is 1"),
        (MAGIC + struct.pack("<II", 1, 1 << 31), "its header is said to have 2147483648 bytes"),
        (MAGIC + struct.pack("<II", 1, 99), "it has 16 bytes and its header ends at 115"),
    ],
)
def test_another_file(tmp_path: Path, content: bytes, said: str) -> None:
    """What is no file of a data set is said to be what it seems to be."""
    path = tmp_path / NAME
    path.write_bytes(content)
    assert said in damage(path)


def empty(count: int, name: str = "") -> list[dict[str, Any]]:
    """Return the header's rows of tensors without elements."""
    numbers = (f"{name}{number:06}" for number in range(count))
    row = {"dtype": "int8", "nbytes": 0, "offset": 0, "shape": [0], "side": "inputs"}
    return [{"alias": number, **row} for number in numbers]


def test_more_tensors_than_any_signature_has(tmp_path: Path) -> None:
    """A header that takes long to read is refused by its length, and one of many tensors by their number."""
    path = tmp_path / NAME
    write(path, [])
    edited(path, lambda rows: rows.extend(empty(150_000)))
    assert re.search(r"its header is said to have \d{8} bytes; the most is 1048576", damage(path))
    path.write_bytes(_many_small_rows(10_001))
    assert damage(path) == "its header lists 10001 tensors; the most is 10000"


def _many_small_rows(count: int) -> bytes:
    header = b'{"tensors":[' + b",".join([b"{}"] * count) + b"]}"
    return MAGIC + struct.pack("<II", 1, len(header)) + header


def test_more_tensors_than_can_be_read_are_not_written(tmp_path: Path) -> None:
    """What could not be read again is refused before a file is begun."""
    nothing = np.zeros(0, np.int8)
    path = tmp_path / NAME
    with pytest.raises(UsageError, match="10001 tensors; the most is 10000"):
        write(path, [stored("inputs", f"{number}", nothing) for number in range(10_001)])
    with pytest.raises(UsageError, match="its header would have 1048667 bytes"):
        write(path, [stored("inputs", "x" * (1 << 20), nothing)])
    assert not path.exists()
    write(path, [stored("inputs", f"{number}", nothing) for number in range(9_000)])
    assert len(read(path)) == 9_000


def test_no_file_at_all(tmp_path: Path) -> None:
    """A file that is missing, a folder and a pipe are damage; nobody waits for the pipe."""
    path = tmp_path / NAME
    assert damage(path) == "it is missing"
    path.mkdir()
    assert damage(path) == "it cannot be read: it is a folder"
    path.rmdir()
    os.mkfifo(path)
    assert damage(path) == "it cannot be read: it is no regular file"


def test_bytes_between_tensors(path: Path) -> None:
    """What was written into a gap between two tensors shows."""
    content = bytearray(path.read_bytes())
    content[-20] = 1
    path.write_bytes(content)
    assert "between two tensors, are not all 0" in damage(path)


def test_a_file_that_may_not_be_read(path: Path) -> None:
    """What the system refuses to show is no damage of the file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        hidden = Path(folder) / NAME
        hidden.write_bytes(path.read_bytes())
        hidden.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(hidden)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"{hidden} cannot be read: Permission denied\n"


@pytest.mark.parametrize(
    ("array", "dtype", "said"),
    [
        (
            np.zeros(2, np.float32),
            "qint8",
            "is said to be qint8, which is held as int8, but its array",
        ),
        (np.zeros(2, np.float32), "string", "is said to be string, which is held as string"),
        (np.array([b"a"], dtype=object), "int8", "which is held as int8, but its array has string"),
        (np.zeros(2, np.int8), "resource", "is of type resource, which has no form as an array"),
        (np.zeros(2, np.int8), "float33", "inputs/x: 'float33' is not a type of TensorFlow"),
        (np.zeros(2, "V1"), None, "pip install --upgrade ml-dtypes"),
        (np.zeros(2, "datetime64[s]"), None, "is not a type of TensorFlow"),
        (np.zeros(2, np.longdouble), None, "is not a type of TensorFlow"),
        (np.array([b"a", 3], dtype=object), None, "is a string tensor and holds 3, a int"),
    ],
)
def test_what_cannot_be_kept(array: Array, dtype: str | None, said: str) -> None:
    """An array of another type than is said, or of one that TensorFlow has not, is refused by name."""
    with pytest.raises(UnsupportedError) as raised:
        stored("inputs", "x", array, dtype)
    assert said in str(raised.value)
    assert "inputs/x" in str(raised.value)


def test_a_type_that_this_ml_dtypes_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a newer machine is not damaged: it is said which package is too old."""
    path = tmp_path / NAME
    write(path, [stored("outputs", "y", np.zeros(2, ml_dtypes.float8_e5m2))])
    monkeypatch.delattr(ml_dtypes, "float8_e5m2")
    with pytest.raises(UnsupportedError) as raised:
        read(path)
    assert str(path) in raised.value.message
    assert f"ml_dtypes {ml_dtypes.__version__} has no float8_e5m2" in raised.value.message
    with pytest.raises(UnsupportedError, match="has no float8_e5m2"):
        stored("outputs", "y", np.zeros(2, np.uint8), "float8_e5m2")


def test_the_description_names_the_version() -> None:
    """The layout that the docstring describes is the one that is written."""
    assert tensorfile.__doc__ is not None
    assert f"the version of this layout: {tensorfile.VERSION}" in tensorfile.__doc__
    assert MAGIC.hex(" ").upper() in tensorfile.__doc__

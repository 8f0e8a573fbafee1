"""Tests of `savedmodel_compat.model.records`, on files that TensorFlow wrote and on damaged ones."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import crc
from savedmodel_compat.model import records as module
from savedmodel_compat.model.records import Record, read_records
from savedmodel_compat.runtimes.base import Runtime

_WRITE = """
import sys
import tensorflow as tf
with tf.io.TFRecordWriter(sys.argv[1]) as writer:
    for size in map(int, sys.argv[2:]):
        writer.write(bytes(i % 251 for i in range(size)))
"""
_SIZES = (0, 1, 5, 70_000, 3)


def framed(data: bytes, *, length: int | None = None) -> bytes:
    """Return a record, with a length that may lie and a checksum that is right for it."""
    header = struct.pack("<Q", len(data) if length is None else length)
    return (
        header + struct.pack("<I", crc.masked(header)) + data + struct.pack("<I", crc.masked(data))
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write bytes to a file."""

    def write_file(content: bytes) -> Path:
        file = tmp_path / "records"
        file.write_bytes(content)
        return file

    return write_file


def records(file: Path, **options: int) -> list[Record]:
    """Return all records of a file."""
    with file.open("rb") as opened:
        return list(read_records(opened, **options))


def test_what_tensorflow_writes(tmp_path: Path, venv_runtime: Callable[[str], Runtime]) -> None:
    """A file of TensorFlow's own writer is read back, byte for byte."""
    file = tmp_path / "records"
    command = [str(venv_runtime("2.21.0").python), "-c", _WRITE, str(file), *map(str, _SIZES)]
    subprocess.run(command, check=True, capture_output=True)
    found = records(file)
    assert [record.size for record in found] == list(_SIZES)
    assert [record.data for record in found] == [
        bytes(i % 251 for i in range(size)) for size in _SIZES
    ]
    assert found[1].offset == 16


def test_an_empty_file_has_no_records(write: Callable[[bytes], Path]) -> None:
    """TensorFlow reads no record from it, and no error."""
    assert records(write(b"")) == []


@pytest.mark.parametrize(
    ("content", "message", "whole"),
    [
        (b"short", "at byte 0, the file ends within a record", 0),
        (
            framed(b"one")[:-1],
            "at byte 0, a record of 3 bytes is cut short by 1",
            0,
        ),
        (framed(b"one") + b"\0" * 11, "at byte 19, the file ends within a record", 1),
        (framed(b"one") + b"x" * 30, "at byte 19, no record begins", 1),
        (framed(b"one", length=1 << 63), "a record of 9223372036854775808 bytes is cut short", 0),
        (framed(b"one", length=4), "a record of 4 bytes is cut short by 1", 0),
        (framed(b"one", length=2), "the 2 bytes of a record have another checksum", 0),
        (framed(b"one")[:-4] + b"\0\0\0\0", "the 3 bytes of a record have another checksum", 0),
        (framed(b"one")[:8] + b"\0" * 30, "no record begins: the checksum of its length", 0),
    ],
)
def test_damage(write: Callable[[bytes], Path], content: bytes, message: str, whole: int) -> None:
    """A file that is cut short, or that lies, is an error with its place; what stands before is read."""
    found: list[Record] = []
    with pytest.raises(DamagedModelError, match=message):
        read_into(found, write(content))
    assert len(found) == whole


def read_into(found: list[Record], file: Path) -> None:
    """Add the records of a file to a list, one by one."""
    with file.open("rb") as opened:
        for record in read_records(opened):
            found.append(record)  # noqa: PERF402 - those before an error count


@pytest.mark.parametrize("keep", [True, False])
def test_every_cut_is_seen(write: Callable[[bytes], Path], keep: bool) -> None:
    """Wherever a file is cut, there are as many records as are whole, then an error."""
    content = framed(b"first") + framed(b"") + framed(b"third")
    ends = (0, 21, 37, len(content))
    for cut in range(len(content)):
        file = write(content[:cut])
        if cut in ends:
            assert len(records(file)) == ends.index(cut)
            continue
        with pytest.raises(DamagedModelError):
            records(file, largest=10 if keep else 0)


def test_every_flip_is_seen(write: Callable[[bytes], Path]) -> None:
    """Every byte is under a checksum."""
    content = framed(b"first") + framed(b"second")
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << random.Random(place).randrange(8)
        with pytest.raises(DamagedModelError):
            records(write(bytes(changed)))


def test_a_large_record_is_summed_and_not_kept(
    write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit the memory does not grow, and the checksum is still verified."""
    monkeypatch.setattr(module, "_BLOCK", 1 << 14)
    size = 1 << 20
    file = write(framed(bytes(size)))
    tracemalloc.start()
    [record] = records(file, largest=1 << 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (record.size, record.data) == (size, None)
    assert peak < size // 4
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"x")
    with pytest.raises(DamagedModelError, match="another checksum"):
        records(file, largest=1 << 16)


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    """What was there when the file was opened and is gone now is an error, and no hang."""
    file = tmp_path / "records"
    file.write_bytes(framed(b"one") + framed(bytes(1 << 20)))
    with file.open("rb", buffering=io.DEFAULT_BUFFER_SIZE) as opened:
        found = read_records(opened)
        assert next(found).data == b"one"
        with file.open("r+b") as other:
            other.truncate(100)
        with pytest.raises(DamagedModelError):
            next(found)

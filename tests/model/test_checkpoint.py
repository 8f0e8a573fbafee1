"""Tests of `savedmodel_compat.model.checkpoint` on frozen and on made-up checkpoints."""

from __future__ import annotations

import os
import shutil
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.model.tables import entry, header, slice_key, table, unread, write

from savedmodel_compat.errors import DamagedModelError, UnsupportedError, UsageError
from savedmodel_compat.model import _index, crc, schema
from savedmodel_compat.model.checkpoint import (
    Trouble,
    read_index,
    read_strings,
    read_tensor,
    verify,
)

FROZEN = Path(__file__).parent.parent / "models" / "module-2.21.0" / "variables"
FLOAT, INT32, STRING, HALF, COMPLEX, BFLOAT, VARIANT = 1, 3, 7, 19, 8, 14, 21


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """The index of a copy of a frozen model's variables."""
    shutil.copytree(FROZEN, tmp_path, dirs_exist_ok=True)
    return tmp_path / "variables.index"


def strings(*texts: bytes, order: str = "<") -> tuple[bytes, int]:
    """Bytes of a tensor of short strings, and their checksum."""
    lengths = b"".join(struct.pack(f"{order}I", len(text)) for text in texts)
    sealed = struct.pack(f"{order}I", crc.masked(lengths))
    data = bytes(map(len, texts)) + sealed + b"".join(texts)
    return data, crc.masked(lengths + sealed + b"".join(texts))


def test_the_index_says_what_there_is() -> None:
    """Types, shapes and places of tensors, and the format."""
    checkpoint = read_index(FROZEN / "variables.index")
    value = checkpoint.tensors["b/.ATTRIBUTES/VARIABLE_VALUE"]

    assert list(checkpoint.tensors) == [
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "a/.ATTRIBUTES/VARIABLE_VALUE",
        "b/.ATTRIBUTES/VARIABLE_VALUE",
    ]
    assert (value.dtype, value.shape, value.shard, value.offset, value.size) == (
        "float32",
        (3,),
        0,
        4,
        12,
    )
    assert (checkpoint.num_shards, checkpoint.little_endian, checkpoint.version) == (1, True, 1)
    assert (checkpoint.parameters, checkpoint.data_bytes, checkpoint.strings) == (4, 16, 1)
    assert read_tensor(checkpoint, value.name).tolist() == [2, 2, 2]
    assert b"VARIABLE_VALUE" in read_strings(checkpoint, "_CHECKPOINTABLE_OBJECT_GRAPH")[0]


def test_an_index_cut_short_is_refused(frozen: Path) -> None:
    """Wherever it is cut, the error names the file and its size."""
    data = frozen.read_bytes()
    for size in range(len(data)):
        frozen.write_bytes(data[:size])
        with pytest.raises(DamagedModelError, match=rf"variables\.index \({size} bytes\)"):
            read_index(frozen)


def test_every_byte_of_the_index_counts(frozen: Path) -> None:
    """Whichever bit of it changes that TensorFlow looks at, it is refused."""
    data = frozen.read_bytes()
    passed_over = unread(data)
    for at in range(8 * len(data)):
        if at // 8 in passed_over:
            continue
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        frozen.write_bytes(changed)
        with pytest.raises(DamagedModelError):
            read_index(frozen)


def test_every_byte_of_the_data_counts(frozen: Path) -> None:
    """Whichever byte of a shard changes, exactly its tensor is at fault, and the others are verified."""
    checkpoint = read_index(frozen)
    shard = checkpoint.shard(0)
    data = shard.read_bytes()
    for at in range(len(data)):
        shard.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        [fault] = verify(checkpoint)
        assert fault.entry.offset <= at < fault.entry.end
        assert fault.trouble in {Trouble.CHECKSUM, Trouble.FORM}


def test_a_short_shard_is_reported_tensor_by_tensor(frozen: Path) -> None:
    """What lies beyond the end is short; what lies before it is verified."""
    checkpoint = read_index(frozen)
    os.truncate(checkpoint.shard(0), 10)

    faults = {fault.entry.name: fault for fault in verify(checkpoint)}

    assert set(faults) == {"b/.ATTRIBUTES/VARIABLE_VALUE", "_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert {fault.trouble for fault in faults.values()} == {Trouble.SHORT}
    assert "would end at byte 16 of 10" in faults["b/.ATTRIBUTES/VARIABLE_VALUE"].message
    with pytest.raises(DamagedModelError, match="would end at byte 16 of 10"):
        read_tensor(checkpoint, "b/.ATTRIBUTES/VARIABLE_VALUE")


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_a_shard_that_is_no_file_is_one_fault(frozen: Path, kind: str) -> None:
    """A pipe is not waited for, and a missing file stands for all its tensors."""
    checkpoint = read_index(frozen)
    shard = checkpoint.shard(0)
    shard.unlink()
    if kind == "folder":
        shard.mkdir()
    elif kind == "pipe":
        os.mkfifo(shard)

    [fault] = verify(checkpoint)

    assert fault.trouble is Trouble.MISSING
    assert "variables.data-00000-of-00001 cannot be read" in fault.message
    with pytest.raises(DamagedModelError):
        read_tensor(checkpoint, "a/.ATTRIBUTES/VARIABLE_VALUE")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n", "Git LFS"),
        (b"", "it is empty"),
        (b"\0" * 60, "60 zero bytes"),
        (b"x" * 60, "does not|not with the mark"),
    ],
)
def test_other_files_are_recognised(frozen: Path, content: bytes, words: str) -> None:
    """What commonly stands in the place of an index is named."""
    frozen.write_bytes(content)
    with pytest.raises(DamagedModelError, match=words):
        read_index(frozen)


def test_a_pipe_is_no_index(tmp_path: Path) -> None:
    """Nothing waits for what never comes."""
    os.mkfifo(tmp_path / "variables.index")
    with pytest.raises(DamagedModelError, match="no regular file"):
        read_index(tmp_path / "variables.index")


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    """It is an error of ours, with the reason."""
    with pytest.raises(DamagedModelError, match="No such file"):
        read_index(tmp_path / "variables.index")


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "first entry is not the header"),
        ([(b"a", b"")], "first entry is not the header"),
        ([(b"", b"\xff")], "the header does not parse"),
        ([(b"", b"")], "counts 0 data files"),
        ([(b"", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")], "counts -1 data files"),
        ([(b"", b"\x0a\x00")], "old format V1"),
        ([(b"", header()), (b"a", b"\xff")], "entry of 'a' does not parse"),
        ([(b"", header()), (b"\0a", b"")], "key 0061 of a slice does not parse"),
    ],
)
def test_entries_that_do_not_parse(
    tmp_path: Path, pairs: list[tuple[bytes, bytes]], words: str
) -> None:
    """A sorted table of something else is no index."""
    index = tmp_path / "variables.index"
    index.write_bytes(table(pairs))
    with pytest.raises(DamagedModelError, match=words):
        read_index(index)


@pytest.mark.parametrize(
    "shape", [(-1,), (2**40, 2**40), (1,) * 255], ids=["negative", "huge", "rank"]
)
def test_shapes_that_no_tensor_has(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """They are refused at reading, as TensorFlow does."""
    with pytest.raises(DamagedModelError, match="'a' has a shape that no tensor has"):
        read_index(write(tmp_path, {b"a": entry(FLOAT, shape)}, b""))


def test_an_unknown_rank_is_none(tmp_path: Path) -> None:
    """A stored tensor has a shape."""
    unknown = entry(FLOAT, ())
    unknown.shape.unknown_rank = True
    with pytest.raises(DamagedModelError, match="no tensor has, unknown"):
        read_index(write(tmp_path, {b"a": unknown}, b""))


def test_names_need_not_be_utf_8(tmp_path: Path) -> None:
    """They survive, there and back."""
    index = write(tmp_path, {b"\xff\xfe": entry(INT32, (1,), b"\1\0\0\0")}, b"\1\0\0\0")
    checkpoint = read_index(index)

    [name] = checkpoint.tensors
    assert os.fsencode(name) == b"\xff\xfe"
    assert read_tensor(checkpoint, name).tolist() == [1]


def test_big_endian_values_are_swapped(tmp_path: Path) -> None:
    """Numbers, parts of complex numbers, types of ml_dtypes and lengths of strings."""
    import ml_dtypes

    values: dict[bytes, tuple[int, Any, Any]] = {
        b"complex": (COMPLEX, np.array([1 + 2j, 3 - 4j], np.complex64), np.dtype(">f4")),
        b"float": (FLOAT, np.array([[1.5, -2]], np.float32), np.dtype(">f4")),
        b"half": (BFLOAT, np.array([1.5, 3], ml_dtypes.bfloat16), np.dtype(">u2")),
    }
    data = b""
    entries = {}
    for name, (dtype, value, stored) in values.items():
        native = stored.newbyteorder("=")
        swapped = value.view(native).astype(stored).tobytes()
        entries[name] = entry(dtype, value.shape, swapped, offset=len(data))
        data += swapped
    text, checksum = strings(b"ab", b"", order=">")
    entries[b"text"] = entry(STRING, (2,), text, offset=len(data))
    entries[b"text"].crc32c = checksum
    checkpoint = read_index(
        write(tmp_path, entries, data + text, head=header(num_shards=1, endianness=1))
    )

    assert not checkpoint.little_endian
    assert list(verify(checkpoint)) == []
    for name, (_, value, _) in values.items():
        found = read_tensor(checkpoint, name.decode())
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)
    assert read_tensor(checkpoint, "text").tolist() == [b"ab", b""]


def test_slices_are_put_together(tmp_path: Path) -> None:
    """Each part goes to its place, in whatever shard it is."""
    whole = np.arange(12, dtype=np.int32).reshape(3, 4)
    left, right = whole[:, :1].tobytes(), whole[:, 1:].tobytes()
    full = entry(INT32, (3, 4))
    for start, length in ((0, 1), (1, 3)):
        part = full.slices.add()
        part.extent.add()
        part.extent.add(start=start, length=length)
    everything = b"\x80\x7f"
    keys = [
        slice_key(b"t", (0, 0), extent).replace(b"\x80\x80", everything, 1)
        for extent in ((0, 1), (1, 3))
    ]
    entries = {
        b"t": full,
        keys[0]: entry(INT32, (3, 1), left),
        keys[1]: entry(INT32, (3, 3), right, shard_id=1),
    }
    checkpoint = read_index(write(tmp_path, entries, left, right))

    assert [part.extents for part in checkpoint.tensors["t"].slices] == [
        ((0, 3), (0, 1)),
        ((0, 3), (1, 3)),
    ]
    np.testing.assert_array_equal(read_tensor(checkpoint, "t"), whole)
    assert list(verify(checkpoint)) == []
    assert checkpoint.parameters == 12


def test_a_missing_slice_is_told(tmp_path: Path) -> None:
    """A part that is not stored has no entry, and the whole no value; a part of nothing is an orphan."""
    full = entry(INT32, (2,))
    full.slices.add().extent.add(start=0, length=2)
    other = entry(INT32, (1,), b"\0\0\0\0")
    checkpoint = read_index(
        write(tmp_path, {b"t": full, slice_key(b"u", (0, 1)): other}, b"\0" * 4)
    )

    assert checkpoint.tensors["t"].slices[0].entry is None
    assert [orphan.name for orphan in checkpoint.orphans] == ["u"]
    with pytest.raises(DamagedModelError, match="slice of t is missing"):
        read_tensor(checkpoint, "t")


def test_slices_of_another_rank_are_refused(tmp_path: Path) -> None:
    """A slice has as many dimensions as its tensor."""
    full = entry(INT32, (2, 2))
    full.slices.add().extent.add()
    with pytest.raises(DamagedModelError, match="slice of 't' has 1 dimensions, the tensor 2"):
        read_index(write(tmp_path, {b"t": full}, b""))


@pytest.mark.parametrize(
    ("count", "data", "words"),
    [
        (3, b"\0\0\0\0\0", "3 strings do not go into 5 bytes"),
        (1, b"\xff" * 20, "do not parse"),
        (1, b"\x80" * 9 + b"\x01" + b"\0" * 9, "does not go into 19"),
        (2, b"\x0a\x0a" + b"\0" * 12, "its strings end at byte 26, the tensor at 14"),
        (1, b"\0" + b"\0" * 4, "the checksum of its strings' lengths is"),
        (2000, b"\xff" * 4000, "do not parse"),
        (2000, b"\x7f" * 4000, "its strings end at byte"),
    ],
)
def test_lengths_of_strings_that_lie(tmp_path: Path, count: int, data: bytes, words: str) -> None:
    """They are faults, and take neither time nor memory."""
    checkpoint = read_index(write(tmp_path, {b"t": entry(STRING, (count,), data)}, data))

    [fault] = verify(checkpoint)

    assert fault.trouble is Trouble.FORM
    assert words in fault.message
    with pytest.raises(DamagedModelError):
        read_tensor(checkpoint, "t")


@pytest.mark.parametrize("wrong", [None, 0, 3, 8, 12])
def test_variants_have_a_checksum_each(tmp_path: Path, wrong: int | None) -> None:
    """Length, content, and a checksum of all so far; a wrong byte in any of them is found."""
    data = b""
    summed = b""
    for content in (b"abc", b"defg"):
        summed += struct.pack("<Q", len(content)) + content
        sealed = struct.pack("<I", crc.masked(summed))
        data += bytes([len(content)]) + content + sealed
        summed += sealed
    made = entry(VARIANT, (2,), data)
    made.crc32c = crc.masked(summed)
    if wrong is not None:
        data = data[:wrong] + bytes([data[wrong] ^ 1]) + data[wrong + 1 :]
    checkpoint = read_index(write(tmp_path, {b"t": made}, data))

    assert [fault.trouble for fault in verify(checkpoint)] == (
        [Trouble.FORM] if wrong is not None else []
    )
    with pytest.raises(UnsupportedError, match="no form as an array"):
        read_tensor(checkpoint, "t")


def test_no_byte_is_verified_twice(tmp_path: Path) -> None:
    """Many tensors that claim the same bytes would take for ever; each but the first is a fault."""
    data = bytes(1000)
    entries = {f"t{i}".encode(): entry(INT32, (250,), data) for i in range(50)}
    seen: list[int] = []

    faults = list(verify(read_index(write(tmp_path, entries, data)), seen.append))

    assert [fault.trouble for fault in faults] == [Trouble.FORM] * 49
    assert sum(seen) == 1000


def test_memory_is_constant(tmp_path: Path) -> None:
    """A tensor of many megabytes is never in memory at once."""
    size = 32 << 20
    checkpoint = read_index(write(tmp_path, {b"t": entry(INT32, (size // 4,), bytes(size))}, b""))
    os.truncate(checkpoint.shard(0), size)
    tracemalloc.start()

    assert list(verify(checkpoint)) == []
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_what_is_asked_for_must_be_there(frozen: Path) -> None:
    """Another name, another type and a value above the limit are errors with a reason."""
    checkpoint = read_index(frozen)
    with pytest.raises(UsageError, match="has no tensor 'c'"):
        read_tensor(checkpoint, "c")
    with pytest.raises(UnsupportedError, match="no tensor of strings"):
        read_strings(checkpoint, "a/.ATTRIBUTES/VARIABLE_VALUE")
    with pytest.raises(UnsupportedError, match="takes 12 bytes; the limit is 11"):
        read_tensor(checkpoint, "b/.ATTRIBUTES/VARIABLE_VALUE", limit=11)


def test_a_huge_shape_takes_no_memory(tmp_path: Path) -> None:
    """The index alone can say anything."""
    huge = entry(STRING, (2**50,))
    checkpoint = read_index(write(tmp_path, {b"t": huge, b"u": entry(FLOAT, (2**50,))}, b""))
    for name in checkpoint.tensors:
        with pytest.raises(UnsupportedError):
            read_tensor(checkpoint, name)
    with pytest.raises(UnsupportedError):
        read_strings(checkpoint, "t")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("_ENTRIES_LIMIT", "more than 5 tensors and slices"),
        ("_NUMBERS_LIMIT", "more than 5 dimensions"),
        ("_VALUE_LIMIT", "the header has . bytes; above 5"),
    ],
)
def test_an_index_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    """Tensors, their dimensions and the sizes of their entries are bounded."""
    index = write(tmp_path, {b"%d" % number: entry(FLOAT, [0, 1]) for number in range(6)}, b"")
    assert len(read_index(index).tensors) == 6
    monkeypatch.setattr(_index, limit, 5)

    with pytest.raises(DamagedModelError, match=words):
        read_index(index)


def test_slices_without_end_are_not_read(tmp_path: Path) -> None:
    """A slice of the highest rank takes two bytes for a dimension, and much more in memory."""
    tensor = entry(FLOAT, [1] * 254)
    for _ in range(4000):
        part = tensor.slices.add()
        for _ in range(254):
            part.extent.add()

    with pytest.raises(DamagedModelError, match="more than 4000000 dimensions together"):
        read_index(write(tmp_path, {b"t": tensor}, b""))


def test_a_version_before_the_first_is_refused(tmp_path: Path) -> None:
    """TensorFlow reads versions from 0 on."""
    head = schema.BundleHeaderProto(num_shards=1)
    for producer in (0, 1, 2):
        head.version.producer = producer
        assert (
            read_index(write(tmp_path, {}, b"", head=head.SerializeToString())).version == producer
        )
    head.version.producer = -5

    with pytest.raises(DamagedModelError, match="it is of version -5 of the format"):
        read_index(write(tmp_path, {}, b"", head=head.SerializeToString()))

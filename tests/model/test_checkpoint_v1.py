"""Reading checkpoints of the old format V1; the frozen one was written by TensorFlow 1.4.1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.model.tables import table

from savedmodel_compat.errors import DamagedModelError, UnsupportedError, UsageError
from savedmodel_compat.model import schema, wire
from savedmodel_compat.model._table import TableReader
from savedmodel_compat.model.checkpoint import read_v1

FROZEN = Path(__file__).parent / "saver_v1" / "weights"
Pairs = list[tuple[bytes, bytes]]


def test_a_checkpoint_of_1_4_is_read() -> None:
    """Each tensor has its type, its shape and its values; strings keep the zero bytes at their end."""
    found = read_v1(FROZEN)
    assert found.files == (FROZEN,)
    assert {name: (each.dtype, each.shape) for name, each in found.tensors.items()} == {
        "bytes": ("uint8", (3,)),
        "complex": ("complex64", (2,)),
        "dense/kernel": ("float32", (3, 4)),
        "dense/odd": ("float32", (4,)),
        "double": ("float64", ()),
        "empty": ("int32", (0, 3)),
        "flags": ("bool", (1, 2)),
        "half": ("float16", (3,)),
        "narrow": ("int8", (3,)),
        "partitioned": ("float32", (5, 2)),
        "step": ("int64", ()),
        "words": ("string", (4,)),
    }
    assert found.read("narrow").tolist() == [-128, 127, -1]
    assert found.read("words").tolist() == [b"a word", b"", b"zeros\0\0", b"\xff"]
    assert found.read("step") == 2**40 + 5
    odd = found.read("dense/odd")
    assert odd.tobytes() == np.array([np.nan, -0.0, np.inf, 1e-40], np.float32).tobytes()


def test_a_partitioned_tensor_is_put_together() -> None:
    """Its slices stand in the order of their places, whatever the order of the table."""
    found = read_v1(FROZEN)
    assert found.tensors["partitioned"].slices == (((0, 3), (0, 2)), ((3, 2), (0, 2)))
    drawn = np.random.RandomState(5).uniform(-1, 1, size=(5, 2)).astype(np.float32)
    assert found.read("partitioned").tobytes() == drawn.tobytes()


def test_slices_of_one_tensor_stand_in_several_files(tmp_path: Path) -> None:
    """A checkpoint of several files is one: each describes the slices that it has."""
    described, *stored = _pairs()
    tensors = [each for _, each in _fields(_content(described[1], 1))]
    whole = next(each for each in tensors if _content(each, 1) == b"partitioned")
    head = [(n, c) for n, c in _fields(whole) if n != 4]
    slices = [c for n, c in _fields(whole) if n == 4]
    of_it = [pair for pair in stored if _content(_content(pair[1], 2), 1) == b"partitioned"]
    for number in range(2):
        meta = _message([*head, (4, slices[number])])
        pairs = [(b"", _message([(1, _message([(1, meta)]))])), of_it[number]]
        (tmp_path / f"weights-0000{number}-of-00002").write_bytes(table(pairs))

    found = read_v1(tmp_path / "weights")
    assert len(found.files) == 2
    assert np.array_equal(found.read("partitioned"), read_v1(FROZEN).read("partitioned"))

    found.files[1].unlink()
    with pytest.raises(DamagedModelError, match="shard 1 of 2 is missing"):
        read_v1(tmp_path / "weights")


def test_every_byte_is_verified(tmp_path: Path) -> None:
    """A checkpoint of which any one byte is wrong is refused, or has the same values."""
    whole = FROZEN.read_bytes()
    wanted = {name: read_v1(FROZEN).read(name).tolist() for name in ("words", "step", "flags")}
    copy = tmp_path / "weights"
    for at in range(0, len(whole), 7):
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        try:
            found = read_v1(copy)
        except DamagedModelError:
            continue
        assert {name: found.read(name).tolist() for name in wanted} == wanted, at


@pytest.mark.parametrize("size", [0, 47, 500])
def test_a_checkpoint_that_breaks_off_is_refused(size: int, tmp_path: Path) -> None:
    """The text names the file."""
    copy = tmp_path / "weights"
    copy.write_bytes(FROZEN.read_bytes()[:size])
    with pytest.raises(DamagedModelError, match="weights is no checkpoint of format V1"):
        read_v1(copy)


def test_an_index_of_format_v2_is_told(tmp_path: Path) -> None:
    """Asked for a checkpoint that is of the newer format, the text says so, and how to read it."""
    (tmp_path / "weights.index").write_bytes(b"")
    with pytest.raises(UsageError, match="is a checkpoint of format V2") as caught:
        read_v1(tmp_path / "weights")
    assert caught.value.hint is not None
    assert "read_index" in caught.value.hint
    with pytest.raises(UsageError, match="there is no checkpoint"):
        read_v1(tmp_path / "nothing")


def test_what_is_not_there_cannot_be_read() -> None:
    """A tensor of another name is none of it, and one above the limit is not read."""
    found = read_v1(FROZEN)
    with pytest.raises(UsageError, match="has no tensor 'bias'"):
        found.read("bias")
    with pytest.raises(UnsupportedError, match="takes 48 bytes; the limit is 40"):
        found.read("dense/kernel", limit=40)


def test_a_missing_slice_is_seen(tmp_path: Path) -> None:
    """A table that lacks one of the slices that it describes holds together, and the tensor is refused; the others are read."""
    file = _changed(tmp_path, lambda pairs: pairs.pop(_last_of(pairs, b"partitioned")))
    found = read_v1(file)
    with pytest.raises(DamagedModelError, match="'partitioned' is not there"):
        found.read("partitioned")
    assert found.read("step") == 2**40 + 5


def test_slices_that_leave_a_gap_are_seen(tmp_path: Path) -> None:
    """A tensor of which a slice is not even described is no tensor with zeros in it."""
    file = _changed(tmp_path, lambda pairs: _list_slices(pairs, lambda slices: slices[:-1]))
    found = read_v1(file)
    with pytest.raises(DamagedModelError, match="4 of 10 elements of 'partitioned'"):
        found.read("partitioned")


def test_too_few_values_are_seen(tmp_path: Path) -> None:
    """Of too few values, the last is not repeated, as it is in a constant of a graph."""
    found = read_v1(_with_values(tmp_path, b"narrow", schema.TensorProto(int_val=[-128, 127])))
    with pytest.raises(DamagedModelError, match="has 2 values in int_val, and 3 are its size"):
        found.read("narrow")


@pytest.mark.parametrize(
    ("name", "values", "own", "other"),
    [
        ("dense/odd", schema.TensorProto(double_val=[1, 2, 3, 4]), "float_val", "double_val"),
        ("dense/odd", schema.TensorProto(float_val=[7, 8], int_val=[1, 2]), "float_val", "int_val"),
        (
            "dense/odd",
            schema.TensorProto(float_val=[1, 2, 3, 4], tensor_content=bytes(16)),
            "float_val",
            "tensor_content",
        ),
        ("dense/odd", schema.TensorProto(tensor_content=bytes(16)), "float_val", "tensor_content"),
        ("half", schema.TensorProto(float_val=[1, 2, 3]), "half_val", "float_val"),
        ("words", schema.TensorProto(int_val=[1, 2, 3, 4]), "string_val", "int_val"),
        ("complex", schema.TensorProto(dcomplex_val=[1, 2, 3, 4]), "scomplex_val", "dcomplex_val"),
    ],
)
def test_values_in_a_field_of_another_type_are_refused(
    name: str, values: schema.TensorProto, own: str, other: str, tmp_path: Path
) -> None:
    """They are neither read as zeros nor counted as values; the text names the tensor, and both fields."""
    found = read_v1(_with_values(tmp_path, name.encode(), values))
    words = f"of '{name}' has values in {other}, and those of .* stand in {own}"
    with pytest.raises(DamagedModelError, match=words):
        found.read(name)


def test_half_a_complex_value_is_refused(tmp_path: Path) -> None:
    """Each takes two numbers."""
    for count in (3, 5):
        values = schema.TensorProto(scomplex_val=[1.0] * count)
        found = read_v1(_with_values(tmp_path, b"complex", values))
        with pytest.raises(DamagedModelError):
            found.read("complex")


def test_a_slice_that_is_stored_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two holds, nothing says."""

    def again(pairs: Pairs) -> None:
        at = _last_of(pairs, b"narrow")
        pairs.insert(at + 1, (pairs[at][0] + b"\0", pairs[at][1]))

    with pytest.raises(DamagedModelError, match="of 'narrow' is stored twice"):
        read_v1(_changed(tmp_path, again))


def test_a_slice_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    """However often it is listed, no more time is taken than for once."""
    file = _changed(tmp_path, lambda pairs: _list_slices(pairs, lambda slices: slices * 2000))
    with pytest.raises(DamagedModelError, match="lists a slice of 'partitioned' twice"):
        read_v1(file)


def test_slices_that_overlap_are_refused(tmp_path: Path) -> None:
    """No element of a tensor is in two slices of it."""
    whole = _message([(1, b""), (1, b"")])
    file = _changed(tmp_path, lambda pairs: _list_slices(pairs, lambda slices: [*slices, whole]))
    with pytest.raises(DamagedModelError, match="of 'partitioned' overlaps those before it"):
        read_v1(file).read("partitioned")


def test_a_shape_that_numpy_has_not_is_named(tmp_path: Path) -> None:
    """A tensor without elements may have dimensions of any size."""
    shape = schema.TensorShapeProto()
    for size in (0, 2**62):
        shape.dim.add(size=size)
    described = [(1, b"vast"), (2, shape.SerializeToString()), (-3, wire.as_varint(1))]
    entry = (b"", _message([(1, _message([(1, _message(described))]))]))
    (tmp_path / "weights").write_bytes(table([entry]))
    found = read_v1(tmp_path / "weights")
    with pytest.raises(
        UnsupportedError, match=r"has the shape \[0, 4611686018427387904\], of which"
    ):
        found.read("vast")


def test_a_slice_beyond_its_tensor_is_refused(tmp_path: Path) -> None:
    """A place that the tensor does not have is not written to."""

    def moved(pairs: Pairs) -> None:
        at = _last_of(pairs, b"narrow")
        saved = [(n, c) for n, c in _fields(_content(pairs[at][1], 2)) if n != 2]
        extent = (
            wire.as_varint(1 << 3) + wire.as_varint(2) + wire.as_varint(2 << 3) + wire.as_varint(2)
        )
        pairs[at] = (
            pairs[at][0],
            _message([(2, _message([*saved, (2, _message([(1, extent)]))]))]),
        )

    with pytest.raises(DamagedModelError, match="from 2 of length 2 is not within 3"):
        read_v1(_changed(tmp_path, moved))


def _pairs() -> Pairs:
    return list(TableReader(FROZEN.read_bytes()).entries())


def _changed(folder: Path, change: Callable[[Pairs], object]) -> Path:
    """Return a copy of the frozen checkpoint whose entries were changed, and whose checksums hold."""
    pairs = _pairs()
    change(pairs)
    file = folder / "weights"
    file.write_bytes(table(pairs))
    return file


def _with_values(folder: Path, name: bytes, values: schema.TensorProto) -> Path:
    """Return a copy whose last slice of a tensor has other values."""

    def change(pairs: Pairs) -> None:
        at = _last_of(pairs, name)
        saved = _fields(_content(pairs[at][1], 2))
        others = [(n, c) for n, c in saved if n != 3] + [(3, values.SerializeToString())]
        pairs[at] = (pairs[at][0], _message([(2, _message(others))]))

    return _changed(folder, change)


def _list_slices(pairs: Pairs, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Describe the partitioned tensor with other slices."""
    tensors = []
    for _, each in _fields(_content(pairs[0][1], 1)):
        fields = _fields(each)
        if _content(each, 1) == b"partitioned":
            slices = change([content for number, content in fields if number == 4])
            fields = [field for field in fields if field[0] != 4]
            fields += [(4, content) for content in slices]
        tensors.append((1, _message(fields)))
    pairs[0] = (b"", _message([(1, _message(tensors))]))


def _last_of(pairs: Pairs, name: bytes) -> int:
    """Return which entry holds the last slice of a tensor."""
    names = [_content(_content(value, 2), 1) for _, value in pairs[1:]]
    return len(names) - names[::-1].index(name)


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of a message; a number keeps its bytes and counts itself as negative."""
    found = []
    at = 0
    while at < len(message):
        tag, start, at = wire.field(message, at)
        found.append((tag >> 3 if tag & 7 == wire.LENGTH else -(tag >> 3), message[start:at]))
    return found


def _message(fields: list[tuple[int, bytes]]) -> bytes:
    data = b""
    for number, content in fields:
        if number < 0:
            data += wire.as_varint(wire.tag_of(-number, wire.VARINT)) + content
        else:
            data += wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(content)) + content
    return data


def _content(message: bytes, number: int) -> bytes:
    return next((content for each, content in _fields(message) if each == number), b"")

"""Checkpoints: what one release saves, another restores, and the harness reads, bit for bit the same.

``tf.train.Saver`` saves by name, in the format V2 or in the old one, V1, which every release can still write
(``tensorflow/core/util/tensor_bundle/tensor_bundle.cc``, ``tensorflow/core/util/tensor_slice_writer.cc``); ``tf.train.Checkpoint``
by the attributes of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import checkpoint
from savedmodel_compat.model.checkpoint import Trouble, read_index, read_tensor, verify

if TYPE_CHECKING:
    from savedmodel_compat.matrix.calls import Called

Call = Callable[..., "list[Called]"]
Arrays = Mapping[str, "np.ndarray[Any, Any]"]

PROGRAM = "suites/programs/saver.py"
RELEASES = "1.4.1,1.15.5,2.4.4,2.21.0"
OF_OBJECTS = "2.4.4,2.21.0"
# Who saves, and whether in a file for each device; the oldest and the newest do both.
PRODUCERS = [
    ("1.4.1", False),
    ("1.4.1", True),
    ("1.15.5", False),
    ("2.4.4", False),
    ("2.21.0", False),
    ("2.21.0", True),
]
SEED = 5
# So many tensors each checkpoint has, and each comparison compares.
TENSORS = 12


@pytest.mark.parametrize("write_version", ["V1", "V2"])
@pytest.mark.parametrize(("producer", "sharded"), PRODUCERS)
def test_every_release_restores_what_another_saved(
    *, producer: str, write_version: str, sharded: bool, tmp_path: Path, savedmodel_call: Call
) -> None:
    """Into variables of the same names, in both formats: every bit is what it was."""
    saved = _saved(savedmodel_call, tmp_path, producer, write_version, sharded=sharded)
    found = savedmodel_call(
        f"{PROGRAM}::restore", on=RELEASES, directory=str(tmp_path), sharded=sharded
    )
    assert [each.release for each in found] == RELEASES.split(",")
    for each in found:
        assert each.failure is None, (each.release, each.failure)
        _assert_same(each.arrays, saved)


@pytest.mark.parametrize(("producer", "sharded"), PRODUCERS)
def test_the_harness_reads_format_v2(
    *, producer: str, sharded: bool, tmp_path: Path, savedmodel_call: Call
) -> None:
    """Each tensor, a partitioned one too, is what the release saved; every checksum holds."""
    saved = _saved(savedmodel_call, tmp_path, producer, "V2", sharded=sharded)
    index = read_index(tmp_path / "weights.index")
    assert len(index.tensors["partitioned"].slices) == 2
    assert not list(verify(index))
    _assert_same({name: read_tensor(index, name) for name in index.tensors}, saved)


@pytest.mark.parametrize(("producer", "sharded"), PRODUCERS)
def test_the_harness_reads_format_v1(
    *, producer: str, sharded: bool, tmp_path: Path, savedmodel_call: Call
) -> None:
    """So is each tensor of the old format, whose data stand in the table itself."""
    saved = _saved(savedmodel_call, tmp_path, producer, "V1", sharded=sharded)
    old = checkpoint.read_v1(tmp_path / "weights")
    assert len(old.tensors["partitioned"].slices) == 2
    _assert_same({name: old.read(name) for name in old.tensors}, saved)


@pytest.mark.parametrize("producer", ["1.4.1", "1.15.5"])
def test_names_of_tensorflow_1_are_assigned_in_tensorflow_2(
    producer: str, tmp_path: Path, savedmodel_call: Call
) -> None:
    """`tf.train.load_checkpoint` gives tensors by name, and variables of eager execution take them as they are."""
    saved = _saved(savedmodel_call, tmp_path, producer, "V2", sharded=False)
    found = savedmodel_call(
        f"{PROGRAM}::assign", on=OF_OBJECTS, directory=str(tmp_path), sharded=False
    )
    for each in found:
        assert each.failure is None, (each.release, each.failure)
        _assert_same(each.arrays, saved)


def test_the_reader_of_a_release_gives_less_of_format_v1(
    tmp_path: Path, savedmodel_call: Call
) -> None:
    """Of the old format, TensorFlow's own reader has no slices and not all types, though its saver restores them all."""
    saved = _saved(savedmodel_call, tmp_path, "1.4.1", "V1", sharded=False)
    never = {"complex", "half", "partitioned"}
    lacking = dict.fromkeys(RELEASES.split(","), never | {"flags"}) | {"2.21.0": never}
    found = savedmodel_call(f"{PROGRAM}::read", on=RELEASES, directory=str(tmp_path), sharded=False)
    for each in found:
        assert each.failure is None, (each.release, each.failure)
        given = {name: saved[name] for name in saved if name not in lacking[each.release]}
        _assert_same(each.arrays, given)


@pytest.mark.parametrize("producer", OF_OBJECTS.split(","))
def test_checkpoints_of_objects_go_both_ways(
    producer: str, tmp_path: Path, savedmodel_call: Call
) -> None:
    """`tf.train.Checkpoint` of either release is restored by the other, and the harness reads it by the keys of attributes."""
    [saved] = savedmodel_call(
        f"{PROGRAM}::save_objects", on=producer, directory=str(tmp_path), seed=SEED
    )
    assert saved.failure is None, saved.failure
    restored = savedmodel_call(
        f"{PROGRAM}::restore_objects", on=OF_OBJECTS, directory=str(tmp_path)
    )
    for each in restored:
        assert each.failure is None, (each.release, each.failure)
        _assert_same(each.arrays, saved.arrays)

    index = read_index(tmp_path / "weights.index")
    assert not list(verify(index))
    read = {
        name: read_tensor(index, f"holder/of_{name.replace('/', '_')}/.ATTRIBUTES/VARIABLE_VALUE")
        for name in saved.arrays
    }
    _assert_same(read, saved.arrays)


def test_format_v1_is_told_from_an_index(tmp_path: Path, savedmodel_call: Call) -> None:
    """Read as an index of format V2, the old format is named, and what to do about it."""
    _saved(savedmodel_call, tmp_path, "1.15.5", "V1", sharded=False)
    with pytest.raises(DamagedModelError, match="a checkpoint of the old format V1") as caught:
        read_index(tmp_path / "weights")
    assert caught.value.hint is not None
    assert "write_version" in caught.value.hint


def test_a_wrong_byte_of_format_v1_is_seen(tmp_path: Path, savedmodel_call: Call) -> None:
    """TensorFlow and the harness refuse the checkpoint, and the harness says where."""
    _saved(savedmodel_call, tmp_path, "1.15.5", "V1", sharded=False)
    file = tmp_path / "weights"
    _flip(file, 60)
    with pytest.raises(DamagedModelError, match="block at byte 0 has the checksum"):
        checkpoint.read_v1(file)
    assert _failures(savedmodel_call, tmp_path) == ["InternalError", "InternalError"]


def test_a_wrong_byte_of_format_v2_is_seen(tmp_path: Path, savedmodel_call: Call) -> None:
    """TensorFlow and the harness refuse the tensor; the harness says which, without reading all of the others."""
    saved = _saved(savedmodel_call, tmp_path, "2.21.0", "V2", sharded=False)
    index = read_index(tmp_path / "weights.index")
    broken = index.tensors["dense/kernel"]
    _flip(index.shard(0), broken.offset + 3)
    [fault] = verify(index)
    assert (fault.entry.name, fault.trouble) == ("dense/kernel", Trouble.CHECKSUM)
    with pytest.raises(DamagedModelError):
        read_tensor(index, "dense/kernel")
    other = "dense/odd"
    _assert_same({other: read_tensor(index, other)}, {other: saved[other]})
    assert _failures(savedmodel_call, tmp_path) == ["DataLossError", "DataLossError"]


def _saved(
    call: Call, directory: Path, producer: str, write_version: str, *, sharded: bool
) -> Arrays:
    """Save in a release, and return the values that it says it saved."""
    [saved] = call(
        f"{PROGRAM}::save",
        on=producer,
        directory=str(directory),
        write_version=write_version,
        sharded=sharded,
        seed=SEED,
    )
    assert saved.failure is None, saved.failure
    assert len(saved.arrays) == TENSORS
    arrays: Arrays = saved.arrays
    return arrays


def _failures(call: Call, directory: Path) -> list[str]:
    found = call(f"{PROGRAM}::restore", on="1.15.5,2.21.0", directory=str(directory), sharded=False)
    return [each.failure.type for each in found if each.failure is not None]


def _flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


def _assert_same(found: Arrays, wanted: Arrays) -> None:
    """Compare types, shapes and bits; those of NaN and of minus zero, too."""
    assert sorted(found) == sorted(wanted)
    for name in wanted:
        one, other = found[name], wanted[name]
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name
        same = (
            one.tolist() == other.tolist()
            if one.dtype == object
            else one.tobytes() == other.tobytes()
        )
        assert same, name

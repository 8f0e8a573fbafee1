"""Tests of the store: what is written is read, all that is damaged shows, and nothing else is touched."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.golden import stored
from tests.golden.stored import data_set, factor_of, files_below, golden, key

from savedmodel_compat.cache import VARIABLE
from savedmodel_compat.errors import (
    GoldenDamagedError,
    GoldenMissingError,
    InfrastructureError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden import _exchange
from savedmodel_compat.golden.store import DataSet, Key, Store, Written
from savedmodel_compat.golden.tolerances import Check

CHECK = Check(checker="unordered", outputs=("y",), reason="a set")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with nothing in it, whose folder is not there."""
    return Store(tmp_path / "golden")


@pytest.fixture
def full(store: Store) -> Store:
    """A store with one golden of two data sets."""
    store.write(golden(key(), data_set("typical"), data_set("batch of 1", size=1)))
    return store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a filesystem of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small filesystem can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def place(store: Store) -> Path:
    """Return the folder of the one golden."""
    return store.place(key())


def damage(store: Store) -> GoldenDamagedError:
    """Return how the one golden is damaged: reading and verifying agree."""
    with pytest.raises(GoldenDamagedError) as raised:
        store.read(key())
    assert raised.value.message in {error.message for error in store.verify()}
    assert raised.value.hint
    return raised.value


def test_a_golden_is_read_as_it_was_written(full: Store) -> None:
    """Data sets come back in order, with their arrays, types and reasons."""
    found = full.read(key())

    assert found.key == key()
    assert [one.name for one in found.data_sets] == ["typical", "batch of 1"]
    assert found.data_sets[0].inputs["x"].tolist() == [0, 1, 2]
    assert found.data_sets[1].dtypes == {"inputs/x": "float32", "outputs/y": "float32"}
    assert found.manifest == full.manifest(key())
    assert [facts.name for facts in found.manifest.data_sets] == ["typical", "batch of 1"]
    assert full.verify() == ()


def test_the_files_of_a_golden(full: Store) -> None:
    """One file a data set and a manifest, in a folder named after model, tags and signature."""
    assert list(files_below(full.root)) == [
        "tensors/half_plus_two/serve/serving_default/batch%20of%201.tensors",
        "tensors/half_plus_two/serve/serving_default/manifest.json",
        "tensors/half_plus_two/serve/serving_default/typical.tensors",
    ]


def test_what_is_there(store: Store) -> None:
    """Keys are listed in order; nothing is there of what was not written."""
    keys = [
        key("b"),
        key("a"),
        key("A"),
        key("x", model="m/n"),
        Key(model="m", tags=(), signature=""),
    ]
    for one in keys:
        assert not store.has(one)
        assert store.write(golden(one)) is Written.NEW
    assert store.keys() == tuple(sorted(keys))
    assert all(store.has(one) for one in keys)
    assert not store.has(key("c"))


def test_an_empty_store(store: Store) -> None:
    """A folder that is missing is a store without goldens, and looking makes no folder."""
    assert store.keys() == ()
    assert store.verify() == ()
    assert not store.root.exists()


def test_a_missing_golden(full: Store) -> None:
    """It is said which one is missing, where it should lie, and what there is instead."""
    with pytest.raises(GoldenMissingError) as raised:
        full.read(key("predict"))
    assert "model 'half_plus_two' [serve], signature 'predict'" in raised.value.message
    assert str(full.place(key("predict"))) in raised.value.message
    assert "there are serving_default" in raised.value.message
    assert "golden record" in str(raised.value)
    with pytest.raises(GoldenMissingError):
        full.manifest(key("predict"))


def test_the_same_tensors_leave_the_manifest(store: Store) -> None:
    """A golden that is recorded again with the same outputs stays as it is, byte for byte."""
    store.write(golden(overrides=(stored.OVERRIDE,), checks=(CHECK,)))
    before = files_below(store.root)
    assert store.write(golden(producer="2.21.0")) is Written.UNCHANGED
    assert store.add(golden(producer="2.21.0")) is Written.UNCHANGED
    assert files_below(store.root) == before


def test_writing_replaces(full: Store) -> None:
    """Other tensors take the place of what is there, data sets that are gone and all."""
    assert full.write(golden(factor=2)) is Written.REPLACED
    assert factor_of(full) == 2
    assert len(files_below(full.root)) == 2
    assert full.verify() == ()


def test_another_dtype_of_the_same_bytes_is_another_golden(store: Store) -> None:
    """A quantised integer is none of the plain ones, although numpy holds both alike."""
    y = np.array([1], np.int8)
    store.write(stored.of_arrays({}, {"y": y}))
    assert store.add(stored.of_arrays({}, {"y": y}, {"outputs/y": "qint8"})) is Written.DIFFERS
    assert store.write(stored.of_arrays({}, {"y": y}, {"outputs/y": "qint8"})) is Written.REPLACED


def test_adding_never_replaces(store: Store) -> None:
    """Only what is not there is added; what differs stays."""
    assert store.add(golden()) is Written.NEW
    assert store.add(golden()) is Written.UNCHANGED
    assert store.add(golden(factor=2)) is Written.DIFFERS
    assert factor_of(store) == 1


def test_a_damaged_golden_is_replaced_but_not_added_to(full: Store) -> None:
    """Recording again mends; adding does not decide what a damaged golden was."""
    (place(full) / "typical.tensors").write_bytes(b"")
    with pytest.raises(GoldenDamagedError):
        full.add(golden())
    assert full.write(golden()) is Written.REPLACED
    assert full.verify() == ()


def test_removing(full: Store) -> None:
    """A golden goes with the folders that are empty then; others stay."""
    full.write(golden(key("predict")))
    full.remove(key())
    assert full.keys() == (key("predict"),)
    full.remove(key("predict"))
    assert list(full.root.iterdir()) == []
    with pytest.raises(GoldenMissingError):
        full.remove(key())


def test_two_stores_of_one_folder(full: Store, tmp_path: Path) -> None:
    """A folder is the same store by whatever path, and may itself be a link."""
    (tmp_path / "link").symlink_to(full.root)
    other = Store(tmp_path / "link")
    assert other.keys() == full.keys()
    assert other.write(golden(factor=3)) is Written.REPLACED
    assert factor_of(full) == 3


def test_a_data_set_without_outputs_is_none(store: Store) -> None:
    """Nothing to compare would always pass."""
    with pytest.raises(UsageError, match="outputs is empty: there is nothing to compare"):
        store.write(stored.of_arrays({"x": np.zeros(1)}, {}))
    with pytest.raises(UsageError, match="data_sets is empty"):
        store.write(replace(golden(), data_sets=()))
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: golden(key(), data_set(), data_set()), "names 'typical' twice"),
        (lambda: replace(golden(), key=key("other")), "is one of model 'half_plus_two'"),
        (lambda: golden(surroundings={"a": float("nan")}), "plain JSON only"),
        (lambda: golden(overrides=(replace(stored.OVERRIDE, reason=""),)), "say why"),
        (lambda: golden(overrides=(replace(stored.OVERRIDE, output="z"),)), "known are y"),
        (
            lambda: golden(
                key(),
                DataSet(
                    name="a", inputs={}, outputs={"y": np.zeros(1)}, dtypes={"outputs/z": "half"}
                ),
            ),
            "the type of 'outputs/z', which is not there",
        ),
    ],
)
def test_what_is_no_golden(store: Store, wrong: Callable[[], Any], said: str) -> None:
    """What could not be read is not written."""
    with pytest.raises(UsageError, match=said):
        store.write(wrong())
    assert not store.root.exists()


def test_an_array_of_another_type_than_said(store: Store) -> None:
    """Nothing is converted on its way into the store."""
    with pytest.raises(UnsupportedError, match="outputs/y is said to be int64"):
        store.write(stored.of_arrays({}, {"y": np.zeros(1)}, {"outputs/y": "int64"}))


def test_a_file_cut_short(full: Store) -> None:
    """A tensor file without its last byte is named, with how long it is and should be."""
    path = place(full) / "typical.tensors"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 1)
    assert damage(full).message == (
        f"{path}: it has {size - 1} bytes and its tensors end at {size}: it was cut short"
    )


def test_an_element_changed(full: Store) -> None:
    """One bit of one output shows as another SHA-256."""
    path = place(full) / "typical.tensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = damage(full)
    assert found.path == path
    assert "outputs/y has the SHA-256" in found.problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensor: tensor.update(sha256="0" * 64), "outputs/y has the SHA-256"),
        (
            lambda tensor: tensor.update(shape=[1, 3]),
            "outputs/y has the shape [3], and manifest.json says [1, 3]",
        ),
        (
            lambda tensor: tensor.update(dtype="int32"),
            "outputs/y has the dtype float32, and manifest.json says int32",
        ),
        (
            lambda tensor: tensor.update(alias="z"),
            "it has the outputs ['y'], and manifest.json says ['z']",
        ),
    ],
)
def test_a_manifest_edited_by_hand(full: Store, change: Callable[[Any], None], said: str) -> None:
    """What the manifest says of a tensor is compared with the tensor."""
    stored.edit(
        place(full) / "manifest.json", lambda doc: change(doc["data_sets"][0]["outputs"][0])
    )
    assert said in damage(full).problem


@pytest.mark.parametrize(
    ("field", "value"), [("least", -1), ("most", 5e9), ("mean", 0), ("nans", 1), ("infinities", 2)]
)
def test_a_statistic_edited_by_hand(full: Store, field: str, value: float) -> None:
    """Range, mean and counts, which a reader goes by, are looked at when the store is verified."""
    stored.edit(
        place(full) / "manifest.json",
        lambda doc: doc["data_sets"][0]["outputs"][0].update({field: value}),
    )
    [found] = full.verify()
    assert f"outputs/y has {field} " in found.problem
    assert f"manifest.json says {value}: it was edited by hand" in found.problem


def test_tolerances_edited_by_hand(full: Store) -> None:
    """A tolerance with its reason is what people put into a manifest; it is no damage."""
    said = {"output": "y", "ulp": 4, "reason": "another order of the sums"}
    stored.edit(place(full) / "manifest.json", lambda doc: doc["tolerances"].append(said))
    assert full.read(key()).manifest.overrides[0].ulp == 4
    assert full.verify() == ()
    stored.edit(place(full) / "manifest.json", lambda doc: doc["tolerances"][0].update(ulpp=5))
    assert "did you mean 'ulp'?" in damage(full).problem


def test_a_golden_that_was_moved(full: Store) -> None:
    """A folder that was renamed or copied is not the golden of its new name."""
    shutil.copytree(place(full), full.place(key("copy")))
    with pytest.raises(
        GoldenDamagedError, match="signature 'serving_default', whose place is"
    ) as raised:
        full.read(key("copy"))
    assert "it was moved or edited by hand" in raised.value.problem
    with pytest.raises(GoldenDamagedError, match="it was moved"):
        full.keys()
    assert len(full.verify()) == 1


def test_a_missing_data_set(full: Store) -> None:
    """A file that the manifest lists is named."""
    (place(full) / "typical.tensors").unlink()
    assert damage(full).problem == "missing: typical.tensors"


@pytest.mark.parametrize("name", ["extra.tensors", ".DS_Store", "manifest.json.orig"])
def test_a_file_that_the_manifest_does_not_list(full: Store, name: str) -> None:
    """An extra file is named, and not passed over."""
    (place(full) / name).write_bytes(b"")
    assert f"none that is kept in {name}" in damage(full).problem


def test_a_folder_without_a_manifest(full: Store) -> None:
    """A golden that lost its manifest is there, and damaged; it is not missing."""
    (place(full) / "manifest.json").unlink()
    assert full.has(key())
    assert damage(full).problem == "it is missing"
    with pytest.raises(GoldenDamagedError):
        full.keys()


def test_a_file_in_the_place_of_a_golden(full: Store) -> None:
    """A file where a folder should be is damage, and is replaced by a golden."""
    shutil.rmtree(place(full))
    place(full).write_text("")
    with pytest.raises(GoldenDamagedError, match="it is a file where a golden's folder should be"):
        full.read(key())
    assert [error.problem for error in full.verify()] == ["it lies among the goldens and is none"]
    assert full.write(golden()) is Written.REPLACED
    assert full.verify() == ()


def test_what_lies_among_the_goldens(full: Store) -> None:
    """A stray file is told by verify, and in the way of nothing else."""
    (full.root / "tensors" / "notes.txt").write_text("")
    assert full.keys() == (key(),)
    assert [error.path.name for error in full.verify()] == ["notes.txt"]


def test_a_damaged_manifest_hides_no_other_golden(full: Store) -> None:
    """All goldens that can be read are listed; one that cannot goes by the name that its folder tells."""
    odd = Key(model="Net/é", tags=("serve", "GPU"), signature="Predict it")
    bare = Key(model="m", tags=(), signature="")
    for which in (odd, bare, key("other")):
        full.write(golden(which))
    assert full.listing().keys == full.keys()
    for which in (odd, bare):
        (full.place(which) / "manifest.json").unlink()
    (place(full) / "manifest.json").write_text('{"schema": [,]}')
    listing = full.listing()
    assert listing.keys == (key("other"),)
    assert {each.name: each.key for each in listing.damaged} == {
        each.name: each for each in (odd, bare, key())
    }
    assert all("manifest.json" in each.error.message for each in listing.damaged)
    with pytest.raises(GoldenDamagedError):
        full.keys()


def test_what_is_no_golden_is_listed_as_damage(full: Store, tmp_path: Path) -> None:
    """A name that was too long, a folder that nobody's key has, a file and a link are told by their paths."""
    long = key("x" * 300)
    full.write(golden(long))
    (full.place(long) / "manifest.json").unlink()
    tensors = full.root / "tensors"
    (tensors / "Upper" / "serve" / "%ff").mkdir(parents=True)
    (tensors / "notes.txt").touch()
    (tensors / "away").symlink_to(tmp_path)
    listing = full.listing()
    assert listing.keys == (key(),)
    assert {each.name: each.key for each in listing.damaged} == dict.fromkeys(
        (
            long.folder.as_posix(),
            "tensors/Upper/serve/%ff",
            "tensors/notes.txt",
            "tensors/away",
        )
    )
    assert len(full.verify()) == 4


@pytest.mark.parametrize(("name", "value"), [("mean", 7.5), ("least", -55.5), ("nans", 3)])
def test_edited_statistics_are_damage(full: Store, name: str, value: float) -> None:
    """What reading passes over, since it takes a look at every value, is found where goldens are verified."""
    stored.edit(
        place(full) / "manifest.json",
        lambda document: document["data_sets"][0]["outputs"][0].update({name: value}),
    )
    full.read(key())
    with pytest.raises(GoldenDamagedError, match=f"outputs/y has {name} .* edited"):
        full.verified(key())


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
def test_a_link_that_leads_out(full: Store, tmp_path: Path, level: int) -> None:
    """No link in a store is followed: neither a file's nor that of any folder above it."""
    file = place(full) / "typical.tensors"
    path = [file, *file.parents][level]
    outside = tmp_path / "outside"
    shutil.move(path, outside)
    path.symlink_to(outside)
    before = files_below(tmp_path)
    with pytest.raises(GoldenDamagedError, match="symbolic link to .*outside") as raised:
        full.read(key())
    assert raised.value.path == path
    if level:
        with pytest.raises(GoldenDamagedError, match="symbolic link"):
            full.write(golden(factor=2))
    assert files_below(tmp_path) == before


def test_nothing_else_is_touched(full: Store) -> None:
    """A golden that is replaced leaves all other files of the folder as they are."""
    full.write(golden(key("other")))
    (full.root / "README.md").write_text("mine")
    before = files_below(full.root)
    full.write(golden(factor=2))
    after = files_below(full.root)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {
        "tensors/half_plus_two/serve/serving_default/batch%20of%201.tensors",
        "tensors/half_plus_two/serve/serving_default/manifest.json",
        "tensors/half_plus_two/serve/serving_default/typical.tensors",
    }


def test_no_lock_file_lies_in_the_store(full: Store) -> None:
    """The lock is in the cache: a repository sees goldens only."""
    assert not [name for name in files_below(full.root) if "lock" in name]


def test_what_a_dead_writer_left(full: Store) -> None:
    """Half a golden beside another is swept by the next writer, and seen by nobody before."""
    for name in (".serving_default@new", ".predict@new"):
        (place(full).parent / name).mkdir()
        (place(full).parent / name / "typical.tensors").write_bytes(b"half")
    assert full.verify() == ()
    assert full.keys() == (key(),)
    Store(full.root).write(golden(key("other")))
    assert sorted(os.listdir(place(full).parent)) == ["other", "serving_default"]


def _whole(store: Store) -> None:
    assert store.verify() == ()


def test_a_writer_that_died_between_two_names(full: Store) -> None:
    """Where folders cannot change places, the old golden is put back by whoever looks for it next."""
    looks: list[Callable[[Store], object]] = [
        lambda store: store.read(key()),
        lambda store: store.keys(),
        lambda store: store.manifest(key()),
        _whole,
        lambda store: store.write(golden(key("other"))),
    ]
    for look in looks:
        place(full).rename(place(full).parent / ".serving_default@old")
        assert full.has(key())
        look(Store(full.root))
        assert not list(place(full).parent.glob(".*"))
        assert full.keys()[-1] == key()


def test_adding_where_a_writer_died(full: Store) -> None:
    """A golden that is only away for a moment is there, so that nothing is added in its place."""
    full.write(golden(key("other")))
    place(full).rename(place(full).parent / ".serving_default@old")
    assert full.add(golden(factor=2)) is Written.DIFFERS
    assert full.add(golden(key(), data_set("typical"), data_set("batch of 1", size=1))) is (
        Written.UNCHANGED
    )


@pytest.mark.parametrize("swaps", [True, False])
def test_replacing_with_and_without_a_swap(
    full: Store, monkeypatch: pytest.MonkeyPatch, swaps: bool
) -> None:
    """A system on which folders cannot change places replaces goldens all the same."""
    if not swaps:
        monkeypatch.setattr(_exchange, "exchange", lambda *_: False)
    assert full.write(golden(factor=2)) is Written.REPLACED
    assert factor_of(full) == 2
    assert os.listdir(place(full).parent) == ["serving_default"]


def test_this_system_swaps(tmp_path: Path) -> None:
    """On Linux two folders change places in one step, and what is not there is an error."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not _exchange.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()
    with pytest.raises(FileNotFoundError):
        _exchange.exchange(tmp_path / "a", tmp_path / "c")


def test_a_rename_that_fails(full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new golden cannot take its place, the old one is put back and nothing is left."""
    monkeypatch.setattr(_exchange, "exchange", lambda *_: False)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith("@new"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return rename(self, target)

    before = files_below(full.root)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InfrastructureError, match="no space left for a golden below"):
        full.write(golden(factor=2))
    assert files_below(full.root) == before


def test_a_full_disk(small_disk: Path) -> None:
    """A golden that does not fit is said not to fit; the old one is whole, and half of none is left."""
    store = Store(small_disk / "golden")
    store.write(golden())
    before = files_below(small_disk)
    big = DataSet(name="big", inputs={}, outputs={"y": np.zeros(1 << 18, np.uint8)}, dtypes={})
    for which in (key(), key("other", model="other")):
        with pytest.raises(InfrastructureError, match="no space left for a golden") as raised:
            store.write(golden(which, big))
        assert "what was there before is whole" in raised.value.message
    assert files_below(small_disk) == before
    assert os.listdir(store.root / "tensors") == ["half_plus_two"]
    assert factor_of(store) == 1


def test_a_read_only_folder(full: Store, tmp_path: Path) -> None:
    """Goldens are read where nobody may write; writing says what may not be written."""
    mount = tmp_path / "read-only"
    mount.mkdir()
    for command in (
        ["mount", "--bind", str(full.root), str(mount)],
        ["mount", "-o", "remount,ro,bind", str(mount)],
    ):
        if (
            os.geteuid() != 0
            or subprocess.run(command, check=False, capture_output=True).returncode
        ):
            pytest.skip("a read-only filesystem can be mounted by root only")
    try:
        store = Store(mount)
        assert factor_of(store) == 1
        assert store.verify() == ()
        with pytest.raises(GoldenMissingError):
            store.read(key("other"))
        with pytest.raises(InfrastructureError, match="Read-only file system"):
            store.write(golden(factor=2))
        with pytest.raises(InfrastructureError, match="cannot be written"):
            store.remove(key())
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_cache_that_is_none(full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the lock nothing is written, reading goes on, and damage is still damage."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    assert factor_of(full) == 1
    with pytest.raises(InfrastructureError, match="cannot be locked") as raised:
        full.write(golden(factor=2))
    assert VARIABLE in str(raised.value)
    with pytest.raises(GoldenMissingError):
        full.read(key("other"))
    (place(full) / "typical.tensors").unlink()
    with pytest.raises(GoldenDamagedError):
        full.read(key())

"""Tests of frozen models: copied once, byte for byte, and every later change told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.golden import stored

from savedmodel_compat.errors import (
    GoldenDamagedError,
    GoldenMissingError,
    NotASavedModelError,
    UsageError,
)
from savedmodel_compat.golden import pending
from savedmodel_compat.golden.frozen import freeze, names, read, size, verify
from savedmodel_compat.golden.store import Store

FILES = {
    "saved_model.pb": b"graph\r\n\0",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"data",
    "assets/words.txt": b"a\n",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with the files of a SavedModel; their content does not matter."""
    folder = tmp_path / "model"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A golden folder, which is not there."""
    return tmp_path / "golden"


def put(root: Path, model: Path, name: str = "small-1.15.5", **said: Any) -> Path:
    """Freeze a model."""
    fields: dict[str, Any] = {"producer": "1.15.5", "source": stored.SOURCE, "why": "oldest form"}
    return freeze(root, name, model, **{**fields, **said})


def test_a_model_is_copied(root: Path, model: Path) -> None:
    """Every file is there as it was, and what is said of it says who made it, when, and why."""
    folder = put(root, model)

    assert folder == root / "models" / "small-1.15.5"
    assert stored.files_below(folder) == dict(sorted(FILES.items()))
    assert names(root) == ("small-1.15.5",)
    assert verify(root, "small-1.15.5") == ()
    found = read(root, "small-1.15.5")
    assert (found.producer, found.source, found.why) == ("1.15.5", stored.SOURCE, "oldest form")
    assert {name: file.size for name, file in found.files.items()} == {
        name: len(content) for name, content in FILES.items()
    }
    assert found.files["saved_model.pb"].sha256 == hashlib.sha256(b"graph\r\n\0").hexdigest()
    assert stored.files_below(root / "models").keys() == {
        "small-1.15.5.json",
        *(f"small-1.15.5/{name}" for name in FILES),
    }


def test_freezing_twice(root: Path, model: Path) -> None:
    """The same model stays as it is, with what was said of it first."""
    put(root, model)
    before = stored.files_below(root)
    assert put(root, model, why="another reason") == root / "models" / "small-1.15.5"
    assert stored.files_below(root) == before


def test_another_model_of_the_same_name(root: Path, model: Path) -> None:
    """What is frozen stays: one byte more is another model."""
    put(root, model)
    before = stored.files_below(root)
    (model / "assets/words.txt").write_bytes(b"b\n")
    (model / "assets/more.txt").write_bytes(b"")
    with pytest.raises(UsageError, match=r"another model than .* and 1 more") as raised:
        put(root, model)
    assert "a name of its own" in str(raised.value)
    assert stored.files_below(root) == before


def test_freezing_what_is_damaged(root: Path, model: Path) -> None:
    """A frozen model that has changed since is neither mended nor taken for whole."""
    put(root, model)
    (root / "models" / "small-1.15.5" / "saved_model.pb").unlink()
    with pytest.raises(GoldenDamagedError, match=r"saved_model\.pb is missing"):
        put(root, model)
    shutil.rmtree(root / "models" / "small-1.15.5")
    with pytest.raises(GoldenDamagedError, match="is missing"):
        put(root, model)


def test_a_maker_that_died_before_its_last_word(root: Path, model: Path) -> None:
    """A folder of which nothing is said is finished if it is the same model, and else left alone."""
    put(root, model)
    (root / "models" / "small-1.15.5.json").unlink()
    assert names(root) == ()
    put(root, model)
    assert verify(root, "small-1.15.5") == ()

    (root / "models" / "small-1.15.5.json").unlink()
    (model / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(UsageError, match="another model"):
        put(root, model)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda at: (at / "saved_model.pb").unlink(), "saved_model.pb is missing"),
        (lambda at: (at / "new").write_bytes(b""), "new is none of its files"),
        (
            lambda at: (at / "assets/words.txt").write_bytes(b"abc"),
            "words.txt has 3 bytes and had 2",
        ),
        (lambda at: (at / "assets/words.txt").write_bytes(b"b\n"), "words.txt has the SHA-256"),
        (lambda at: shutil.rmtree(at / "assets"), "words.txt is missing"),
    ],
)
def test_a_change_is_told(
    root: Path, model: Path, change: Callable[[Path], Any], said: str
) -> None:
    """Missing, added and changed files are named, with the numbers."""
    change(put(root, model))
    [problem] = verify(root, "small-1.15.5")
    assert said in problem


def test_a_file_that_became_a_link(root: Path, model: Path) -> None:
    """A link is no file of a frozen model, also if it leads to the same bytes."""
    path = put(root, model) / "saved_model.pb"
    path.unlink()
    path.symlink_to(model / "saved_model.pb")
    assert verify(root, "small-1.15.5") == (f"{path} is no regular file",)
    path.unlink()
    path.mkdir()
    assert verify(root, "small-1.15.5") == (f"{path} is missing",)


def test_a_whole_folder_that_is_gone_or_a_link(root: Path, model: Path) -> None:
    """All of its files are missing; a link in its place is refused."""
    folder = put(root, model)
    shutil.rmtree(folder)
    assert len(verify(root, "small-1.15.5")) == len(FILES)
    folder.symlink_to(model)
    with pytest.raises(GoldenDamagedError, match="symbolic link"):
        verify(root, "small-1.15.5")


def test_only_regular_files(root: Path, model: Path) -> None:
    """Links and pipes are no part of what is frozen, and nothing of the model is then."""
    (model / "assets/link").symlink_to("words.txt")
    with pytest.raises(UsageError, match=r"assets/link is a link, a pipe or the like") as raised:
        put(root, model)
    assert "cp -rL" in str(raised.value)
    (model / "assets/link").unlink()
    os.mkfifo(model / "assets/pipe")
    with pytest.raises(UsageError, match="assets/pipe"):
        put(root, model)
    assert stored.files_below(root) == {}


def test_a_model_by_a_link(root: Path, model: Path, tmp_path: Path) -> None:
    """The model's own folder may be a link, as mounted volumes are."""
    (tmp_path / "link").symlink_to(model)
    assert len(stored.files_below(put(root, tmp_path / "link"))) == len(FILES)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "A", "a b", ".a", "a.json", "a.", "con", "nul.x", "-a", "x" * 101],
)
def test_names_that_cannot_be(root: Path, model: Path, name: str) -> None:
    """A name is one folder on every system, and no other file of the golden folder."""
    with pytest.raises(UsageError, match="cannot be the name of a frozen model"):
        put(root, model, name)
    with pytest.raises(UsageError, match="cannot be the name"):
        verify(root, name)
    assert not root.exists()


def test_what_is_no_model(root: Path, tmp_path: Path, model: Path) -> None:
    """A folder without a graph, and a model without a reason, is not frozen."""
    with pytest.raises(NotASavedModelError, match=r"neither saved_model\.pb nor"):
        put(root, tmp_path)
    with pytest.raises(UsageError, match="not frozen without a reason"):
        put(root, model, why=" ")


def test_a_model_that_is_not_frozen(root: Path, model: Path) -> None:
    """It is said which ones are."""
    put(root, model)
    with pytest.raises(GoldenMissingError, match=r"as 'other': .* there are small-1\.15\.5"):
        verify(root, "other")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda doc: doc.update(schema=2), "schema is not 1"),
        (lambda doc: doc.update(date="today"), "date is 'today', which is no date"),
        (lambda doc: doc.update(files={}), "files is empty"),
        (lambda doc: doc.update(whys="a"), "did you mean 'why'?"),
        (
            lambda doc: doc["files"]["saved_model.pb"].update(sha256=1),
            "files.saved_model.pb.sha256 is 1",
        ),
        (lambda doc: doc["source"].pop("kind"), "source has no 'kind'"),
    ],
)
def test_what_is_said_edited_by_hand(
    root: Path, model: Path, change: Callable[[Any], Any], said: str
) -> None:
    """What a frozen model's file cannot say is damage, with the key."""
    put(root, model)
    stored.edit(root / "models" / "small-1.15.5.json", change)
    with pytest.raises(GoldenDamagedError) as raised:
        verify(root, "small-1.15.5")
    assert said in raised.value.problem


def test_a_file_beside_the_folder_does_not_lead_out(root: Path, model: Path) -> None:
    """A listed name that climbs out of the folder is a missing file, and nothing outside is read."""
    put(root, model)
    path = root / "models" / "small-1.15.5.json"
    document = json.loads(path.read_text())
    document["files"]["../../../model/saved_model.pb"] = document["files"].pop("saved_model.pb")
    path.write_text(json.dumps(document))
    assert len(verify(root, "small-1.15.5")) == 2


def test_the_size_of_a_golden_folder(root: Path, model: Path) -> None:
    """Goldens, manifests and frozen models count; proposals and half-written goldens do not."""
    assert size(root) == 0
    put(root, model)
    store = Store(root)
    store.write(stored.golden())
    total = sum(len(content) for content in stored.files_below(root).values())
    assert size(root) == total

    pending.leave(store, stored.golden(factor=2), "2.5.3-wheel-c-cpu", summary="")
    half = store.place(stored.key()).with_name(".predict@new")
    half.mkdir()
    (half / "typical.tensors").write_bytes(b"half")
    assert size(root) == total

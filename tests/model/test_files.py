"""Tests of `savedmodel_compat.model.files`."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model import digest, read, schema
from savedmodel_compat.model.files import digest_of, inside, list_files, manifest, open_regular

SHARD = "variables/variables.data-00000-of-00001"
AS_NOBODY = """
import json, os, pathlib, sys
from savedmodel_compat.model.files import list_files
if os.geteuid() == 0:
    os.setuid(65534)
listed, notes = list_files(pathlib.Path(sys.argv[1]))
print(json.dumps([[file.name for file in listed], notes]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a model; their content does not matter."""
    root = tmp_path / "model"
    for name in ("saved_model.pb", SHARD, "variables/variables.index", "assets/vocabulary.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_copy_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    """The digest depends neither on the folder's name nor on times."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    os.utime(copy / "saved_model.pb", (0, 0))

    assert digest(copy) == digest(str(folder))


def test_the_digest_does_not_depend_on_the_order_of_making(tmp_path: Path) -> None:
    """Two folders with the same files have one digest, whichever file came first."""
    for root, names in (("a", "xyz"), ("b", "zyx")):
        (tmp_path / root).mkdir()
        for name in names:
            (tmp_path / root / name).write_text(name)

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_digest_is_what_it_was(tmp_path: Path) -> None:
    """The digest of a known folder is frozen: records made on other machines refer to it."""
    (tmp_path / "saved_model.pb").write_bytes(b"model")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"index")

    assert digest(tmp_path) == "a6bcc08873b9638ebc11ed91a91fcc1dc7e5e37df36f1a8d75452b02e906f0a3"


def test_a_changed_byte_changes_the_digest(folder: Path) -> None:
    """One other byte in any file is another model."""
    before = digest(folder)
    (folder / SHARD).write_text("other")

    assert digest(folder) != before


def test_a_renamed_file_changes_the_digest(folder: Path) -> None:
    """The same content under another name is another model."""
    before = digest(folder)
    (folder / SHARD).rename(folder / "variables/variables.data-00000-of-00002")

    assert digest(folder) != before


def test_an_added_empty_file_changes_the_digest(folder: Path) -> None:
    """A file counts even if nothing is in it."""
    before = digest(folder)
    (folder / "assets" / "empty").touch()

    assert digest(folder) != before


def test_content_cannot_move_between_files(tmp_path: Path) -> None:
    """Bytes at the end of one file are told from the same bytes at the start of the next."""
    for root, contents in (("a", ("xy", "z")), ("b", ("x", "yz"))):
        (tmp_path / root).mkdir()
        for name, content in zip("12", contents, strict=True):
            (tmp_path / root / name).write_text(content)

    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def test_the_root_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    """A mounted volume's link to the model has the model's digest."""
    link = tmp_path / "link"
    link.symlink_to(folder)

    assert digest(link) == digest(folder)


def test_what_is_outside_is_not_read(folder: Path, tmp_path: Path) -> None:
    """A link out of the model counts by its text: what it leads to may change."""
    outside = tmp_path / "outside"
    outside.write_text("one")
    (folder / "assets" / "link").symlink_to(outside)
    before = digest(folder)
    outside.write_text("two")

    assert digest(folder) == before


def test_a_link_within_the_model_counts_by_content(folder: Path) -> None:
    """A link to a file of the model is that file under another name."""
    (folder / "assets" / "link").symlink_to("vocabulary.txt")
    linked = digest(folder)
    (folder / "assets" / "link").unlink()
    shutil.copy(folder / "assets/vocabulary.txt", folder / "assets/link")

    assert digest(folder) == linked


def test_a_linked_folder_is_not_entered(folder: Path) -> None:
    """A link to the model itself does not make the walk endless."""
    before = digest(folder)
    (folder / "assets" / "loop").symlink_to(folder)

    assert digest(folder) != before


def test_a_pipe_is_passed_over(folder: Path) -> None:
    """What is no file is not opened: reading a pipe would wait forever."""
    before = digest(folder)
    os.mkfifo(folder / "pipe")

    assert digest(folder) == before


def test_the_manifest_has_a_line_a_file(folder: Path) -> None:
    """Every file is listed by name, with its size and the SHA-256 that other tools give it."""
    files = manifest(folder)

    assert [file.name for file in files] == sorted(
        ["saved_model.pb", SHARD, "variables/variables.index", "assets/vocabulary.txt"]
    )
    assert [file.size for file in files] == [len(file.name) for file in files]
    for file in files:
        assert file.sha256 == hashlib.sha256(file.name.encode()).hexdigest()
        assert file.target is None


def test_the_manifest_names_links_that_it_does_not_follow(folder: Path, tmp_path: Path) -> None:
    """A link out of the model, or to a folder, is listed as a link; one within it as the file it leads to."""
    (tmp_path / "outside").write_text("secret")
    (folder / "assets/a").symlink_to("../../outside")
    (folder / "assets/b").symlink_to("../variables")
    (folder / "assets/c").symlink_to("vocabulary.txt")
    links = {file.name: file for file in manifest(folder)}

    assert (links["assets/a"].sha256, links["assets/a"].target) == (None, "../../outside")
    assert (links["assets/b"].sha256, links["assets/b"].target) == (None, "../variables")
    assert links["assets/c"].sha256 == links["assets/vocabulary.txt"].sha256


def test_the_digest_is_that_of_the_manifest(folder: Path) -> None:
    """Whoever has the manifest need not read the files again."""
    (folder / "assets/link").symlink_to("nowhere")

    assert digest_of(manifest(folder)) == digest(folder)


def test_the_digest_of_no_folder_is_an_error(folder: Path) -> None:
    """A file has no digest of a model."""
    with pytest.raises(NotASavedModelError, match="is not a folder"):
        digest(folder / "saved_model.pb")


def test_files_are_listed_with_their_sizes(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """The files of the model and of its known folders are listed; others are not."""
    root = write(proto)
    for name in ("variables/variables.index", "assets/deep/vocabulary.txt", "other/file"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("12345")
    model = read(root)

    assert [file.name for file in model.files] == [
        "assets/deep/vocabulary.txt",
        "saved_model.pb",
        "variables/variables.index",
    ]
    assert [file.size for file in model.files_in("variables")] == [5]


def test_a_model_file_outside_is_not_read(tmp_path: Path, proto: schema.SavedModel) -> None:
    """A saved_model.pb that is a link out of its folder is refused, with where it leads."""
    (tmp_path / "elsewhere.pb").write_bytes(proto.SerializeToString())
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").symlink_to("../elsewhere.pb")

    with pytest.raises(NotASavedModelError, match=r"elsewhere\.pb, which is outside") as caught:
        read(tmp_path / "model")
    assert "cp -rL" in str(caught.value.hint)


def test_a_model_file_may_be_a_link_within(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """Volumes of Kubernetes link the files to a folder beside them."""
    root = write(proto, "..data")
    (root / "saved_model.pb").symlink_to("..data")

    assert read(root).meta_graphs[0].tags == ("serve",)
    assert [file.name for file in read(root).files] == ["..data", "saved_model.pb"]


@pytest.mark.parametrize(
    ("name", "why"),
    [("pipe", "no regular file"), ("to_pipe", "no regular file"), ("assets", "is a folder")],
)
def test_only_regular_files_are_opened(folder: Path, name: str, why: str) -> None:
    """Nobody waits for the writer of a pipe, and a folder is said to be one."""
    os.mkfifo(folder / "pipe")
    (folder / "to_pipe").symlink_to("pipe")

    with open_regular(folder / "saved_model.pb") as opened:
        assert opened.read() == b"saved_model.pb"
    with pytest.raises(OSError, match=why) as caught:
        open_regular(folder / name)
    assert caught.value.filename == str(folder / name)


@pytest.fixture
def nested(folder: Path) -> Iterator[Path]:
    """The model with 1500 folders, one in another, and a file in the last; removed at the end.

    Other removers of folders call themselves for each.
    """
    deepest = folder / "assets" / "/".join("d" * 1500)
    here = Path.cwd()
    os.chdir(folder / "assets")
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    Path("file").touch()
    os.chdir(here)
    yield folder
    (deepest / "file").unlink()
    for path in (deepest, *itertools.islice(deepest.parents, 1499)):
        path.rmdir()


def test_nested_folders_without_end(nested: Path) -> None:
    """What is deeper than others go is said, and has a digest all the same."""
    listed, notes = list_files(nested)

    assert [file.name for file in listed][:1] == ["assets/vocabulary.txt"]
    assert len(notes) == 1
    assert "more than 32 deep" in notes[0]
    assert f"assets/{'d/' * 1500}file" in {file.name for file in manifest(nested)}


def test_a_path_longer_than_the_system_takes_has_no_digest(folder: Path) -> None:
    """What cannot be read cannot be left out either: the error names its beginning."""
    here = Path.cwd()
    os.chdir(folder / "assets")
    try:
        for _ in range(20):
            Path("x" * 250).mkdir()
            os.chdir("x" * 250)
    finally:
        os.chdir(here)

    with pytest.raises(NotASavedModelError, match="assets/xxx.*… cannot be read"):
        digest(folder)
    assert len(list_files(folder)[1]) == 1


def test_links_that_lead_to_each_other(folder: Path) -> None:
    """A long chain of links to a file counts as that file, and one that is too long as a link."""
    for number in range(60):
        target = "vocabulary.txt" if number == 0 else f"{number - 1:02}"
        (folder / "assets" / f"{number:02}").symlink_to(target)
    files = {file.name: file for file in manifest(folder)}

    assert files["assets/39"].sha256 == files["assets/vocabulary.txt"].sha256
    assert (files["assets/40"].sha256, files["assets/40"].target) == (None, "39")
    with pytest.raises(NotASavedModelError, match="leads nowhere"):
        inside(folder, folder / "assets/40")
    assert inside(folder, folder / "assets/39").name == "vocabulary.txt"


def test_a_folder_that_cannot_be_read_is_a_note() -> None:
    """The others are listed all the same: the graph can be read without it."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        (root / "assets").mkdir()
        (root / "saved_model.pb").touch()
        root.chmod(0o755)
        (root / "assets").chmod(0)
        ran = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, made], check=True, capture_output=True, text=True
        )
        (root / "assets").chmod(0o700)

    assert json.loads(ran.stdout) == [["saved_model.pb"], ["assets cannot be looked at"]]

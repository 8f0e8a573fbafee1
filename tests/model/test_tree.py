"""Tests of `savedmodel_compat.model.tree`: nothing on a disk makes the walk wait, fail or leave the model."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from savedmodel_compat.model import tree as trees
from savedmodel_compat.model.tree import Kind, walk

NOBODY = 65534
AS_NOBODY = f"""
import json, os, pathlib, sys
from savedmodel_compat.model.tree import walk
if os.geteuid() == 0:
    os.setuid({NOBODY})
tree = walk(pathlib.Path(sys.argv[1]))
print(json.dumps([list(tree.entries), list(tree.unreadable)]))
"""


def test_files_and_folders(tmp_path: Path) -> None:
    """Every entry is there by its name with slashes, in order, with its kind, size and mode."""
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/file").write_bytes(b"12345")
    (tmp_path / "a").touch(mode=0o640)
    tree = walk(tmp_path)

    assert [(e.name, e.kind) for e in tree.entries.values()] == [
        ("a", Kind.FILE),
        ("b", Kind.FOLDER),
        ("b/c", Kind.FOLDER),
        ("b/c/file", Kind.FILE),
    ]
    assert tree.entries["b/c/file"].size == 5
    assert tree.entries["a"].mode & 0o777 == 0o640
    assert (tree.unreadable, tree.beyond) == ((), None)
    assert (tree.entries["b/c/file"].folder, tree.entries["b/c/file"].base) == ("b/c", "file")


def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder without entries is no error."""
    assert dict(walk(tmp_path).entries) == {}


@pytest.mark.parametrize("name", ["gone", "file"])
def test_what_is_no_folder(tmp_path: Path, name: str) -> None:
    """A root that cannot be listed is the only unreadable entry."""
    (tmp_path / "file").touch()
    tree = walk(tmp_path / name)

    assert (dict(tree.entries), tree.unreadable) == ({}, (".",))


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("file", True),
        ("folder", True),
        ("./folder/../file", True),
        (".", True),
        ("gone", False),
        ("..", False),
        ("../outside", False),
        ("../model/file", True),
        ("../mode/file", False),
        ("folder/../../outside", False),
        ("/", False),
        ("/dev/zero", False),
        ("link", False),
        ("x" * 300, False),
    ],
)
def test_where_a_link_leads(tmp_path: Path, target: str, inside: bool) -> None:
    """A link has its text, and whether what it leads to is in the root and exists."""
    root = tmp_path / "model"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").touch()
    (root / "file").touch()
    (tmp_path / "outside").touch()
    (root / "link").symlink_to(target)
    entry = walk(root).entries["link"]

    assert (entry.kind, entry.target, entry.inside) == (Kind.LINK, target, inside)


def test_absolute_links_and_a_root_that_is_a_link(tmp_path: Path) -> None:
    """A link to the root's real path is inside, whichever way the root was named."""
    root = tmp_path / "model"
    root.mkdir()
    (root / "file").touch()
    (root / "link").symlink_to(root / "file")
    (root / "sibling").symlink_to(tmp_path / "model2")
    (tmp_path / "model2").mkdir()
    (tmp_path / "alias").symlink_to("model")
    (root / "named").symlink_to(tmp_path / "alias/file")
    tree = walk(tmp_path / "alias")

    assert tree.entries["named"].inside
    assert tree.entries["link"].inside
    assert not tree.entries["sibling"].inside
    found = tree.find("link")
    assert found is not None
    assert found.name == "file"
    assert tree.find("sibling") is None


def test_links_to_folders_are_not_entered(tmp_path: Path) -> None:
    """A link to a folder above, which would have no end, is one entry."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/up").symlink_to("..")
    (tmp_path / "to").symlink_to("folder")

    assert list(walk(tmp_path).entries) == ["folder", "folder/up", "to"]


def test_a_long_chain_of_links_ends(tmp_path: Path) -> None:
    """More links than the system follows lead nowhere, and cost no more than others."""
    (tmp_path / "0000").touch()
    for number in range(1, 2000):
        (tmp_path / f"{number:04}").symlink_to(f"{number - 1:04}")
    tree = walk(tmp_path)

    assert tree.entries["0030"].inside
    assert not tree.entries["1999"].inside
    assert tree.find("1999") is None


def test_pipes_sockets_and_devices_are_not_opened(tmp_path: Path) -> None:
    """What is neither file nor folder nor link is told, and nobody waits for a writer."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    here = Path.cwd()
    os.chdir(tmp_path)  # a socket's path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)
    kinds = {entry.name: entry.kind for entry in walk(tmp_path).entries.values()}

    assert kinds == {"link": Kind.LINK, "pipe": Kind.OTHER, "socket": Kind.OTHER}
    assert walk(Path("/dev"), entries=1000, depth=1).entries["null"].kind is Kind.OTHER


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A name of bytes that are no UTF-8 stays the name that opens the file."""
    (tmp_path / os.fsdecode(b"\xff\xfe\n")).write_bytes(b"123")
    [entry] = walk(tmp_path).entries.values()

    assert os.fsencode(entry.name) == b"\xff\xfe\n"
    assert entry.size == 3


def test_the_number_of_entries_is_limited(tmp_path: Path) -> None:
    """What is beyond the limit is not looked at, and the limit is told."""
    for number in range(10):
        (tmp_path / str(number)).touch()

    assert walk(tmp_path, entries=10).beyond is None
    tree = walk(tmp_path, entries=9)
    assert (len(tree.entries), tree.beyond) == (9, "more than 9 entries")


def test_links_beyond_the_limit(tmp_path: Path) -> None:
    """A link to what was not looked at is not said to lead nowhere."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "link").symlink_to("a/b/file")
    (tmp_path / "lost").symlink_to("a/b/gone")
    tree = walk(tmp_path, depth=1)

    assert tree.beyond is not None
    assert tree.find("link") is None
    assert (tree.entries["link"].inside, tree.entries["lost"].inside) == (True, False)


def test_the_depth_is_limited(tmp_path: Path) -> None:
    """A folder too deep is an entry that is not entered; what is near the root is complete."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "z").touch()

    assert walk(tmp_path, depth=4).beyond is None
    tree = walk(tmp_path, depth=2)
    assert list(tree.entries) == ["a", "a/b", "z"]
    assert tree.beyond == "folders more than 2 deep, such as a/b"


def test_paths_longer_than_the_system_takes(tmp_path: Path) -> None:
    """A folder that is too deep to be named is unreadable, and not an exception."""
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(20):
            Path("x" * 250).mkdir()
            os.chdir("x" * 250)
        tree = walk(tmp_path)
    finally:
        os.chdir(here)

    assert tree.unreadable
    assert tree.beyond is None


@pytest.mark.parametrize(
    ("mode", "unreadable"), [(0o000, ["folder"]), (0o300, ["folder"]), (0o400, ["folder/file"])]
)
def test_closed_folders(mode: int, unreadable: list[str]) -> None:
    """A folder that cannot be listed is named, and so is each file that cannot be looked at."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        (root / "folder").mkdir()
        (root / "folder/file").touch()
        (root / "z").touch()
        root.chmod(0o755)
        (root / "folder").chmod(mode)
        if os.geteuid() == 0:  # to whom nothing is closed
            for path in (root, *root.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        ran = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, made], check=True, capture_output=True, text=True
        )
        (root / "folder").chmod(0o700)

    assert json.loads(ran.stdout) == [["folder", "z"], unreadable]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("folder/file", "folder/file"),
        ("folder/../folder//./file", "folder/file"),
        ("to/file", "folder/file"),
        ("folder/up/to/file", "folder/file"),
        ("absolute", "folder/file"),
        ("folder", "folder"),
        ("", None),
        ("folder/..", None),
        ("gone", None),
        ("../folder", None),
        ("folder/file/", None),
        ("folder/file/..", None),
        ("folder/file/x", None),
        ("loop", None),
        ("out/model/folder", "folder"),
        ("out/model2", None),
        ("out", None),
        ("a\0b", None),
    ],
)
def test_what_a_path_stands_for(tmp_path: Path, path: str, name: str | None) -> None:
    """A path is followed through links as long as it stays in the tree."""
    root = tmp_path / "model"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").touch()
    (root / "folder/up").symlink_to("..")
    (root / "to").symlink_to("folder")
    (root / "absolute").symlink_to(root / "folder/file")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("..")
    entry = walk(root).find(path)

    assert (entry and entry.name) == name


def test_a_path_of_a_million_parts(tmp_path: Path) -> None:
    """A name from a hostile model is followed in no time."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/loop").symlink_to(".")

    assert walk(tmp_path).find("a/../" * 200_000 + "a") is not None
    assert walk(tmp_path).find("a/" + "loop/" * 200_000) is None


def test_only_some_folders_are_entered(tmp_path: Path) -> None:
    """Folders of the root that are not asked for are entries, and what is in them is not."""
    for name in ("in/in", "out/in"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "in/in/file").touch()

    assert list(walk(tmp_path, only=("in",)).entries) == ["in", "in/in", "in/in/file", "out"]


@pytest.mark.parametrize("seed", range(5))
def test_links_lead_where_the_system_says(tmp_path: Path, seed: int) -> None:
    """Chains, circles, links above folders and out of the root: the same as the system finds."""
    pick = random.Random(seed)
    root = tmp_path / "model"
    names = [f"{folder}{name}" for folder in ("", "a/", "a/b/") for name in "0123456789"]
    (root / "a/b").mkdir(parents=True)
    (root / "a/file").touch()
    for name in names:
        steps = pick.choices(
            ["..", "a", "b", ".", "file", "model", *"0123456789"], k=pick.randint(1, 4)
        )
        absolute = pick.random() < 0.1
        (root / name).symlink_to("/".join([str(root), *steps] if absolute else steps))
    tree = walk(root)
    real = os.path.realpath(root)

    for name in names:
        exists = (root / name).exists() if _follows(root / name) else False
        target = os.path.realpath(root / name)
        assert tree.entries[name].inside == (exists and f"{target}/".startswith(f"{real}/")), name


def _follows(path: Path) -> bool:
    """Whether the system gets anywhere: a Path of an old Python raises at a circle."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def test_as_many_links_are_followed_as_by_the_system(tmp_path: Path) -> None:
    """In one path, links in the texts of links counted."""
    (tmp_path / "00").mkdir()
    for number in range(1, 60):
        (tmp_path / f"{number:02}").symlink_to(f"{number - 1:02}")
    tree = walk(tmp_path)

    for number in range(1, 60):
        assert tree.entries[f"{number:02}"].inside == _follows(tmp_path / f"{number:02}")
    for path in ("20/../20", "20/../21", "01/../39", "01/../40"):
        assert (tree.find(path) is not None) == _follows(tmp_path / path)


def test_what_a_link_leads_to_is_found_once(tmp_path: Path) -> None:
    """Links with long texts that many others lead to do not cost their length each time."""
    (tmp_path / "d").mkdir()
    (tmp_path / "file").touch()
    for number in range(30):
        following = "file" if number == 29 else f"{number + 1}"
        (tmp_path / f"{number}").symlink_to("d/../" * 800 + following)
    for number in range(200):
        (tmp_path / f"x{number}").symlink_to("0")
    tree = walk(tmp_path)

    assert not tree.is_exhausted
    assert all(entry.inside for entry in tree.entries.values())


def test_the_texts_of_links_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit no link is followed, and the limit is told; what is no link is still found."""
    monkeypatch.setattr(trees, "_PARTS", 100)
    (tmp_path / "d").mkdir()
    for number in range(20):
        (tmp_path / f"{number:02}").symlink_to("d/../" * 4 + "d")
    tree = walk(tmp_path)

    assert tree.beyond == "links whose texts have more than 100 parts together"
    assert [tree.entries[name].inside for name in ("00", "19")] == [True, False]
    assert tree.find("d") is not None

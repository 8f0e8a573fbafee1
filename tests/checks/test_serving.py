"""What a path means: a model, a base folder of TensorFlow Serving, a folder of either, or nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS

from savedmodel_compat.checks.run import Options, check
from savedmodel_compat.checks.serving import Place, expand
from savedmodel_compat.errors import NotASavedModelError

INT64 = 2**63


def model(folder: Path) -> Path:
    """Make a folder that looks like a SavedModel."""
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


def parts(folder: Path) -> Path:
    """Make a folder that holds all of a SavedModel but its graph file."""
    (folder / "variables").mkdir(parents=True)
    (folder / "variables/variables.index").touch()
    return folder


def told(place: Place) -> list[tuple[str, str]]:
    """Rule and place of each finding."""
    return sorted((finding.rule, finding.where) for finding in place.findings)


def test_a_model(tmp_path: Path) -> None:
    """The folder of a model is that model, whatever else it holds."""
    folder = model(tmp_path / "m")
    model(folder / "1")

    assert expand(folder) == [Place(name="m", folder=folder)]


def test_a_version_is_named_with_its_base_folder(tmp_path: Path) -> None:
    """A number alone would not tell which model it is."""
    assert expand(model(tmp_path / "mnist/7"))[0].name == "mnist/7"


@pytest.mark.parametrize("serving", [False, True])
def test_a_base_folder(tmp_path: Path, serving: bool) -> None:
    """A base folder is the version that would be served, whether it is said to be one or not."""
    for name in ("2", "010", "v3", "temp-12"):
        model(tmp_path / "base" / name)
    [place] = expand(tmp_path / "base", serving=serving)
    assert (place.folder, place.version) == (tmp_path / "base/010", 10)
    assert told(place) == [("L20", "temp-12"), ("L20", "v3")]


@pytest.mark.parametrize("serving", [False, True])
def test_a_file_that_is_taken_for_a_version(tmp_path: Path, serving: bool) -> None:
    """Serving would load it, so that no model is served, whatever else is there."""
    model(tmp_path / "base/2")
    (tmp_path / "base/99").touch()
    [place] = expand(tmp_path / "base", serving=serving)
    assert (place.folder, place.version, told(place)) == (None, 99, [("L8", "99")])


@pytest.mark.parametrize(
    "name",
    [
        "fingerprint.pb",
        "keras_metadata.pb",
        "saved_model.cpb",
        "saved_model.pb.tmp0123456789abcdef",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ],
)
def test_parts_of_a_model(tmp_path: Path, name: str) -> None:
    """A folder that only a SavedModel leaves is one, for L1 to say that its graph file is lost."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()

    assert expand(tmp_path)[0].folder == tmp_path
    assert check(tmp_path).findings[0].rule == "L1"


def test_a_graph_file_that_is_a_pipe(tmp_path: Path) -> None:
    """Nobody waits for a writer."""
    os.mkfifo(tmp_path / "saved_model.pb")

    assert [finding.rule for finding in check(tmp_path).findings] == ["L1", "L17"]


def test_a_version_whose_file_is_lost(tmp_path: Path) -> None:
    """The version that would be served is the model, though an older one is whole."""
    model(tmp_path / "1")
    parts(tmp_path / "2")
    [place] = expand(tmp_path)

    assert (place.folder, place.version) == (tmp_path / "2", 2)


def test_a_folder_of_models(tmp_path: Path) -> None:
    """Each child is a place: a model, a base folder, what is left of one, and an empty one too."""
    model(tmp_path / "b")
    model(tmp_path / "c/1")
    parts(tmp_path / "a")
    model(tmp_path / "d/4")
    (tmp_path / "d/5").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").touch()
    model(tmp_path / ".cache")
    (tmp_path / "file").touch()
    places = expand(tmp_path)

    assert [place.name for place in places] == ["a", "b", "c", "d", "empty", "notes"]
    assert [place.folder for place in places] == [
        tmp_path / "a",
        tmp_path / "b",
        tmp_path / "c/1",
        None,
        tmp_path / "empty",
        None,
    ]
    assert [told(place) for place in places] == [[], [], [], [("L8", "5")], [], []]
    assert "it is the highest version, 5" in places[3].findings[0].message
    assert [bool(place.skipped) for place in places] == [False] * 5 + [True]


def test_a_hundred_models(tmp_path: Path) -> None:
    """There is no limit to the number of models in a folder."""
    for number in range(100):
        model(tmp_path / f"model{number:02}")

    assert [place.name for place in expand(tmp_path)][98:] == ["model98", "model99"]


@pytest.mark.parametrize("serving", [False, True])
def test_no_folder(tmp_path: Path, serving: bool) -> None:
    """A file, a URI and nothing at all are told apart, with and without --serving."""
    model(tmp_path / "m")
    for path, words in (
        (tmp_path / "m/saved_model.pb", "is the file of a SavedModel"),
        (tmp_path / "gone", "there is no folder"),
        (Path("gs://bucket/model"), "is a URI"),
    ):
        with pytest.raises(NotASavedModelError, match=words):
            expand(path, serving=serving)


@pytest.mark.parametrize(
    "name", ["frozen.pb", "model.keras", "assets/a.txt", "1/2/3/saved_model.pb"]
)
def test_no_model(tmp_path: Path, name: str) -> None:
    """A folder without any part of a SavedModel is an error that says what it holds."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()

    with pytest.raises(NotASavedModelError, match="holds neither"):
        expand(tmp_path)


def test_a_version_twice(tmp_path: Path) -> None:
    """A number that stands twice is found with and without --serving, and one of them is checked."""
    model(tmp_path / "1")
    model(tmp_path / "001")

    for serving in (False, True):
        [place] = expand(tmp_path, serving=serving)
        assert (place.folder, told(place)) == (tmp_path / "1", [("L8", "1")])


def base_with(*names: str, tmp_path: Path) -> Path:
    """Make a base folder: a name that ends in a slash is an empty folder, in # a file, in ? a lost link."""
    base = tmp_path / "mnist"
    base.mkdir()
    for name in names:
        path = base / name.rstrip("/#?")
        if name.endswith("/"):
            path.mkdir()
        elif name.endswith("#"):
            path.touch()
        elif name.endswith("?"):
            path.symlink_to("gone")
        else:
            model(path)
    return base


@pytest.mark.parametrize(
    ("names", "served", "version", "found"),
    [
        (("1",), "1", 1, []),
        (("1", "00000123"), "00000123", 123, []),
        (("9", "10"), "10", 10, []),
        (("1", ".hidden", "..data"), "1", 1, []),
        (("1", "notes#", "models.config#"), "1", 1, []),
        (("1", "lost+found/"), "1", 1, []),
        (("1", " 2 "), " 2 ", 2, []),
        (("1", str(INT64 - 1)), str(INT64 - 1), INT64 - 1, []),
        (("1", "2/"), None, 2, [("L8", "2")]),
        (("1", "2#"), None, 2, [("L8", "2")]),
        (("2", "1#"), "2", 2, [("L8", "1")]),
        (("1", "2?"), None, 2, [("L8", "2")]),
        (("2", "1/"), "2", 2, []),
        (("1", "001"), "1", 1, [("L8", "1")]),
        (("01", "001", "0"), "01", 1, [("L8", "01")]),
        (("1", "v2"), "1", 1, [("L20", "v2")]),
        (("1", "0.1"), "1", 1, [("L20", "0.1")]),
        (("1", "temp-1700000000"), "1", 1, [("L20", "temp-1700000000")]),
        (("1", "+2"), "1", 1, [("L20", "+2")]),
        (("1", "1e3/"), "1", 1, [("L20", "1e3")]),
        (("1", "٣"), "1", 1, [("L20", "٣")]),
        (("1", str(INT64)), "1", 1, [("L20", str(INT64))]),
        (("1", "9" * 200), "1", 1, [("L20", "9" * 200)]),
        (("1", "saved_model.pb#"), "1", 1, [("L20", "saved_model.pb")]),
        (("-1",), "-1", -1, [("L21", "-1")]),
        (("1", "-1"), "1", 1, []),
        ((), None, None, [("L8", ".")]),
        (("notes#",), None, None, [("L8", ".")]),
        (("v1",), None, None, [("L20", "v1"), ("L8", ".")]),
    ],
)
def test_base_folders(
    tmp_path: Path,
    names: tuple[str, ...],
    served: str | None,
    version: int | None,
    found: list[tuple[str, str]],
) -> None:
    """What is served is what TensorFlow Serving's own rule picks, and what it trips over is told."""
    base = base_with(*names, tmp_path=tmp_path)
    [place] = expand(base, serving=True)

    assert (place.name, place.base, place.version) == ("mnist", base, version)
    assert place.folder == (None if served is None else base / served)
    assert told(place) == found


def test_the_messages(tmp_path: Path) -> None:
    """Each finding says what TensorFlow Serving does."""
    base = base_with("1", "001", "2#", "3/", "v4", "temp-5", str(INT64), tmp_path=tmp_path)
    text = "\n".join(finding.message for finding in expand(base, serving=True)[0].findings)

    for words in (
        "001 and 1 are all version 1: TensorFlow Serving takes 1, the last by name",
        "is a file, which TensorFlow Serving takes for version 2 and fails to load",
        "for which it is the highest version, 3, fails to load it; these do: 001, 1",
        "passes it over, and the model in it is never served",
        "an export of an Estimator",
        "is beyond 64 bits",
    ):
        assert words in text


def test_a_name_with_a_colon(tmp_path: Path) -> None:
    """A request over REST could not name the model."""
    model(tmp_path / "mnist:v1/1")

    assert told(expand(tmp_path / "mnist:v1", serving=True)[0]) == [("L21", ".")]


def test_a_model_without_a_version_folder(tmp_path: Path) -> None:
    """A model given for its base folder is told, and checked all the same."""
    folder = model(tmp_path / "mnist")
    [place] = expand(folder, serving=True)

    assert (place.folder, place.version, told(place)) == (folder, None, [("L8", ".")])
    assert place.findings[0].fix.startswith(f"move the model into {folder}/1")


def test_a_folder_of_base_folders(tmp_path: Path) -> None:
    """Each base folder is a place; a model among them lacks its version folder."""
    model(tmp_path / "b/1")
    model(tmp_path / "a/1")
    model(tmp_path / "a/x")
    model(tmp_path / "c")
    model(tmp_path / "d/v1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").touch()
    places = expand(tmp_path, serving=True)

    assert [place.name for place in places] == ["a", "b", "c", "d", "empty", "notes"]
    assert [told(place) for place in places] == [
        [("L20", "x")],
        [],
        [("L8", ".")],
        [("L20", "v1"), ("L8", ".")],
        [("L8", ".")],
        [],
    ]
    assert [place.version for place in places] == [1, 1, None, None, None, None]
    assert places[5].skipped


def test_many_strange_folders_are_counted(tmp_path: Path) -> None:
    """A base folder full of strange folders makes a short report."""
    base = base_with("1", *(f"v{number}/" for number in range(100)), tmp_path=tmp_path)
    findings = expand(base, serving=True)[0].findings

    assert len(findings) == 21
    assert findings[-1].message == "… and 80 more"


def test_links_to_versions(tmp_path: Path) -> None:
    """A version may be a link to a folder elsewhere, as a deployment makes them."""
    folder = model(tmp_path / "store/abc")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/1").symlink_to(folder)
    [place] = expand(tmp_path / "mnist", serving=True)

    assert (place.folder, told(place)) == (tmp_path / "mnist/1", [])


def test_the_served_version_is_checked(tmp_path: Path) -> None:
    """The findings of the base folder and of the model that is served stand in one report."""
    shutil.copytree(MODELS / "module-2.21.0", tmp_path / "mnist/2")
    model(tmp_path / "mnist/v1")
    (tmp_path / "mnist/2/assets/words.txt").unlink()
    report = check(tmp_path / "mnist", Options(serving=True))

    assert [finding.rule for finding in report.findings] == ["L4", "L20"]
    assert report.version == 2


def test_a_version_without_its_file_is_checked(tmp_path: Path) -> None:
    """L8 says what Serving does, L1 what is missing."""
    parts(tmp_path / "mnist/2")
    [place] = expand(tmp_path / "mnist", serving=True)

    assert (place.folder, told(place)) == (tmp_path / "mnist/2", [("L8", "2")])

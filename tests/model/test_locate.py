"""Tests of `savedmodel_compat.model.locate`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from savedmodel_compat.errors import DamagedModelError, NotASavedModelError
from savedmodel_compat.model import locate
from savedmodel_compat.model.locate import model_file


def model(folder: Path, name: str = "saved_model.pb") -> Path:
    """Make a folder that looks like a SavedModel."""
    folder.mkdir(parents=True)
    (folder / name).touch()
    return folder


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_folder_with_the_file_is_the_model(tmp_path: Path, name: str) -> None:
    """Both forms of the file make a folder a SavedModel; text is accepted for a path."""
    folder = model(tmp_path / "m", name)

    assert locate(folder) == folder
    assert locate(str(folder)) == folder


def test_the_highest_version_is_taken(tmp_path: Path) -> None:
    """As in Serving, versions compare as numbers, and folders that are none are passed over."""
    for version in ("9", "00000010", "v11", "0.12"):
        model(tmp_path / version)

    assert locate(tmp_path) == tmp_path / "00000010"


def test_a_model_with_a_version_folder_in_it_is_the_model(tmp_path: Path) -> None:
    """A folder that holds the file itself is not a base folder."""
    folder = model(tmp_path / "m")
    model(folder / "1")

    assert locate(folder) == folder


def test_a_highest_version_without_a_model_is_an_error(tmp_path: Path) -> None:
    """A version still being copied is what Serving would try; falling back would hide it."""
    model(tmp_path / "1")
    (tmp_path / "2").mkdir()

    with pytest.raises(NotASavedModelError, match="highest version, 2,.*these do: 1") as caught:
        locate(tmp_path)
    assert str(tmp_path / "1") in str(caught.value.hint)


def test_a_version_twice_is_an_error(tmp_path: Path) -> None:
    """1 and 001 are one number; which is served is not defined."""
    model(tmp_path / "1")
    model(tmp_path / "001")

    with pytest.raises(NotASavedModelError, match="version 1 twice, as 001 and 1"):
        locate(tmp_path)


def test_a_file_named_as_a_version_is_none(tmp_path: Path) -> None:
    """Only folders are versions here."""
    model(tmp_path / "1")
    (tmp_path / "2").touch()

    assert locate(tmp_path) == tmp_path / "1"


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    """A path that does not exist is named."""
    with pytest.raises(NotASavedModelError, match="there is no folder .*gone"):
        locate(tmp_path / "gone")


def test_the_models_own_file_leads_to_its_folder(tmp_path: Path) -> None:
    """Who names saved_model.pb is told to name its folder."""
    folder = model(tmp_path / "m")

    with pytest.raises(NotASavedModelError) as caught:
        locate(folder / "saved_model.pb")
    assert caught.value.hint == f"name the folder: {folder}"


@pytest.mark.parametrize("scheme", ["gs", "s3", "hdfs", "http", "https"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_uri_is_named_as_one(scheme: str, kind: type[str | Path]) -> None:
    """A URI is recognised even when a Path has swallowed one of its slashes."""
    with pytest.raises(NotASavedModelError, match=f"is a URI.* not {scheme}://"):
        locate(kind(f"{scheme}://bucket/model"))


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """Nothing there is said to be nothing."""
    with pytest.raises(NotASavedModelError, match="it is empty"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.h5", "HDF5"),
        ("model.keras", "Keras 3 archive"),
        ("model.tflite", "TensorFlow Lite"),
        ("model.onnx", "ONNX"),
        ("frozen.pb", "frozen graph"),
        ("saved_model.cpb", "chunked SavedModel"),
        ("checkpoint", "a checkpoint"),
        ("model.ckpt-7.data-00000-of-00001", "a checkpoint"),
        ("model.ckpt-7.meta", "MetaGraph of a v1 checkpoint"),
        ("module.tar.gz", "an archive"),
    ],
)
def test_other_models_are_told_apart(tmp_path: Path, name: str, kind: str) -> None:
    """A folder that holds another kind of model is said to, and so is the file itself."""
    (tmp_path / name).touch()

    with pytest.raises(NotASavedModelError, match=rf"holds {name} \(.*{kind}"):
        locate(tmp_path)
    with pytest.raises(NotASavedModelError, match=f"{name} is .*{kind}"):
        locate(tmp_path / name)


def test_a_folder_of_models_is_an_error(tmp_path: Path) -> None:
    """Several models in one folder are counted and named, not guessed from."""
    model(tmp_path / "a")
    model(tmp_path / "b")

    with pytest.raises(NotASavedModelError, match="2 folders with one: a, b"):
        locate(tmp_path)


def test_a_lost_file_is_told_from_no_model(tmp_path: Path) -> None:
    """A variables folder alone is a model whose file is missing."""
    (tmp_path / "variables").mkdir()
    (tmp_path / "fingerprint.pb").touch()

    with pytest.raises(NotASavedModelError, match="lost or never was"):
        locate(tmp_path)


def test_long_listings_are_cut(tmp_path: Path) -> None:
    """An error names five entries and counts the others."""
    for index in range(8):
        (tmp_path / f"file{index}").touch()

    with pytest.raises(NotASavedModelError, match="file4 and 3 more"):
        locate(tmp_path)


def test_a_link_to_a_model_is_a_model(tmp_path: Path) -> None:
    """The folder itself may be a link, as mounted volumes are."""
    folder = model(tmp_path / "m")
    link = tmp_path / "link"
    link.symlink_to(folder)

    assert locate(link) == link


def test_no_model_is_not_a_damaged_model(tmp_path: Path) -> None:
    """Callers can tell a wrong path from a broken file."""
    with pytest.raises(NotASavedModelError) as caught:
        locate(tmp_path)
    assert not isinstance(caught.value, DamagedModelError)
    assert caught.value.exit_code == 4


def test_a_pipe_is_taken_for_the_model_by_a_loader(tmp_path: Path) -> None:
    """It is there, so no loader looks further; a folder is not taken for it."""
    os.mkfifo(tmp_path / "saved_model.pb")
    assert model_file(tmp_path) == tmp_path / "saved_model.pb"

    (tmp_path / "saved_model.pb").unlink()
    (tmp_path / "saved_model.pb").mkdir()
    assert model_file(tmp_path) is None
    assert model_file(tmp_path / ("x" * 5000)) is None

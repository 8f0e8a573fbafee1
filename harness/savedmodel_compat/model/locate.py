"""Finding the SavedModel that a path means, and saying what is there instead if there is none."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import NotASavedModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first that exists is read, as cc/saved_model/reader.cc does.
FILE_NAMES = ("saved_model.pb", "saved_model.pbtxt")
_INT64 = 2**63
# What TensorFlow's strings::safe_strto64 takes for a number.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*(-?[0-9]+)[ \t\n\v\f\r]*")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
_KINDS = (
    (re.compile(r"saved_model\.cpb$"), "a chunked SavedModel, which no open-source loader reads"),
    (re.compile(r"\.keras$"), "a Keras 3 archive"),
    (re.compile(r"\.(h5|hdf5)$"), "Keras weights or a Keras model in HDF5"),
    (re.compile(r"\.tflite$"), "a TensorFlow Lite model"),
    (re.compile(r"\.onnx$"), "an ONNX model"),
    (re.compile(r"\.meta$"), "a MetaGraph of a v1 checkpoint"),
    (re.compile(r"^checkpoint$|\.ckpt|\.index$|\.data-\d+-of-\d+$"), "a checkpoint"),
    (re.compile(r"\.pb(txt)?$"), "a protocol buffer, likely a frozen graph"),
    (re.compile(r"\.(tar|tgz|tar\.gz|zip)$"), "an archive"),
)
_HINTS = {
    "an archive": "unpack the archive and name the folder that holds saved_model.pb",
    "a Keras 3 archive": "write a SavedModel of it with model.export(FOLDER)",
    "Keras weights or a Keras model in HDF5": "load it with Keras, then model.export(FOLDER)",
}
_SHOWN = 5
_LONG = 200


def locate(path: Path | str) -> Path:
    """Return the folder of the SavedModel that a path means.

    Args:
        path: a folder that holds ``saved_model.pb`` or ``saved_model.pbtxt``, or a base folder of
            TensorFlow Serving, of whose version folders the one with the highest number is taken,
            as Serving does (``sources/storage_path/file_system_storage_path_source.cc``).

    Raises:
        NotASavedModelError: it is neither; the text says what is there.
    """
    folder = Path(path)
    try:
        check_folder(folder, str(path))
        if model_file(folder):
            return folder
        return served_version(folder)
    except OSError as error:
        raise NotASavedModelError(f"{folder} cannot be read: {error.strerror}") from error


def model_file(folder: Path) -> Path | None:
    """Return the file of a folder that a loader would read as the model; None if there is none."""
    return next((folder / name for name in FILE_NAMES if _is_file(folder / name)), None)


def version_number(name: str) -> int | None:
    """Return the version that TensorFlow Serving takes a name in a base folder for; None if it is none.

    It is the rule of ``ParseVersionNumber`` in
    ``sources/storage_path/file_system_storage_path_source.cc``: leading zeros do not count, and
    what is more than 64 bits is no number.
    """
    match = _NUMBER.fullmatch(name)
    number = int(match[1]) if match else None
    return number if number is not None and -_INT64 <= number < _INT64 else None


def version_folders(base: Path) -> list[tuple[int, Path]]:
    """Return the folders of a base folder that are named by a version, with their numbers, by name."""
    numbered = ((version_number(child.name), child) for child in sorted(base.iterdir()))
    return [(number, child) for number, child in numbered if number is not None and child.is_dir()]


def _is_file(path: Path) -> bool:
    # A link that leads nowhere is a model whose file is lost, not a folder without one; a pipe is a
    # file to a loader, too. These functions, unlike those of a Path, never raise.
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112


def check_folder(folder: Path, given: str) -> None:
    """Refuse a path that is no folder.

    Args:
        folder: the path.
        given: its text as the user wrote it; a Path swallows a slash of a URI.

    Raises:
        NotASavedModelError: it is a file, a URI, or not there.
    """
    if folder.is_dir():
        return
    if folder.is_file():
        raise _file_error(folder)
    scheme = _SCHEME.match(given)
    if scheme:
        raise NotASavedModelError(
            f"{given} is a URI; only folders of this machine are read, not {scheme[1]}://",
            hint="copy the model here and name its folder",
        )
    raise NotASavedModelError(f"there is no folder {folder}", hint="check the path")


def _file_error(file: Path) -> NotASavedModelError:
    if file.name in FILE_NAMES:
        return NotASavedModelError(
            f"{file} is the file of a SavedModel; its folder is what loads",
            hint=f"name the folder: {file.parent}",
        )
    found = _kind(file.name) or "a file"
    return NotASavedModelError(
        f"{file} is {found}, no SavedModel: that is a folder with saved_model.pb[txt] in it",
        hint=_HINTS.get(found, "name such a folder"),
    )


def served_version(base: Path) -> Path:
    """Return the version folder of a base folder that TensorFlow Serving would load.

    Raises:
        NotASavedModelError: there is none, or which one is not defined.
    """
    versions = version_folders(base)
    if not any(model_file(child) for _, child in versions):
        raise no_model_error(base)
    highest = max(number for number, _ in versions)
    served = [child for number, child in versions if number == highest]
    if len(served) > 1:
        names = " and ".join(child.name for child in served)
        raise NotASavedModelError(
            f"{base} holds version {highest} twice, as {names}: either may be served",
            hint=f"name one of them: {served[0]}",
        )
    if model_file(served[0]) is None:
        others = [child.name for _, child in versions if model_file(child)]
        raise NotASavedModelError(
            f"{base}: the highest version, {served[0].name}, which TensorFlow Serving would load,"
            f" holds no SavedModel; these do: {some(others)}",
            hint=f"name the version: {base / others[-1]}",
        )
    return served[0]


def no_model_error(folder: Path) -> NotASavedModelError:
    """Return an error that says what a folder without a SavedModel holds instead."""
    children = sorted(folder.iterdir())
    wanted = f"{folder} holds neither saved_model.pb nor saved_model.pbtxt"
    if not children:
        return NotASavedModelError(f"{wanted}: it is empty", hint="check that the export finished")
    models = [child for child in children if child.is_dir() and model_file(child)]
    if models:
        return NotASavedModelError(
            f"{wanted}; it holds {len(models)} folders with one: {some([m.name for m in models])}",
            hint=f"name one of them: {models[0]}",
        )
    if (folder / "variables").is_dir():
        return NotASavedModelError(
            f"{wanted}, but variables/: the file, which is written last, is lost or never was",
            hint="export or copy the model again",
        )
    found = {child.name: _kind(child.name) for child in children if child.is_file()}
    told = [f"{name} ({kind})" for name, kind in found.items() if kind]
    hints = [_HINTS[kind] for kind in found.values() if kind in _HINTS]
    return NotASavedModelError(
        f"{wanted}; it holds {some(told or [child.name for child in children])}",
        hint=hints[0] if hints else "name the folder that holds one of them",
    )


def _kind(name: str) -> str | None:
    return next((kind for pattern, kind in _KINDS if pattern.search(name)), None)


def clipped(text: str) -> str:
    """Return a name from the model, cut if it is very long."""
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many there are more."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"

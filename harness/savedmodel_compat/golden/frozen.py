"""Frozen models: small SavedModels that a named release made once, byte for byte, and what each file was then.

Below the golden folder, ``models/NAME/`` is the SavedModel and ``models/NAME.json`` says who made it and why.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from savedmodel_compat.errors import (
    GoldenDamagedError,
    GoldenMissingError,
    NotASavedModelError,
    UsageError,
)
from savedmodel_compat.golden import _folders, _frozen_files
from savedmodel_compat.golden._fields import Field, FieldError, parse
from savedmodel_compat.golden._frozen_files import FrozenFile
from savedmodel_compat.golden._manifest_read import source_from, text_at
from savedmodel_compat.golden._manifest_text import document_text, source_members
from savedmodel_compat.golden.manifest import Source
from savedmodel_compat.golden.store import PENDING
from savedmodel_compat.model.locate import FILE_NAMES

_MODELS = "models"
_SUFFIX = ".json"
_SCHEMA = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
_KEYS = ("schema", "producer", "source", "date", "why", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenModel:
    """What is known of a frozen model.

    Args:
        name: of the model.
        path: the SavedModel's folder.
        producer: the release that wrote it.
        source: what it was exported from.
        date: the day on which it was frozen.
        why: what it is kept for.
        files: by name relative to the folder, with slashes.
    """

    name: str
    path: Path
    producer: str
    source: Source
    date: str
    why: str
    files: Mapping[str, FrozenFile]


def freeze(
    root: Path, name: str, model_folder: Path, *, producer: str, source: Source, why: str
) -> Path:
    """Copy a SavedModel below the golden folder, once and for all.

    Args:
        root: the golden folder.
        name: of the frozen model: lower-case letters, digits, ``_``, ``-`` and ``.``.
        model_folder: the SavedModel; it may itself be a link, as mounted volumes are.
        producer: the release that wrote it.
        source: what it was exported from.
        why: what it is kept for; never empty.

    Returns:
        The frozen model's folder. The same model of the same name stays as it is.

    Raises:
        UsageError: the name cannot be one, there is no reason, a file of the model is no regular
            one, or another model has that name.
        NotASavedModelError: the folder holds none.
        InfrastructureError: the copy cannot be written.
    """
    _check_name(name)
    if not why.strip():
        raise UsageError(f"a model is not frozen without a reason: {name}")
    if not any((model_folder / file).is_file() for file in FILE_NAMES):
        raise NotASavedModelError(f"{model_folder} holds neither {' nor '.join(FILE_NAMES)}")
    place = root / _MODELS / name
    with _folders.locked(root):
        _folders.check_inside(root, place)
        _folders.sweep(root / _MODELS, 1)
        if os.path.lexists(_said_at(place)):
            _demand_same(root, name, model_folder)
            return place
        if os.path.lexists(place):
            # Its maker died before it could say what it had made.
            files = _frozen_files.files(place)
            _demand_equal(place, files, model_folder)
        else:
            with _folders.replacing(place, root) as folder:
                files = _frozen_files.copy(model_folder, folder)
        date = dt.datetime.now(dt.timezone.utc).date().isoformat()
        text = _text(producer, source, date, why, files)
        _folders.write_file(_said_at(place), text.encode())
    return place


def names(root: Path) -> tuple[str, ...]:
    """Return which models are frozen."""
    return tuple(
        entry.name.removesuffix(_SUFFIX)
        for entry in _folders.entries(root / _MODELS)
        if entry.name.endswith(_SUFFIX)
    )


def read(root: Path, name: str) -> FrozenModel:
    """Return what is known of a frozen model, without a look at its files.

    Raises:
        GoldenMissingError: there is none of that name.
        GoldenDamagedError: what is said of it cannot be read.
        UsageError: there cannot be one of that name.
    """
    _check_name(name)
    place = root / _MODELS / name
    path = _said_at(place)
    _folders.check_inside(root, path)
    if not os.path.lexists(path):
        raise GoldenMissingError(
            f"no model is frozen as '{name}': {path} is missing; there are"
            f" {', '.join(names(root)) or 'none'}"
        )
    try:
        return _frozen(parse(text_at(path)), name, place)
    except FieldError as error:
        raise GoldenDamagedError(str(error), path=path) from error


def verify(root: Path, name: str) -> tuple[str, ...]:
    """Return what is wrong with the files of a frozen model; nothing if it is whole.

    Raises:
        GoldenMissingError: there is none of that name.
        GoldenDamagedError: what is said of it cannot be read, or its folder is a link.
        UsageError: there cannot be one of that name.
    """
    frozen = read(root, name)
    _folders.check_inside(root, frozen.path)
    found = {
        file: path
        for file, path in _frozen_files.walk(frozen.path)
        if not _frozen_files.is_folder(path)
    }
    missing = sorted(set(frozen.files) - set(found))
    extra = sorted(set(found) - set(frozen.files))
    changed = [
        f"{path} {problem}"
        for file, path in sorted(found.items())
        if file in frozen.files and (problem := _frozen_files.changed(path, frozen.files[file]))
    ]
    return (
        *(f"{frozen.path / file} is missing" for file in missing),
        *(f"{found[file]} is none of its files" for file in extra),
        *changed,
    )


def size(root: Path) -> int:
    """Return the bytes of all files that a golden folder keeps: all but proposals and temporaries."""
    total = 0
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _folders.is_temporary(name)]
        if Path(parent) == root and PENDING in folders:
            folders.remove(PENDING)
        for name in files:
            if not _folders.is_temporary(name):
                total += (Path(parent) / name).lstat().st_size
    return total


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith((".", _SUFFIX)) or _DEVICE.match(name):
        raise UsageError(
            f"'{name}' cannot be the name of a frozen model",
            hint="lower-case letters, digits, '_', '-' and '.', such as half_plus_two-2.11.1",
        )


def _said_at(place: Path) -> Path:
    return place.with_name(f"{place.name}{_SUFFIX}")


def _demand_same(root: Path, name: str, model_folder: Path) -> None:
    """Refuse to freeze a model in the place of another, or of what is left of itself.

    Raises:
        UsageError: what is frozen is another model.
        GoldenDamagedError: it is this one, and not whole.
    """
    frozen = read(root, name)
    _demand_equal(frozen.path, frozen.files, model_folder)
    if problems := verify(root, name):
        raise GoldenDamagedError("; ".join(problems), path=frozen.path)


def _demand_equal(place: Path, there: Mapping[str, FrozenFile], model_folder: Path) -> None:
    """Compare what is frozen in a place with a model.

    Raises:
        UsageError: they differ.
    """
    given = _frozen_files.files(model_folder)
    differing = [name for name in {**there, **given} if there.get(name) != given.get(name)]
    if differing:
        raise UsageError(
            f"{place} is frozen already and is another model than {model_folder}: they differ in"
            f" {differing[0]}" + (f" and {len(differing) - 1} more" if differing[1:] else ""),
            hint="what is frozen stays; give the new one a name of its own",
        )


def _text(
    producer: str, source: Source, date: str, why: str, files: Mapping[str, FrozenFile]
) -> str:
    return document_text(
        {
            "schema": _SCHEMA,
            "producer": producer,
            "source": source_members(source),
            "date": date,
            "why": why,
            "files": {name: asdict(file) for name, file in files.items()},
        }
    )


def _frozen(document: Field, name: str, place: Path) -> FrozenModel:
    document.known(_KEYS)
    if document["schema"].integer() != _SCHEMA:
        document["schema"].fail(f"is not {_SCHEMA}")
    files = {}
    for file, said in document["files"].members():
        said.known(("size", "sha256"))
        files[file] = FrozenFile(size=said["size"].count(), sha256=said["sha256"].sha256())
    if not files:
        document["files"].fail("is empty")
    return FrozenModel(
        name=name,
        path=place,
        producer=document["producer"].text(),
        source=source_from(document["source"]),
        date=document["date"].day(),
        why=document["why"].said(),
        files=files,
    )

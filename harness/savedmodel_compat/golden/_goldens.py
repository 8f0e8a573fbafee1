"""A golden as a value, and as the files of one folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from savedmodel_compat.errors import GoldenDamagedError, UsageError
from savedmodel_compat.golden import _manifest_read, tensorfile
from savedmodel_compat.golden._facts import check_facts
from savedmodel_compat.golden._manifest_text import text_of
from savedmodel_compat.golden._names import escape, escape_all
from savedmodel_compat.golden.manifest import (
    NAME,
    DataSetFacts,
    Manifest,
    describe,
    digest_of,
)
from savedmodel_compat.golden.tensorfile import SIDES, SUFFIX, Stored
from savedmodel_compat.runtimes.wire import Arrays

_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """Which golden: there is one a signature of a MetaGraph of a model.

    Args:
        model: its name.
        tags: tag set of the MetaGraph; a set, kept in order.
        signature: key of the signature.
    """

    model: str
    tags: tuple[str, ...]
    signature: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))

    def __str__(self) -> str:
        """Return it as messages name it."""
        return f"model '{self.model}' [{', '.join(self.tags)}], signature '{self.signature}'"

    @property
    def name(self) -> str:
        """What reports and the command line call it: ``MODEL:TAG+TAG:SIGNATURE``; no other golden is called so."""
        tags = "+".join(map(_without_separators, self.tags))
        return ":".join(
            (_without_separators(self.model), tags, _without_separators(self.signature))
        )

    @property
    def folder(self) -> PurePosixPath:
        """Where the golden lies below the root: ``tensors/MODEL/TAG+TAG/SIGNATURE``."""
        return PurePosixPath(
            "tensors", escape(self.model), escape_all(self.tags), escape(self.signature)
        )


def _without_separators(text: str) -> str:
    """Return a text in which what parts names from one another is written as in an address."""
    return text.replace("%", "%25").replace(":", "%3a").replace("+", "%2b")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet:
    """What a signature was fed with, and what it answered.

    Args:
        name: unique in the golden.
        inputs: by alias; strings are object arrays of bytes. Arrays that were read are read-only.
        outputs: by alias; never empty.
        dtypes: TensorFlow's names of the element types, by ``inputs/ALIAS`` and ``outputs/ALIAS``;
            what is not named has the type of its array.
        why: what the data set is for.
    """

    name: str
    inputs: Arrays
    outputs: Arrays
    dtypes: Mapping[str, str]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Golden:
    """The frozen inputs and outputs of one signature.

    Args:
        key: which one.
        manifest: what it says of itself. Its ``data_sets`` are made anew when it is written.
        data_sets: never empty.
    """

    key: Key
    manifest: Manifest
    data_sets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Files:
    """A golden, ready to be written.

    Args:
        key: which one.
        digest: of its tensors, as of its manifest.
        text: of the manifest.
        tensors: of each data set, by the name of its file.
    """

    key: Key
    digest: str
    text: str
    tensors: Mapping[str, tuple[Stored, ...]]


def files_of(golden: Golden) -> Files:
    """Return a golden as its files, checked as they are when they are read.

    Raises:
        UsageError: it is none: its manifest is of another one, two data sets have one name, one has
            no outputs, or its manifest says what no manifest says.
        UnsupportedError: a tensor is of a type that cannot be kept.
    """
    if key_of(golden.manifest) != golden.key:
        raise UsageError(f"the manifest of {golden.key} is one of {key_of(golden.manifest)}")
    tensors = {file_of(data_set.name): _stored(data_set) for data_set in golden.data_sets}
    facts = tuple(
        describe(data_set.name, tensors[file_of(data_set.name)], why=data_set.why)
        for data_set in golden.data_sets
    )
    manifest = replace(golden.manifest, tags=golden.key.tags, data_sets=facts)
    text = text_of(manifest)
    try:
        _manifest_read.from_text(text, Path(NAME))
    except GoldenDamagedError as error:
        raise UsageError(f"the golden of {golden.key} cannot be kept: {error.problem}") from error
    return Files(key=golden.key, digest=digest_of(facts), text=text, tensors=tensors)


def write_files(folder: Path, files: Files) -> None:
    """Write a golden into an empty folder.

    Raises:
        OSError: it cannot be written.
    """
    for name, tensors in files.tensors.items():
        tensorfile.write(folder / name, tensors)
    (folder / NAME).write_bytes(files.text.encode())


def read_files(folder: Path, *, besides: Collection[str] = ()) -> Golden:
    """Read a golden and compare it with what its manifest says of it.

    Args:
        folder: where it lies.
        besides: the names of other files that belong there.

    Raises:
        GoldenDamagedError: they differ, or a file is damaged, missing, or none of it.
        UnsupportedError: a tensor is of a type that this ml_dtypes does not have.
        InfrastructureError: a file cannot be read.
    """
    manifest = _manifest_read.read(folder / NAME)
    _check_listing(folder, {NAME, *besides}, manifest.data_sets)
    return Golden(
        key=key_of(manifest),
        manifest=manifest,
        data_sets=tuple(_data_set(folder, facts) for facts in manifest.data_sets),
    )


def key_of(manifest: Manifest) -> Key:
    """Return which golden a manifest is one of."""
    return Key(model=manifest.model, tags=manifest.tags, signature=manifest.signature)


def file_of(data_set: str) -> str:
    """Return the name of a data set's file."""
    return f"{escape(data_set)}{SUFFIX}"


def check_place(root: Path, place: Path, key: Key) -> None:
    """Refuse a golden that does not lie where its manifest belongs.

    Raises:
        GoldenDamagedError: it does not.
    """
    if place != root / key.folder:
        raise GoldenDamagedError(
            f"the manifest says {key}, whose place is {key.folder}: it was moved or edited by hand",
            path=place / NAME,
        )


def _stored(data_set: DataSet) -> tuple[Stored, ...]:
    for place in data_set.dtypes:
        side, _, alias = place.partition("/")
        if side not in SIDES or alias not in getattr(data_set, side):
            raise UsageError(
                f"data set '{data_set.name}' names the type of '{place}', which is not there"
            )
    return tuple(
        tensorfile.stored(side, alias, np.asarray(array), data_set.dtypes.get(f"{side}/{alias}"))
        for side in SIDES
        for alias, array in getattr(data_set, side).items()
    )


def _check_listing(folder: Path, others: set[str], data_sets: Sequence[DataSetFacts]) -> None:
    with os.scandir(folder) as entries:
        found = {entry.name: entry.is_symlink() for entry in entries}
    if links := sorted(name for name, is_link in found.items() if is_link):
        raise GoldenDamagedError(
            f"it is a symbolic link to {(folder / links[0]).readlink()}, and no link is followed in a"
            " golden folder",
            path=folder / links[0],
            hint="put the file itself there",
        )
    expected = others | {file_of(facts.name) for facts in data_sets}
    if missing := sorted(expected - set(found)):
        raise GoldenDamagedError(f"missing: {_told(missing)}", path=folder)
    if extra := sorted(set(found) - expected):
        raise GoldenDamagedError(
            f"the manifest lists {len(data_sets)} data sets and none that is kept in {_told(extra)}",
            path=folder,
            hint="remove what does not belong there, or restore the golden from version control",
        )


def _told(names: Sequence[str]) -> str:
    told = ", ".join(names[:_TOLD])
    return told if len(names) <= _TOLD else f"{told} and {len(names) - _TOLD} more"


def _data_set(folder: Path, facts: DataSetFacts) -> DataSet:
    path = folder / file_of(facts.name)
    tensors = tensorfile.read(path)
    listed = {"inputs": facts.inputs, "outputs": facts.outputs}
    for side in SIDES:
        check_facts(path, side, listed[side], [one for one in tensors if one.side == side])
    arrays = {side: {one.alias: one.array for one in tensors if one.side == side} for side in SIDES}
    return DataSet(
        name=facts.name,
        inputs=arrays["inputs"],
        outputs=arrays["outputs"],
        dtypes={f"{one.side}/{one.alias}": one.dtype for one in tensors},
        why=facts.why,
    )

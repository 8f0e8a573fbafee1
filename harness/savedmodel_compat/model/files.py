"""The files of a model, and one digest for all of them. Nothing outside the model is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model.tree import Entry, Kind, Tree, walk
from savedmodel_compat.model.values import ModelFile

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 1 << 20
_SHOWN = 200
_TOLD = 5
# Whoever asks for a digest wants it of all.
_ALL = 1 << 62
KNOWN_FOLDERS = ("assets", "assets.extra", "debug", "variables")


def open_regular(file: Path) -> BinaryIO:
    """Open a file for reading, without a buffer, if it is a regular one: a pipe would never end.

    Raises:
        OSError: it cannot be opened, or is no regular file; ``strerror`` says so.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", os.fspath(file))
    raise OSError(errno.EINVAL, "it is no regular file", os.fspath(file))


def inside(root: Path, file: Path) -> Path:
    """Return the file that a path of the model stands for, links resolved.

    Args:
        root: the model's folder; it may itself be a link, as mounted volumes are.
        file: a path in it.

    Raises:
        NotASavedModelError: it is a link that leads out of the model, or to nothing.
    """
    try:
        # The system gives up on long chains of links, which would else be followed to their end.
        file.stat()
        target = file.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotASavedModelError(f"{file} is a link that leads nowhere") from error
    if not target.is_relative_to(root.resolve()):
        raise NotASavedModelError(
            f"{file} is a link to {target}, which is outside the model and is not followed",
            hint=f"copy the model with its links resolved: cp -rL {root} COPY",
        )
    return target


def list_files(root: Path) -> tuple[tuple[ModelFile, ...], tuple[str, ...]]:
    """Return the files of a model's folder and of the folders that TensorFlow knows in it, by name.

    A link is listed if it leads to a file of the model.

    Returns:
        The files; and, in words, what could not be looked at.
    """
    tree = walk(root, only=KNOWN_FOLDERS)
    listed = tuple(
        ModelFile(name=entry.name, size=file.size)
        for entry in tree.entries.values()
        if (file := _file_of(tree, entry)) is not None
    )
    notes = [f"{_short(name)} cannot be looked at" for name in tree.unreadable[:_TOLD]]
    if len(tree.unreadable) > _TOLD:
        notes.append(f"{len(tree.unreadable) - _TOLD} more cannot be looked at")
    if tree.beyond is not None:
        notes.append(f"not all files are listed: there are {tree.beyond}")
    return listed, tuple(notes)


def _file_of(tree: Tree, entry: Entry) -> Entry | None:
    """Return the file that an entry is, or leads to; None if it is none of the model."""
    file = tree.find(entry.name) if entry.kind is Kind.LINK else entry
    return file if file is not None and file.kind is Kind.FILE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """A file of a model and what it holds.

    Args:
        name: relative to the model, with slashes.
        size: in bytes; of a link that is not followed, that of its text.
        sha256: of the content, in hex; None for a link that is not followed.
        target: the text of a link that leads out of the model, to a folder or to nothing; None for a
            file, and for a link to a file of the model, which counts as that file.
    """

    name: str
    size: int
    sha256: str | None
    target: str | None = None


def manifest(path: Path | str) -> tuple[FileDigest, ...]:
    """Return every file of a model with its SHA-256, by name.

    Args:
        path: the model's folder.

    Raises:
        NotASavedModelError: it is no folder, or a file in it cannot be read.
    """
    root = Path(path)
    if not root.is_dir():
        raise NotASavedModelError(f"{root} is not a folder")
    tree = walk(root, entries=_ALL, depth=_ALL)
    if tree.unreadable:
        raise NotASavedModelError(f"{_short(str(root / tree.unreadable[0]))} cannot be read")
    if tree.beyond is not None:
        raise NotASavedModelError(f"{root} has no digest: there are {tree.beyond}")
    try:
        return tuple(
            _file_digest(root, tree, entry)
            for entry in tree.entries.values()
            if entry.kind in (Kind.FILE, Kind.LINK)
        )
    except OSError as error:
        raise NotASavedModelError(
            f"{_short(str(error.filename))} cannot be read: {error.strerror}"
        ) from error


def digest(path: Path | str) -> str:
    """Return the SHA-256, in hex, of all files of a model, by relative name and content.

    It is the same on every machine. A link counts with the content it leads to if that is a file of
    the model, else with the text of the link: what is outside is not read.

    Args:
        path: the model's folder.

    Raises:
        NotASavedModelError: it is no folder, or a file in it cannot be read.
    """
    return digest_of(manifest(path))


def digest_of(files: Iterable[FileDigest]) -> str:
    """Return the `digest` of a model whose `manifest` is at hand."""
    total = hashlib.sha256()
    for line in sorted(map(_digest_line, files)):
        total.update(line)
    return total.hexdigest()


def _short(path: str) -> str:
    return path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"


def _digest_line(file: FileDigest) -> bytes:
    name = os.fsencode(file.name)
    if file.sha256 is None:
        return b"link\0" + name + b"\0" + os.fsencode(file.target or "") + b"\0"
    return b"file\0" + name + b"\0" + bytes.fromhex(file.sha256) + b"\0"


def _file_digest(root: Path, tree: Tree, entry: Entry) -> FileDigest:
    file = _file_of(tree, entry)
    if file is None:
        target = entry.target or ""
        size = len(os.fsencode(target))
        return FileDigest(name=entry.name, size=size, sha256=None, target=target)
    content = hashlib.sha256()
    size = 0
    with open_regular(root / file.name) as opened:
        while block := opened.read(_BLOCK):
            content.update(block)
            size += len(block)
    return FileDigest(name=entry.name, size=size, sha256=content.hexdigest())

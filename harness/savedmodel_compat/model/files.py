"""The files of a model, and one digest for all of them. Nothing outside the model is read."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model.values import ModelFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 1 << 20
KNOWN_FOLDERS = ("assets", "assets.extra", "debug", "variables")


def inside(root: Path, file: Path) -> Path:
    """Return the file that a path of the model stands for, links resolved.

    Args:
        root: the model's folder; it may itself be a link, as mounted volumes are.
        file: a path in it.

    Raises:
        NotASavedModelError: it is a link that leads out of the model, or to nothing.
    """
    try:
        target = file.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotASavedModelError(f"{file} is a link that leads nowhere") from error
    if not target.is_relative_to(root.resolve()):
        raise NotASavedModelError(
            f"{file} is a link to {target}, which is outside the model and is not followed",
            hint=f"copy the model with its links resolved: cp -rL {root} COPY",
        )
    return target


def list_files(root: Path) -> tuple[ModelFile, ...]:
    """Return the files of a model's folder and of the folders that TensorFlow knows in it, by name.

    A link is listed if it leads to a file of the model.

    Raises:
        NotASavedModelError: a folder cannot be read.
    """
    try:
        paths = list(root.iterdir())
        for folder in KNOWN_FOLDERS:
            if (root / folder).is_dir() and not (root / folder).is_symlink():
                paths += _walk(root / folder)
        found = [
            ModelFile(name=path.relative_to(root).as_posix(), size=path.stat().st_size)
            for path in paths
            if path.is_file() and (not path.is_symlink() or _leads_inside(root, path))
        ]
    except OSError as error:
        raise _unreadable(error) from error
    return tuple(sorted(found, key=lambda file: file.name))


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
    try:
        found = [_file_digest(root, file) for file in _walk(root)]
    except OSError as error:
        raise _unreadable(error) from error
    return tuple(sorted(found, key=lambda file: file.name))


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


def _unreadable(error: OSError) -> NotASavedModelError:
    return NotASavedModelError(f"{error.filename} cannot be read: {error.strerror}")


def _walk(root: Path) -> Iterator[Path]:
    """Yield regular files and links below a folder; a link to a folder is not entered."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=fail):
        here = Path(folder)
        yield from (here / name for name in folders if (here / name).is_symlink())
        yield from (path for name in names if (path := here / name).is_symlink() or path.is_file())


def _digest_line(file: FileDigest) -> bytes:
    name = os.fsencode(file.name)
    if file.sha256 is None:
        return b"link\0" + name + b"\0" + os.fsencode(file.target or "") + b"\0"
    return b"file\0" + name + b"\0" + bytes.fromhex(file.sha256) + b"\0"


def _leads_inside(root: Path, link: Path) -> bool:
    target = Path(os.path.realpath(link))
    return target.is_file() and target.is_relative_to(root.resolve())


def _file_digest(root: Path, path: Path) -> FileDigest:
    name = path.relative_to(root).as_posix()
    if path.is_symlink() and not _leads_inside(root, path):
        target = str(path.readlink())
        return FileDigest(name=name, size=len(os.fsencode(target)), sha256=None, target=target)
    content = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            content.update(block)
            size += len(block)
    return FileDigest(name=name, size=size, sha256=content.hexdigest())

"""The files of a frozen model: found without following a link, copied byte for byte, and compared with what they were."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.errors import UsageError
from savedmodel_compat.model.files import open_regular

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenFile:
    """A file of a frozen model.

    Args:
        size: in bytes.
        sha256: of its content, in hex.
    """

    size: int
    sha256: str


def walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield everything below a folder, by its name relative to it; no link is followed."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        try:
            found = sorted(os.listdir(parent))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in found:
            path = parent / name
            yield path.relative_to(folder).as_posix(), path
            if is_folder(path):
                waiting.append(path)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder, and no link to one."""
    return stat.S_ISDIR(path.lstat().st_mode)


def _sources(model_folder: Path) -> dict[str, Path]:
    """Return the files of a model by name.

    Raises:
        UsageError: one is no regular file.
    """
    found = {}
    for name, path in walk(model_folder.resolve()):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found[name] = path
        elif not stat.S_ISDIR(mode):
            raise UsageError(
                f"{model_folder / name} is a link, a pipe or the like: only regular files are frozen",
                hint=f"copy the model with its links resolved: cp -rL {model_folder} COPY",
            )
    return dict(sorted(found.items()))


def copy(model_folder: Path, folder: Path) -> dict[str, FrozenFile]:
    """Copy a model into an empty folder, and return what was copied, by name.

    Raises:
        UsageError: a file of the model is no regular one.
    """
    copied = {}
    for name, path in _sources(model_folder).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_regular(path) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, _BLOCK)
        copied[name] = _file(target)
    return copied


def _file(path: Path) -> FrozenFile:
    content = hashlib.sha256()
    count = 0
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            content.update(block)
            count += len(block)
    return FrozenFile(size=count, sha256=content.hexdigest())


def files(folder: Path) -> dict[str, FrozenFile]:
    """Return the files of a model, by name.

    Raises:
        UsageError: one is no regular file.
    """
    return {name: _file(path) for name, path in _sources(folder).items()}


def changed(path: Path, said: FrozenFile) -> str:
    """Return what is wrong with a file; nothing if it is what it was."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return "is no regular file"
    now = _file(path)
    if now.size != said.size:
        return f"has {now.size} bytes and had {said.size}"
    if now.sha256 != said.sha256:
        return f"has the SHA-256 {now.sha256} and had {said.sha256}"
    return ""

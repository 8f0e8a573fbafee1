"""A model's folder under another name with some of its files replaced: whole, or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import InfrastructureError, NotASavedModelError, UsageError
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.model.locate import clipped
from savedmodel_compat.model.tree import Entry, Kind, Tree, walk

if TYPE_CHECKING:
    from savedmodel_compat.model._default_bytes import Part

# Whoever asks for a copy wants it of all.
_ALL = 1 << 62
_BLOCK = 1 << 20
_PERMISSIONS = 0o777
# Else nothing could be put into a folder, nor the folder given its name.
_OURS = 0o700

Content = Iterable["Part"]


def demand_free(destination: Path, root: Path) -> None:
    """Refuse a place that a copy of a model cannot be given.

    Args:
        destination: the place.
        root: the model's folder.

    Raises:
        UsageError: something is there, or it is in the model itself.
    """
    there = os.path.lexists(destination)
    if there and not (destination.is_dir() and not any(destination.iterdir())):
        raise UsageError(
            f"{destination} is there already", hint="name a folder that does not exist"
        )
    if destination.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{destination} is inside of {root}, which is what is copied",
            hint="name a folder beside the model",
        )


def copy(root: Path, destination: Path, replaced: Mapping[str, Content | None]) -> None:
    """Copy a model's folder, links, permissions and empty folders included.

    The copy is made beside the destination, and gets its name when it is whole.

    Args:
        root: the model's folder.
        destination: where it goes; see `demand_free`.
        replaced: what comes in the place of the content of files, by name, relative to the model; None leaves one out.

    Raises:
        NotASavedModelError: something in the folder cannot be read, is no file, or is a link that leads out of it.
        InfrastructureError: the copy cannot be written.
    """
    tree = _whole_tree(root)
    with _writing(destination):
        target = destination.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        # A base folder of TensorFlow Serving may be watched, which takes no such name for a version.
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            for entry in tree.entries.values():
                _copy_entry(root, made, tree, entry, replaced)
            made.rename(target)


def _whole_tree(root: Path) -> Tree:
    """Return all that is in a folder, if all of it can be copied."""
    tree = walk(root, entries=_ALL, depth=_ALL)
    if tree.unreadable:
        raise NotASavedModelError(f"{root / tree.unreadable[0]} cannot be read")
    if tree.beyond is not None:
        raise NotASavedModelError(f"{root} cannot be copied: there are {tree.beyond}")
    for entry in tree.entries.values():
        if entry.kind is Kind.OTHER:
            raise NotASavedModelError(
                f"{root / entry.name} is neither a file nor a folder and cannot be copied",
                hint="take it out of the model",
            )
        if entry.kind is Kind.LINK and tree.resolve(entry.name) is None:
            raise NotASavedModelError(
                f"{root / entry.name} is a link to {entry.target}, which is outside of the model or nowhere,"
                " and is not followed",
                hint=f"copy the model with its links resolved: cp -rL {root} COPY",
            )
    return tree


def _copy_entry(
    root: Path, made: Path, tree: Tree, entry: Entry, replaced: Mapping[str, Content | None]
) -> None:
    place = made / entry.name
    if entry.kind is Kind.FOLDER:
        place.mkdir()
        place.chmod(entry.mode & _PERMISSIONS | _OURS)
    elif entry.kind is Kind.LINK:
        leads_to = tree.resolve(entry.name) or ""
        if replaced.get(leads_to, ()) is not None:
            # Its own text may be a path that leads out of the model and back.
            place.symlink_to(os.path.relpath(leads_to or ".", entry.folder or "."))
    else:
        content = replaced.get(entry.name, _content(root / entry.name))
        if content is not None:
            with place.open("xb") as opened:
                opened.writelines(content)
            place.chmod(entry.mode & _PERMISSIONS)


def _content(file: Path) -> Iterator[bytes]:
    """Yield the content of a file of the model."""
    try:
        with open_regular(file) as opened:
            while block := opened.read(_BLOCK):
                yield block
    except OSError as error:
        raise NotASavedModelError(f"{file} cannot be read: {error.strerror}") from error


@contextmanager
def _writing(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _not_written(destination, error) from error


def _not_written(destination: Path, error: OSError) -> InfrastructureError:
    message = f"{clipped(str(destination))} cannot be written: {error.strerror}"
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return InfrastructureError(message, hint="name a folder on a larger disk" if full else None)

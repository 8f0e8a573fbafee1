"""What a cell in a container leaves to the cells after it, and its end: they share the container's writable folders."""

import os
import stat
from typing import List, Set

_FOLDERS = ("/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 - the container's own
"""All that a sealed container can write."""


def sweep() -> None:
    """Empty the container's writable folders."""
    for folder in _FOLDERS:
        if os.path.isdir(folder):
            empty(folder)


def remove(folder: str) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays."""
    empty(folder)
    try:
        os.rmdir(folder)
    except OSError:
        pass  # whoever looks for room finds out what is in it


def empty(folder: str) -> None:
    """Remove all that is in a folder, in whatever depth and whatever its modes say; what cannot be removed stays.

    No path becomes longer than two names: a folder that is met inside another is first moved up. So a depth that is
    beyond what paths and recursion allow is no hiding place.
    """
    kept: Set[str] = set()
    names = _names(folder)
    while names:
        for name in names:
            if not _take_away(folder, name):
                kept.add(name)
        names = [name for name in _names(folder) if name not in kept]


def _take_away(folder: str, name: str) -> bool:
    """Remove an entry of ``folder``, having moved the folders in it up; tell whether it is gone."""
    path = os.path.join(folder, name)
    try:
        if not _is_folder(path):
            os.unlink(path)
            return True
        for inner in _names(path):
            entry = os.path.join(path, inner)
            if _is_folder(entry):
                os.chmod(entry, stat.S_IRWXU)
                os.rename(entry, os.path.join(folder, os.urandom(16).hex()))
            else:
                os.unlink(entry)
        os.rmdir(path)
    except OSError:
        return False
    return True


def _names(folder: str) -> List[str]:
    try:
        os.chmod(folder, stat.S_IRWXU | stat.S_IMODE(os.lstat(folder).st_mode))
    except OSError:
        pass  # of another owner, such as /tmp itself
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)

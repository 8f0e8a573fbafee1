"""Every entry below a model's folder, by what `lstat` says of it: nothing is opened, no link is followed into a folder."""

from __future__ import annotations

import enum
import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

ENTRIES = 100_000
DEPTH = 32
# As many as Linux follows in one path.
_LINKS = 40
# How many links into what was not looked at are resolved; each may cost a fraction of a millisecond.
_DOUBTFUL = 1000


class Kind(enum.Enum):
    """What an entry is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"  # a device, pipe or socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the tree.

    Args:
        name: relative to the root, with slashes; bytes that are no UTF-8 are surrogates in it.
        kind: what it is; what a link leads to does not matter here.
        size: in bytes; of a link, that of its text.
        mode: ``st_mode``.
        target: text of a link; None for all else.
        inside: whether what a link leads to exists and is in the root; True for all else.
    """

    name: str
    kind: Kind
    size: int
    mode: int
    target: str | None = None
    inside: bool = True

    @property
    def folder(self) -> str:
        """The name of the folder that it is in; empty for the root."""
        return self.name.rpartition("/")[0]

    @property
    def base(self) -> str:
        """Its name in its folder."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What is below a folder.

    Args:
        entries: by name, sorted; the folder itself is not in it.
        unreadable: names of the folders and files that could not be looked at, sorted; ``.`` is
            the folder itself.
        beyond: in words, which limit was passed; None if none was. What is beyond was not looked at.
        roots: path of the folder, links resolved, and as it was named.
    """

    entries: Mapping[str, Entry]
    unreadable: tuple[str, ...] = ()
    beyond: str | None = None
    roots: tuple[str, ...] = ("/",)

    def find(self, name: str) -> Entry | None:
        """Return the entry that a path stands for, links followed as far as they stay in the tree.

        Args:
            name: relative to the root, with slashes; ``..`` may be in it.

        Returns:
            The entry, which is no link; None if there is none, the path leaves the tree, or it is
            the root itself.
        """
        resolved = self.resolve(name)
        return self.entries.get(resolved) if resolved else None

    def resolve(self, name: str) -> str | None:
        """Return the name of what a path stands for, empty for the root; else as `find`."""
        base = _parts(self.roots[0])
        here = list(base)
        pending = name.split("/")[::-1]
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                del here[-1:]
            elif part not in ("", "."):
                here.append(part)
                if len(here) <= len(base):
                    if part != base[len(here) - 1]:
                        return None
                    continue
                entry = self.entries.get("/".join(here[len(base) :]))
                if entry is None or (pending and entry.kind in (Kind.FILE, Kind.OTHER)):
                    return None
                if entry.target is not None:
                    links += 1
                    if links > _LINKS:
                        return None
                    here = [] if entry.target.startswith("/") else here[:-1]
                    pending.extend(self._parts_of(entry.target)[::-1])
        return "/".join(here[len(base) :]) if len(here) >= len(base) else None

    def _parts_of(self, target: str) -> list[str]:
        """Return the parts of a link's text, with the root as it was named for what it stands for."""
        real, *named = self.roots
        for root in named:
            if f"{target}/".startswith(f"{root}/"):
                return _parts(real) + _parts(target[len(root) :])
        return _parts(target)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A walk under way."""

    root: str
    most: int
    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    beyond: str | None = None


def walk(root: Path, *, entries: int = ENTRIES, depth: int = DEPTH) -> Tree:
    """Return what is below a folder; it never raises and never waits on a pipe or a device.

    What is near the root comes first, so that the limits cut off what is deep.

    Args:
        root: the folder; it may itself be a link.
        entries: the most that are looked at.
        depth: how many folders deep; 1 is the root alone.
    """
    walked = _Walk(root=os.fspath(root), most=entries)
    pending = deque([("", 1)])
    while pending and walked.beyond is None:
        folder, level = pending.popleft()
        for entry in _children(walked, folder):
            if entry.kind is Kind.FOLDER:
                pending.append((entry.name, level + 1))
        if pending and pending[0][1] > depth:
            walked.beyond = f"folders more than {depth} deep, such as {pending[0][0]}"
    return _judged(
        Tree(
            entries=MappingProxyType(dict(sorted(walked.entries.items()))),
            unreadable=tuple(sorted(walked.unreadable)),
            beyond=walked.beyond,
            roots=(os.path.realpath(root), os.path.abspath(root)),  # noqa: PTH100
        )
    )


def _judged(tree: Tree) -> Tree:
    """Return the tree with the links told apart, by whether they lead to something in it."""
    doubtful = _DOUBTFUL if tree.unreadable or tree.beyond is not None else 0
    judged = dict(tree.entries)
    for name, entry in tree.entries.items():
        if entry.target is not None and tree.resolve(name) is None:
            doubtful -= 1
            if doubtful < 0 or not _leads_inside(tree.roots, name):
                judged[name] = replace(entry, inside=False)
    return replace(tree, entries=MappingProxyType(judged))


def _children(walked: _Walk, folder: str) -> Iterator[Entry]:
    try:
        with os.scandir(os.path.join(walked.root, folder)) as found:  # noqa: PTH118 - much faster
            for child in found:
                if len(walked.entries) >= walked.most:
                    walked.beyond = f"more than {walked.most} entries"
                    return
                entry = _entry(walked, child, f"{folder}/{child.name}" if folder else child.name)
                if entry is not None:
                    walked.entries[entry.name] = entry
                    yield entry
    except OSError:
        walked.unreadable.append(folder or ".")


def _entry(walked: _Walk, child: os.DirEntry[str], name: str) -> Entry | None:
    try:
        status = child.stat(follow_symlinks=False)
        kind = _kind(status.st_mode)
        target = os.readlink(child.path) if kind is Kind.LINK else None  # noqa: PTH115
    except FileNotFoundError:
        return None  # it went while we looked
    except OSError:
        walked.unreadable.append(name)
        return None
    return Entry(
        name=name,
        kind=kind,
        size=status.st_size,
        mode=status.st_mode,
        target=target,
    )


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER


def _leads_inside(roots: tuple[str, ...], name: str) -> bool:
    """Whether a link leads to something in the root that was not looked at."""
    link = f"{roots[0]}/{name}"
    try:
        # The kernel gives up on loops and long chains, which realpath would walk to their end.
        os.stat(link)  # noqa: PTH116
        target = os.path.realpath(link)
    except (OSError, ValueError):
        return False
    return f"{target}/".startswith(f"{roots[0].rstrip('/')}/")

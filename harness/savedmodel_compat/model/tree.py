"""Every entry below a model's folder, by what `lstat` says of it: nothing is opened, no link is followed into a folder."""

from __future__ import annotations

import enum
import os
import stat
from collections import deque
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

ENTRIES = 100_000
DEPTH = 32
# As many as Linux follows in one path.
_LINKS = 40
# Of the texts of all links, which may be long, and lead from one to the next.
_PARTS = 1_000_000
# How many links into what was not looked at the system is asked about; each may take milliseconds.
_DOUBTFUL = 100
_PLACE_ONLY = getattr(os, "O_PATH", None)


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


# The parts of the path of what a link leads to, and how many links it takes to get there.
_Place = tuple[tuple[str, ...], int]


@dataclass(slots=True, kw_only=True)
class _Links:
    """What is known of the links of a tree, so that each is followed once, however many lead to it.

    Args:
        places: by the name of the link; None if it leads nowhere, or out of the tree.
        left: how many more parts of texts are looked at.
    """

    places: dict[str, _Place | None] = field(default_factory=dict)
    left: int = field(default_factory=lambda: _PARTS)


@dataclass(slots=True, kw_only=True)
class _Path:
    """A path that is being followed.

    Args:
        link: the name of the link whose text it is; None for the path that was asked for.
        here: the parts of where it has come to.
        pending: the parts that are left, the next one last.
        links: how many links it took.
    """

    link: str | None
    here: list[str]
    pending: list[str]
    links: int = 0


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
    _links: _Links = field(default_factory=_Links, repr=False, compare=False)

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
        entry = self.entries.get(name)
        if entry is not None and entry.kind is not Kind.LINK:
            return name
        base = _parts(self.roots[0])
        found = self._follow(_Path(link=None, here=list(base), pending=name.split("/")[::-1]), base)
        if found is None or len(found[0]) < len(base):
            return None
        return "/".join(found[0][len(base) :])

    @property
    def is_exhausted(self) -> bool:
        """Whether the texts of its links are longer, all together, than what is looked at."""
        return self._links.left < 0

    def _follow(self, path: _Path, base: list[str]) -> _Place | None:
        """Return where a path leads; every link on the way is followed to its end first, and once."""
        known = self._links.places
        way = [path]
        open_links: set[str] = set()
        while True:
            path = way[-1]
            link = self._step(path, base)
            if link is None or link in open_links:
                # It has come to its end, or cannot: a link that leads to itself has none.
                done = link is None and not path.pending
                place = (tuple(path.here), path.links) if done else None
                if path.link is None:
                    return place
                known[path.link] = place
                open_links.remove(path.link)
                way.pop()
            else:
                way.append(self._link_path(link, path.here))
                open_links.add(link)

    def _step(self, path: _Path, base: list[str]) -> str | None:
        """Follow a path up to a link that was not followed yet, and return its name.

        Returns:
            None if the path has come to its end, or leads nowhere: then something of it is left.
        """
        here, pending = path.here, path.pending
        while pending:
            part = pending[-1]
            if part == "..":
                del here[-1:]
            elif part not in ("", "."):
                if len(here) < len(base):
                    if part != base[len(here)]:
                        return None
                    here.append(part)
                else:
                    name = "/".join([*here[len(base) :], part])
                    entry = self.entries.get(name)
                    if entry is None:
                        return None
                    if entry.kind is Kind.LINK and name not in self._links.places:
                        return name
                    if not self._enter(path, entry, base):
                        return None
            pending.pop()
        return None

    def _enter(self, path: _Path, entry: Entry, base: list[str]) -> bool:
        """Go on to an entry, or to what it leads to if it is a link; return whether that can be."""
        end: Entry | None = entry
        if entry.kind is Kind.LINK:
            place = self._links.places[entry.name]
            if place is None or path.links + place[1] >= _LINKS:
                return False
            path.links += place[1] + 1
            path.here[:] = place[0]
            end = self.entries.get("/".join(place[0][len(base) :]))
        else:
            path.here.append(entry.base)
        # Only a folder leads on; the root and what is above it have no entries.
        return end is None or end.kind is Kind.FOLDER or len(path.pending) == 1

    def _link_path(self, name: str, here: list[str]) -> _Path:
        """Return the path that a link stands for, seen from the folder that it is in."""
        target = self.entries[name].target or ""
        parts = self._parts_of(target)
        self._links.left -= len(parts) + 1
        if self._links.left < 0:
            # What cannot be followed leads nowhere.
            return _Path(link=name, here=[], pending=["\0"])
        start = [] if target.startswith("/") else list(here)
        return _Path(link=name, here=start, pending=parts[::-1])

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


def walk(
    root: Path,
    *,
    entries: int = ENTRIES,
    depth: int = DEPTH,
    only: Container[str] | None = None,
) -> Tree:
    """Return what is below a folder; it never raises and never waits on a pipe or a device.

    What is near the root comes first, so that the limits cut off what is deep.

    Args:
        root: the folder; it may itself be a link.
        entries: the most that are looked at.
        depth: how many folders deep; 1 is the root alone.
        only: names of the root's folders that are entered; None enters all.
    """
    walked = _Walk(root=os.fspath(root), most=entries)
    pending = deque([("", 1)])
    while pending and walked.beyond is None:
        folder, level = pending.popleft()
        for entry in _children(walked, folder):
            if entry.kind is Kind.FOLDER and (folder or only is None or entry.name in only):
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
    beyond = tree.beyond
    judged = dict(tree.entries)
    for name, entry in tree.entries.items():
        if entry.target is not None and tree.resolve(name) is None:
            doubtful -= 1
            if doubtful < 0 or not _leads_inside(tree.roots, name):
                judged[name] = replace(entry, inside=False)
    if beyond is None and tree.is_exhausted:
        beyond = f"links whose texts have more than {_PARTS} parts together"
    return replace(tree, entries=MappingProxyType(judged), beyond=beyond)


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
        target = _real(link)
    except (OSError, ValueError):
        return False
    return f"{target}/".startswith(f"{roots[0].rstrip('/')}/")


def _real(path: str) -> str:
    """Return the path of what a path stands for; the kernel gives up on loops and long chains."""
    if _PLACE_ONLY is None:
        os.stat(path)  # noqa: PTH116
        return os.path.realpath(path)
    # It is much faster than realpath, and opens neither file nor pipe.
    descriptor = os.open(path, _PLACE_ONLY | os.O_CLOEXEC)
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    finally:
        os.close(descriptor)

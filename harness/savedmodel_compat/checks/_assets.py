"""Rules of ``assets/``: what a MetaGraph lists is there, what is there is listed, and no name leads out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.model.tree import Entry, Kind, Tree

FOLDER = "assets"
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    """A name that a MetaGraph lists.

    Args:
        name: as it is listed.
        tags: of the first MetaGraph that lists it.
        tensor: that is fed its path.
    """

    name: str
    tags: tuple[str, ...]
    tensor: str

    @property
    def path(self) -> str:
        """Where it is looked for, relative to the model."""
        return posixpath.normpath(f"{FOLDER}/{self.name}") if self.name else FOLDER

    @property
    def lister(self) -> str:
        """Who lists it, in words."""
        return f"MetaGraph [{', '.join(self.tags)}]"


def check(subject: Subject, *, ignored: Callable[[Entry], bool]) -> Iterator[Finding]:
    """Yield L4, L12 and L13.

    Args:
        subject: the model; nothing is said if its graph file does not parse.
        ignored: whether another rule speaks of an unlisted file.
    """
    if subject.saved is None:
        return
    assets: dict[str, _Asset] = {}
    for meta_graph in subject.saved.meta_graphs:
        for asset in meta_graph.assets:
            assets.setdefault(
                asset.name, _Asset(name=asset.name, tags=meta_graph.tags, tensor=asset.tensor)
            )
    leading_out = {name for name in assets if _leads_out(name)}
    yield from limited(
        (_out_of_assets(assets[name], subject) for name in assets if name in leading_out),
        "L12",
        FOLDER,
    )
    inside = [asset for name, asset in assets.items() if name not in leading_out]
    missing = _Missing(tree=subject.tree, file=subject.graph_file)
    yield from limited((f for a in inside if (f := missing.of(a)) is not None), "L4", FOLDER)
    yield from limited(_unlisted(subject.tree, inside, ignored), "L13", FOLDER)


def listed(subject: Subject) -> frozenset[str]:
    """Return the entries of the model that are listed assets, with the folders that they are in."""
    meta_graphs = subject.saved.meta_graphs if subject.saved else ()
    names = {asset.name for meta_graph in meta_graphs for asset in meta_graph.assets}
    paths = (posixpath.normpath(f"{FOLDER}/{name}") for name in names if name)
    there: set[str] = set()
    for path in paths:
        entry = subject.tree.entries.get(path)
        while entry is not None and entry.name not in there:
            there.add(entry.name)
            entry = subject.tree.entries.get(entry.folder)
    return frozenset(there - {FOLDER})


def _leads_out(name: str) -> bool:
    """Whether a name leads out of assets/ on some system: Windows takes backslashes for slashes."""
    slashed = name.replace("\\", "/")
    return (
        slashed.startswith("/")
        or _DRIVE.match(name) is not None
        or posixpath.normpath(f"a/{slashed}").partition("/")[0] != "a"
    )


def _out_of_assets(asset: _Asset, subject: Subject) -> Finding:
    name = clipped(asset.name)
    if asset.name.startswith("/"):
        how = "it is absolute, and Python's loaders read what is there"
    elif "\\" in asset.name or _DRIVE.match(asset.name):
        how = "on Windows it leads out of assets/"
    else:
        how = f"it leads to {clipped(asset.path)}"
    return found(
        "L12",
        f"{FOLDER}/{name}",
        f"{asset.lister} lists the asset '{name}': {how}",
        file=subject.graph_file,
    )


@dataclass(slots=True, kw_only=True)
class _Missing:
    """What keeps listed assets from being read, and where such a file is instead."""

    tree: Tree
    file: str
    _elsewhere: dict[str, str] | None = None

    def of(self, asset: _Asset) -> Finding | None:
        """Return what is wrong with an asset; None if nothing is, or another rule says it."""
        name = clipped(asset.name)
        if not asset.name:
            return found(
                "L4",
                FOLDER,
                f"{asset.lister} lists an asset without a name for the tensor"
                f" '{clipped(asset.tensor)}'",
                file=self.file,
                fix="export again: the list of assets is damaged",
            )
        entry = self.tree.find(asset.path)
        if entry is not None and entry.kind is not Kind.FOLDER:
            return None
        if entry is not None:
            why = "but it is a folder"
        elif self._is_said_elsewhere(asset.path):
            return None
        else:
            why = f"but there is no such file{self._hint(asset)}"
        return found("L4", f"{FOLDER}/{name}", f"{asset.lister} lists it, {why}", file=self.file)

    def _is_said_elsewhere(self, path: str) -> bool:
        """Whether a link on the way leads out, or the way was not looked at: L16, L9 and L19 say so."""
        if self.tree.beyond is not None:
            return True
        for at, letter in enumerate(f"{path}/"):
            if letter == "/":
                entry = self.tree.entries.get(path[:at])
                if entry is None or not entry.inside:
                    return entry is not None or path[:at] in self.tree.unreadable
                if path[:at] in self.tree.unreadable:
                    return True
        return False

    def _hint(self, asset: _Asset) -> str:
        if self._elsewhere is None:
            self._elsewhere = {
                entry.base.casefold(): entry.name
                for entry in self.tree.entries.values()
                if entry.kind is Kind.FILE
            }
        base = re.split(r"[/\\]", asset.name)[-1]
        other = self._elsewhere.get(base.casefold())
        if other is not None:
            return f"; there is {clipped(other)}"
        return ""


def _unlisted(
    tree: Tree, assets: list[_Asset], ignored: Callable[[Entry], bool]
) -> Iterator[Finding]:
    folder = tree.resolve(FOLDER)
    if not folder:
        return
    real = {tree.resolve(asset.path) for asset in assets}
    for entry in tree.entries.values():
        if not entry.name.startswith(f"{folder}/") or entry.kind is Kind.FOLDER:
            continue
        target = tree.find(entry.name)
        if target is None or target.kind is not Kind.FILE or target.name in real:
            continue
        if not ignored(entry):
            yield found(
                "L13",
                entry.name,
                f"no MetaGraph lists it ({entry.size} bytes)",
                file=entry.name,
            )

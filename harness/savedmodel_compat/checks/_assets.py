"""Rules of ``assets/``: what a MetaGraph lists is there, what is there is listed, and no name leads out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from savedmodel_compat.checks._many import clipped, counted, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.checks.types import Absent, TensorTypes
from savedmodel_compat.model.tree import Entry, Kind, Tree
from savedmodel_compat.model.values import AssetFile

FOLDER = "assets"
# tf.keras.experimental of 1.15 reads it back (python/saved_model/constants.py).
_KERAS = f"{FOLDER}/saved_model.json"
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
    """Yield L4, L12, L13 and M20.

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
    lost = [(asset, f) for asset in inside if (f := missing.of(asset)) is not None]
    yield from limited((finding for _, finding in lost), "L4", FOLDER)
    wanted = [asset.name for asset, _ in lost if asset.name]
    yield from limited(_unlisted(subject.tree, inside, ignored, wanted), "L13", FOLDER)
    yield from limited(_feeds(subject), "M20", subject.graph_file, file=subject.graph_file)


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
        fix = None
        if entry is not None and entry.kind is Kind.FILE:
            return None
        if entry is not None:
            what = "folder" if entry.kind is Kind.FOLDER else "pipe, socket or device"
            why = f"but it is a {what}"
        elif self._is_said_elsewhere(asset.path):
            return None
        else:
            why = "but there is no such file"
            other = self._other(asset)
            if other is not None:
                why += f"; there is {clipped(other)}"
                fix = (
                    f"move or rename {clipped(other)} to {clipped(asset.path)}, if it is that file"
                )
        message = f"{asset.lister} lists it, {why}"
        return found("L4", f"{FOLDER}/{name}", message, file=self.file, fix=fix)

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

    def _other(self, asset: _Asset) -> str | None:
        """Return a file that is named like the asset but for its folder or its case; None if there is none."""
        if self._elsewhere is None:
            self._elsewhere = {
                entry.base.casefold(): entry.name
                for entry in self.tree.entries.values()
                if entry.kind is Kind.FILE
            }
        return self._elsewhere.get(_base(asset.name).casefold())


def _base(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _unlisted(
    tree: Tree, assets: list[_Asset], ignored: Callable[[Entry], bool], missing: list[str]
) -> Iterator[Finding]:
    """Yield L13.

    Args:
        tree: the model's.
        assets: what is listed.
        ignored: see `check`.
        missing: names that are listed and not there.
    """
    folder = tree.resolve(FOLDER)
    if not folder:
        return
    real = {tree.resolve(asset.path) for asset in assets} | {tree.resolve(_KERAS)}
    by_base = {_base(name).casefold(): name for name in missing}
    for entry in tree.entries.values():
        if not entry.name.startswith(f"{folder}/") or entry.kind is Kind.FOLDER:
            continue
        target = tree.find(entry.name)
        if target is None or target.kind is not Kind.FILE or target.name in real:
            continue
        if not ignored(entry):
            message = f"no MetaGraph lists it ({counted(entry.size, 'byte')})"
            lost = by_base.get(entry.base.casefold(), missing[0] if missing else None)
            fix = None
            if lost is not None:
                fix = f"do not remove it: it may be the missing {FOLDER}/{clipped(lost)}, renamed"
            yield found("L13", entry.name, message, file=entry.name, fix=fix)


def _feeds(subject: Subject) -> Iterator[Finding]:
    """Yield M20."""
    for meta_graph in subject.saved.meta_graphs if subject.saved else ():
        if not meta_graph.assets:
            continue
        where = f"MetaGraph [{clipped(', '.join(meta_graph.tags))}]"
        types = TensorTypes(meta_graph.proto)
        fed: dict[str, list[AssetFile]] = {}
        for asset in meta_graph.assets:
            fed.setdefault(asset.tensor.removesuffix(":0"), []).append(asset)
        for assets in fed.values():
            place = f"{where}: asset '{clipped(assets[0].name)}'"
            tensor = assets[0].tensor
            real = types.find(tensor)
            message = ""
            if isinstance(real, Absent):
                message = f"its tensor '{clipped(tensor)}' {real.why}"
            elif len(assets) > 1:
                names = ", ".join(f"'{clipped(asset.name)}'" for asset in assets[1:4])
                more = f" and {len(assets) - 4} more" if len(assets) > 4 else ""
                message = (
                    f"its tensor '{clipped(tensor)}' is fed {len(assets)} times, also with"
                    f" {names}{more}, which C++ refuses"
                )
            if message:
                yield found("M20", place, message, file=subject.graph_file)

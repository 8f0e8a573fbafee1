"""How the variables of two models differ: by what the indexes say, and by whether the data are so."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model._changes import change
from savedmodel_compat.model.checkpoint import read_index, verify
from savedmodel_compat.model.tree import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from savedmodel_compat.model._changes import Change
    from savedmodel_compat.model.checkpoint import Checkpoint, TensorEntry
    from savedmodel_compat.model.tree import Tree

INDEX = "variables/variables.index"
# What each export writes anew.
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# So many bytes take about a second to be summed.
_READ_LIMIT = 1 << 30
_LOST = "a loader that restores it fails"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file that an index counts on.

    Args:
        size: in bytes; None if it is not there, or is no file of the model.
        tensors: how many have bytes in it.
        end: where the last of them ends.
    """

    size: int | None
    tensors: int
    end: int

    @property
    def is_whole(self) -> bool:
        """Whether every tensor lies within it."""
        return self.size is not None and self.size >= self.end

    def text(self) -> str:
        """Return what it is, in words."""
        if self.size is None:
            count = "1 tensor" if self.tensors == 1 else f"{self.tensors} tensors"
            return f"missing, with {count} in it"
        short = "" if self.is_whole else f", and the index places tensors up to byte {self.end}"
        return f"{self.size} bytes{short}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of one model.

    Args:
        checkpoint: what its index says; None if there is none, or it cannot be read.
        damage: why the index cannot be read, in words; None if it can, or there is none.
        files: the data files that the tensors are in, by name.
        faults: by tensor, how its data are not what the index says; those of files that are not
            whole are not in it.
        unread: how many bytes of data were too many to be read; 0 if they were read.
    """

    checkpoint: Checkpoint | None = None
    damage: str | None = None
    files: Mapping[str, DataFile] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    unread: int = 0

    @property
    def tensors(self) -> Mapping[str, TensorEntry]:
        """The tensors, by name; none without a checkpoint."""
        return {} if self.checkpoint is None else self.checkpoint.tensors

    @property
    def is_faulty(self) -> bool:
        """Whether some data are not what the index says."""
        return bool(self.faults) or not all(file.is_whole for file in self.files.values())


def look(root: Path, tree: Tree, *, limit: int = _READ_LIMIT) -> Variables:
    """Return the variables of a model; nothing outside of it is read.

    Args:
        root: its folder.
        tree: what is in it.
        limit: the most bytes of data whose checksums are verified; beyond, none is.
    """
    entry = tree.find(INDEX)
    if entry is None or entry.kind is not Kind.FILE:
        odd = entry is not None or os.path.lexists(root / INDEX)
        return Variables(damage=f"{INDEX} is no file of the model" if odd else None)
    try:
        checkpoint = read_index(root / INDEX)
    except SavedModelCompatError as error:
        return Variables(damage=error.message)
    files = _data_files(checkpoint, tree)
    size = checkpoint.total_bytes
    whole = {name for name, file in files.items() if file.is_whole}
    faults: dict[str, str] = {}
    if size <= limit:
        for fault in verify(checkpoint, only=lambda e: _place(checkpoint, e) in whole):
            faults.setdefault(fault.entry.name, fault.message)
    return Variables(
        checkpoint=checkpoint, files=files, faults=faults, unread=size if size > limit else 0
    )


def _data_files(checkpoint: Checkpoint, tree: Tree) -> dict[str, DataFile]:
    inside: defaultdict[str, list[TensorEntry]] = defaultdict(list)
    for entry in checkpoint.stored:
        inside[_place(checkpoint, entry)].append(entry)
    found = {}
    for name, entries in inside.items():
        file = tree.find(name)
        found[name] = DataFile(
            size=file.size if file is not None and file.kind is Kind.FILE else None,
            tensors=len(entries),
            end=max(entry.end for entry in entries),
        )
    return found


def _place(checkpoint: Checkpoint, entry: TensorEntry) -> str:
    return f"variables/{checkpoint.shard(entry.shard).name}"


def variable_changes(a: Variables, b: Variables) -> Iterator[Change]:
    """Yield how the variables of B differ from those of A."""
    if a.damage is not None or b.damage is not None:
        if a.damage is None or b.damage is None:
            yield change("index", INDEX, _index_text(a), _index_text(b))
        return
    yield from _tensor_changes(a.tensors, b.tensors)
    yield from _file_changes(a, b)
    if a.unread or b.unread:
        return
    for name in sorted(a.faults.keys() | b.faults.keys()):
        before, after = (_fault_text(side, name) for side in (a, b))
        if before != after:
            yield change("data", name, before, after, _LOST if name in b.faults else "")


def notes(a: Variables, b: Variables, roots: tuple[Path, Path]) -> Iterator[str]:
    """Yield what could not be compared, and what is wrong on both sides, in words."""
    for side, other, root in ((a, b, roots[0]), (b, a, roots[1])):
        if side.damage is not None:
            yield f"the variables of {root} were left out: {side.damage}"
        if side.unread:
            yield (
                f"the data of {root} ({side.unread} bytes) were not read: its variables were"
                " compared by the checksums that the index says; savedmodel-compat check verifies them"
            )
        if side.is_faulty and (other.is_faulty or other.unread):
            yield f"the data of {root} are not what the index says: savedmodel-compat check tells where"


def _index_text(side: Variables) -> str | None:
    if side.damage is not None:
        return f"cannot be read: {side.damage}"
    return None if side.checkpoint is None else f"{len(side.tensors)} tensors"


def _tensor_changes(a: Mapping[str, TensorEntry], b: Mapping[str, TensorEntry]) -> Iterator[Change]:
    for name in sorted((a.keys() | b.keys()) - {_OBJECT_GRAPH}):
        before, after = a.get(name), b.get(name)
        old, new = (None if entry is None else _entry_text(entry) for entry in (before, after))
        if old != new:
            yield change("variable", name, old, new)
        elif before is not None and after is not None and _data(before) != _data(after):
            yield change("data", name, _data_text(before), _data_text(after))


def _file_changes(a: Variables, b: Variables) -> Iterator[Change]:
    same = _layout(a) == _layout(b)
    for name in sorted(a.files.keys() | b.files.keys()):
        before, after = a.files.get(name), b.files.get(name)
        if before == after:
            continue
        whole = all(file is None or file.is_whole for file in (before, after))
        if same or not whole:
            old, new = (None if file is None else file.text() for file in (before, after))
            meaning = "no tensor is in the bytes that only one of them has" if whole else ""
            if after is not None and not after.is_whole:
                meaning = _LOST
            yield change("data file", name, old, new, meaning)


def _layout(side: Variables) -> object:
    """Return where the tensors lie, and their checksums."""
    stored = () if side.checkpoint is None else side.checkpoint.stored
    return [(e.name, e.shard, e.offset, e.size, e.crc32c) for e in stored]


def _fault_text(side: Variables, name: str) -> str | None:
    if name in side.faults:
        return side.faults[name]
    return "what the index says" if name in side.tensors else None


def _entry_text(entry: TensorEntry) -> str:
    return f"{entry.dtype} {list(entry.shape)}"


def _data(entry: TensorEntry) -> object:
    """Return what is equal for equal data: the checksums in the index, which cost nothing."""
    # What is not stored of a slice has no checksum; a slice may be listed twice, stored and not.
    parts = sorted((p.extents, p.entry.crc32c if p.entry else -1) for p in entry.slices)
    return parts or entry.crc32c


def _data_text(entry: TensorEntry) -> str:
    return f"{len(entry.slices)} slices" if entry.slices else f"crc32c {entry.crc32c:08x}"

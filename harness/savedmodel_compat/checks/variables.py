"""Rules of the variables: their files, the index, the data, and what the graph restores of them."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from savedmodel_compat.checks import _assigned, _restored, _slices
from savedmodel_compat.checks._many import clipped, counted, limited
from savedmodel_compat.checks._pointers import pointers
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model._bundle import STRING, VARIANT
from savedmodel_compat.model.checkpoint import (
    Checkpoint,
    TensorEntry,
    Trouble,
    read_index,
    verify,
)
from savedmodel_compat.model.tree import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.tree import Entry, Tree

FOLDER = "variables"
INDEX = f"{FOLDER}/variables.index"
_SHARD = re.compile(r"variables\.data-(\d{5}|[1-9]\d{5,9})-of-(\d{5}|[1-9]\d{5,9})", re.ASCII)
# Of the format of checkpoints (``core/util/tensor_bundle/tensor_bundle.cc``), in every release so far.
_VERSION = 1
_NO_TYPES = ("invalid", "resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    """A data file.

    Args:
        name: relative to the model.
        size: in bytes; None if it is not to be read: no file, a link out of the model, or a Git LFS
            pointer.
        is_special: whether it is a pipe, a socket or a device.
    """

    name: str
    size: int | None
    is_special: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """What is in ``variables/``.

    Args:
        index: the entry of the index; None if there is none.
        readable: whether the index is a file of the model.
        shards: by number and by the number of files in their set.
        is_closed: whether something of it could not be looked at, of which other rules speak.
    """

    index: Entry | None
    readable: bool
    shards: Mapping[tuple[int, int], _Shard]
    is_closed: bool

    def set_of(self, count: int) -> dict[int, _Shard]:
        """Return the data files of one set, by number."""
        return {number: shard for (number, of), shard in self.shards.items() if of == count}


def checkpoint_of(root: Path, tree: Tree) -> Checkpoint | None:
    """Return the variables of a model; None if it has no ``variables.index`` that is a file of its own.

    Args:
        root: the model's folder.
        tree: what is in it.

    Raises:
        DamagedModelError: the index does not parse.
    """
    return read_index(root / INDEX) if _files(tree).readable else None


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the variables of a model."""
    files = _files(subject.tree, pointers(subject))
    restores = _restored.restores_of(subject)
    checkpoint = subject.checkpoint
    if subject.checkpoint_damage is not None:
        yield _damaged(subject)
    elif checkpoint is None:
        yield from _without_index(files, restores, subject.tree.find(INDEX))
    else:
        missing = list(_missing_shards(checkpoint, files))
        yield from missing
        yield from _versions(checkpoint)
        bad: set[int] = set()
        yield from limited(_broken_places(checkpoint, files, bad), "V2", INDEX, file=INDEX)
        if subject.tensor_data:
            yield from limited(_checksums(subject, checkpoint, files, bad), "V3", FOLDER)
        yield from limited(_partitions(checkpoint), "V4", INDEX, file=INDEX)
        if not bad and not missing:
            yield from limited(_unclaimed(checkpoint, files), "V7", FOLDER)
        readable = _ours(checkpoint, files).keys()
        yield from _restored.check(subject, checkpoint, restores, readable)
    yield from limited(_unassigned(subject), "V9", subject.graph_file, file=subject.graph_file)


def _unassigned(subject: Subject) -> Iterator[Finding]:
    are_there = subject.checkpoint is not None or subject.checkpoint_damage is not None
    for meta_graph in subject.saved.meta_graphs if subject.saved else ():
        if are_there and not (meta_graph.saver and meta_graph.saver.restore_op):
            continue  # the rule of the saver says so
        for one in _assigned.unassigned(meta_graph):
            where = f"{_restored.label_of(meta_graph)}: signature '{clipped(one.signature.key)}'"
            instead = (
                f"; the restore op assigns, for instance, '{clipped(one.restored)}', which none reads"
                if one.restored is not None
                else ""
            )
            message = (
                f"it reads {counted(len(one.names), 'variable')} that neither the restore op nor the"
                f" init op assigns: {_restored.listed(one.names)}{instead}; C++ answers no request"
            )
            yield found("V9", where, message, file=subject.graph_file)


def _files(tree: Tree, unfetched: Collection[str] = ()) -> _Files:
    # It may be mounted as a link to a folder of the model, as Kubernetes does.
    folder = tree.resolve(FOLDER)
    prefix = f"{folder}/"
    index = tree.entries.get(f"{prefix}variables.index")
    shards = {}
    for name in tree.entries if folder else ():
        place = _SHARD.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        file = tree.find(name) if place else None
        if place and (file is None or file.kind is not Kind.FOLDER):
            is_read = file and file.kind is Kind.FILE and file.name not in unfetched
            size = file.size if file and is_read else None
            is_special = file is not None and file.kind is Kind.OTHER
            shard = _Shard(name=f"{FOLDER}/{place[0]}", size=size, is_special=is_special)
            shards[int(place[1]), int(place[2])] = shard
    file = tree.find(index.name) if index else None
    return _Files(
        index=index,
        readable=file is not None and file.kind is Kind.FILE,
        shards=MappingProxyType(shards),
        is_closed=tree.beyond is not None
        or any(
            name == "." or f"{name}/".startswith(f"{folder or FOLDER}/") for name in tree.unreadable
        ),
    )


def _ours(checkpoint: Checkpoint, files: _Files) -> dict[int, _Shard]:
    """Return the data files that the index counts and that can be read, by number."""
    return {
        number: shard
        for number, shard in files.set_of(checkpoint.num_shards).items()
        if shard.size is not None
    }


def _damaged(subject: Subject) -> Finding:
    error = subject.checkpoint_damage
    assert error is not None
    # The place is said before it.
    message = error.message.replace(f"{subject.root / INDEX} ", "the file ", 1)
    return found("V1", INDEX, message, file=INDEX, fix=error.hint)


def _without_index(
    files: _Files, restores: list[_restored.Labelled], index: Entry | None
) -> Iterator[Finding]:
    if files.is_closed:
        return
    if files.index is not None:
        # A link out of the model, or to nothing, has a rule of its own.
        if index is not None and index.kind not in {Kind.LINK, Kind.FILE}:
            what = "folder" if index.kind is Kind.FOLDER else "pipe, socket or device"
            yield found("L3", INDEX, f"it is a {what}, and should be a file", file=INDEX)
        return
    wanting = [(label, r.asked) for label, r in restores if r.asked or not r.complete]
    if files.shards:
        shown = ", ".join(sorted(shard.name for shard in files.shards.values())[:3])
        yield found(
            "L3",
            INDEX,
            f"it is missing, beside {counted(len(files.shards), 'data file')} ({shown}): C++ loads"
            " without variables, Python does not load",
        )
    elif wanting:
        label, asked = wanting[0]
        names = counted(len(asked), "tensor") if asked else "tensors"
        yield found(
            "L3",
            INDEX,
            f"it is missing, and {label} restores {names}: C++ loads without variables, Python"
            " does not load",
        )


def _missing_shards(checkpoint: Checkpoint, files: _Files) -> Iterator[Finding]:
    present = files.set_of(checkpoint.num_shards)
    for shard in present.values():
        if shard.is_special:
            message = "it is a pipe, socket or device, and should be a file"
            yield found("L3", shard.name, message, file=shard.name)
    inside: dict[int, list[TensorEntry]] = defaultdict(list)
    for entry in checkpoint.stored:
        is_one = 0 <= entry.shard < checkpoint.num_shards and not files.is_closed
        if is_one and entry.shard not in present:
            inside[entry.shard].append(entry)
    others = sorted({of for _, of in files.shards if of != checkpoint.num_shards})
    beside = (
        f"; there are data files of sets of {', '.join(map(str, others[:5]))}" if others else ""
    )
    yield from limited(
        (
            found(
                "L3",
                f"{FOLDER}/{checkpoint.shard(number).name}",
                f"it is missing, with {counted(len(entries), 'tensor')} in it, such as"
                f" '{clipped(entries[0].name)}'; the index counts"
                f" {counted(checkpoint.num_shards, 'data file')}{beside}",
                file=INDEX,
            )
            for number, entries in sorted(inside.items())
        ),
        "L3",
        FOLDER,
        file=INDEX,
    )


def _versions(checkpoint: Checkpoint) -> Iterator[Finding]:
    if checkpoint.min_consumer > _VERSION or _VERSION in checkpoint.bad_consumers:
        barred = (
            f", and none of {list(checkpoint.bad_consumers[:8])}"
            if checkpoint.bad_consumers
            else ""
        )
        yield found(
            "V1",
            INDEX,
            f"its header asks for a reader of version {checkpoint.min_consumer} or later{barred};"
            f" every TensorFlow known here is of version {_VERSION}",
            file=INDEX,
        )
    elif checkpoint.version != _VERSION:
        yield found("V8", INDEX, f"it is of version {checkpoint.version} of the format", file=INDEX)
    if not checkpoint.little_endian:
        yield found("V8", INDEX, "its tensors are big-endian", file=INDEX)


def _broken_places(checkpoint: Checkpoint, files: _Files, bad: set[int]) -> Iterator[Finding]:
    """Yield a finding for each tensor that cannot be where the index says, and for each shard that is too short.

    Args:
        checkpoint: what the index says.
        files: what there is.
        bad: takes the identities of the entries whose data cannot be verified.
    """
    sizes = _ours(checkpoint, files)
    beyond: dict[int, list[TensorEntry]] = defaultdict(list)
    last: TensorEntry | None = None
    for entry in checkpoint.stored:
        why = _impossible(checkpoint, entry)
        shard = sizes.get(entry.shard)
        if why is None and shard is not None and entry.end > (shard.size or 0):
            beyond[entry.shard].append(entry)
            continue
        if why is None and _shares(last, entry):
            assert last is not None
            why = f"its bytes from {entry.offset} on are also those of '{clipped(last.name)}'"
        if why is not None:
            bad.add(id(entry))
            yield found("V2", INDEX, f"'{clipped(entry.name)}': {why}", file=INDEX)
        elif entry.size:
            last = entry
    for number, entries in sorted(beyond.items()):
        bad.update(map(id, entries))
        shard = sizes[number]
        message = (
            f"it has {counted(shard.size or 0, 'byte')}, and should have"
            f" {max(entry.end for entry in entries)}: it ends before"
            f" {counted(len(entries), 'tensor')}, such as '{clipped(entries[0].name)}'"
        )
        yield found("V2", shard.name, message, file=shard.name)


def _shares(last: TensorEntry | None, entry: TensorEntry) -> bool:
    """Whether a tensor begins before the one before it ends."""
    if last is None or last.shard != entry.shard or not entry.size:
        return False
    return entry.offset < last.end


def _impossible(checkpoint: Checkpoint, entry: TensorEntry) -> str | None:
    if not 0 <= entry.shard < checkpoint.num_shards:
        return f"it is in data file {entry.shard}, and there are {checkpoint.num_shards}"
    if entry.offset < 0 or entry.size < 0:
        return f"it has {entry.size} bytes at {entry.offset}"
    if entry.dtype in _NO_TYPES or entry.dtype.endswith("_ref"):
        return f"no tensor of type {entry.dtype} is stored"
    if entry.width is not None and entry.size != entry.width * entry.elements:
        return (
            f"it has {entry.size} bytes, and {entry.dtype} of shape {list(entry.shape[:8])} takes"
            f" {entry.width * entry.elements}"
        )
    # At least a byte for the length of each, and the checksum: of all strings, and of each variant.
    least = {
        STRING: entry.elements + 4 if entry.size else entry.elements,
        VARIANT: 5 * entry.elements,
    }
    if entry.size < least.get(entry.dtype, 0):
        return f"it has {entry.size} bytes, too few for {entry.elements} elements of type {entry.dtype}"
    return None


def _checksums(
    subject: Subject, checkpoint: Checkpoint, files: _Files, bad: set[int]
) -> Iterator[Finding]:
    readable = _ours(checkpoint, files)

    def wanted(entry: TensorEntry) -> bool:
        return entry.shard in readable and id(entry) not in bad

    for fault in verify(checkpoint, subject.progress, only=wanted):
        name = readable[fault.entry.shard].name
        if fault.trouble is Trouble.MISSING and not os.access(subject.root / name, os.R_OK):
            continue  # the rule of what can be read says so
        about = "" if fault.trouble is Trouble.MISSING else f"'{clipped(fault.entry.name)}': "
        yield found("V3", name, f"{about}{fault.message}", file=name)


def _partitions(checkpoint: Checkpoint) -> Iterator[Finding]:
    for tensor in checkpoint.tensors.values():
        for why in _slices.faults(tensor):
            yield found("V4", INDEX, f"'{clipped(tensor.name)}': {why}", file=INDEX)
    for entry in checkpoint.orphans:
        whole = "is not made of it" if entry.name in checkpoint.tensors else "is not there"
        yield found(
            "V4",
            INDEX,
            f"'{clipped(entry.name)}': a slice of shape {list(entry.shape[:8])} is stored, and the"
            f" tensor {whole}",
            file=INDEX,
        )


def _unclaimed(checkpoint: Checkpoint, files: _Files) -> Iterator[Finding]:
    inside: dict[int, list[TensorEntry]] = defaultdict(list)
    for entry in checkpoint.stored:
        inside[entry.shard].append(entry)
    for number, shard in sorted(_ours(checkpoint, files).items()):
        gaps = list(_gaps(inside[number], shard.size or 0))
        if gaps:
            size = sum(end - start for start, end in gaps)
            message = f"no tensor has {size} of its {counted(shard.size or 0, 'byte')}, from {gaps[0][0]} on"
            yield found("V7", shard.name, message, file=shard.name)
    for (number, of), shard in sorted(files.shards.items()):
        if of != checkpoint.num_shards or number >= of:
            message = (
                f"it is of a set of {counted(of, 'data file')}, and the index counts"
                f" {checkpoint.num_shards}"
            )
            yield found(
                "V7", shard.name, message, file=shard.name, fix="remove it: no loader reads it"
            )


def _gaps(entries: list[TensorEntry], size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches between tensors, but for those that only align the next one."""
    step = math.gcd(*(entry.offset for entry in entries))
    aligned = max(step & -step, 1)
    at = 0
    for entry in entries:
        if entry.offset - at >= aligned:
            yield at, entry.offset
        at = max(at, entry.end)
    if size - at >= aligned or (at < size and size % aligned):
        yield at, size

"""Rules of what is restored: that the checkpoint holds what the graph and the object graphs ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from savedmodel_compat.checks import _tracked
from savedmodel_compat.checks._many import clipped, counted, limited
from savedmodel_compat.checks._restore import Asked, Restore, restore_of
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import schema
from savedmodel_compat.model._bundle import STRING
from savedmodel_compat.model.checkpoint import Checkpoint, TensorEntry, read_strings
from savedmodel_compat.tensors import dtype_name, shape_from_proto

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.values import MetaGraph, Shape

INDEX = "variables/variables.index"
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# Savers count with it how often they saved; nothing that serves asks for it.
_COUNTERS = ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", "save_counter")
_GRAPH_LIMIT = 64 << 20
_NAMED = 3

Labelled = tuple[str, Restore]


def restores_of(subject: Subject) -> list[Labelled]:
    """Return what each MetaGraph restores, with the words that name it in findings."""
    if subject.saved is None:
        return []
    return [
        (label_of(meta_graph), restore_of(meta_graph)) for meta_graph in subject.saved.meta_graphs
    ]


def check(
    subject: Subject,
    checkpoint: Checkpoint,
    restores: list[Labelled],
    readable: Collection[int],
) -> Iterator[Finding]:
    """Yield what is asked for and not there, and what is there and not asked for.

    Args:
        subject: the model.
        checkpoint: its variables.
        restores: see `restores_of`.
        readable: numbers of the data files that may be read.
    """
    told: set[str] = set()
    for label, restore in restores:
        where = f"{label}: restore op"
        findings = _unanswered(subject, checkpoint, label, restore, told)
        yield from limited(findings, "M7", where, file=subject.graph_file)
    tracked, broken = _object_graph(checkpoint, readable)
    yield from broken
    held: Mapping[str, list[str]] = {}
    asked = {asked.name for _, restore in restores for asked in restore.asked}
    if tracked is not None:
        keys = {attribute.checkpoint_key for node in tracked.nodes for attribute in node.attributes}
        held = _tracked.held(keys, checkpoint.tensors.keys())
        missing = sorted(key for key in keys if key not in held and key not in told)
        yield from limited(_dangling(tracked, missing), "V6", INDEX, file=INDEX)
        told.update(missing)
    for label, meta_graph in zip(
        (label for label, _ in restores),
        subject.saved.meta_graphs if subject.saved else (),
        strict=True,
    ):
        graph = meta_graph.proto.object_graph_def
        if tracked is not None:
            matched = list(_tracked.matched(graph, tracked))
            asked.update(
                name for item in matched for key in item.keys for name in held.get(key, ())
            )
            findings = _misfits(subject, checkpoint, label, matched, told)
            yield from limited(findings, "M7", f"{label}: object graph", file=subject.graph_file)
        elif GRAPH not in checkpoint.tensors and _has_variables(graph):
            message = f"it has no {GRAPH}, and {label} has an object graph with variables: Python does not restore them"
            yield found("V6", INDEX, message, file=INDEX)
    if restores and all(restore.complete for _, restore in restores):
        yield from _unasked(checkpoint, asked)


def label_of(meta_graph: MetaGraph) -> str:
    """Return the words that name a MetaGraph in findings."""
    return f"MetaGraph [{clipped(', '.join(meta_graph.tags))}]"


def _unanswered(
    subject: Subject, checkpoint: Checkpoint, label: str, restore: Restore, told: set[str]
) -> Iterator[Finding]:
    """Yield what is wrong with each tensor that the restore op asks for, and add their names to those told."""
    missing: dict[tuple[str | None, str], list[str]] = {}
    for asked in restore.asked:
        entry = checkpoint.tensors.get(asked.name)
        if entry is None:
            missing.setdefault((asked.function, asked.node), []).append(asked.name)
            told.add(asked.name)
            continue
        why = _misfit(asked, entry)
        if why:
            told.add(asked.name)
            where = _place(label, asked.function, asked.node)
            yield found("M7", where, f"'{clipped(asked.name)}': {why}", file=subject.graph_file)
    for (function, node), names in missing.items():
        message = (
            f"the checkpoint of {counted(len(checkpoint.tensors), 'tensor')} lacks {listed(names)} of"
            " those that it restores"
        )
        yield found("M7", _place(label, function, node), message, file=subject.graph_file)


def _place(label: str, function: str | None, node: str) -> str:
    inner = f"function {clipped(function)}, " if function is not None else ""
    return f"{label}: {inner}node {clipped(node)}"


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, quoted, and how many there are more."""
    shown = ", ".join(f"'{clipped(name)}'" for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _misfit(asked: Asked, entry: TensorEntry) -> str | None:
    """Return, in words, how what is stored differs from what is asked for; None if it does not."""
    if asked.dtype != entry.dtype:
        return f"it is restored as {asked.dtype}, and the checkpoint has {entry.dtype}"
    shape: tuple[int, ...] | None = entry.shape
    if asked.spec:
        spec = _parsed_spec(asked.spec)
        if spec is None:
            return f"'{clipped(asked.spec)}' is no shape and slice"
        whole, shape = spec
        if whole != entry.shape:
            return f"a slice of shape {_short(whole)} is restored, and the checkpoint has {_short(entry.shape)}"
        if shape is None:
            return f"the slice '{clipped(asked.spec)}' is not within it"
    assert shape is not None
    if not _fits(asked.shape, shape):
        return (
            f"variable '{clipped(asked.variable or '')}' has the shape {_short(asked.shape)}, and the"
            f" checkpoint has {_short(shape)}"
        )
    return None


def _parsed_spec(spec: str) -> tuple[tuple[int, ...], tuple[int, ...] | None] | None:
    """Return the full shape and the slice's: ``ParseShapeAndSlice`` in ``core/util/saved_tensor_slice_util.cc``.

    The slice's is None if it does not fit into the full one; without a parse, there is nothing.
    """
    *sizes, parts = spec.split(" ")
    try:
        whole = tuple(int(size) for size in sizes)
        extents = [
            None if part == "-" else tuple(int(number) for number in part.split(","))
            for part in parts.split(":")
            if part
        ]
    except ValueError:
        return None
    if not whole or any(extent is not None and len(extent) != 2 for extent in extents):
        return None
    if len(extents) != len(whole):
        return whole, None
    shape = []
    for extent, size in zip(extents, whole, strict=True):
        start, length = (0, size) if extent is None else extent
        if start < 0 or length < 0 or start + length > size:
            return whole, None
        shape.append(length)
    return whole, tuple(shape)


def _fits(wanted: Shape | None, shape: tuple[int, ...]) -> bool:
    if wanted is None:
        return True
    return len(wanted) == len(shape) and all(
        want is None or want == size for want, size in zip(wanted, shape, strict=True)
    )


def _short(shape: Shape | None) -> str:
    return str(list(shape or ())[:8])


def _object_graph(
    checkpoint: Checkpoint, readable: Collection[int]
) -> tuple[schema.TrackableObjectGraph | None, list[Finding]]:
    """Return the checkpoint's object graph, if it has one, and what is wrong with it."""
    entry = checkpoint.tensors.get(GRAPH)
    # Without its data file, or where its place is wrong, another rule has said so.
    if entry is None or entry.shard not in readable:
        return None, []
    if entry.dtype != STRING or entry.elements != 1:
        why = f"it is {entry.dtype} of shape {_short(entry.shape)}, not one string"
        return None, [found("V6", INDEX, f"'{GRAPH}': {why}", file=INDEX)]
    try:
        [content] = read_strings(checkpoint, GRAPH, limit=_GRAPH_LIMIT)
        return schema.parse(schema.TrackableObjectGraph, content), []
    except DecodeError:
        message = f"'{GRAPH}': it is no TrackableObjectGraph"
        return None, [found("V6", INDEX, message, file=INDEX)]
    except SavedModelCompatError:
        # Its checksum is wrong, which the rule of checksums says, or it is beyond what is looked at.
        return None, []


def _dangling(tracked: schema.TrackableObjectGraph, missing: list[str]) -> Iterator[Finding]:
    """Yield where the checkpoint's object graph leads to nothing.

    Args:
        tracked: the graph.
        missing: its keys for which there is no tensor.
    """
    count = len(tracked.nodes)
    for index, node in enumerate(tracked.nodes):
        ids = [child.node_id for child in node.children]
        for slot in node.slot_variables:
            ids += (slot.original_variable_node_id, slot.slot_variable_node_id)
        outside = [number for number in ids if not 0 <= number < count]
        if outside:
            message = f"object {index} of {count} in {GRAPH} refers to object {outside[0]}"
            yield found("V6", INDEX, message, file=INDEX)
    if missing:
        message = f"{GRAPH} names tensors that the checkpoint lacks: {listed(missing)}"
        yield found("V6", INDEX, message, file=INDEX)


def _misfits(
    subject: Subject,
    checkpoint: Checkpoint,
    label: str,
    matched: list[_tracked.Tracked],
    told: set[str],
) -> Iterator[Finding]:
    """Yield how variables of the object graph differ from what Python restores them from."""
    for item in matched:
        entry = None if item.value is None else checkpoint.tensors.get(item.value)
        if entry is None or item.variable is None or entry.name in told:
            continue
        dtype = dtype_name(item.variable.dtype)
        shape = shape_from_proto(item.variable.shape)
        if dtype == entry.dtype and _fits(shape, entry.shape):
            continue
        told.add(entry.name)
        where = f"{label}: variable {clipped(item.variable.name)}"
        message = (
            f"it is {dtype} of shape {_short(shape)}, and '{clipped(entry.name)}' in the checkpoint"
            f" {entry.dtype} of shape {_short(entry.shape)}"
        )
        yield found("M7", where, message, file=subject.graph_file)


def _has_variables(graph: Any) -> bool:
    return any(node.WhichOneof("kind") == "variable" for node in graph.nodes)


def _unasked(checkpoint: Checkpoint, asked: set[str]) -> Iterator[Finding]:
    unasked = [
        tensor
        for name, tensor in checkpoint.tensors.items()
        if name not in asked and name != GRAPH and not name.endswith(_COUNTERS)
    ]
    if unasked:
        size = sum(
            part.entry.size if part.entry else 0 for tensor in unasked for part in tensor.slices
        ) + sum(tensor.size for tensor in unasked if not tensor.slices)
        message = (
            f"no MetaGraph restores {len(unasked)} of {counted(len(checkpoint.tensors), 'tensor')}"
            f" ({counted(size, 'byte')}): {listed([tensor.name for tensor in unasked])}"
        )
        yield found("V5", INDEX, message, file=INDEX)

"""Attrs that have their default values: taken out of a model as its producer would have, or put back.

TensorFlow takes them out at the export (``strip_default_attrs``; ``python/framework/meta_graph.py``). Here it is done to a
model that is there. All else of the model is kept, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.model import files, fingerprint, parse, schema, wire
from savedmodel_compat.model._default_bytes import Part, rewritten
from savedmodel_compat.model._default_changes import Direction, GraphChanges, changes_of
from savedmodel_compat.model._default_copy import Content, copy, demand_free
from savedmodel_compat.model._default_fingerprint import (
    Renewal,
    State,
    renewal_of,
    renewed,
    unchanged,
)
from savedmodel_compat.model._default_ops import OWN, Ops, ProducerOps, Registry
from savedmodel_compat.model.locate import locate
from savedmodel_compat.model.reader import read

if TYPE_CHECKING:
    from savedmodel_compat.model.values import SavedModel

__all__ = [
    "OWN",
    "Direction",
    "GraphChanges",
    "MetaGraphReport",
    "Ops",
    "ProducerOps",
    "Registry",
    "Renewal",
    "Report",
    "State",
    "changes_of",
    "convert",
    "put_back",
    "strip",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaGraphReport:
    """What was done to one MetaGraph.

    Args:
        tags: in the order of the file.
        producer: the release that wrote it; empty if it does not say.
        sources: whose OpDefs were used, in words, and of how many ops.
        changes: what became of it.
    """

    tags: tuple[str, ...]
    producer: str
    sources: Mapping[str, int]
    changes: GraphChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done to a model.

    Args:
        direction: what was asked for.
        source: the folder of the model.
        destination: the folder of the changed one.
        file: the name of the file that was changed, ``saved_model.pb`` or ``saved_model.pbtxt``.
        meta_graphs: in the order of the file.
        fingerprint: what became of ``fingerprint.pb``.
    """

    direction: Direction
    source: Path
    destination: Path
    file: str
    meta_graphs: tuple[MetaGraphReport, ...]
    fingerprint: Renewal

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to do, and the model was copied as it is."""
        return all(meta_graph.changes.is_empty for meta_graph in self.meta_graphs)


def strip(path: Path | str, destination: Path | str, *, registry: Registry) -> Report:
    """Write a model without the attrs that have their default values; see `convert`."""
    return convert(path, destination, Direction.STRIP, registry=registry)


def put_back(path: Path | str, destination: Path | str, *, registry: Registry) -> Report:
    """Write a model with the default values of the attrs that are absent: the inverse of `strip`; see `convert`."""
    return convert(path, destination, Direction.PUT_BACK, registry=registry)


def convert(
    path: Path | str, destination: Path | str, direction: Direction, *, registry: Registry
) -> Report:
    """Write a changed model, whole or not at all; what is in the path stays as it is.

    Args:
        path: the model, or a base folder of TensorFlow Serving; see `locate`.
        destination: a folder that does not exist, or is empty.
        direction: what is done.
        registry: the ops of the releases that are known: the module ``registry.snapshots``.

    Raises:
        UsageError: the destination is taken, or in the model.
        NotASavedModelError: there is no SavedModel, or it cannot be copied.
        DamagedModelError: there is one, but it does not parse.
        UnsupportedError: it is in text form and holds what that form cannot keep.
        InfrastructureError: the destination cannot be written.
    """
    target = Path(destination)
    demand_free(target, locate(path))
    model = read(path, tensor_data=False)
    reports = tuple(_meta_graphs(model, registry, direction))
    changes = [report.changes for report in reports]
    contents, renewal = _contents(model, changes)
    copy(model.path, target, contents)
    return Report(
        direction=direction,
        source=model.path,
        destination=target,
        file=model.file.name,
        meta_graphs=reports,
        fingerprint=renewal,
    )


def _meta_graphs(
    model: SavedModel, registry: Registry, direction: Direction
) -> Iterator[MetaGraphReport]:
    for meta_graph in model.meta_graphs:
        ops = ProducerOps(meta_graph.proto, registry)
        changes = changes_of(meta_graph.proto, ops, direction)
        yield MetaGraphReport(
            tags=meta_graph.tags,
            producer=meta_graph.tensorflow_version,
            sources=ops.sources(),
            changes=changes,
        )


def _contents(
    model: SavedModel, changes: Sequence[GraphChanges]
) -> tuple[dict[str, Content | None], Renewal]:
    """Return what comes in the place of which file, and what becomes of the fingerprint."""
    if all(change.is_empty for change in changes):
        return {}, unchanged(model)
    renewal = renewal_of(model)
    source = files.inside(model.path, model.file)
    name = _name(model, source)
    if model.format != "pb":
        contents: dict[str, Content | None] = {name: [_text(source, changes, model.file)]}
    elif renewal.state is not State.RENEWED:
        contents = {name: _parts(source, changes, model.file)}
    else:
        data = b"".join(_parts(source, changes, model.file))
        contents = {name: [data], _fingerprint(model): [renewed(model, renewal, data)]}
    if renewal.state is State.LEFT_OUT:
        contents[_fingerprint(model)] = None
    return contents, renewal


def _fingerprint(model: SavedModel) -> str:
    return _name(model, files.inside(model.path, model.path / fingerprint.NAME))


def _name(model: SavedModel, source: Path) -> str:
    """Return the name in the model of a file whose links are resolved."""
    return source.relative_to(model.path.resolve()).as_posix()


def _parts(source: Path, changes: Sequence[GraphChanges], file: Path) -> list[Part]:
    """Return the content of a ``saved_model.pb``, changed."""
    data = parse.read_bytes(source)
    try:
        return rewritten(data, changes)
    except wire.WireError as error:
        raise DamagedModelError(f"{file} ({len(data)} bytes) cannot be changed: {error}") from error


def _text(source: Path, changes: Sequence[GraphChanges], file: Path) -> bytes:
    """Return the content of a ``saved_model.pbtxt``, changed."""
    from google.protobuf import text_format

    proto, left_out = parse.parse_text(parse.read_bytes(source), file)
    if left_out:
        raise UnsupportedError(
            f"{file} holds what is not known here and would be lost: {left_out[0]}",
            hint="write it as saved_model.pb with the TensorFlow that it comes from: that form keeps all",
        )
    for meta_graph, change in zip(proto.meta_graphs, changes, strict=True):
        _change(meta_graph, change)
    text: str = text_format.MessageToString(proto, descriptor_pool=schema.POOL)
    return text.encode()


def _change(meta_graph: schema.MetaGraphDef, changes: GraphChanges) -> None:
    graph = meta_graph.graph_def
    for index, change in changes.nodes.items():
        change.apply(graph.node[index])
    for place, body in changes.functions.items():
        for index, change in body.items():
            change.apply(graph.library.function[place].node_def[index])
    meta_graph.meta_info_def.stripped_default_attrs = changes.stripped

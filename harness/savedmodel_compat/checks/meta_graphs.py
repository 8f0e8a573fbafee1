"""Rules of a whole MetaGraph: tags, versions, what a loader runs first, and its object graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.checks import _collections, object_graphs
from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.types import Absent, TensorTypes
from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.schema import MetaGraphDef, NodeDef
    from savedmodel_compat.model.values import MetaGraph, SavedModel

_SERVE = frozenset({"serve"})
_SCHEMA_VERSION = 1
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_SHOWN = 5
_NO_MATTER = "nothing has to be done: no loader looks at it"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One MetaGraph, and what finds things in it.

    Args:
        meta_graph: the MetaGraph.
        variables: whether a loader finds a ``variables.index``.
        file: the graph file.
    """

    meta_graph: MetaGraph
    variables: bool
    file: str

    @cached_property
    def nodes(self) -> frozenset[str]:
        return frozenset(node.name for node in self.meta_graph.proto.graph_def.node)

    def found(self, rule: str, of: str, message: str, fix: str | None = None) -> Finding:
        where = f"{_named(self.meta_graph.tags)}{of and ': '}{of}"
        return found(rule, where, message, file=self.file, fix=fix)


def check(subject: Subject) -> Iterator[Finding]:
    """Yield breaches of M1, M3, M4, M6, M8, M9, M12, M13, M14 and M16."""
    saved = subject.saved
    if saved is None:
        return
    file = subject.graph_file
    if saved.schema_version != _SCHEMA_VERSION:
        message = f"saved_model_schema_version is {saved.schema_version}"
        yield found("M12", file, message, file=file)
    yield from _without_serve(saved, file)
    yield from limited(_same_tags(saved, file), "M9", file, file=file)
    yield from limited(_shared_assets(saved, file), "M8", file, file=file)
    variables = subject.checkpoint is not None or subject.checkpoint_damage is not None
    places = [
        _Place(meta_graph=meta_graph, variables=variables, file=file)
        for meta_graph in saved.meta_graphs
    ]
    for rule, look in _LOOKS.items():
        yield from limited(chain.from_iterable(map(look, places)), rule, file, file=file)


def _without_serve(saved: SavedModel, file: str) -> Iterator[Finding]:
    """Yield M1."""
    if not any(frozenset(meta_graph.tags) == _SERVE for meta_graph in saved.meta_graphs):
        shown = ", ".join(_named(graph.tags) for graph in saved.meta_graphs[:_SHOWN])
        more = ", …" if len(saved.meta_graphs) > _SHOWN else ""
        yield found(
            "M1", file, f"no MetaGraph has the tags [serve]; it has {shown}{more}", file=file
        )


def _same_tags(saved: SavedModel, file: str) -> Iterator[Finding]:
    """Yield M9; the order of the tags does not tell two apart."""
    counted = Counter(frozenset(meta_graph.tags) for meta_graph in saved.meta_graphs)
    for tags, times in counted.items():
        if times > 1:
            where = _named(sorted(tags))
            yield found("M9", where, f"{times} MetaGraphs have these tags", file=file)


def _shared_assets(saved: SavedModel, file: str) -> Iterator[Finding]:
    """Yield M8; several tensors of one MetaGraph may well read one file, and M9 tells of its double.

    A v1 graph keeps the path that an asset was made from: with one path, it is one file.
    """
    first: dict[str, tuple[MetaGraph, bytes | None]] = {}
    for meta_graph in saved.meta_graphs:
        nodes = {node.name: node for node in meta_graph.proto.graph_def.node}
        for name, tensor in {asset.name: asset.tensor for asset in meta_graph.assets}.items():
            path = _path_in(nodes.get(node_of(tensor)))
            other, path_of_other = first.setdefault(name, (meta_graph, path))
            differs = path is None or path != path_of_other
            if differs and frozenset(other.tags) != frozenset(meta_graph.tags):
                message = (
                    f"its asset '{clipped(name)}' is one of {_named(other.tags)} too, and both read"
                    " the file of that one"
                )
                yield found("M8", _named(meta_graph.tags), message, file=file)


def _path_in(node: NodeDef | None) -> bytes | None:
    """Return the path that an asset's Const holds; None if it is none, or does not tell."""
    if node is None or node.op != "Const":
        return None
    # Looking up a missing key would add it to the message.
    values = node.attr["value"].tensor.string_val if "value" in node.attr else ()
    return next((bytes(value) for value in values if value), None)


def _named(tags: Iterable[str]) -> str:
    return f"MetaGraph [{clipped(', '.join(tags))}]"


def _init_op(place: _Place) -> Iterator[Finding]:
    """Yield M3: the signature hides the collections, and the main op the legacy one."""
    proto = place.meta_graph.proto
    key = _init_collection(proto)
    if _INIT_SIGNATURE in proto.signature_def:
        where = f"signature '{_INIT_SIGNATURE}'"
        if _INIT_SIGNATURE not in proto.signature_def[_INIT_SIGNATURE].outputs:
            yield place.found("M3", where, f"it has no output '{_INIT_SIGNATURE}'")
            return
    elif key is None:
        return
    else:
        where = f"collection '{key}'"
        count = len(proto.collection_def[key].node_list.value)
        if count != 1:
            yield place.found("M3", where, f"it has {count} ops, and a loader wants exactly one")
            return
    name = place.meta_graph.init_op or ""
    if node_of(name) not in place.nodes:
        yield place.found("M3", where, f"the init op '{clipped(name)}' is not in the graph")


def _init_collection(proto: MetaGraphDef) -> str | None:
    """Return the collection that a loader takes the init op from; None if it is a signature's, or there is none."""
    if _INIT_SIGNATURE in proto.signature_def:
        return None
    return next((key for key in _INIT_COLLECTIONS if key in proto.collection_def), None)


def _collected(place: _Place) -> Iterator[Finding]:
    """Yield M16, but for what M3 looks at; the names may be those of nodes or of tensors."""
    proto = place.meta_graph.proto
    for key in sorted(proto.collection_def):
        if key == _init_collection(proto):
            continue
        collection, lifted = proto.collection_def[key], not proto.HasField("object_graph_def")
        for message in _collections.problems(key, collection, place.nodes, lifted=lifted):
            yield place.found("M16", f"collection '{clipped(key)}'", message)


def _saver(place: _Place) -> Iterator[Finding]:
    """Yield M4; without a ``variables.index`` no loader restores anything."""
    saver = place.meta_graph.saver
    if saver is None:
        if place.variables:
            yield place.found(
                "M4", "", "there are variables, but no saver_def to restore them with"
            )
        return
    for kind, name in (
        ("restore op", saver.restore_op),
        ("file name tensor", saver.filename_tensor),
    ):
        if name and node_of(name) not in place.nodes:
            message = f"the {kind} '{clipped(name)}' is not in the graph"
            yield place.found("M4", "saver_def", message)
        elif not name and place.variables:
            yield place.found("M4", "saver_def", f"there are variables, but no {kind}")
    if node_of(saver.filename_tensor) in place.nodes:
        tensor = TensorTypes(place.meta_graph.proto).find(saver.filename_tensor)
        shown = f"the file name tensor '{clipped(saver.filename_tensor)}'"
        if isinstance(tensor, Absent):
            yield place.found("M4", "saver_def", f"{shown} {tensor.why}")
        elif tensor.dtype not in {None, "string"}:
            yield place.found("M4", "saver_def", f"{shown} is {tensor.dtype}, and not string")


def _versions(place: _Place) -> Iterator[Finding]:
    """Yield M6."""
    producer, least = place.meta_graph.producer, place.meta_graph.min_consumer
    if least > producer:
        message = f"the graph is of version {producer}, and wants a reader of {least} or later"
        yield place.found("M6", "versions", message)
    if producer in place.meta_graph.bad_consumers:
        message = f"the graph is of version {producer}, and bad_consumers forbids that very version"
        yield place.found("M6", "versions", message)


def _producer(place: _Place) -> Iterator[Finding]:
    """Yield M13; a patch release is no news."""
    text = place.meta_graph.tensorflow_version
    if not text:
        yield place.found("M13", "", "its tensorflow_version is empty", _NO_MATTER)
        return
    try:
        version = Version(text)
    except ValueError:
        # Of InvalidVersion, and of numbers that are longer than Python reads.
        message = f"its tensorflow_version '{clipped(text)}' is no version"
        yield place.found("M13", "", message, _NO_MATTER)
        return
    newest = known.releases()[-1]
    if version.release[:2] > Version(newest).release[:2]:
        message = (
            f"its producer is TensorFlow {clipped(text)}; the newest that is known here is {newest}"
        )
        yield place.found("M13", "", message)


def _objects(place: _Place) -> Iterator[Finding]:
    """Yield M14."""
    for where, message in object_graphs.problems(place.meta_graph.proto, place.nodes):
        yield place.found("M14", where, message)


_LOOKS = {
    "M3": _init_op,
    "M4": _saver,
    "M6": _versions,
    "M13": _producer,
    "M14": _objects,
    "M16": _collected,
}

"""Rules of a whole MetaGraph: tags, versions, what a loader runs first, and its object graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from savedmodel_compat.checks import object_graphs
from savedmodel_compat.checks._many import limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.graph import node_of
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.values import MetaGraph, SavedModel

_SERVE = frozenset({"serve"})
_SCHEMA_VERSION = 1
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


def check(subject: Subject) -> Iterator[Finding]:
    """Yield breaches of M1, M3, M4, M6, M8, M9, M12, M13 and M14."""
    saved = subject.saved
    if saved is None:
        return
    say = partial(found, file=subject.graph_file)
    yield from _tags(saved, say)
    yield from _shared_assets(saved, say)
    if saved.schema_version != _SCHEMA_VERSION:
        message = f"saved_model_schema_version is {saved.schema_version}"
        yield say("M12", subject.graph_file, message)
    for meta_graph in saved.meta_graphs:
        place = f"MetaGraph [{', '.join(meta_graph.tags)}]"
        nodes = {node.name for node in meta_graph.proto.graph_def.node}
        yield from _init_op(meta_graph, nodes, place, say)
        yield from _saver(meta_graph, nodes, place, say, variables=_has_variables(subject))
        yield from _versions(meta_graph, place, say)
        yield from _producer(meta_graph, place, say)
        problems = object_graphs.problems(meta_graph.proto, nodes)
        breaches = (say("M14", f"{place}: {where}", message) for where, message in problems)
        yield from limited(breaches, "M14", place)


def _tags(saved: SavedModel, say: Callable[..., Finding]) -> Iterator[Finding]:
    """Yield M1 and M9."""
    sets = [frozenset(meta_graph.tags) for meta_graph in saved.meta_graphs]
    if _SERVE not in sets:
        shown = ", ".join(f"[{', '.join(graph.tags)}]" for graph in saved.meta_graphs[:5])
        more = " …" if len(sets) > 5 else ""
        yield say("M1", saved.file.name, f"no MetaGraph has the tags [serve]; there is {shown}{more}")
    for tags in sorted(set(sets), key=sorted):
        if sets.count(tags) > 1:
            words = f"{sets.count(tags)} MetaGraphs have these tags"
            yield say("M9", f"MetaGraph [{', '.join(sorted(tags))}]", words)


def _shared_assets(saved: SavedModel, say: Callable[..., Finding]) -> Iterator[Finding]:
    """Yield M8; within one MetaGraph several tensors may well read one file."""
    first: dict[str, MetaGraph] = {}
    breaches = []
    for meta_graph in saved.meta_graphs:
        for name in dict.fromkeys(asset.name for asset in meta_graph.assets):
            if first.setdefault(name, meta_graph) is not meta_graph:
                message = (
                    f"its asset '{name}' is also one of MetaGraph [{', '.join(first[name].tags)}],"
                    " whose file both read"
                )
                breaches.append(say("M8", f"MetaGraph [{', '.join(meta_graph.tags)}]", message))
    yield from limited(breaches, "M8", saved.file.name)


def _init_op(
    meta_graph: MetaGraph, nodes: set[str], place: str, say: Callable[..., Finding]
) -> Iterator[Finding]:
    """Yield M3: the signature hides the collections, and the main op the legacy one."""
    proto = meta_graph.proto
    if _INIT_SIGNATURE in proto.signature_def:
        where = f"{place}: signature '{_INIT_SIGNATURE}'"
        if _INIT_SIGNATURE not in proto.signature_def[_INIT_SIGNATURE].outputs:
            yield say("M3", where, f"it has no output '{_INIT_SIGNATURE}'")
            return
    else:
        key = next((key for key in _INIT_COLLECTIONS if key in proto.collection_def), None)
        if key is None:
            return
        where = f"{place}: collection '{key}'"
        count = len(proto.collection_def[key].node_list.value)
        if count != 1:
            yield say("M3", where, f"it has {count} ops; a loader takes exactly one")
            return
    if node_of(meta_graph.init_op or "") not in nodes:
        yield say("M3", where, f"the init op '{meta_graph.init_op}' is not in the graph")


def _has_variables(subject: Subject) -> bool:
    return subject.checkpoint is not None or subject.checkpoint_damage is not None


def _saver(
    meta_graph: MetaGraph,
    nodes: set[str],
    place: str,
    say: Callable[..., Finding],
    *,
    variables: bool,
) -> Iterator[Finding]:
    """Yield M4; without variables.index no loader restores anything."""
    saver = meta_graph.saver
    if saver is None:
        if variables:
            message = "there are variables, but no saver_def to restore them with"
            yield say("M4", place, message)
        return
    names = {"restore op": saver.restore_op, "file name tensor": saver.filename_tensor}
    for kind, name in names.items():
        if not name and not variables:
            continue
        if node_of(name) not in nodes:
            message = f"the {kind} '{name}' is not in the graph" if name else f"it has no {kind}"
            yield say("M4", f"{place}: saver_def", message)


def _versions(
    meta_graph: MetaGraph, place: str, say: Callable[..., Finding]
) -> Iterator[Finding]:
    """Yield M6."""
    producer = meta_graph.producer
    if meta_graph.min_consumer > producer:
        yield say(
            "M6",
            f"{place}: versions",
            f"the graph is of version {producer}, but asks for a reader of {meta_graph.min_consumer}"
            " or later",
        )
    if producer in meta_graph.bad_consumers:
        message = f"the graph is of version {producer}, and bad_consumers forbids that very version"
        yield say("M6", f"{place}: versions", message)


def _producer(
    meta_graph: MetaGraph, place: str, say: Callable[..., Finding]
) -> Iterator[Finding]:
    """Yield M13; a patch release is no news."""
    text = meta_graph.tensorflow_version
    if not text:
        yield say("M13", place, "its tensorflow_version is empty", fix=_NO_VERSION)
        return
    try:
        version = Version(text)
    except InvalidVersion:
        yield say("M13", place, f"its tensorflow_version '{text}' is no version", fix=_NO_VERSION)
        return
    newest = known.releases()[-1]
    if version.release[:2] > Version(newest).release[:2]:
        message = f"its producer is TensorFlow {text}; the newest that is known here is {newest}"
        yield say("M13", place, message)


_NO_VERSION = "nothing has to be done: no loader looks at it; an export with TensorFlow's own API says it"

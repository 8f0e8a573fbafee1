"""Attrs that a consumer drops without a word: from 2.5 on, what its OpDefs do not know is ignored, whatever its value.

The verdict comes from the consumer's own op list and from the model's, never from the log, which holds at most one line a
process (tensorflow/core/framework/node_def_util.cc, ValidateNodeDef).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from packaging.version import Version

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import reachable, schema, walk
from savedmodel_compat.model.attr_values import are_equal
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from pathlib import Path

    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.model import MetaGraph

IGNORED_SINCE = Version("2.5")
"""The first release that ignores unknown attrs; those before refuse the model."""

Ops = Mapping[str, Any]
"""OpDefs by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredAttr:
    """An attr that a consumer ignores.

    Args:
        op: the node's op.
        attr: the attr's name.
        node: the first node that carries it.
        function: the library function that holds the node; None if the graph does.
        default: whether its value is the op's default there, at every such node, which it cannot be if the attr has no
            default; None if no OpDef tells.
        reached: whether the cell's signature, the restore op or the init op reaches such a node.
    """

    op: str
    attr: str
    node: str
    function: str | None
    default: bool | None
    reached: bool

    def __str__(self) -> str:
        """Return it in words."""
        value = {True: "its default", False: "not its default", None: "of unknown default"}[
            self.default
        ]
        where = f"function {self.function}, " if self.function else ""
        return f"{self.op}.{self.attr} is ignored ({value}; {where}node {self.node})"


def read_ops(path: Path) -> Ops:
    """Return the OpDefs of a release from the serialized OpList that lies in its runtime."""
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except (OSError, DecodeError) as error:
        raise InfrastructureError(
            f"the op list {path} cannot be read: {error}",
            hint="savedmodel-compat runtime build RELEASE --force",
        ) from error


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int) -> Ops:  # noqa: ARG001 - part of the key
    ops = {op.name: op for op in schema.parse(schema.OpList, path.read_bytes()).op}
    if not ops:
        raise DecodeError("it is empty")
    return ops


def attrs_used(model: Model) -> frozenset[tuple[str, str]]:
    """Return the pairs of op and attr that stand anywhere in a model, less the attrs that no release checks."""
    if model.meta_graph is None:
        return frozenset()
    return frozenset(
        (found.node.op, name)
        for found in walk(model.meta_graph.proto)
        for name in found.node.attr
        if not name.startswith("_")
    )


def ignored_attrs(
    model: Model,
    case: Case,
    used: frozenset[tuple[str, str]],
    consumer: Ops,
    others: Sequence[Ops],
    *,
    loader: str = "c",
) -> tuple[IgnoredAttr, ...]:
    """Return what a consumer that loaded a model leaves out of it.

    Args:
        model: the model.
        case: the signature that was run.
        used: what `attrs_used` gave for it.
        consumer: the consumer's OpDefs.
        others: OpDefs of other releases, newest first, for defaults that the model's own do not tell; those of the
            pinned releases come after them.
        loader: of the consumer.
    """
    unknown = {(op, attr) for op, attr in used if op in consumer and not _has(consumer[op], attr)}
    if model.meta_graph is None or not unknown:
        return ()
    meta_graph = model.meta_graph
    places: dict[tuple[str, str], list[tuple[str | None, Any]]] = {}
    # tf.saved_model.load makes functions and objects, and none of the graph's nodes (python/saved_model/load.py).
    only_functions = loader in {"v2", "keras"} and bool(meta_graph.proto.object_graph_def.nodes)
    for found in walk(meta_graph.proto):
        if only_functions and found.function is None:
            continue
        for name in found.node.attr:
            if (found.node.op, name) in unknown:
                places.setdefault((found.node.op, name), []).append((found.function, found.node))
    reached = reachable(meta_graph.proto, _run_by_load(meta_graph))
    outputs = [port.tensor for port in case.outputs]
    reached |= reachable(meta_graph.proto, outputs, fed=[port.tensor for port in case.inputs])
    opinions = [_own_ops(meta_graph), *others]
    return tuple(
        _ignored(op, attr, found, reached, opinions) for (op, attr), found in sorted(places.items())
    )


def _has(op: Any, attr: str) -> bool:
    return any(definition.name == attr for definition in op.attr)


def _run_by_load(meta_graph: MetaGraph) -> list[str]:
    restore = [meta_graph.saver.restore_op] if meta_graph.saver else []
    return restore + ([meta_graph.init_op] if meta_graph.init_op else [])


def _own_ops(meta_graph: MetaGraph) -> Ops:
    return {op.name: op for op in meta_graph.proto.meta_info_def.stripped_op_list.op}


def _ignored(
    op: str,
    attr: str,
    places: Sequence[tuple[str | None, Any]],
    reached: frozenset[tuple[str | None, str]],
    opinions: Sequence[Ops],
) -> IgnoredAttr:
    definition = _definition(op, attr, opinions)
    if definition is None:
        deviating = places
        is_default = None
    else:
        deviating = [place for place in places if not _has_default(place[1], definition)]
        is_default = not deviating
    telling = [place for place in deviating if (place[0], place[1].name) in reached]
    function, node = (telling or deviating or places)[0]
    return IgnoredAttr(
        op=op,
        attr=attr,
        node=node.name,
        function=function,
        default=is_default,
        reached=bool(telling) if deviating else any((f, n.name) in reached for f, n in places),
    )


def _has_default(node: Any, definition: Any) -> bool:
    if not definition.HasField("default_value"):
        return False
    return are_equal(node.attr[definition.name], definition.default_value)


def _definition(op: str, attr: str, opinions: Sequence[Ops]) -> Any:
    """Return an attr's definition from the first op list that has it, else from the pinned releases; None if none has."""
    definitions = [ops[op] for ops in opinions if op in ops]
    for known_op in (*definitions, known.op(op)):
        for definition in () if known_op is None else known_op.attr:
            if definition.name == attr:
                return definition
    return None

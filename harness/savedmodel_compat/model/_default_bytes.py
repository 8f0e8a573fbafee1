"""The bytes of a ``saved_model.pb`` with the attrs of some nodes changed, and all else as it stands.

Nothing is serialized anew: entries of attrs are taken out and put in, and the messages around them get their new lengths.
Whatever else the file holds, in whatever order, is kept, and nothing long is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.model import wire

if TYPE_CHECKING:
    from savedmodel_compat.model._default_changes import Changes, GraphChanges, NodeChange

Part = bytes | memoryview

# The fields of saved_model.proto, meta_graph.proto, graph.proto, function.proto and node_def.proto that are looked at.
_META_GRAPH = wire.tag_of(2)
_META_INFO = wire.tag_of(1)
_STRIPPED = wire.tag_of(7, wire.VARINT)
_GRAPH = wire.tag_of(2)
_NODE = _FUNCTION = _KEY = wire.tag_of(1)
_LIBRARY = _VALUE = wire.tag_of(2)
_BODY_NODE = wire.tag_of(3)
_ATTR = wire.tag_of(5)


def rewritten(data: bytes, changes: Sequence[GraphChanges]) -> list[Part]:
    """Return a serialized SavedModel in parts, with its MetaGraphs changed.

    Args:
        data: the message.
        changes: of each MetaGraph, in the order of the file.

    Raises:
        WireError: it does not parse, or is not the message that the changes are of.
    """
    walk = _Walk(data=data)
    meta_graphs = iter(changes)

    def replaced(tag: int, body: int, stop: int) -> list[Part] | None:
        if tag != _META_GRAPH:
            return None
        found = next(meta_graphs, None)
        if found is None:
            raise wire.WireError("there are more MetaGraphs than there were")
        return walk.meta_graph(body, stop, found)

    parts = walk.replace(0, len(data), replaced)
    if next(meta_graphs, None) is not None or walk.changed != sum(c.changed for c in changes):
        raise wire.WireError("there are fewer nodes than there were")
    return [data] if parts is None else parts


def fields(data: Any, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the tag of each field of a message, where it begins, and where its content begins and ends.

    Args:
        data: the bytes, or view of bytes, that the message is in.
        start: where it begins.
        end: where it ends.

    Raises:
        WireError: it does not parse.
    """
    at = start
    while at < end:
        # By far the most fields are so; a call for each would double the time.
        tag = data[at]
        if tag & 0x87 == wire.LENGTH and at + 1 < end and data[at + 1] < 0x80:
            body = at + 2
            stop = body + data[at + 1]
        else:
            tag, body, stop = wire.field(data, at)
        if stop > end:
            raise wire.WireError(f"the field at byte {at} ends beyond its message")
        yield tag, at, body, stop
        at = stop


Replace = Callable[[int, int, int], "list[Part] | None"]
"""Gets the tag of a field, and where its content begins and ends; returns what comes in its place, None for no change."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One serialized SavedModel.

    Args:
        data: the message.
        changed: how many nodes were changed so far.
    """

    data: bytes
    changed: int = 0
    view: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self.view = memoryview(self.data)

    def replace(self, start: int, end: int, replaced: Replace) -> list[Part] | None:
        """Return a message in parts, with some of its fields replaced; None if none is."""
        parts: list[Part] = []
        kept = start
        for tag, at, body, stop in fields(self.data, start, end):
            inner = replaced(tag, body, stop)
            if inner is not None:
                parts += (self.view[kept:at], *_framed(tag, inner))
                kept = stop
        return [*parts, self.view[kept:end]] if parts else None

    def meta_graph(self, start: int, end: int, changes: GraphChanges) -> list[Part] | None:
        """Return a MetaGraphDef, changed."""
        graph = _Graph(walk=self, changes=changes)
        infos = 0

        def replaced(tag: int, body: int, stop: int) -> list[Part] | None:
            nonlocal infos
            if tag == _META_INFO:
                infos += 1
                # If there are several, the last one holds, or the only one that has it.
                return self.meta_info(body, stop, changes.stripped) if changes.flagged else None
            return self.replace(body, stop, graph.part) if tag == _GRAPH else None

        parts = self.replace(start, end, replaced)
        if changes.flagged and changes.stripped and not infos:
            return [*_framed(_META_INFO, [_flag()]), *(parts or [self.view[start:end]])]
        return parts

    def meta_info(self, start: int, end: int, stripped: bool) -> list[Part]:
        """Return a MetaInfoDef that says whether it is stripped."""
        parts: list[Part] = []
        pending = [_flag()] if stripped else []
        for tag, at, _, stop in fields(self.data, start, end):
            if tag > _STRIPPED:
                parts += pending
                pending = []
            if tag != _STRIPPED:
                parts.append(self.view[at:stop])
        return parts + pending

    def node(self, start: int, end: int, change: NodeChange) -> list[Part]:
        """Return a NodeDef with its attrs changed; those that come stand where they do in the order of C++."""
        self.changed += 1
        removed = {name.encode() for name in change.removed}
        added = {name.encode(): default.serialized for name, default in change.added.items()}
        pending = sorted(added, reverse=True)
        parts: list[Part] = []
        for tag, at, body, stop in fields(self.data, start, end):
            key = self.key(body, stop) if tag == _ATTR else None
            while pending and (tag > _ATTR if key is None else pending[-1] < key):
                name = pending.pop()
                parts += _entry(name, added[name])
            if key is None or key not in removed:
                parts.append(self.view[at:stop])
        for name in reversed(pending):
            parts += _entry(name, added[name])
        return parts

    def key(self, start: int, end: int) -> bytes:
        """Return the key of an entry of a map."""
        key = b""
        for tag, _, body, stop in fields(self.data, start, end):
            if tag == _KEY:
                key = self.data[body:stop]
        return key


@dataclass(slots=True, kw_only=True)
class _Graph:
    """The graph of one MetaGraph, which may stand in several parts.

    Args:
        walk: what it is in.
        changes: what becomes of it.
        nodes: how many nodes were passed.
        functions: how many functions of the library were passed.
    """

    walk: _Walk
    changes: GraphChanges
    nodes: int = 0
    functions: int = 0

    def part(self, tag: int, body: int, stop: int) -> list[Part] | None:
        """Return what comes in the place of a field of the GraphDef."""
        if tag == _NODE:
            change = self.changes.nodes.get(self.nodes)
            self.nodes += 1
            return None if change is None else self.walk.node(body, stop, change)
        return self.walk.replace(body, stop, self._function) if tag == _LIBRARY else None

    def _function(self, tag: int, body: int, stop: int) -> list[Part] | None:
        if tag != _FUNCTION:
            return None
        changes = self.changes.functions.get(self.functions)
        self.functions += 1
        return None if changes is None else self._body(body, stop, changes)

    def _body(self, start: int, end: int, changes: Changes) -> list[Part] | None:
        nodes = 0

        def replaced(tag: int, body: int, stop: int) -> list[Part] | None:
            nonlocal nodes
            if tag != _BODY_NODE:
                return None
            change = changes.get(nodes)
            nodes += 1
            return None if change is None else self.walk.node(body, stop, change)

        return self.walk.replace(start, end, replaced)


def _flag() -> bytes:
    return wire.as_varint(_STRIPPED) + b"\x01"


def _entry(name: bytes, value: bytes) -> list[Part]:
    """Return an entry of a map of attrs, as a field of its node."""
    key = _framed(_KEY, [name])
    return _framed(_ATTR, [*key, *_framed(_VALUE, [value])])


def _framed(tag: int, parts: list[Part]) -> list[Part]:
    return [wire.as_varint(tag), wire.as_varint(sum(map(len, parts))), *parts]

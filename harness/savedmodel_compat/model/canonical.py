"""The bytes that TensorFlow hashes: a serialized message, the entries of its maps in C++'s order.

``SerializeToStringDeterministic`` (``core/lib/strings/proto_serialization.cc``) orders the entries of
a map by key, texts as bytes. So does Python's protobuf, but since version 4 a text there comes after
the longer ones that begin with it. All else of the two forms is the same, and stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from savedmodel_compat.model import schema, wire

# No parser goes deeper.
_DEPTH = 100
# A map that can be out of order has two entries, of which one has a key.
_SMALLEST = 7
_REPEATED = 1000
_KEY, _VALUE = 1, 2


@dataclass(slots=True, kw_only=True)
class _Field:
    """A field that is a map, or leads to one.

    Args:
        plan: such fields, by tag, of its message, or of the values of a map.
        is_map: whether it is a map.
        text_keys: whether the keys of the map are texts; else they are numbers.
    """

    plan: _Plan
    is_map: bool
    text_keys: bool = False


_Plan = dict[int, _Field]
_Part = bytes | memoryview


def canonical(data: bytes, message: str = "SavedModel") -> bytes:
    """Return a serialized message with the entries of its maps as C++ orders them.

    Args:
        data: the message, as another protobuf wrote it.
        message: its type.

    Raises:
        WireError: it does not parse.
    """
    try:
        parts = _Walk(data=data).message(0, len(data), _plan_of(message), _DEPTH)
    except IndexError as error:
        raise wire.WireError("the message ends in the middle of a field") from error
    return data if parts is None else b"".join(parts)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One serialized message. Its parts are views, so that nothing large is copied but once."""

    data: bytes
    view: memoryview = field(init=False)
    in_order: set[tuple[int, bytes]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.view = memoryview(self.data)

    def message(  # noqa: C901 - one loop, which calls cost dearly
        self, start: int, end: int, plan: _Plan, depth: int
    ) -> list[_Part] | None:
        """Return a message in parts, put in order; None if it is so already."""
        if not depth:
            raise wire.WireError(f"the message at byte {start} is nested too deeply")
        data = self.data
        parts: list[_Part] = []
        kept = at = start
        # The attrs of most nodes are those of some other.
        rest = b""
        while at < end:
            # By far the most fields are so; a call for each would double the time.
            tag, length = data[at], data[at + 1]
            if tag & 0x87 == wire.LENGTH and length < 0x80:
                body = at + 2
                stop = body + length
            else:
                tag, body, stop = wire.field(data, at)
            if stop > end:
                raise wire.WireError(f"the field at byte {at} ends beyond its message")
            found = plan.get(tag)
            if found is not None:
                if not parts and not rest and found.is_map:
                    rest = data[at:end] if end - at < _REPEATED else b""
                    if (id(plan), rest) in self.in_order:
                        return None
                stop, inner = self._field((tag, at, body, stop), end, found, depth)
                if inner is not None:
                    parts += (self.view[kept:at], *inner)
                    kept = stop
            at = stop
        if parts:
            return [*parts, self.view[kept:end]]
        if rest:
            self.in_order.add((id(plan), rest))
        return None

    def _field(
        self, place: tuple[int, int, int, int], end: int, field: _Field, depth: int
    ) -> tuple[int, list[_Part] | None]:
        """Return where a field, or a run of a map's entries, ends, and its parts if they changed."""
        tag, at, body, stop = place
        if field.is_map:
            return self._map(at, end, tag, field, depth)
        inner = self.message(body, stop, field.plan, depth - 1)
        return stop, None if inner is None else _framed(tag, inner)

    def _map(
        self, at: int, end: int, tag: int, field: _Field, depth: int
    ) -> tuple[int, list[_Part] | None]:
        """Return where a run of a map's entries ends, and them in order; None if they are already."""
        data = self.data
        entries: list[tuple[Any, list[_Part]]] = []
        last: Any = None
        changed = False
        while at < end:
            if tag < 0x80 and data[at] == tag and data[at + 1] < 0x80:
                body = at + 2
                stop = body + data[at + 1]
            else:
                found, body, stop = wire.field(data, at)
                if found != tag:
                    break
            if stop > end:
                raise wire.WireError(f"the entry at byte {at} ends beyond its message")
            key, inner = self._entry(body, stop, field, depth)
            entries.append((key, _framed(tag, inner) if inner else [self.view[at:stop]]))
            changed = changed or inner is not None or (last is not None and key < last)
            last = key
            at = stop
        if not changed:
            return at, None
        entries.sort(key=_first)
        return at, [part for _, parts in entries for part in parts]

    def _entry(
        self, at: int, end: int, field: _Field, depth: int
    ) -> tuple[Any, list[_Part] | None]:
        """Return the key of an entry, and its parts if something in the value was put in order."""
        data = self.data
        key: Any = b"" if field.text_keys else 0
        parts: list[_Part] = []
        kept = at
        while at < end:
            # As in `message`, and written out again for the same reason.
            tag, length = data[at], data[at + 1]
            if tag & 0x87 == wire.LENGTH and length < 0x80:
                body = at + 2
                stop = body + length
            else:
                tag, body, stop = wire.field(data, at)
            if stop > end:
                raise wire.WireError(f"the field at byte {at} ends beyond its message")
            if tag >> 3 == _KEY:
                key = self._key(tag, body, stop)
            elif tag == _VALUE_TAG and field.plan and stop - body >= _SMALLEST:
                inner = self.message(body, stop, field.plan, depth - 1)
                if inner is not None:
                    parts += (self.view[kept:at], *_framed(tag, inner))
                    kept = stop
            at = stop
        return key, [*parts, self.view[kept:end]] if parts else None

    def _key(self, tag: int, body: int, stop: int) -> Any:
        if tag & 7 == wire.LENGTH:
            return self.data[body:stop]
        if tag & 7 == wire.VARINT:
            return wire.varint(self.data, body)[0]
        return int.from_bytes(self.data[body:stop], "little")


_VALUE_TAG = wire.tag_of(_VALUE)


def _first(entry: tuple[Any, list[_Part]]) -> Any:
    return entry[0]


def _framed(tag: int, parts: list[_Part]) -> list[_Part]:
    return [wire.as_varint(tag), wire.as_varint(sum(map(len, parts))), *parts]


@cache
def _plan_of(message: str) -> _Plan:
    """Return which fields of a message are maps or lead to some, from its descriptor."""
    return _plans(schema.POOL.FindMessageTypeByName(f"tensorflow.{message}"))


def _plans(root: Any) -> _Plan:
    messages: dict[str, Any] = {}
    pending = [root]
    while pending:
        descriptor = pending.pop()
        if descriptor.full_name not in messages:
            messages[descriptor.full_name] = descriptor
            pending += [f.message_type for f in descriptor.fields if f.message_type is not None]
    leading = _leading(messages)
    plans: dict[str, _Plan] = {name: {} for name in messages}
    for name, descriptor in messages.items():
        for item in descriptor.fields:
            if item.message_type is not None and item.message_type.full_name in leading:
                plans[name][wire.tag_of(item.number)] = _field_of(item.message_type, plans)
    return plans[root.full_name]


def _leading(messages: dict[str, Any]) -> set[str]:
    """Return the messages that are entries of maps, or lead to some."""
    leading = {name for name, descriptor in messages.items() if _is_entry(descriptor)}
    grown = True
    while grown:
        more = {
            name
            for name, descriptor in messages.items()
            if any(
                f.message_type is not None and f.message_type.full_name in leading
                for f in descriptor.fields
            )
        }
        grown = not more <= leading
        leading |= more
    return leading


def _field_of(descriptor: Any, plans: dict[str, _Plan]) -> _Field:
    if not _is_entry(descriptor):
        return _Field(plan=plans[descriptor.full_name], is_map=False)
    key, value = (descriptor.fields_by_name[name] for name in ("key", "value"))
    return _Field(
        plan={} if value.message_type is None else plans[value.message_type.full_name],
        is_map=True,
        text_keys=key.type == key.TYPE_STRING,
    )


def _is_entry(descriptor: Any) -> bool:
    return bool(descriptor.GetOptions().map_entry)

"""The fingerprint of a model whose graph was changed (``cc/saved_model/fingerprinting.cc``).

Of its hashes, two are of the graph: that of the file, and that of the program, which is the graph less what differs from
one export to the next (``core/graph_regularization/simple_delete.cc``). The others stay as they are.
"""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import files, fingerprint, parse, schema, wire
from savedmodel_compat.model._default_bytes import Part, fields
from savedmodel_compat.model.canonical import canonical
from savedmodel_compat.model.fingerprint import Verdict

if TYPE_CHECKING:
    from savedmodel_compat.model.values import SavedModel

_CHECKSUM = "saved_model_checksum"
# The first version hashes only the graph.
_OF_THE_GRAPH = 0
_META_GRAPH = _GRAPH = _LIBRARY = wire.tag_of(2)
_NODE = wire.tag_of(1)
_VERSIONS = wire.tag_of(4)
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_CONSTANTS = frozenset(("Const", "HostConst"))
_STRING = 7
# What TensorFlow's strings::safe_strto64 takes for a number.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*(-?[0-9]+)[ \t\n\v\f\r]*")


class State(enum.Enum):
    """What became of ``fingerprint.pb``."""

    ABSENT = "absent"
    KEPT = "kept"
    RENEWED = "renewed"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What becomes of ``fingerprint.pb``.

    Args:
        state: in a word.
        why: why it is kept though it does not fit, or left out.
        reordered: whether the file has its fields in another order than C++, which hashes what it writes itself.
    """

    state: State
    why: str = ""
    reordered: bool = False


def unchanged(model: SavedModel) -> Renewal:
    """Return what becomes of the fingerprint of a model whose file is not changed, or that has no readable one."""
    if not os.path.lexists(model.path / fingerprint.NAME):
        return Renewal(state=State.ABSENT)
    return Renewal(state=State.KEPT, why="" if model.fingerprint else "it cannot be read")


def renewal_of(model: SavedModel) -> Renewal:
    """Return what becomes of the fingerprint of a model whose file will be changed.

    It is written anew only if all its hashes can be taken anew: those of the file as it is are taken first, and must be
    those that it says.
    """
    said = model.fingerprint
    if said is None:
        return unchanged(model)
    checksum = {taken.name: taken for taken in fingerprint.verify(model)}[_CHECKSUM]
    if checksum.verdict is Verdict.DIFFERS:
        return Renewal(state=State.KEPT, why="it was not that of the model before")
    if checksum.verdict is Verdict.UNVERIFIED:
        return Renewal(state=State.LEFT_OUT, why=checksum.why)
    try:
        data = parse.read_bytes(files.inside(model.path, model.file))
        reordered = _checksum(data, said.producer) != said.saved_model_checksum
        found = _program_hash(model, data)
    except (wire.WireError, DecodeError, SavedModelCompatError) as error:
        return Renewal(
            state=State.LEFT_OUT, why=f"the hash of its program cannot be taken: {error}"
        )
    if found != said.graph_def_program_hash:
        why = "the hash of its program is of a form that is not known"
        return Renewal(state=State.LEFT_OUT, why=why)
    return Renewal(state=State.RENEWED, reordered=reordered)


def renewed(model: SavedModel, renewal: Renewal, data: bytes) -> bytes:
    """Return a fingerprint written anew. Its ``uuid`` stays, as in a model that was copied.

    Args:
        model: the model as it was.
        renewal: what `renewal_of` gave for it.
        data: what its ``saved_model.pb`` will be.

    Raises:
        WireError: the data cannot be walked.
    """
    source = files.inside(model.path, model.path / fingerprint.NAME)
    said = schema.parse(schema.FingerprintDef, parse.read_bytes(source))
    said.saved_model_checksum = _checksum(data, said.version.producer, anew=renewal.reordered)
    said.graph_def_program_hash = _program_hash(model, data)
    return bytes(said.SerializeToString(deterministic=True))


def _checksum(data: bytes, producer: int, *, anew: bool = False) -> int:
    """Return the checksum of a serialized SavedModel, as some version of the fingerprint takes it."""
    message = "SavedModel"
    if producer == _OF_THE_GRAPH:
        data, message = bytes(_graph(data)), "GraphDef"
    if anew:
        parsed = schema.parse(getattr(schema, message), data)
        data = bytes(parsed.SerializeToString(deterministic=True))
    return fingerprint.fingerprint64(canonical(data, message))


def _program_hash(model: SavedModel, data: bytes) -> int:
    """Return the hash of the first graph of a serialized SavedModel, less what may differ.

    Args:
        model: tells which nodes there are; their attrs may be others by now.
        data: the SavedModel.
    """
    irregular = _irregular(model.proto.meta_graphs[0].graph_def)
    graph = _graph(data)
    nodes: list[Part] = []
    others: list[Part] = []
    index = -1
    for tag, at, body, stop in fields(graph, 0, len(graph)):
        if tag == _NODE:
            index += 1
            nodes += _regular(graph[body:stop]) if index in irregular else [graph[at:stop]]
        elif tag not in {_LIBRARY, _VERSIONS}:
            others.append(graph[at:stop])
    # Both are there, and empty.
    empty = wire.as_varint(_LIBRARY) + b"\0" + wire.as_varint(_VERSIONS) + b"\0"
    return fingerprint.fingerprint64(canonical(b"".join([*nodes, empty, *others]), "GraphDef"))


def _irregular(graph: schema.GraphDef) -> frozenset[int]:
    """Return the places of the nodes that ``RegularizeNodes`` changes."""
    return frozenset(
        index
        for index, node in enumerate(graph.node)
        if node.op in _CALLS or (node.op in _CONSTANTS and _is_string(node))
    )


def _is_string(constant: schema.NodeDef) -> bool:
    # Looking up a missing key would add it to the message.
    return "dtype" in constant.attr and constant.attr["dtype"].type == _STRING


def _regular(data: memoryview) -> list[Part]:
    """Return a node, as a field of its graph, as ``RegularizeNodes`` leaves it."""
    node = schema.parse(schema.NodeDef, bytes(data))
    if node.op in _CALLS:
        function = node.attr["f"].func
        function.name = _without_uid(function.name)
        if "config_proto" in node.attr:
            node.attr["config_proto"].s = b""
    else:
        node.attr["value"].Clear()
    content = node.SerializeToString(deterministic=True)
    return [wire.as_varint(_NODE), wire.as_varint(len(content)), content]


def _without_uid(name: str) -> str:
    """Return the name of a function without the number that tells it from others of that name."""
    number = _NUMBER.fullmatch(name.rpartition("_")[2])
    return name if number is None else name.removesuffix(str(int(number[1])))


def _graph(data: bytes) -> memoryview:
    """Return the graph of the first MetaGraph."""
    view = memoryview(data)
    for wanted in (_META_GRAPH, _GRAPH):
        found = (view[b:s] for tag, _, b, s in fields(view, 0, len(view)) if tag == wanted)
        first = next(found, None)
        if first is None:
            raise wire.WireError("there is no graph")
        view = first
    return view

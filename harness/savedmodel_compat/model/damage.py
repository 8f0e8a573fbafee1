"""Saying what the bytes are that should be a SavedModel and are not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.model import schema, wire

if TYPE_CHECKING:
    from typing import Any

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

TEXT_FORM = "a SavedModel in text form"

_STARTS = (
    (LFS_POINTER, "a Git LFS pointer: the file itself was not fetched (git lfs pull fetches it)"),
    (b"\x89HDF\r\n", "an HDF5 file, such as Keras writes"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"TFL3", "a TensorFlow Lite model"),
    (b"<", "an XML or HTML page, likely that of a failed download"),
)
_TEXTS = (
    (r"item\s*\{", "a label map of the Object Detection API"),
    (r"node\s*\{", "a GraphDef in text form, not a SavedModel"),
    (r"(meta_info_def|graph_def)\s*\{", "a single MetaGraphDef in text form, not a SavedModel"),
    (r"model_checkpoint_path\s*:", "the state file of a checkpoint"),
    (r"(saved_model_schema_version\s*:|meta_graphs\s*\{)", TEXT_FORM),
)
_OP = re.compile(r"[A-Za-z_][\w>.]*\Z")


def recognise(data: bytes) -> str | None:
    """Return what a file is that is no SavedModel, in words after "it is"; None if unknown.

    Args:
        data: its content.
    """
    if not data.strip(b" \t\r\n"):
        return "empty"
    if not data.strip(b"\0"):
        return f"{len(data)} zero bytes, as a copy that was broken off leaves"
    start = data.lstrip(b" \t\r\n")[:4096]
    for magic, words in _STARTS:
        if start.startswith(magic):
            return words
    text = re.sub(r"\A(\s*#[^\n]*\n)*\s*", "", start.decode("utf-8", "replace"))
    for pattern, words in _TEXTS:
        if re.match(pattern, text):
            return words
    return _as_graph(data)


def cut_short(data: bytes) -> str | None:
    """Return, in words, where a SavedModel was cut short; None if it is whole, or none at all.

    Args:
        data: the content of a ``saved_model.pb``.
    """
    start = 0
    while start < len(data):
        try:
            tag, at = wire.varint(data, start)
            if tag >> 3 not in (1, 2) or tag & 7 not in (wire.VARINT, wire.LENGTH):
                return None
            length, at = wire.varint(data, at)
        except wire.WireError as error:
            return f"cut short: {error}"
        end = at + length if tag & 7 == wire.LENGTH else at
        if end > len(data):
            return f"cut short: the field at byte {start} ends at {end}, the file at {len(data)}"
        start = end
    return None


def _as_graph(data: bytes) -> str | None:
    """Recognise the messages that are commonly renamed: their field 1, unlike ours, is of bytes."""
    if data[:1] != b"\x0a":
        return None
    graph = _parsed(schema.GraphDef, data)
    if graph is not None and graph.node and all(_plausible(node) for node in graph.node[:100]):
        return (
            f"a frozen GraphDef of {len(graph.node)} nodes, not a SavedModel (it has no signatures)"
        )
    meta_graph = _parsed(schema.MetaGraphDef, data)
    if meta_graph is not None and any(_plausible(n) for n in meta_graph.graph_def.node[:1]):
        return "a single MetaGraphDef, such as a checkpoint's .meta file, not a SavedModel"
    return None


def _plausible(node: schema.NodeDef) -> bool:
    return bool(node.name) and _OP.match(node.op) is not None


def _parsed(message: Any, data: bytes) -> Any | None:
    try:
        return schema.parse(message, data)
    except DecodeError:
        return None

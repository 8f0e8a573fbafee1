"""Models built by hand whose nodes carry what a test says, and OpDefs for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from savedmodel_compat.model import schema

Value = Any
"""An ``AttrValue`` in text form, such as ``i: 1``."""


def attr_value(text: Value) -> schema.AttrValue:
    """An ``AttrValue``, from its text form or its bytes."""
    from google.protobuf import text_format

    if isinstance(text, bytes):
        return schema.parse(schema.AttrValue, text)
    return text_format.Parse(text, schema.AttrValue())


def op_def(name: str, **defaults: Value | None) -> schema.OpDef:
    """An OpDef with these attrs and their defaults; None is an attr without one."""
    definition = schema.OpDef(name=name)
    for attr, default in defaults.items():
        added = definition.attr.add(name=attr, type="int")
        if default is not None:
            added.default_value.CopyFrom(attr_value(default))
    return definition


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The ops of one release."""

    ops: Mapping[str, schema.OpDef]

    def op(self, name: str) -> schema.OpDef | None:
        """Return an op's definition."""
        return self.ops.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A registry of releases, oldest first, with the ops that each has."""

    by_release: Mapping[str, tuple[schema.OpDef, ...]] = field(default_factory=dict)

    def get(self, release: str) -> Release | None:
        """Return the ops of a release."""
        ops = self.by_release.get(release)
        return None if ops is None else Release(ops={op.name: op for op in ops})

    def releases(self) -> tuple[str, ...]:
        """Return the releases."""
        return tuple(self.by_release)


NOBODY = Known()
"""A registry that knows nothing."""


def model(*own: schema.OpDef, release: str = "9.9.9") -> schema.SavedModel:
    """A model of one MetaGraph without nodes, whose own list has these OpDefs."""
    proto = schema.SavedModel(saved_model_schema_version=1)
    add_meta_graph(proto, *own, release=release)
    return proto


def add_meta_graph(
    proto: schema.SavedModel, *own: schema.OpDef, release: str = "9.9.9", tag: str = "serve"
) -> schema.MetaGraphDef:
    """Add a MetaGraph to a model."""
    meta_graph = proto.meta_graphs.add()
    meta_graph.meta_info_def.tags.append(tag)
    meta_graph.meta_info_def.tensorflow_version = release
    meta_graph.meta_info_def.stripped_op_list.op.extend(own)
    return meta_graph


def add_node(nodes: Any, name: str, op: str, **attrs: Value) -> schema.NodeDef:
    """Add a node to those of a graph or of a function."""
    node = nodes.add(name=name, op=op)
    for attr, value in attrs.items():
        node.attr[attr].CopyFrom(attr_value(value))
    return node


def attrs_of(folder: Path) -> dict[str, list[str]]:
    """The names of the attrs of every node of a model, graph and functions, by the node's name."""
    from savedmodel_compat.model import read, walk

    return {
        found.node.name: sorted(found.node.attr)
        for meta_graph in read(folder).meta_graphs
        for found in walk(meta_graph.proto)
    }

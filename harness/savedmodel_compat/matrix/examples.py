"""Serialized ``tf.train.Example`` inputs: what a graph parses, and messages that hold it."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.model import schema, wire
from savedmodel_compat.tensors import dtype_name, shape_from_proto, to_numpy

if TYPE_CHECKING:
    import numpy as np

    from savedmodel_compat.model.schema import AttrValue, FunctionDef, GraphDef, NodeDef

# They hand on the elements of their first input unchanged.
_PASS_THROUGH = frozenset(
    (
        "EnsureShape",
        "ExpandDims",
        "Identity",
        "PlaceholderWithDefault",
        "PreventGradient",
        "Reshape",
        "Snapshot",
        "Squeeze",
        "StopGradient",
        "TensorListFromTensor",
        "TensorListGetItem",
    )
)
# They pass their inputs to the function in this attr, in order; `tf.map_fn` is a loop.
_CALLS = {
    "BatchFunction": "f",
    "PartitionedCall": "f",
    "StatefulPartitionedCall": "f",
    "StatelessWhile": "body",
    "While": "body",
}
_LISTS = {"string": 1, "float32": 2, "int64": 3}
# A negative number stands as its two's complement.
_UINT64 = (1 << 64) - 1
# A chain of nodes that hand a constant on is short; one in a damaged graph may be a ring.
_MOST_HOPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature that a graph parses out of an Example.

    Args:
        name: its key.
        dtype: ``float32``, ``int64`` or ``string``.
        shape: of its values in one Example; None stands for a dimension of any size.
    """

    name: bytes
    dtype: str
    shape: tuple[int | None, ...]


def parsed_features(graph: GraphDef, tensor: str) -> tuple[Feature, ...] | None:
    """Return the features that the graph parses out of the Examples in a string tensor.

    The tensor is followed through nodes that hand it on, and into the functions that it is passed
    to, to every ``ParseExample``, ``ParseExampleV2`` and ``ParseSingleExample``
    (``core/ops/parsing_ops.cc``).

    Args:
        graph: the graph and its library of functions.
        tensor: name of a tensor of the graph, such as ``tf_example:0``.

    Returns:
        The features, each once, by name; None if nothing parses the tensor.

    Raises:
        UnsupportedError: which features are parsed is computed, not constant.
        DamagedModelError: a constant does not hold together.
    """
    found: dict[bytes, Feature] = {}
    parsers = 0
    for scope, node in _parsers(graph, tensor):
        parsers += 1
        for feature in _PARSERS[node.op](scope, node):
            found.setdefault(feature.name, feature)
    return tuple(found[name] for name in sorted(found)) if parsers else None


def encode_example(features: Mapping[bytes, np.ndarray[Any, Any]]) -> bytes:
    """Return the Example that holds these values, serialized (``core/example/feature.proto``).

    Args:
        features: values by name, of element type float32, int64 or object (bytes); shapes do
            not travel.

    Returns:
        The same bytes for the same values, whatever the order of the names.

    Raises:
        UnsupportedError: an Example cannot hold values of that element type.
    """
    entries = (
        _field(1, _field(1, name) + _field(2, _encode_feature(values)))
        for name, values in sorted(features.items())
    )
    return _field(1, b"".join(entries))


def _encode_feature(values: np.ndarray[Any, Any]) -> bytes:
    kind = "string" if values.dtype == object else values.dtype.name
    if kind not in _LISTS:
        raise UnsupportedError(f"an Example holds float32, int64 and string values, not {kind}")
    flat = values.ravel().tolist()
    if kind == "string":
        listed = b"".join(_field(1, value) for value in flat)
    elif kind == "float32":
        listed = _field(1, struct.pack(f"<{len(flat)}f", *flat))
    else:
        listed = _field(1, b"".join(wire.as_varint(value & _UINT64) for value in flat))
    return _field(_LISTS[kind], listed)


def _field(number: int, data: bytes) -> bytes:
    return wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(data)) + data


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """The nodes of a graph or of a function, by name, and who uses what.

    Args:
        name: of the function; empty for the graph.
        arguments: the function's, in order.
        nodes: by name.
        users: by (node, output): the nodes of some interest that take it, and as which input.
    """

    name: str
    arguments: tuple[str, ...]
    nodes: Mapping[str, NodeDef]
    users: Mapping[tuple[str, int], list[tuple[NodeDef, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """A body, and the node that calls it in the scope around it; the graph has neither."""

    body: _Body
    around: _Scope | None = None
    call: NodeDef | None = None

    def strings(self, tensor: str, where: NodeDef) -> list[bytes]:
        """Return the strings that a tensor of this scope always has.

        Raises:
            UnsupportedError: it is not constant; ``where`` is the node that wants it.
        """
        scope, name = self, _source(tensor)[0]
        for _ in range(_MOST_HOPS):
            node = scope.body.nodes.get(name)
            if node is not None and node.op == "Const":
                return _constant(node)
            if node is not None and node.op in _PASS_THROUGH and node.input:
                name = _source(node.input[0])[0]
            elif node is None and name in scope.body.arguments and scope.around and scope.call:
                name = _source(scope.call.input[scope.body.arguments.index(name)])[0]
                scope = scope.around
            else:
                break
        origin = name if node is None else f"{node.op} '{name}'"
        raise UnsupportedError(
            f"{where.op} '{where.name}' takes the names of its features from {origin}, "
            "which is not a constant of the graph"
        )


def _constant(node: NodeDef) -> list[bytes]:
    values = to_numpy(_attr(node, "value").tensor)
    if values.dtype != object:
        raise DamagedModelError(
            f"Const '{node.name}' names features, but holds {values.dtype.name}"
        )
    return [bytes(value) for value in values.ravel().tolist()]


def _attr(node: NodeDef, name: str) -> AttrValue:
    """Return an attr, empty if the node lacks it; plain indexing would add it to the model."""
    return node.attr[name] if name in node.attr else schema.AttrValue()


def _source(tensor: str) -> tuple[str, int]:
    """Return node and output of a reference: ``a``, ``a:1``, and in a function ``a:output:1``."""
    name, *rest = tensor.split(":")
    return name, int(rest[-1]) if rest and rest[-1].isdecimal() else 0


def _parsers(graph: GraphDef, tensor: str) -> Iterator[tuple[_Scope, NodeDef]]:
    """Yield the nodes that parse Examples out of a tensor, nearest first."""
    functions = {function.signature.name: function for function in graph.library.function}
    if not _any_parser(graph):
        return
    followed = frozenset((*_PARSERS, *_PASS_THROUGH, *_CALLS, *functions))
    bodies = {"": _body("", (), graph.node, followed)}
    seen: set[tuple[str, str, int]] = set()
    reached = deque([(_Scope(body=bodies[""]), _source(tensor))])
    while reached:
        scope, source = reached.popleft()
        if (scope.body.name, *source) in seen:
            continue
        seen.add((scope.body.name, *source))
        for node, position in scope.body.users.get(source, ()):
            if node.op in _PARSERS and position == 0:
                yield scope, node
            elif node.op in _PASS_THROUGH and position == 0:
                reached.append((scope, (node.name, 0)))
            elif (name := _called(node, functions)) is not None:
                if name not in bodies:
                    bodies[name] = _function_body(functions[name], followed)
                inner = _Scope(body=bodies[name], around=scope, call=node)
                if position < len(inner.body.arguments):
                    reached.append((inner, (inner.body.arguments[position], 0)))


def _any_parser(graph: GraphDef) -> bool:
    bodies = (graph.node, *(function.node_def for function in graph.library.function))
    return any(node.op in _PARSERS for nodes in bodies for node in nodes)


def _called(node: NodeDef, functions: Mapping[str, FunctionDef]) -> str | None:
    name = _attr(node, _CALLS[node.op]).func.name if node.op in _CALLS else node.op
    return name if name in functions else None


def _function_body(function: FunctionDef, followed: frozenset[str]) -> _Body:
    arguments = tuple(argument.name for argument in function.signature.input_arg)
    return _body(function.signature.name, arguments, function.node_def, followed)


def _body(
    name: str, arguments: tuple[str, ...], nodes: Iterable[NodeDef], followed: frozenset[str]
) -> _Body:
    users: dict[tuple[str, int], list[tuple[NodeDef, int]]] = {}
    named = {}
    for node in nodes:
        named[node.name] = node
        for position, tensor in enumerate(node.input if node.op in followed else ()):
            if not tensor.startswith("^"):
                users.setdefault(_source(tensor), []).append((node, position))
    return _Body(name=name, arguments=arguments, nodes=named, users=users)


def _parse_example(scope: _Scope, node: NodeDef) -> Iterator[Feature]:
    sparse = len(_attr(node, "sparse_types").list.type)
    end = 2 + sparse + len(_attr(node, "Tdense").list.type)
    names = [key for tensor in node.input[2:end] for key in scope.strings(tensor, node)]
    yield from _features(node, "sparse_types", names[:sparse])
    yield from _dense_features(node, names[sparse:])


def _parse_example_v2(scope: _Scope, node: NodeDef) -> Iterator[Feature]:
    sparse, dense, ragged = (scope.strings(tensor, node) for tensor in node.input[2:5])
    yield from _features(node, "sparse_types", sparse)
    yield from _features(node, "ragged_value_types", ragged)
    yield from _dense_features(node, dense)


def _parse_single_example(_: _Scope, node: NodeDef) -> Iterator[Feature]:
    yield from _features(node, "sparse_types", list(_attr(node, "sparse_keys").list.s))
    yield from _dense_features(node, list(_attr(node, "dense_keys").list.s))


_PARSERS = {
    "ParseExample": _parse_example,
    "ParseExampleV2": _parse_example_v2,
    "ParseSingleExample": _parse_single_example,
}


def _features(node: NodeDef, attr: str, names: list[bytes]) -> Iterator[Feature]:
    """Yield features of any length."""
    types = _attr(node, attr).list.type
    _check_lengths(node, names, attr, types)
    for name, number in zip(names, types, strict=True):
        yield Feature(name=name, dtype=dtype_name(number), shape=(None,))


def _dense_features(node: NodeDef, names: list[bytes]) -> Iterator[Feature]:
    types, shapes = _attr(node, "Tdense").list.type, _attr(node, "dense_shapes").list.shape
    _check_lengths(node, names, "Tdense", types)
    _check_lengths(node, names, "dense_shapes", shapes)
    for name, number, proto in zip(names, types, shapes, strict=True):
        shape = shape_from_proto(proto)
        yield Feature(
            name=name, dtype=dtype_name(number), shape=(None,) if shape is None else shape
        )


def _check_lengths(node: NodeDef, names: list[bytes], attr: str, values: Sequence[Any]) -> None:
    if len(names) != len(values):
        raise DamagedModelError(
            f"{node.op} '{node.name}' names {len(names)} features, "
            f"but its attr '{attr}' lists {len(values)}"
        )

"""The inputs of a signature: made up from what the model says of them, or given by the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.matrix._draws import Draws
from savedmodel_compat.matrix._feeds import Array, Arrays, Made, components
from savedmodel_compat.matrix._given import Given
from savedmodel_compat.matrix.examples import Feature, encode_example, parsed_features
from savedmodel_compat.model.values import Encoding
from savedmodel_compat.tensors import dtype_from_name, shape_from_proto

if TYPE_CHECKING:
    from collections.abc import Mapping

    from savedmodel_compat.model import MetaGraph, Signature, TensorSpec
    from savedmodel_compat.model.schema import GraphDef, NodeDef

__all__ = [
    "RAGGED",
    "SPARSE",
    "Array",
    "Arrays",
    "Given",
    "Made",
    "Wanted",
    "components",
    "generate",
    "sparse_shape",
    "wanted",
]

Shape = tuple[int | None, ...]

_PLACEHOLDERS = frozenset(("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"))
# Up to this GraphDef version a Placeholder wrote the same shape attr for a scalar and for an
# unknown shape (core/ops/array_ops.cc).
_LAST_AMBIGUOUS_SCALAR = 21
# Their classes as they are written now, and as the number of older releases is called.
RAGGED = frozenset(("RaggedTensorSpec", "RAGGED_TENSOR_SPEC"))
SPARSE = frozenset(("SparseTensorSpec", "SPARSE_TENSOR_SPEC"))
_SPARSE_PARTS = ("indices", "values", "dense_shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """What the unknown becomes in one set of inputs.

    Args:
        dimension: each unknown dimension.
        rank: each unknown rank; its dimensions are unknown too.
    """

    dimension: int
    rank: int

    def dimensions(self, shape: Shape | None) -> tuple[int, ...]:
        """Return a shape without unknowns."""
        if shape is None:
            return (self.dimension,) * self.rank
        return tuple(self.dimension if size is None else size for size in shape)


# One element shows that the signature answers, and three that a batch does. A placeholder without
# a shape takes vectors, such as a batch of Examples, or scalars, such as a learning rate; a set
# that every release refuses decides nothing.
_CLOSED = (_Size(dimension=1, rank=1),)
_OPEN = (*_CLOSED, _Size(dimension=3, rank=1))
_UNRANKED = (*_OPEN, _Size(dimension=1, rank=0))


def generate(signature: Signature, meta_graph: MetaGraph, *, seed: int) -> Made:
    """Make up inputs for a signature: the same on every machine for the same seed.

    There is one set in which each unknown dimension is 1 and one in which it is 3; one in all if
    nothing is unknown. An input of unknown rank is a vector, and a scalar in a third set. An input
    with a default is given it, as TensorFlow Serving does. A string input that is parsed as
    Examples is given Examples with all their features.

    Args:
        signature: the signature.
        meta_graph: the MetaGraph that it belongs to; its graph may know more of a shape than the
            signature.
        seed: of the values.

    Returns:
        The sets, or why there are none: an input of type ``resource``, one that is too large, and
        the like.
    """
    try:
        needed = wanted(signature, meta_graph)
        sizes = _sizes(each.spec for each in needed.values() if each.default is None)
        feeds: list[dict[str, Array]] = [{} for _ in sizes]
        for alias, each in needed.items():
            draws = Draws(seed, signature.key, alias)
            for feed, size in zip(feeds, sizes, strict=True):
                feed.update(_made_up(alias, each, draws, size))
    except UnsupportedError as error:
        return Made(problem=error.message)
    return Made(feeds=tuple(feeds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one input of a signature has to be.

    Args:
        spec: with the shape as narrow as its graph knows it.
        default: the value that it has where a request leaves it out; None if there is none.
        features: what the Examples in it must hold; None if it holds none.
    """

    spec: TensorSpec
    default: Array | None
    features: tuple[Feature, ...] | None


def wanted(signature: Signature, meta_graph: MetaGraph) -> dict[str, Wanted]:
    """Return what the inputs of a signature have to be, by alias.

    Raises:
        UnsupportedError: the graph does not tell what the Examples in an input must hold.
    """
    graph = meta_graph.proto.graph_def
    found = {}
    for alias, spec in _with_shapes_of_graph(signature.inputs, graph).items():
        default = signature.defaults.get(alias)
        try:
            features = _features(spec, graph) if default is None else None
        except (UnsupportedError, DamagedModelError) as error:
            raise _cannot(alias, error.message) from error
        found[alias] = Wanted(spec=spec, default=default, features=features)
    return found


def _cannot(alias: str, why: str) -> UnsupportedError:
    return UnsupportedError(f"input '{alias}' cannot be made up: {why}")


def _made_up(alias: str, wanted: Wanted, draws: Draws, size: _Size) -> list[tuple[str, Array]]:
    source = _Source(alias=alias, wanted=wanted, draws=draws)
    try:
        return list(source.draw(size))
    except (UnsupportedError, DamagedModelError) as error:
        raise _cannot(alias, error.message) from error


def _sizes(specs: Iterable[TensorSpec]) -> tuple[_Size, ...]:
    shapes = [shape for spec in specs for shape in _shapes(spec)]
    if None in shapes:
        return _UNRANKED
    return _OPEN if any(None in shape for shape in shapes if shape is not None) else _CLOSED


def _shapes(spec: TensorSpec) -> list[Shape | None]:
    """Return the shapes that decide how large a tensor becomes."""
    if not spec.components:
        return [spec.shape]
    if spec.encoding is Encoding.SPARSE or spec.type_spec in SPARSE:
        return [sparse_shape(spec)]
    return [shape for part in spec.components.values() for shape in _shapes(part)]


def _features(spec: TensorSpec, graph: GraphDef) -> tuple[Feature, ...] | None:
    if spec.dtype != "string" or spec.encoding is not Encoding.DENSE:
        return None
    return parsed_features(graph, spec.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where one input's values come from.

    Args:
        alias: of the input.
        wanted: what it must be.
        draws: its values.
    """

    alias: str
    wanted: Wanted
    draws: Draws

    def draw(self, size: _Size) -> Iterator[tuple[str, Array]]:
        """Yield the next value of each of its dense tensors."""
        wanted = self.wanted
        if wanted.default is not None:
            yield self.alias, wanted.default
        elif wanted.features is not None:
            yield self.alias, self._examples(wanted.features, size)
        else:
            yield from self._tensors(self.alias, wanted.spec, size)

    def _examples(self, features: tuple[Feature, ...], size: _Size) -> Array:
        examples = np.empty(size.dimensions(self.wanted.spec.shape), dtype=object)
        for index in np.ndindex(examples.shape):
            examples[index] = encode_example(
                {f.name: self.draws.values(f.dtype, size.dimensions(f.shape)) for f in features}
            )
        return examples

    def _tensors(self, name: str, spec: TensorSpec, size: _Size) -> Iterator[tuple[str, Array]]:
        parts = list(spec.components.values())
        if not parts:
            yield name, self.draws.values(spec.dtype, size.dimensions(spec.shape))
            return
        if spec.encoding is Encoding.SPARSE:
            arrays = self._sparse(spec.dtype, sparse_shape(spec), size)
            yield from ((f"{name}/{part}", arrays[part]) for part in spec.components)
        elif spec.type_spec in SPARSE:
            arrays = self._sparse(parts[1].dtype, sparse_shape(spec), size)
            yield from ((f"{name}/{n}", arrays[part]) for n, part in enumerate(_SPARSE_PARTS))
        elif spec.type_spec in RAGGED:
            yield from self._ragged(name, parts[0], parts[1:], size)
        else:
            for part, inner in spec.components.items():
                yield from self._tensors(f"{name}/{part}", inner, size)

    def _sparse(self, dtype: str, shape: Shape, size: _Size) -> dict[str, Array]:
        """Return the parts of a sparse tensor whose first and last elements are set."""
        dimensions = size.dimensions(shape)
        corners = [(0,) * len(shape), tuple(length - 1 for length in dimensions)]
        indices = sorted(set(corners)) if 0 not in dimensions else []
        return {
            "values": self.draws.values(dtype, (len(indices),)),
            "indices": np.array(indices, dtype=np.int64).reshape(len(indices), len(shape)),
            "dense_shape": np.array(dimensions, dtype=np.int64),
        }

    def _ragged(
        self, name: str, values: TensorSpec, splits: list[TensorSpec], size: _Size
    ) -> Iterator[tuple[str, Array]]:
        """Yield a ragged tensor's parts; every row has one element, so all levels are alike."""
        lengths = [spec.shape[0] for spec in splits if spec.shape]
        rows = next((length - 1 for length in lengths if length), size.dimension)
        inner = size.dimensions((values.shape or (None,))[1:])
        yield f"{name}/0", self.draws.values(values.dtype, (rows, *inner))
        for number, spec in enumerate(splits, start=1):
            kind = dtype_from_name(spec.dtype).numpy
            yield f"{name}/{number}", np.arange(rows + 1, dtype=kind)


def sparse_shape(spec: TensorSpec) -> Shape:
    """Return the dense shape of a sparse tensor; a matrix if its rank is unknown."""
    if spec.encoding is Encoding.SPARSE:
        return (None, None) if spec.shape is None else spec.shape
    # A composite one says nothing of its shape but through that of its last part.
    length = list(spec.components.values())[-1].shape
    return (None,) * ((length and length[0]) or 2)


def _with_shapes_of_graph(
    specs: Mapping[str, TensorSpec], graph: GraphDef
) -> dict[str, TensorSpec]:
    """Return the inputs with what the nodes that are fed know of their shapes."""
    wanted = {_fed_node(spec.name) for spec in specs.values()}
    nodes = {node.name: node for node in graph.node if node.name in wanted}
    return {
        alias: _with_shape_of_node(spec, nodes.get(_fed_node(spec.name)), graph.versions.producer)
        for alias, spec in specs.items()
    }


def _with_shape_of_node(spec: TensorSpec, node: NodeDef | None, version: int) -> TensorSpec:
    known = None if node is None else _shape_of_node(node, version)
    return dataclasses.replace(spec, shape=_narrowed(spec.shape, known))


def _fed_node(tensor: str) -> str:
    return tensor.removesuffix(":0")


def _shape_of_node(node: NodeDef, version: int) -> Shape | None:
    """Return what a node knows of the shape of its first output."""
    if "_output_shapes" in node.attr and node.attr["_output_shapes"].list.shape:
        return shape_from_proto(node.attr["_output_shapes"].list.shape[0])
    if node.op not in _PLACEHOLDERS or "shape" not in node.attr:
        return None
    shape = shape_from_proto(node.attr["shape"].shape)
    return None if shape == () and version <= _LAST_AMBIGUOUS_SCALAR else shape


def _narrowed(shape: Shape | None, other: Shape | None) -> Shape | None:
    """Return the first shape with what the second knows more; where they differ, the first."""
    if shape is None or other is None:
        return other if shape is None else shape
    if len(shape) != len(other):
        return shape
    return tuple(b if a is None else a for a, b in zip(shape, other, strict=True))

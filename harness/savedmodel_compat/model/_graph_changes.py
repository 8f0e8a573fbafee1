"""How graphs differ: ops, attrs, functions, constants, and what wrote them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import graph
from savedmodel_compat.model._changes import change, changed, sha256
from savedmodel_compat.model._signature_changes import signature_changes
from savedmodel_compat.model.wiring import TooLargeError, rewired, wiring
from savedmodel_compat.tensors import dtype_name, shape_from_proto, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from savedmodel_compat.model import schema
    from savedmodel_compat.model._changes import Change
    from savedmodel_compat.model.values import MetaGraph

# Attrs that name things, or configure the session: their values differ from export to export.
_NAMES = frozenset(("config_proto", "container", "debug_name", "shared_name"))
_SEEDS = frozenset(("seed", "seed2"))
_SMALL = 8
_SHOWN = 8
_LONG = 60
_HUGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphDifference:
    """How two MetaGraphs of the same tags differ; each field is what differs of its part.

    Args:
        tags: sorted.
        signatures: keys, method names, inputs, outputs and defaults; names of tensors do not count.
        ops: which ops are used, and how often; calls of functions are none.
        attrs: of each op that both use, the attrs and the values that only one side has.
        functions: the number of functions.
        constants: the number of constants whose values only one side has, and which some are.
        computations: outputs, of signatures with the same inputs, that compute in another way.
        producer: what wrote it, and the versions of the graph.
        is_followed: whether the computations could be compared; some call functions without number.
    """

    tags: tuple[str, ...]
    signatures: tuple[Change, ...]
    ops: tuple[Change, ...]
    attrs: tuple[Change, ...]
    functions: tuple[Change, ...]
    constants: tuple[Change, ...]
    computations: tuple[Change, ...]
    producer: tuple[Change, ...]
    is_followed: bool = True


def compare_graphs(a: MetaGraph, b: MetaGraph) -> GraphDifference:
    """Return how MetaGraph B differs from MetaGraph A, which has the same tags."""
    used_a, used_b = (_Used.of(meta_graph) for meta_graph in (a, b))
    is_followed = True
    computations: tuple[Change, ...] = ()
    try:
        computations = tuple(_computation_changes(a, b))
    except TooLargeError:
        is_followed = False
    return GraphDifference(
        tags=tuple(sorted(a.tags)),
        signatures=tuple(signature_changes(a.signatures, b.signatures)),
        ops=tuple(_op_changes(used_a.ops, used_b.ops)),
        attrs=tuple(_attr_changes(used_a, used_b)),
        functions=tuple(changed("functions", "", used_a.functions, used_b.functions)),
        constants=tuple(_constant_changes(used_a, used_b)),
        computations=computations,
        producer=tuple(_producer_changes(a, b)),
        is_followed=is_followed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """What a MetaGraph uses.

    Args:
        ops: how many nodes of each op.
        attrs: how many nodes have each value of each attr of each op, in words; none of those that
            are not compared.
        constants: how many constants have each value, by digest.
        examples: a constant of each value, in words.
        functions: how many there are.
    """

    ops: Counter[str] = field(default_factory=Counter)
    attrs: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    constants: Counter[bytes] = field(default_factory=Counter)
    examples: dict[bytes, str] = field(default_factory=dict)
    functions: int

    @classmethod
    def of(cls, meta_graph: MetaGraph) -> _Used:
        library = meta_graph.proto.graph_def.library.function
        names = {function.signature.name for function in library}
        used = cls(functions=len(names))
        for place in graph.walk(meta_graph.proto):
            if place.node.op not in names:
                used._add(place.node)
        return used

    def _add(self, node: schema.NodeDef) -> None:
        self.ops[node.op] += 1
        attrs = self.attrs.setdefault(node.op, {})
        for name, value in node.attr.items():
            if name.startswith("_") or name in _SEEDS:
                continue
            values = attrs.setdefault(name, Counter())
            kind = value.WhichOneof("value")
            if kind == "tensor":
                content = value.tensor.SerializeToString(deterministic=True)
                digest = hashlib.sha256(content).digest()
                self.constants[digest] += 1
                if digest not in self.examples:
                    self.examples[digest] = f"{node.name}: {_tensor_text(value.tensor)}"
            elif name not in _NAMES and kind not in {None, "func"} and not value.list.func:
                values[attr_text(value)] += 1


def attr_text(value: schema.AttrValue) -> str:
    """Return the value of an attr that is no function, in words."""
    kind = value.WhichOneof("value")
    if kind == "list":
        filled = value.list.ListFields()
        items = [_scalar_text(part.name, item) for part, items in filled for item in items]
        return _cut(f"[{', '.join(items)}]")
    return _cut(_scalar_text(str(kind), getattr(value, str(kind))))


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "s": lambda value: repr(value)[1:] if len(value) < _HUGE else sha256(value),
    "type": dtype_name,
    "shape": lambda value: _shape_text(value),  # noqa: PLW0108 - it stands below
    "tensor": lambda value: sha256(value.SerializeToString(deterministic=True)),
    "f": lambda value: f"{value:.7g}",
}


def _scalar_text(kind: str, value: Any) -> str:
    return _TEXTS.get(kind, str)(value)


def _shape_text(shape: schema.TensorShapeProto) -> str:
    known = shape_from_proto(shape)
    return "unknown rank" if known is None else str(list(known))


def _cut(text: str) -> str:
    """Return a text that is short, and still another one for another value."""
    if len(text) <= _LONG:
        return text
    return f"{text[:_LONG]}… ({len(text)} characters, {sha256(text.encode('utf-8', 'replace'))})"


def _op_changes(a: Counter[str], b: Counter[str]) -> Iterator[Change]:
    for op in sorted(a.keys() | b.keys()):
        if a[op] != b[op]:
            yield change(
                "op",
                op,
                _nodes(a[op]),
                _nodes(b[op]),
                "it loads only where this op is known" if not a[op] else "",
            )


def _nodes(count: int) -> str | None:
    return None if not count else "1 node" if count == 1 else f"{count} nodes"


def _attr_changes(a: _Used, b: _Used) -> Iterator[Change]:
    for op in sorted(a.attrs.keys() & b.attrs.keys()):
        of_a, of_b = a.attrs[op], b.attrs[op]
        for name in sorted(of_a.keys() | of_b.keys()):
            before, after = (of.get(name) for of in (of_a, of_b))
            if before is None or after is None:
                yield change(
                    "attr",
                    f"{op}.{name}",
                    None if before is None else _values(before or ("given",)),
                    None if after is None else _values(after or ("given",)),
                    "only B gives it; releases that do not know this attr refuse it, or take what A has"
                    if before is None
                    else "",
                )
            elif before.keys() != after.keys():
                yield change(
                    "attr",
                    f"{op}.{name}",
                    _only("A", before.keys() - after.keys()),
                    _only("B", after.keys() - before.keys()),
                )
            elif before != after and a.ops[op] == b.ops[op]:
                # With as many nodes on both sides; else the number of nodes says it already.
                odd = [value for value in before if before[value] != after[value]]
                yield change("attr", f"{op}.{name}", _counted(before, odd), _counted(after, odd))


def _only(side: str, values: Collection[str]) -> str | None:
    """Return the values that only one side has, in words; None if there is none."""
    if not values:
        return None
    noun = "a value" if len(values) == 1 else "values"
    return f"{noun} that only {side} has: {_values(values)}"


def _counted(values: Counter[str], shown: Iterable[str]) -> str:
    return _values(f"{value} on {_nodes(values[value])}" for value in shown)


def _values(values: Iterable[str]) -> str:
    found = sorted(values)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{' | '.join(found[:_SHOWN])}{more}"


def _constant_changes(a: _Used, b: _Used) -> Iterator[Change]:
    only_a, only_b = a.constants - b.constants, b.constants - a.constants
    if only_a or only_b:
        before, after = _constants_text(a, only_a, "B"), _constants_text(b, only_b, "A")
        yield change("constants", "", before, after, "")


def _constants_text(side: _Used, only: Counter[bytes], other: str) -> str | None:
    if not only:
        return None
    examples = _values(side.examples[digest] for digest in only)
    return f"{only.total()} that {other} lacks: {examples}"


def _tensor_text(tensor: schema.TensorProto) -> str:
    """Return a constant's dtype, shape and, if it is small, its value."""
    kind = f"{dtype_name(tensor.dtype)} {_shape_text(tensor.tensor_shape)}"
    if math.prod(dim.size for dim in tensor.tensor_shape.dim) > _SMALL:
        return kind
    try:
        return _cut(f"{kind} {to_numpy(tensor, limit=_LONG).tolist()}")
    except SavedModelCompatError:
        return kind


def _computation_changes(a: MetaGraph, b: MetaGraph) -> Iterator[Change]:
    """Yield the outputs that compute in another way, where the inputs go by the same names."""
    for key, alias in rewired(wiring(a), wiring(b)):
        if a.signatures[key].inputs.keys() == b.signatures[key].inputs.keys():
            yield change(
                "output",
                f"{key}: {alias}",
                "computed in one way",
                "computed in another",
                "ops, attrs, constants or what they are connected with differ on the way to it",
            )


def _producer_changes(a: MetaGraph, b: MetaGraph) -> Iterator[Change]:
    for what, name in (
        ("TensorFlow", "tensorflow_version"),
        ("git version", "tensorflow_git_version"),
        ("default attrs stripped", "stripped_default_attrs"),
        ("graph version", "producer"),
        ("oldest consumer", "min_consumer"),
        ("bad consumers", "bad_consumers"),
    ):
        before, after = (getattr(meta_graph, name) for meta_graph in (a, b))
        yield from changed(what, "", _plain(before), _plain(after))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) or "not said"

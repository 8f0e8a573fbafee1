"""What a node asks for and a definition of its op does not grant."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from savedmodel_compat.model import schema
from savedmodel_compat.model.attr_values import are_equal
from savedmodel_compat.model.locate import clipped
from savedmodel_compat.registry import kinds
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.prediction.usage import Demand

    ArgDef = Any

_REFERENCE = 100
# Lists longer than any that TensorFlow writes are not expanded.
_MOST = 1 << 16
# An input or an output whose type nobody tells.
_ANY = -1


class Kind(enum.Enum):
    """What is wrong, as far as it matters to when a release comes upon it."""

    OP = "op-not-registered"
    ATTR = "attr-unknown"
    MISSING = "attr-missing"
    UNTYPED = "attr-missing, and without it the types of inputs or outputs are not known"
    MISTYPED = "attr-value-not-allowed, so that the types of inputs or outputs are not known"
    VALUE = "attr-value-not-allowed"
    DTYPE = "attr-value-not-allowed, as the type is newer than the release"
    INPUTS = "node-inputs-changed"
    DEPRECATED = "version-gate"
    KERNEL = "kernel-missing"
    DEVICE = "device-not-available"
    FUNCTION = "function-missing"

    @property
    def cause(self) -> str:
        """Return the id of the cause in `matrix.causes`."""
        return self.value.partition(",")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that a definition does not grant.

    Args:
        kind: what it is.
        attr: the attr that it is about; None if it is about none.
        default: whether an unknown attr has the producer's default; None if nobody tells.
        said: what is wrong, in words; the op stands before it.
        at_run: whether only a run comes upon it.
        sure: whether that run fails for certain.
        value: that of an unknown attr, serialized; None if it makes no difference.
        gone: the GraphDef version in which the op was removed; 0 if it is no such fault.
    """

    kind: Kind
    attr: str | None = None
    default: bool | None = None
    said: str = ""
    at_run: bool = False
    sure: bool = False
    gone: int = 0
    value: bytes | None = None


@lru_cache(maxsize=1 << 16)
def parsed(value: bytes) -> schema.AttrValue:
    """Return a serialized ``AttrValue``."""
    return schema.parse(schema.AttrValue, value)


def faults_of(
    demand: Demand, definition: schema.OpDef, reference: schema.OpDef | None, producer: int
) -> tuple[Fault, ...]:
    """Return what a definition does not grant; kernels, devices and the newest types apart.

    Args:
        demand: what the nodes ask for.
        definition: the consumer's.
        reference: the producer's, or the newest that is known; it tells defaults of attrs that the
            consumer does not know, and which types inputs and outputs really have.
        producer: GraphDef version of the producer.
    """
    return tuple(_faults(demand, definition, reference, producer))


def _faults(
    demand: Demand, definition: schema.OpDef, reference: schema.OpDef | None, producer: int
) -> Iterator[Fault]:
    gone = definition.deprecation.version
    if gone and producer >= gone:
        # CheckOpDeprecation in core/framework/op_def_util.cc.
        why = definition.deprecation.explanation
        said = f"was removed in GraphDef version {gone}, and the model is of {producer}"
        yield Fault(kind=Kind.DEPRECATED, said=f"{said}: {why}" if why else said, gone=gone)
    attrs = {attr.name: attr for attr in definition.attr}
    given = dict(demand.attrs)
    yield from _unknown(given, attrs, reference)
    typing = _typing(definition)
    for name, attr in attrs.items():
        if name not in given:
            if not attr.HasField("default_value"):
                kind = Kind.UNTYPED if name in typing else Kind.MISSING
                yield Fault(kind=kind, attr=name, said=f"needs the attr '{name}'")
            continue
        value = given[name]
        if value is not None:
            yield from _refused(name, parsed(value), attr, typing=name in typing)
    yield from _changed(demand, definition, reference)


def _unknown(
    given: Mapping[str, bytes | None], attrs: Mapping[str, Any], reference: schema.OpDef | None
) -> Iterator[Fault]:
    told = {} if reference is None else {attr.name: attr for attr in reference.attr}
    for name, value in given.items():
        if name in attrs:
            continue
        default = None
        if name in told and value is not None:
            has = told[name].HasField("default_value")
            default = has and are_equal(parsed(value), told[name].default_value)
        words = {True: "at its default", False: "not at its default", None: "of unknown default"}
        yield Fault(
            kind=Kind.ATTR,
            attr=name,
            default=default,
            said=f"has no attr '{clipped(name)}' (the model's is {words[default]})",
            value=value,
        )


def _typing(definition: schema.OpDef) -> frozenset[str]:
    """Return the attrs without which the types of a node's inputs and outputs are not known."""
    arguments = (*definition.input_arg, *definition.output_arg)
    names = (n for a in arguments for n in (a.type_attr, a.number_attr, a.type_list_attr))
    return frozenset(names) - {""}


def _refused(name: str, value: schema.AttrValue, attr: Any, *, typing: bool) -> Iterator[Fault]:
    """Yield why a value is refused: the rule of ``ValidateAttrValue`` in ``core/framework/op_def_util.cc``."""
    wrong = kinds.misfit(value, attr.type, body=True)
    if wrong is not None:
        said = f"wants the attr '{name}' of the kind {attr.type}, and it is {wrong}"
        yield Fault(kind=Kind.MISTYPED if typing else Kind.VALUE, attr=name, said=said)
        return
    if attr.has_minimum:
        size = value.i if attr.type == "int" else _length(value)
        if size < attr.minimum:
            said = f"wants the attr '{name}' to be at least {attr.minimum}, and it is {size}"
            yield Fault(kind=Kind.VALUE, attr=name, said=said)
    if attr.HasField("allowed_values"):
        allowed = attr.allowed_values.list
        bad = [dtype_name(t) for t in _types(value) if t not in allowed.type]
        bad += [repr(s.decode("utf-8", "replace")) for s in _strings(value) if s not in allowed.s]
        if bad:
            said = f"does not allow {bad[0]} as its attr '{name}'"
            yield Fault(kind=Kind.VALUE, attr=name, said=said)


def _length(value: schema.AttrValue) -> int:
    return max((len(found) for _, found in value.list.ListFields()), default=0)


def _types(value: schema.AttrValue) -> Iterable[int]:
    return [value.type] if value.HasField("type") else value.list.type


def _strings(value: schema.AttrValue) -> Iterable[bytes]:
    return [value.s] if value.HasField("s") else value.list.s


def types_in(demand: Demand) -> Iterator[tuple[str, int]]:
    """Yield each attr that names a type, with the number of that type."""
    for name, value in demand.attrs:
        if value is not None:
            for number in _types(parsed(value)):
                yield name, number % _REFERENCE


def _changed(
    demand: Demand, definition: schema.OpDef, reference: schema.OpDef | None
) -> Iterator[Fault]:
    """Yield how inputs and outputs differ from what the model was made for."""
    wanted = _expanded(definition.input_arg, definition, demand)
    if wanted is not None and len(wanted) != demand.inputs:
        said = f"takes {len(wanted)} inputs, and the node has {demand.inputs}"
        yield Fault(kind=Kind.INPUTS, said=said)
        return
    if reference is None or reference is definition:
        return
    had = _expanded(reference.input_arg, reference, demand)
    if had is not None and len(had) == demand.inputs:
        yield from _other("input", wanted, had)
    if demand.taken is not None:
        yield from _taken(demand, definition, reference)
        return
    gives = _expanded(definition.output_arg, definition, demand)
    yield from _other("output", gives, _expanded(reference.output_arg, reference, demand))


def _taken(demand: Demand, definition: schema.OpDef, reference: schema.OpDef) -> Iterator[Fault]:
    """Yield the first output that something takes and that is not what it takes.

    Only who takes an output minds its type (``core/common_runtime/graph_constructor.cc``, and
    ``core/framework/function.cc`` for a body): a fetch does not.
    """
    here, there = _ports(definition, demand), _ports(reference, demand)
    if here is None or there is None:
        return
    for port in _named(demand.taken or (), there):
        if port not in here:
            said = f"has no output {port}, and the producer's has one, which is taken"
            yield Fault(kind=Kind.INPUTS, said=said)
            return
        if here[port] != there[port] and _ANY not in (here[port], there[port]):
            a, b = dtype_name(here[port]), dtype_name(there[port])
            said = f"has {a} as output {port}, and the producer's has {b}, which is what its taker wants"
            yield Fault(kind=Kind.INPUTS, said=said)
            return


def _ports(definition: schema.OpDef, demand: Demand) -> Mapping[str, int] | None:
    """Return the type of each output by number and by name; None where the definition does not tell."""
    found: dict[str, int] = {}
    count = 0
    for argument in definition.output_arg:
        types = _expanded([argument], definition, demand)
        if types is None:
            return None
        for index, kind in enumerate(types):
            found[str(count)] = found[f"{argument.name}:{index}"] = kind
            count += 1
    return found


def _named(taken: Iterable[str], ports: Iterable[str]) -> Iterator[str]:
    """Yield the ports that are taken: who takes ``y`` in a body takes ``y:0`` and all the others of that name."""
    names = frozenset(taken)
    return (port for port in ports if port in names or port.partition(":")[0] in names)


def _other(side: str, here: list[int] | None, there: list[int] | None) -> Iterator[Fault]:
    if here is None or there is None or here == there:
        return
    if len(here) != len(there):
        said = f"has {len(here)} {side}s, and the producer's has {len(there)}"
        yield Fault(kind=Kind.INPUTS, said=said)
        return
    index = next(i for i, (a, b) in enumerate(zip(here, there, strict=True)) if a != b)
    if _ANY not in (here[index], there[index]):
        a, b = dtype_name(here[index]), dtype_name(there[index])
        said = f"has {a} as {side} {index}, and the producer's has {b}"
        yield Fault(kind=Kind.INPUTS, said=said)


def _expanded(
    arguments: Iterable[ArgDef], definition: schema.OpDef, demand: Demand
) -> list[int] | None:
    """Return the type of each input or output of a node; None where the definition does not tell."""
    given = dict(demand.attrs)
    found: list[int] = []
    for argument in arguments:
        types: list[int]
        if argument.type_list_attr:
            value = _value(argument.type_list_attr, given, definition)
            if value is None:
                return None
            types = list(value.list.type)
        else:
            count = 1
            if argument.number_attr:
                value = _value(argument.number_attr, given, definition)
                if value is None or not 0 <= value.i <= _MOST:
                    return None
                count = value.i
            types = [_type(argument, given, definition)] * count
        if argument.is_ref:
            types = [one if one < 0 else one + _REFERENCE for one in types]
        found += types
    return found


def _type(argument: ArgDef, given: Mapping[str, bytes | None], definition: schema.OpDef) -> int:
    if not argument.type_attr:
        return int(argument.type)
    value = _value(argument.type_attr, given, definition)
    return _ANY if value is None or not value.HasField("type") else int(value.type)


def _value(
    name: str, given: Mapping[str, bytes | None], definition: schema.OpDef
) -> schema.AttrValue | None:
    if name in given:
        held = given[name]
        return None if held is None else parsed(held)
    for attr in definition.attr:
        if attr.name == name:
            return attr.default_value if attr.HasField("default_value") else None
    return None

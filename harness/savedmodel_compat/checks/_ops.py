"""What the definition of an op demands of its nodes: attrs and their kinds, and how many inputs of which types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.checks import _outputs
from savedmodel_compat.model.graph import functions_named
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue, FunctionDef, NodeDef, OpDef

    ArgDef = Any

UNKNOWN = 0
_ANYTHING = -1
_REFERENCE = 100
_FUNCTION_TYPES = ("func", "list(func)")
# Up to how many equal outputs of a node are told apart by name; more are looked up one by one.
_MOST_OUTPUTS = 64
# The field of an AttrValue that holds an attr of each kind; lists are all in one.
_FIELDS = {"string": "s", "int": "i", "float": "f", "bool": "b"}
_KINDS = {field: kind for kind, field in _FIELDS.items()}
# Ops whose number of inputs, or whose attrs without a default, differ between the pinned releases.
# Of these only the producer's own list tells what a node must have.
_CHANGED = frozenset(
    (
        "BoostedTreesUpdateEnsembleV2",
        "CollectiveGatherV2",
        "CollectiveReduceV2",
        "CopyToMesh",
        "EmptyTensorList",
        "MapAndBatchDataset",
        "MapDefun",
        "MutableDenseHashTableV2",
        "SetStatsAggregatorDataset",
        "SlideDataset",
        "TensorListGather",
        "TensorListGetItem",
        "TensorListPopBack",
        "TensorListStack",
        "XlaCallModule",
        "XlaReduceWindow",
    )
)


@dataclass(frozen=True, slots=True)
class Types:
    """The types of one node's inputs and outputs, as numbers of ``DataType``, references as what they refer to.

    Args:
        inputs: of its data inputs, -1 where it is not known; None if not even their number is.
        outputs: by what stands behind the node's name: in the graph ``""``, ``:1``, … and in a
            body ``:z:0``, …; `UNKNOWN` where it is not known. Those of a list too long are left out.
    """

    inputs: tuple[int, ...] | None
    outputs: tuple[tuple[str, int], ...]


NO_TYPES = Types(inputs=None, outputs=())


@dataclass(slots=True)
class Op:
    """What a pass needs to know of an op.

    Args:
        known: whether it is a function of the library, or TensorFlow itself has it.
        attrs: those that its nodes may have; None if nobody knows.
        names: whether attrs of its nodes may name functions.
        definition: what tells its inputs and outputs; None if nobody knows.
        forms: all definitions at hand, of which a node must fit one.
        fields: the field of ``AttrValue`` of each attr whose kind is known.
        kinds: the kind of each of these attrs, such as ``list(type)``.
        required: attrs that every node must have.
        outputs: those that the definition tells, by name.
    """

    known: bool
    attrs: set[str] | None
    names: bool
    definition: OpDef | None
    forms: tuple[OpDef, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    outputs: Mapping[str, ArgDef] = field(init=False)
    _defaults: Mapping[str, int] = field(init=False)
    _plain: bool = field(init=False)
    _type_attrs: tuple[str, ...] = field(init=False)
    _found: dict[tuple[bool, tuple[int, ...]], Types] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments = () if self.definition is None else self.definition.output_arg
        self.outputs = {argument.name: argument for argument in arguments}
        attrs = () if self.definition is None else self.definition.attr
        self._defaults = {
            attr.name: attr.default_value.type
            for attr in attrs
            if attr.type == "type" and attr.HasField("default_value")
        }
        taken = () if self.definition is None else self.definition.input_arg
        self._plain = all(_outputs.is_single(one) for one in (*arguments, *taken))
        self._type_attrs = tuple(
            dict.fromkeys(one.type_attr for one in (*taken, *arguments) if one.type_attr)
        )

    def functions_named(self, node: NodeDef) -> list[str]:
        """Return the functions that the attrs of a node name, those bound in such an attr included."""
        bearers = [name for name, kind in self.kinds.items() if kind in _FUNCTION_TYPES]
        if len(bearers) == 1 and bearers[0] in node.attr:
            value = node.attr[bearers[0]]
            # Nearly all nodes name one function, and bind nothing in it.
            if value.WhichOneof("value") == "func" and not value.func.attr:
                return [value.func.name]
        return functions_named(node)

    def takes(self, node: NodeDef, inputs: int) -> bool:
        """Whether a node may have that many data inputs; True where no definition tells."""
        counts = [_outputs.count(form.input_arg, form, node) for form in self.forms]
        return not counts or None in counts or inputs in counts

    def wanted(self, node: NodeDef) -> int | None:
        """Return how many data inputs a node must have; None where no definition tells."""
        counts = [_outputs.count(form.input_arg, form, node) for form in self.forms]
        return counts[0] if counts else None

    def types(self, node: NodeDef, given: Mapping[str, int], *, body: bool) -> Types:
        """Return the types of a node's inputs and outputs.

        Args:
            node: the node.
            given: the values of its own attrs of the kind ``type``.
            body: whether it stands in the body of a function.
        """
        definition = self.definition
        if definition is None:
            return NO_TYPES
        key = tuple([given.get(name, UNKNOWN) for name in self._type_attrs])
        if not self._plain:
            return self._types(definition, node, given, body=body)
        types = self._found.get((body, key))
        if types is None:
            types = self._types(definition, node, given, body=body)
            self._found[body, key] = types
        return types

    def _types(
        self, definition: OpDef, node: NodeDef, given: Mapping[str, int], *, body: bool
    ) -> Types:
        return Types(
            inputs=self._inputs(definition, node, given),
            outputs=tuple(self._named_outputs(definition, node, given, body=body)),
        )

    def _inputs(
        self, definition: OpDef, node: NodeDef, given: Mapping[str, int]
    ) -> tuple[int, ...] | None:
        inputs: list[int] = []
        for argument in definition.input_arg:
            # More than it has are too many in any case.
            found = self._of(argument, definition, node, given, len(node.input) + 1)
            if found is None:
                return None
            inputs += [number or _ANYTHING for number in found]
        return tuple(inputs)

    def _named_outputs(
        self, definition: OpDef, node: NodeDef, given: Mapping[str, int], *, body: bool
    ) -> Iterator[tuple[str, int]]:
        port = 0
        for argument in definition.output_arg:
            found = self._of(argument, definition, node, given, _MOST_OUTPUTS)
            if found is None:
                if body:
                    continue
                return
            for index, number in enumerate(found, port):
                graph_suffix = f":{index}" if index else ""
                yield f":{argument.name}:{index - port}" if body else graph_suffix, number
            port += len(found)

    def _of(
        self,
        argument: ArgDef,
        definition: OpDef,
        node: NodeDef,
        given: Mapping[str, int],
        most: int,
    ) -> list[int] | None:
        """Return the types of the tensors of one argument; None if their number is not known, or large."""
        if argument.type_list_attr:
            value = _outputs.attr(argument.type_list_attr, definition, node)
            if value is None or not value.HasField("list"):
                return None
            return list(map(base, value.list.type))
        number = argument.type
        if argument.type_attr:
            name = argument.type_attr
            number = given.get(name) or (
                UNKNOWN if name in node.attr else self._defaults.get(name, UNKNOWN)
            )
        count = _outputs.count((argument,), definition, node)
        return None if count is None or not 0 <= count <= most else [base(number)] * count


def learn(name: str, functions: Mapping[str, FunctionDef], own: Mapping[str, OpDef]) -> Op:
    """Return what is known of an op.

    Args:
        name: of the op.
        functions: the library of the model, by name.
        own: the producer's list of ops, by name.
    """
    if name in functions:
        signature = functions[name].signature
        fields = {attr.name: _field(attr.type) for attr in signature.attr}
        return Op(
            known=True,
            attrs=None,
            names=True,
            definition=signature,
            forms=(signature,),
            fields=fields,
        )
    newest, producers = known.op(name), own.get(name)
    if newest is None:
        return Op(known=False, attrs=None, names=True, definition=producers)
    attrs = set(known.attrs(name))
    if producers is not None:
        # The producer may be newer than all that is known here.
        attrs.update(attr.name for attr in producers.attr)
    op = Op(
        known=known.op_library(name) is None,
        attrs=attrs,
        names=any(attr.type in _FUNCTION_TYPES for attr in newest.attr),
        # The outputs of the runtime's own ops did change from release to release.
        definition=None if name.startswith("_") else newest,
    )
    if op.definition is not None:
        _demand(op, newest, producers)
    return op


def _demand(op: Op, newest: OpDef, producers: OpDef | None) -> None:
    """Fill in what its nodes must have, as far as all definitions agree."""
    forms = [newest] if producers is None else [newest, producers]
    kinds = [{attr.name: attr.type for attr in form.attr} for form in forms]
    op.kinds = {
        name: kind
        for name, kind in kinds[0].items()
        if all(other.get(name, kind) == kind for other in kinds)
    }
    op.fields = {name: _field(kind) for name, kind in op.kinds.items()}
    if producers is None and newest.name in _CHANGED:
        return
    op.forms = tuple(forms)
    # What a Const must have is a rule of its own.
    if newest.name != "Const":
        required = [_without_default(form) for form in forms]
        op.required = tuple(sorted(frozenset.intersection(*required)))


def _without_default(definition: OpDef) -> frozenset[str]:
    return frozenset(attr.name for attr in definition.attr if not attr.HasField("default_value"))


def _field(kind: str) -> str:
    return "list" if kind.startswith("list(") else _FIELDS.get(kind, kind)


def misfit(value: AttrValue, kind: str, *, body: bool) -> str | None:
    """Return what an attr's value is, in words, if it is not of the kind that its op says.

    It is the rule of ``AttrValueHasType`` in ``core/framework/attr_value_util.cc``: a list may be
    missing, but has no element of another kind, and in a body the caller may bind a value.

    Args:
        value: the value.
        kind: such as ``type`` or ``list(type)``.
        body: whether the node stands in the body of a function.
    """
    is_list = kind.startswith("list(")
    found = value.WhichOneof("value")
    if found is None:
        return None if is_list else "empty"
    if found == "placeholder":
        return None if body else "a placeholder, which only a function may have"
    if found == "list" and is_list:
        wanted = _FIELDS.get(kind[5:-1], kind[5:-1])
        others = (one.name for one, _ in value.list.ListFields() if one.name != wanted)
        return next((f"a list of {_KINDS.get(name, name)}" for name in others), None)
    if found != _field(kind):
        return f"of the kind {_KINDS.get(found, found)}"
    return "no type" if kind == "type" and not value.type else None


def base(number: int) -> int:
    """Return the type that a reference refers to (``BaseType`` in ``core/framework/types.h``)."""
    return number - _REFERENCE if number > _REFERENCE else number

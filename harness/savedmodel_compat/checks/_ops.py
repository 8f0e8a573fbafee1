"""What the definition of an op demands of its nodes: attrs and their kinds, and how many inputs of which types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.checks import _outputs
from savedmodel_compat.model.graph import functions_named
from savedmodel_compat.registry import kinds as attr_kinds
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import FunctionDef, NodeDef, OpDef

    ArgDef = Any

UNKNOWN = 0
_ANYTHING = -1
_REFERENCE = 100
# Up to how many outputs of a node are told apart by name; others are looked up one by one.
_MOST_OUTPUTS = 64
# A model's own definitions of more arguments or attrs are left alone, but for arguments of fixed types.
_MOST_ARGUMENTS = 100
# Ops whose number of inputs, or whose attrs without a default, differ between the pinned releases.
# Of these only the producer's own list tells what a node must have.
CHANGED = frozenset(
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
        bearers = [name for name, kind in self.kinds.items() if kind in attr_kinds.FUNCTIONS]
        if len(bearers) == 1 and bearers[0] in node.attr:
            value = node.attr[bearers[0]]
            # Nearly all nodes name one function, and bind nothing in it.
            if value.WhichOneof("value") == "func" and not value.func.attr:
                return [value.func.name]
        return functions_named(node)

    def takes(self, node: NodeDef, inputs: int) -> bool:
        """Whether a node may have that many data inputs; True where no definition tells."""
        counts = self._counts(node)
        return not counts or None in counts or inputs in counts

    def wanted(self, node: NodeDef) -> int | None:
        """Return how many data inputs a node must have; None where no definition tells."""
        counts = self._counts(node)
        return counts[0] if counts else None

    def _counts(self, node: NodeDef) -> list[int | None]:
        if self._plain and len(self.forms) == 1:
            return [len(self.forms[0].input_arg)]
        return [_outputs.count(form.input_arg, form, node) for form in self.forms]

    def has_port(self, node: NodeDef, port: int) -> bool:
        """Whether a node of the graph has an output of that number; True where no definition tells."""
        if self.definition is None:
            return True
        if self._plain:
            return port < len(self.definition.output_arg)
        return _outputs.has_port(self.definition, node, port)

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
        if self._plain:
            return tuple(
                [
                    self._type(argument, node, given) or _ANYTHING
                    for argument in definition.input_arg
                ]
            )
        inputs: list[int] = []
        for argument in definition.input_arg:
            count = _outputs.count((argument,), definition, node)
            # What is more than it has is too much in any case.
            if count is None or not 0 <= count <= len(node.input) - len(inputs):
                return None
            inputs += [
                number or _ANYTHING for number in self._of(argument, definition, node, given, count)
            ]
        return tuple(inputs)

    def _named_outputs(
        self, definition: OpDef, node: NodeDef, given: Mapping[str, int], *, body: bool
    ) -> Iterator[tuple[str, int]]:
        port = 0
        for argument in definition.output_arg:
            count = _outputs.count((argument,), definition, node)
            if count is None or count < 0:
                return
            shown = min(count, _MOST_OUTPUTS - port)
            for index, number in enumerate(self._of(argument, definition, node, given, shown)):
                in_graph = f":{port + index}" if port + index else ""
                yield f":{argument.name}:{index}" if body else in_graph, number
            port += count
            if port >= _MOST_OUTPUTS:
                return

    def _of(
        self,
        argument: ArgDef,
        definition: OpDef,
        node: NodeDef,
        given: Mapping[str, int],
        count: int,
    ) -> list[int]:
        """Return the types of the first tensors of one argument, of which there are so many at least."""
        if argument.type_list_attr:
            value = _outputs.attr(argument.type_list_attr, definition, node)
            return [] if value is None else list(map(base, value.list.type[:count]))
        return [self._type(argument, node, given)] * count

    def _type(self, argument: ArgDef, node: NodeDef, given: Mapping[str, int]) -> int:
        """Return the type of an argument that has one for all its tensors."""
        name = argument.type_attr
        if not name:
            return base(argument.type)
        if name in node.attr:
            return base(given.get(name, UNKNOWN))
        return self._defaults.get(name, UNKNOWN)


def learn(name: str, functions: Mapping[str, FunctionDef], own: Mapping[str, OpDef]) -> Op:
    """Return what is known of an op.

    Args:
        name: of the op.
        functions: the library of the model, by name.
        own: the producer's list of ops, by name.
    """
    if name in functions:
        signature = functions[name].signature
        if not _is_sane(signature):
            return Op(known=True, attrs=None, names=True, definition=None)
        fields = {attr.name: attr_kinds.field_of(attr.type) for attr in signature.attr}
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
        told = producers if producers is not None and _is_sane(producers) else None
        return Op(known=False, attrs=None, names=True, definition=told)
    attrs = set(known.attrs(name))
    if producers is not None:
        # The producer may be newer than all that is known here.
        attrs.update(attr.name for attr in producers.attr)
    op = Op(
        known=known.op_library(name) is None,
        attrs=attrs,
        names=any(attr.type in attr_kinds.FUNCTIONS for attr in newest.attr),
        # The outputs of the runtime's own ops did change from release to release.
        definition=None if name.startswith("_") else newest,
    )
    if op.definition is not None:
        _demand(op, newest, producers)
    return op


def _demand(op: Op, newest: OpDef, producers: OpDef | None) -> None:
    """Fill in what its nodes must have, as far as all definitions agree."""
    forms = [newest]
    if producers is not None and len(producers.input_arg) <= _MOST_ARGUMENTS >= len(producers.attr):
        forms.append(producers)
    kinds = [{attr.name: attr.type for attr in form.attr} for form in forms]
    op.kinds = {
        name: kind
        for name, kind in kinds[0].items()
        if all(other.get(name, kind) == kind for other in kinds)
    }
    op.fields = {name: attr_kinds.field_of(kind) for name, kind in op.kinds.items()}
    if producers is None and newest.name in CHANGED:
        return
    op.forms = tuple(forms)
    # What a Const must have is a rule of its own.
    if newest.name != "Const":
        required = [_without_default(form) for form in forms]
        op.required = tuple(sorted(frozenset.intersection(*required)))


def _is_sane(definition: OpDef) -> bool:
    """Whether nodes of a model's own op can be looked at one by one in little time."""
    arguments = (*definition.input_arg, *definition.output_arg)
    few = len(arguments) <= _MOST_ARGUMENTS
    return (few or all(map(_is_fixed, arguments))) and len(definition.attr) <= _MOST_ARGUMENTS


def _is_fixed(argument: ArgDef) -> bool:
    return _outputs.is_single(argument) and not argument.type_attr


def _without_default(definition: OpDef) -> frozenset[str]:
    return frozenset(attr.name for attr in definition.attr if not attr.HasField("default_value"))


def base(number: int) -> int:
    """Return the type that a reference refers to (``BaseType`` in ``core/framework/types.h``)."""
    return number - _REFERENCE if number > _REFERENCE else number

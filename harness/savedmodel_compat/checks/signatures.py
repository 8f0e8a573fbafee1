"""Signatures: whether they name tensors of the graph, say the truth of them, and suit who calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks.dependence import Undependent, undependent
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.requests import (
    CLASSIFY,
    DEFAULT_KEY,
    PREDICT,
    REGRESS,
    SERVE,
    classify_faults,
    feed_fault,
    named,
    regress_faults,
)
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.checks.types import (
    Absent,
    TensorTypes,
    compatible,
    shape_text,
)
from savedmodel_compat.model.values import Encoding, MetaGraph, Signature, TensorSpec

_TRAINING = frozenset(("tensorflow/supervised/training", "tensorflow/supervised/eval"))
_METHODS = _TRAINING | {PREDICT, CLASSIFY, REGRESS}
# So many inputs or outputs of a signature are told one by one.
_FEW = 3
# What a variable or a list is in the graph; no client gets anything out of it.
_HANDLES = frozenset(("resource", "variant"))


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One MetaGraph, and what finds things in it.

    Args:
        meta_graph: the MetaGraph.
        types: the tensors of its graph.
        file: the graph file.
    """

    meta_graph: MetaGraph
    types: TensorTypes
    file: str

    @cached_property
    def untrue(self) -> list[tuple[str, Finding]]:
        """What signatures say and the graph does not, as S1 or S11, with the keys of the signatures."""
        return list(_untrue(self))

    @property
    def signatures(self) -> list[Signature]:
        return ordinary(self.meta_graph)

    @property
    def words(self) -> str:
        return f"MetaGraph [{clipped(', '.join(self.meta_graph.tags))}]"

    def found(
        self,
        rule: str,
        message: str,
        signature: Signature | None = None,
        kind: str = "",
        alias: str = "",
    ) -> Finding:
        where = self.words
        if signature is not None:
            where += f": signature '{clipped(signature.key)}'"
        if kind:
            where += f", {kind} '{clipped(alias)}'"
        return found(rule, where, message, file=self.file)


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the signatures of every MetaGraph."""
    if subject.saved is None:
        return
    file = subject.graph_file
    places = [
        _Place(meta_graph=meta_graph, types=TensorTypes(meta_graph.proto), file=file)
        for meta_graph in subject.saved.meta_graphs
    ]
    for rule, look in _LOOKS.items():
        yield from limited(chain.from_iterable(map(look, places)), rule, file)
    yield from limited(_without_signatures(places), "S7", file)


def ordinary(meta_graph: MetaGraph) -> list[Signature]:
    """Return the signatures that somebody may call, without TensorFlow's own."""
    return [signature for signature in meta_graph.signatures.values() if not signature.is_internal]


def dense_parts(spec: TensorSpec) -> Iterator[tuple[str, TensorSpec]]:
    """Yield the dense tensors of an input or output, each with what it is in it, such as ``values``."""
    pending = [("", spec)]
    while pending:
        words, part = pending.pop()
        if part.encoding is Encoding.DENSE:
            yield words, part
        pending += [(f"{words}{words and '.'}{name}", c) for name, c in part.components.items()]


def _without_signatures(places: list[_Place]) -> Iterator[Finding]:
    """S7: MetaGraphs that a server would be asked for, or a whole model, without a signature."""
    bare = [place for place in places if not place.signatures]
    for place in bare:
        if SERVE in place.meta_graph.tags or bare == places:
            yield place.found(
                "S7", "there is no signature: only Python's tf.saved_model.load can call the model"
            )


def _tensors(place: _Place) -> Iterator[Finding]:
    """S1: tensors of signatures that are not there, or with which a request fails."""
    return (finding for _, finding in place.untrue if finding.rule == "S1")


def _other_outputs(place: _Place) -> Iterator[Finding]:
    """S11: outputs that are others than clients are told."""
    return (finding for _, finding in place.untrue if finding.rule == "S11")


def _untrue(place: _Place) -> Iterator[tuple[str, Finding]]:
    for signature in place.signatures:
        for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
            for alias, spec in specs.items():
                for words, part in dense_parts(spec):
                    name = f"{words}{words and ': '}tensor '{clipped(part.name)}'"
                    for rule, fault in _tensor_faults(place, part, kind):
                        message = f"{name} {fault}"
                        yield signature.key, place.found(rule, message, signature, kind, alias)


def _tensor_faults(place: _Place, spec: TensorSpec, kind: str) -> Iterator[tuple[str, str]]:
    """Yield rules and what is wrong, in words."""
    real = place.types.find(spec.name)
    if isinstance(real, Absent):
        yield "S1", real.why
        return
    if ":" not in spec.name:
        why = "names a node: Python takes it for the op and fails, only C++ takes its first output"
        yield "S1", why
    said, dtype = spec.dtype.removesuffix("_ref"), real.dtype and real.dtype.removesuffix("_ref")
    if dtype is not None and dtype != said:
        is_harmless = kind == "output" and dtype not in _HANDLES
        rule = "S11" if is_harmless else "S1"
        yield rule, f"is {real.dtype} in the graph, but the signature says {spec.dtype}"
    elif not compatible(spec.shape, real.shape):
        # Of a model of TensorFlow 2, Python's loader has the outputs of the functions themselves.
        is_harmless = kind == "output" and bool(place.meta_graph.proto.object_graph_def.nodes)
        why = (
            f"has the shape {shape_text(real.shape)} in the graph, but the signature says"
            f" {shape_text(spec.shape)}"
        )
        yield "S11" if is_harmless else "S1", why


def _defaults(place: _Place) -> Iterator[Finding]:
    """S2: values of inputs that a request may leave out."""
    for signature in place.signatures:
        defaults = place.meta_graph.proto.signature_def[signature.key].defaults
        for alias in sorted(defaults.keys() & signature.inputs.keys()):
            fault = feed_fault(defaults[alias], signature.inputs[alias])
            if fault:
                yield place.found("S2", f"its default {fault}", signature, "input", alias)


def _idle_defaults(place: _Place) -> Iterator[Finding]:
    """S12: defaults that no request ever takes."""
    for signature in place.signatures:
        defaults = place.meta_graph.proto.signature_def[signature.key].defaults
        for alias in sorted(defaults.keys() - signature.inputs.keys()):
            message = f"there is a default for it, and the inputs are {named(signature.inputs)}"
            yield place.found("S12", message, signature, "input", alias)


def _classify(place: _Place) -> Iterator[Finding]:
    """S3: what is called by Classify requests."""
    for signature in place.signatures:
        if signature.method_name == CLASSIFY:
            for fault in classify_faults(signature):
                yield place.found("S3", fault, signature)


def _regress(place: _Place) -> Iterator[Finding]:
    """S4: what is called by Regress requests."""
    for signature in place.signatures:
        if signature.method_name == REGRESS:
            for fault in regress_faults(signature):
                yield place.found("S4", fault, signature)


def _methods(place: _Place) -> Iterator[Finding]:
    """S5: the default signature, and the names of methods."""
    signatures = place.signatures
    keys = [signature.key for signature in signatures]
    if keys and DEFAULT_KEY not in keys and SERVE in place.meta_graph.tags:
        message = f"there is no '{DEFAULT_KEY}', only {named(keys)}; a request has to name one"
        yield place.found("S5", message)
    for signature in signatures:
        method = signature.method_name
        if method not in _METHODS:
            said = (
                f"its method name is '{clipped(method)}', which"
                if method
                else "it has no method name, which"
            )
            message = f"{said} servers that check it refuse (--enable_signature_method_name_check)"
            yield place.found("S5", message, signature)


def _aliases(place: _Place) -> Iterator[Finding]:
    """S6: what REST makes of names."""
    for signature in place.signatures:
        for alias, spec in signature.outputs.items():
            if alias.endswith("_bytes") and spec.dtype == "string":
                message = 'the REST API answers {"b64": …} for it, and plain text for other strings'
                yield place.found("S6", message, signature, "output", alias)


def _dependence(place: _Place) -> Iterator[Finding]:
    """S8: what depends on what, where the tensors are those that are meant."""
    wrong = {key for key, finding in place.untrue if finding.rule == "S1"}
    signatures = [
        s
        for s in place.signatures
        if s.inputs and s.outputs and s.method_name not in _TRAINING and s.key not in wrong
    ]
    graph = place.meta_graph.proto.graph_def
    groups: dict[tuple[str, bool], list[Undependent]] = {}
    for alone in undependent(graph, place.types.nodes, signatures):
        groups.setdefault((alone.signature.key, alone.is_input), []).append(alone)
    for (_, is_input), some in groups.items():
        kind = "input" if is_input else "output"
        if len(some) <= _FEW:
            message = "it depends on no input of the signature, nor on what changes"
            if is_input:
                message = "no output of the signature depends on it"
            for alone in some:
                yield place.found("S8", message, alone.signature, kind, alone.alias)
        else:
            names = named([alone.alias for alone in some])
            message = f"outputs {names} depend on no input of it, nor on what changes"
            if is_input:
                message = f"no output of it depends on inputs {names}"
            yield place.found("S8", message, some[0].signature)


def _outputs(place: _Place) -> Iterator[Finding]:
    """S9: signatures that answer nothing."""
    for signature in place.signatures:
        if not signature.outputs:
            yield place.found("S9", "it has no outputs", signature)


def _fed_twice(place: _Place) -> Iterator[Finding]:
    """S10: tensors that a session refuses to feed."""
    for signature in place.signatures:
        inputs = _by_tensor(signature.inputs)
        for tensor, aliases in inputs.items():
            if len(aliases) > 1:
                message = f"inputs {named(aliases)} are one tensor, '{clipped(tensor)}', which cannot be fed twice"
                yield place.found("S10", message, signature)
        for tensor, aliases in _by_tensor(signature.outputs).items():
            if tensor in inputs:
                message = (
                    f"tensor '{clipped(tensor)}' is input '{inputs[tensor][0]}' and output '{aliases[0]}';"
                    " C++ refuses to fetch what is fed"
                )
                yield place.found("S10", message, signature)


def _by_tensor(specs: Mapping[str, TensorSpec]) -> dict[str, list[str]]:
    aliases: dict[str, list[str]] = {}
    for alias, spec in specs.items():
        for _, part in dense_parts(spec):
            if part.name:
                aliases.setdefault(part.name.removesuffix(":0"), []).append(alias)
    return aliases


_LOOKS: Mapping[str, Callable[[_Place], Iterator[Finding]]] = {
    "S1": _tensors,
    "S2": _defaults,
    "S3": _classify,
    "S4": _regress,
    "S5": _methods,
    "S6": _aliases,
    "S8": _dependence,
    "S9": _outputs,
    "S10": _fed_twice,
    "S11": _other_outputs,
    "S12": _idle_defaults,
}

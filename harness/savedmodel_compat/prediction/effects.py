"""When a loader comes upon a fault: at load, in a run, or never."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.faults import Fault, Kind
from savedmodel_compat.prediction.reach import NEVER, Reach, Runs
from savedmodel_compat.prediction.rewriting import Rewriting
from savedmodel_compat.prediction.usage import (
    INIT,
    RESTORE,
    SAVE,
    Demand,
    Edge,
    Need,
    Reference,
    Site,
    Usage,
    has_effects,
)
from savedmodel_compat.prediction.values import When

if TYPE_CHECKING:
    from savedmodel_compat.registry.snapshots import Snapshot

AT_LOAD = RESTORE | INIT
"""Bits of what every load runs."""
_BUILT = frozenset((Kind.OP, Kind.INPUTS, Kind.UNTYPED, Kind.MISTYPED))
_PLACED = frozenset((Kind.KERNEL, Kind.VALUE, Kind.DEVICE))
_LOOKED_UP = frozenset((Edge.CALL, Edge.LOWERED))
# Grappler takes these out of a body before kernels are made for it (core/grappler/optimizers).
_SIMPLIFIED = frozenset(
    ("Identity", "IdentityN", "NoOp", "PreventGradient", "Snapshot", "StopGradient")
)
# Of these with one input twice Grappler makes a product, which may have the kernel that they lack.
_DOUBLING = frozenset(("Add", "AddN", "AddV2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """When something is come upon.

    Args:
        when: at load or in a run.
        certain: whether it surely is.
        bits: of the signatures, if it is in a run.
    """

    when: When
    certain: bool = True
    bits: int = 0


class Loader(Protocol):
    """What the predictor asks a loader.

    Attributes:
        name: ``c``, ``v1`` or ``v2``.
        ignores: whether it leaves out attrs that it does not know; None if that is not known.
        reads_versions: whether it minds ``min_consumer`` and ``bad_consumers``.
        producer: the GraphDef version by which it looks for ops that were removed.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def ignores(self) -> bool | None: ...  # noqa: D102

    @property
    def reads_versions(self) -> bool: ...  # noqa: D102

    @property
    def producer(self) -> int: ...  # noqa: D102

    def imports(self, site: Site) -> bool:
        """Whether it makes nodes of what stands at a place."""

    def effects(self, fault: Fault, site: Site, demand: Demand) -> Iterator[Effect]:
        """Yield when it comes upon a fault at a place, if it does."""

    def of_absent(self, reference: Reference) -> Iterator[Effect]:
        """Yield when it comes upon a function that is not in the library."""

    def gate(self) -> Effect:
        """Return when it looks at the versions of the graph."""


class CppLoader:
    """The C++ loader of one release (``cc/saved_model/loader.cc``), through the C API.

    Args:
        snapshot: of the release.
        usage: what the MetaGraph asks for.
        reach: what reaches its functions.
    """

    name = "c"
    reads_versions = True

    def __init__(self, snapshot: Snapshot, usage: Usage, reach: Reach) -> None:
        release = snapshot.release
        self._reach = reach
        self._rewriting = Rewriting(usage, release)
        self._compiles = usage.compiles
        self.producer = usage.producer
        self.ignores = loaders.IGNORES_UNKNOWN_ATTRS.at(release)
        self._builds = loaders.BUILDS_CALLED_FUNCTIONS.at(release)
        self._lowers = loaders.LOWERS_CONTROL_FLOW.at(release)
        self._readies = loaders.READIES_LOOPS.at(release)
        self._constants = loaders.CHECKS_CONSTANTS.at(release)

    def imports(self, site: Site) -> bool:  # noqa: ARG002 - as the protocol has it
        """Whether it makes nodes of what stands at a place: it does of all."""
        return True

    def gate(self) -> Effect:
        """Return when it looks at the versions of the graph: before all else."""
        return Effect(when=When.LOAD)

    def effects(self, fault: Fault, site: Site, demand: Demand) -> Iterator[Effect]:
        """Yield when it comes upon a fault at a place, if it does."""
        unsure = self.ignores is None and fault.kind is Kind.ATTR
        runs = self._reach.runs.get(site.function or "", NEVER)
        if fault.at_run:
            yield from of_kernel(fault, site, self._reach)
            return
        if fault.kind is Kind.FUNCTION:
            yield from of_failing_node(site, self._reach)
            return
        if site.function is None:
            yield Effect(when=When.LOAD, certain=not unsure)
            return
        if demand.op == "Const" and fault.attr == "value" and self._constants:
            yield Effect(when=When.LOAD)
            return
        lowered = site.function in self._reach.lowered
        # Before bodies were built at load, a body that a node calls by its name was put in its place
        # when it ran, without a look at all that its nodes need.
        inlined = site.function in self._reach.direct and not self._builds
        if fault.kind in _BUILT:
            sure = not inlined or fault.kind is Kind.OP
            yield from self._built(site.function, runs, lowered=lowered, sure=sure)
        elif fault.kind in _PLACED:
            sure = not inlined and site.needed is not Need.PRUNED and demand.op not in _DOUBLING
            # XLA compiles whole bodies, and has kernels of its own.
            sure = sure and not (self._compiles and fault.kind is Kind.KERNEL)
            yield from self._placed(fault, runs, lowered=lowered, sure=sure)
        elif site.needed is not Need.PRUNED:
            sure = not unsure and demand.op not in _SIMPLIFIED
            sure = sure and not (inlined and fault.kind is Kind.MISSING)
            if fault.kind is Kind.ATTR and self._rewriting.may_lose(site, demand.op):
                sure = False
            yield from self._checked(site, runs, sure=sure)

    def _checked(self, site: Site, runs: Runs, *, sure: bool) -> Iterator[Effect]:
        """Yield when a kernel is made for a node of a body that runs."""
        assert site.function is not None
        certain = runs.certain
        if site.function in self._reach.lowered and not self._readies:
            certain = 0
        if site.needed is Need.RESULT:
            certain &= ~AT_LOAD
        yield from of_runs(certain if sure else 0, runs.any)

    def _built(self, function: str, runs: Runs, *, lowered: bool, sure: bool) -> Iterator[Effect]:
        """Yield when a body is made a graph of: every node needs its op, and inputs that fit."""
        for holds, switch in (
            (lowered, self._lowers),
            (function in self._reach.called, self._builds),
        ):
            if holds and switch is not False:
                yield Effect(when=When.LOAD, certain=bool(switch))
                return
        yield from of_runs(runs.certain | runs.branch if sure else 0, runs.any)

    def _placed(self, fault: Fault, runs: Runs, *, lowered: bool, sure: bool) -> Iterator[Effect]:
        """Yield when the nodes of a body are given devices."""
        if lowered and self._lowers is not False:
            yield Effect(when=When.LOAD, certain=bool(self._lowers))
            return
        # In a function that runs on its own, some releases pass over a device that is not there.
        sure = sure and fault.kind is not Kind.DEVICE
        yield from of_runs(runs.certain if sure else 0, runs.any)

    def of_absent(self, reference: Reference) -> Iterator[Effect]:
        """Yield when it comes upon a function that is not in the library."""
        in_graph = reference.function is None or reference.function in self._reach.lowered
        if in_graph and reference.edge in _LOOKED_UP and self._builds is not False:
            yield Effect(when=When.LOAD, certain=bool(self._builds))
            return
        if reference.needed is Need.PRUNED:
            return
        runs = self._reach.runs.get(reference.function or "", NEVER)
        certain, perhaps = runs.certain, runs.any
        if reference.function is None:
            certain = perhaps = reference.reached
        is_result = reference.needed is Need.RESULT or not has_effects(reference.op)
        if is_result:
            certain &= ~AT_LOAD
        if reference.function in self._reach.lowered:
            certain = 0
        yield from of_runs(0 if reference.edge is Edge.OTHER else certain, perhaps)


def of_kernel(fault: Fault, site: Site, reach: Reach) -> Iterator[Effect]:
    """Yield when a kernel runs that refuses its node, or may."""
    if fault.sure:
        yield from of_failing_node(site, reach)
    else:
        yield from of_runs(0, reach.bits(site.function, site.reached))


def of_failing_node(site: Site, reach: Reach) -> Iterator[Effect]:
    """Yield when a node runs that fails whenever it does, such as one that calls back into Python."""
    runs = reach.runs.get(site.function or "", NEVER)
    certain, perhaps = runs.certain, runs.any
    if site.function is None:
        certain = perhaps = site.reached
    yield from of_runs(0 if site.needed is Need.PRUNED else certain, perhaps)


def of_runs(surely: int, perhaps: int) -> Iterator[Effect]:
    """Yield what is come upon when a body runs: at load by the restore and init ops, else by signatures."""
    perhaps &= ~surely
    for bits, certain in ((surely, True), (perhaps, False)):
        if bits & AT_LOAD:
            yield Effect(when=When.LOAD, certain=certain)
        signatures = bits & ~(AT_LOAD | SAVE)
        if signatures:
            yield Effect(when=When.RUN, certain=certain, bits=signatures)

"""When the Python loaders come upon a fault: what they import, what they look into, and what they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.effects import AT_LOAD, Effect, of_failing_node, of_runs
from savedmodel_compat.prediction.faults import Fault, Kind
from savedmodel_compat.prediction.reach import NEVER, Reach
from savedmodel_compat.prediction.rewriting import Rewriting
from savedmodel_compat.prediction.usage import (
    INIT,
    RESTORE,
    Demand,
    Edge,
    Need,
    Reference,
    Site,
    Usage,
    has_effects,
)
from savedmodel_compat.prediction.values import When
from savedmodel_compat.registry import known

if TYPE_CHECKING:
    from savedmodel_compat.registry.snapshots import Snapshot

# What building the graph of a body needs of each node.
_BUILT = frozenset((Kind.OP, Kind.INPUTS, Kind.UNTYPED, Kind.MISTYPED))
# What is found when the bodies of branches take the place of control flow.
_INLINED = _BUILT | {Kind.KERNEL, Kind.VALUE, Kind.DEVICE}
# What the oldest importer does not look at.
_LATE = frozenset((Kind.ATTR, Kind.DEPRECATED))
_CASES = frozenset(("Case", "StatelessCase"))
# What is found only when kernels are chosen.
_PLACED = frozenset((Kind.KERNEL, Kind.DEVICE))


def _is_rescued(fault: Fault, demand: Demand, usage: Usage) -> bool:
    """Whether an unknown attr is removed before it is looked at.

    The importer removes attrs of the graph's nodes that have the default of the producer's list of ops
    (``python/framework/importer.py``, ``_RemoveDefaultAttrs``); in bodies nobody does.
    """
    return fault.kind is Kind.ATTR and fault.default is True and demand.op in usage.own


def _in_package(fault: Fault, demand: Demand, release: str) -> bool:
    """Whether the Python package may have what its C++ library lacks."""
    if fault.kind is Kind.KERNEL:
        has = loaders.KERNELS_OF_PYTHON.get(demand.op)
        return has is not None and has.at(release) is not False
    if fault.kind is not Kind.OP:
        return False
    has = loaders.OPS_OF_PYTHON.get(demand.op)
    if has is None and known.op(demand.op) is not None:
        has = loaders.TESTS_ONLY_IN_PYTHON
    return has is not None and has.at(release) is not False


class V1Loader:
    """``tf.compat.v1.saved_model.load`` into a session (``python/saved_model/loader_impl.py``).

    Args:
        snapshot: of the release.
        usage: what the MetaGraph asks for.
        reach: what reaches its functions.
    """

    name = "v1"
    reads_versions = True

    def __init__(self, snapshot: Snapshot, usage: Usage, reach: Reach) -> None:
        self._usage, self._reach = usage, reach
        self._release = snapshot.release
        self._rewriting = Rewriting(usage, snapshot.release)
        self.ignores = loaders.IGNORES_UNKNOWN_ATTRS.at(snapshot.release)
        self.producer = usage.producer
        self._builds = loaders.BUILDS_CALLED_IN_PYTHON.at(snapshot.release)
        self._checks = loaders.IMPORTS_THROUGH_C.at(snapshot.release)
        self._runs_at_load = any(site.reached & AT_LOAD for site in usage.sites)

    def imports(self, site: Site) -> bool:  # noqa: ARG002 - as the protocol has it
        """Whether it makes nodes of what stands at a place: it does of all."""
        return True

    def gate(self) -> Effect:
        """Return when it looks at the versions of the graph: at import, or in the oldest at the first run."""
        if self._checks is not False or self._runs_at_load:
            return Effect(when=When.LOAD)
        return Effect(when=When.RUN, bits=self._usage.every_signature)

    def effects(self, fault: Fault, site: Site, demand: Demand) -> Iterator[Effect]:
        """Yield when it comes upon a fault at a place, if it does."""
        if fault.at_run and fault.sure:
            yield from of_failing_node(site, self._reach)
        elif fault.at_run or _in_package(fault, demand, self._release):
            yield from of_runs(0, self._reach.bits(site.function, site.reached))
        elif fault.kind is Kind.FUNCTION:
            yield from of_failing_node(site, self._reach)
        elif site.function is None:
            yield from self._in_graph(fault, site, demand)
        else:
            yield from self._in_body(fault, site, demand.op)

    def _in_graph(self, fault: Fault, site: Site, demand: Demand) -> Iterator[Effect]:
        if _is_rescued(fault, demand, self._usage):
            return
        if fault.kind in _LATE and not self._checks:
            yield from of_runs(site.reached if self._checks is False else 0, site.reached)
        elif fault.kind in _PLACED or (fault.kind is Kind.VALUE and not self._checks):
            # Some releases put a node elsewhere if its device is not there.
            yield from self._at_first_run(certain=fault.kind is not Kind.DEVICE)
        else:
            unsure = fault.kind is Kind.ATTR and self.ignores is None
            yield Effect(when=When.LOAD, certain=not unsure)

    def _at_first_run(self, *, certain: bool = True) -> Iterator[Effect]:
        """Yield the first run of anything: it gives devices to all nodes of the graph."""
        if self._runs_at_load:
            yield Effect(when=When.LOAD, certain=certain)
        else:
            yield Effect(when=When.RUN, certain=certain, bits=self._usage.every_signature)

    def _in_body(self, fault: Fault, site: Site, op: str) -> Iterator[Effect]:
        function = site.function
        assert function is not None
        runs = self._reach.runs.get(function, NEVER)
        is_lowered = function in self._reach.lowered
        is_built = function in self._reach.called and self._builds is not False
        if is_built and (fault.kind in _BUILT or fault.kind is Kind.MISSING):
            yield Effect(when=When.LOAD, certain=bool(self._builds))
        elif is_lowered and fault.kind in _INLINED:
            yield from self._at_first_run(certain=fault.kind is not Kind.DEVICE)
        elif fault.kind is Kind.DEVICE:
            yield from of_runs(0, runs.any)
        elif fault.kind in _BUILT:
            inlined = function in self._reach.direct and fault.kind is not Kind.OP
            yield from of_runs(0 if inlined else runs.certain | runs.branch, runs.any)
        elif site.needed is not Need.PRUNED:
            certain = runs.certain
            if fault.kind is Kind.ATTR:
                sure = self.ignores is not None and not self._rewriting.may_lose(site, op)
                certain = certain if sure else 0
            if site.needed is not Need.EFFECT and fault.kind is not Kind.KERNEL:
                certain &= ~AT_LOAD
            if fault.kind is Kind.KERNEL and self._usage.compiles:
                certain = 0
            yield from of_runs(certain, runs.any)

    def of_absent(self, reference: Reference) -> Iterator[Effect]:
        """Yield when it comes upon a function that is not in the library."""
        in_graph = reference.function is None or reference.function in self._reach.lowered
        if in_graph and reference.edge in (Edge.CALL, Edge.LOWERED) and self._builds is not False:
            # Of control flow that is kept, some branches are never made.
            yield from self._at_first_run(certain=reference.op not in _CASES)
        elif reference.needed is not Need.PRUNED:
            runs = self._reach.runs.get(reference.function or "", NEVER)
            certain, perhaps = runs.certain, runs.any
            if reference.function is None:
                certain = perhaps = reference.reached
            if not has_effects(reference.op):
                certain &= ~AT_LOAD
            unsure = reference.edge is Edge.OTHER or reference.op in _CASES
            yield from of_runs(0 if unsure else certain, perhaps)


class V2Loader:
    """``tf.saved_model.load`` (``python/saved_model/load.py`` and ``load_v1_in_v2.py``).

    Args:
        snapshot: of the release.
        usage: what the MetaGraph asks for.
        reach: what reaches its functions.
    """

    name = "v2"

    def __init__(self, snapshot: Snapshot, usage: Usage, reach: Reach) -> None:
        self._usage, self._reach = usage, reach
        self._release = snapshot.release
        self.ignores = loaders.IGNORES_UNKNOWN_ATTRS.at(snapshot.release)
        self.reads_versions = not usage.has_objects
        self._created = reach.behind(usage.resource_functions)
        # A body becomes a graph of the consumer's own version before it is imported.
        self.producer = max(usage.producer, snapshot.graph_def_version)

    def imports(self, site: Site) -> bool:
        """Whether it makes nodes of what stands at a place: where there are objects, not of the graph."""
        return site.function is not None or not self._usage.has_objects

    def gate(self) -> Effect:
        """Return when it looks at the versions of the graph, if it does: when it imports it."""
        return Effect(when=When.LOAD)

    def effects(self, fault: Fault, site: Site, demand: Demand) -> Iterator[Effect]:
        """Yield when it comes upon a fault at a place, if it does."""
        if fault.at_run and fault.sure:
            yield from of_failing_node(site, self._reach)
        elif fault.at_run or _in_package(fault, demand, self._release):
            yield from of_runs(0, self._reach.bits(site.function, site.reached))
        elif fault.kind is Kind.FUNCTION:
            yield from of_failing_node(site, self._reach)
        elif fault.kind in _PLACED:
            yield from self._placed(fault, site)
        elif site.function is not None:
            # Every function of the library is imported, whether or not anything names it.
            unsure = fault.kind is Kind.ATTR and self.ignores is None
            yield Effect(when=When.LOAD, certain=not unsure)
        elif not self._usage.has_objects and not _is_rescued(fault, demand, self._usage):
            yield from self._imported(fault, site)

    def _imported(self, fault: Fault, site: Site) -> Iterator[Effect]:
        """Yield when the graph of a v1 model is imported."""
        if fault.kind is Kind.DEPRECATED and fault.gone > self._usage.producer:
            # What is lifted out of it becomes a graph of the consumer's version.
            if site.reached:
                yield Effect(when=When.LOAD)
            return
        unsure = fault.kind is Kind.ATTR and self.ignores is None
        yield Effect(when=When.LOAD, certain=not unsure)

    def _placed(self, fault: Fault, site: Site) -> Iterator[Effect]:
        if site.function is None:
            if self._usage.has_objects:
                return
            certain = perhaps = site.reached
        else:
            runs = self._reach.runs.get(site.function, NEVER)
            certain, perhaps = runs.certain, runs.any
            if site.needed is Need.PRUNED or self._usage.compiles:
                certain = 0
            if site.function in self._created:
                certain, perhaps = certain | INIT, perhaps | INIT
        if self._usage.has_objects:
            # Variables are restored by the object graph, not by the restore op.
            certain, perhaps = certain & ~RESTORE, perhaps & ~RESTORE
        yield from of_runs(0 if fault.kind is Kind.DEVICE else certain, perhaps)

    def of_absent(self, reference: Reference) -> Iterator[Effect]:
        """Yield when it comes upon a function that is not in the library."""
        if reference.function is not None or not self._usage.has_objects:
            yield Effect(when=When.LOAD)

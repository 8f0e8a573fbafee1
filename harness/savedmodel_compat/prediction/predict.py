"""Predicting what a release does with a MetaGraph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from savedmodel_compat.model.locate import clipped
from savedmodel_compat.prediction import known_ops, loaders
from savedmodel_compat.prediction._gather import Hit, Left, ignored_of, reasons_of
from savedmodel_compat.prediction.asset_feeds import bad_feeds, feed_reasons
from savedmodel_compat.prediction.effects import CppLoader, Loader
from savedmodel_compat.prediction.faults import Fault, Kind, faults_of, types_in
from savedmodel_compat.prediction.kernels import device_fault, kernel_fault
from savedmodel_compat.prediction.python_loaders import V1Loader, V2Loader
from savedmodel_compat.prediction.reach import Reach, reach_of
from savedmodel_compat.prediction.usage import Demand, Site, Usage, usage_of
from savedmodel_compat.prediction.values import Place, Prediction, Reason, Verdict, When
from savedmodel_compat.registry import known, snapshots
from savedmodel_compat.registry.snapshots import Snapshot
from savedmodel_compat.tensors import dtype_name

if TYPE_CHECKING:
    from savedmodel_compat.model import schema
    from savedmodel_compat.model.values import MetaGraph


LOADERS: Mapping[str, Callable[[Snapshot, Usage, Reach], Loader]] = {
    "c": CppLoader,
    "v1": V1Loader,
    "v2": V2Loader,
}
"""The loaders that are known, by name."""


class Predictor:
    """Predicts for one MetaGraph, for any number of releases.

    Args:
        meta_graph: the MetaGraph.
    """

    def __init__(self, meta_graph: MetaGraph) -> None:
        self.usage = usage_of(meta_graph)
        self.reach = reach_of(self.usage)
        self._faults: dict[tuple[int, int, int], tuple[Fault, ...]] = {}
        self._kernels: dict[tuple[int, int, int, frozenset[str]], Fault | None] = {}
        # What the model carries of its producer's definitions is only believed where there is nothing better.
        shipped = meta_graph.tensorflow_version in snapshots.releases()
        self._producer = snapshots.get(meta_graph.tensorflow_version) if shipped else None
        self.bad_feeds = bad_feeds(meta_graph)
        self._types = [frozenset(types_in(demand)) for demand in self.usage.demands]
        self._sites: dict[int, list[Site]] = {}
        for site in self.usage.sites:
            self._sites.setdefault(site.demand, []).append(site)

    def predict(
        self, release: str, loader: str = "c", *, stripped: bool = False, without: int = 0
    ) -> Prediction:
        """Return what a loader of a release does with it, on a CPU.

        Args:
            release: such as ``2.11.1``; unknown is the answer for one that has no snapshot.
            loader: ``c``, ``v1`` or ``v2``.
            stripped: as if attrs that have their default values had been stripped.
            without: bits of roots; as if what only these reach were not there.
        """
        snapshot = snapshots.get(release)
        doubt = None
        if not loaders.has(loader, release):
            doubt = f"{release} has no loader {loader}"
        elif snapshot is None:
            doubt = (
                f"there is no snapshot of {release}: savedmodel-compat runtime snapshot {release}"
            )
        if snapshot is None or doubt is not None:
            return Prediction(release=release, loader=loader, loads=Verdict.UNKNOWN, doubt=doubt)
        asked = LOADERS[loader](snapshot, self.usage, self.reach)
        return _Release(self, snapshot, asked, stripped=stripped, without=without).prediction()

    def faults(
        self, index: int, demand: Demand, snapshot: Snapshot, producer: int
    ) -> Sequence[Fault]:
        """Return what the definitions and kernels of a release do not grant to a graph of a GraphDef version."""
        form, definition = snapshot.form(demand.op), snapshot.op(demand.op)
        if form is None or definition is None:
            return (Fault(kind=Kind.OP, said="is not registered"),)
        key = (index, form, producer)
        found = self._faults.get(key)
        if found is None:
            found = faults_of(demand, definition, self._reference(demand.op), producer)
            self._faults[key] = found
        return (*found, *self._of_build(index, demand, snapshot, form, definition))

    def _reference(self, op: str) -> schema.OpDef | None:
        """Return an op's definition as the producer had it, or else the newest."""
        found = None if self._producer is None else self._producer.op(op)
        return found or self.usage.own.get(op) or known.op(op)

    def _of_build(
        self, index: int, demand: Demand, snapshot: Snapshot, form: int, definition: schema.OpDef
    ) -> Iterator[Fault]:
        """Yield what hangs on the build: types, kernels and devices."""
        for found in known_ops.faults(demand, snapshot.release):
            # What XLA compiles has no kernel of its own.
            yield replace(found, sure=False) if self.usage.compiles else found
        for name, number in self._types[index]:
            if number not in loaders.types(snapshot.release):
                said = f"has the type {dtype_name(number)} as its attr '{name}', which came later"
                yield Fault(kind=Kind.DTYPE, attr=name, said=said)
        devices = loaders.devices(snapshot.release)
        key = (index, form, snapshot.kernel_form(demand.op), devices)
        if key not in self._kernels:
            self._kernels[key] = _kernel_fault(demand, snapshot, definition, devices)
        fault = self._kernels[key]
        if fault is not None:
            yield fault
        fault = device_fault(demand.device, devices)
        if fault is not None:
            yield fault

    def sites(self, index: int) -> Sequence[Site]:
        """Return where a demand stands."""
        return self._sites[index]


class _Release:
    """One prediction in the making."""

    def __init__(
        self,
        predictor: Predictor,
        snapshot: Snapshot,
        loader: Loader,
        *,
        stripped: bool,
        without: int,
    ) -> None:
        self._predictor, self._snapshot = predictor, snapshot
        self._usage, self._reach = predictor.usage, predictor.reach
        self._stripped, self._without = stripped, without
        self._loader = loader

    def prediction(self) -> Prediction:
        hits: list[Hit] = []
        left: list[Left] = []
        for index, demand in enumerate(self._usage.demands):
            for fault in self._predictor.faults(
                index, demand, self._snapshot, self._loader.producer
            ):
                is_attr = fault.kind is Kind.ATTR
                if is_attr and self._stripped and fault.default:
                    continue
                for site in self._predictor.sites(index):
                    bits = self._reach.bits(site.function, site.reached)
                    if self._without and not bits & ~self._without:
                        continue
                    if is_attr and self._loader.ignores:
                        if not self._loader.imports(site):
                            continue
                        left.append(Left(fault=fault, demand=demand, site=site, bits=bits))
                    else:
                        hits += self._hits(fault, demand, site, bits)
        hits += self._absent()
        fed = feed_reasons(self._predictor.bad_feeds, self._loader.name)
        reasons = (*self._versions(), *reasons_of(hits, self._usage), *fed)
        return self._concluded(reasons, left)

    def _hits(self, fault: Fault, demand: Demand, site: Site, bits: int) -> Iterator[Hit]:
        for effect in self._loader.effects(fault, site, demand):
            yield Hit(
                fault=fault,
                op=demand.op,
                node=site.node,
                function=site.function,
                count=site.count,
                bits=bits,
                effect=effect,
            )

    def _absent(self) -> Iterator[Hit]:
        for reference in self._usage.absent:
            said = f"names the function '{clipped(reference.target)}', which is not in the library"
            fault = Fault(kind=Kind.FUNCTION, said=said)
            for effect in self._loader.of_absent(reference):
                yield Hit(
                    fault=fault,
                    op=reference.op,
                    node=reference.node,
                    function=reference.function,
                    count=1,
                    bits=self._reach.bits(reference.function, reference.reached),
                    effect=effect,
                )

    def _versions(self) -> Iterator[Reason]:
        """Yield what the versions of the graph forbid (``core/framework/versions.cc``)."""
        if not self._loader.reads_versions:
            return
        usage, version = self._usage, self._snapshot.graph_def_version
        if usage.min_consumer > version:
            said = f"the graph wants at least GraphDef version {usage.min_consumer}, and {self._snapshot.release} has {version}"
            yield self._gate(said)
        if version in usage.bad_consumers:
            said = f"the graph forbids GraphDef version {version}, which is that of {self._snapshot.release}"
            yield self._gate(said)

    def _gate(self, said: str) -> Reason:
        effect = self._loader.gate()
        return Reason(
            cause=Kind.DEPRECATED.cause,
            message=said,
            place=Place.INFERENCE,
            when=effect.when,
            certain=effect.certain,
            signatures=self._usage.signatures_of(effect.bits),
        )

    def _concluded(self, reasons: tuple[Reason, ...], left: Sequence[Left]) -> Prediction:
        at_load = [reason for reason in reasons if reason.when is When.LOAD]
        doubts = [reason for reason in reasons if not reason.certain]
        if any(reason.certain for reason in at_load):
            loads = Verdict.NO
        else:
            loads = Verdict.UNKNOWN if at_load else Verdict.YES
        runs: Mapping[str, Verdict] = {}
        if loads is not Verdict.NO:
            runs = {key: _runs(key, reasons) for key in self._usage.signatures}
        prediction = Prediction(
            release=self._snapshot.release,
            loader=self._loader.name,
            loads=loads,
            reasons=reasons,
            ignored=tuple(ignored_of(left, self._usage)),
            runs=runs,
        )
        if loads is Verdict.UNKNOWN and doubts:
            return replace(prediction, doubt=f"{doubts[0].message}; {doubts[0].where}")
        return prediction


def _kernel_fault(
    demand: Demand, snapshot: Snapshot, definition: schema.OpDef, devices: frozenset[str]
) -> Fault | None:
    kernels = snapshot.kernels(demand.op)
    fault = kernel_fault(demand, kernels, definition, loaders.CPU)
    if fault is None or devices == loaders.CPU:
        return fault
    if kernel_fault(demand, kernels, definition, devices) is None:
        return replace(fault, at_run=True, said=f"{fault.said}, and XLA may compile it")
    return fault


def _runs(signature: str, reasons: Iterable[Reason]) -> Verdict:
    mine = [one for one in reasons if one.when is When.RUN and signature in one.signatures]
    if any(reason.certain for reason in mine):
        return Verdict.NO
    return Verdict.UNKNOWN if mine else Verdict.YES

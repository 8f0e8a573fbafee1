"""Recording as a user asks for it: which release answers for which exporter or model, made ready, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.errors import (
    InfrastructureError,
    SavedModelCompatError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden import frozen
from savedmodel_compat.golden.manifest import Source
from savedmodel_compat.matrix import data_sets, goldens, inputs
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.recording import Over, Recorded, RecordingError, Wanted
from savedmodel_compat.matrix.runner import find_exporter_in, one_of
from savedmodel_compat.matrix.session import Where
from savedmodel_compat.matrix.sources import source_digest
from savedmodel_compat.runtimes import specs
from savedmodel_compat.runtimes.base import Loader, Provider

if TYPE_CHECKING:
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.matrix.runner import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be recorded of some sources, and how.

    Args:
        recorders: specifiers of releases; of an exporter the first that it runs in, of a model the newest. None takes the
            configuration's, and for a model the pin of its own producer.
        reason: kept in the manifests.
        freeze: whether exported models are kept, one for each release.
        strip: how an exporter exports.
        name: what the goldens are called; None lets the source say.
        tags: of the MetaGraph of a model.
        signature: the only one; None records all.
        given: inputs of a model.
        data_sets: which.
        provider: what makes the release ready; None is ``venv`` for an exporter and ``wheel`` for a model.
        loader: which of its loaders.
        seed: of weights and inputs.
        over: what may be done to goldens that hold something else.
    """

    recorders: tuple[str, ...] | None = None
    reason: str = "first recording"
    freeze: bool = False
    strip: bool = True
    name: str | None = None
    tags: tuple[str, ...] | None = None
    signature: str | None = None
    given: inputs.Given | None = None
    data_sets: tuple[str, ...] = data_sets.NAMES
    provider: Provider | None = None
    loader: Loader = Loader.C
    seed: int = 0
    over: Over = Over.PROPOSE


class Recordings:
    """Records goldens of exporters and models, with the workers of a runner.

    Args:
        runner: exports, and makes releases ready.
        store: where the goldens go.
        told: told what became of each golden.
    """

    def __init__(
        self,
        runner: Runner,
        store: Store,
        *,
        told: Callable[[Recorded], None] = lambda _: None,
    ) -> None:
        self._runner = runner
        self._store = store
        self._configuration = runner.session.configuration
        self._table = runner.session.table
        self._root = runner.root
        self._told = told
        self._named: dict[str, str] = {}
        self.problems: list[SavedModelCompatError] = []

    def run(self, sources: Sequence[str], order: Order) -> list[Recorded]:
        """Record all sources; one that cannot be is among the problems, and the others are recorded all the same.

        Args:
            sources: exporters, by name or ``FILE.py::function``, and folders of models; none are all registered exporters
                without a golden.
            order: what is recorded, and how.
        """
        found: list[Recorded] = []
        chosen = list(sources) or self._without_golden()
        if order.name is not None and len(chosen) > 1:
            raise UsageError(f"--as {order.name} names the goldens of {len(chosen)} sources")
        for source in chosen:
            try:
                for each in self._record(source, order):
                    if isinstance(each, RecordingError):
                        self._note(source, each)
                    else:
                        found.append(each)
                        self._told(each)
            except SavedModelCompatError as problem:
                self._note(source, problem)
        return found

    def _note(self, source: str, problem: SavedModelCompatError) -> None:
        said = SavedModelCompatError(f"{source}: {problem.message}", hint=problem.hint)
        said.exit_code = problem.exit_code
        self.problems.append(said)

    def record(self, source: str, order: Order) -> list[Recorded]:
        """Record one source.

        Raises:
            RecordingError: a signature does not give an answer that could be frozen; the others were recorded.
            UsageError: there is no such source, or nobody is named who answers.
            ExportError: the exporter failed.
            InfrastructureError: the release could not be made ready.
        """
        found = list(self._record(source, order))
        problem = next((each for each in found if isinstance(each, RecordingError)), None)
        if problem is not None:
            raise problem
        return [each for each in found if not isinstance(each, RecordingError)]

    def _record(self, source: str, order: Order) -> Iterator[Recorded | RecordingError]:
        if "::" in source or source in self._configuration.exporters:
            return self._record_exporter(source, order)
        return self._record_model(source, order)

    def _without_golden(self) -> list[str]:
        listing = self._store.listing()
        keys = [*listing.keys, *(each.key for each in listing.damaged if each.key is not None)]
        there = {key.model.partition("@")[0] for key in keys}
        return [name for name in self._configuration.exporters if name not in there]

    def _record_exporter(self, source: str, order: Order) -> Iterator[Recorded | RecordingError]:
        releases = self._releases(order)
        if not releases:
            raise UsageError(
                f"nobody is named who exports and answers for '{source}'",
                hint="give --with RELEASE, or write `with` under [tool.savedmodel-compat.golden]",
            )
        refused: list[str] = []
        recorded = False
        for release in releases:
            made = self._runner.export_or_say(
                source, producer=release, strip=order.strip, seed=order.seed
            )
            if made.model is None:
                refused.append(f"{release}: {made.problem.message if made.problem else ''}")
                if made.problem is not None and not isinstance(made.problem, UnsupportedError):
                    raise made.problem
                continue
            recorded = True
            for model in made.models:
                yield from self._record_export(source, model, release, order)
            if not order.freeze:
                return
        if not recorded:
            raise UnsupportedError(f"no release exports it: {'; '.join(refused)}")

    def _record_export(
        self, source: str, model: Model, release: str, order: Order
    ) -> Iterator[Recorded | RecordingError]:
        found = find_exporter_in(self._root, source, self._configuration)
        said = Source(
            kind="exporter",
            name=source,
            sha256=source_digest(found.file),
            strip_default_attrs=order.strip,
            seed=order.seed,
            frozen=None,
        )
        consumer = self._consumer(release, order.provider or Provider.VENV, order.loader)
        name = order.name or found.name
        if order.freeze:
            name = order.name or f"{found.name}-{release}"
            said = replace(said, kind="model", sha256=model.sha256, frozen=name)
            model = self._frozen(model, name, release, said, order.reason)
        return self._runner.record(
            self._store, model, consumer, _wanted(order, name=name, source=said)
        )

    def _frozen(self, model: Model, name: str, release: str, source: Source, why: str) -> Model:
        path = frozen.freeze(
            self._store.root, name, model.path, producer=release, source=source, why=why
        )
        return replace(model, path=path, name=name, exporter=None)

    def _record_model(self, source: str, order: Order) -> Iterator[Recorded | RecordingError]:
        path = self._root / source
        [model] = load_models(
            [path], tags=order.tags, signature=order.signature, given=order.given, seed=order.seed
        )
        if model.meta_graph is None:
            raise UsageError(f"{source} does not parse, and nothing of it can be recorded")
        release = self._release_for(model, order)
        consumer = self._consumer(release, order.provider or Provider.WHEEL, order.loader)
        root = self._store.root
        name = order.name or goldens.name_of(model, root)
        if self._named.setdefault(name, source) != source:
            raise UsageError(
                f"{source} is called {name}, and so is {self._named[name]}",
                hint="record one of them with --as NAME, a name that its path ends with",
            )
        said = Source(
            kind="model",
            name=source,
            sha256=model.sha256,
            strip_default_attrs=model.strip,
            seed=order.seed if order.given is None else None,
            frozen=name if name in frozen.names(root) else None,
        )
        if order.freeze:
            said = replace(said, frozen=name)
            model = self._frozen(model, name, model.producer or release, said, order.reason)
        return self._runner.record(
            self._store, model, consumer, _wanted(order, name=name, source=said)
        )

    def _releases(self, order: Order) -> list[str]:
        """Return the releases that may answer for an exporter, in the order in which they are tried."""
        said = order.recorders or self._configuration.goldens.recorders
        return list(
            dict.fromkeys(pin.release for one in said for pin in specs.select(one, self._table))
        )

    def _release_for(self, model: Model, order: Order) -> str:
        if order.recorders:
            found = [pin for one in order.recorders for pin in specs.select(one, self._table)]
            return max(found, key=lambda pin: pin.version).release
        if model.producer is None:
            raise UsageError(
                f"{model.path} does not say which release wrote it, and nobody is named who answers",
                hint="give --with RELEASE",
            )
        wrote = Version(model.producer)
        alike = [
            pin for pin in self._table.on("cpu") if pin.version.release[:2] == wrote.release[:2]
        ]
        if not alike:
            raise UsageError(
                f"{model.path} was written by TensorFlow {model.producer}, and no release of "
                f"{wrote.major}.{wrote.minor} is pinned",
                hint="give --with RELEASE; `savedmodel-compat runtime list` shows them",
            )
        return alike[-1].release

    def _consumer(self, release: str, provider: Provider, loader: Loader) -> Consumer:
        where = Where(on=release, provider=provider, loaders=(loader,))
        found = one_of(self._runner.consumers(where), release, str(loader))
        if found.runtime is None:
            raise InfrastructureError(f"{release} is not ready: {found.reason}")
        return found


def _wanted(order: Order, *, name: str, source: Source) -> Wanted:
    return Wanted(
        source=source,
        name=name,
        reason=order.reason,
        data_sets=order.data_sets,
        over=order.over,
        signature=order.signature,
        typical="made up from the signature" if order.given is None else "as they were given",
    )

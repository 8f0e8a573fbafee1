"""Run models over consumers: load, run, compare; references first where nobody recorded one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.matrix.amend import with_ignored, with_unreadable
from savedmodel_compat.matrix.attrs import IGNORED_SINCE, attrs_used, ignored_attrs, read_ops
from savedmodel_compat.matrix.cells import Cell, Outcome, Result, Stage
from savedmodel_compat.matrix.judge import LOG, judge, one_line, without_golden
from savedmodel_compat.matrix.observe import Seen, Unit, any_refused, observe
from savedmodel_compat.matrix.plan import Consumer, Options, ran_in
from savedmodel_compat.matrix.pool import Chunk, execute
from savedmodel_compat.matrix.predicted import Predictions
from savedmodel_compat.matrix.references import Reference, reference_of
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.runtimes.base import Runtime
    from savedmodel_compat.runtimes.wire import Arrays

OnResult = Callable[[Result], None]


def nobody(result: Result) -> None:
    """Take no note of a result."""


References = dict[tuple[str, tuple[str, ...], str], Reference]
"""What is known of references, by model (path and digest), tag set and signature."""


def run_matrix(
    models: Sequence[Model],
    consumers: Sequence[Consumer],
    options: Options,
    on_result: OnResult = nobody,
) -> list[Result]:
    """Run every model in every consumer.

    Args:
        models: what to load.
        consumers: where.
        options: how.
        on_result: told each result as it comes, in this thread.

    Returns:
        One result a cell, in the order of models and consumers. After an interrupt the cells that did not run are
        ``not-run`` with the reason ``interrupted``, and ``Interrupted`` carries them.

    Raises:
        Interrupted: the user stopped it.
    """
    run = _Run(models, consumers, options, on_result=on_result)
    try:
        run.without_runtime()
        run.find_references()
        run.the_rest()
    except KeyboardInterrupt:
        raise Interrupted(run.results(interrupted=True)) from None
    return run.results(interrupted=False)


def run_cells(
    model: Model,
    consumer: Consumer,
    candidates: Sequence[Consumer],
    options: Options,
    *,
    references: References,
    predictions: Predictions,
    worker_of: Callable[[Runtime, bool], Worker],
) -> list[Result]:
    """Run one model in one consumer, on workers that the caller keeps.

    Args:
        model: what to load.
        consumer: where.
        candidates: the consumers among which a reference is looked for, where nobody recorded one.
        options: how.
        references: those that are known; new ones are added.
        predictions: those that were made; new ones are added.
        worker_of: gives the worker of a runtime, native or not.

    Returns:
        One result a cell.
    """

    def execute_here(groups: Sequence[Chunk[Unit]], do: _Observe) -> _Batches:
        for group in groups:
            for unit in group.units:
                yield do(worker_of(group.runtime, group.native), unit)

    search = _Run(
        [model],
        candidates,
        options,
        execute_units=execute_here,
        references=references,
        predictions=predictions,
    )
    search.find_references()
    run = _Run(
        [model],
        [consumer],
        options,
        execute_units=execute_here,
        candidates=candidates,
        references=references,
        predictions=predictions,
    )
    run.without_runtime()
    run.the_rest()
    return run.results(interrupted=False)


class Interrupted(Exception):  # noqa: N818 - it is no error of the harness
    """The user stopped the matrix; ``results`` is complete all the same."""

    def __init__(self, results: list[Result]) -> None:
        super().__init__("interrupted")
        self.results = results


_Observe = Callable[[Worker, Unit], list[Seen]]
_Batches = Generator[list[Seen], None, None]
_Execute = Callable[[Sequence[Chunk[Unit]], _Observe], _Batches]


def _on_a_pool(jobs: int) -> _Execute:
    return lambda groups, do: execute(groups, do, jobs=jobs)


def reference_key(model: Model, case: Case) -> tuple[str, tuple[str, ...], str]:
    """Return what the reference of a signature is kept by: the model, what it is fed, and its golden."""
    # A golden that is missing leaves a signature its own inputs, and nothing to compare with.
    golden = f"#{case.against.name}" if case.against else ""
    said = f"{model.path}@{model.sha256}{golden}#{_digest(case.feeds)}"
    return said, model.tags, case.signature


def _digest(feeds: Sequence[Arrays]) -> str:
    """Digest what a signature is fed: recorded, golden and made-up inputs of one model have answers of their own."""
    found = hashlib.sha256()
    for feed in feeds:
        for alias, array in sorted(feed.items()):
            values = repr(array.tolist()).encode() if array.dtype.kind == "O" else array.tobytes()
            found.update(f"{alias}:{array.dtype}:{array.shape}:{len(values)}:".encode())
            found.update(values)
    return found.hexdigest()


class _Run:
    """The state of one matrix: which units are done, which references are known."""

    def __init__(
        self,
        models: Sequence[Model],
        consumers: Sequence[Consumer],
        options: Options,
        *,
        on_result: OnResult = nobody,
        execute_units: _Execute | None = None,
        candidates: Sequence[Consumer] = (),
        references: References | None = None,
        predictions: Predictions | None = None,
    ) -> None:
        self._execute_units = execute_units or _on_a_pool(options.jobs)
        self._candidates = candidates
        self._models = models
        self._consumers = consumers
        self._options = options
        self._on_result = on_result
        self._references: References = {} if references is None else references
        self._predictions = predictions or Predictions()
        self._found: dict[tuple[int, int], list[Result]] = {}
        self._keys: dict[int, tuple[str, tuple[str, ...], str]] = {}
        self._attrs_used: dict[int, frozenset[tuple[str, str]]] = {}
        self._undecided: list[Seen] = []
        for model in models:
            for case in model.cases:
                known = _known(case)
                if known is not None:
                    self._references[self._key(model, case)] = known

    def _key(self, model: Model, case: Case) -> tuple[str, tuple[str, ...], str]:
        if id(case) not in self._keys:
            self._keys[id(case)] = reference_key(model, case)
        return self._keys[id(case)]

    def without_runtime(self) -> None:
        """Report the cells of consumers that could not be made ready."""
        for model in self._models:
            for consumer in self._consumers:
                if consumer.runtime is None:
                    for case in model.cases or (None,):
                        self._report(
                            Unit(model=model, consumer=consumer), _unready(model, consumer, case)
                        )

    def find_references(self) -> None:
        """Go from the newest consumer to the oldest until every signature has been run somewhere."""
        for consumer in self._reference_candidates():
            units = [
                Unit(model=model, consumer=consumer, check_twice=pending)
                for model in self._models
                if (pending := self._pending(model))
            ]
            # An interrupt outside the generator must end its workers all the same.
            with closing(self._execute(units)) as stream:
                for seen in stream:
                    self._settle(seen)

    def the_rest(self) -> None:
        """Run every unit that no search for a reference has run, and decide what was left open."""
        units = [
            Unit(model=model, consumer=consumer)
            for consumer in self._consumers
            for model in self._models
            if consumer.runtime is not None and (id(model), id(consumer)) not in self._found
        ]
        undecided, self._undecided = self._undecided, []
        for seen in undecided:
            self._judge(seen)
        with closing(self._execute(units)) as stream:
            for seen in stream:
                self._judge(seen)

    def results(self, *, interrupted: bool) -> list[Result]:
        """Return all results in the order of models and consumers."""
        ordered: list[Result] = []
        for model in self._models:
            for consumer in self._consumers:
                have = self._found.get((id(model), id(consumer)), [])
                ordered += sorted(have, key=lambda result: result.cell.signature or "")
                if interrupted:
                    ordered += _not_reached(model, consumer, have)
        return ordered

    def _reference_candidates(self) -> list[Consumer]:
        ready = [consumer for consumer in self._consumers if consumer.runtime is not None]
        wanted = self._options.reference
        if wanted is not None:
            ready = [consumer for consumer in ready if consumer.release == wanted]
        return sorted(ready, key=lambda consumer: consumer.age, reverse=True)

    def _pending(self, model: Model) -> frozenset[str]:
        return frozenset(
            case.signature
            for case in model.cases
            if case.feeds and not self._is_settled(self._key(model, case))
        )

    def _is_settled(self, key: tuple[str, tuple[str, ...], str]) -> bool:
        return key in self._references and self._references[key].is_complete

    def _execute(self, units: Sequence[Unit]) -> Generator[Seen, None, None]:
        groups: dict[tuple[int, bool], list[Unit]] = {}
        runtimes: dict[int, Runtime] = {}
        for unit in units:
            runtime = unit.consumer.runtime
            assert runtime is not None
            runtimes[id(runtime)] = runtime
            groups.setdefault((id(runtime), unit.consumer.loader == "c"), []).append(unit)
        chunks = [
            Chunk(
                runtime=runtimes[key],
                native=native,
                units=members,
                models=tuple(dict.fromkeys(unit.model.path for unit in members)),
            )
            for (key, native), members in groups.items()
        ]
        limits = self._options.limits

        def observe_unit(worker: Worker, unit: Unit) -> list[Seen]:
            return observe(worker, unit, limits)

        with closing(self._execute_units(chunks, observe_unit)) as batches:
            for batch in batches:
                yield from batch

    def _settle(self, seen: Seen) -> None:
        """Take what a candidate did: a reference, a result, or something to decide later."""
        case = seen.case
        if case is None or not seen.verdict.completed:
            return self._judge(seen)
        key = self._key(seen.unit.model, case)
        if not self._is_settled(key) and seen.second is not None:
            made = reference_of(
                seen.unit.consumer.release, seen.verdict, seen.second, self._options.policy
            )
            known = self._references.get(key)
            if made is not None:
                self._references[key] = made if known is None else known.filled_by(made)
        if self._is_settled(key) or not any_refused(seen.verdict):
            return self._judge(seen)
        self._undecided.append(seen)
        self._found.setdefault((id(seen.unit.model), id(seen.unit.consumer)), [])
        return None

    def _judge(self, seen: Seen) -> None:
        unit, case = seen.unit, seen.case
        reference = self._references.get(self._key(unit.model, case)) if case else None
        cell = _cell(unit.model, unit.consumer, case)
        if case is not None and not case.feeds and seen.verdict.completed:
            result = Result(
                cell=cell,
                outcome=Outcome.NOT_RUN,
                stage=Stage.LOAD,
                reason="no-inputs",
                message=case.why_no_feeds or "",
                seconds=seen.verdict.seconds.get("cell", 0.0),
                tensorflow_version=seen.version,
            )
        else:
            result = judge(cell, seen.verdict, reference, self._options.policy, seen.version)
        result = _as_golden_says(result, case)
        result = self._with_ignored_attrs(result, unit, case)
        if result.outcome is Outcome.FAIL and not result.log:
            result = replace(result, log=seen.verdict.log[-LOG:])
        result = self._with_proposal(result, seen)
        self._report(unit, _with_notes(result, unit.model, seen))

    def _with_proposal(self, result: Result, seen: Seen) -> Result:
        """Leave what differs from its golden for somebody to look at."""
        if self._options.proposals is None or result.stage is not Stage.COMPARE:
            return result
        said = self._options.proposals.leave(result, seen)
        return result if said is None else replace(result, notes=(*result.notes, said))

    def _with_ignored_attrs(self, result: Result, unit: Unit, case: Case | None) -> Result:
        """Fail a cell whose consumer drops an attr that means something, even if the values agree."""
        runtime = unit.consumer.runtime
        if case is None or runtime is None or result.stage in {None, Stage.LOAD}:
            return result
        if Version(runtime.release) < IGNORED_SINCE:
            return result
        used = self._attrs_used.get(id(unit.model))
        if used is None:
            used = self._attrs_used[id(unit.model)] = attrs_used(unit.model)
        known = [*self._consumers, *self._candidates]
        newest_first = sorted(known, key=lambda consumer: consumer.age, reverse=True)
        others = dict.fromkeys(c.runtime.ops for c in newest_first if c.runtime is not None)
        try:
            ops = read_ops(runtime.ops)
            found = ignored_attrs(
                unit.model,
                case,
                used,
                ops,
                [read_ops(path) for path in others],
                loader=unit.consumer.loader,
            )
        except InfrastructureError as error:
            # Without the op list nobody knows what was dropped, and a pass would be a guess.
            reason = one_line(f"{error.message} ({error.hint})")
            return replace(result, outcome=Outcome.INFRA_ERROR, causes=(), fix=None, reason=reason)
        return with_ignored(result, found)

    def _report(self, unit: Unit, result: Result) -> None:
        if unit.consumer.runtime is not None:
            said = self._predictions.of(unit.model.meta_graph, result.cell)
            image, gpu = ran_in(unit.consumer)
            result = replace(result, predicted=said, image=image, gpu=gpu)
        self._found.setdefault((id(unit.model), id(unit.consumer)), []).append(result)
        self._on_result(result)


def _known(case: Case) -> Reference | None:
    """Return what a signature's outputs are compared with, where somebody recorded it."""
    against = case.against
    if against is not None and against.cause is not None:
        # It has nothing to be compared with, and nobody is to look for it.
        return Reference(name="golden", outputs=(None,) * len(case.feeds), unstable=against.text)
    if case.expected is None:
        return None
    name = "export" if against is None else "golden"
    return Reference(name=name, outputs=case.expected, against=against)


def _as_golden_says(result: Result, case: Case | None) -> Result:
    """Return a result with the golden that it was compared with; without one it fails where it would be compared."""
    if case is None or case.against is None:
        return result
    result = replace(result, golden=case.against.name)
    wanting = case.against.cause is not None and result.outcome is Outcome.NOT_RUN
    return without_golden(result, case.against) if wanting else result


def _cell(model: Model, consumer: Consumer, case: Case | None) -> Cell:
    return Cell(
        model=model.name,
        path=model.path,
        model_sha256=model.sha256,
        tags=model.tags,
        strip=model.strip,
        producer=model.producer,
        consumer=consumer.release,
        provider=consumer.provider,
        loader=consumer.loader,
        device=consumer.device,
        signature=case.signature if case else None,
    )


def _unready(model: Model, consumer: Consumer, case: Case | None) -> Result:
    return Result(
        cell=_cell(model, consumer, case),
        outcome=consumer.outcome,
        reason=one_line(consumer.reason or ""),
    )


def _not_reached(model: Model, consumer: Consumer, have: Iterable[Result]) -> list[Result]:
    done = {result.cell.signature for result in have}
    if None in done:
        return []
    return [
        Result(cell=_cell(model, consumer, case), outcome=Outcome.NOT_RUN, reason="interrupted")
        for case in model.cases or (None,)
        if (case.signature if case else None) not in done
    ]


def _with_notes(result: Result, model: Model, seen: Seen) -> Result:
    if model.unreadable is not None:
        result = with_unreadable(result, model.unreadable)
    notes = model.notes
    version = seen.version
    if version and version != result.cell.consumer:
        notes += (f"the consumer says that it is TensorFlow {version}",)
    if seen.case is not None and seen.case.stateful is not None:
        notes += (f"its answers may change from call to call: {seen.case.stateful}",)
    notes += seen.verdict.notes
    if seen.verdict.asked_again is not None:
        notes += (f"asked a second time, since the first was lost: {seen.verdict.asked_again}",)
    return replace(result, notes=result.notes + notes)

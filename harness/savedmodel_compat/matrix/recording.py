"""Record goldens: what a named release answers, frozen, with all that tells who it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import SavedModelCompatError, UsageError
from savedmodel_compat.golden import pending
from savedmodel_compat.golden.manifest import Event, Manifest, Source
from savedmodel_compat.golden.store import DataSet, Golden, Key, Store, Written
from savedmodel_compat.matrix import data_sets, goldens, inputs
from savedmodel_compat.matrix.judge import one_line
from savedmodel_compat.matrix.merging import difference, merged, with_new_sets
from savedmodel_compat.matrix.models import Case, Model
from savedmodel_compat.matrix.observe import Seen, Unit, observe
from savedmodel_compat.matrix.proposals import today
from savedmodel_compat.matrix.references import Reference, compare_answers
from savedmodel_compat.runtimes.surroundings import surroundings

if TYPE_CHECKING:
    from savedmodel_compat.golden.tolerances import Policy
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.model import Signature, TensorSpec
    from savedmodel_compat.runtimes.client import Worker
    from savedmodel_compat.runtimes.requests import Limits
    from savedmodel_compat.runtimes.verdicts import Answer, Verdict
    from savedmodel_compat.runtimes.wire import Arrays


class Became(Enum):
    """What became of a golden that was to be recorded."""

    NEW = "new"
    UNCHANGED = "unchanged"
    RENEWED = "renewed"
    GREW = "grew"
    REPLACED = "replaced"
    PROPOSED = "proposed"


class Over(Enum):
    """What may be done to a golden that is there and holds something else."""

    PROPOSE = "propose"
    IF_OFF = "if-off"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of one golden.

    Args:
        key: which.
        became: what.
        notes: what is worth knowing, such as data sets that the signature refused.
    """

    key: Key
    became: Became
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is recorded of a model, and why.

    Args:
        source: what it is recorded from.
        name: what its goldens are called.
        reason: kept in the manifest.
        data_sets: which of them.
        over: what may be done to one that is there and holds something else.
        signature: the only one; None records all.
        typical: where the typical inputs of a model are from, in words.
    """

    source: Source
    name: str
    reason: str
    data_sets: tuple[str, ...] = data_sets.NAMES
    over: Over = Over.PROPOSE
    signature: str | None = None
    typical: str = "made up from the signature"


class RecordingError(SavedModelCompatError):
    """A signature does not give an answer that could be frozen."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Records the goldens of models with what one release answers.

    Args:
        store: where they go.
        consumer: the release that answers; it is ready.
        worker: of that release.
        limits: of each process.
        policy: when two answers are the same.
    """

    store: Store
    consumer: Consumer
    worker: Worker
    limits: Limits
    policy: Policy

    def record(self, model: Model, wanted: Wanted) -> Iterator[Recorded | RecordingError]:
        """Yield what became of the goldens of a model's signatures, each as it is recorded, or why it cannot be.

        Every answer is given twice, by two processes, and what an exporter recorded is compared with what its model answers
        after a reload: an answer that is not the same twice is not frozen.

        Args:
            model: what is run; its own feeds are the typical inputs.
            wanted: what is recorded.

        A signature without inputs, that does not run, or that does not answer the same twice cannot be.

        Raises:
            UsageError: there is no such signature.
        """
        assert self.consumer.runtime is not None
        cases = [case for case in model.cases if wanted.signature in {None, case.signature}]
        if not cases:
            named = f"'{wanted.signature}'" if wanted.signature else "at all"
            raise UsageError(f"{model.name} has no signature {named} to record")
        around = dict(surroundings(self.worker, self.consumer.runtime, self.consumer.device))
        for case in cases:
            try:
                sets, notes = self._answered(model, case, _feeds(model, case, wanted))
            except RecordingError as error:
                yield error
                continue
            key = Key(model=wanted.name, tags=model.tags, signature=case.signature)
            golden = _golden(key, sets, _manifest(key, model, self._label, around, wanted))
            yield self._keep(golden, wanted, notes)

    @property
    def _label(self) -> str:
        one = self.consumer
        return f"{one.release} {one.provider} {one.loader} {one.device}"

    def _answered(
        self, model: Model, case: Case, feeds: Sequence[data_sets.Feed]
    ) -> tuple[list[DataSet], list[str]]:
        """Return the data sets that the release answers the same twice, and what was left out."""
        asked = replace(case, feeds=tuple(feed.inputs for feed in feeds), expected=None)
        unit = Unit(
            model=replace(model, cases=(asked,)),
            consumer=self.consumer,
            check_twice=frozenset((case.signature,)),
        )
        [seen] = observe(self.worker, unit, self.limits)
        _demand_run(model, case, seen)
        second = seen.second.answers if seen.second else ()
        sets, notes = [], []
        for feed, answer, again in zip(feeds, seen.verdict.answers, second, strict=True):
            said = answer
            why = _unusable(answer, again, self.policy)
            exported = _exported(case, feed)
            if why is None and exported is not None:
                why = _unlike_export(exported, answer, self.policy)
                # What the producer computed is the answer; the reload only bore it out.
                said = replace(answer, outputs=exported)
            if why is not None and not feed.optional:
                raise RecordingError(f"{model.name}, signature '{case.signature}': {why}")
            if why is not None:
                notes.append(f"without data set '{feed.name}': {why}")
                continue
            outputs = said.outputs or {}
            sets.append(
                goldens.data_set(
                    feed.name, case, feed.inputs, outputs, dtypes=said.dtypes, why=feed.why
                )
            )
        return sets, notes

    def _keep(self, golden: Golden, wanted: Wanted, notes: Sequence[str]) -> Recorded:
        """Put a golden into the store, beside what is there, over it, or before whoever reviews it."""
        written = self.store.add(golden)
        if written is Written.NEW:
            return Recorded(key=golden.key, became=Became.NEW, notes=tuple(notes))
        there = self.store.read(golden.key)
        if written is Written.UNCHANGED:
            return self._renewed(there, golden, notes)
        whole = merged(there, golden)
        off = self._off(there, golden)
        if not off and wanted.over is not Over.ALWAYS:
            return self._grown(there, golden, whole, notes)
        if wanted.over is Over.PROPOSE:
            label = self._label.replace(" ", "-")
            left = pending.leave(self.store, whole, label, summary=off)
            said = (*notes, off, f"proposed in {left.path}")
            return Recorded(key=golden.key, became=Became.PROPOSED, notes=said)
        self.store.write(whole)
        said = (*notes, off) if off else tuple(notes)
        return Recorded(key=golden.key, became=Became.REPLACED, notes=said)

    def _grown(
        self, there: Golden, golden: Golden, whole: Golden, notes: Sequence[str]
    ) -> Recorded:
        """Keep what is there, which was agreed with, and add what it has not."""
        had = {each.name for each in there.data_sets}
        if {each.name for each in golden.data_sets} <= had:
            said = (*notes, "the answers agree with it within the tolerance")
            return self._renewed(there, golden, said)
        self.store.write(with_new_sets(there, whole))
        return Recorded(key=golden.key, became=Became.GREW, notes=tuple(notes))

    def _renewed(self, there: Golden, golden: Golden, notes: Sequence[str]) -> Recorded:
        """Keep the answers that are there; if they are of another source by now, say so in the manifest."""
        if there.manifest.source == golden.manifest.source:
            return Recorded(key=golden.key, became=Became.UNCHANGED, notes=tuple(notes))
        manifest = replace(
            there.manifest,
            source=golden.manifest.source,
            history=(*there.manifest.history, golden.manifest.history[-1]),
        )
        self.store.renew(Golden(key=there.key, manifest=manifest, data_sets=there.data_sets))
        return Recorded(key=golden.key, became=Became.RENEWED, notes=tuple(notes))

    def _off(self, there: Golden, made: Golden) -> str:
        """Return how data sets of one name differ beyond the golden's tolerance; empty if none does."""
        policy = replace(
            self.policy,
            device=self.consumer.device,
            overrides=there.manifest.overrides,
            checks=there.manifest.checks,
        )
        had = {each.name: each for each in there.data_sets}
        for each in made.data_sets:
            if each.name not in had:
                continue
            said = difference(had[each.name], each, policy)
            if said:
                return f"data set '{each.name}': {said}"
        return ""


def _feeds(model: Model, case: Case, wanted: Wanted) -> list[data_sets.Feed]:
    if not case.feeds:
        raise RecordingError(
            f"{model.name}, signature '{case.signature}': there are no inputs to record: {case.why_no_feeds}",
            hint="give some with --inputs FILE.npz",
        )
    if case.expected is not None and len(case.feeds) > 1:
        # What a call answers may depend on those before it, so that nothing is put between them.
        return [
            data_sets.Feed(
                name=f"call-{number}",
                inputs=feed,
                why=f"call {number} of {len(case.feeds)} that the exporter recorded",
                optional=False,
            )
            for number, feed in enumerate(case.feeds, start=1)
        ]
    said = "as the exporter recorded it" if case.expected else wanted.typical
    # What is made up comes in several sizes and, where the rank is unknown, in several ranks, the likeliest first.
    typical = max(case.feeds, key=_elements)
    made = list(
        data_sets.feeds_of(case, _specs(model, case), typical, names=wanted.data_sets, said=said)
    )
    if not made:
        raise RecordingError(
            f"{model.name}, signature '{case.signature}': it has none of the data sets "
            f"{', '.join(wanted.data_sets)}",
            hint="'one' and 'many' are batches: the first dimension of every input has to be open",
        )
    return made


def _elements(feed: Arrays) -> int:
    return sum(array.size for array in feed.values())


def _specs(model: Model, case: Case) -> dict[str, TensorSpec]:
    assert model.meta_graph is not None
    signature: Signature = model.meta_graph.signatures[case.signature]
    found = signature.inputs.items()
    return {name: dense for alias, spec in found for name, dense in inputs.components(alias, spec)}


def _demand_run(model: Model, case: Case, seen: Seen) -> None:
    """Refuse a release in which a signature does not come through."""
    for verdict in (seen.verdict, seen.second):
        if verdict is not None and verdict.completed and seen.case is not None:
            continue
        raise RecordingError(
            f"{model.name}, signature '{case.signature}', cannot be recorded with "
            f"{seen.unit.consumer.release}: {_end(verdict or seen.verdict)}",
            hint="give inputs that it takes (--inputs FILE.npz), or record it with a release that runs it: "
            "`savedmodel-compat run` tells which do",
        )


def _end(verdict: Verdict) -> str:
    if verdict.failure is not None:
        return one_line(verdict.failure.text)
    refused = [answer.failure.text for answer in verdict.answers if answer.failure is not None]
    if refused:
        return one_line(refused[0])
    return verdict.worker_lost or "its process broke off"


def _unusable(answer: Answer, again: Answer, policy: Policy) -> str | None:
    if answer.outputs is None:
        said = answer.failure.text if answer.failure else "it gave no answer"
        return f"its inputs are refused: {one_line(said)}"
    if not answer.outputs:
        return "it has no outputs"
    first = Reference(name="first", outputs=(answer.outputs,))
    found = compare_answers((again,), first, policy)
    if found.compared and not found.differences:
        return None
    said = found.differences[0].text if found.differences else "it gave none"
    return f"a second process answers something else: {said}"


def _exported(case: Case, feed: data_sets.Feed) -> Arrays | None:
    """Return what the exporter recorded of a feed; None if it is not one of its own."""
    if case.expected is None:
        return None
    pairs = zip(case.feeds, case.expected, strict=True)
    return next((outputs for inputs, outputs in pairs if inputs is feed.inputs), None)


def _unlike_export(exported: Arrays, answer: Answer, policy: Policy) -> str | None:
    reference = Reference(name="export", outputs=(exported,))
    found = compare_answers((answer,), reference, policy)
    if not found.differences:
        return None
    return f"what the exporter recorded is not what its model answers: {found.differences[0].text}"


def _manifest(
    key: Key, model: Model, by: str, around: Mapping[str, Any], wanted: Wanted
) -> Manifest:
    return Manifest(
        model=key.model,
        tags=key.tags,
        signature=key.signature,
        producer=model.producer,
        recorded_by=by,
        source=wanted.source,
        surroundings=around,
        data_sets=(),
        history=(Event(date=today(), what="recorded", reason=wanted.reason, by=by),),
    )


def _golden(key: Key, sets: Sequence[DataSet], manifest: Manifest) -> Golden:
    return Golden(key=key, manifest=manifest, data_sets=tuple(sets))

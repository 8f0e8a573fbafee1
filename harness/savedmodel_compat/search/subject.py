"""What is searched: one model in one release, loaded once, and what it is measured by."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UnsupportedError, WorkerError
from savedmodel_compat.golden.compare import compare
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.ends import cause_and_message
from savedmodel_compat.matrix.judge import one_line
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.runtimes.held import Held
from savedmodel_compat.runtimes.requests import Call, Limits, Live, LoadAndRun

if TYPE_CHECKING:
    from types import TracebackType

    from savedmodel_compat.matrix.exports import Exporter
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.model import MetaGraph, Signature
    from savedmodel_compat.runtimes.client import Worker
    from savedmodel_compat.runtimes.verdicts import Answer, Verdict
    from savedmodel_compat.runtimes.wire import Arrays


_SAVING = 120.0


class DoesNotApplyError(UnsupportedError):
    """There is nothing of a model that a property could be asked about, or no way to ask; it says why."""


class BrokenError(AssertionError):
    """A property does not hold; the text says of what, and how it differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far a search goes.

    Args:
        examples: how many inputs are tried of each signature.
        random: whether each session tries others; else all try the same.
        kept: the folder of the inputs that once failed, which are tried first; None if there is none.
        keep: whether what fails is added there.
        replay: the command that runs one item again.
        edges: whether the edges of dtypes are drawn, where the property allows it.
        batched: whether a model that declares a batch dimension treats rows one by one.
        stateful: whether the model is meant to keep state from one request to the next.
        leave_out: names of properties that are not asked, because it is known that they do not hold.
        seconds: the time that one set of inputs has, and loading.
    """

    examples: int = 200
    random: bool = False
    kept: Path | None = None
    keep: bool = False
    replay: str | None = None
    edges: bool = True
    batched: bool = True
    stateful: bool = False
    leave_out: frozenset[str] = frozenset()
    seconds: float = 10.0


@dataclass(slots=True)
class Tally:
    """What a search has come across.

    Args:
        tried: inputs.
        answered: of those, how many were answered.
        refused: how many were refused by whoever was asked.
        unsteady: what differed in a process with a past, and not in one without.
    """

    tried: int = 0
    answered: int = 0
    refused: int = 0
    unsteady: list[str] = field(default_factory=list)


class Loaded:
    """One signature of a model in one release: it is loaded when it is first asked.

    Args:
        held: the process that has it.
        where: the release and the loader, in words.
    """

    def __init__(self, held: Held, where: str) -> None:
        self._held = held
        self._refused: DoesNotApplyError | None = None
        self.where = where

    def ask(self, feeds: Sequence[Arrays]) -> list[Answer]:
        """Return what the model says of some sets of inputs, one after the other in one process.

        Raises:
            BrokenError: the process crashed.
            TooMuchError: it took too much memory, or too long.
            DoesNotApplyError: the model does not load.
            WorkerError: the release could not be started, or its worker was lost.
        """
        if self._refused is not None:
            # What does not load is asked by every property, and would not load for any.
            raise self._refused
        verdict = self._held.ask(feeds)
        if verdict.worker_lost is not None:
            raise WorkerError(f"the worker of {self.where} was lost: {verdict.worker_lost}")
        if verdict.device_missing is not None:
            raise DoesNotApplyError(verdict.device_missing)
        if verdict.broke_off or verdict.failure is not None:
            self._raise(verdict)
        return list(verdict.answers)

    def renew(self) -> None:
        """Have the next question answered by a process without a past."""
        self._held.renew()

    def close(self) -> None:
        """End its process."""
        self._held.close()

    @property
    def loads(self) -> int:
        """How many processes have loaded it."""
        return self._held.loads

    def _raise(self, verdict: Verdict) -> None:
        if verdict.failure is not None:
            cause, said = "", one_line(verdict.failure.text)
        else:
            cause, said = cause_and_message(verdict)
        if verdict.stage in {None, "load"}:
            self._refused = DoesNotApplyError(
                f"it does not load in {self.where}, which is the matrix' to judge: {said}"
            )
            raise self._refused
        if verdict.failure is not None or cause in {"out-of-memory", "timed-out"}:
            raise TooMuchError(f"{self.where}: {said}")
        raise BrokenError(f"{self.where}: {said}")


class TooMuchError(BrokenError):
    """What was asked takes more memory or time than a question has; a loop of 2**31 rounds is nobody's fault."""


class TookTooMuchError(BrokenError):
    """It is a fault that what was asked takes more memory or time than a question has; each time that is seen takes as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote a model, and can be asked what it was before it was saved.

    Args:
        exporter: whose function it is.
        worker: a Python worker of the producer.
        producer: the release.
        seed: of the weights.
    """

    exporter: Exporter
    worker: Worker
    producer: str
    seed: int


class Subject:
    """One model in one release with one loader, as properties take it.

    Use as a context manager.

    Args:
        model: what is searched; its cases are searched one after the other.
        consumer: where; it is ready.
        worker: of the consumer.
        search: how far.
        limits: of each question; the time is that of the search.
        policy: how answers are compared.
        reference: the consumer whose answers are right, and its worker; None if there is none but this.
        origin: who wrote the model; None if that is not known.
        label: what failures call it.
    """

    def __init__(
        self,
        model: Model,
        consumer: Consumer,
        worker: Worker,
        *,
        search: Search,
        limits: Limits | None = None,
        policy: Policy | None = None,
        reference: tuple[Consumer, Worker] | None = None,
        origin: Origin | None = None,
        label: str | None = None,
    ) -> None:
        self.model = model
        self.consumer = consumer
        self.search = search
        self.policy = policy or Policy(device=consumer.device)
        self.reference = reference
        self.origin = origin
        self.worker = worker
        self.limits = replace(limits or Limits(), seconds=search.seconds)
        self.label = label or f"{model.name} in {where_of(consumer)}"
        self._open = ExitStack()
        self._loaded: dict[tuple[Worker, str], Loaded] = {}

    def __enter__(self) -> Subject:
        """Load nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End its processes."""
        self._open.close()

    def narrowed(self) -> Iterator[Subject]:
        """Yield the subject with each of its signatures alone; what is loaded is shared."""
        for case in self.model.cases:
            one = copy.copy(self)
            one.model = replace(self.model, cases=(case,))
            yield one

    def signatures(self) -> Iterator[Asked]:
        """Yield each signature of the model, ready to be asked.

        Raises:
            DoesNotApplyError: it cannot be read, or has none.
        """
        if self.model.meta_graph is None or not self.model.cases:
            raise DoesNotApplyError(f"{self.model.name} has no signature that can be read")
        for case in self.model.cases:
            yield Asked(self, case, self.model.meta_graph)

    def load(self, case: Case) -> Loaded:
        """Return a signature in the subject's own release."""
        return self._load(self.consumer, self.worker, case)

    def load_reference(self, case: Case) -> Loaded:
        """Return a signature in the release whose answers are right.

        Raises:
            DoesNotApplyError: there is none, or it is the subject itself.
        """
        if self.reference is None:
            raise DoesNotApplyError(f"{where_of(self.consumer)} is the reference itself")
        return self._load(*self.reference, case)

    @contextmanager
    def saved_again(self) -> Iterator[Path]:
        """Yield the model as its loader and the saver of the same API make it anew, in a folder that goes away.

        Raises:
            BrokenError: it cannot be saved.
        """
        with tempfile.TemporaryDirectory(prefix="savedmodel-compat-") as folder:
            made = Path(folder) / "again"
            work = Call(
                file=Path(__file__).parent / "inside" / "saving.py",
                function="save_again",
                arguments={
                    "model": str(self.model.path),
                    "tags": list(self.model.tags),
                    "loader": self.consumer.loader,
                    "directory": str(made),
                },
            )
            verdict = self.worker.call(work, replace(self.limits, seconds=_SAVING))
            if verdict.worker_lost is not None:
                raise WorkerError(f"the worker was lost in saving: {verdict.worker_lost}")
            if verdict.failure is not None:
                raise BrokenError(f"it cannot be saved again: {one_line(verdict.failure.text)}")
            if verdict.broke_off:
                raise BrokenError(f"saving it again: {': '.join(cause_and_message(verdict))}")
            yield made

    def load_other(self, path: Path, case: Case) -> Loaded:
        """Return a signature of the like of the model, from another folder, in the subject's own release."""
        work = replace(self._work(case, self.consumer.loader), model=path)
        return Loaded(self._held(self.worker, work), where_of(self.consumer))

    def load_live(self, case: Case) -> Loaded | None:
        """Return what a signature was before it was saved; None if its exporter does not offer that."""
        if self.origin is None or not case.live:
            return None
        live = Live(
            file=self.origin.exporter.file,
            function=self.origin.exporter.function,
            strip_default_attrs=bool(self.model.strip),
            seed=self.origin.seed,
            tags=self.model.tags,
            signature=case.signature,
            inputs=case.inputs,
            outputs=case.outputs,
        )
        # Some releases have but one way to write, and what is called is the same in both.
        for work in (live, replace(live, strip_default_attrs=not live.strip_default_attrs)):
            held = self._held(self.origin.worker, work)
            verdict = held.ask([])
            if verdict.failure is None or "NotImplementedError" not in verdict.failure.types:
                break
        return Loaded(held, f"what {self.origin.producer} exported")

    def _load(self, consumer: Consumer, worker: Worker, case: Case) -> Loaded:
        key = (worker, case.signature)
        if key not in self._loaded:
            held = self._held(worker, self._work(case, consumer.loader))
            self._loaded[key] = Loaded(held, where_of(consumer))
        return self._loaded[key]

    def _work(self, case: Case, loader: str) -> LoadAndRun:
        return replace(
            work_of(self.model, replace(case, feeds=()), loader),
            signature=case.signature,
            inputs=case.inputs,
            outputs=case.outputs,
        )

    def _held(self, worker: Worker, work: LoadAndRun | Live) -> Held:
        held = Held(worker, work, self.limits)
        self._open.callback(held.close)
        return held


@dataclass(frozen=True, slots=True)
class Asked:
    """One signature of a subject.

    Args:
        subject: whose.
        case: what the matrix knows of it.
        meta_graph: that it is part of.
    """

    subject: Subject
    case: Case
    meta_graph: MetaGraph

    @property
    def signature(self) -> Signature:
        """What the model says of it."""
        return self.meta_graph.signatures[self.case.signature]

    def differences(self, expected: Answer, actual: Answer) -> str | None:
        """Return how an answer differs from the one that is right; None if it does not, or both were refused."""
        if expected.outputs is None and actual.outputs is None:
            return None
        if actual.outputs is None:
            assert actual.failure is not None
            return f"it is refused: {one_line(actual.failure.text)}"
        if expected.outputs is None:
            assert expected.failure is not None
            return f"it is answered, where it should be refused: {one_line(expected.failure.text)}"
        found = compare(
            expected.outputs,
            actual.outputs,
            self.subject.policy,
            expected_dtypes=expected.dtypes,
            actual_dtypes=actual.dtypes,
        )
        return found.differences[0].text if found.differences else None


def where_of(consumer: Consumer) -> str:
    """Return a consumer in words."""
    return f"{consumer.release} ({consumer.provider}, loader {consumer.loader})"

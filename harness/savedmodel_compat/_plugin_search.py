"""From an item of ``savedmodel_subject`` to a subject that properties take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat._plugin_cells import CellRequest, consumer_of, where_of
from savedmodel_compat._plugin_options import as_typed, setting
from savedmodel_compat.errors import UnsupportedError, UsageError, WorkerError
from savedmodel_compat.matrix.runner import find_exporter_in, only
from savedmodel_compat.runtimes import venv
from savedmodel_compat.search.subject import BrokenError, DoesNotApplyError, Origin, Search, Subject

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.runtimes.client import Worker


def search_of(config: pytest.Config, marker: pytest.Mark | None, nodeid: str) -> Search:
    """Return how far an item searches.

    Args:
        config: pytest's.
        marker: the test's.
        nodeid: the item's.

    Raises:
        UsageError: a setting says what cannot be.
    """
    text = setting(config, "examples", marker)
    if not (text.isascii() and text.isdigit()) or not int(text):
        raise UsageError(f"examples is {text!r}, and no number of inputs above 0")
    folder = setting(config, "counterexamples")
    keep = setting(config, "keep") == "true"
    if keep and not folder:
        raise UsageError(
            "what breaks a property is to be kept, and nobody says where",
            hint="name a folder: --savedmodel-counterexamples DIR",
        )
    said = {} if marker is None else marker.kwargs
    kept = config.rootpath / folder if folder else None
    if kept is not None and not kept.is_dir() and (kept.exists() or not keep):
        raise UsageError(
            f"counterexamples '{folder}': there is no folder {kept}",
            hint="mend the name, or have it made: --savedmodel-keep",
        )
    return Search(
        examples=int(text),
        random=setting(config, "random") == "true",
        kept=kept,
        keep=keep,
        replay=shlex.join(["pytest", nodeid, *as_typed(config)]),
        edges=_switch(said, "edges", default=True),
        batched=_switch(said, "batched", default=True),
        stateful=_switch(said, "stateful", default=False),
        leave_out=_properties(said.get("leave_out", ())),
    )


def _switch(said: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = said.get(name, default)
    if not isinstance(value, bool):
        raise UsageError(f"{name} is {value!r}", hint="it is True or False")
    return value


def _properties(said: object) -> frozenset[str]:
    from savedmodel_compat import properties

    if not isinstance(said, str | list | tuple | set | frozenset):
        raise UsageError(f"leave_out is {said!r}", hint="it is the name of a property, or several")
    names = {said} if isinstance(said, str) else set(map(str, said))
    known = [properties.name_of(each) for each in properties.ALL]
    unknown = sorted(names - set(known))
    if unknown:
        raise UsageError(
            f"leave_out: there is no property '{unknown[0]}'",
            hint=f"the properties are {', '.join(known)}",
        )
    return frozenset(names)


def subject_of(runner: Runner, wanted: CellRequest, search: Search) -> Subject:
    """Return the subject of an item.

    Raises:
        UnsupportedError: the consumer, or the producer, is not there.
        SavedModelCompatError: there is no such model, release or signature.
    """
    consumer = consumer_of(runner, wanted)
    worker = _worker(runner, consumer)
    if worker is None:
        raise UnsupportedError(consumer.reason or f"there is no {consumer.release}")
    if wanted.producer is None:
        model = runner.load(wanted.model, seed=wanted.seed)
        on, provider, loader = wanted.on, wanted.provider, wanted.loader
        origin = None
    else:
        model = runner.export(
            wanted.model,
            producer=wanted.producer,
            strip=bool(wanted.strip),
            seed=wanted.seed,
        )
        origin = _origin(runner, wanted)
        # Who wrote it knows best; the library of that release is the quickest way to ask.
        on, provider, loader = wanted.producer, "wheel", "c"
    model = only(model, wanted.signature)
    candidates = runner.consumers(where_of(on, provider, [loader], [wanted.device]))
    return Subject(
        model,
        consumer,
        worker,
        search=search,
        limits=runner.session.options.limits,
        reference=_reference(runner, model, consumer, candidates),
        origin=origin,
        label=wanted.id,
    )


def told(error: Exception) -> None:
    """Raise what pytest shows of what a property raised; return of anything else."""
    if isinstance(error, DoesNotApplyError):
        pytest.skip(f"does not apply: {error.message}")
    if isinstance(error, BrokenError | UsageError):
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    if isinstance(error, WorkerError):
        raise pytest.fail.Exception(f"infra-error: {error}", pytrace=False) from None


def _worker(runner: Runner, consumer: Consumer) -> Worker | None:
    if consumer.runtime is None:
        return None
    return runner.worker(consumer.runtime, native=consumer.loader == "c")


def _origin(runner: Runner, wanted: CellRequest) -> Origin:
    assert wanted.producer is not None
    runtime = venv.make_ready(runner.session.table.get(wanted.producer))
    return Origin(
        exporter=find_exporter_in(runner.root, wanted.model, runner.session.configuration),
        worker=runner.worker(runtime, native=False),
        producer=wanted.producer,
        seed=wanted.seed,
    )


def _reference(
    runner: Runner, model: Model, consumer: Consumer, candidates: list[Consumer]
) -> tuple[Consumer, Worker] | None:
    """Return the newest candidate that loads the model, with its worker; None if that is the consumer itself."""
    same = (consumer.release, consumer.provider, consumer.loader)
    for candidate in sorted(candidates, key=lambda each: each.age, reverse=True):
        if (candidate.release, candidate.provider, candidate.loader) == same:
            return None
        worker = _worker(runner, candidate)
        if worker is not None and _loads(model, candidate, worker):
            return candidate, worker
    return None


def _loads(model: Model, consumer: Consumer, worker: Worker) -> bool:
    from savedmodel_compat.matrix.observe import work_of
    from savedmodel_compat.runtimes.requests import Limits

    return worker.run(work_of(model, None, consumer.loader), Limits()).completed

"""A cell in a container that is there, against provider ``wheel`` and against a container for each cell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from _bench import NEWEST, Bench, case_of, run_cell, run_process, runtime
from _measure import Row, Target, Unit, interleaved, ratio_of, row_of, timed
from _ready import start
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes.base import Provider
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.runtimes.base import Runtime

_SIGNATURE = "serving_default"
_RELEASES = ("1.15.5", "2.11.1", NEWEST)
_EMPTY = ("run", "--rm", "--network=none", "--entrypoint=python3")


def rows(bench: Bench) -> Iterator[Row]:
    """Measure cells of both providers in turn, the start of a container, and a container for each cell.

    Args:
        bench: how much is measured, and with what.
    """
    model = bench.small_model()
    case = case_of(model, _SIGNATURE)
    for release in _RELEASES:
        yield from _warm(bench, release, model, case)
    contained = runtime(NEWEST, Provider.DOCKER)
    taken = interleaved(
        {
            "start": partial(start, contained, native=True),
            "each": timed(partial(_container_a_cell, contained, model, case)),
            "empty": timed(partial(_empty, contained)),
        },
        bench.rounds,
    )
    name = f"container of {NEWEST}"
    yield row_of(f"{name}: start to ready", Unit.MILLISECONDS, taken["start"])
    yield row_of(f"{name} for each cell", Unit.MILLISECONDS, taken["each"])
    yield row_of("`docker run` of an empty Python", Unit.MILLISECONDS, taken["empty"])


def _warm(bench: Bench, release: str, model: Model, case: Case) -> Iterator[Row]:
    with ExitStack() as stack:
        workers = {
            provider: stack.enter_context(Worker(found, native=True, models=(model.path,)))
            for provider in (Provider.WHEEL, Provider.DOCKER)
            if (found := runtime(release, provider))
        }
        taken = interleaved(
            {
                str(provider): timed(partial(run_cell, worker, model, case))
                for provider, worker in workers.items()
            },
            # One cell is soon over, and its share of noise is large.
            3 * bench.rounds,
        )
    name = f"native cell of {release}"
    for provider, sample in taken.items():
        yield row_of(f"{name}, provider {provider}", Unit.MILLISECONDS, sample)
    yield ratio_of(f"{name}, docker / wheel", taken["docker"], taken["wheel"], Target(limit=1.2))


def _container_a_cell(found: Runtime, model: Model, case: Case) -> None:
    with Worker(found, native=True, models=(model.path,)) as worker:
        run_cell(worker, model, case)


def _empty(found: Runtime) -> None:
    client = shutil.which("docker")
    if client is None:
        raise InfrastructureError("there is no command `docker` to compare with")
    assert found.container is not None
    image = found.container.inside(native=True).image.id
    run_process((client, *_EMPTY, image, "-c", "pass"), {})

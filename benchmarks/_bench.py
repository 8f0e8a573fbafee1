"""What all benchmarks work with: models, runtimes, cells on a bare worker, other processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat import config
from savedmodel_compat.errors import InfrastructureError, SavedModelCompatError
from savedmodel_compat.golden.compare import compare
from savedmodel_compat.matrix.observe import work_of
from savedmodel_compat.matrix.session import Session, Where
from savedmodel_compat.runtimes import make_ready, pins
from savedmodel_compat.runtimes.base import Provider, Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.matrix.runner import Runner

ROOT = Path(__file__).resolve().parents[1]
NEWEST = "2.21.0"
LIMITS = Limits()
_PROCESS_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How much is measured, and with what.

    Args:
        runner: exports models and makes consumers ready.
        folder: a temporary folder.
        rounds: of each measurement that counts.
        is_quick: whether matrices are smaller, too.
        cold: the release to build from nothing; None builds none.
    """

    runner: Runner
    folder: Path
    rounds: int
    is_quick: bool
    cold: str | None

    def export(self, exporter: str, producer: str, *, strip: bool = True) -> Model:
        """Export a model, or take what the cache has; no worker of the producer stays behind."""
        model = self.runner.export(exporter, producer=producer, strip=strip)
        self.runner.close()
        return model

    def small_model(self) -> Model:
        """Return y = x * 0.5 + 2 as 2.11.1 exports it with ``SavedModelBuilder``."""
        return self.export("half_plus_two", "2.11.1")

    def consumers(self, releases: Sequence[str]) -> list[Consumer]:
        """Return releases as consumers of provider ``wheel``, all of them ready.

        Raises:
            InfrastructureError: one is not.
        """
        found = self.runner.consumers(Where(on=",".join(releases)))
        for consumer in found:
            if consumer.runtime is None:
                raise InfrastructureError(f"{consumer.release} is not ready: {consumer.reason}")
        return found


def session() -> Session:
    """Return a session with the configuration of this repository."""
    configuration = config.read(ROOT / "pyproject.toml")
    return Session(configuration=configuration, table=pins.load(configuration))


def runtime(release: str, provider: Provider) -> Runtime:
    """Return a release, made ready."""
    return make_ready(pins.load().get(release), provider)


def run_cell(worker: Worker, model: Model, case: Case, loader: str = "c") -> None:
    """Load a model, run one of its signatures and compare with what its producer recorded.

    Raises:
        SavedModelCompatError: it did not answer, or not the same: there is nothing to be timed.
    """
    work = work_of(model, case, loader)
    verdict = worker.run(work, LIMITS)
    where = f"{model.name}, signature '{case.signature}', loader {loader}"
    for answer, expected in zip(verdict.answers, case.expected or (), strict=True):
        if answer.outputs is None:
            raise SavedModelCompatError(f"{where} did not run: {answer.failure}")
        if differences := compare(expected, answer.outputs).differences:
            raise SavedModelCompatError(f"{where}: {differences[0].text}")
    if not verdict.answers:
        raise SavedModelCompatError(f"{where} did not answer: {verdict.failure or verdict.log}")


def case_of(model: Model, signature: str) -> Case:
    """Return the case of one signature."""
    return next(case for case in model.cases if case.signature == signature)


def run_process(command: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    """Run a command to its end and return its standard output.

    Args:
        command: the program and its arguments.
        environment: variables to add to our own.

    Raises:
        InfrastructureError: it failed, or took too long.
    """
    # Without compiled bytecode our own command would be measured as nobody installs it.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROCESS_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"`{command[0]}` did not run: {error}") from error
    if done.returncode != 0:
        raise InfrastructureError(
            f"`{command[0]}` ended with status {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stdout

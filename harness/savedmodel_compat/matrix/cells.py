"""The cell: the unit that is planned, run and reported; and its result."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from savedmodel_compat.golden.compare import Observed


class Outcome(enum.Enum):
    """What became of a cell; nothing else exists."""

    PASS = "pass"  # noqa: S105 - an outcome
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not-run"
    INFRA_ERROR = "infra-error"


class Stage(enum.Enum):
    """How far a cell came."""

    LOAD = "load"
    RUN = "run"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What in the model a cause is about; each is None where the message does not say."""

    op: str | None = None
    attr: str | None = None
    node: str | None = None
    function: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One (model, tags, strip, producer, consumer, provider, loader, device, signature).

    Args:
        model: the model's name.
        path: its folder.
        model_sha256: digest of the folder's files.
        tags: tag set of the MetaGraph.
        strip: whether default-valued attrs were stripped; None if the model does not say.
        producer: release that wrote it; None if it does not say.
        consumer: release that reads it.
        provider: what made the consumer ready.
        loader: which of its loaders.
        device: ``cpu``, a variant of it, or ``gpu``.
        signature: its key; None for a model without signatures, or that failed at load.
    """

    model: str
    path: Path
    model_sha256: str
    tags: tuple[str, ...]
    strip: bool | None
    producer: str | None
    consumer: str
    provider: str
    loader: str
    device: str = "cpu"
    signature: str | None = None

    @property
    def id(self) -> str:
        """A name made of the cell's own fields, the same on every machine and in every run."""
        strip = {True: "stripped", False: "unstripped", None: "unknown"}[self.strip]
        fields = (
            self.model,
            "+".join(self.tags),
            strip,
            self.producer or "unknown",
            self.consumer,
            self.provider,
            self.loader,
            self.device,
            self.signature or "",
        )
        return ":".join(fields)


class Foreseen(enum.Enum):
    """What is predicted to become of a cell."""

    PASS = "pass"  # noqa: S105 - an outcome
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What the model and the registries say of a cell, before it is run.

    Args:
        outcome: that nothing which the registries tell keeps it from passing, or that it fails.
        stage: where it fails, or where the answer is lost; None if it passes.
        causes: ids of why it fails; empty unless it does.
        why: what in the model the release does not take, or why nobody can tell; None if it passes.
    """

    outcome: Foreseen
    stage: Stage | None = None
    causes: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RanIn:
    """The container image that a cell ran in.

    Args:
        name: what it was asked for by.
        id: the digest of its configuration, its identity on every engine.
        digest: under which a registry has it; None for an image that was built.
        base: what an image that was built is built upon; None for others.
    """

    name: str
    id: str
    digest: str | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RanOn:
    """The GPU that a cell ran on: its maker's name of it, and the version of its driver."""

    model: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a cell gave.

    Args:
        cell: the cell.
        outcome: what became of it.
        stage: how far it came; None if it was not started.
        causes: ids of why it failed, most telling first; empty unless it failed.
        reason: why it did not run or is not supported, in words.
        message: one line, TensorFlow's own words where it spoke.
        detail: what in the model the first cause is about.
        fix: what to do about it.
        reference: what the outputs were compared with: ``golden``, ``export`` or a release.
        compared: number of outputs compared, over all sets of inputs.
        seconds: wall-clock time of the cell's process.
        notes: what is worth knowing though it decides nothing.
        tensorflow_version: what the consumer says of itself.
        log: the end of what the cell's process printed, when it failed.
        predicted: what was predicted of it; None where nobody predicts.
        image: the container image that it ran in; None outside of containers.
        gpu: the GPU that it ran on; None on a CPU.
        golden: the name of the golden that it was compared with, or would have been; None if goldens were not asked for.
        observed: how far its outputs are from the reference, each over all sets of inputs; of those that have a tolerance.
        expected: whether it failed as a live expectation says.
    """

    cell: Cell
    outcome: Outcome
    stage: Stage | None = None
    causes: tuple[str, ...] = ()
    reason: str | None = None
    message: str = ""
    detail: Detail = field(default_factory=Detail)
    fix: str | None = None
    reference: str | None = None
    compared: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    tensorflow_version: str | None = None
    log: str = ""
    predicted: Predicted | None = None
    image: RanIn | None = None
    gpu: RanOn | None = None
    golden: str | None = None
    observed: tuple[Observed, ...] = ()
    expected: bool = False

    @property
    def cause(self) -> str | None:
        """The most telling cause."""
        return self.causes[0] if self.causes else None


def count_outcomes(results: list[Result]) -> Mapping[str, int]:
    """Return how many results have each outcome, zeros included."""
    counts = {outcome.value: 0 for outcome in Outcome}
    for result in results:
        counts[result.outcome.value] += 1
    return counts

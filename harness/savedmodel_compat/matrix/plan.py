"""What a matrix is made of besides its models: the consumers, and how their cells are run."""

from __future__ import annotations

from dataclasses import dataclass, field

from packaging.version import Version

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.cells import Outcome, RanIn, RanOn
from savedmodel_compat.matrix.proposals import Proposals
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.labels import BASE
from savedmodel_compat.runtimes.requests import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One release with one loader, ready or not.

    Args:
        release: what was asked for.
        provider: what makes it ready.
        loader: which of its loaders.
        device: ``cpu``, a variant of it, or ``gpu``.
        runtime: the runtime; None if there is none.
        outcome: of all its cells, if there is no runtime.
        reason: why there is none, in words.
    """

    release: str
    provider: str
    loader: str
    device: str
    runtime: Runtime | None = None
    outcome: Outcome = Outcome.UNSUPPORTED
    reason: str | None = None

    @property
    def age(self) -> tuple[bool, Version, bool]:
        """A key that sorts consumers from the oldest to the newest; an unready one is never a reference.

        Of one release a plain CPU comes last: a variant of it is what is to be compared.
        """
        return self.runtime is not None, Version(self.release), self.device == "cpu"


def ran_in(consumer: Consumer) -> tuple[RanIn | None, RanOn | None]:
    """Return the image and the GPU that the cells of a consumer run in and on, as far as there are any."""
    runtime = consumer.runtime
    if runtime is None or runtime.container is None:
        return None, None
    image = runtime.container.inside(native=consumer.loader == "c").image
    base = image.labels.get(BASE)
    said = RanIn(name=image.name, id=image.id, digest=image.digest, base=base)
    gpu = runtime.gpu
    return said, None if gpu is None else RanOn(model=gpu.model, driver=gpu.driver)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a matrix is run.

    Args:
        limits: of each cell.
        policy: how outputs are compared.
        jobs: number of workers at a time.
        reference: the release that is the reference; None takes the newest that runs the model.
        proposals: takes what differs from a golden; None leaves none.
    """

    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    jobs: int = 1
    reference: str | None = None
    proposals: Proposals | None = None

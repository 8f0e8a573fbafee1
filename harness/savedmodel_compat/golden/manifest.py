"""What a golden says of itself: who recorded it from what, where, and what its tensors are.

It is the file ``manifest.json`` in the golden's folder, made to be read and compared by people. Of it, tolerances,
checkers and their reasons may be edited by hand; all else is compared with the files beside it, or refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from savedmodel_compat.golden._statistics import statistics_of
from savedmodel_compat.golden.tensorfile import Stored
from savedmodel_compat.golden.tolerances import Check, Override

NAME = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """What one tensor is.

    Args:
        alias: its name in the signature.
        dtype: TensorFlow's name of the element type.
        shape: its dimensions.
        sha256: of its bytes, as the file of its data set holds them.
        least: the least finite element, of an integer exactly; None for strings, bools and complex
            numbers, and where none is finite.
        most: the greatest.
        mean: of the finite elements, computed in float64.
        nans: how many elements are NaN.
        infinities: how many are infinite.
    """

    alias: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    least: float | None
    most: float | None
    mean: float | None
    nans: int
    infinities: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetFacts:
    """What one data set holds.

    Args:
        name: unique in the golden; its file is named after it.
        inputs: by alias.
        outputs: by alias; never empty.
        why: what the data set is for; may be empty.
    """

    name: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a golden, or a frozen model, was made from.

    Args:
        kind: ``exporter`` or ``model``.
        name: of the exporter as it is called in configuration, or ``FILE.py::function``; or the
            path of the model, as it was given.
        sha256: of the exporter's sources, or of the model's folder.
        strip_default_attrs: how the exporter was asked to export; None for a model.
        seed: what the exporter was given; None for a model.
        frozen: the name of the frozen model that was run; None if there is none.
    """

    kind: str
    name: str
    sha256: str
    strip_default_attrs: bool | None = None
    seed: int | None = None
    frozen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A time when the tensors of a golden changed.

    Args:
        date: the day, such as 2026-02-28.
        what: ``recorded`` or ``accepted``.
        reason: why; only what was recorded first may have none.
        by: the runtime whose answers they are: release, provider, loader and device.
    """

    date: str
    what: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a golden says of itself.

    Args:
        model: its name.
        tags: tag set of the MetaGraph.
        signature: key of the signature.
        producer: the release that wrote the model; None if it does not say.
        recorded_by: the runtime that ran the model: release, provider, loader and device.
        source: what the model was made from.
        surroundings: what that runtime said of itself and of its machine: plain JSON.
        data_sets: never empty.
        overrides: other tolerances than the default ones; edited by hand.
        checks: the outputs that are right in more than one way; edited by hand.
        history: oldest first.
    """

    model: str
    tags: tuple[str, ...]
    signature: str
    producer: str | None
    recorded_by: str
    source: Source
    surroundings: Mapping[str, Any]
    data_sets: tuple[DataSetFacts, ...]
    overrides: tuple[Override, ...] = ()
    checks: tuple[Check, ...] = ()
    history: tuple[Event, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of all that its tensors are; two goldens with one digest hold the same."""
        return digest_of(self.data_sets)


def digest_of(data_sets: Iterable[DataSetFacts]) -> str:
    """Return the SHA-256 of all that the tensors of data sets are, in whatever order."""
    rows = sorted(
        (data_set.name, side, fact.alias, fact.dtype, fact.shape, fact.sha256)
        for data_set in data_sets
        for side, facts in (("inputs", data_set.inputs), ("outputs", data_set.outputs))
        for fact in facts
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def describe(name: str, tensors: Iterable[Stored], *, why: str = "") -> DataSetFacts:
    """Return what a data set holds.

    Args:
        name: of the data set.
        tensors: as `savedmodel_compat.golden.tensorfile` writes or reads them.
        why: what the data set is for.
    """
    facts: dict[str, list[TensorFacts]] = {"inputs": [], "outputs": []}
    for tensor in sorted(tensors, key=lambda tensor: tensor.alias):
        facts[tensor.side].append(facts_of(tensor))
    return DataSetFacts(
        name=name, inputs=tuple(facts["inputs"]), outputs=tuple(facts["outputs"]), why=why
    )


def facts_of(tensor: Stored) -> TensorFacts:
    """Return what one tensor is."""
    found = statistics_of(tensor.array, tensor.dtype)
    return TensorFacts(
        alias=tensor.alias,
        dtype=tensor.dtype,
        shape=tensor.shape,
        sha256=hashlib.sha256(tensor.data).hexdigest(),
        least=found.least,
        most=found.most,
        mean=found.mean,
        nans=found.nans,
        infinities=found.infinities,
    )

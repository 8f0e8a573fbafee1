"""What cells that differ from their goldens leave behind: proposals, for somebody to accept or to reject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import InfrastructureError, UsageError
from savedmodel_compat.golden import pending
from savedmodel_compat.golden.manifest import Event, Source
from savedmodel_compat.golden.store import Golden, Store
from savedmodel_compat.matrix.cells import Outcome
from savedmodel_compat.matrix.goldens import data_set, fitting

if TYPE_CHECKING:
    from savedmodel_compat.golden.store import DataSet
    from savedmodel_compat.matrix.cells import Cell, Result
    from savedmodel_compat.matrix.observe import Seen

VALUES = frozenset(
    ("output-names-differ", "output-dtype-differs", "output-shape-differs", "output-mismatch")
)
"""The causes that say that the answer is another one."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Leaves proposals in a store.

    Args:
        store: the goldens.
        left: the folders of those that were left.
    """

    store: Store
    left: list[Path] = field(default_factory=list, hash=False, compare=False)

    def leave(self, result: Result, seen: Seen) -> str | None:
        """Leave what a cell answered, if it is another answer than its golden's.

        Args:
            result: of the cell.
            seen: what its process did.

        Returns:
            Where it is, or why it could not be left, in words; None if there is nothing to propose.
        """
        case = seen.case
        if case is None or case.against is None or case.against.cause is not None:
            return None
        if result.outcome is not Outcome.FAIL or not VALUES.intersection(result.causes):
            return None
        answers = seen.verdict.answers
        if any(answer.outputs is None for answer in answers):
            return "it proposes nothing, since it refuses some of the golden's inputs"
        data_sets = [
            data_set(name, case, feed, answer.outputs or {}, dtypes=answer.dtypes)
            for name, feed, answer in zip(case.against.data_sets, case.feeds, answers, strict=True)
        ]
        try:
            there = self.store.read(case.against.key)
            golden = _proposed(there, data_sets, result, seen)
            left = pending.leave(self.store, golden, label_of(result.cell), summary=result.message)
        except (InfrastructureError, UsageError) as error:
            return f"its answer could not be left for review: {error.message}"
        self.left.append(left.path)
        return f"its answer is proposed in {left.path}"


def label_of(cell: Cell) -> str:
    """Return what a cell's proposal goes by, beside those of other consumers."""
    return f"{cell.consumer}-{cell.provider}-{cell.loader}-{cell.device}"


def _proposed(there: Golden, data_sets: list[DataSet], result: Result, seen: Seen) -> Golden:
    whys = {each.name: each.why for each in there.data_sets}
    said = tuple(replace(each, why=whys[each.name]) for each in data_sets)
    cell = result.cell
    by = f"{cell.consumer} {cell.provider} {cell.loader} {cell.device}"
    event = Event(
        date=today(),
        what="recorded",
        reason=f"it differs from the golden: {result.message}",
        by=by,
    )
    source = _source(there.manifest.source, cell)
    overrides, checks = fitting(there.manifest, said)
    manifest = replace(
        there.manifest,
        overrides=overrides,
        checks=checks,
        producer=cell.producer,
        source=source,
        surroundings=_around(seen, cell),
        recorded_by=by,
        history=(*there.manifest.history, event),
    )
    return Golden(key=there.key, manifest=manifest, data_sets=said)


def _source(source: Source, cell: Cell) -> Source:
    """Return what was run: a model, which may be another one by now; or what the same exporter wrote."""
    if source.kind != "model" or source.sha256 == cell.model_sha256:
        return source
    # A path of one machine says nothing on another.
    here = cell.path.is_relative_to(Path.cwd())
    name = str(cell.path.relative_to(Path.cwd())) if here else cell.model
    return replace(source, name=name, sha256=cell.model_sha256, frozen=None)


def _around(seen: Seen, cell: Cell) -> Mapping[str, Any]:
    if seen.surroundings is not None:
        return seen.surroundings
    return {"device": cell.device, "tensorflow": {"release": seen.version or cell.consumer}}


def today() -> str:
    """Return the date, as manifests write it."""
    return datetime.now(timezone.utc).date().isoformat()

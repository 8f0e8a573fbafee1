"""Rules T1 to T3: what the releases that a model is to be served with do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.locate import some
from savedmodel_compat.prediction.files import refused
from savedmodel_compat.prediction.outlook import Outlook, outlook_of
from savedmodel_compat.prediction.values import Prediction, Verdict, When

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.values import MetaGraph, SavedModel

_SERVE = frozenset(("serve",))


def chosen(saved: SavedModel, tags: tuple[str, ...] | None) -> MetaGraph:
    """Return the MetaGraph that a loader is asked for.

    Args:
        saved: the model.
        tags: None takes ``serve``, else the first.

    Raises:
        UsageError: no MetaGraph has these tags.
    """
    if tags is not None:
        return saved.meta_graph(tags)
    served = (one for one in saved.meta_graphs if frozenset(one.tags) == _SERVE)
    return next(served, saved.meta_graphs[0])


def outlook(
    subject: Subject,
    findings: Sequence[Finding],
    releases: Sequence[str],
    *,
    tags: tuple[str, ...] | None = None,
    loader: str = "c",
) -> Outlook | None:
    """Return what is predicted of a model; None if its graph cannot be read.

    Args:
        subject: the model.
        findings: what the other rules say of it.
        releases: the targets, oldest first.
        tags: of the MetaGraph; None takes ``serve``, else the first.
        loader: ``c``, ``v1`` or ``v2``.

    Raises:
        UsageError: no MetaGraph has these tags.
    """
    if subject.saved is None:
        return None
    meta_graph = chosen(subject.saved, tags)
    checkpoint = subject.checkpoint
    return outlook_of(
        meta_graph,
        releases,
        lambda release: list(refused(findings, checkpoint, release, saved=subject.saved)),
        loader=loader,
    )


def check(outlook: Outlook | None, releases: Sequence[str]) -> Iterator[Finding]:
    """Yield breaches of T1, T2 and T3, one a release.

    Args:
        outlook: what is predicted; None if nothing can be.
        releases: the targets, oldest first.
    """
    if outlook is None:
        if releases:
            said = f"nothing can be predicted for {some(releases)}: the graph cannot be read"
            yield found("T3", "the model", said, fix="mend the errors above")
        return
    advice = "; ".join(one.words for one in outlook.advice) or None
    for prediction in outlook.predictions:
        where = f"TensorFlow {prediction.release}"
        yield from _of_load(prediction, where, advice)
        yield from _of_runs(prediction, where, advice)
        yield from _of_attrs(prediction, where, advice)


def _of_load(prediction: Prediction, where: str, advice: str | None) -> Iterator[Finding]:
    if prediction.loads is Verdict.UNKNOWN:
        said = f"whether it loads is unknown: {prediction.doubt}"
        yield found(
            "T3", where, said, fix="try it: savedmodel-compat run MODEL --on " + prediction.release
        )
    if prediction.loads is Verdict.NO:
        reasons = [r for r in prediction.reasons if r.certain and r.when is When.LOAD]
        said = "; ".join(f"{reason.cause}: {reason.message} ({reason.where})" for reason in reasons)
        yield found("T1", where, f"does not load: {said}", fix=advice)


def _of_runs(prediction: Prediction, where: str, advice: str | None) -> Iterator[Finding]:
    for signature, verdict in prediction.runs.items():
        reasons = [r for r in prediction.reasons if signature in r.signatures]
        if verdict is Verdict.YES or not reasons:
            continue
        said = f"{reasons[0].cause}: {reasons[0].message} ({reasons[0].where})"
        if verdict is Verdict.NO:
            yield found("T1", where, f"signature '{signature}' does not run: {said}", fix=advice)
        else:
            said = f"whether signature '{signature}' runs is unknown: {said}"
            yield found(
                "T3",
                where,
                said,
                fix="try it: savedmodel-compat run MODEL --on " + prediction.release,
            )


def _of_attrs(prediction: Prediction, where: str, advice: str | None) -> Iterator[Finding]:
    if prediction.loads is Verdict.NO:
        return
    for attr in prediction.ignored:
        if attr.is_telling:
            value = "" if attr.value is None else f"={attr.value}"
            said = (
                f"ignores {attr.op}.{attr.attr}{value}, which is not the default (node {attr.node})"
            )
            yield found("T2", where, said, fix=advice)

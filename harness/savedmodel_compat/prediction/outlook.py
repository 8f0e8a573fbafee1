"""Where a model will load: the releases that were asked for, the oldest that will do, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.predict import Predictor
from savedmodel_compat.prediction.usage import SAVE
from savedmodel_compat.prediction.values import Prediction, Reason, Verdict, When
from savedmodel_compat.registry import snapshots

if TYPE_CHECKING:
    from savedmodel_compat.model.values import MetaGraph

Refused = Callable[[str], Sequence[Reason]]

# Of these the op, or the attr, says all.
_NAMED = frozenset(("op-not-registered", "attr-unknown"))
# What the files of a model cause, not its graph.
_OF_FILES = frozenset(
    ("file-missing", "file-damaged", "variable-missing", "asset-missing", "init-failed")
)
# Reference variables have none of these.
_VARIABLE_OPS = frozenset(
    ("AssignVariableOp", "ReadVariableOp", "VarHandleOp", "VarIsInitializedOp")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The oldest release from which on every pinned one loads a model.

    Args:
        release: the pin; None if the newest does not load it.
        refusing: the newest pin that does not load it; None if all do.
        reason: why that one does not; None if all do, or if nobody can tell.
    """

    release: str | None
    refusing: str | None
    reason: Reason | None

    @property
    def words(self) -> str:
        """Return it as a sentence."""
        if self.refusing is None:
            return "every pinned TensorFlow loads it"
        because = _because(self.reason)
        if self.release is None:
            return f"{self.refusing}, the newest pinned TensorFlow, does not load it, {because}"
        return f"needs TensorFlow >= {minor(self.release)}, {because} ({self.refusing} refuses it)"


def _because(reason: Reason | None) -> str:
    if reason is None:
        return "for a reason that the model does not tell"
    if reason.op is None or reason.node is None:
        return f"because {reason.message}"
    inside = reason.function or f"node {reason.node}"
    if reason.cause in _NAMED:
        attr = f".{reason.attr}" if reason.attr else ""
        return f"because of {reason.op}{attr} in {inside}, {reason.place.words}"
    return f"because {reason.message}, in {inside}, {reason.place.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something that would help.

    Args:
        what: to do.
        releases: the targets that would then load it; empty if it cannot be told.
    """

    what: str
    releases: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return it as a sentence."""
        if not self.releases:
            return self.what
        return f"{self.what}: it would then load in {', '.join(self.releases)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is said of one MetaGraph.

    Args:
        tags: its tag set.
        loader: ``c``, ``v1`` or ``v2``.
        predictions: one a target, in the order of the targets.
        floor: over all pins, whatever the targets.
        advice: for the targets that do not load it, or that run it otherwise.
    """

    tags: tuple[str, ...]
    loader: str
    predictions: tuple[Prediction, ...]
    floor: Floor
    advice: tuple[Advice, ...]


def outlook_of(
    meta_graph: MetaGraph,
    targets: Sequence[str],
    refused: Refused | None = None,
    *,
    loader: str = "c",
) -> Outlook:
    """Return where a MetaGraph will load.

    Args:
        meta_graph: the MetaGraph.
        targets: releases, oldest first.
        refused: tells why a release does not load it, or may not, for what its files are.
        loader: ``c``, ``v1`` or ``v2``.
    """
    predictor = Predictor(meta_graph)
    pins = [release for release in snapshots.releases() if loaders.has(loader, release)]
    every = {
        release: with_files(predictor.predict(release, loader), refused(release) if refused else ())
        for release in dict.fromkeys((*targets, *pins))
    }
    predictions = [every[release] for release in targets]
    floor = _floor([every[release] for release in pins])
    return Outlook(
        tags=meta_graph.tags,
        loader=loader,
        predictions=tuple(predictions),
        floor=floor,
        advice=tuple(_advice(predictor, predictions, floor)),
    )


def minor(release: str) -> str:
    """Return ``2.10`` of ``2.10.1``."""
    version = Version(release)
    return f"{version.major}.{version.minor}"


def with_files(prediction: Prediction, refused: Sequence[Reason]) -> Prediction:
    """Return a prediction that takes into account why a release does not load a model for what its files are."""
    if not refused:
        return prediction
    certain = any(reason.certain for reason in refused)
    loads = prediction.loads
    if loads is not Verdict.NO:
        loads = Verdict.NO if certain else Verdict.UNKNOWN
    return replace(
        prediction,
        loads=loads,
        reasons=(*prediction.reasons, *refused),
        runs={} if loads is Verdict.NO else prediction.runs,
        doubt=refused[0].message if loads is Verdict.UNKNOWN else prediction.doubt,
    )


def _floor(every: Sequence[Prediction]) -> Floor:
    """Return the floor, of predictions for all pins, oldest first."""
    last: Prediction | None = None
    release: str | None = None
    for prediction in every:
        if prediction.loads is not Verdict.YES:
            last, release = prediction, None
        elif release is None:
            release = prediction.release
    if last is None:
        return Floor(release=release, refusing=None, reason=None)
    certain = [reason for reason in last.reasons if reason.when is When.LOAD]
    return Floor(release=release, refusing=last.release, reason=certain[0] if certain else None)


def _advice(
    predictor: Predictor, predictions: Sequence[Prediction], floor: Floor
) -> Iterator[Advice]:
    failing = [one for one in predictions if one.loads is Verdict.NO]
    if failing and floor.release is None and _is_of_files(floor.reason):
        yield Advice(what="mend the model first: its own files keep every release from loading it")
        return
    yield from _rewrites(predictor, [one for one in failing if not _is_kept_by_files(one)])
    reasons = [reason for one in failing for reason in one.reasons if reason.when is When.LOAD]
    if any(reason.cause == "device-not-available" for reason in reasons):
        yield Advice(what="export with clear_devices=True: nodes are pinned to devices")
    yield from _libraries(reasons)
    telling = any(attr.is_telling for one in predictions for attr in one.ignored)
    if (failing or telling) and floor.release is not None and floor.refusing is not None:
        newer = f"TensorFlow {minor(floor.release)} or later"
        yield Advice(what=f"upgrade the consumer to {newer}, all of which load it")
    elif telling:
        yield Advice(
            what="upgrade the consumer to one that knows the attrs, or export with the release that serves"
        )


def _is_kept_by_files(prediction: Prediction) -> bool:
    """Whether a release refuses the model's files, whatever its graph is."""
    return any(reason.certain and _is_of_files(reason) for reason in prediction.reasons)


def _is_of_files(reason: Reason | None) -> bool:
    return reason is not None and reason.op is None and reason.cause in _OF_FILES


def _rewrites(predictor: Predictor, failing: Sequence[Prediction]) -> Iterator[Advice]:
    """Yield the ways of writing the model again that help, the least work first, each only if it is needed."""
    left = [one.release for one in failing]
    loader = failing[0].loader if failing else "c"
    strip = "strip it (savedmodel-compat strip MODEL DEST)"
    builder = (
        "export from graph mode (tf.compat.v1, which Keras 3 has not) with the v1 builder"
        " (tf.compat.v1.saved_model.Builder, strip_default_attrs=True): it"
        " writes no traced functions for saving, and none that no signature reaches"
    )
    ways = [(strip, True, 0)]
    if predictor.usage.has_objects:
        ways.append((builder, True, SAVE))
    for what, stripped, without in ways:
        helped = [
            release
            for release in left
            if _helps(
                predictor.predict(release, loader, stripped=stripped, without=without), without
            )
        ]
        if helped:
            yield Advice(what=what, releases=tuple(helped))
            left = [release for release in left if release not in helped]
    only_save = SAVE if predictor.usage.has_objects else 0
    at_best = [
        predictor.predict(release, loader, stripped=True, without=only_save) for release in left
    ]
    helped = [one.release for one in at_best if _is_of_variables(one)]
    if helped:
        yield Advice(
            what="export from graph mode (tf.compat.v1, which Keras 3 has not) with reference variables"
            " (use_resource=False) through the v1 builder, strip_default_attrs=True: stripping alone leaves"
            " attrs of resource variables",
            releases=tuple(helped),
        )


def _helps(prediction: Prediction, without: int) -> bool:
    """Whether a way of writing the model again makes a release load it.

    Args:
        prediction: of the model as it would be.
        without: what it would be without; then bodies of functions become part of the graph, and what
            a release would come upon in a run it comes upon at load.
    """
    return prediction.loads is Verdict.YES and not (without and prediction.reasons)


def _is_of_variables(prediction: Prediction) -> bool:
    """Whether nothing but attrs of resource variables keeps a release from loading and running it."""
    reasons = prediction.reasons
    return bool(reasons) and all(
        reason.cause == "attr-unknown" and reason.op in _VARIABLE_OPS for reason in reasons
    )


def _libraries(reasons: Sequence[Reason]) -> Iterator[Advice]:
    from savedmodel_compat.registry.op_libraries import library_of

    seen: set[str] = set()
    for reason in reasons:
        library = (
            library_of(reason.op) if reason.cause == "op-not-registered" and reason.op else None
        )
        if library is not None and library.name not in seen:
            seen.add(library.name)
            yield Advice(what=f"load {library.name} first, which has {reason.op}: {library.advice}")

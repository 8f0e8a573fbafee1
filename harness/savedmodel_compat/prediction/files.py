"""What a model's own files keep every release from: the findings of the static rules, as reasons of a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from savedmodel_compat.checks.rules import Severity
from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.values import Place, Reason

if TYPE_CHECKING:
    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.model.checkpoint import Checkpoint
    from savedmodel_compat.model.values import SavedModel

# What the restore op of every release refuses, and with which cause.
_REFUSED = {"M7": "variable-missing"}
# What a release refuses when it comes upon it: a part that nothing reads does no harm.
_DOUBTED = {
    "L3": "file-missing",
    "L4": "asset-missing",
    "L9": "file-missing",
    "L16": "file-missing",
    "M2": "attr-missing",
    "M3": "init-failed",
    "M4": "variable-missing",
    "M10": "function-missing",
    "M11": "node-inputs-changed",
    "M18": "attr-missing",
    "M19": "device-not-available",
    "L22": "file-damaged",
    "V1": "file-damaged",
    "V2": "file-damaged",
    "V3": "file-damaged",
    "V4": "file-damaged",
}


def refused(
    findings: Iterable[Finding],
    checkpoint: Checkpoint | None,
    release: str,
    *,
    saved: SavedModel | None = None,
) -> Iterator[Reason]:
    """Yield why a release does not load a model, or may not, whatever it knows: first what is certain.

    Args:
        findings: what the static rules say of the model.
        checkpoint: its variables; None if it has none, or they cannot be read.
        release: such as ``2.11.1``.
        saved: what its graph file holds; None if that does not parse.
    """
    if saved is not None and saved.format == "pbtxt":
        yield from _of_text(saved, release)
    if checkpoint is not None and checkpoint.is_packed:
        reads = loaders.READS_PACKED_TABLES.at(release)
        if not reads:
            said = "variables.index is compressed, which this release cannot read"
            yield _reason("file-damaged", said, certain=reads is False)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    for causes, certain in ((_REFUSED, True), (_DOUBTED, False)):
        for finding in errors:
            if finding.rule in causes:
                said = f"{finding.where} has a fault ({finding.rule})"
                yield _reason(causes[finding.rule], said, certain=certain)


def _of_text(saved: SavedModel, release: str) -> Iterator[Reason]:
    """Yield why a release does not read a model in text, or may not: a field that it does not know makes it unreadable."""
    name = saved.file.name
    if any(one.stripped_default_attrs for one in saved.meta_graphs):
        knows = loaders.KNOWS_STRIPPED.at(release)
        if not knows:
            said = (
                f"{name} has the field 'stripped_default_attrs', which this release does not know: that makes a text unreadable,"
                " while in saved_model.pb it is passed over"
            )
            yield _reason("file-damaged", said, certain=knows is False)
    if _is_newer(saved, release):
        said = f"{name} is of a newer release, and a field that this one does not know makes it unreadable"
        yield _reason("file-damaged", said, certain=False)


def _is_newer(saved: SavedModel, release: str) -> bool:
    """Whether a model was written by a release after another; True if it does not say."""
    try:
        written = [Version(one.tensorflow_version) for one in saved.meta_graphs]
    except InvalidVersion:
        return True
    return max(written) > Version(release)


def _reason(cause: str, message: str, *, certain: bool) -> Reason:
    return Reason(cause=cause, certain=certain, place=Place.RESTORE, message=message)

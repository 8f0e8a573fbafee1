"""From a model's folder to findings: read each part once, ask every rule, order what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.checks import (
    graphs,
    identity,
    layout,
    meta_graphs,
    signatures,
    variables,
    warmup,
)
from savedmodel_compat.checks.findings import Finding, Severity
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError
from savedmodel_compat.model import tree
from savedmodel_compat.model.locate import model_file
from savedmodel_compat.model.reader import read

if TYPE_CHECKING:
    from savedmodel_compat.model.checkpoint import Checkpoint
    from savedmodel_compat.model.values import SavedModel

CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    layout.check,
    identity.check,
    meta_graphs.check,
    graphs.check,
    signatures.check,
    variables.check,
    warmup.check,
)
_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the rules say of one model.

    Args:
        path: its folder.
        findings: worst first, then by rule, then by place.
        checkpoint: its variables; None if it has none, or they cannot be read.
        seconds: that it took.
    """

    path: Path
    findings: tuple[Finding, ...]
    checkpoint: Checkpoint | None
    seconds: float


def check(
    folder: Path | str,
    *,
    tensor_data: bool = True,
    progress: Callable[[int], None] = lambda size: None,  # noqa: ARG005
) -> Report:
    """Return what every rule says of one model.

    Args:
        folder: the model's own folder.
        tensor_data: whether to verify the checksums of the tensors' data.
        progress: told of every stretch of that data, in bytes.
    """
    started = time.perf_counter()
    subject = look(Path(folder), tensor_data=tensor_data, progress=progress)
    found = [finding for rule in CHECKS for finding in rule(subject)]
    found.sort(key=lambda f: (_ORDER.index(f.severity), _number(f.rule), f.where, f.message))
    return Report(
        path=subject.root,
        findings=tuple(found),
        checkpoint=subject.checkpoint,
        seconds=time.perf_counter() - started,
    )


def look(folder: Path, *, tensor_data: bool, progress: Callable[[int], None]) -> Subject:
    """Read a model's parts, each as far as it goes."""
    entries = tree.walk(folder)
    saved, damage = _saved(folder)
    checkpoint, checkpoint_damage = _checkpoint(folder, entries)
    return Subject(
        root=folder,
        tree=entries,
        saved=saved,
        damage=damage,
        checkpoint=checkpoint,
        checkpoint_damage=checkpoint_damage,
        tensor_data=tensor_data,
        progress=progress,
    )


def _saved(folder: Path) -> tuple[SavedModel | None, SavedModelCompatError | None]:
    if model_file(folder) is None:
        return None, None
    try:
        return read(folder), None
    except SavedModelCompatError as error:
        return None, error


def _checkpoint(
    folder: Path, entries: tree.Tree
) -> tuple[Checkpoint | None, SavedModelCompatError | None]:
    try:
        return variables.checkpoint_of(folder, entries), None
    except DamagedModelError as error:
        return None, error


def _number(rule: str) -> tuple[str, int]:
    return rule[0], int(rule[1:])

"""From a model's folder to findings: read each part once, ask every rule, order what they say."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.checks import (
    graphs,
    identity,
    layout,
    meta_graphs,
    serving,
    signatures,
    targets,
    variables,
    warmup,
)
from savedmodel_compat.checks.findings import Finding, Severity
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError, UsageError
from savedmodel_compat.model import tree
from savedmodel_compat.model.locate import model_file
from savedmodel_compat.model.reader import read
from savedmodel_compat.prediction.files import refused
from savedmodel_compat.prediction.values import Reason

if TYPE_CHECKING:
    from savedmodel_compat.model.checkpoint import Checkpoint
    from savedmodel_compat.model.values import SavedModel
    from savedmodel_compat.prediction.outlook import Outlook, Refused

CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    layout.check,
    identity.check,
    meta_graphs.check,
    graphs.check,
    signatures.check,
    variables.check,
    warmup.check,
)
_FAIL_ON = {
    "error": (Severity.ERROR,),
    "warning": (Severity.ERROR, Severity.WARNING),
}
# Rules whose breach leaves bytes of the variables unread, or wrong.
_OF_DATA = {"L3", "L9", "L16", "L22", "L23", "V1", "V2", "V3"}
_ORDER = {severity: rank for rank, severity in enumerate(Severity)}


def _silent(size: int) -> None:
    """Take notice of nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How models are checked.

    Args:
        serving: whether paths are base folders of TensorFlow Serving.
        tensor_data: whether the checksums of the tensors' data are verified.
        policy: rules that are turned off or up.
        progress: told of every stretch of data that was verified, in bytes.
        targets: the releases that the models are to be served with, oldest first.
        tags: of the MetaGraph that they are to load; None takes ``serve``, else the first.
        loader: with which they are to load it, ``c``, ``v1`` or ``v2``.
    """

    serving: bool = False
    tensor_data: bool = True
    policy: Policy = field(default_factory=Policy)
    progress: Callable[[int], None] = _silent
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    loader: str = "c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the rules say of one model.

    Args:
        name: what the report calls it.
        path: its folder, or the path that was given if there is no model.
        findings: worst first, then by rule, then by place.
        version: the version that TensorFlow Serving would serve; None if it is no base folder.
        checkpoint: its variables; None if it has none, or they cannot be read.
        tensor_data: whether the tensors' data were to be verified.
        is_whole: whether no rule found that data are missing or wrong, shown or not.
        seconds: that it took.
        graph_read: whether the graph file parsed, so that its rules could speak.
        error: why there is nothing to check; None if there is.
        faults: the tracebacks of rules that failed, which is ours; what the others say stands.
        skipped: why it is no model at all and was passed over in a folder of models; empty for a
            model.
        outlook: what is predicted for the targets; None if there are none, or nothing can be.
    """

    name: str
    path: Path
    findings: tuple[Finding, ...] = ()
    version: int | None = None
    checkpoint: Checkpoint | None = None
    tensor_data: bool = True
    is_whole: bool = True
    seconds: float = 0.0
    graph_read: bool = False
    error: SavedModelCompatError | None = None
    faults: tuple[str, ...] = ()
    skipped: str = ""
    outlook: Outlook | None = None

    def count(self, severity: Severity) -> int:
        """Return how many findings have a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def failing(self, fail_on: str = "error") -> tuple[Finding, ...]:
        """Return the findings at or above a severity.

        Args:
            fail_on: ``error`` or ``warning``.

        Raises:
            UsageError: it is neither.
        """
        if fail_on not in _FAIL_ON:
            raise UsageError(
                f"'{fail_on}' is nothing to fail on", hint=f"{' or '.join(_FAIL_ON)} is"
            )
        return tuple(f for f in self.findings if f.severity in _FAIL_ON[fail_on])

    @property
    def is_verified(self) -> bool:
        """Whether every byte of the variables was read, and is what the index says."""
        read = self.tensor_data and self.checkpoint is not None and not self.faults
        return read and self.is_whole

    @property
    def badness(self) -> tuple[int, ...]:
        """What to sort by, worst last."""
        broken = 2 * bool(self.faults) + (self.error is not None)
        return (not self.skipped, broken, *(self.count(severity) for severity in Severity))


def check(path: Path | str, options: Options | None = None) -> Report:
    """Return what every rule says of one model.

    Args:
        path: its folder, or a base folder of TensorFlow Serving, of which the version is checked
            that would be served.
        options: None takes the defaults.

    Raises:
        NotASavedModelError: there is no SavedModel; one that is damaged is a finding.
        UsageError: the folder holds several models.
    """
    options = options or Options()
    places = [p for p in serving.expand(path, serving=options.serving) if not p.skipped]
    if len(places) != 1:
        raise UsageError(
            f"{path} holds {len(places)} models, and one is asked for",
            hint=f"name one of them, such as {places[0].folder or places[0].base}",
        )
    report = _check_place(places[0], options)
    if report.faults:
        raise SavedModelCompatError(f"{path}: a rule failed\n{report.faults[0]}")
    return report


def check_all(paths: Iterable[Path | str], options: Options) -> list[Report]:
    """Return what every rule says of several models, worst first; none of them stops the others.

    Args:
        paths: folders of models, base folders of TensorFlow Serving, or folders of such folders. A
            model that several of them mean is checked once.
        options: see `Options`.
    """
    seen: set[str] = set()
    reports = [report for path in paths for report in _reports(path, options, seen)]
    return sorted(reports, key=lambda r: ([-n for n in r.badness], _natural(r.name)))


def _reports(path: Path | str, options: Options, seen: set[str]) -> Iterator[Report]:
    try:
        places = serving.expand(path, serving=options.serving)
    except SavedModelCompatError as error:
        yield Report(name=Path(path).name or str(path), path=Path(path), error=error)
        return
    for place in places:
        real = os.path.realpath(place.folder or place.base or place.name)
        if real not in seen:
            seen.add(real)
            yield _check_place(place, options)


def _check_place(place: serving.Place, options: Options) -> Report:
    started = time.perf_counter()
    found = list(place.findings)
    faults: list[str] = []
    subject = None
    if place.folder is not None:
        try:
            subject = look(place.folder, options)
        except Exception:  # noqa: BLE001 - said as our own fault, and the other models go on
            faults.append(traceback.format_exc())
    if subject is not None:
        for rule in CHECKS:
            try:
                found.extend(rule(subject))
            except Exception:  # noqa: BLE001 - as above, and the other rules go on
                faults.append(traceback.format_exc())
    outlook, error = None, None
    if subject is not None and options.targets:
        try:
            outlook = targets.outlook(
                subject, found, options.targets, tags=options.tags, loader=options.loader
            )
            found.extend(targets.check(outlook, options.targets))
        except UsageError as raised:
            error = raised
        except Exception:  # noqa: BLE001 - as above
            faults.append(traceback.format_exc())
    return Report(
        name=place.name,
        path=place.folder or place.base or Path(place.name),
        findings=tuple(sorted(options.policy.judge(found), key=_rank)),
        version=place.version,
        checkpoint=subject.checkpoint if subject else None,
        tensor_data=options.tensor_data,
        is_whole=not any(map(_is_of_data, found)),
        seconds=time.perf_counter() - started,
        graph_read=subject is not None and subject.saved is not None,
        faults=tuple(faults),
        skipped=place.skipped,
        outlook=outlook,
        error=error,
    )


def refusals_of(folder: Path) -> Refused:
    """Return what a model's own files keep releases from, by release, without reading the variables' data.

    Args:
        folder: the model's.
    """
    subject = look(folder, Options(tensor_data=False))
    found: list[Finding] = []
    faults: list[str] = []
    for rule in CHECKS:
        try:
            found.extend(rule(subject))
        except Exception as error:  # noqa: BLE001 - said with every prediction, and the cells run all the same
            faults.append(f"a rule failed, which is a fault of savedmodel-compat: {error!r}")
    checkpoint, saved = subject.checkpoint, subject.saved

    def reasons(release: str) -> list[Reason]:
        ours = [Reason(cause="unclassified", certain=False, message=fault) for fault in faults]
        return [*refused(found, checkpoint, release, saved=saved), *ours]

    return reasons


def look(folder: Path, options: Options) -> Subject:
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
        tensor_data=options.tensor_data,
        progress=options.progress,
    )


def _saved(folder: Path) -> tuple[SavedModel | None, SavedModelCompatError | None]:
    if model_file(folder) is None:
        return None, None
    try:
        return read(folder, tensor_data=False), None
    except SavedModelCompatError as error:
        return None, error


def _checkpoint(
    folder: Path, entries: tree.Tree
) -> tuple[Checkpoint | None, SavedModelCompatError | None]:
    try:
        return variables.checkpoint_of(folder, entries), None
    except DamagedModelError as error:
        return None, error


def _is_of_data(finding: Finding) -> bool:
    """Whether a finding leaves bytes of the variables unread, or is about wrong ones."""
    return finding.rule in _OF_DATA and (finding.file or finding.where).startswith("variables")


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return what sorts m2 before m10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _rank(finding: Finding) -> tuple[int, str, int, str, str]:
    rule = finding.rule
    return (_ORDER[finding.severity], rule[0], int(rule[1:]), finding.where, finding.message)

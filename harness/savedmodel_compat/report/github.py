"""Findings as annotations of a GitHub workflow: commands that the runner reads from the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.checks.rules import BY_ID, Severity
from savedmodel_compat.report._services import file_of, lines_of, named, problems
from savedmodel_compat.report.check import as_text
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report

# Of each kind, the runner shows this many in a step and drops the rest.
LIMIT = 10
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_annotations(reports: Sequence[Report], *, root: Path) -> str:
    """Return one workflow command a line, at most ten of a severity, worst models first.

    What there is besides follows as lines of the log, and at the end stands the summary.

    Args:
        reports: one a model, worst first.
        root: the checked-out repository, if ``GITHUB_WORKSPACE`` does not say; files in it are named
            relative to it.
    """
    commands, rest = _parted(reports, root)
    if rest:
        rest.insert(0, f"{len(rest)} more, for a step shows {LIMIT} annotations of a kind:")
    return "\n".join([*commands, *map(_logged, [*rest, *_summary(reports)])])


def _parted(reports: Sequence[Report], root: Path) -> tuple[list[str], list[str]]:
    """Return the annotations, and what is beyond their limit in plain words."""
    left = dict.fromkeys(Severity, LIMIT)
    commands: list[str] = []
    rest: list[str] = []
    for severity, command, words in _told(reports, root):
        if left[severity]:
            left[severity] -= 1
            commands.append(command)
        else:
            rest.append(words)
    return commands, rest


def _told(reports: Sequence[Report], root: Path) -> Iterator[tuple[Severity, str, str]]:
    """Yield everything that there is to tell: how bad it is, as an annotation, and in plain words."""
    for report, text in problems(reports):
        command = _command("error", _named(report.path, root), "not checked", text)
        last = (
            text.strip().rpartition("\n")[2]
            if report.faults
            else str(report.error and report.error.message)
        )
        yield Severity.ERROR, command, f"error   not checked: {report.path}: {last}"
    for report in reports:
        for finding in report.findings:
            head = f"{finding.severity.value:<8}{finding.rule:<4}"
            place = _named(file_of(report, finding), root)
            words = f"{head} {report.name}: {finding.where}: {finding.message}; fix: {finding.fix} ({place})"
            yield finding.severity, _annotation(report, finding, place), words


def _annotation(report: Report, finding: Finding, place: str) -> str:
    return _command(
        _COMMANDS[finding.severity],
        place,
        f"{finding.rule}: {BY_ID[finding.rule].title}",
        f"{report.name}: {finding.where}: {finding.message}\nfix: {finding.fix}",
    )


def _summary(reports: Sequence[Report]) -> list[str]:
    """Return the end of the text report; of a single model, its verdict is all the end there is."""
    lines = as_text(reports).split("\n")
    if "" in lines[1:]:
        lines = lines[lines.index("", 1) + 1 :]
    return [line for line in lines if line and not line.startswith(" ")] or ["no model was checked"]


def _logged(text: str) -> str:
    """Return a line of the log that no runner takes for a command (``ActionCommand.cs`` of actions/runner)."""
    line = printable(text).replace("##[", "## [")
    return f"| {line}" if line.lstrip().startswith("::") else line


def _command(kind: str, file: str, title: str, message: str) -> str:
    return f"::{kind} file={_property(file)},title={_property(title)}::{_data(message)}"


def _named(path: Path, root: Path) -> str:
    return named(path, root).as_posix()


def _data(text: str) -> str:
    return lines_of(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

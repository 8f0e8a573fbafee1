"""Findings as annotations of a GitHub workflow: commands that the runner reads from the output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.checks.rules import BY_ID, Severity
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report

# Of each kind, the runner shows this many in a step and drops the rest.
LIMIT = 10
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_annotations(reports: Sequence[Report], *, root: Path) -> str:
    """Return one workflow command a line, at most ten of a severity, worst models first.

    Args:
        reports: one a model, worst first.
        root: the checked-out repository; files below it are named relative to it.
    """
    return "\n".join(_lines(reports, root))


def _lines(reports: Sequence[Report], root: Path) -> Iterator[str]:
    problems = [(report, "\n".join(report.faults) or str(report.error)) for report in reports
                if report.faults or report.error is not None]  # fmt: skip
    left = dict.fromkeys(Severity, LIMIT)
    for report, text in problems[:LIMIT]:
        left[Severity.ERROR] -= 1
        yield _command("error", _relative(report.path, root), "not checked", text)
    dropped = len(problems) - min(len(problems), LIMIT)
    for report in reports:
        for finding in report.findings:
            if left[finding.severity]:
                left[finding.severity] -= 1
                yield _annotation(report, finding, root)
            else:
                dropped += 1
    if dropped:
        yield f"{dropped} more are not annotated: a step shows {LIMIT} of a kind"


def _annotation(report: Report, finding: Finding, root: Path) -> str:
    return _command(
        _COMMANDS[finding.severity],
        _relative(report.path / finding.file, root),
        f"{finding.rule}: {BY_ID[finding.rule].title}",
        f"{report.name}: {finding.where}: {finding.message}\nfix: {finding.fix}",
    )


def _command(kind: str, file: str, title: str, message: str) -> str:
    return f"::{kind} file={_property(file)},title={_property(title)}::{_data(message)}"


def _relative(path: Path, root: Path) -> str:
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(root))  # noqa: PTH100
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)


def _data(text: str) -> str:
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

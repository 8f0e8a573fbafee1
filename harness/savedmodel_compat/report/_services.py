"""What reports for services that host code have in common: which file a finding points at, how it is named, and its text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.model.locate import model_file
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report

_WORKSPACE = "GITHUB_WORKSPACE"


def file_of(report: Report, finding: Finding) -> Path:
    """Return the file to point at: that of the finding, else the graph's, else the model's folder."""
    if finding.file:
        return report.path / finding.file
    try:
        return model_file(report.path) or report.path
    except OSError:
        return report.path


def named(path: Path, root: Path) -> Path:
    """Return a path as the service knows it: relative to the checked-out repository.

    Args:
        path: of a file or folder; links in it are the mount's business and stay.
        root: where the repository is, unless ``GITHUB_WORKSPACE`` says it and holds the path.

    Returns:
        A relative path; the absolute one if the path is in neither.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay
    for base in (os.environ.get(_WORKSPACE), root):
        if base and absolute.is_relative_to(whole := os.path.abspath(base)):  # noqa: PTH100
            return absolute.relative_to(whole)
    return absolute


def problems(reports: Sequence[Report]) -> Iterator[tuple[Report, str]]:
    """Yield the models that were not checked, or not by all rules, each with why, which may be many lines."""
    for report in reports:
        if report.error is not None or report.faults:
            yield report, "\n".join(report.faults) or str(report.error)


def lines_of(text: str) -> str:
    """Return a text with its line breaks, and all else that is no character to be seen escaped."""
    return "\n".join(printable(line) for line in text.split("\n"))

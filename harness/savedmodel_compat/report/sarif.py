"""Findings as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), for code scanning services."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import savedmodel_compat
from savedmodel_compat.checks.rules import RULES
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def as_sarif(reports: Sequence[Report], *, root: Path) -> dict[str, Any]:
    """Return the log, ready for `json.dumps`.

    Args:
        reports: one a model.
        root: paths below it are given relative to it, as code scanning services want them.
    """
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "invocations": [_invocation(reports, root)],
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(report, finding, root)
                    for report in reports
                    for finding in report.findings
                ],
            }
        ],
    }


def _driver() -> dict[str, Any]:
    return {
        "name": "savedmodel-compat",
        "semanticVersion": savedmodel_compat.__version__,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": f"{rule.title} Source: {rule.source}."},
                "help": {"text": rule.fix},
                "defaultConfiguration": {"level": rule.severity.value},
            }
            for rule in RULES
        ],
    }


def _invocation(reports: Sequence[Report], root: Path) -> dict[str, Any]:
    notifications = [
        {
            "level": "error",
            "message": {"text": printable("\n".join(report.faults) or str(report.error))},
            "locations": [_location(report.path, "", root)],
        }
        for report in reports
        if report.faults or report.error is not None
    ]
    return {
        "executionSuccessful": not notifications,
        "toolExecutionNotifications": notifications,
    }


def _result(report: Report, finding: Finding, root: Path) -> dict[str, Any]:
    location = _location(report.path, finding.file, root)
    location["logicalLocations"] = [{"fullyQualifiedName": printable(finding.where) or "."}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": _INDEX[finding.rule],
        "level": finding.severity.value,
        "message": {
            "text": printable(f"{finding.where}: {finding.message} Fix: {finding.fix}."),
        },
        "locations": [location],
    }


def _location(model: Path, file: str, root: Path) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(model / file, root)}}}


def _uri(path: Path, root: Path) -> str:
    # Not resolved: the links of a mounted model are nobody's business but the mount's.
    absolute, base = Path(os.path.abspath(path)), Path(os.path.abspath(root))  # noqa: PTH100
    if absolute.is_relative_to(base):
        return quote(os.fsencode(absolute.relative_to(base).as_posix()))
    return f"file://{quote(os.fsencode(absolute.as_posix()))}"

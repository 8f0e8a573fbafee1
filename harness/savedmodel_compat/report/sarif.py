"""Findings as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), for code scanning services."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import savedmodel_compat
from savedmodel_compat.checks.rules import RULES
from savedmodel_compat.report._services import file_of, lines_of, named, problems
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
# GitHub tells alerts apart by this one only; without it, all findings of a rule in one file would
# have the hash of that file's first line.
_FINGERPRINT = "primaryLocationLineHash"
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def as_sarif(reports: Sequence[Report], *, root: Path) -> dict[str, Any]:
    """Return the log, ready for `json.dumps`.

    Args:
        reports: one a model.
        root: the checked-out repository, if ``GITHUB_WORKSPACE`` does not say; paths in it are given
            relative to it, as code scanning services want them.
    """
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "invocations": [_invocation(reports, root)],
                "columnKind": "unicodeCodePoints",
                "results": list(_results(reports, root)),
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
            "message": {"text": lines_of(text)},
            "locations": [{"physicalLocation": _artifact(report.path, root)}],
        }
        for report, text in problems(reports)
    ]
    return {
        "executionSuccessful": not notifications,
        "toolExecutionNotifications": notifications,
    }


def _results(reports: Sequence[Report], root: Path) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for report in reports:
        for finding in report.findings:
            identity = _identity(report, finding)
            seen[identity] += 1
            yield {
                "ruleId": finding.rule,
                "ruleIndex": _INDEX[finding.rule],
                "level": finding.severity.value,
                "message": {"text": _text(finding)},
                "locations": [_location(report, finding, root)],
                "partialFingerprints": {_FINGERPRINT: f"{identity}:{seen[identity]}"},
            }


def _identity(report: Report, finding: Finding) -> str:
    """Return what is the same for one finding wherever and whenever the model is checked."""
    parts = (finding.rule, report.name, finding.file, finding.where)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _text(finding: Finding) -> str:
    said = f"{finding.where}: {finding.message}"
    return printable(f"{_sentence(said)} Fix: {_sentence(finding.fix)}")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _location(report: Report, finding: Finding, root: Path) -> dict[str, Any]:
    # Services want a line, and no file of a model but saved_model.pbtxt has any.
    place = {**_artifact(file_of(report, finding), root), "region": {"startLine": 1}}
    name = printable(finding.where) or "."
    return {"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": name}]}


def _artifact(path: Path, root: Path) -> dict[str, Any]:
    known = named(path, root)
    uri = quote(os.fsencode(known.as_posix()))
    return {"artifactLocation": {"uri": f"file://{uri}" if known.is_absolute() else uri}}

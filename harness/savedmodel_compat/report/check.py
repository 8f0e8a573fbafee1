"""What the static rules say, as text for people and as the JSON record. Version 1 of it may grow, not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import savedmodel_compat
from savedmodel_compat.checks.rules import RULES, Severity
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.model.checkpoint import Checkpoint

SCHEMA = 1


def as_record(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the record of all models, ready for `json.dumps`.

    Args:
        reports: one a model, worst first.
    """
    return {
        "schema": SCHEMA,
        "harness": savedmodel_compat.__version__,
        "models": [_model_record(report) for report in reports],
        "summary": {
            "models": len(reports),
            **{severity.value: sum(r.count(severity) for r in reports) for severity in Severity},
            "not-checked": sum(r.error is not None or r.fault is not None for r in reports),
        },
    }


def as_text(reports: Sequence[Report]) -> str:
    """Return what to read: a paragraph a model, worst first, and a summary.

    Args:
        reports: one a model, worst first.
    """
    lines = [line for report in reports for line in _model_lines(report)]
    lines += _summary_lines(reports)
    return "\n".join(printable(line) for line in lines)


def rules_text() -> str:
    """Return the rules, one a paragraph."""
    return "\n".join(
        f"{rule.id:<4}{rule.severity.value:<9}{rule.title}\n"
        f"{'':13}source: {rule.source}\n{'':13}fix:    {rule.fix}"
        for rule in RULES
    )


def rules_record() -> dict[str, Any]:
    """Return the rules, ready for `json.dumps`."""
    return {
        "schema": SCHEMA,
        "harness": savedmodel_compat.__version__,
        "rules": [
            {
                "rule": rule.id,
                "severity": rule.severity.value,
                "title": rule.title,
                "source": rule.source,
                "fix": rule.fix,
            }
            for rule in RULES
        ],
    }


def _model_record(report: Report) -> dict[str, Any]:
    return {
        "model": report.name,
        "path": str(report.path),
        "version": report.version,
        "findings": [_finding_record(finding) for finding in report.findings],
        "targets": {},
        "checkpoint": _checkpoint_record(report.checkpoint),
        "tensor_data_verified": report.is_verified,
        "seconds": round(report.seconds, 4),
        "error": None if report.error is None else _error_text(report),
        "fault": report.fault,
    }


def _finding_record(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "where": finding.where,
        "file": finding.file,
        "message": finding.message,
        "fix": finding.fix,
    }


def _checkpoint_record(checkpoint: Checkpoint | None) -> dict[str, int] | None:
    if checkpoint is None:
        return None
    return {
        "tensors": len(checkpoint.tensors),
        "parameters": checkpoint.parameters,
        "bytes": checkpoint.data_bytes,
        "shards": checkpoint.num_shards,
    }


def _model_lines(report: Report) -> Iterator[str]:
    title = str(report.path)
    if report.version is not None:
        title += f" (version {report.version} would be served)"
    yield f"{_mark(report)} {title}: {_verdict(report)}"
    for finding in report.findings:
        yield f"    {finding.severity.value:<8}{finding.rule:<4} {finding.where}: {finding.message}"
        yield f"    {'':13}fix: {finding.fix}"
    if report.error is not None and report.error.hint:
        yield f"    hint: {report.error.hint}"


def _mark(report: Report) -> str:
    if report.error is not None or report.fault is not None or report.count(Severity.ERROR):
        return "✗"
    return "!" if report.count(Severity.WARNING) else "✓"


def _verdict(report: Report) -> str:
    if report.fault is not None:
        return "a rule failed; this is a fault of savedmodel-compat"
    if report.error is not None:
        return report.error.message
    counts = ", ".join(
        plural(report.count(severity), severity.value)
        for severity in Severity
        if report.count(severity)
    )
    return f"{counts or 'nothing found'}; {_variables(report)}"


def _variables(report: Report) -> str:
    checkpoint = report.checkpoint
    if checkpoint is None:
        return "no variables read"
    data = " verified" if report.is_verified else ", not all of it verified"
    if not report.tensor_data:
        data = ", not read"
    return (
        f"{plural(len(checkpoint.tensors), 'tensor')}, {plural(checkpoint.parameters, 'parameter')},"
        f" {size_text(checkpoint.data_bytes)} of data{data}"
    )


def _summary_lines(reports: Sequence[Report]) -> Iterator[str]:
    if len(reports) < 2:
        return
    broken = [r for r in reports if r.error is not None or r.fault is not None]
    rest = [r for r in reports if r not in broken]
    wrong = [r for r in rest if r.count(Severity.ERROR)]
    odd = [r for r in rest if not r.count(Severity.ERROR) and r.count(Severity.WARNING)]
    parts = [
        f"{len(found)} {words}"
        for found, words in (
            (broken, "not checked"),
            (wrong, "with errors"),
            (odd, "with warnings"),
            ([r for r in rest if r not in wrong and r not in odd], "good"),
        )
        if found
    ]
    yield ""
    yield f"{len(reports)} models: {', '.join(parts)}"


def _error_text(report: Report) -> str:
    return "" if report.error is None else str(report.error)


def plural(count: int, word: str) -> str:
    """Return a number with its word: ``1 error``, ``2 errors``."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def size_text(size: int) -> str:
    """Return a number of bytes in words, such as ``1.2 MB``."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"

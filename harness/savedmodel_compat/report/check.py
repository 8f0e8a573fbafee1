"""What the static rules say, as text for people and as the JSON record. Version 1 of it may grow, not change."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

import savedmodel_compat
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.checks.rules import RULES, Rule, Severity
from savedmodel_compat.report import targets
from savedmodel_compat.report.inspect import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.model.checkpoint import Checkpoint
    from savedmodel_compat.prediction.outlook import Outlook

SCHEMA = 1
_SHOWN = 5
_KINDS = ("not checked", "with errors", "with warnings", "good")
# They are said with the targets.
_OF_TARGETS = frozenset(("T1", "T2", "T3"))
_TARGET_COLOURS = {"✓": "green", "✗": "red", "!": "yellow", "?": "cyan"}
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the text is drawn.

    Args:
        width: in columns; None does not wrap.
        styled: whether marks and severities have colours besides.
        quiet: whether models without a finding are left out.
    """

    width: int | None = None
    styled: bool = False
    quiet: bool = False


def as_record(reports: Sequence[Report], policy: Policy | None = None) -> dict[str, Any]:
    """Return the record of all models, ready for `json.dumps`.

    Args:
        reports: one a model, worst first.
        policy: what the user made of the rules.
    """
    models = [report for report in reports if not report.skipped]
    policy = policy or Policy()
    return {
        "schema": SCHEMA,
        "harness": savedmodel_compat.__version__,
        "disabled": by_number(policy.disable),
        "raised": by_number(policy.error),
        "models": [_model_record(report) for report in models],
        "skipped": [
            {"path": whole(str(report.path)), "reason": whole(report.skipped)}
            for report in reports
            if report.skipped
        ],
        "summary": {
            "models": len(models),
            **{severity.value: sum(r.count(severity) for r in models) for severity in Severity},
            "not-checked": sum(r.error is not None or bool(r.faults) for r in models),
        },
    }


def as_text(
    reports: Sequence[Report], policy: Policy | None = None, look: Look | None = None
) -> str:
    """Return what to read: a paragraph a model, worst first, and a summary.

    Args:
        reports: one a model, worst first.
        policy: what the user made of the rules.
        look: how it is drawn.
    """
    look = look or Look()
    models = [report for report in reports if not report.skipped]
    shown = [r for r in models if not look.quiet or r.findings or r.error or r.faults]
    lines = [line for report in shown for line in _model_lines(report, look)]
    lines += [printable(line) for line in _summary_lines(reports, policy or Policy())]
    return "\n".join(lines)


def by_number(rules: Iterable[str]) -> list[str]:
    """Return ids of rules in the order of the table."""
    return sorted(rules, key=lambda rule: (rule[0], int(rule[1:])))


def rules_text(policy: Policy) -> str:
    """Return the rules, one a paragraph, with what the user made of them."""
    return "\n".join(
        f"{rule.id:<4}{_made_of(rule, policy):<9}{rule.title}\n"
        f"{'':13}source: {rule.source}\n{'':13}fix:    {rule.fix}"
        for rule in RULES
    )


def rules_record(policy: Policy) -> dict[str, Any]:
    """Return the rules, ready for `json.dumps`; ``holds`` is what the user made of their severity."""
    return {
        "schema": SCHEMA,
        "harness": savedmodel_compat.__version__,
        "rules": [
            {
                "rule": rule.id,
                "severity": rule.severity.value,
                "holds": _made_of(rule, policy),
                "title": rule.title,
                "source": rule.source,
                "fix": rule.fix,
            }
            for rule in RULES
        ],
    }


def _made_of(rule: Rule, policy: Policy) -> str:
    if rule.id in policy.disable:
        return "off"
    return Severity.ERROR.value if rule.id in policy.error else rule.severity.value


def _model_record(report: Report) -> dict[str, Any]:
    return {
        "model": whole(report.name),
        "path": whole(str(report.path)),
        "version": report.version,
        "findings": [_finding_record(finding) for finding in report.findings],
        **_targets_record(report),
        "checkpoint": _checkpoint_record(report.checkpoint),
        "tensor_data_verified": report.is_verified,
        "seconds": round(report.seconds, 4),
        "error": None if report.error is None else whole(report.error.message),
        "hint": None if report.error is None else report.error.hint,
        "faults": list(report.faults),
    }


def _targets_record(report: Report) -> dict[str, Any]:
    outlook = report.outlook
    if outlook is None:
        return {"targets": {}, "floor": None, "advice": []}
    return {
        "targets": targets.as_record(outlook),
        "floor": targets.floor_record(outlook.floor),
        "advice": targets.advice_record(outlook),
    }


def _finding_record(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "where": whole(finding.where),
        "file": whole(finding.file),
        "message": whole(finding.message),
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


def _model_lines(report: Report, look: Look) -> Iterator[str]:
    title = str(report.path)
    if report.version is not None:
        title += f" (version {report.version} would be served)"
    mark, colour = _mark(report)
    text = f"{title}: {_verdict(report)}"
    yield from _wrapped(f"{mark} ", text, look, indent="    ", colour=colour)
    for finding in report.findings:
        if report.outlook is not None and finding.rule in _OF_TARGETS:
            continue
        head = f"    {finding.severity.value:<8}{finding.rule:<4} "
        text = f"{finding.where}: {finding.message}"
        colour = _COLOURS[finding.severity]
        yield from _wrapped(head, text, look, indent=" " * len(head), colour=colour)
        yield from _wrapped(" " * len(head) + "fix: ", finding.fix, look, indent=" " * len(head))
    if report.outlook is not None:
        yield from _target_lines(report.outlook, look)
    if report.error is not None and report.error.hint:
        yield from _wrapped("    hint: ", report.error.hint, look, indent=" " * 10)


def _target_lines(outlook: Outlook, look: Look) -> Iterator[str]:
    tags = ",".join(outlook.tags)
    loader = targets.LOADERS[outlook.loader]
    yield f"    predicted for {loader} on a CPU, MetaGraph [{printable(tags)}]:"
    for mark, release, text in targets.lines(outlook):
        if not text:
            yield ""
            continue
        head = f"    {mark:<1} {release:<8} "
        colour = _TARGET_COLOURS.get(mark, "")
        yield from _wrapped(head, text, look, indent=" " * len(head), colour=colour)


def _wrapped(head: str, text: str, look: Look, *, indent: str, colour: str = "") -> Iterator[str]:
    """Yield a line, on a terminal parted between words; what a model says is escaped."""
    text = printable(text)
    lines = [text]
    if look.width is not None:
        room = max(look.width - max(len(head), len(indent)), 20)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield (click.style(head, fg=colour) if look.styled and colour else head) + lines[0]
    yield from (indent + line for line in lines[1:])


def _mark(report: Report) -> tuple[str, str]:
    if report.error is not None or report.faults or report.count(Severity.ERROR):
        return "✗", _COLOURS[Severity.ERROR]
    if report.count(Severity.WARNING):
        return "!", _COLOURS[Severity.WARNING]
    return "✓", "green"


def _verdict(report: Report) -> str:
    if report.error is not None:
        return report.error.message
    counts = ", ".join(
        plural(report.count(severity), severity.value)
        for severity in Severity
        if report.count(severity)
    )
    if report.faults:
        counts = f"{counts or 'nothing found'}, but {plural(len(report.faults), 'rule')} failed, which is a fault of savedmodel-compat"
    graph = "" if report.graph_read else "the graph could not be read, "
    return f"{counts or 'nothing found'}; {graph}{_variables(report)}"


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


def _summary_lines(reports: Sequence[Report], policy: Policy) -> Iterator[str]:
    models = [report for report in reports if not report.skipped]
    skipped = [report.path.name for report in reports if report.skipped]
    if len(models) > 1:
        yield ""
        outlooks = {str(one.name): one.outlook for one in models if one.outlook is not None}
        yield from targets.table(outlooks)
        yield f"{plural(len(models), 'model')}: {', '.join(_counts(models))}"
    if skipped:
        shown = ", ".join(skipped[:_SHOWN])
        more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        yield f"passed over, with no SavedModel in them: {shown}{more}"
    for words, rules in (("turned off", policy.disable), ("made errors", policy.error)):
        if rules:
            yield f"rules {words}: {', '.join(by_number(rules))}"


def _counts(models: Sequence[Report]) -> Iterator[str]:
    kinds = Counter(map(_kind, models))
    yield from (f"{kinds[kind]} {kind}" for kind in _KINDS if kinds[kind])


def _kind(report: Report) -> str:
    if report.error is not None or report.faults:
        return "not checked"
    if report.count(Severity.ERROR):
        return "with errors"
    return "with warnings" if report.count(Severity.WARNING) else "good"


def whole(text: str) -> str:
    """Return a text that every reader of JSON takes: bytes of names that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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

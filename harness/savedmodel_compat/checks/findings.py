"""What a rule says of a model."""

from __future__ import annotations

from dataclasses import dataclass

from savedmodel_compat.checks.rules import BY_ID, Severity

__all__ = ["Finding", "Severity", "found"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a model, or worth knowing.

    Args:
        rule: id of the rule, such as ``L4``.
        severity: the rule's, or what the user made of it.
        where: what in the model it is about, in words: a path relative to the model, or a place in
            the graph such as ``MetaGraph [serve], node x``.
        message: what was found, with the names and the numbers.
        fix: how to mend it.
        file: the file it is in, relative to the model, with slashes; empty for the folder itself.
    """

    rule: str
    severity: Severity
    where: str
    message: str
    fix: str
    file: str = ""


def found(
    rule: str, where: str, message: str, *, file: str = "", fix: str | None = None
) -> Finding:
    """Return a finding with the severity of its rule, and the rule's fix unless there is a better one.

    Args:
        rule: id of the rule.
        where: see `Finding`.
        message: see `Finding`.
        file: see `Finding`.
        fix: what to do in this very case; None takes the rule's.
    """
    row = BY_ID[rule]
    return Finding(
        rule=rule,
        severity=row.severity,
        where=where,
        message=message,
        fix=row.fix if fix is None else fix,
        file=file,
    )

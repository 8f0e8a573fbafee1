"""Keeping what is said of a model short, however much of it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.locate import clipped

__all__ = ["MOST", "clipped", "counted", "limited"]

MOST = 20


def limited(
    findings: Iterable[Finding], rule: str, where: str, *, file: str = "", most: int = MOST
) -> Iterator[Finding]:
    """Yield the first findings of one rule, and one that counts the others.

    Args:
        findings: all of one rule.
        rule: its id.
        where: the place that they have in common, for the one that counts.
        file: the file that they have in common.
        most: how many to yield as they are.
    """
    left = 0
    for number, finding in enumerate(findings):
        if number < most:
            yield finding
        else:
            left += 1
    if left:
        yield found(rule, where, f"… and {left} more", file=file)


def counted(number: int, noun: str) -> str:
    """Return a number of things in words, such as ``1 tensor`` or ``2 tensors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""What a cause is, and by which words it is told."""

from __future__ import annotations

from dataclasses import dataclass

from savedmodel_compat.matrix.cells import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Words that tell a cause.

    Args:
        pattern: a regular expression; named groups ``op``, ``attr``, ``node``, ``function`` fill the detail.
        stage: the only stage in which the words mean that; None if any does.
        fix: what to do about it, where that is not what the cause says.
    """

    pattern: str
    stage: Stage | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason for which a cell fails.

    Args:
        id: its name in records.
        stage: where it belongs; None for those that can come anywhere.
        meaning: one sentence.
        fix: what to do about it; may name ``{op}``, ``{attr}`` and ``{node}``.
        signs: by what it is told, the most specific first.
    """

    id: str
    stage: Stage | None
    meaning: str
    fix: str
    signs: tuple[Sign, ...] = ()


def signs(*patterns: str, stage: Stage | None = None, fix: str | None = None) -> tuple[Sign, ...]:
    """Return several signs with the same stage and fix."""
    return tuple(Sign(pattern=pattern, stage=stage, fix=fix) for pattern in patterns)


UPGRADE = "upgrade the consumer, or export with the release that serves"

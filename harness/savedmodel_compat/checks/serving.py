"""Not written yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.checks.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Stand in."""

    name: str
    folder: Path | None
    base: Path | None = None
    version: int | None = None
    findings: tuple[Finding, ...] = ()


def expand(path: Path, *, serving: bool = False) -> list[Place]:
    """Stand in."""
    return [Place(name=path.name, folder=path)]

"""One thing that tells two models apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that only one of two models has, or that they have otherwise.

    Args:
        what: its kind, such as ``input``.
        name: which one it is, such as ``serving_default: x``.
        before: what A has, in words; None if A lacks it.
        after: what B has, in words; None if B lacks it.
        meaning: what follows for clients or consumers that go from A to B; empty if nothing does.
        breaks: whether a client that is right with A fails with B, or may, if it goes on as it did.
    """

    what: str
    name: str
    before: str | None
    after: str | None
    meaning: str = ""
    breaks: bool = False


def change(
    what: str,
    name: str,
    before: str | None,
    after: str | None,
    meaning: str = "",
    *,
    breaks: bool = False,
) -> Change:
    """Return a change; see `Change`."""
    return Change(what=what, name=name, before=before, after=after, meaning=meaning, breaks=breaks)


def changed(
    what: str,
    name: str,
    before: object,
    after: object,
    meaning: str = "",
    *,
    breaks: bool = False,
) -> Iterator[Change]:
    """Yield a change if two values that both models have are not the same."""
    if before != after:
        yield change(what, name, str(before), str(after), meaning, breaks=breaks)


def sha256(content: bytes) -> str:
    """Return as much of a SHA-256 as tells values apart, in words."""
    return f"sha256 {hashlib.sha256(content).hexdigest()[:12]}"

"""What lies in a store, damaged goldens and strangers too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.errors import GoldenDamagedError
from savedmodel_compat.golden._goldens import Key
from savedmodel_compat.golden._names import unescape

DEPTH = 3
"""Of a golden's folder below the one of all: ``MODEL/TAGS/SIGNATURE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A place of a store in which no golden can be read.

    Args:
        name: of the golden as far as its folder tells, else the path below the store.
        key: of that golden; None if the folder does not tell.
        error: what is wrong.
    """

    name: str
    key: Key | None
    error: GoldenDamagedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies in a store.

    Args:
        keys: of all goldens whose manifests are whole, in order.
        damaged: all else.
    """

    keys: tuple[Key, ...]
    damaged: tuple[Damaged, ...]


def stranger(path: Path) -> GoldenDamagedError:
    """Return what is wrong with a file that lies where folders of goldens should be."""
    return GoldenDamagedError(
        "it lies among the goldens and is none", path=path, hint="move it elsewhere"
    )


def key_at(root: Path, place: Path) -> Key | None:
    """Return the key of the golden whose folder this is; None if names that were too long, or no names, do not tell."""
    parts = place.relative_to(root).parts[1:]
    if len(parts) != DEPTH:
        return None
    try:
        model, signature = (unescape(part) for part in (parts[0], parts[2]))
        tags = tuple(map(unescape, parts[1].split("+"))) if parts[1] != "+" else ()
    except UnicodeDecodeError:
        return None
    key = Key(model=model, tags=tags, signature=signature)
    return key if root / key.folder == place else None

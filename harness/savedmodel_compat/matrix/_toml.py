"""Writing TOML: texts and keys, quoted so that any reader gives them back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def quoted(text: str) -> str:
    """Return a text as a basic string; its escapes are JSON's, with one character that JSON does not escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def key(text: str) -> str:
    """Return a text as a key, bare where it may be."""
    return text if _BARE.fullmatch(text) else quoted(text)


def several(texts: Sequence[str]) -> str:
    """Return one text as itself, and several as a list."""
    if len(texts) == 1:
        return quoted(texts[0])
    return f"[{', '.join(map(quoted, texts))}]"

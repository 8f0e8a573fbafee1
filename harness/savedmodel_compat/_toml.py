"""TOML, read and written: one way in for every file of the user's, and texts quoted so that any reader gives them back."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class MalformedError(ValueError):
    """A text is no TOML, and the message says why."""


def parse(data: bytes) -> dict[str, Any]:
    """Return what a file of TOML holds.

    Raises:
        MalformedError: it is not UTF-8, not TOML, nested deeper than Python goes, or has a number longer than Python reads.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    except ValueError as error:
        # What is not UTF-8, and what is no TOML, are such errors, too.
        raise MalformedError(str(error)) from error


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

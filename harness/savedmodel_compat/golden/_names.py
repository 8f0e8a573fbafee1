"""Any text as the name of one folder, on every file system."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import unquote

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")
# What Windows takes for a device, with or without an ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
_LONGEST = 120
_KEPT = 80


def escape(text: str) -> str:
    """Return a file name that no other text has, also where case is ignored.

    Lower-case letters, digits, ``_``, ``-`` and ``.`` stand for themselves; an upper-case letter is
    ``=`` and the lower-case one; all else is ``%`` and two hexadecimal digits for each byte of its
    UTF-8. What is hidden, or special to a system, has its first or last character so, too. Of a
    long text the end is replaced by its digest.
    """
    parts = [_escaped(character) for character in text]
    if parts and (text[0] in ".-" or _DEVICES.match(text)):
        parts[0] = _hex(text[0])
    if len(parts) > 1 and text[-1] == ".":
        parts[-1] = _hex(".")
    name = "".join(parts)
    if len(name) <= _LONGEST:
        return name or "%"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:_KEPT]}%%{digest[:32]}"


def unescape(name: str) -> str:
    """Return the text of a file name; what is none of ours gives some text that has another name."""
    if name == "%":
        return ""
    plain = re.sub("=([a-z])", lambda found: found[1].upper(), name)
    return unquote(plain, errors="surrogatepass")


def escape_all(texts: Iterable[str]) -> str:
    """Return one file name for a set of texts: their names, in order, with ``+`` between them."""
    names = sorted(map(escape, texts))
    name = "+".join(names)
    if len(name) <= _LONGEST:
        return name or "+"
    return f"{name[:_KEPT]}%+{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _escaped(character: str) -> str:
    if character in _SAFE:
        return character
    if "A" <= character <= "Z":
        return f"={character.lower()}"
    return _hex(character)


def _hex(character: str) -> str:
    return "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))

"""A JSON document that somebody may have edited, read key by key; every complaint says which key it is about."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_DIGITS = 40
_SHOWN = 80


class FieldError(Exception):
    """What is wrong with a document, and where in it."""


def parse(text: str) -> Field:
    """Return a document.

    Raises:
        FieldError: it is no JSON, names a key twice, or has a number that JSON has not.
    """
    try:
        value = json.loads(
            text, parse_int=_integer, parse_constant=_no_number, object_pairs_hook=_unique
        )
    except RecursionError as error:
        raise FieldError("it is nested too deeply") from error
    except ValueError as error:
        raise FieldError(f"it is no JSON: {error}") from error
    return Field(value)


class Field:
    """A value in a document.

    Args:
        value: what the document says.
        parent: the object or list that it stands in; None for the whole document.
        step: its key or index in there.
    """

    __slots__ = ("_parent", "_step", "value")

    def __init__(self, value: Any, parent: Field | None = None, step: str | int = "") -> None:
        self.value = value
        self._parent = parent
        self._step = step

    @property
    def where(self) -> str:
        """Its place, such as ``data_sets[0].outputs[1].shape``; empty for the whole document."""
        if self._parent is None:
            return ""
        above = self._parent.where
        if isinstance(self._step, int):
            return f"{above}[{self._step}]"
        return f"{above}.{self._step}" if above else self._step

    def fail(self, text: str) -> NoReturn:
        """Refuse the value.

        Raises:
            FieldError: always.
        """
        raise FieldError(f"{self.where or 'the document'} {text}")

    def known(self, names: Sequence[str]) -> None:
        """Refuse what is no object, or has a key that is not among ``names``.

        Raises:
            FieldError: it does; the text has the name that was likely meant.
        """
        if not isinstance(self.value, dict):
            self.fail(f"is {_shown(self.value)} instead of an object")
        for key in self.value:
            if key in names:
                continue
            close = difflib.get_close_matches(key, names, n=1)
            meant = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"
            self.fail(f"has a key '{_short(key)}', which means nothing here; {meant}")

    def __contains__(self, name: str) -> bool:
        return name in self.value

    def __getitem__(self, name: str) -> Field:
        if name not in self.value:
            self.fail(f"has no '{name}'")
        return Field(self.value[name], self, name)

    def members(self) -> Iterator[tuple[str, Field]]:
        """Yield the members of an object of any keys."""
        if not isinstance(self.value, dict):
            self.fail(f"is {_shown(self.value)} instead of an object")
        return ((name, self[name]) for name in self.value)

    def items(self) -> list[Field]:
        """Return the elements of a list."""
        if not isinstance(self.value, list):
            self.fail(f"is {_shown(self.value)} instead of a list")
        return [Field(item, self, index) for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            self.fail(f"is {_shown(self.value)} instead of a text")
        return self.value

    def said(self) -> str:
        """Return a string that says something, such as a reason."""
        text = self.text()
        if not text.strip():
            self.fail("is empty: say why")
        return text

    def one_of(self, names: Iterable[str]) -> str:
        """Return a string that is one of few."""
        text, known = self.text(), tuple(names)
        if text not in known:
            self.fail(f"is '{_short(text)}'; known are {', '.join(known)}")
        return text

    def sha256(self) -> str:
        """Return a digest in hex."""
        text = self.text()
        if not _SHA256.fullmatch(text):
            self.fail(f"is '{_short(text)}', which is no SHA-256 of 64 hexadecimal digits")
        return text

    def day(self) -> str:
        """Return a date, such as 2026-02-28."""
        text = self.text()
        if not _DAY.fullmatch(text):
            self.fail(f"is '{_short(text)}', which is no date such as 2026-02-28")
        try:
            dt.date.fromisoformat(text)
        except ValueError as error:
            self.fail(f"is '{text}', which is no date: {error}")
        return text

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail(f"is {_shown(self.value)} instead of true or false")
        return self.value

    def integer(self) -> int:
        """Return a whole number."""
        if type(self.value) is not int:
            self.fail(f"is {_shown(self.value)} instead of a whole number")
        return self.value

    def count(self) -> int:
        """Return a whole number that is not negative."""
        number = self.integer()
        if number < 0:
            self.fail(f"is {number}, which is negative")
        return number

    def number(self) -> float:
        """Return a finite number; a whole one stays an ``int``."""
        if type(self.value) not in (int, float):
            self.fail(f"is {_shown(self.value)} instead of a number")
        if not math.isfinite(self.value):
            self.fail("is too large")
        number: float = self.value
        return number

    @property
    def is_null(self) -> bool:
        """Whether nothing is said."""
        return self.value is None


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{_short(twice)}' stands twice in one object")
    return members


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return _short(json.dumps(value))

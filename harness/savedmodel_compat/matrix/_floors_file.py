"""The file of floors: a table a tier, in TOML, written by a command and reviewed as a diff."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from savedmodel_compat import _toml
from savedmodel_compat._toml import key
from savedmodel_compat.errors import ConfigurationError, InfrastructureError
from savedmodel_compat.matrix.floors import AXES, NUMBERS, Count, Tier

TOTAL = "total"
_EXPECTATION = "expectation"
_SHOWN = 60
_NUMBER = re.compile(r"(\d+)")
_WRITTEN_BY = "savedmodel-compat floors RECORD.json --tier TIER -o FILE"
_HEAD = f"""\
# How many cells a run has at least: planned (collected), passed or failed (run), with an output that was compared.
# Fewer is an error, and so is a value that is missing. Written by `{_WRITTEN_BY}`; each tier is what --on says.
"""


def read(path: Path) -> dict[str, Tier]:
    """Read the floors of every tier.

    Raises:
        ConfigurationError: the file is not there, does not parse, or has no tier; or a tier has no number.
    """
    try:
        document = _toml.parse(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"the floors {path} cannot be read: {error.strerror}", hint=f"write them: {_WRITTEN_BY}"
        ) from error
    except _toml.MalformedError as error:
        raise ConfigurationError(f"the floors {path} do not parse: {error}") from error
    if not document:
        raise ConfigurationError(
            f"the floors {path} have no tier: nothing would be too few",
            hint=f"write one: {_WRITTEN_BY}",
        )
    for name, value in document.items():
        if isinstance(value, list):
            what = "a file of expectations" if name == _EXPECTATION else f"a file of [[{name}]]"
            raise ConfigurationError(
                f"{path} is {what}, where floors are expected",
                hint=f"a file of floors has a table a tier; write one: {_WRITTEN_BY}",
            )
    return {name: _tier(value, path, name) for name, value in document.items()}


def _tier(value: object, path: Path, name: str) -> Tier:
    table = _table(value, path, name)
    _refuse_others(table, (TOTAL, *AXES), path, name)
    tier = Tier(
        total=_count(table.get(TOTAL, {}), path, f"{name}.{TOTAL}"),
        values={
            axis: {
                each: _count(count, path, f"{name}.{axis}.{each}")
                for each, count in _table(table.get(axis, {}), path, f"{name}.{axis}").items()
            }
            for axis in AXES
        },
    )
    if not any(count.get(number) for _, _, count in tier.rows() for number in NUMBERS):
        raise ConfigurationError(
            f"{path}: the tier {name!r} has no floor above zero: nothing would be too few",
            hint=f"write it anew: {_WRITTEN_BY}",
        )
    return tier


def _count(value: object, path: Path, name: str) -> Count:
    table = _table(value, path, name)
    _refuse_others(table, NUMBERS, path, name)
    numbers: dict[str, int] = {}
    for number, said in table.items():
        if not isinstance(said, int) or isinstance(said, bool) or said < 0:
            raise ConfigurationError(
                f"{path}: {name}.{number} is {_short(said)}, where a number of cells is expected"
            )
        numbers[number] = said
    return Count(**numbers)


def _short(value: object) -> str:
    """Return a value as a message shows it: what holds others would fill pages."""
    if isinstance(value, dict | list):
        return "an array" if isinstance(value, list) else "a table"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _table(value: object, path: Path, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path}: {name} is {_short(value)}, where a table is expected")
    return value


def _refuse_others(
    table: Mapping[str, object], known: tuple[str, ...], path: Path, name: str
) -> None:
    others = sorted(set(table) - set(known))
    if others:
        raise ConfigurationError(
            f"{path}: {name} has the unknown key {others[0]!r}",
            hint=f"its keys are {', '.join(known)}",
        )


def as_text(tiers: Mapping[str, Tier]) -> str:
    """Return the file's text, the same for the same floors."""
    return _HEAD + "".join(
        f"\n{line}" for name in sorted(tiers) for line in _lines(name, tiers[name])
    )


def _lines(name: str, tier: Tier) -> Iterator[str]:
    yield f"[{key(name)}]\n{TOTAL} = {_inline(tier.total)}\n"
    for axis in AXES:
        rows = tier.values.get(axis, {})
        if rows:
            lines = "".join(
                f"{key(value)} = {_inline(rows[value])}\n" for value in sorted(rows, key=_natural)
            )
            yield f"[{key(name)}.{axis}]\n{lines}"


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2.4 before 2.11."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(text)]


def _inline(count: Count) -> str:
    said = ((number, count.get(number)) for number in NUMBERS)
    return (
        f"{{ {', '.join(f'{number} = {found}' for number, found in said if found is not None)} }}"
    )


def write(tiers: Mapping[str, Tier], path: Path) -> None:
    """Write the floors.

    Raises:
        InfrastructureError: the file cannot be written.
    """
    try:
        path.write_text(as_text(tiers), encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(
            f"the floors {path} cannot be written: {error.strerror}"
        ) from error

"""How far answers were from their references, by device and release: what tolerances are chosen by, and watched with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from packaging.version import Version

from savedmodel_compat.golden.tolerances import tolerance_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was observed of one element type on one device in one release.

    Args:
        device: the device.
        consumer: the release.
        loaders: the loaders, joined.
        dtype: the element type.
        cells: number of cells with such an output.
        elements: compared in all of them.
        off: how many of those were beyond the tolerance.
        max_abs: the largest absolute difference.
        max_rel: the largest relative one.
        max_ulp: the largest in units in the last place; None if there is no such unit.
        used: the largest part of its tolerance that any element used up; None if it was more than any number.
        where: the model and output of that element.
    """

    device: str
    consumer: str
    loaders: str
    dtype: str
    cells: int
    elements: int
    off: int
    max_abs: float | None
    max_rel: float | None
    max_ulp: int | None
    used: float | None
    where: str

    def as_json(self) -> dict[str, Any]:
        """Return it ready for `json.dumps`."""
        return asdict(self)


def rows(cells: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return what records say, a row for each device, release and element type.

    Args:
        cells: of JSON records; cells whose outputs were compared with a tolerance carry what was observed.
    """
    found: dict[tuple[str, str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for cell in cells:
        for each in cell.get("observed", ()):
            key = (cell["device"], cell["consumer"], each["dtype"])
            found.setdefault(key, []).append((cell, each))
    ordered = sorted(found.items(), key=lambda item: (item[0][2], item[0][0], Version(item[0][1])))
    return [_row(*key, members) for key, members in ordered]


def _row(
    device: str,
    consumer: str,
    dtype: str,
    members: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> Row:
    seen = [each for _, each in members]
    cell, worst = max(members, key=lambda pair: _amount(pair[1]["used"]))
    return Row(
        device=device,
        consumer=consumer,
        loaders=", ".join(sorted({cell["loader"] for cell, _ in members})),
        dtype=dtype,
        cells=len({cell["id"] for cell, _ in members}),
        elements=sum(each["elements"] for each in seen),
        off=sum(each["off"] for each in seen),
        max_abs=_most(each["max_abs"] for each in seen),
        max_rel=_most(each["max_rel"] for each in seen),
        max_ulp=max(
            (each["max_ulp"] for each in seen if each["max_ulp"] is not None), default=None
        ),
        used=worst["used"],
        where=f"{cell['model']} {cell['signature']}.{worst['output']}",
    )


def _amount(value: float | None) -> float:
    """Return a number that stands in a record; null is more than any."""
    return float("inf") if value is None else value


def _most(values: Iterator[float | None]) -> float | None:
    most = max(map(_amount, values))
    return None if most == float("inf") else most


def as_lines(found: Sequence[Row], *, markdown: bool) -> Iterator[str]:
    """Yield a table, and below it what it does not show; releases of which the same is to be said share a row.

    Args:
        found: what `rows` gave.
        markdown: whether it is for a page.
    """
    if not found:
        yield "no cell was compared with a tolerance"
        return
    table = [_HEAD, *map(_texts, _together(found))]
    if markdown:
        yield f"| {' | '.join(table[0])} |"
        yield "|" + "---|" * len(table[0])
        yield from (f"| {' | '.join(line)} |" for line in table[1:])
    else:
        yield from _aligned(table)
    yield ""
    yield _BELOW


def _aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[at]) for line in table) for at in range(len(_HEAD))]
    for line in table:
        yield "  ".join(
            text.ljust(width) for text, width in zip(line, widths, strict=True)
        ).rstrip()


def _together(found: Sequence[Row]) -> Iterator[Row]:
    """Yield one row for all releases of which the same is to be said, in the order of their first ones."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        figures = _figures(row)
        groups.setdefault(
            (row.dtype, row.device, figures, row.where if row.used else ""), []
        ).append(row)
    for alike in groups.values():
        yield replace(
            alike[0],
            consumer=_releases([row.consumer for row in alike]),
            loaders=", ".join(sorted({name for row in alike for name in row.loaders.split(", ")})),
            cells=sum(row.cells for row in alike),
            elements=sum(row.elements for row in alike),
            off=sum(row.off for row in alike),
        )


def _releases(consumers: Sequence[str]) -> str:
    """Return releases in words: the first and the last of many, with their number."""
    if len(consumers) <= _LISTED:
        return ", ".join(consumers)
    return f"{consumers[0]} … {consumers[-1]} ({len(consumers)})"


_LISTED = 6
_HEAD = (
    "dtype",
    "device",
    "release",
    "loaders",
    "cells",
    "elements",
    "off",
    "max abs",
    "max rel",
    "max ulp",
    "tolerance used",
    "default of the type",
    "most of it by",
)
_BELOW = (
    "The tolerance used is that in force: where a manifest or the command line says another one, it is not the default of "
    "the type. Outputs that are compared exactly, such as integers and strings, are not here."
)


def _texts(row: Row) -> tuple[str, ...]:
    return (
        row.dtype,
        row.device,
        row.consumer,
        row.loaders,
        str(row.cells),
        str(row.elements),
        str(row.off),
        *_figures(row),
        str(tolerance_for(row.dtype, row.device) or "exact"),
        row.where if row.used else "-",
    )


def _figures(row: Row) -> tuple[str, ...]:
    return (
        _number(row.max_abs),
        _number(row.max_rel),
        "-" if row.max_ulp is None else str(row.max_ulp),
        "beyond" if row.used is None else f"{100 * row.used:.2g} %",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"

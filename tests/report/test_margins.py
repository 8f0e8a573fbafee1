"""Tests of the table of what was observed."""

from __future__ import annotations

from typing import Any

from savedmodel_compat.report.margins import as_lines, rows

OBSERVED = {
    "output": "y",
    "dtype": "float32",
    "elements": 10,
    "off": 0,
    "max_abs": 1e-7,
    "mean_abs": 1e-8,
    "max_rel": 1e-7,
    "mean_rel": 1e-8,
    "max_ulp": 2,
    "used": 0.02,
}


def cell(consumer: str, device: str = "cpu", **said: Any) -> dict[str, Any]:
    """Return a cell of a record with one output."""
    return {
        "id": f"{consumer}:{device}:{said}",
        "model": "m",
        "signature": "s",
        "consumer": consumer,
        "loader": "c",
        "device": device,
        "observed": [{**OBSERVED, **said}],
    }


def test_the_worst_of_each_release() -> None:
    """Cells of one release, device and element type are one row, which names where most was used."""
    [row] = rows([cell("2.4.4"), cell("2.4.4", used=0.5, max_ulp=7, output="z")])
    assert (row.cells, row.elements, row.max_ulp, row.used) == (2, 20, 7, 0.5)
    assert row.where == "m s.z"


def test_null_is_more_than_any_number() -> None:
    """A NaN that was lost uses up more than any tolerance."""
    [row] = rows([cell("2.4.4", used=3.0), cell("2.4.4", used=None, max_abs=None, off=1)])
    assert (row.used, row.max_abs, row.off) == (None, None, 1)
    assert "beyond" in list(as_lines([row], markdown=False))[1]


def test_releases_alike_share_a_row() -> None:
    """Their cells are added, and the releases named, in the order of their versions."""
    found = rows(
        [cell("2.11.1"), cell("2.4.4"), cell("2.4.4", "cpu-xla"), cell("2.9.3", max_ulp=3)]
    )
    lines = list(as_lines(found, markdown=True))
    assert [line.split(" | ")[1:3] for line in lines[2:-2]] == [
        ["cpu", "2.4.4, 2.11.1"],
        ["cpu", "2.9.3"],
        ["cpu-xla", "2.4.4"],
    ]


def test_what_the_table_does_not_show_stands_below_it() -> None:
    """The default beside a row need not be the tolerance that was used, and what is compared exactly is in no row."""
    found = rows([cell("2.4.4")])
    for markdown in (True, False):
        *table, empty, below = as_lines(found, markdown=markdown)
        assert "default of the type" in table[0]
        assert not empty
        assert "in force" in below
        assert "compared exactly" in below


def test_nothing_to_show() -> None:
    """A record without floating-point outputs says so."""
    assert list(as_lines(rows([]), markdown=False)) == ["no cell was compared with a tolerance"]

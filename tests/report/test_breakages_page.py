"""The page about known breakages."""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat.matrix.breakages import BREAKAGES
from savedmodel_compat.registry.op_libraries import EXAMPLES
from savedmodel_compat.report.breakages_page import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """docs/breakages.md is what the table of breakages makes."""
    assert (ROOT / "docs" / "breakages.md").read_text(encoding="utf-8") == page()


def test_the_page_has_every_breakage_and_library_once() -> None:
    """No class and no library is left out and none stands twice."""
    text = page()
    names = [breakage.name.replace("_", "\\_") for breakage in BREAKAGES]
    assert [text.count(f"\n| {name} |") for name in names] == [1] * len(names)
    assert [text.count(f"\n| `{op}` |") for op in EXAMPLES] == [1] * len(EXAMPLES)


def test_every_row_has_all_cells() -> None:
    """No bar breaks the table, and nobody is left without advice."""
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
    assert not [row for row in rows if row.endswith("|  |")]

"""The page about causes."""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.report.causes_page import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """docs/causes.md is what the table of causes makes."""
    assert (ROOT / "docs" / "causes.md").read_text(encoding="utf-8") == page()


def test_the_page_has_every_cause_once() -> None:
    """No cause is left out and none stands twice."""
    text = page()
    assert [text.count(f"| `{cause}` |") for cause in BY_ID] == [1] * len(BY_ID)

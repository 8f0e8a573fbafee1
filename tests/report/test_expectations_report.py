"""What is said of expectations that do not hold, and what the record has of them."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from rich.console import Console
from tests.matrix.made_cells import DAY, cell, expectation, failing, judged

from savedmodel_compat.matrix.expectations import Judgement
from savedmodel_compat.report.expectations import as_json, claims, count, notes, soon
from savedmodel_compat.report.terminal import print_matrix


@pytest.fixture
def judgement() -> Judgement:
    """Everything that can be wrong with expectations, at once."""
    place = "expectations.toml:{}".format
    entries = [
        expectation(place=place(1), consumer="2.4"),
        expectation(place=place(2), consumer="2.5", op="Conv3D"),
        expectation(place=place(3), consumer="2.6"),
        expectation(place=place(4), consumer="2.8"),
        expectation(
            place=place(5),
            consumer="2.8",
            cause="run-failed",
            owner=None,
            link="https://example.com/5",
        ),
        expectation(place=place(6), signatures=("gone",)),
        expectation(place=place(7), expires=date(2026, 1, 1)),
        expectation(place=place(8), models=("other",)),
        expectation(place=place(9), consumer="2.9"),
    ]
    cells = [
        *(cell(signature=f"f{i}") for i in range(12)),
        failing(consumer="2.5.3"),
        cell(consumer="2.6.5", outcome="unsupported", why="no wheel", compared=0),
        failing(consumer="2.8.4"),
        failing(consumer="2.9.3"),
    ]
    return judged(entries, cells)


def test_each_is_told_once(judgement: Judgement) -> None:
    """Cells of one expectation share a paragraph, of which the first ten are named; each ends with what to do."""
    said = list(claims(judgement))
    assert [paragraph.split("\n")[0] for paragraph in said] == [
        "expected to fail with attr-unknown, and it passed",
        "expected to fail with attr-unknown Conv3D, and it failed for another cause",
        "expected to fail with attr-unknown, and it was not run",
        "expected to fail with attr-unknown and run-failed, and it is expected to fail for two causes",
        "expected to fail with attr-unknown, and no cell of this run is like that",
        "expected to fail with attr-unknown, until 2026-01-01, which is past",
    ]
    assert all("\n  do      " in paragraph for paragraph in said)
    assert "expectations.toml:1 (ops): Conv2D.explicit_paddings came with 1.14" in said[0]
    assert said[0].count("  cell    ") == 10
    assert "  and 2 more cells\n" in said[0]
    assert "concerned: 2.4.4" in said[0]
    assert ": fail, attr-unknown Conv2D.explicit_paddings\n" in said[1]
    assert ": unsupported, no wheel\n" in said[2]
    assert "expectations.toml:5 (https://example.com/5)" in said[3]


def test_the_record_of_it(judgement: Judgement) -> None:
    """The record has each broken cell with its expectations, and the places of the others."""
    said = as_json(judgement)
    assert (said["file"], said["entries"], said["expected"]) == ("expectations.toml", 9, 1)
    assert [broken["why"] for broken in said["broken"]] == [
        *["passed"] * 12,
        "other-cause",
        "not-run",
        "contradicted",
    ]
    assert said["broken"][-1]["expectations"] == ["expectations.toml:4", "expectations.toml:5"]
    assert said["stale"] == ["expectations.toml:6"]
    assert said["expired"] == ["expectations.toml:7"]
    assert said["out_of_scope"] == ["expectations.toml:8"]


def test_the_number_of_them(judgement: Judgement) -> None:
    """One line counts what was expected, and what is about something else."""
    assert count(judgement) == "1 failure expected by expectations.toml; 1 of its 9 is out of scope"
    assert count(judged([expectation()], [failing(), failing(consumer="2.5.3")])) == (
        "2 failures expected by expectations.toml"
    )


def test_names_that_are_near() -> None:
    """Below the number, a line for each expectation that nearly names a model; after ten, how many more."""
    entries = [expectation(place=f"expectations.toml:{i}", models=("cnm2",)) for i in range(12)]
    first, second, *others = notes(judged(entries, [cell("cnn2"), cell("cnm22")]))
    assert first.endswith("12 of its 12 are out of scope")
    assert second == "expectations.toml:0: no model is called cnm2; near is cnm22"
    assert len(others) == 10
    assert others[-1] == "and 2 more that name no model, and nearly do"


def test_what_expires_soon() -> None:
    """The days that are left are told with whoever looks after it."""
    assert "1 day is left" in soon(expectation(expires=DAY + timedelta(days=1)), DAY)
    assert soon(expectation(expires=DAY + timedelta(days=9)), DAY) == (
        "expectations.toml:1: expires 2027-01-10, 9 days are left; ops looks after it"
    )


def test_the_terminal_ends_with_it(judgement: Judgement) -> None:
    """The summary counts what does not hold, below the paragraphs about it."""
    stream = io.StringIO()
    print_matrix([], Console(file=stream, width=120, highlight=False), judgement)
    lines = stream.getvalue().splitlines()
    assert "What does not hold about expectations" in lines
    assert lines[-1] == "0 cells: 0 pass; 6 things about expectations do not hold"

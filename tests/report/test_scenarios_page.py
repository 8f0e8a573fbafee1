"""The page of scenarios: which way of making a SavedModel works from where to where, by records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.errors import ConfigurationError
from savedmodel_compat.report import record
from savedmodel_compat.report.scenarios_page import Scenario, as_markdown, read_scenarios

SCENARIOS = (Scenario(name="small", title="Small models", exporters=("small", "other")),)
TOML = '[[scenario]]\nname = "small"\ntitle = "Small models"\nexporters = ["small", "other"]\n'


def cell(outcome: str = "pass", cause: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return the record of a cell, as far as the page reads it."""
    usual = {"model": "small", "producer": "2.4.4", "consumer": "2.11.1", "loader": "c"}
    causes = [] if cause is None else [cause]
    said = {"strip": True, "outcome": outcome, "cause": cause, "causes": causes}
    return {**usual, **said, **fields}


def rows(*cells: dict[str, Any]) -> list[str]:
    """Return the rows of the tables, heads left out."""
    lines = as_markdown(SCENARIOS, list(cells)).splitlines()
    return [line for line in lines if line.startswith("| `")]


def test_loaders_that_agree_are_one_sign() -> None:
    """Where all loaders give the answers there is nothing more to say."""
    assert rows(cell(), cell(loader="v1")) == ["| `small` | 2.4.4 | on | ✓ |"]


def test_loaders_that_differ_are_named() -> None:
    """One that fails is named with its cause, those that do not with their sign."""
    assert rows(cell(), cell("fail", "attr-unknown", loader="v2")) == [
        "| `small` | 2.4.4 | on | `c` ✓; `v2` ✗ attr-unknown |"
    ]


def test_loaders_that_agree_for_those_that_were_not_tried_are_named() -> None:
    """A sign without a name would speak for a loader of the section that was not asked."""
    others = [cell(loader=loader, consumer="2.4.4") for loader in ("c", "v1", "v2")]
    failed = [cell("fail", "crashed", loader=loader) for loader in ("c", "v1")]
    assert rows(*others, *failed) == ["| `small` | 2.4.4 | on | ✓ | `c`, `v1` ✗ crashed |"]
    assert rows(*others, cell()) == ["| `small` | 2.4.4 | on | ✓ | `c` ✓ |"]
    assert rows(*others, cell("unsupported")) == ["| `small` | 2.4.4 | on | ✓ | — |"]
    alone = (
        cell("fail", "crashed"),
        cell("unsupported", loader="v1"),
        cell("unsupported", loader="v2"),
    )
    assert rows(*others, *alone) == ["| `small` | 2.4.4 | on | ✓ | ✗ crashed |"]


def test_one_signature_that_fails_is_enough() -> None:
    """A model works where all of its signatures do."""
    found = rows(cell(signature="a"), cell("fail", "run-failed", signature="b"))
    assert found == ["| `small` | 2.4.4 | on | ✗ run-failed |"]


def test_what_a_release_does_not_have_hides_nothing() -> None:
    """A loader that is not there says nothing where another answers; where none is there, that is said."""
    assert rows(cell(), cell("unsupported", loader="v2")) == ["| `small` | 2.4.4 | on | ✓ |"]
    assert rows(cell("unsupported")) == ["| `small` | 2.4.4 | on | — |"]


def test_rows_that_read_the_same_stand_together() -> None:
    """Legs and producers with the same row share it; one that differs has its own."""
    same = [cell(strip=strip, producer=p) for p in ("2.4.4", "2.10.1") for strip in (True, False)]
    differs = cell("fail", "crashed", producer="2.21.0")
    assert rows(*same, differs) == [
        "| `small` | 2.4.4, 2.10.1 | off, on | ✓ |",
        "| `small` | 2.21.0 | on | ✗ crashed |",
    ]


def test_consumers_are_in_order_and_gaps_are_seen() -> None:
    """Columns go from the oldest to the newest, and what was not tried has a sign of its own."""
    text = as_markdown(SCENARIOS, [cell(consumer="2.11.1"), cell(consumer="2.4.4", model="other")])
    assert "| exporter | producer | strip | 2.4.4 | 2.11.1 |" in text
    assert "| `small` | 2.4.4 | on | · | ✓ |" in text


def test_a_scenario_without_cells() -> None:
    """It is on the page all the same, as not tried."""
    assert "Not tried." in as_markdown(SCENARIOS, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no \\[\\[scenario\\]\\]"),
        ("x = ", "cannot be read"),
        ('[[scenario]]\nname = "a"\n', "has name"),
        (TOML.replace('["small", "other"]', "[]"), "has exporters, name, title"),
        (TOML.replace('["small", "other"]', "[1]"), "has exporters, name, title"),
        ("scenario = 3", "no \\[\\[scenario\\]\\]"),
        ("scenario = [3]", "has no table"),
    ],
)
def test_what_is_no_file_of_scenarios(text: str, words: str, tmp_path: Path) -> None:
    """It is refused, with what is wrong."""
    path = tmp_path / "scenarios.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_scenarios(path)


def command(*arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    module = [sys.executable, "-m", "savedmodel_compat.report.scenarios_page"]
    return subprocess.run([*module, *arguments], capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    """The page comes from a file of scenarios and records."""
    scenarios, made = tmp_path / "scenarios.toml", tmp_path / "record.json"
    scenarios.write_text(TOML)
    record.write({"cells": [cell()]}, made)
    done = command(scenarios, made)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| `small` | 2.4.4 | on | ✓ |" in done.stdout


def test_cells_on_no_row(tmp_path: Path) -> None:
    """Those of models that no scenario has are counted, on the page and on stderr."""
    scenarios, made = tmp_path / "scenarios.toml", tmp_path / "record.json"
    scenarios.write_text(TOML)
    record.write(
        {"cells": [cell(), cell(model="strange"), cell(model="strange", loader="v1")]}, made
    )
    done = command(scenarios, made)
    assert done.returncode == 0
    assert done.stderr == "2 cells are of models that no scenario has, and on no row\n"
    assert "\n2 cells are of models that no scenario has, and on no row.\n" in done.stdout


def test_the_command_without_what_it_needs(tmp_path: Path) -> None:
    """Each is one line, a hint and exit code 4, and nothing of a page."""
    scenarios, made, other = (
        tmp_path / name for name in ("scenarios.toml", "record.json", "other")
    )
    scenarios.write_text(TOML)
    record.write({"cells": [cell()]}, made)
    record.write({"cells": [{"causes": []}]}, other)
    for arguments, words in (
        ((), "no file of scenarios is named"),
        ((scenarios,), "no record is named"),
        ((tmp_path / "none", made), "cannot be read: No such file"),
        ((made, made), "cannot be read: "),
        ((scenarios, tmp_path / "none"), "is no record of a run"),
        ((scenarios, scenarios), "is no record of a run"),
        ((scenarios, other), "a cell has no 'model'"),
    ):
        done = command(*arguments)
        assert (done.returncode, done.stdout) == (4, "")
        said, empty, hint = done.stderr.splitlines()
        assert said.startswith("error: ")
        assert words in said
        assert (empty, hint[:6]) == ("", "hint: ")

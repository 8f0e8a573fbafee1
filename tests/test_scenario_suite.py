"""The suite of scenarios: its cells do not depend on order, on workers, or on what ran before; and nothing is left out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import savedmodel_compat
from savedmodel_compat import config
from savedmodel_compat.report.scenarios_page import read_scenarios

ROOT = Path(__file__).parent.parent
SCENARIOS = read_scenarios(ROOT / "suites" / "scenarios.toml")
REVERSED = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""
# Stateful ones, several MetaGraphs, and one whose failures are expected.
CHOSEN = "test_cpp and 2.11.1-c] and (counter or several_meta_graphs or vocabulary)"


def run_suite(folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run some items of the suite; return the record's cells by id, less what no two runs have in common."""
    record = folder / "record.json"
    installed = entry_points(group="pytest11", name="savedmodel_compat")
    plugin = [] if installed else ["-psavedmodel_compat.plugin"]
    source = Path(savedmodel_compat.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(source), str(folder)))}
    command = [
        sys.executable,
        "-mpytest",
        "-pno:cacheprovider",
        "-pno:hypothesispytest",
        *plugin,
        f"-k{CHOSEN}",
        *arguments,
    ]
    done = subprocess.run(
        [*command, f"--savedmodel-json={record}", str(ROOT / "suites" / "test_scenarios.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    cells = json.loads(record.read_text())["cells"]
    unlike = ("seconds", "log", "observed")
    return {c["id"]: {k: v for k, v in c.items() if k not in unlike} for c in cells}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The cells of a run in one process, in the order of the file."""
    return run_suite(tmp_path_factory.mktemp("plain"), "-pno:xdist")


def test_workers_change_nothing(tmp_path: Path, plain: dict[str, dict[str, Any]]) -> None:
    """With two workers the same cells come to the same ends."""
    assert plain
    assert run_suite(tmp_path, "-n2") == plain


def test_order_changes_nothing(tmp_path: Path, plain: dict[str, dict[str, Any]]) -> None:
    """Backwards, when each cell has others before it, the same cells come to the same ends."""
    (tmp_path / "backwards.py").write_text(REVERSED)
    assert run_suite(tmp_path, "-pno:xdist", "-pbackwards") == plain


def test_what_ran_before_changes_nothing(tmp_path: Path, plain: dict[str, dict[str, Any]]) -> None:
    """A cell alone comes to the same end as among others, though its model counts how often it was asked."""
    alone = run_suite(tmp_path, "-pno:xdist", "--deselect=nothing", f"-k{CHOSEN} and counter-2.4.4")
    assert alone
    assert alone == {key: plain[key] for key in alone}


def test_every_exporter_is_in_a_scenario() -> None:
    """Who registers an exporter says which scenario it serves."""
    listed = [name for scenario in SCENARIOS for name in scenario.exporters]
    assert len(listed) == len(set(listed))
    registered = set(config.read(ROOT / "pyproject.toml").exporters)
    assert registered == {name for name in listed if "::" not in name}


def test_every_function_that_exports_is_registered() -> None:
    """No exporter lies there without being run; but for one, whose op is in no release."""
    folder = ROOT / "suites" / "exporters"
    there = {
        f"{path.name}::{name}"
        for path in folder.glob("[!_]*.py")
        for name in re.findall(r"^def (export_\w+)\(", path.read_text(), re.MULTILINE)
    }
    known = config.read(ROOT / "pyproject.toml").exporters.values()
    assert there - {Path(each).name for each in known} == {"op_library.py::export_builder"}


def test_every_attr_carrier_is_there() -> None:
    """Each row of the table of carriers is run at its default and set."""
    text = (ROOT / "suites" / "exporters" / "attr_carriers.py").read_text()
    names = re.findall(r'Carrier\(\s*"(\w+)"', text)
    [attrs] = [scenario.exporters for scenario in SCENARIOS if scenario.name == "attrs"]
    listed = {name.partition("::")[2] for name in attrs if "::" in name}
    assert listed == {f"{name}_{value}" for name in names for value in ("default", "set")}

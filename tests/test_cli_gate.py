"""A matrix as a gate on the command line: expectations and floors of real models in real releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from savedmodel_compat import cli
from savedmodel_compat.matrix.expectations import today

ROOT = Path(__file__).parent.parent
# It does not load in 2.4.4 for VarHandleOp.debug_name, which 2.11.1 ignores in both signatures.
MODEL = str(ROOT / "tests" / "models" / "module-2.21.0")
OLD = ("--on", "2.4.4,2.21.0")

KNOWN = """
    [[expectation]]
    model = "module-*"
    consumer = "<2.5"
    cause = "attr-unknown"
    op = "VarHandleOp"
    attr = "debug_name"
    reason = "VarHandleOp.debug_name came with 2.18"
    owner = "ops"
    expires = 2999-12-31
"""

Write = Callable[..., str]
Run = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of expectations, with some of its words replaced."""

    def write_text(text: str = KNOWN, **changes: str) -> str:
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        file = tmp_path / "expectations.toml"
        file.write_text(dedent(text), encoding="utf-8")
        return str(file)

    return write_text


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the model, and return its record and what was printed."""

    def run_model(*options: str, code: int) -> tuple[dict[str, Any], str]:
        record = tmp_path / "record.json"
        assert cli.run(["run", MODEL, *options, "--json", str(record)]) == code
        said: dict[str, Any] = json.loads(record.read_text())
        return said, "".join(capfd.readouterr())

    return run_model


def test_expected_failures_are_compatible(run: Run, write: Write) -> None:
    """A failure that is expected leaves exit code 0; it is marked in the record, the table and the summary."""
    assert run(*OLD, code=1)[0]["expectations"] is None
    said, shown = run(*OLD, "--expectations", write(), code=0)
    assert next((c["outcome"], c["expected"]) for c in said["cells"]) == ("fail", True)
    assert said["expected"] == 1
    assert said["summary"]["fail"] == 1
    assert said["expectations"]["broken"] == []
    assert "stripped expected pass" in shown
    assert "Why cells fail as expected" in shown
    assert "3 cells: 2 pass, 1 fail; 1 expected" in shown


@pytest.mark.parametrize(
    ("changes", "why", "words"),
    [
        ({"<2.5": ">=2.21"}, "passed", "and it passed"),
        ({"debug_name": "container"}, "other-cause", "and it failed for another cause"),
        ({"attr-unknown": "op-not-registered"}, "other-cause", "for another cause"),
    ],
)
def test_what_is_expected_and_does_not_happen(
    run: Run, write: Write, changes: dict[str, str], why: str, words: str
) -> None:
    """Seeded faults: an expected cell that passes or fails otherwise is exit code 1, told with file, line and cell."""
    file = write(**changes)
    said, shown = run(*OLD, "--expectations", file, code=1)
    assert {broken["why"] for broken in said["expectations"]["broken"]} == {why}
    assert words in shown
    assert f"{file}:2 (ops)" in shown.replace("\n", "")
    assert "What does not hold about expectations" in shown
    assert "module-2.21.0:serve:stripped:2.21.0:" in shown


def test_what_is_out_of_scope_is_told(run: Run, write: Write) -> None:
    """A run says in one line how many expectations are about something else, and what a name nearly is."""
    other = KNOWN.replace("module-*", "models/modul-2.21.0")
    file = write(KNOWN + other)
    _, shown = run(*OLD, "--expectations", file, code=0)
    assert f"1 failure expected by {file}; 1 of its 2 is out of scope\n" in shown
    assert f"{file}:12: no model is called models/modul-2.21.0; near is module-2.21.0\n" in shown


def test_the_end_of_a_path_names_a_model(run: Run, write: Write) -> None:
    """An expectation that was written for pytest, where a model has its folders, holds on the command line."""
    file = write(**{"module-*": "tests/models/module-2.21.0"})
    assert run(*OLD, "--expectations", file, code=0)[0]["expected"] == 1


def test_a_stale_one(run: Run, write: Write) -> None:
    """Seeded fault: an expectation about a signature that the model has not is exit code 1, unless others were asked for."""
    file = write(**{"owner =": 'signature = "gone"\n    owner =', '"<2.5"': '"2.21"'})
    options = ("--on", "2.21.0", "--expectations", file)
    said, shown = run(*options, code=1)
    assert said["expectations"]["stale"] == [f"{file}:2"]
    assert "no cell of this run is like that" in shown
    said, _ = run(*options, "--signature", "serving_default", code=0)
    assert said["expectations"]["out_of_scope"] == [f"{file}:2"]


def test_an_expired_one(run: Run, write: Write) -> None:
    """Seeded fault: past its date it excuses nothing, and is itself told, once."""
    file = write(**{"2999-12-31": "2020-01-01"})
    said, shown = run(*OLD, "--expectations", file, code=1)
    assert said["expectations"]["expired"] == [f"{file}:2"]
    assert said["expected"] == 0
    assert shown.count("which is past") == 1


def test_nothing_but_expected_failures(run: Run, write: Write) -> None:
    """A run in which nothing was compared is still exit code 5."""
    said, shown = run("--on", "2.4.4", "--expectations", write(), code=5)
    assert said["expected"] == 1
    assert "hint: failures that are expected do not count as compared" in shown


def test_a_file_that_is_not_sound(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    """A mistake in the file is exit code 4 before anything is run."""
    file = write(**{"attr-unknown": "attr-unkown"})
    assert cli.run(["run", MODEL, *OLD, "--expectations", file]) == 4
    assert cli.run(["run", MODEL, *OLD, "--expectations", "gone.toml"]) == 4
    said = capfd.readouterr()
    assert "near are attr-unknown" in said.err
    assert not said.out


def test_the_configuration_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], write: Write
) -> None:
    """`matrix` of a registered exporter holds the configuration's expectations, and `none` turns them off; `run` asks."""
    file = Path(write(**{"attr-unknown": "attr-unkown"}))
    exporter = ROOT / "suites" / "exporters" / "half_plus_two.py"
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.savedmodel-compat]\nexpectations = "{file.name}"\n'
        f'[tool.savedmodel-compat.exporters]\nsmall = "{exporter}::export_builder"\n'
    )
    monkeypatch.chdir(tmp_path)
    known = ["matrix", "small", "--with", "2.99", "--on", "2.21.0"]
    assert cli.run(known) == 4
    assert "attr-unkown" in capfd.readouterr().err
    assert cli.run([*known, "--expectations", "none"]) == 4
    assert "attr-unkown" not in capfd.readouterr().err
    assert cli.run(["run", MODEL, "--on", "2.21.0"]) == 0


def test_a_draft_holds(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is drafted from a record of real failures makes the same run compatible, and `check` agrees."""
    said, _ = run("--on", "1.4.1,smoke", code=1)
    failures = said["summary"]["fail"]
    assert failures > 3
    record, file = str(tmp_path / "record.json"), str(tmp_path / "draft.toml")
    assert cli.run(["expectations", "draft", record, "-o", file, "--owner", "ops"]) == 0
    assert f"for {failures} failures" in capfd.readouterr().err
    assert cli.run(["expectations", "check", file, record]) == 0
    assert f"{failures} expected to fail, 0 fail and are not" in capfd.readouterr().out
    again, _ = run("--on", "1.4.1,smoke", "--expectations", file, code=0)
    assert again["expected"] == failures
    assert cli.run(["expectations", "draft", record]) == 0
    assert "[[expectation]]" not in capfd.readouterr().out


def test_a_draft_replaces_nothing(run: Run, write: Write, tmp_path: Path) -> None:
    """A file that people have written is not replaced."""
    file = write()
    run("--on", "2.21.0", code=0)
    record = str(tmp_path / "record.json")
    before = Path(file).read_text()
    assert cli.run(["expectations", "draft", record, "-o", file]) == 4
    assert Path(file).read_text() == before


def test_a_draft_of_the_past(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Seeded fault: a date that is past would excuse nothing, and is exit code 4."""
    record = tmp_path / "record.json"
    record.write_text('{"cells": [], "interrupted": false}')
    assert cli.run(["expectations", "draft", str(record), "--expires", "2020-01-01"]) == 4
    assert "--expires 2020-01-01 is past" in capfd.readouterr().err
    today_still = ["--expires", today().isoformat(), "--owner", "ops"]
    assert cli.run(["expectations", "draft", str(record), *today_still]) == 0


def test_infra_errors_are_told(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Seeded fault: what could not be run is in neither draft nor floors, and both say how many cells that is."""
    run("--on", "2.4.4,2.21.0", code=1)
    record, floors = tmp_path / "record.json", str(tmp_path / "floors.toml")
    said = json.loads(record.read_text())
    said["cells"][-1] |= {"outcome": "infra-error", "reason": "no network"}
    record.write_text(json.dumps(said))
    failed = sum(each["outcome"] == "fail" for each in said["cells"])
    assert cli.run(["expectations", "draft", str(record), "--owner", "ops"]) == 0
    assert f"for {failed} failure; 1 infra-error left out" in capfd.readouterr().err
    assert cli.run(["floors", str(record), "--tier", "2.4.4,2.21.0", "-o", floors]) == 0
    assert "warning: 1 infra-error in these records" in capfd.readouterr().err


def test_a_tier_that_no_on_could_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Seeded faults: floors of what is neither release nor set would never be looked at, and are exit code 4."""
    record, floors = tmp_path / "record.json", tmp_path / "floors.toml"
    record.write_text('{"cells": [], "interrupted": false}')
    for tier in ("smok", "2.99", ">2.99"):
        assert cli.run(["floors", str(record), "--tier", tier, "-o", str(floors)]) == 4
        assert f"--tier {tier} is nothing that --on can be" in capfd.readouterr().err
    assert not floors.exists()


def test_check_without_records(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    """`check` of a file alone: 0 if it is sound, a warning in its last month, 1 if one is expired, 4 if it does not parse."""
    assert cli.run(["expectations", "check", write()]) == 0
    assert cli.run(["expectations", "check", write(**{"2999-12-31": today().isoformat()})]) == 0
    assert "today is its last day" in capfd.readouterr().err
    assert cli.run(["expectations", "check", write(**{"2999-12-31": "2020-01-01"})]) == 1
    assert "until 2020-01-01, which is past" in capfd.readouterr().out
    assert cli.run(["expectations", "check", write(**{"2999-12-31": '"soon"'})]) == 4


def test_check_says_what_is_not_expected(
    run: Run, write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Seeded fault: a record with a failure that no expectation covers is exit code 1."""
    run("--on", "smoke", code=1)
    assert cli.run(["expectations", "check", write(), str(tmp_path / "record.json")]) == 1
    said = capfd.readouterr().out
    assert said.count("not expected: module-2.21.0:") == 2
    assert "attr-ignored" in said


def test_floors_hold_a_run(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Floors written from a record hold for that run; a run of fewer releases is exit code 1, told by axis and value."""
    floors = str(tmp_path / "floors.toml")
    tier = "2.20.0,2.21.0"
    run("--on", tier, code=0)
    record = str(tmp_path / "record.json")
    assert cli.run(["floors", record, "--tier", tier, "-o", floors]) == 0
    assert "4 collected, 4 run, 4 compared" in capfd.readouterr().err
    run("--on", tier, "--floors", floors, code=0)
    text = Path(floors).read_text()
    Path(floors).write_text(
        text.replace('"2.20.0" = { collected = 2', '"2.20.0" = { collected = 3')
    )
    _, shown = run("--on", tier, "--floors", floors, code=1)
    assert f"{floors} [{tier}]: consumer 2.20.0: 2/2/2, floor 3/2/2 (coll" in shown
    assert "hint: find what is no longer collected or run; " in shown
    assert f"floors RECORD.json --tier '{tier}' -o {floors}" in shown
    _, shown = run("--on", tier, "--floors", floors, "--signature", "lookup", code=1)
    assert "in all: 2/2/2, floor 4/4/4" in shown


def test_a_tier_without_floors(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Seeded fault: floors that were asked for and do not name this `--on` are exit code 4, not a run that is held to nothing."""
    floors = tmp_path / "floors.toml"
    floors.write_text("[all]\ntotal = { run = 1 }\n")
    assert cli.run(["run", MODEL, "--on", "2.21.0", "--floors", str(floors)]) == 4
    assert "no floors for --on 2.21.0" in capfd.readouterr().err


def test_floors_keep_other_tiers(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Writing a tier leaves the others as they are, and says what stood there before."""
    floors = tmp_path / "floors.toml"
    floors.write_text("[all]\ntotal = { run = 7 }\n[smoke]\ntotal = { run = 9 }\n")
    run("--on", "2.21.0", code=0)
    record = str(tmp_path / "record.json")
    assert cli.run(["floors", record, "--tier", "smoke", "-o", str(floors)]) == 0
    assert "2 collected, 2 run, 2 compared; before -/9/-" in capfd.readouterr().err
    assert "[all]\ntotal = { run = 7 }" in floors.read_text()


def test_no_floors_of_nothing(tmp_path: Path) -> None:
    """A record in which nothing was run, or that was interrupted, sets no floor."""
    record, floors = tmp_path / "empty.json", tmp_path / "floors.toml"
    record.write_text('{"cells": [], "interrupted": false}')
    assert cli.run(["floors", str(record), "--tier", "smoke", "-o", str(floors)]) == 5
    record.write_text('{"cells": [], "interrupted": true}')
    assert cli.run(["floors", str(record), "--tier", "smoke", "-o", str(floors)]) == 4
    assert not floors.exists()


def test_a_cell_that_is_not_whole(tmp_path: Path) -> None:
    """A record of something else is exit code 4."""
    record = tmp_path / "record.json"
    record.write_text('{"cells": [{"causes": []}]}')
    assert cli.run(["expectations", "draft", str(record)]) == 4

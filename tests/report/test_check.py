"""What the static rules say, as text, as a record, as annotations and as SARIF."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from savedmodel_compat.checks.findings import found
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.checks.rules import RULES
from savedmodel_compat.checks.run import Report
from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.report import check, github, sarif
from savedmodel_compat.report.rules_page import page

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are the same inside of a workflow."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


@pytest.fixture
def reports() -> list[Report]:
    """One path that is nothing, one model with two findings, one good model."""
    return [
        Report(
            name="lost",
            path=Path("models/lost"),
            error=NotASavedModelError("there is no folder models/lost", hint="check the path"),
        ),
        Report(
            name="audit",
            path=Path("models/audit"),
            findings=(
                found("L4", "assets/a b,c.txt", "it is not there: 100%\x1b[31m", file="assets/a b,c.txt"),
                found("M1", "MetaGraph [train]", "no MetaGraph has the tags {serve}", file="saved_model.pb"),
            ),
        ),
        Report(name="good", path=Path("models/good"), version=3, seconds=0.01),
    ]  # fmt: skip


def test_the_text_is_read_top_down(reports: list[Report]) -> None:
    """Each model has its verdict, each finding its place and its fix, and the summary counts."""
    text = check.as_text(reports)
    lines = text.splitlines()
    assert lines[0] == "✗ models/lost: there is no folder models/lost"
    assert lines[1] == "    hint: check the path"
    assert lines[2].startswith("✗ models/audit: 1 error, 1 warning")
    assert "error   L4   assets/a b,c.txt: it is not there" in lines[3]
    assert "fix: put the file back into assets/" in lines[4]
    assert lines[-3].startswith("✓ models/good (version 3 would be served): nothing found")
    assert lines[-1] == "3 models: 1 not checked, 1 with errors, 1 good"


def test_the_text_survives_what_a_model_says(reports: list[Report]) -> None:
    """Control codes in names and messages are escaped."""
    assert "\x1b" not in check.as_text(reports)
    assert r"\x1b[31m" in check.as_text(reports)


def test_rules_that_are_off_are_said(reports: list[Report]) -> None:
    """What a user turned off or up stands below, and in the record."""
    policy = Policy.of(disable=["L15,L2"], error=["M1"])
    assert check.as_text(reports, policy).splitlines()[-2:] == [
        "rules turned off: L2, L15",
        "rules made errors: M1",
    ]
    record = check.as_record(reports, policy)
    assert (record["disabled"], record["raised"]) == (["L2", "L15"], ["M1"])
    holds = {row["rule"]: row["holds"] for row in check.rules_record(policy)["rules"]}
    assert (holds["L2"], holds["M1"], holds["L1"]) == ("off", "error", "error")
    assert "L2  off      " in check.rules_text(policy)


def test_on_a_terminal_lines_are_parted_between_words(reports: list[Report]) -> None:
    """No line is longer than the terminal is wide, and what follows is indented."""
    lines = check.as_text(reports, look=check.Look(width=60)).splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.startswith(" " * 17) for line in lines)


def test_colour_is_besides(reports: list[Report]) -> None:
    """With colour the text is the same but for the codes."""
    plain = check.as_text(reports)
    styled = check.as_text(reports, look=check.Look(styled=True))
    assert styled != plain
    assert click.unstyle(styled) == plain


def test_quiet_leaves_out_what_is_good(reports: list[Report]) -> None:
    """Only the summary counts the good ones."""
    text = check.as_text(reports, look=check.Look(quiet=True))
    assert "models/good" not in text
    assert text.endswith("3 models: 1 not checked, 1 with errors, 1 good")


def test_what_was_passed_over_is_named() -> None:
    """A folder of a folder of models that holds none is no model, and is named."""
    report = Report(name="notes", path=Path("models/notes"), skipped="it holds todo.txt")
    assert check.as_text([report]) == "passed over, with no SavedModel in them: notes"
    record = check.as_record([report])
    assert record["models"] == []
    assert record["skipped"] == [{"path": "models/notes", "reason": "it holds todo.txt"}]


def test_a_name_that_is_no_utf8_survives_json() -> None:
    """A strict reader takes the record; the byte is escaped."""
    report = Report(name="a\udcff", path=Path("a\udcff"))
    json.dumps(check.as_record([report]), ensure_ascii=False).encode()
    assert check.as_record([report])["models"][0]["model"] == "a\\udcff"


def test_one_model_needs_no_summary(reports: list[Report]) -> None:
    """A single model's verdict is the summary."""
    assert "models:" not in check.as_text(reports[2:])


def test_the_record_has_what_is_promised(reports: list[Report]) -> None:
    """Its fields are those of the contract, and it survives JSON."""
    record = json.loads(json.dumps(check.as_record(reports)))
    assert record["schema"] == 1
    assert record["summary"] == {
        "models": 3,
        "error": 1,
        "warning": 1,
        "note": 0,
        "not-checked": 1,
    }
    lost, audit, good = record["models"]
    assert lost["error"] == "there is no folder models/lost"
    assert lost["hint"] == "check the path"
    assert audit["model"] == "audit"
    assert audit["findings"][0] == {
        "rule": "L4",
        "severity": "error",
        "where": "assets/a b,c.txt",
        "file": "assets/a b,c.txt",
        "message": "it is not there: 100%\x1b[31m",
        "fix": "put the file back into assets/",
    }
    assert good["findings"] == []
    assert good["targets"] == {}
    assert good["version"] == 3


def test_annotations_are_escaped(reports: list[Report]) -> None:
    """What a runner takes for syntax is escaped in the message and in the properties."""
    lines = github.as_annotations(reports, root=Path.cwd()).splitlines()
    assert lines[0].startswith("::error file=models/lost,title=not checked::there is no folder")
    assert lines[1].startswith("::error file=models/audit/assets/a b%2Cc.txt,title=L4%3A ")
    assert "100%25" in lines[1]
    assert "\x1b" not in lines[1]
    assert lines[2].startswith("::warning file=models/audit/saved_model.pb,title=M1%3A ")
    assert lines[3:] == ["3 models: 1 not checked, 1 with errors, 1 good"]


def test_annotations_beyond_ten_are_logged() -> None:
    """A step shows ten of a kind; the others are lines of the log, and the verdict is the last."""
    many = Report(
        name="m", path=Path("m"), findings=tuple(found("L4", f"a{n}", "x") for n in range(25))
    )
    lines = github.as_annotations([many], root=Path.cwd()).splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == github.LIMIT
    assert lines[: github.LIMIT] == commands
    assert lines[github.LIMIT].startswith("15 more")
    assert [f"m: a{n}: x; fix: " in lines[n + 1] for n in range(10, 25)] == [True] * 15
    assert lines[26].startswith("✗ m: 25 errors")
    assert len(lines) == 27


def test_models_beyond_ten_that_are_not_checked_are_logged() -> None:
    """What is no annotation keeps its reason."""
    lost = [
        Report(name=f"m{n}", path=Path(f"m{n}"), error=NotASavedModelError(f"no folder {n}", hint="h"))
        for n in range(12)
    ]  # fmt: skip
    lines = github.as_annotations(lost, root=Path.cwd()).splitlines()
    assert lines[11:] == [
        "error   not checked: m10: no folder 10",
        "error   not checked: m11: no folder 11",
        "12 models: 12 not checked",
    ]


def test_no_line_of_the_log_is_a_command() -> None:
    """Nothing that a model says is taken for a command, however the line may begin."""
    evil = "x\n::error::y ##[error]z"
    many = Report(name=evil, path=Path("::warning::m"),
                  findings=tuple(found("L4", evil, evil) for _ in range(12)))  # fmt: skip
    good = Report(name="::good", path=Path("::good"), skipped="::no")
    lines = github.as_annotations([many, good], root=Path.cwd()).splitlines()
    assert len([line for line in lines if line.lstrip().startswith("::")]) == github.LIMIT
    assert [line for line in lines[github.LIMIT :] if "##[" in line] == []


def test_annotations_of_good_models(reports: list[Report]) -> None:
    """Success is one line and no command; so is nothing at all."""
    [line] = github.as_annotations(reports[2:], root=Path.cwd()).splitlines()
    assert line.startswith("✓ models/good (version 3 would be served): nothing found")
    assert github.as_annotations([], root=Path.cwd()) == "no model was checked"


@pytest.mark.parametrize("inside", [True, False])
def test_files_are_named_from_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    """What GITHUB_WORKSPACE holds is relative to it, else to the root, for annotations and SARIF."""
    workspace = tmp_path if inside else tmp_path / "elsewhere"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(workspace))
    report = Report(name="m", path=tmp_path / "a/m", findings=(found("L4", "f", "x", file="f"),))
    expected = "a/m/f" if inside else "m/f"
    root = tmp_path / "a"
    assert github.as_annotations([report], root=root).startswith(f"::error file={expected},")
    assert _uri(sarif.as_sarif([report], root=root)) == expected


def _uri(log: dict[str, Any]) -> str:
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    return str(place["artifactLocation"]["uri"])


def test_the_folder_is_its_graph(tmp_path: Path) -> None:
    """A finding about the model as a whole points at the graph's file, if there is one."""
    report = Report(name="m", path=tmp_path, findings=(found("L15", ".", "x"),))
    root = tmp_path.parent
    assert _uri(sarif.as_sarif([report], root=root)) == tmp_path.name
    (tmp_path / "saved_model.pbtxt").write_text("")
    assert _uri(sarif.as_sarif([report], root=root)) == f"{tmp_path.name}/saved_model.pbtxt"
    text = github.as_annotations([report], root=root)
    assert f"file={tmp_path.name}/saved_model.pbtxt," in text


def test_sarif_has_a_line_and_an_identity(reports: list[Report], tmp_path: Path) -> None:
    """A result has a line, whole sentences, and a fingerprint that is the same on each machine and of no other."""
    audit = reports[1]
    twice = replace(audit, findings=(*audit.findings, *audit.findings))
    here = sarif.as_sarif([twice], root=Path.cwd())["runs"][0]["results"]
    there = sarif.as_sarif([replace(audit, path=tmp_path / "x/audit")], root=tmp_path)
    assert [r["locations"][0]["physicalLocation"]["region"] for r in here] == [{"startLine": 1}] * 4
    assert [r["partialFingerprints"] for r in there["runs"][0]["results"]] == [
        r["partialFingerprints"] for r in here[:2]
    ]
    assert len({str(r["partialFingerprints"]) for r in here}) == 4
    text = here[0]["message"]["text"]
    assert (
        text
        == r"assets/a b,c.txt: it is not there: 100%\x1b[31m. Fix: put the file back into assets/."
    )


def test_sarif_keeps_line_breaks_of_notifications(reports: list[Report]) -> None:
    """A message and its hint are lines of their own; what cannot be seen is escaped all the same."""
    fault = Report(name="f", path=Path("f"), faults=("Traceback\n  x\x1b",))
    log = sarif.as_sarif([reports[0], fault], root=Path.cwd())
    texts = [
        notification["message"]["text"]
        for notification in log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    ]
    assert texts == [
        "there is no folder models/lost\n\nhint: check the path",
        "Traceback\n  x\\x1b",
    ]


def test_sarif_points_at_files_and_places(reports: list[Report]) -> None:
    """A result has its rule, its level, its file relative to the root, and the place in the graph."""
    log = sarif.as_sarif(reports, root=Path.cwd())
    run = log["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    first = run["results"][0]
    assert first["ruleId"] == "L4"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "L4"
    assert first["level"] == "error"
    location = first["locations"][0]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "models/audit/assets/a%20b%2Cc.txt"
    assert location["logicalLocations"] == [{"fullyQualifiedName": "assets/a b,c.txt"}]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_sarif_gives_files_elsewhere_whole(reports: list[Report], tmp_path: Path) -> None:
    """A file that is not below the root is given by a file URI."""
    log = sarif.as_sarif(reports, root=tmp_path)
    location = log["runs"][0]["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")


def test_the_page_is_current() -> None:
    """docs/rules.md is what the table of rules makes."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == page()


def test_the_page_has_every_rule_once() -> None:
    """No rule is left out and none stands twice."""
    text = page()
    assert [text.count(f"| `{rule.id}` |") for rule in RULES] == [1] * len(RULES)


def test_the_list_of_rules_has_every_rule() -> None:
    """Text and record list them all, in order."""
    assert [r["rule"] for r in check.rules_record(Policy())["rules"]] == [rule.id for rule in RULES]
    assert all(rule.title in check.rules_text(Policy()) for rule in RULES)

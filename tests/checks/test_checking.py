"""Checking several models: each on its own, worst first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS

from savedmodel_compat.checks import run
from savedmodel_compat.checks.findings import Finding, Severity
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import NotASavedModelError, SavedModelCompatError, UsageError


def test_a_good_model_has_its_numbers() -> None:
    """The report of a good model counts its variables."""
    report = run.check(MODELS / "builder-1.15.5")
    assert report.findings == ()
    assert report.checkpoint is not None
    assert report.checkpoint.parameters == 4
    assert report.error is None


def test_what_is_no_model_is_an_error_of_the_caller(tmp_path: Path) -> None:
    """A folder without a model raises; it has no findings."""
    with pytest.raises(NotASavedModelError):
        run.check(tmp_path)


def test_a_folder_of_models_is_several(tmp_path: Path) -> None:
    """One report is asked for, and the folder holds two models."""
    for name in GOOD:
        shutil.copytree(MODELS / name, tmp_path / name)
    with pytest.raises(UsageError, match="holds 2 models"):
        run.check(tmp_path)
    assert len(run.check_all([tmp_path], run.Options())) == 2


def test_one_broken_model_does_not_stop_the_others(tmp_path: Path) -> None:
    """Models come worst first: not checked, then errors, then warnings, then good ones."""
    for name in ("d_good", "c_warned", "b_wrong"):
        shutil.copytree(MODELS / "builder-1.15.5", tmp_path / name)
    (tmp_path / "b_wrong/saved_model.pb").write_bytes(b"\x08\x01\x12\x99")
    shutil.copy(tmp_path / "c_warned/saved_model.pb", tmp_path / "c_warned/saved_model.pbtxt")
    paths = [tmp_path / name for name in ("d_good", "c_warned", "nothing", "b_wrong")]
    reports = run.check_all(paths, run.Options())
    assert [report.name for report in reports] == ["nothing", "b_wrong", "c_warned", "d_good"]
    assert isinstance(reports[0].error, NotASavedModelError)
    assert reports[1].findings[0].rule == "L1"
    assert [finding.rule for finding in reports[2].findings] == ["L11"]
    assert reports[3].findings == ()


def test_a_rule_that_fails_is_our_fault(
    builder: Path, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is kept, the other models are checked, and a single check raises."""

    def broken(subject: Subject) -> Iterator[Finding]:
        if subject.root == builder:
            raise ZeroDivisionError
        yield from ()

    monkeypatch.setattr(run, "CHECKS", (*run.CHECKS, broken))
    first, second = run.check_all([module, builder], run.Options())
    assert first.path == builder
    [fault] = first.faults
    assert "ZeroDivisionError" in fault
    assert second.findings == ()
    with pytest.raises(SavedModelCompatError, match="a rule failed"):
        run.check(builder)


def test_a_rule_that_fails_does_not_stop_the_other_rules(
    builder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other rules say stands beside the fault."""
    (builder / "assets/words.txt").unlink()

    def broken(subject: Subject) -> Iterator[Finding]:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "CHECKS", (broken, *run.CHECKS))
    [report] = run.check_all([builder], run.Options())
    assert len(report.faults) == 1
    assert [finding.rule for finding in report.findings] == ["L4"]


def test_a_model_under_several_names_is_checked_once(
    builder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path, the same with dots in it, a link, and the folder that holds it mean one model."""
    (tmp_path / "link").symlink_to(builder)
    monkeypatch.chdir(tmp_path)
    paths = [builder, Path(builder.name), tmp_path / ".", tmp_path / "link"]
    assert len(run.check_all(paths, run.Options())) == 1


def test_models_are_sorted_as_people_count(tmp_path: Path) -> None:
    """The second comes before the tenth."""
    for name in ("m10", "m2", "m1"):
        shutil.copytree(MODELS / GOOD[0], tmp_path / name)
    reports = run.check_all([tmp_path], run.Options())
    assert [report.name for report in reports] == ["m1", "m2", "m10"]


def test_an_export_that_wrote_nothing_does_not_pass(tmp_path: Path) -> None:
    """In a folder of models an empty folder is an error; one with other things is named and passed over."""
    shutil.copytree(MODELS / GOOD[0], tmp_path / "good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "only_assets/assets").mkdir(parents=True)
    (tmp_path / "only_assets/assets/words.txt").write_text("one")
    (tmp_path / "served/1").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("")
    reports = run.check_all([tmp_path], run.Options())
    found = {report.name: [finding.rule for finding in report.findings] for report in reports}
    assert found == {
        "empty": ["L1"],
        "only_assets": ["L1"],
        "served": ["L8"],
        "good": [],
        "notes": [],
    }
    assert [report.name for report in reports if report.skipped] == ["notes"]
    assert "it holds todo.txt" in reports[-1].skipped


def test_the_policy_holds_before_the_order(builder: Path) -> None:
    """A note that is made an error comes first."""
    shutil.copy(builder / "saved_model.pb", builder / "saved_model.pbtxt")
    (builder / "assets/more.txt").write_text("")
    plain = run.check(builder)
    assert [(f.rule, f.severity) for f in plain.findings] == [
        ("L11", Severity.WARNING),
        ("L13", Severity.NOTE),
    ]
    strict = run.check(builder, run.Options(policy=Policy.of(error=["L13"])))
    assert [(f.rule, f.severity) for f in strict.findings] == [
        ("L13", Severity.ERROR),
        ("L11", Severity.WARNING),
    ]
    assert [f.rule for f in plain.failing("warning")] == ["L11"]
    assert plain.failing() == ()


def test_tensor_data_are_left_out_if_asked(copy_of: Callable[[str], Path]) -> None:
    """A flipped byte of a tensor is found only where the data are read."""
    folder = copy_of("builder-1.15.5")
    shard = folder / "variables/variables.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[0] ^= 1
    shard.write_bytes(data)
    assert [f.rule for f in run.check(folder).findings] == ["V3"]
    assert run.check(folder, run.Options(tensor_data=False)).findings == ()


def test_progress_is_told_of_every_byte(builder: Path) -> None:
    """What is told adds up to the size of the shards."""
    told: list[int] = []
    run.check(builder, run.Options(progress=told.append))
    assert sum(told) == 16

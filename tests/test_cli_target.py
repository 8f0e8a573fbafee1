"""``check --target``: what it prints for people and for scripts, and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS

from savedmodel_compat import cli

MODULE = str(MODELS / "module-2.21.0")
BUILDER = str(MODELS / "builder-1.15.5")


def test_a_line_a_release(capsys: pytest.CaptureFixture[str]) -> None:
    """It loads, it fails with every reason, or it loads and ignores something."""
    assert cli.run(["check", MODULE, "--target", "2.4.4,2.11.1,2.21.0"]) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    [fails] = [line for line in lines if line.startswith("✗ 2.4.4")]
    assert "fails: op-not-registered: DisableCopyOnRead" in fails
    [ignores] = [line for line in lines if line.startswith("! 2.11.1")]
    assert "loads but ignores VarHandleOp.debug_name=" in ignores
    assert "✓ 2.21.0   loads" in lines


def test_floor_and_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """What it needs, why, and what would help."""
    cli.run(["check", MODULE, "--target", "2.9.3"])
    out = capsys.readouterr().out
    assert (
        "needs TensorFlow >= 2.10, because of DisableCopyOnRead in __inference__traced_save" in out
    )
    assert "which no signature reaches" in out
    assert "it would then load in 2.9.3" in out


def test_a_model_that_loads_everywhere_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    """The v1 builder's export loads in all pins."""
    assert cli.run(["check", BUILDER, "--target", "all"]) == 0
    assert "every pinned TensorFlow loads it" in capsys.readouterr().out


def test_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Targets by release, each with reasons; floor and advice besides."""
    assert cli.run(["check", MODULE, "--target", "2.4,2.21", "--format", "json"]) == 1
    [model] = json.loads(capsys.readouterr().out)["models"]
    assert {key: value["loads"] for key, value in model["targets"].items()} == {
        "2.4.4": False,
        "2.21.0": True,
    }
    reason = model["targets"]["2.4.4"]["reasons"][0]
    assert {key: reason[key] for key in ("cause", "op", "attr", "place", "stage")} == {
        "cause": "op-not-registered",
        "op": "DisableCopyOnRead",
        "attr": None,
        "place": "save",
        "stage": "load",
    }
    assert reason["function"].startswith("__inference__traced_save")
    assert model["floor"]["release"] == "2.10.1"
    assert [one["releases"] for one in model["advice"]] == [["2.4.4"], []]


def test_without_targets_the_record_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    """The field is there, and empty."""
    cli.run(["check", MODULE, "--format", "json"])
    [model] = json.loads(capsys.readouterr().out)["models"]
    assert (model["targets"], model["floor"], model["advice"]) == ({}, None, [])


@pytest.mark.parametrize("form", ["github", "sarif"])
def test_other_formats_have_the_findings(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A release that does not load the model is a finding as any other."""
    assert cli.run(["check", MODULE, "--target", "2.4.4", "--format", form]) == 1
    out = capsys.readouterr().out
    assert "T1" in out
    assert "DisableCopyOnRead" in out


def test_several_models_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a model, one column a release."""
    assert (
        cli.run(["check", *(str(MODELS / name) for name in GOOD), "--target", "2.4,2.14,2.21"]) == 1
    )
    lines = capsys.readouterr().out.splitlines()
    [module] = [line.split() for line in lines if line.startswith("module-2.21.0 ")]
    [builder] = [line.split() for line in lines if line.startswith("builder-1.15.5 ")]
    assert module[1:] == ["✗", "!", "✓"]
    assert builder[1:] == ["✓", "✓", "✓"]


def test_no_such_release_is_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    """And the message names it."""
    assert cli.run(["check", MODULE, "--target", "9.9.9"]) == 4
    assert "9.9.9" in capsys.readouterr().err


def test_a_release_of_the_configuration_needs_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was never taken is unknown, which is no failure, and the command that takes it is named."""
    pin = '[[tool.savedmodel-compat.pins]]\nrelease = "2.13.0"\npython = "3.11"\npackage = "tensorflow-cpu"\n'
    (tmp_path / "pyproject.toml").write_text(pin)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAVEDMODEL_COMPAT_CACHE", str(tmp_path / "cache"))
    assert cli.run(["check", BUILDER, "--target", "2.13.0"]) == 0
    assert "savedmodel-compat runtime snapshot 2.13.0" in capsys.readouterr().out


def test_tags_choose_the_meta_graph(capsys: pytest.CaptureFixture[str]) -> None:
    """Without them it is {serve}."""
    assert cli.run(["check", BUILDER, "--target", "2.4.4", "--tags", "serve,gpu"]) == 0
    assert "MetaGraph [serve,gpu]" in capsys.readouterr().out
    assert cli.run(["check", BUILDER, "--target", "2.4.4", "--tags", "train"]) == 4
    assert "['train']" in capsys.readouterr().out


def test_a_damaged_model_predicts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The finding about its file is what counts."""
    folder = Path(shutil.copytree(BUILDER, tmp_path / "model"))
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-100])
    assert cli.run(["check", str(folder), "--target", "2.4.4"]) == 1
    out = capsys.readouterr().out
    assert "L1" in out
    assert "nothing can be predicted" in out

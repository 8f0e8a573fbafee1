"""The commands ``check`` and ``diff``: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS

from savedmodel_compat import cli
from savedmodel_compat.model import schema

ROOT = Path(__file__).parent.parent


@pytest.fixture
def builder(tmp_path: Path) -> Path:
    """A copy of a good model, to be broken."""
    return Path(shutil.copytree(MODELS / "builder-1.15.5", tmp_path / "builder"))


def test_a_good_model(builder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good model is one line and exit code 0."""
    assert cli.run(["check", str(builder)]) == 0
    assert capsys.readouterr().out.startswith(f"✓ {builder}: nothing found; 2 tensors")


def test_an_error_is_exit_code_1(builder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error says where it is and how it is mended."""
    (builder / "assets/words.txt").unlink()
    assert cli.run(["check", str(builder)]) == 1
    out = capsys.readouterr().out
    assert "assets/words.txt" in out
    assert "fix: " in out


def test_a_warning_fails_only_if_asked(builder: Path) -> None:
    """``--fail-on warning`` is stricter."""
    shutil.copy(builder / "saved_model.pb", builder / "saved_model.pbtxt")
    assert cli.run(["check", str(builder)]) == 0
    assert cli.run(["check", str(builder), "--fail-on", "warning"]) == 1
    assert cli.run(["check", str(builder), "--error", "L11"]) == 1
    assert cli.run(["check", str(builder), "--fail-on", "warning", "--disable", "L11"]) == 0


def test_the_configuration_holds(
    builder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest pyproject.toml turns rules up and off; the command line holds over it."""
    shutil.copy(builder / "saved_model.pb", builder / "saved_model.pbtxt")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.savedmodel-compat.check]\nerror = ["L11"]\n')
    assert cli.run(["check", str(builder)]) == 1
    assert cli.run(["check", str(builder), "--disable", "L11"]) == 0


def test_what_is_no_model_is_exit_code_4(
    builder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are checked all the same, and its error stands first."""
    assert cli.run(["check", str(builder), str(tmp_path / "lost")]) == 4
    out = capsys.readouterr().out
    assert "there is no folder" in out.splitlines()[0]
    assert f"✓ {builder}" in out


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_machines_get_json_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """What stands on stdout parses, also where there is an error, which stands on stderr besides."""
    assert cli.run(["check", str(tmp_path / "lost"), "--format", form]) == 4
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert "there is no folder" in captured.err


def test_the_configuration_says_what_fails(
    builder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``fail-on`` holds unless the command line says otherwise; another word is refused."""
    shutil.copy(builder / "saved_model.pb", builder / "saved_model.pbtxt")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.savedmodel-compat.check]\nfail-on = "warning"\n')
    assert cli.run(["check", str(builder)]) == 1
    assert cli.run(["check", str(builder), "--fail-on", "error"]) == 0
    file.write_text('[tool.savedmodel-compat.check]\nfail-on = "note"\n')
    assert cli.run(["check", str(builder)]) == 4


def test_a_model_whose_graph_was_not_read_says_so(
    builder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the rule turned off that tells it, the verdict still does."""
    (builder / "saved_model.pb").write_bytes(b"")
    assert cli.run(["check", str(builder), "--disable", "L1"]) == 0
    out = capsys.readouterr().out
    assert "nothing found; the graph could not be read, 2 tensors" in out
    assert "rules turned off: L1" in out


def test_annotations(builder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub gets workflow commands."""
    (builder / "assets/words.txt").unlink()
    assert cli.run(["check", str(builder), "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=")
    assert cli.run(["check", str(MODELS / GOOD[1]), "--format", "github"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "nothing found" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no model is named"),
        (["--disable", "X9", str(MODELS / GOOD[0])], "there is no rule X9"),
        (["--list-rules", "--format", "sarif"], "has no format sarif"),
        (["gs://bucket/model"], None),
    ],
)
def test_usage(arguments: list[str], words: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake of the caller is exit code 4 and one readable error."""
    assert cli.run(["check", *arguments]) == 4
    captured = capsys.readouterr()
    if words:
        assert words in captured.err
    else:
        assert "is a URI" in captured.out


def test_the_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list-rules`` needs no model."""
    assert cli.run(["check", "--list-rules"]) == 0
    text = capsys.readouterr().out
    assert cli.run(["check", "--list-rules", "--format", "json"]) == 0
    for rule in json.loads(capsys.readouterr().out)["rules"]:
        assert rule["title"] in text


def test_a_hundred_models_are_one_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of models is checked whole, the worst first, with one summary at the end."""
    for number in range(100):
        shutil.copytree(MODELS / GOOD[number % 2], tmp_path / f"model_{number:03}")
    (tmp_path / "model_042/variables/variables.index").write_bytes(b"")
    (tmp_path / "model_077/assets/words.txt").unlink()
    shutil.copy(tmp_path / "model_010/saved_model.pb", tmp_path / "model_010/saved_model.pbtxt")
    assert cli.run(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if line[:1] in "✗!✓" and line]
    assert len(titles) == 100
    assert {title.split(":")[0][-3:] for title in titles[:2]} == {"042", "077"}
    assert titles[2].startswith("! ")
    assert lines[-1] == "100 models: 2 with errors, 1 with warnings, 97 good"


def test_no_tensorflow_and_nothing_heavy_is_imported() -> None:
    """The command reads a model without TensorFlow, and without the parts that run models."""
    code = (
        "import sys; from savedmodel_compat import cli;"
        f"assert cli.run(['check', {str(MODELS / GOOD[1])!r}]) == 0;"
        "print([n for n in ('tensorflow', 'rich', 'savedmodel_compat.runtimes') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
@pytest.mark.parametrize(("longest", "shown"), [(1, True), (1 << 40, False)])
def test_long_reading_has_a_bar_on_a_terminal(builder: Path, longest: int, shown: bool) -> None:
    """Where the data are many, a terminal shows how far the checksums are; the answer is the same."""
    import pty

    code = (
        f"from savedmodel_compat import _cli_check, cli; _cli_check._LONG = {longest};"
        f"raise SystemExit(cli.run(['check', {str(builder)!r}]))"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.set_blocking(ours, False)
    try:
        drawn = os.read(ours, 1 << 16)
    except BlockingIOError:
        drawn = b""
    os.close(ours)
    os.close(theirs)
    assert (b"verifying checksums" in drawn) == shown
    assert b"nothing found" in done.stdout


def test_diff_of_a_model_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing differs, whatever must not."""
    path = str(MODELS / GOOD[0])
    assert cli.run(["diff", path, path, "--fail-on", "any"]) == 0
    assert "no difference" in capsys.readouterr().out


def test_diff_and_what_was_only_added(builder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new signature is shown, and breaks no client; its loss does."""
    original = MODELS / "builder-1.15.5"
    file = builder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    for meta_graph in proto.meta_graphs:
        meta_graph.signature_def["added"].CopyFrom(next(iter(meta_graph.signature_def.values())))
    file.write_bytes(proto.SerializeToString())

    assert cli.run(["diff", str(original), str(builder), "--fail-on", "signature"]) == 0
    assert "+ signature added" in capsys.readouterr().out
    assert cli.run(["diff", str(original), str(builder), "--fail-on", "any"]) == 1
    assert cli.run(["diff", str(builder), str(original), "--fail-on", "signature"]) == 1


@pytest.mark.parametrize(
    ("lost", "part"),
    [
        ("variables/variables.data-00000-of-00001", "variables"),
        ("assets/words.txt", "any"),
        ("keras_metadata.pb", "any"),
    ],
)
def test_diff_misses_no_file(builder: Path, tmp_path: Path, lost: str, part: str) -> None:
    """A file that went is a difference."""
    (builder / "keras_metadata.pb").write_bytes(b"")
    other = Path(shutil.copytree(builder, tmp_path / "other"))
    assert cli.run(["diff", str(builder), str(other), "--fail-on", part]) == 0
    (other / lost).unlink()
    assert cli.run(["diff", str(builder), str(other), "--fail-on", part]) == 1


@pytest.mark.parametrize("part", ["signature", "ops", "variables", "any"])
def test_diff_fails_on_what_is_asked(capsys: pytest.CaptureFixture[str], part: str) -> None:
    """Two models that share nothing differ in every part; without ``--fail-on`` that is no failure."""
    paths = [str(MODELS / name) for name in GOOD]
    assert cli.run(["diff", *paths, "--fail-on", part]) == 1
    assert cli.run(["diff", *paths]) == 0
    capsys.readouterr()
    assert cli.run(["diff", *paths, "--format", "json"]) == 0
    json.loads(capsys.readouterr().out)

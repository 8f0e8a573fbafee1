"""`run`, `matrix`, `export` and `inspect` at work: what stands on stdout, in files, and in the record."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat import cli
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.prediction import loaders

ROOT = Path(__file__).parent.parent
EXPORTER = f"{ROOT / 'suites' / 'exporters' / 'half_plus_two.py'}::export_builder"
COMMAND = (sys.executable, "-c", "from savedmodel_compat.cli import main; main()")
TWO = ("--on", "2.4.4,2.21.0")
CELL: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "model": str,
    "path": str,
    "model_sha256": str,
    "tags": list,
    "strip": (bool, type(None)),
    "producer": (str, type(None)),
    "consumer": str,
    "tensorflow_version": (str, type(None)),
    "provider": str,
    "loader": str,
    "device": str,
    "signature": (str, type(None)),
    "outcome": str,
    "stage": (str, type(None)),
    "cause": (str, type(None)),
    "causes": list,
    "reason": (str, type(None)),
    "message": str,
    "detail": dict,
    "fix": (str, type(None)),
    "reference": (str, type(None)),
    "compared": int,
    "seconds": float,
    "expected": bool,
}


@pytest.fixture
def model(exported: Callable[..., Model]) -> Path:
    """The folder of a small model."""
    return exported("half_plus_two").path


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run a command with `--json`, and return its record."""

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        file = tmp_path / "record.json"
        assert cli.run([*arguments, "--json", str(file)]) == code
        said: dict[str, Any] = json.loads(file.read_text())
        return said

    return run


Record = Callable[..., dict[str, Any]]


def verdicts(record: dict[str, Any]) -> list[tuple[str, str, str | None, int]]:
    """What a record says of each cell, less what differs from run to run."""
    return [(c["id"], c["outcome"], c["cause"], c["compared"]) for c in record["cells"]]


def test_the_record_has_its_fields(record: Record, exported: Callable[..., Model]) -> None:
    """Every field of version 1 is there with its type, in cells that pass and in cells that fail."""
    unstripped = str(exported("mnist_cnn", strip=False).path)
    said = record("run", unstripped, *TWO, code=1)
    assert (said["schema"], said["interrupted"]) == (1, False)
    assert {c["outcome"] for c in said["cells"]} == {"pass", "fail"}
    for cell in said["cells"]:
        for name, kind in CELL.items():
            assert isinstance(cell[name], kind), name
        assert set(cell["detail"]) == {"op", "attr", "node", "function"}
    assert sum(said["summary"].values()) == len(said["cells"])
    failed = next(cell for cell in said["cells"] if cell["outcome"] == "fail")
    assert (failed["stage"], failed["cause"], failed["signature"]) == ("load", "attr-unknown", None)


def test_stdout_is_data(model: Path, tmp_path: Path) -> None:
    """The table goes to stdout and progress to stderr; away from a terminal neither has colour."""
    options = ("--with", "2.11.1", "--strip", "on", *TWO)
    done = subprocess.run(
        [*COMMAND, "matrix", EXPORTER, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("model ")
    assert "cells: " in done.stdout.splitlines()[-1]
    assert "exported" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_no_color_is_honoured(
    model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`FORCE_COLOR` colours the table, and `NO_COLOR` takes every colour out of it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert cli.run(["run", str(model), "--on", "2.21.0"]) == 0
    assert "\x1b[32m" in capfd.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.run(["run", str(model), "--on", "2.21.0"]) == 0
    assert "\x1b[3" not in capfd.readouterr().out


def test_models_of_one_name(record: Record, model: Path, tmp_path: Path) -> None:
    """Models whose folders have one name are told apart by their parents; one that is named twice runs once."""
    paths = [shutil.copytree(model, tmp_path / parent / "export") for parent in ("a", "b")]
    said = record("run", *map(str, [*paths, paths[0]]), "--on", "2.21.0")
    assert [cell["model"] for cell in said["cells"]] == ["a/export"] * 3 + ["b/export"] * 3


def test_one_signature(record: Record, model: Path) -> None:
    """`--signature` runs that one alone."""
    said = record("run", str(model), *TWO, "--signature", "regress_x_to_y")
    assert {cell["signature"] for cell in said["cells"]} == {"regress_x_to_y"}


def test_tags_choose_the_meta_graph(record: Record, corpus: Path) -> None:
    """`--tags` takes a tag set, in any order."""
    path = str(corpus / "regression_train_tags")
    said = record("run", path, "--on", "2.4.4,2.11.1", "--tags", "train,serve")
    assert {tuple(sorted(cell["tags"])) for cell in said["cells"]} == {("serve", "train")}


def test_the_reference(record: Record, model: Path) -> None:
    """The newest release is the reference, unless `--reference` names another."""
    newest = record("run", str(model), *TWO)
    assert {cell["reference"] for cell in newest["cells"]} == {"2.21.0"}
    chosen = record("run", str(model), *TWO, "--reference", "2.4.4")
    assert {cell["reference"] for cell in chosen["cells"]} == {"2.4.4"}


def test_given_inputs(record: Record, model: Path, tmp_path: Path) -> None:
    """Inputs from a file are what is run; a signature that they do not name is not."""
    np.savez(tmp_path / "inputs.npz", x=np.array([[3.0]], np.float32))
    said = record("run", str(model), *TWO, "--inputs", str(tmp_path / "inputs.npz"))
    by_signature = {cell["signature"]: cell for cell in said["cells"]}
    assert by_signature["serving_default"]["outcome"] == "pass"
    assert by_signature["classify_x_to_y"]["reason"] == "no-inputs"


def test_tolerances_decide(record: Record, tmp_path: Path) -> None:
    """Seeded fault: outputs that are recorded 0.001 off fail, and pass with an `--atol` of 0.01."""
    exporter = tmp_path / "exporter.py"
    exporter.write_text(
        "import numpy as np\nimport tensorflow as tf\n\n\n"
        "def export(directory, *, strip_default_attrs, seed):\n"
        "    module = tf.Module()\n"
        "    module.f = tf.function(lambda x: {'y': x + 1.0}, [tf.TensorSpec([None], tf.float32, 'x')])\n"
        "    tf.saved_model.save(module, directory, {'serve': module.f})\n"
        "    x = np.ones(2, np.float32)\n"
        "    return {'serve': {'inputs': {'x': x}, 'outputs': {'y': x + np.float32(1.001)}}}\n"
    )
    run = ("matrix", f"{exporter}::export", "--with", "2.11.1", "--strip", "on", "--on", "2.21.0")
    failed = record(*run, code=1)
    assert [cell["cause"] for cell in failed["cells"]] == ["output-mismatch"]
    assert verdicts(record(*run, "--rtol", "0", "--atol", "0.01"))[0][1] == "pass"
    assert verdicts(record(*run, "--rtol", "0.01", "--atol", "0"))[0][1] == "pass"


def test_predictions_stand_in_the_record(record: Record, exported: Callable[..., Model]) -> None:
    """Each cell has what was predicted of it, before it was run."""
    model = exported("mnist_cnn", strip=False)
    said = record("run", str(model.path), *TWO, code=1)
    refused, *passed = (cell["prediction"] for cell in said["cells"])
    assert (refused["outcome"], refused["stage"], refused["agrees"]) == ("fail", "load", True)
    assert refused["causes"] == ["attr-unknown"]
    assert "has no attr" in refused["why"]
    assert passed
    assert {(one["outcome"], one["agrees"]) for one in passed} == {("pass", True)}
    assert said["disagreements"] == 0


def test_strict_prediction(
    record: Record,
    exported: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Seeded fault: a table that says that 2.11 refuses unknown attrs. It is shown, and with the option it is exit code 1."""
    path = str(exported("mnist_cnn", producer="2.21.0", strip=False).path)
    run = ("run", path, "--on", "2.11.1")
    assert record(*run, "--strict-prediction")["disagreements"] == 0
    wrong = loaders.Switch(last_without="2.21.0")
    monkeypatch.setattr(loaders, "IGNORES_UNKNOWN_ATTRS", wrong)
    capfd.readouterr()
    said = record(*run, code=0)
    assert said["disagreements"] == len(said["cells"]) > 0
    assert {cell["outcome"] for cell in said["cells"]} == {"pass"}
    shown = capfd.readouterr().out
    assert "pass ≠" in shown
    assert "Where prediction and proof disagree" in shown
    assert record(*run, "--strict-prediction", code=1)["disagreements"] == len(said["cells"])


def test_strict_prediction_without_a_comparison(
    record: Record, exported: Callable[..., Model], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What loads against its prediction counts before the fact that nothing was compared."""
    np.savez(tmp_path / "inputs.npz", image=np.zeros([1, 28, 28, 1], np.float32))
    path = str(exported("mnist_cnn", producer="2.21.0", strip=False).path)
    run: tuple[str, ...] = ("run", path, "--on", "2.11.1", "--signature", "predict_images")
    run += ("--inputs", str(tmp_path / "inputs.npz"))
    given = ("--strict-prediction",)
    assert record(*run, *given, code=5)["disagreements"] == 0
    wrong = loaders.Switch(last_without="2.21.0")
    monkeypatch.setattr(loaders, "IGNORES_UNKNOWN_ATTRS", wrong)
    assert record(*run, code=5)["disagreements"] == 1
    assert record(*run, *given, code=1)["disagreements"] == 1


def test_jobs_change_nothing(record: Record, exported: Callable[..., Model]) -> None:
    """One worker or four at a time: the cells, their order and their outcomes are the same."""
    models = [
        str(exported(name, strip=s).path)
        for name, s in (("mnist_cnn", False), ("half_plus_two", True))
    ]
    run = ("run", *models, "--on", "smoke")
    one, four = (record(*run, "--jobs", jobs, code=1) for jobs in ("1", "4"))
    assert verdicts(one) == verdicts(four)


def test_inspect_as_text(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A model that somebody else wrote is shown with its signatures and its digest."""
    assert cli.run(["inspect", str(corpus / "half_plus_two_cpu"), "--digest"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"SavedModel {corpus / 'half_plus_two_cpu'}\n")
    assert "signature 'serving_default', method tensorflow/serving/predict" in out
    assert "sha256" in out
    assert not err


@pytest.mark.parametrize("name", ["half_plus_two_tf2", "static_hash_table", "keras2_lstm"])
def test_inspect_as_json(corpus: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The JSON form parses, and names the MetaGraphs."""
    assert cli.run(["inspect", str(corpus / name), "--format", "json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["schema"] == 1
    assert [graph["tags"] for graph in said["meta_graphs"]] == [["serve"]]


def test_inspect_a_damaged_model(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A model that does not parse is refused with the name of its file."""
    assert cli.run(["inspect", str(corpus / "README.md")]) == 4
    assert "Traceback" not in capfd.readouterr().err


def test_export_makes_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`export` writes a model, prints its path alone, and refuses a folder that is there."""
    command = ["export", EXPORTER, str(tmp_path / "made"), "--with", "2.11.1"]
    assert cli.run([*command, "--strip-default-attrs"]) == 0
    assert capfd.readouterr().out == f"{tmp_path / 'made'}\n"
    assert (tmp_path / "made" / "saved_model.pb").is_file()
    assert cli.run(command) == 4
    assert "is there already" in capfd.readouterr().err


def test_export_says_what_an_exporter_lacks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exporter that its producer cannot serve, one that fails, and two producers: each in words."""
    exporter = tmp_path / "exporter.py"
    exporter.write_text(
        "def unable(directory, *, strip_default_attrs, seed):\n"
        "    raise NotImplementedError('no such layer')\n\n\n"
        "def broken(directory, *, strip_default_attrs, seed):\n"
        "    raise ValueError('seven is not eight')\n"
    )

    def export(function: str, producers: str) -> tuple[int, str]:
        destination = str(tmp_path / "made")
        code = cli.run(["export", f"{exporter}::{function}", destination, "--with", producers])
        return code, capfd.readouterr().err

    code, said = export("unable", "2.11.1")
    assert (code, "exporter.unable of 2.11.1, unstripped: no such layer" in said) == (4, True)
    code, said = export("broken", "2.11.1")
    assert (code, "ValueError: seven is not eight" in said) == (1, True)
    code, said = export("unable", "2.11.1,2.21.0")
    assert (code, "names 2 releases, and an export needs one" in said) == (4, True)
    assert not (tmp_path / "made").exists()

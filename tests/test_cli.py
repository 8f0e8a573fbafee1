"""The command line's ends: each mistake has its exit code, one readable error, and no traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from savedmodel_compat import cli
from savedmodel_compat.matrix.models import Model

COMMAND = (sys.executable, "-c", "from savedmodel_compat.cli import main; main()")
ELSEWHERE = (
    "import os, sys; sys.platform = 'darwin'; del os.sched_getaffinity;"
    "from savedmodel_compat.cli import main; main()"
)
NEWEST = ("--on", "2.21.0")


@pytest.fixture
def model(exported: Callable[..., Model]) -> str:
    """The path of a small model."""
    return str(exported("half_plus_two").path)


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end with an exit code, and return the error that it gives."""

    def run(code: int, *arguments: str) -> str:
        assert cli.run(arguments) == code
        out, err = capfd.readouterr()
        assert not out
        assert "Traceback" not in err
        assert len(re.findall(r"^error: ", err, re.MULTILINE | re.IGNORECASE)) == 1
        return err

    return run


Refused = Callable[..., str]


def test_a_folder_without_a_model(refused: Refused, tmp_path: Path) -> None:
    """A folder that is no SavedModel is a usage error that says what is there."""
    (tmp_path / "notes.txt").write_text("")
    assert f"{tmp_path} holds neither saved_model.pb" in refused(4, "run", str(tmp_path))
    assert "it holds notes.txt" in refused(4, "inspect", str(tmp_path))


def test_a_missing_path(refused: Refused) -> None:
    """So is a path that leads nowhere."""
    assert "there is no folder lost" in refused(4, "run", "lost")


@pytest.mark.parametrize("command", ["run", "inspect"])
def test_a_uri(refused: Refused, command: str) -> None:
    """A scheme that is not read is named as such."""
    assert "not gs://" in refused(4, command, "gs://bucket/model")


def test_a_file_among_models(refused: Refused, model: str, tmp_path: Path) -> None:
    """A shell pattern that matches a file as well is refused, with the name of the file."""
    (tmp_path / "README.md").write_text("# models")
    said = refused(4, "run", str(tmp_path / "README.md"), model)
    assert f"{tmp_path / 'README.md'} is a file, no SavedModel" in said


def test_releases(refused: Refused, model: str) -> None:
    """An unknown release is a usage error, a sound range without releases an empty selection."""
    assert "'2.99.0' is neither a pinned release" in refused(4, "run", model, "--on", "2.99.0")
    assert "'' is neither a pinned release" in refused(4, "run", model, "--on", "")
    assert "no pinned release answers to '>=99'" in refused(5, "run", model, "--on", ">=99")


def test_a_reference_that_is_not_selected(refused: Refused, model: str) -> None:
    """A reference must be among the consumers."""
    said = refused(4, "run", model, *NEWEST, "--reference", "2.4.4")
    assert "the reference 2.4.4 is not among the selected releases" in said
    assert "hint: add it: --on 2.4.4" in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--nope"], "No such option"),
        (["--provider", "pip"], "'pip' is not one of 'wheel', 'venv', 'docker', 'current'"),
        (["--jobs", "0"], "0 is not in the range x>=1"),
        (["--rtol", "-1"], "-1.0 is not in the range x>=0"),
        (["--timeout", "inf"], "inf is not in the range"),
        (["--loader", "v9"], "no such loader: v9"),
        (["--loader", ","], "no such loader: none named"),
        (["--loader", "v1"], "provider 'wheel' has no loader v1"),
        (["--tags", "train"], "no MetaGraph with the tags ['train']; it has ['serve']"),
        (["--signature", "nobody"], "no signature 'nobody'; it has ['classify_x_to_y'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options(refused: Refused, model: str, option: list[str], words: str) -> None:
    """An option that is unknown, or whose value cannot be, is a usage error."""
    assert words in refused(4, "run", model, *NEWEST, *option)


def test_inputs_that_do_not_fit(refused: Refused, model: str, tmp_path: Path) -> None:
    """Given inputs of another shape, name or format are refused before anything runs."""
    file = tmp_path / "inputs.npz"
    inputs = ("run", model, *NEWEST, "--inputs", str(file))
    assert "is not there" in refused(4, *inputs)
    file.write_text("no archive")
    assert "is not an .npz file" in refused(4, *inputs)
    np.savez(file, z=np.zeros(3))
    assert "'z', and no signature has such an input" in refused(4, *inputs)
    np.savez(file, x=np.zeros((2, 2), np.float32))
    assert "has the shape [2, 2], the signature wants [None, 1]" in refused(4, *inputs)


def test_exporters(refused: Refused, tmp_path: Path) -> None:
    """An exporter that nobody knows, or whose file is lost, is a usage error."""
    with_ = ("--with", "2.11.1")
    assert "no exporter is registered as 'nobody'" in refused(4, "matrix", "nobody", *with_)
    assert "there is no file" in refused(4, "export", "lost.py::f", str(tmp_path / "a"), *with_)


def test_a_record_that_cannot_be_written(refused: Refused, model: str) -> None:
    """It is refused before the work that it is of, as infrastructure."""
    said = refused(7, "run", model, *NEWEST, "--json", "/nowhere/record.json")
    assert "the record /nowhere/record.json cannot be written" in said


def test_an_incompatibility_and_none(
    exported: Callable[..., Model], capfd: pytest.CaptureFixture[str]
) -> None:
    """A model that loads everywhere gives 0; one that does not gives 1, with the cause on stdout."""
    stripped, unstripped = (str(exported("mnist_cnn", strip=s).path) for s in (True, False))
    assert cli.run(["run", stripped, "--on", "2.4.4,2.11.1"]) == 0
    assert cli.run(["run", unstripped, "--on", "2.4.4,2.11.1"]) == 1
    out, err = capfd.readouterr()
    assert "attr-unknown" in out
    assert not err


def test_nothing_compared(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A matrix in which no output was compared is an error of its own."""
    assert cli.run(["run", str(corpus / "cyclic_module"), *NEWEST]) == 5
    out, err = capfd.readouterr()
    assert "no-signatures" in out
    assert err == "error: nothing was compared\n"


def test_the_worst_code_holds(
    exported: Callable[..., Model],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A release that cannot be fetched outweighs an incompatibility, and its cells say why."""
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.savedmodel-compat.pins]]\nrelease = "9.9.9"\npython = "3.11"\npackage = "tensorflow-cpu"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    unstripped = str(exported("mnist_cnn", strip=False).path)
    assert cli.run(["run", unstripped, "--on", "2.4.4,9.9.9", "--json", "record.json"]) == 7
    out, _ = capfd.readouterr()
    assert "tensorflow-cpu==9.9.9 for CPython 3.11 could not be fetched" in out
    summary = json.loads(Path("record.json").read_text())["summary"]
    assert (summary["fail"], summary["infra-error"]) == (1, 2)


def test_a_fault_of_the_harness(
    model: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Seeded fault: an exception that nobody expected is shown whole, and ends with 3."""
    monkeypatch.setattr("savedmodel_compat.report.inspect.as_text", lambda *_, **__: 1 / 0)
    assert cli.run(["inspect", model]) == 3
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_an_interrupt(model: str, tmp_path: Path) -> None:
    """Ctrl-C ends with 2, leaves no worker, and a record that has every cell."""
    record = tmp_path / "record.json"
    models = [tmp_path / f"m{number}" for number in range(60)]
    for path in models:
        path.symlink_to(model)
    process = subprocess.Popen(
        [*COMMAND, "run", *map(str, models), *NEWEST, "--jobs", "2", "--json", str(record)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = wait_for_children(process.pid)
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert err == "interrupted\n"
    assert "not-run" in out
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    said = json.loads(record.read_text())
    assert said["interrupted"] is True
    assert len({cell["id"] for cell in said["cells"]}) == len(said["cells"]) == 3 * len(models)
    assert {cell["reason"] for cell in said["cells"]} <= {None, "interrupted"}


def wait_for_children(pid: int) -> list[str]:
    """Wait until a process has started others, and return them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
        if children:
            return children
        time.sleep(0.01)
    raise AssertionError("no worker was started")


@pytest.mark.parametrize("command", [["inspect"], ["run", *NEWEST]], ids=lambda c: c[0])
def test_a_closed_pipe(model: str, tmp_path: Path, command: list[str]) -> None:
    """A reader that leaves early ends the command quietly; the record is written all the same."""
    record = tmp_path / "record.json"
    options = ["--json", str(record)] if command[0] == "run" else []
    with subprocess.Popen(
        [*COMMAND, *command, model, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141
    assert record.is_file() == bool(options)


def test_a_full_disk(model: str) -> None:
    """Output that cannot be written is infrastructure, in one line."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "inspect", model],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 7
    assert done.stderr.startswith("error: the output cannot be written: No space left on device")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{model}"],
        ["run", "{model}", "--provider", "venv"],
        ["matrix", "{exporter}", "--with", "2.11.1"],
        ["export", "{exporter}", "made", "--with", "2.11.1"],
        ["runtime", "build", "2.21.0"],
    ],
    ids=lambda arguments: " ".join(arguments[:3:2]),
)
def test_elsewhere_than_on_linux(model: str, tmp_path: Path, arguments: list[str]) -> None:
    """Where providers cannot work the commands that need one say so in a sentence."""
    exporter = tmp_path / "exporter.py"
    exporter.write_text("")
    told = [part.format(model=model, exporter=f"{exporter}::export") for part in arguments]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *told],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert re.match(
        r"error: provider \w+ runs Linux builds of TensorFlow, and this is darwin", done.stderr
    )
    assert "Traceback" not in done.stderr


def test_inspect_works_anywhere(model: str) -> None:
    """Reading a model needs no Linux."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, "inspect", model],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "signature 'serving_default'" in done.stdout

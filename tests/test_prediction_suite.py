"""The suite that puts predictions beside proofs, in a pytest run of its own."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import savedmodel_compat
from savedmodel_compat.cache import VARIABLE, default_root

ROOT = Path(__file__).parent.parent
# pytester gives each run a home of its own; runtimes and interpreters are found from the real one.
HOME, CACHE = Path.home(), default_root()
WRONG = """
from savedmodel_compat.prediction import loaders

loaders.IGNORES_UNKNOWN_ATTRS = loaders.Switch(last_without="2.21.0")
"""
DOUBTFUL = """
from savedmodel_compat.prediction import loaders

loaders.IGNORES_UNKNOWN_ATTRS = loaders.Switch(last_without="2.4.4", first_with="2.21.0")
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be plugins, with the runtimes of the real cache."""
    source = Path(savedmodel_compat.__file__).parent.parent
    monkeypatch.setenv("HOME", str(HOME))
    monkeypatch.setenv(VARIABLE, str(CACHE))
    monkeypatch.setenv("SAVEDMODEL_COMPAT_PRODUCERS", "2.21.0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(source), str(pytester.path))))
    return pytester.path


def run_suite(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the suite's items of one consumer."""
    installed = entry_points(group="pytest11", name="savedmodel_compat")
    plugin = [] if installed else ["-psavedmodel_compat.plugin"]
    where = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    suite = str(ROOT / "suites" / "test_prediction.py")
    return pytester.run(
        sys.executable,
        "-mpytest",
        "-pno:cacheprovider",
        *plugin,
        *where,
        *arguments,
        suite,
        "-ktest_exports and 2.11.1",
        timeout=300,
    )


@pytest.mark.parametrize("mode", ["-pno:xdist", "-n2"])
def test_a_wrong_prediction_fails_the_suite(
    mode: str, folder: Path, pytester: pytest.Pytester
) -> None:
    """Seeded fault: a table that says that 2.11 refuses unknown attrs. The item names the cells, and the table shows them."""
    if mode == "-n2":
        pytest.importorskip("xdist")
    (folder / "wrong_table.py").write_text(WRONG)
    result = run_suite(pytester, mode, "-pwrong_table")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "mnist_cnn of TensorFlow 2.21.0 in TensorFlow 2.11.1: prediction and proof disagree",
            "  cell:      mnist_cnn:serve:unstripped:2.21.0:2.11.1:wheel:c:cpu:predict_images",
            "predicted * real * agree * cells",
            "fails at load: attr-unknown * passes * NO *",
            "0 of * cells unknown",
        ]
    )


def test_doubt_fails_the_suite(folder: Path, pytester: pytest.Pytester) -> None:
    """Seeded fault: a table that does not know what 2.11 does with unknown attrs. Too many cells are unknown."""
    (folder / "doubtful_table.py").write_text(DOUBTFUL)
    result = run_suite(pytester, "-pdoubtful_table")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "* cells are unknown:",
            "mnist_cnn:serve:unstripped:2.21.0:2.11.1:wheel:c:cpu:*: * has no attr *",
            "unknown at load * passes * — *",
        ]
    )
    assert "NO" not in result.stdout.str().partition("predicted ")[2]


def test_what_holds_passes_the_suite(folder: Path, pytester: pytest.Pytester) -> None:
    """Without a fault the item passes, and the table has what was seen."""
    result = run_suite(pytester)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["passes * passes * yes *", "0 of * cells unknown"])

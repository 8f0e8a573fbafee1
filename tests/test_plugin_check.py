"""The fixture ``savedmodel_check`` in pytest runs of its own, plain and under xdist."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS
from tests.pytest_runs import run_pytest as run

import savedmodel_compat

MODES = {"plain": ["-pno:xdist"], "n0": ["-n0"], "n2": ["-n2"]}

TESTS = """
    def test_good(savedmodel_check):
        assert savedmodel_check("models/good").findings == ()

    def test_broken(savedmodel_check):
        savedmodel_check("models/broken")

    def test_broken_and_known(savedmodel_check):
        report = savedmodel_check("models/broken", disable="L4")
        assert report.checkpoint.parameters == 4

    def test_odd(savedmodel_check):
        assert [finding.rule for finding in savedmodel_check("models/odd").findings] == ["L11"]

    def test_odd_is_not_allowed(savedmodel_check):
        savedmodel_check("models/odd", fail_on="warning")

    def test_odd_is_an_error(savedmodel_check):
        savedmodel_check("models/odd", error=["L11"])

    def test_missing(savedmodel_check):
        savedmodel_check("models/missing")

    def test_misspelt(savedmodel_check):
        savedmodel_check("models/good", disable=["L99"])
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with a good model, a broken one, and one that is merely odd."""
    monkeypatch.setenv("PYTHONPATH", str(Path(savedmodel_compat.__file__).parent.parent))
    models = pytester.path / "models"
    for name in ("good", "broken", "odd"):
        shutil.copytree(MODELS / "builder-1.15.5", models / name)
    (models / "broken/assets/words.txt").unlink()
    shutil.copy(models / "odd/saved_model.pb", models / "odd/saved_model.pbtxt")
    pytester.makepyfile(TESTS)
    return pytester


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_model_is_checked_in_one_line(project: pytest.Pytester, mode: list[str]) -> None:
    """Good models pass; broken ones fail with the finding, its fix, and no frames of the harness."""
    result = run(project, *mode)
    result.assert_outcomes(passed=3, failed=5)
    result.stdout.fnmatch_lines(["*error   L4 *assets/words.txt*", "*fix: *"])
    text = result.stdout.str()
    assert "there is no folder" in text
    assert "there is no rule L99" in text
    assert "checks/run.py" not in text


def test_the_configuration_holds(project: pytest.Pytester) -> None:
    """The repository's own pyproject.toml turns rules off."""
    project.makepyprojecttoml('[tool.savedmodel-compat.check]\ndisable = ["L4"]\n')
    run(project, "-pno:xdist", "-k", "test_broken").assert_outcomes(passed=2, deselected=6)

"""Goldens of a model in pytest runs of their own: what is said where recording fails, where it works, and where it may not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.pytest_runs import at_home, run_pytest

from savedmodel_compat.golden.store import DataSet, Golden, Store
from savedmodel_compat.model import schema

MODEL = Path(__file__).parent.parent / "golden" / "models" / "half_plus_two-1.4.1"
NAME = "half_plus_two-1.4.1:serve:serving_default"
KEYWORDS = 'on="2.4.4,2.6.5", signatures="serving_default", golden_dir="golden"'
TEST = f"""
    import pytest

    @pytest.mark.savedmodel("models/half_plus_two-1.4.1", {KEYWORDS})
    def test_loads(savedmodel_cell):
        pass
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with a model, a folder for its goldens, and a test that wants one."""
    at_home(monkeypatch)
    shutil.copytree(MODEL, pytester.path / "models" / MODEL.name)
    (pytester.path / "golden").mkdir()
    pytester.makepyfile(test_it=TEST)
    return pytester


@pytest.fixture
def run(project: pytest.Pytester) -> Run:
    """Run pytest in the repository, in a process of its own."""

    def run(*arguments: str) -> pytest.RunResult:
        with_xdist = any(argument.startswith("-n") for argument in arguments)
        parallel = [] if with_xdist else ["-pno:xdist"]
        return run_pytest(project, *parallel, *arguments)

    return run


def store_of(project: pytest.Pytester) -> Store:
    """The goldens of the repository."""
    return Store(project.path / "golden")


def written_by(project: pytest.Pytester, release: str) -> None:
    """Make the model say that another release wrote it."""
    path = project.path / "models" / MODEL.name / "saved_model.pb"
    said = schema.SavedModel.FromString(path.read_bytes())
    for meta_graph in said.meta_graphs:
        meta_graph.meta_info_def.tensorflow_version = release
    path.write_bytes(said.SerializeToString())


def shift(project: pytest.Pytester) -> None:
    """Make the golden say something else than the model answers."""
    store = store_of(project)
    [key] = list(store.keys())
    was = store.read(key)
    sets = tuple(
        DataSet(
            name=s.name,
            inputs=s.inputs,
            outputs={a: array + np.float32(1) for a, array in s.outputs.items()},
            dtypes=s.dtypes,
            why=s.why,
        )
        for s in was.data_sets
    )
    store.write(Golden(key=key, manifest=was.manifest, data_sets=sets))


@pytest.mark.parametrize("parallel", [[], ["-n2"]], ids=["plain", "n2"])
def test_every_item_of_a_golden_that_cannot_be_recorded_is_an_error(
    parallel: list[str], run: Run, project: pytest.Pytester
) -> None:
    """Nobody passes for coming second; the hint has the names that pytest knows."""
    if parallel:
        pytest.importorskip("xdist")
    run("--savedmodel-golden=new", "--savedmodel-golden-with=2.4.4").assert_outcomes(passed=2)
    written_by(project, "1.14.0")
    result = run("--savedmodel-golden=all", *parallel)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*no release of 1.14 is pinned",
            "*",
            '*golden_with="RELEASE" or --savedmodel-golden-with=*',
        ]
    )
    result.stdout.no_fnmatch_line("*--with RELEASE*")


def test_what_was_written_and_proposed_is_said(run: Run, project: pytest.Pytester) -> None:
    """The end of a run names each golden once, what became of it and by whom; of one that wrote nothing, nothing."""
    wrote = "savedmodel-compat: 1 golden in golden written or proposed by this run:"
    result = run("--savedmodel-golden=new", "--savedmodel-golden-with=2.4.4")
    result.stdout.fnmatch_lines([wrote, f"  recorded: {NAME} by 2.4.4 wheel c cpu"])
    assert result.stdout.str().count("recorded: ") == 1
    run().stdout.no_fnmatch_line("*by this run:")
    shift(project)
    result = run()
    result.assert_outcomes(failed=2)
    labels = "2.4.4-wheel-c-cpu, 2.6.5-wheel-c-cpu"
    result.stdout.fnmatch_lines([wrote, f"  proposed: {NAME} by {labels}", "*golden status*"])
    pytest.importorskip("xdist")
    result = run("-n2", "--savedmodel-golden=changed", "--savedmodel-golden-with=2.4.4")
    result.stdout.fnmatch_lines([wrote, f"  replaced: {NAME} by 2.4.4 wheel c cpu"])
    result.assert_outcomes(passed=2)


def test_a_mode_that_ci_suppresses_is_said(
    run: Run, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says which setting does not hold and what would; where nobody asked to write there is none."""
    project.makepyfile(test_it="def test_nothing(): pass")
    monkeypatch.setenv("CI", "true")
    run().stdout.no_fnmatch_line("*is ignored*")
    monkeypatch.setenv("SAVEDMODEL_COMPAT_GOLDEN", "new")
    where = "savedmodel-compat: environment variable SAVEDMODEL_COMPAT_GOLDEN"
    why = "golden mode 'new' is ignored, for CI is set; use --savedmodel-golden=new"
    run().stdout.fnmatch_lines([f"{where}: {why}"])
    run("--savedmodel-golden=new").stdout.no_fnmatch_line("*is ignored*")


def test_a_folder_that_is_not_there_is_refused(run: Run, project: pytest.Pytester) -> None:
    """A mistyped golden_dir is one error of collecting, and not a missing golden in each cell; who writes makes it."""
    project.makepyfile(test_it=TEST.replace('"golden"', '"goldn"'))
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*golden_dir 'goldn': there is no folder *goldn*"])
    assert not (project.path / "goldn").exists()
    run("--savedmodel-golden=new", "-k", "2.4.4", "--savedmodel-golden-with=2.4.4").assert_outcomes(
        passed=1, deselected=1
    )
    assert Store(project.path / "goldn").keys()


def test_a_damaged_golden_hides_no_unused_one(run: Run, project: pytest.Pytester) -> None:
    """Those that no test used are named, beside one whose manifest cannot be read."""
    run("--savedmodel-golden=new", "--savedmodel-golden-with=2.4.4").assert_outcomes(passed=2)
    place = project.path / "golden" / "tensors"
    [used] = place.iterdir()
    for name in ("left", "hurt"):
        shutil.copytree(used, place / name)
        manifest = next((place / name).rglob("manifest.json"))
        manifest.write_text(manifest.read_text().replace(f'"{MODEL.name}"', f'"{name}"'))
    manifest.write_text("{")
    run().stdout.fnmatch_lines(
        [
            "savedmodel-compat: 2 goldens in golden were used by no test of this run:",
            "  left:serve:serving_default",
            "  hurt:serve:serving_default",
        ]
    )


def test_a_mode_that_there_is_not(run: Run) -> None:
    """It is called a mode, not a golden."""
    result = run("--savedmodel-golden=sometimes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*there is no golden mode 'sometimes'*",
            "*the golden modes are none, new, changed, all*",
        ]
    )

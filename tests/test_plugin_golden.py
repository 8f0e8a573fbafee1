"""Goldens in pytest runs of their own: what is compared, what is written, by whom, and what is reported at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from tests.pytest_runs import at_home, command, run_pytest

from savedmodel_compat.golden.store import DataSet, Golden, Key, Store

MODES = {"plain": ["-pno:xdist"], "n2": ["-n2"]}
NAMES = ["first:serve:serving_default", "second:serve:serving_default"]

EXPORTERS = """
    import numpy as np
    import tensorflow as tf

    def _export(directory, factor):
        module = tf.Module()
        module.factor = tf.Variable(factor, name="factor")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(x):
            return {"y": x * module.factor}

        tf.saved_model.save(module, directory, signatures={"serving_default": serve})
        x = np.arange(3, dtype=np.float32)
        return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": x * factor}}}

    def first(directory, *, strip_default_attrs, seed):
        return _export(directory, np.float32(1.5))

    def second(directory, *, strip_default_attrs, seed):
        return _export(directory, np.float32(2.5))
"""

TESTS = """
    import pytest

    @pytest.mark.savedmodel(
        "first", "second", producers="2.11.1", strip="on", on="2.4.4,2.6.5", golden_dir="golden"
    )
    def test_reloads(savedmodel_cell):
        pass
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with two exporters, and a test that wants goldens of both."""
    at_home(monkeypatch)
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        filterwarnings = ["error"]
        [tool.savedmodel-compat.exporters]
        first = "exporters/models.py::first"
        second = "exporters/models.py::second"
        """
    )
    exporters = pytester.path / "exporters" / "models.py"
    exporters.parent.mkdir()
    exporters.write_text(dedent(EXPORTERS))
    pytester.makepyfile(test_it=TESTS)
    return pytester


@pytest.fixture(params=MODES)
def run(request: pytest.FixtureRequest, project: pytest.Pytester) -> Run:
    """Run pytest in the repository: without xdist, with it and no workers, with two."""
    if request.param != "plain":
        pytest.importorskip("xdist")
    return lambda *arguments: run_pytest(project, *MODES[request.param], *arguments)


@pytest.fixture
def plain(project: pytest.Pytester) -> Run:
    """Run pytest in the repository without xdist."""
    return lambda *arguments: run_pytest(project, *MODES["plain"], *arguments)


@pytest.fixture
def recorded(project: pytest.Pytester) -> pytest.Pytester:
    """The repository with its goldens, which one release recorded."""
    from savedmodel_compat.config import read
    from savedmodel_compat.matrix.golden_session import Order, Recordings
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Session
    from savedmodel_compat.runtimes import pins

    configuration = read(project.path / "pyproject.toml")
    session = Session(configuration=configuration, table=pins.load(configuration))
    with Runner(session, root=project.path) as runner:
        recordings = Recordings(runner, store_of(project))
        assert len(recordings.run([], Order(recorders=("2.11.1",)))) == len(NAMES)
    return project


def store_of(project: pytest.Pytester) -> Store:
    """The goldens of the repository."""
    return Store(project.path / "golden")


def names(project: pytest.Pytester) -> list[str]:
    """What the goldens of the repository are called."""
    return [key.name for key in list(store_of(project).keys())]


def shift(project: pytest.Pytester, model: str) -> Golden:
    """Make a golden say something else than its model answers."""
    store = store_of(project)
    key = Key(model=model, tags=("serve",), signature="serving_default")
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
    other = Golden(key=key, manifest=was.manifest, data_sets=sets)
    store.write(other)
    return other


def files(project: pytest.Pytester) -> dict[str, bytes]:
    """Every file below the goldens, but for proposals."""
    root = project.path / "golden" / "tensors"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_missing_golden_fails(run: Run, project: pytest.Pytester) -> None:
    """Without a golden no item passes, and nothing is written."""
    (project.path / "golden").mkdir()
    result = run()
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["*golden-missing*", "*savedmodel-compat golden record*"])
    assert not list((project.path / "golden").iterdir())


def test_new_records_what_is_missing(run: Run, project: pytest.Pytester) -> None:
    """`new` writes one golden a signature, by one release, whichever item comes first; then all agree."""
    run("--savedmodel-golden=new").assert_outcomes(passed=4)
    assert names(project) == NAMES
    for key in list(store_of(project).keys()):
        assert store_of(project).manifest(key).recorded_by == "2.11.1 venv c cpu"
    run().assert_outcomes(passed=4)


def test_new_does_not_touch_what_is_there(plain: Run, recorded: pytest.Pytester) -> None:
    """A golden that differs stays, fails its items, and leaves proposals."""
    shift(recorded, "first")
    before = files(recorded)
    plain("--savedmodel-golden=new").assert_outcomes(passed=2, failed=2)
    assert files(recorded) == before
    left = sorted(p.name for p in (recorded.path / "golden" / "pending").rglob("2.*"))
    assert left == ["2.4.4-wheel-c-cpu", "2.6.5-wheel-c-cpu"]


def test_changed_replaces_what_differs(plain: Run, recorded: pytest.Pytester) -> None:
    """`changed` writes the golden that the recorder's answer is off from; the other keeps every byte."""
    shift(recorded, "first")
    before = files(recorded)
    plain("--savedmodel-golden=changed").assert_outcomes(passed=4)
    after = files(recorded)
    assert {name for name in before if before[name] != after[name]} >= {
        "first/serve/serving_default/manifest.json",
        "first/serve/serving_default/typical.tensors",
    }
    assert all(before[name] == after[name] for name in before if name.startswith("second/"))
    key = Key(model="first", tags=("serve",), signature="serving_default")
    reasons = [event.reason for event in store_of(recorded).manifest(key).history]
    assert reasons[-1] == "recorded by pytest, --savedmodel-golden=changed"


def test_all_writes_only_what_is_selected(plain: Run, recorded: pytest.Pytester) -> None:
    """An update of one model leaves what it did not select: other goldens, and strangers."""
    shift(recorded, "first")
    shift(recorded, "second")
    before = files(recorded)
    plain("--savedmodel-golden=all", "-k", "first").assert_outcomes(passed=2)
    after = files(recorded)
    assert {name for name in before if name.startswith("second/")} == {
        name for name in after if name.startswith("second/") and before[name] == after[name]
    }
    assert (
        before["first/serve/serving_default/typical.tensors"]
        != after["first/serve/serving_default/typical.tensors"]
    )


def test_in_ci_only_the_command_line_writes(
    plain: Run, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that somebody forgot makes no job agree with itself; a flag does, and is meant."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("SAVEDMODEL_COMPAT_GOLDEN", "all")
    (project.path / "golden").mkdir()
    result = plain("-k", "first")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["savedmodel-compat: *golden none"])
    assert not list((project.path / "golden").iterdir())
    monkeypatch.setenv("PYTEST_ADDOPTS", "--savedmodel-golden=new")
    plain("-k", "first").assert_outcomes(failed=2)
    monkeypatch.delenv("PYTEST_ADDOPTS")
    plain("-k", "first", "--savedmodel-golden=new").assert_outcomes(passed=2)
    monkeypatch.delenv("CI")
    plain("-k", "second").assert_outcomes(passed=2)


def test_a_failing_comparison_says_all_and_leaves_a_proposal(
    run: Run, recorded: pytest.Pytester
) -> None:
    """The report has the numbers and the place of the proposal; the record has the golden's name."""
    shift(recorded, "second")
    result = run("--savedmodel-json=record.json")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*data set 'typical': output 'y': 3 of 3 elements differ*"])
    cells = json.loads((recorded.path / "record.json").read_text())["cells"]
    failed = [cell for cell in cells if cell["outcome"] == "fail"]
    assert {cell["golden"] for cell in failed} == {NAMES[1]}
    assert all("is proposed in" in cell["notes"][-1] for cell in failed)


def test_an_unused_golden_is_reported_when_all_is_selected(
    run: Run, recorded: pytest.Pytester
) -> None:
    """A golden that no test used is named at the end; not if something was left out."""
    said = "savedmodel-compat: 1 golden in golden was used by no test of this run:"
    recorded.makepyfile(test_it=TESTS.replace('"first", "second"', '"first"'))
    result = run()
    result.stdout.fnmatch_lines([said, f"  {NAMES[1]}"])
    result.assert_outcomes(passed=2)
    run("-k", "2.4.4").stdout.no_fnmatch_line(said)
    run("test_it.py::test_reloads").stdout.no_fnmatch_line(said)
    assert names(recorded) == NAMES


def test_two_processes_that_record_leave_one_right_set(project: pytest.Pytester) -> None:
    """Two runs with two workers each, at once: every golden is there, whole, once, and both runs pass."""
    pytest.importorskip("xdist")
    arguments = [sys.executable, "-m", "pytest", *command("-n2", "--savedmodel-golden=new")]
    runs = [
        subprocess.Popen(arguments, cwd=project.path, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert names(project) == NAMES
    assert not store_of(project).verify()
    kinds = {Path(name).name for name in files(project)}
    assert kinds == {f"{s}.tensors" for s in ("typical", "one", "many", "edges")} | {
        "manifest.json"
    }
    assert not (project.path / "golden" / "pending").exists()


@pytest.mark.usefixtures("recorded")
def test_devices_are_items_of_their_own(plain: Run) -> None:
    """The same golden is compared on every device that is named."""
    result = plain("--savedmodel-device=cpu,cpu-one-thread", "-v", "-k", "first and 2.6.5")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*first-2.11.1-stripped-2.6.5-c-cpu-one-thread*PASSED*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--savedmodel-golden=some"], "*there is no golden mode 'some'*"),
        (["--savedmodel-device=cpu,tpu"], "*there is no device 'tpu'*"),
    ],
)
def test_what_is_said_wrong(arguments: list[str], said: str, plain: Run) -> None:
    """It is a usage error of pytest, before anything is run."""
    result = plain(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])

"""The plugin in pytest runs of its own: real releases, real models, each plain and under xdist."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef
from tests.pytest_runs import CACHE, HOME, run_pytest

import savedmodel_compat
from savedmodel_compat.cache import VARIABLE
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.model import schema

EXAMPLE = Path(__file__).parent.parent / "examples" / "serving_repository"
MODES = {"plain": ["-pno:xdist"], "n0": ["-n0"], "n2": ["-n2"]}

EXPORTERS = """
    import numpy as np
    import tensorflow as tf

    def good(directory, *, strip_default_attrs, seed, off=0):
        module = tf.Module()
        module.half = tf.Variable(0.5, name="half")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(x):
            return {"y": x * module.half}

        tf.saved_model.save(module, directory, signatures={"serving_default": serve})
        x = np.arange(3, dtype=np.float32)
        return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": x / 2 + off}}}

    def wrong(directory, *, strip_default_attrs, seed):
        return good(directory, strip_default_attrs=strip_default_attrs, seed=seed, off=1)

    def unable(directory, *, strip_default_attrs, seed):
        raise NotImplementedError("this release lacks what it needs")

    def broken(directory, *, strip_default_attrs, seed):
        raise ValueError("seven is not eight")
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with exporters and a release that no index has."""
    monkeypatch.setenv("HOME", str(HOME))
    monkeypatch.setenv(VARIABLE, str(CACHE))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        filterwarnings = ["error"]
        [tool.savedmodel-compat.exporters]
        good = "exporters/small.py::good"
        [[tool.savedmodel-compat.pins]]
        release = "9.9.9"
        python = "3.11"
        package = "tensorflow-cpu"
        """
    )
    write(pytester.path / "exporters" / "small.py", EXPORTERS)
    return pytester


@pytest.fixture(params=MODES)
def run(request: pytest.FixtureRequest, project: pytest.Pytester) -> Run:
    """Run pytest in the repository: without xdist, with it and no workers, with two."""
    if request.param != "plain":
        pytest.importorskip("xdist")
    return lambda *arguments: run_pytest(project, *MODES[request.param], *arguments)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in another folder finds the same package, also where a relative PYTHONPATH has led to it."""
    monkeypatch.setenv("PYTHONPATH", str(Path(savedmodel_compat.__file__).parent.parent))


def write(path: Path, text: str) -> None:
    """Write an indented text, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))


def copied(model: Model, folder: Path, *, signatures: bool = True) -> Path:
    """Copy a model, with or without its signatures."""
    shutil.copytree(model.path, folder)
    if not signatures:
        saved = schema.SavedModel()
        file = folder / "saved_model.pb"
        saved.ParseFromString(file.read_bytes())
        graph: MetaGraphDef = saved.meta_graphs[0]
        graph.signature_def.clear()
        file.write_bytes(saved.SerializeToString())
    return folder


def cells_of(path: Path) -> dict[str, dict[str, Any]]:
    """Read the cells of a record by id, each of which it has once."""
    cells = json.loads(path.read_text())["cells"]
    by_id = {cell["id"]: cell for cell in cells}
    assert len(by_id) == len(cells)
    return by_id


def output_of(result: pytest.RunResult) -> str:
    """What a run wrote to stdout and stderr."""
    return f"{result.stdout}\n{result.stderr}"


def test_each_outcome_is_pytests_own(project: pytest.Pytester, run: Run) -> None:
    """`pass` passes, `fail` fails, `unsupported` skips, `infra-error` is an error; each cell is in the record once."""
    project.makepyfile(
        """
        import pytest

        FILE = "exporters/small.py::"
        pytestmark = pytest.mark.savedmodel

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.11.1,2.21.0")
        def test_passes(savedmodel_cell):
            assert [result.compared for result in savedmodel_cell] == [1]

        @pytest.mark.savedmodel(FILE + "wrong", producers="2.11.1", strip="on", on="2.21.0")
        def test_fails(savedmodel_cell):
            pass

        @pytest.mark.savedmodel(FILE + "unable", producers="2.11.1", strip="on", on="2.21.0")
        def test_unsupported(savedmodel_cell):
            raise AssertionError("its body is not reached")

        @pytest.mark.savedmodel(FILE + "broken", producers="2.11.1", strip="on", on="2.21.0")
        def test_broken(savedmodel_cell):
            pass

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="9.9.9")
        def test_no_wheel(savedmodel_cell):
            pass

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.21.0")
        def test_own_assertion(savedmodel_cell):
            assert savedmodel_cell[0].cell.consumer == "1.15.5"
        """
    )
    result = run("-rA", "--savedmodel-json=record.json")
    result.assert_outcomes(passed=2, failed=2, skipped=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*unsupported: this release lacks what it needs",
            "*ValueError: seven is not eight",
            "*tensorflow-cpu==9.9.9 for CPython 3.11 could not be fetched*",
            "small.wrong of TensorFlow 2.11.1 fails in TensorFlow 2.21.0 at compare: output-mismatch",
            "E *AssertionError*",
            "*savedmodel-compat: 6 cells in *record.json",
        ]
    )
    assert "plugin.py:" not in output_of(result)
    outcomes = {
        key: cell["outcome"] for key, cell in cells_of(project.path / "record.json").items()
    }
    assert outcomes == {
        "good:serve:stripped:2.11.1:2.11.1:wheel:c:cpu:serving_default": "pass",
        "good:serve:stripped:2.11.1:2.21.0:wheel:c:cpu:serving_default": "pass",
        "good:serve:stripped:2.11.1:9.9.9:wheel:c:cpu:serving_default": "infra-error",
        "small.broken::stripped:2.11.1:2.21.0:wheel:c:cpu:": "infra-error",
        "small.unable::stripped:2.11.1:2.21.0:wheel:c:cpu:": "unsupported",
        "small.wrong:serve:stripped:2.11.1:2.21.0:wheel:c:cpu:serving_default": "fail",
    }


def test_models_by_path(project: pytest.Pytester, run: Run, exported: Callable[..., Model]) -> None:
    """A path is relative to rootdir; each signature is an item; the newest release is the reference."""
    model = exported("half_plus_two")
    copied(model, project.path / "a" / "export")
    copied(model, project.path / "b" / "export", signatures=False)
    write(
        project.path / "tests" / "test_models.py",
        """
        import pytest

        @pytest.mark.savedmodel("a/export", "b/export", "c/export")
        def test_model(savedmodel_cell):
            assert savedmodel_cell[0].reference == "2.21.0"
        """,
    )
    on = "--savedmodel-on=2.11.1,2.21.0"
    result = run(on, "--savedmodel-json=record.json", "-rA", "tests")
    result.assert_outcomes(passed=6, skipped=2, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED *::test_model[[]a/export-2.11.1-c-classify_x_to_y]",
            "PASSED *::test_model[[]a/export-2.21.0-c-serving_default]",
            "ERROR *::test_model[[]c/export-2.11.1-c]*",
            "there is no folder */c/export",
            "SKIPPED [[]2]*not-run: no-signatures",
        ]
    )
    cells = cells_of(project.path / "record.json")
    assert len(cells) == 8
    assert {cell["model"] for cell in cells.values()} == {"a/export", "b/export"}


def test_live_use(project: pytest.Pytester, run: Run) -> None:
    """`savedmodel_export` and `savedmodel_run` leave the judging to the test, and their cells in the record."""
    project.makepyfile(
        """
        import pytest

        def test_judges_by_itself(savedmodel_export, savedmodel_run):
            model = savedmodel_export("exporters/small.py::wrong", producer="2.11.1", strip=True)
            [result] = savedmodel_run(model, on="2.21.0")
            assert (result.outcome.value, result.cause) == ("fail", "output-mismatch")

        def test_path(savedmodel_export, savedmodel_run):
            model = savedmodel_export("good", producer="2.11.1", strip=True)
            results = savedmodel_run(model.path, on="2.11.1,2.21.0")
            assert [result.reference for result in results] == ["2.21.0", "2.21.0"]

        @pytest.mark.savedmodel(on="2.11.1", provider="venv", loader="v2,c")
        def test_options_of_the_marker(savedmodel_export, savedmodel_run):
            model = savedmodel_export("good", producer="2.11.1", strip=True)
            cells = [result.cell for result in savedmodel_run(model)]
            assert [(c.consumer, c.provider, c.loader) for c in cells] == [
                ("2.11.1", "venv", "v2"), ("2.11.1", "venv", "c")
            ]

        def test_unsupported(savedmodel_export):
            savedmodel_export("exporters/small.py::unable", producer="2.11.1", strip=True)

        def test_broken(savedmodel_export):
            savedmodel_export("exporters/small.py::broken", producer="2.11.1", strip=True)
        """
    )
    result = run("-rA", "--savedmodel-json=record.json")
    result.assert_outcomes(passed=3, skipped=1, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "*unsupported: this release lacks what it needs",
            "E *ExportError: *raised ValueError: seven is not eight",
        ]
    )
    assert "plugin.py:" not in output_of(result)
    assert len(cells_of(project.path / "record.json")) == 5


MISTAKES = {
    "no marker": ("", "no marker savedmodel says which models"),
    "no model": ("on='2.21.0'", "marker savedmodel names no model"),
    "an unknown exporter": (
        "'nobody', producers='2.11.1'",
        "no exporter is registered as 'nobody'",
    ),
    "a lost file": ("'lost.py::export', producers='2.11.1'", "there is no file */lost.py"),
    "an exporter and no producer": ("'good'", "'good' is an exporter, and no producers are named"),
    "an unknown producer": ("'good', producers='2.99.0'", "'2.99.0' is neither a pinned release*"),
    "an unknown consumer": ("'a', on='2.99.0'", "'2.99.0' is neither a pinned release*"),
    "nothing selected": ("'a', on='>=99'", "no pinned release answers to '>=99'*"),
    "an unknown provider": ("'a', provider='pip'", "there is no provider 'pip'"),
    "an unknown loader": ("'a', loader='c,v3'", "there is no loader 'v3'"),
    "a loader that is nowhere": ("'a', loader='v1'", "provider 'wheel' has no loader v1"),
    "a keyword of nobody": (
        "'a', producer='2.11.1'",
        "marker savedmodel has no keyword 'producer'",
    ),
    "an unknown strip": ("'good', producers='2.11.1', strip=True", "strip: there is no True"),
}


def test_mistakes_in_a_marker(project: pytest.Pytester, run: Run) -> None:
    """What a marker says wrong is one error in words for its file; nothing crashes, and other files run."""
    for number, (arguments, _) in enumerate(MISTAKES.values()):
        marker = f"@pytest.mark.savedmodel({arguments})" if arguments else ""
        source = f"import pytest\n\n{marker}\ndef test_it(savedmodel_cell):\n    pass\n"
        (project.path / f"test_{number}.py").write_text(source)
    (project.path / "test_other.py").write_text("def test_other():\n    pass\n")
    result = run("--continue-on-collection-errors")
    outcomes = result.parseoutcomes()
    # Each worker of xdist collects, and says what it found.
    assert (outcomes["passed"], outcomes["errors"] % len(MISTAKES)) == (1, 0)
    result.stdout.fnmatch_lines_random([f"*{words}*" for _, words in MISTAKES.values()])
    said = output_of(result)
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert "plugin" not in said.partition("ERRORS")[2].replace("savedmodel_compat.plugin", "")


def test_an_expected_failure_of_pytests_own(project: pytest.Pytester, run: Run) -> None:
    """A test that is marked `xfail` may hold a cell that fails, and strictly so."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.xfail(strict=True)
        @pytest.mark.savedmodel(
            "exporters/small.py::wrong", "good", producers="2.11.1", strip="on", on="2.21.0"
        )
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run()
    result.assert_outcomes(xfailed=1, failed=1)


def test_the_worst_of_one_cell_is_recorded(project: pytest.Pytester, run: Run) -> None:
    """Where two items run one cell, the record keeps the failure, whichever came last."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def other(savedmodel_cell, request):
            request.node.user_properties[:] = [
                (name, text.replace('"outcome": "pass"', '"outcome": "fail"'))
                for name, text in request.node.user_properties
            ]

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.21.0")
        def test_a(savedmodel_cell, other):
            pass

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.21.0")
        def test_b(savedmodel_cell):
            pass
        """
    )
    result = run("--savedmodel-json=record.json")
    result.assert_outcomes(passed=2)
    assert [c["outcome"] for c in cells_of(project.path / "record.json").values()] == ["fail"]


def test_groups_of_xdist(project: pytest.Pytester) -> None:
    """`--dist loadgroup`, which renames items, changes neither outcomes nor the record."""
    pytest.importorskip("xdist")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.xdist_group("models")
        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.11.1,2.21.0")
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(project, "-n2", "--dist=loadgroup", "--savedmodel-json=record.json")
    result.assert_outcomes(passed=2)
    assert len(cells_of(project.path / "record.json")) == 2


def test_without_a_pyproject(project: pytest.Pytester, exported: Callable[..., Model]) -> None:
    """A rootdir without pyproject.toml does as well, also when pytest starts elsewhere."""
    (project.path / "pyproject.toml").unlink()
    repository = project.mkdir("repository")
    (repository / "pytest.ini").write_text("[pytest]\nsavedmodel_on = 2.21.0\n")
    copied(exported("half_plus_two"), repository / "model")
    write(
        repository / "test_it.py",
        """
        import pytest

        @pytest.mark.savedmodel("model", signatures="serving_default")
        def test_it(savedmodel_cell):
            assert savedmodel_cell[0].cell.model == "model"
        """,
    )
    result = run_pytest(project, str(repository))
    result.assert_outcomes(passed=1)


def test_a_damaged_model_fails_as_its_loader_says(
    project: pytest.Pytester, exported: Callable[..., Model]
) -> None:
    """Seeded fault: a model cut short is collected as one item, which fails in the loader's words."""
    file = copied(exported("half_plus_two"), project.path / "model") / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-7])
    project.makepyfile(
        """
        import pytest

        @pytest.mark.savedmodel("model", on="2.21.0")
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["model fails in TensorFlow 2.21.0 at load: *"])


def test_properties_are_plain(project: pytest.Pytester) -> None:
    """A cell's facts are text in `user_properties`, which JUnit files and xdist can carry."""
    project.makepyfile(
        """
        import json
        import pytest

        @pytest.mark.savedmodel("good", producers="2.11.1", strip="on", on="2.21.0")
        def test_it(savedmodel_cell, request):
            said = dict(request.node.user_properties)
            cell = json.loads(said.pop("savedmodel_record"))
            assert cell["consumer"] == "2.21.0"
            assert {name: json.loads(value) for name, value in said.items()} == {
                "savedmodel_gated": [cell["id"]]
            }
        """
    )
    result = run_pytest(project, "--junit-xml=junit.xml")
    result.assert_outcomes(passed=1)
    assert 'name="savedmodel_record"' in (project.path / "junit.xml").read_text()


def test_switched_off(project: pytest.Pytester) -> None:
    """`-p no:savedmodel_compat` leaves nothing of it."""
    project.makepyfile("def test_it(savedmodel_cell):\n    pass\n")
    result = project.runpytest_subprocess(
        "-pno:savedmodel_compat", "-pno:hypothesispytest", "--savedmodel-on=2.4.4"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --savedmodel-on=2.4.4*"])


def test_unused_it_costs_nothing(project: pytest.Pytester) -> None:
    """A run without its marker and fixtures imports no package that the plugin's rooms need."""
    project.makepyfile(
        """
        import sys

        def test_it():
            heavy = {"numpy", "google.protobuf", "tensorboard", "click", "rich", "filelock", "ml_dtypes"}
            assert not heavy & set(sys.modules)
            assert "savedmodel_compat.plugin" in sys.modules
        """
    )
    run_pytest(project).assert_outcomes(passed=1)


def test_importing_it_imports_pytest_alone(pytester: pytest.Pytester) -> None:
    """Beside pytest, importing the plugin adds its own rooms and the standard library's."""
    code = (
        "import pytest, sys; before = set(sys.modules); import savedmodel_compat.plugin;"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    result = pytester.run(sys.executable, "-c", code)
    assert result.outlines == ["['savedmodel_compat']"]


def test_the_example(project: pytest.Pytester) -> None:
    """The repository in examples/ passes, one item for each of its servers."""
    folder = project.path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    result = run_pytest(project, "--rootdir", str(folder), "-c", str(folder / "pyproject.toml"))
    result.assert_outcomes(passed=3)


STRICT = """
    import pytest

    @pytest.mark.savedmodel("model", on="2.11.1", signatures="predict_images")
    def test_said_by_the_session(savedmodel_cell):
        pass

    @pytest.mark.savedmodel("model", on="2.11.1", signatures="predict_images", strict_prediction=True)
    def test_said_by_the_marker(savedmodel_cell):
        pass

    @pytest.mark.savedmodel("model", on="2.11.1", signatures="predict_images", strict_prediction=False)
    def test_lenient(savedmodel_cell):
        pass

    @pytest.mark.savedmodel("plain", on="2.11.1", strict_prediction=True)
    def test_not_run(savedmodel_cell):
        pass
"""


@pytest.mark.parametrize("given", ["nothing", "option", "ini", "toml", "variable"])
def test_strict_predictions(
    project: pytest.Pytester,
    exported: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    """Seeded fault: a table that says that 2.11 refuses unknown attrs. Whoever asks for it fails on that, in each spelling."""
    model = exported("mnist_cnn", producer="2.21.0", strip=False)
    copied(model, project.path / "model")
    copied(model, project.path / "plain", signatures=False)
    project.makeconftest(
        "from savedmodel_compat.prediction import loaders\n"
        "loaders.IGNORES_UNKNOWN_ATTRS = loaders.Switch(last_without='2.21.0')\n"
    )
    project.makepyfile(STRICT)
    if given == "toml":
        text = (project.path / "pyproject.toml").read_text()
        line = "[tool.pytest.ini_options]\nsavedmodel_strict_prediction = true"
        project.makepyprojecttoml(text.replace("[tool.pytest.ini_options]", line))
    elif given == "variable":
        monkeypatch.setenv("SAVEDMODEL_COMPAT_STRICT_PREDICTION", "true")
    flags = {
        "option": ["--savedmodel-strict-prediction"],
        "ini": ["-osavedmodel_strict_prediction=true"],
    }.get(given, [])
    result = run_pytest(project, *flags, "-rA", "--savedmodel-json=record.json")
    fails = 2 if given == "nothing" else 3
    result.assert_outcomes(passed=4 - fails, failed=fails)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_said_by_the_marker*",
            "FAILED *::test_not_run*",
            "PASSED *::test_lenient*",
            "*model of TensorFlow 2.21.0 in TensorFlow 2.11.1: prediction and proof disagree",
            "*predicted: fail at load, attr-unknown",
            "*happened:  pass",
            "*happened:  not-run, no-signatures",
        ]
    )
    assert json.loads((project.path / "record.json").read_text())["disagreements"] == 2


def test_predictions_that_hold(project: pytest.Pytester, exported: Callable[..., Model]) -> None:
    """What is as predicted passes, strict or not."""
    copied(exported("mnist_cnn", producer="2.21.0", strip=False), project.path / "model")
    project.makepyfile(STRICT.partition('    @pytest.mark.savedmodel("plain"')[0])
    result = run_pytest(project, "--savedmodel-strict-prediction")
    result.assert_outcomes(passed=3)

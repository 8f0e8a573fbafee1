"""The fixture `savedmodel_subject`: all properties of a model, in ten lines of another repository."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.pytest_runs import at_home, run_pytest

from savedmodel_compat import cli
from savedmodel_compat.matrix.models import Model

EXPORTERS = Path(__file__).parent / "search" / "exporters.py"
ALL = """
import pytest

from savedmodel_compat import properties


@pytest.mark.savedmodel({said})
def test_whatever_it_is_fed(savedmodel_subject):
    properties.check_all(savedmodel_subject)
"""


@pytest.fixture
def repository(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, exported: Callable[..., Model]
) -> pytest.Pytester:
    """A repository with a model, and with exporters of faulty ones."""
    at_home(monkeypatch)
    shutil.copytree(exported("half_plus_two").path, pytester.path / "model")
    # Alone in its folder: whatever else lies there might be what an exporter reads.
    (pytester.path / "seeded").mkdir()
    shutil.copy(EXPORTERS, pytester.path / "seeded" / "exporters.py")
    return pytester


def run(repository: pytest.Pytester, said: str, *args: str) -> pytest.RunResult:
    """Run the test in the repository."""
    repository.makepyfile(ALL.format(said=said))
    return run_pytest(repository, "-rs", *args)


def faulty(function: str, **options: object) -> str:
    """The arguments of the marker for an exporter with a fault."""
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"'seeded/exporters.py::{function}', producers='2.11.1', on='2.11.1', strip='on'{more}"


def test_a_model_of_ones_own(repository: pytest.Pytester) -> None:
    """All properties hold of a model, in two releases; it is one item a signature and release."""
    result = run(repository, "'model', on='1.15.5,2.21.0', examples='25'")
    result.assert_outcomes(passed=6)


def test_a_fault(repository: pytest.Pytester) -> None:
    """The failure says what, where, the smallest inputs, as Python and as commands that show it again."""
    result = run(repository, faulty("export_batch_norm", examples="30"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "rows_are_independent, signature 'serving_default' of exporters.export_batch_norm-2.11.1-stripped-2.11.1-c: *",
            "  smallest inputs: x float32 [[]2, 1[]]",
            "    @example({'x': np.resize(np.array([[]*[]], 'float32'), (2, 1))})",
            "  again: pytest *test_a_fault.py::test_whatever_it_is_fed*",
            "  these inputs alone: savedmodel-compat run * --on 2.11.1 * --inputs *.npz",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_the_commands_of_a_failure(
    repository: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both commands work as they are printed."""
    shown = run(repository, faulty("export_batch_norm", examples="30")).stdout.str()
    [again] = {line.partition("again: ")[2] for line in shown.splitlines() if "again: " in line}
    run_pytest(repository, *shlex.split(again)[1:]).assert_outcomes(failed=1)
    [alone] = {
        line.partition("these inputs alone: ")[2]
        for line in shown.splitlines()
        if "these inputs alone: " in line
    }
    monkeypatch.chdir(repository.path)
    # It answers, and nobody is there who would know better.
    assert cli.run(shlex.split(alone)[1:]) == 0


def test_the_command_of_a_failure_that_options_found(repository: pytest.Pytester) -> None:
    """It has the options without which there is no such item, or other inputs are drawn."""
    said = faulty("export_batch_norm").replace(", on='2.11.1'", "")
    options = (
        "--savedmodel-on=2.11.1,2.21.0",
        "--savedmodel-examples",
        "30",
        "--savedmodel-random",
    )
    result = run(repository, said, *options, "--savedmodel-json=record.json")
    result.assert_outcomes(failed=2)
    found = {
        line.partition("again: ")[2]
        for line in result.stdout.lines
        if "again: " in line and "2.21.0-c]" in line
    }
    [again] = found
    assert again.endswith(
        " --savedmodel-on=2.11.1,2.21.0 --savedmodel-examples=30 --savedmodel-random"
    )
    run_pytest(repository, *shlex.split(again)[1:]).assert_outcomes(failed=1)


def test_what_is_left_out(repository: pytest.Pytester) -> None:
    """A property that is known not to hold may be left out by its name; the others are asked."""
    said = faulty("export_batch_norm", examples="30", leave_out="rows_are_independent")
    run(repository, said).assert_outcomes(passed=1)
    others = faulty("export_batch_norm", examples="30", leave_out=["mismatches_refused"])
    run(repository, others).assert_outcomes(failed=1)
    mistyped = run(repository, faulty("export_right", leave_out="rows"))
    mistyped.assert_outcomes(errors=1)
    mistyped.stdout.fnmatch_lines(["*leave_out: there is no property 'rows'*"])


def test_what_fails_is_kept(repository: pytest.Pytester) -> None:
    """A counter-example is kept where that is wished for, is tried first, and fails until the model is mended."""
    kept = ("--savedmodel-counterexamples", "kept")
    said = faulty("export_batch_norm", examples="30")
    run(repository, said, *kept, "--savedmodel-keep").assert_outcomes(failed=1)
    [file] = (repository.path / "kept").rglob("*.tensors")
    assert file.parent.name == "rows_are_independent"
    said = faulty("export_batch_norm", examples="1")
    few = run(repository, said, *kept)
    few.assert_outcomes(failed=1)
    few.stdout.fnmatch_lines([f"  inputs kept in *{file.name}: x float32 [[]2, 1[]]"])
    exporters = repository.path / "seeded" / "exporters.py"
    exporters.write_text(
        exporters.read_text().replace("x - tf.reduce_mean(x, axis=0, keepdims=True)", "x + 1.0")
    )
    run(repository, said, *kept).assert_outcomes(passed=1)


def test_a_damaged_counterexample(repository: pytest.Pytester) -> None:
    """What is not what was kept is an error that names the file."""
    place = repository.path / "kept/exporters.export_right/serving_default/rows_are_independent"
    place.mkdir(parents=True)
    (place / "damaged.tensors").write_bytes(b"nothing of the kind")
    result = run(
        repository, faulty("export_right", examples="5"), "--savedmodel-counterexamples", "kept"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*damaged.tensors*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--savedmodel-examples", "none"), "examples is 'none'"),
        (("--savedmodel-keep",), "nobody says where"),
        (("--savedmodel-counterexamples", "nowhere"), "there is no folder"),
    ],
)
def test_bad_settings(args: tuple[str, ...], words: str, repository: pytest.Pytester) -> None:
    """What cannot be is said."""
    result = run(repository, faulty("export_right"), *args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{words}*"])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"examples": 0}, "examples is '0', and no number of inputs above 0"),
        ({"examples": "²"}, "examples is '²'"),
        ({"edges": "no"}, "edges is 'no': it is True or False"),
        ({"batched": 1}, "batched is 1: it is True or False"),
        ({"leave_out": True}, "leave_out is True: it is the name of a property, or several"),
    ],
)
def test_bad_keywords(said: dict[str, object], words: str, repository: pytest.Pytester) -> None:
    """Nor does a marker say what cannot be."""
    result = run(repository, faulty("export_right", **said))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{words.partition(':')[0]}*"])
    assert "Traceback" not in result.stdout.str()


def test_a_number_of_examples(repository: pytest.Pytester) -> None:
    """It may be a number as well as its digits."""
    run(repository, faulty("export_right", examples=5)).assert_outcomes(passed=1)


def test_two_fixtures_in_one_test(repository: pytest.Pytester) -> None:
    """A test is about cells or about a search."""
    repository.makepyfile(
        ALL.format(said="'model', on='2.21.0'").replace(
            "(savedmodel_subject)", "(savedmodel_subject, savedmodel_cell)", 1
        )
    )
    result = run_pytest(repository)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes savedmodel_cell and savedmodel_subject: make two tests*"])


def test_what_does_not_load(repository: pytest.Pytester) -> None:
    """A release that cannot load the model is skipped: the matrix judges that."""
    result = run(repository, faulty("export_right").replace("on='2.11.1'", "on='1.4.1'"))
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*does not load in 1.4.1*"])


def test_other_inputs_each_time(repository: pytest.Pytester) -> None:
    """With --savedmodel-random a fault is found too, and found again by what the cache remembers."""
    said = faulty("export_batch_norm", examples="50")
    run(repository, said, "--savedmodel-random").assert_outcomes(failed=1)
    run(repository, said, "--savedmodel-random").assert_outcomes(failed=1)

"""Expectations and floors in pytest runs of their own: real releases, a real model, plain and under xdist."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from tests.pytest_runs import at_home, run_pytest

MODES = {"plain": ["-pno:xdist"], "n0": ["-n0"], "n2": ["-n2"]}
# It does not load in 2.4.4 for VarHandleOp.debug_name; 2.11.1 ignores that in both signatures; 2.21.0 wrote it.
MODEL = Path(__file__).parent / "models" / "module-2.21.0"

TEST = """
    import pytest

    @pytest.mark.savedmodel("model", signatures="lookup", on="{on}")
    def test_it(savedmodel_cell):
        assert savedmodel_cell[0].outcome.value == "pass"
"""
KNOWN = """
    [[expectation]]
    model = "model"
    consumer = "<2.5"
    cause = "attr-unknown"
    op = "VarHandleOp"
    reason = "VarHandleOp.debug_name came with 2.18"
    owner = "ops"
    expires = 2999-12-31
"""
OLD = "2.4.4,2.21.0"

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with one model, whose configuration names a file of expectations."""
    at_home(monkeypatch)
    shutil.copytree(MODEL, pytester.path / "model")
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        filterwarnings = ["error"]
        [tool.savedmodel-compat]
        expectations = "known/expectations.toml"
        """
    )
    return pytester


def expect(project: pytest.Pytester, text: str = KNOWN, **changes: str) -> None:
    """Write the repository's expectations, with some words replaced."""
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    folder = project.path / "known"
    folder.mkdir(exist_ok=True)
    (folder / "expectations.toml").write_text(dedent(text))


@pytest.fixture(params=MODES)
def run(request: pytest.FixtureRequest, project: pytest.Pytester) -> Run:
    """Run pytest in the repository: without xdist, with it and no workers, with two."""
    if request.param != "plain":
        pytest.importorskip("xdist")
    return lambda *arguments: run_pytest(project, "-ra", *MODES[request.param], *arguments)


@pytest.fixture
def spread(project: pytest.Pytester) -> Run:
    """Run pytest in the repository with two workers: what is judged at the end is judged where they report to."""
    pytest.importorskip("xdist")
    return lambda *arguments: run_pytest(project, "-ra", "-n2", *arguments)


def test_items_are_strict_expected_failures(project: pytest.Pytester, run: Run) -> None:
    """An item whose failure is expected is xfailed, with the reason; one that passes against it fails; others fail as ever."""
    passing = KNOWN.replace('"<2.5"', '"2.21"')
    expect(project, KNOWN + passing)
    project.makepyfile(TEST.format(on="2.4.4,2.11.1,2.21.0"))
    result = run("--savedmodel-json=record.json")
    result.assert_outcomes(xfailed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*savedmodel-compat: 1 failure expected by known/expectations.toml",
            "XFAIL *2.4.4-c-lookup* - *attr-unknown VarHandleOp: VarHandleOp.debug_name came with 2.18 *toml:2)",
        ]
    )
    result.stdout.fnmatch_lines_random(
        [
            "expected to fail with attr-unknown VarHandleOp, and it passed",
            "  where   known/expectations.toml:11 (ops): *",
            "model of TensorFlow 2.21.0 fails in TensorFlow 2.11.1 at compare: attr-ignored",
        ]
    )
    record = json.loads((project.path / "record.json").read_text())
    assert [(c["consumer"], c["expected"]) for c in record["cells"]] == [
        ("2.11.1", False),
        ("2.21.0", False),
        ("2.4.4", True),
    ]
    assert record["expected"] == 1
    assert [broken["why"] for broken in record["expectations"]["broken"]] == ["passed"]


def test_expected_failures_alone_are_success(project: pytest.Pytester) -> None:
    """A session in which all that failed was expected ends with exit status 0."""
    expect(project)
    project.makepyfile(TEST.format(on=OLD))
    result = run_pytest(project, "-pno:xdist")
    result.assert_outcomes(xfailed=1, passed=1)
    assert result.ret == 0


def test_a_folder_is_a_name(project: pytest.Pytester) -> None:
    """What is written for the command line, where a model is its folder, holds here; what nearly is a name is told."""
    (project.path / "models").mkdir()
    (project.path / "model").rename(project.path / "models" / "half")
    known = KNOWN.replace('"model"', '"half"')
    expect(project, known + known.replace("half", "hald/hallf"))
    project.makepyfile(TEST.format(on=OLD).replace('"model"', '"models/half"'))
    result = run_pytest(project, "-pno:xdist")
    result.assert_outcomes(xfailed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "savedmodel-compat: 1 failure expected by *; 1 of its 2 is out of scope",
            "savedmodel-compat: *:11: no model is called hald/hallf; near is models/half",
        ]
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attr-unknown": "op-not-registered"}, "and it failed for another cause"),
        ({"2999-12-31": "2020-01-01"}, "until 2020-01-01, which is past"),
    ],
)
def test_what_does_not_hold(project: pytest.Pytester, changes: dict[str, str], said: str) -> None:
    """Seeded faults: an item that fails for another cause fails, and an expectation past its date excuses nothing."""
    expect(project, **changes)
    project.makepyfile(TEST.format(on="2.4.4"))
    result = run_pytest(project, "-pno:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{said}"])


def test_several_cells_of_an_item(project: pytest.Pytester) -> None:
    """An item of several cells is xfailed if all that failed of it is expected, and fails if an expected one passed."""
    project.makepyfile(
        """
        import pytest
        from savedmodel_compat import _plugin_cells

        # What an exporter with several signatures gives: the cells of two items in one.
        def both(runner, wanted, writing, run=_plugin_cells.run):
            from dataclasses import replace
            found = [run(runner, replace(wanted, signature=key), writing) for key in ("lookup", "serving_default")]
            return _plugin_cells.Ran(results=[result for ran in found for result in ran.results])

        @pytest.fixture(autouse=True)
        def _both(monkeypatch):
            monkeypatch.setattr(_plugin_cells, "run", both)

        @pytest.mark.savedmodel("model", signatures="lookup", on="2.11.1")
        def test_it(savedmodel_cell):
            assert len(savedmodel_cell) == 2
        """
    )
    text = KNOWN.replace('op = "VarHandleOp"', "").replace("<2.5", "2.11")
    expect(project, text.replace("attr-unknown", "attr-ignored"))
    run_pytest(project, "-pno:xdist").assert_outcomes(xfailed=1)
    expect(project, text.replace("attr-unknown", 'attr-ignored"\nsignature = "lookup'))
    run_pytest(project, "-pno:xdist").assert_outcomes(failed=1)


def test_not_run_is_a_breach(project: pytest.Pytester) -> None:
    """Seeded fault: an expected cell that would be skipped fails."""
    expect(project)
    project.makepyfile(TEST.format(on="1.15.5"))
    result = run_pytest(project, "-pno:xdist", "--savedmodel-device=cpu-onednn", "-ra")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["expected to fail with *, and it was not run", "*unsupported, *"])


def test_a_stale_one(project: pytest.Pytester, spread: Run) -> None:
    """Seeded fault: an expectation that no cell is like fails the session, and is said once; not if tests were deselected."""
    expect(project, KNOWN + KNOWN.replace('op = "VarHandleOp"', 'tags = "gone"'))
    project.makepyfile(TEST.format(on="2.4.4") + "\n    def test_other():\n        pass\n")
    result = spread()
    result.assert_outcomes(xfailed=1, passed=1)
    assert result.ret == 1
    assert result.stdout.str().count("no cell of this run is like that") == 1
    result.stdout.fnmatch_lines(["*expectations that do not hold*", "  where   known/*.toml:11 *"])
    result = spread("-k", "test_it")
    assert result.ret == 0
    assert "no cell of this run is like that" not in result.stdout.str()


@pytest.mark.parametrize(
    ("mark", "pattern"),
    [("@pytest.mark.skip\n    ", 'tags = "gone"'), ("", 'signature = "gone"')],
    ids=["skipped", "some signatures"],
)
def test_what_was_left_out_makes_nothing_stale(
    mark: str, pattern: str, project: pytest.Pytester
) -> None:
    """A mark that skips cells, or a marker that names some signatures, says nothing of expectations about the others."""
    expect(project, KNOWN + KNOWN.replace('op = "VarHandleOp"', pattern))
    skipped = TEST.format(on="2.4.4").replace("@pytest", f"{mark}@pytest", 1)
    other = TEST.format(on="2.4.4").replace("test_it", "test_other").replace("import pytest", "")
    project.makepyfile(skipped + other)
    result = run_pytest(project, "-pno:xdist")
    assert result.ret == 0
    assert "no cell of this run is like that" not in result.stdout.str()


def test_an_xfail_mark_hides_no_breach(project: pytest.Pytester) -> None:
    """Seeded fault: where pytest's own mark takes the failure of an item, the end of the session tells."""
    expect(project, **{'"<2.5"': '"2.21"'})
    text = TEST.format(on="2.21.0").replace("@pytest", "@pytest.mark.xfail\n    @pytest", 1)
    project.makepyfile(text)
    result = run_pytest(project, "-pno:xdist")
    result.assert_outcomes(xfailed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["expected to fail with *, and it passed"])


def test_switched_off(project: pytest.Pytester) -> None:
    """`none` turns the configuration's file off, and so does `--runxfail`; a file that is not sound stops the session."""
    expect(project)
    project.makepyfile(TEST.format(on="2.4.4"))
    for option in ("--savedmodel-expectations=none", "--runxfail"):
        run_pytest(project, "-pno:xdist", option).assert_outcomes(failed=1)
    result = run_pytest(project, "-pno:xdist", "--savedmodel-expectations=gone.toml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*gone.toml cannot be read*"])
    expect(project, **{"attr-unknown": "attr-unkown"})
    result = run_pytest(project, "-pno:xdist")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*near are attr-unknown*"])


def test_other_sessions_hear_nothing(project: pytest.Pytester) -> None:
    """A session without cells is not judged, nor is what `savedmodel_run` gave."""
    expect(project, **{"2999-12-31": "2020-01-01"})
    project.makepyfile(
        """
        def test_plain():
            pass

        def test_run(savedmodel_run):
            [result] = savedmodel_run("model", on="2.4.4", signature="lookup")
            assert result.outcome.value == "fail"
            assert not result.expected
        """
    )
    result = run_pytest(project, "-pno:xdist")
    result.assert_outcomes(passed=2)
    assert "expect" not in result.stdout.str()


FLOORS = """
    ["2.21.0"]
    total = {{ collected = {total} }}
    ["2.21.0".consumer]
    "{release}" = {{ compared = 1 }}
"""
ONE = TEST.replace(', on="{on}"', "")
FEW = ("--savedmodel-on=2.21.0", "--savedmodel-floors=floors.toml")


def floor(project: pytest.Pytester, *, total: int = 1, release: str = "2.21.0") -> None:
    """Write the repository's floors."""
    text = FLOORS.format(total=total, release=release)
    (project.path / "floors.toml").write_text(dedent(text))


def test_floors_hold_a_session(project: pytest.Pytester, spread: Run) -> None:
    """Seeded faults: a session with fewer cells than the floor, or without a release, ends with exit status 1."""
    project.makepyfile(ONE)
    expect(project)
    floor(project, total=3, release="2.20.0")
    result = spread(*FEW)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*fewer cells than before*",
            "floors.toml ?2.21.0?: consumer 2.20.0: 0/0/0, floor -/-/1 (collected/run/compared)",
            "floors.toml ?2.21.0?: in all: 1/1/1, floor 3/-/- (collected/run/compared)",
            "find what is no longer collected or run; *--tier '2.21.0' -o floors.toml",
        ]
    )


def test_floors_that_hold(project: pytest.Pytester) -> None:
    """A session with as many cells as its floors says so, and ends as it would have."""
    project.makepyfile(ONE)
    expect(project)
    floor(project)
    result = run_pytest(project, "-pno:xdist", *FEW)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*no number of cells is below its floor in floors.toml ?2.21.0?"])


def test_floors_of_a_part_of_a_session(project: pytest.Pytester, spread: Run) -> None:
    """Floors are not held against a session from which tests were left out; it says so in one line."""
    project.makepyfile("def test_one():\n    pass\n\ndef test_other():\n    pass\n")
    floor(project, total=99)
    result = spread(*FEW, "-k", "test_other")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*floors.toml ?2.21.0? are not looked at: 1 test was deselected"])


@pytest.mark.parametrize("left_out", ["-k nothing", "--deselect test_one.py", "-m nothing"])
def test_floors_are_held_against_what_addopts_leaves_out(
    left_out: str, project: pytest.Pytester
) -> None:
    """Seeded fault: a -k that stands forgotten in the ini leaves the cells out, and the floors that were typed fail."""
    project.makepyfile(test_one=ONE, test_two="def test_other_nothing():\n    pass\n")
    expect(project)
    floor(project)
    ini = (project.path / "pyproject.toml").read_text()
    head = "[tool.pytest.ini_options]\n"
    added = f"{head}markers = ['nothing']\naddopts = '{left_out}'\n"
    (project.path / "pyproject.toml").write_text(ini.replace(head, added))
    result = run_pytest(project, "-pno:xdist", *FEW)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*in all: 0/0/0, floor 1/-/- (collected/run/compared)",
            "*deselected, and not by what was typed: the floors are looked at all the same",
        ]
    )
    result = run_pytest(project, "-pno:xdist", *FEW, "-k", "test_other")
    assert result.ret in {0, 5}
    result.stdout.fnmatch_lines(["*are not looked at: * deselected"])


def test_floors_that_hold_without_what_addopts_leaves_out(
    project: pytest.Pytester, spread: Run
) -> None:
    """What an ini leaves out is no fault where the cells are as many as ever."""
    project.makepyfile(test_one=ONE, test_two="def test_slow():\n    pass\n")
    expect(project)
    floor(project)
    result = spread(*FEW, "-oaddopts=-k 'not slow'")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*1 test was deselected, and not by what was typed*", "*no number of cells is below*"]
    )


def test_floors_without_the_tier(project: pytest.Pytester) -> None:
    """Another `on` has other floors, or none: the session says so in one line."""
    project.makepyfile("def test_other():\n    pass\n")
    floor(project)
    said = "*floors.toml has no floors for 'smoke' (its tiers are 2.21.0)*"
    result = run_pytest(project, "-pno:xdist", "-osavedmodel_floors=floors.toml")
    assert result.ret == 0
    result.stdout.fnmatch_lines([said])
    result = run_pytest(project, "-pno:xdist", "--savedmodel-floors=floors.toml")
    assert result.ret == 4
    result.stderr.fnmatch_lines([said, "*floors RECORD.json --tier 'smoke'*"])


def test_floors_where_no_cell_is_collected(project: pytest.Pytester) -> None:
    """Seeded fault: a repository whose tests of cells are gone ends with exit status 1, though what is left passes."""
    project.makepyfile("def test_other():\n    pass\n")
    floor(project)
    result = run_pytest(project, "-pno:xdist", *FEW)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*in all: 0/0/0, floor 1/-/- (collected/run/compared)"])


def test_floors_where_paths_are_named(project: pytest.Pytester) -> None:
    """Who names a file runs a part, unless the floors were typed beside it; a single test is always a part."""
    file = project.makepyfile(test_one="def test_other():\n    pass\n")
    floor(project)
    ini = f"{(project.path / 'pyproject.toml').read_text()}\n"
    project.makepyprojecttoml(
        ini.replace(
            "[tool.pytest.ini_options]",
            "[tool.pytest.ini_options]\nsavedmodel_floors = 'floors.toml'",
        )
    )
    on = "--savedmodel-on=2.21.0"
    result = run_pytest(project, "-pno:xdist", on, str(file))
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*are not looked at: paths were named*"])
    assert run_pytest(project, "-pno:xdist", *FEW, str(file)).ret == 1
    result = run_pytest(project, "-pno:xdist", *FEW, f"{file}::test_other")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*are not looked at: single tests were named"])


def test_floors_that_are_not_sound(project: pytest.Pytester) -> None:
    """Seeded fault: an empty file of floors stops the session with exit status 4."""
    (project.path / "floors.toml").write_text("")
    result = run_pytest(project, "-pno:xdist", *FEW)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*floors.toml have no tier*"])

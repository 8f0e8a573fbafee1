"""The plugin's settings: their spellings, which of them holds, and the page that documents them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pytest_runs import run_pytest

import savedmodel_compat
from savedmodel_compat import _plugin_options as options

PAGE = Path(__file__).parent.parent / "docs" / "options.md"
RELEASES = ("1.15.5", "2.4.4", "2.11.1", "2.21.0")

TEST = """
    import pytest

    @pytest.mark.savedmodel("model", {marker})
    def test_it(savedmodel_cell):
        pass
"""


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in another folder finds the same package, also where a relative PYTHONPATH has led to it."""
    monkeypatch.setenv("PYTHONPATH", str(Path(savedmodel_compat.__file__).parent.parent))


def collected(pytester: pytest.Pytester, *arguments: str, marker: str = "") -> list[str]:
    """The items of one test with the marker, by what stands in their brackets."""
    pytester.makepyfile(TEST.format(marker=marker))
    result = run_pytest(pytester, "--collect-only", "-q", *arguments)
    return [line.partition("[")[2][:-1] for line in result.outlines if "::" in line]


def test_the_page_is_current() -> None:
    """docs/options.md is what the table gives."""
    assert PAGE.read_text(encoding="utf-8") == options.as_markdown(), (
        "write it anew: python -m savedmodel_compat._plugin_options > docs/options.md"
    )


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.name)
def test_the_page_has_all_spellings(option: options.Option) -> None:
    """Each option's command line, ini, environment and default stand in its row."""
    rows = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if f"`{option.flag}" in line and option.ini + "`" in line
    ]
    assert len(rows) == 1
    for spelling in (option.ini, option.variable, option.default):
        assert spelling in rows[0]


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.name)
def test_help_has_every_option(pytester: pytest.Pytester, option: options.Option) -> None:
    """`pytest --help` shows the option, its ini spelling and its choices."""
    text = str(run_pytest(pytester, "--help").stdout)
    assert option.flag in text
    assert f"{option.ini} (string)" in text
    for choice in option.choices:
        assert choice in text


def test_defaults(pytester: pytest.Pytester) -> None:
    """Where nobody says anything, the smoke set is loaded with the C++ loader."""
    assert collected(pytester) == [f"model-{release}-c" for release in RELEASES]


PLACES = ("marker", "command line", "ini file", "environment")


@pytest.mark.parametrize("first", PLACES)
def test_the_first_spelling_holds(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Marker, command line, ini file, environment: the first that is given, whatever the later ones say."""
    given = dict(zip(PLACES[PLACES.index(first) :], RELEASES, strict=False))
    if "ini file" in given:
        pytester.makeini(f"[pytest]\nsavedmodel_on = {given['ini file']}\n")
    monkeypatch.setenv("SAVEDMODEL_COMPAT_ON", given["environment"])
    flags = [f"--savedmodel-on={given['command line']}"] if "command line" in given else []
    marker = f"on={given['marker']!r}" if "marker" in given else ""
    assert collected(pytester, *flags, marker=marker) == [f"model-{RELEASES[0]}-c"]


def test_every_option_from_everywhere(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options may come from different places, and each is looked for by itself."""
    monkeypatch.setenv("SAVEDMODEL_COMPAT_PROVIDER", "venv")
    pytester.makeini("[pytest]\nsavedmodel_loader = v1, c\n")
    items = collected(pytester, "--savedmodel-on=2.4,2.21.0", marker="seed=3")
    assert items == ["model-2.4.4-v1", "model-2.4.4-c", "model-2.21.0-v1", "model-2.21.0-c"]


def test_lists_in_a_marker(pytester: pytest.Pytester) -> None:
    """A marker may give lists instead of texts with commas."""
    marker = "on=['2.4.4', '2.21.0'], signatures=['a', 'b']"
    assert collected(pytester, marker=marker) == [
        "model-2.4.4-c-a",
        "model-2.4.4-c-b",
        "model-2.21.0-c-a",
        "model-2.21.0-c-b",
    ]


def test_ids_of_exporters(pytester: pytest.Pytester) -> None:
    """An item is named by exporter, producer, strip, consumer, loader and signature; cells of one consumer stand together."""
    pytester.makepyprojecttoml('[tool.savedmodel-compat.exporters]\nnamed = "made.py::export"\n')
    pytester.makepyfile(made="")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.savedmodel(
            "named", "made.py::other", producers="2.11.1", on="2.4.4,2.21.0", signatures="serve"
        )
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(pytester, "--collect-only", "-q")
    items = [line.partition("[")[2][:-1] for line in result.outlines if "::" in line]
    assert items == [
        f"{name}-2.11.1-{strip}-{consumer}-c-serve"
        for consumer in ("2.4.4", "2.21.0")
        for name in ("named", "made.other")
        for strip in ("unstripped", "stripped")
    ]


def test_the_header_is_one_line(pytester: pytest.Pytester) -> None:
    """The header says releases, provider and loader."""
    result = run_pytest(pytester, "--savedmodel-on=2.4", "--savedmodel-provider=venv")
    said = [line for line in result.outlines if line.startswith("savedmodel-compat:")]
    assert said == ["savedmodel-compat: on 2.4, provider venv, loader c, golden none"]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--savedmodel-on=2.99.0", "ERROR: '2.99.0' is neither a pinned release*"),
        ("--savedmodel-on=>=99", "ERROR: no pinned release answers to '>=99'*"),
        ("--savedmodel-provider=pip", "ERROR: --savedmodel-provider: there is no provider 'pip'"),
        ("--savedmodel-provider=wheel,venv", "*there is no provider 'wheel,venv'"),
        ("--savedmodel-loader=c,v3", "ERROR: --savedmodel-loader: there is no loader 'v3'"),
        ("-osavedmodel_strict_prediction=yes", "hint: strict_prediction is true, false"),
        ("--savedmodel-json=lost/record.json", "ERROR: the record lost/record.json cannot be*"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    pytester: pytest.Pytester, argument: str, words: str
) -> None:
    """What cannot be is refused before any test is collected, with exit code 4 and no traceback."""
    pytester.makepyfile("def test_it():\n    pass\n")
    result = run_pytest(pytester, argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([words])
    assert "Traceback" not in str(result.stderr)


def test_a_wrong_variable_is_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says in which of the four places the word stands."""
    monkeypatch.setenv("SAVEDMODEL_COMPAT_LOADER", "v3")
    result = run_pytest(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: environment variable SAVEDMODEL_COMPAT_LOADER: *'v3'"])


def test_a_damaged_pyproject_is_one_error(pytester: pytest.Pytester) -> None:
    """A table that does not hold together is said at the test that needs it, in one line."""
    pytester.makepyprojecttoml("[tool.savedmodel-compat]\nexporter = 3\n")
    pytester.makepyfile(TEST.format(marker=""))
    result = run_pytest(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*tool.savedmodel-compat has the unknown key 'exporter'"])


def test_a_record_of_nothing(pytester: pytest.Pytester) -> None:
    """A run without cells leaves a record that says so; a run that only collects leaves none."""
    pytester.makepyfile("def test_it():\n    pass\n")
    run_pytest(pytester, "--collect-only", "--savedmodel-json=record.json")
    assert not (pytester.path / "record.json").exists()
    run_pytest(pytester, "--savedmodel-json=record.json").assert_outcomes(passed=1)
    assert '"cells": []' in (pytester.path / "record.json").read_text()


def test_a_record_that_cannot_be_written(pytester: pytest.Pytester) -> None:
    """A record that is lost at the end is an error of the run, in one line."""
    pytester.makepyfile(
        "import shutil\n\ndef test_it(request):\n    shutil.rmtree(request.config.rootpath / 'out')\n"
    )
    (pytester.path / "out").mkdir()
    result = run_pytest(pytester, "--savedmodel-json=out/record.json")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["savedmodel-compat: the record *record.json cannot be written*"])
    assert "INTERNALERROR" not in str(result.stdout)

"""The line of the summary that says how many cells there were, and how fast they came."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pytest_runs import at_home, run_pytest

MODEL = Path(__file__).parent.parent / "golden" / "models" / "half_plus_two-1.4.1"
DOUBLE = """
import tensorflow as tf

def double(directory, *, strip_default_attrs, seed):
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.float32, "x")
    module.serve = tf.function(lambda x: {"y": 2 * x}, input_signature=[spec])
    tf.saved_model.save(module, directory, signatures={"serving_default": module.serve})
    return {}
"""


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs find the runtimes that are here."""
    at_home(monkeypatch)


@pytest.mark.parametrize("workers", [("-pno:xdist",), ("-n0",), ("-n2",)])
def test_cells_are_counted(workers: tuple[str, ...], pytester: pytest.Pytester) -> None:
    """Those that were compared, those that ran, and those that a release could not have."""
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.savedmodel({str(MODEL)!r}, on="2.4.4,2.21.0", signatures="serving_default", loader="c,v1")
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(pytester, *workers)
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.re_match_lines(
        [r"savedmodel-compat: 4 cells, 2 run, 2 compared; \d+\.\d cells a second"]
    )


def test_without_cells_there_is_no_such_line(pytester: pytest.Pytester) -> None:
    """A session of other tests says nothing of them."""
    pytester.makepyfile("def test_it(): pass")
    result = run_pytest(pytester)
    result.stdout.no_fnmatch_line("*cells a second*")


@pytest.mark.parametrize("workers", [("-pno:xdist",), ("-n2",)])
def test_notes_are_told_once(workers: tuple[str, ...], pytester: pytest.Pytester) -> None:
    """A note of several cells is one line of the summary: an exporter that recorded nothing has inputs that are made up."""
    (pytester.path / "exporters.py").write_text(DOUBLE)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.savedmodel("exporters.py::double", producers="2.11.1", on="2.11.1,2.21.0", strip="on")
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(pytester, *workers)
    said = (
        "the exporter recorded nothing of signature 'serving_default', and its inputs are made up"
    )
    lines = [line for line in result.outlines if "recorded nothing" in line]
    assert lines == [f"savedmodel-compat: note: {said} (2 cells of exporters.double)"]


def test_one_cell_is_one(pytester: pytest.Pytester) -> None:
    """It is counted as a reader would, in the record's line too."""
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.savedmodel({str(MODEL)!r}, on="2.4.4", signatures="serving_default")
        def test_it(savedmodel_cell):
            pass
        """
    )
    result = run_pytest(pytester, "--savedmodel-json=record.json")
    result.stdout.fnmatch_lines_random(
        ["savedmodel-compat: 1 cell, *", "savedmodel-compat: 1 cell in *record.json"]
    )

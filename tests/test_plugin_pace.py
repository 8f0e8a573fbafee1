"""The line of the summary that says how many cells there were, and how fast they came."""

from __future__ import annotations

from pathlib import Path

import pytest

MODEL = Path(__file__).parent.parent / "golden" / "models" / "half_plus_two-1.4.1"


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
    result = pytester.runpytest_subprocess("-pno:cacheprovider", *workers)
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.re_match_lines(
        [r"savedmodel-compat: 4 cells, 2 run, 2 compared; \d+\.\d cells a second"]
    )


def test_without_cells_there_is_no_such_line(pytester: pytest.Pytester) -> None:
    """A session of other tests says nothing of them."""
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("-pno:cacheprovider")
    result.stdout.no_fnmatch_line("*cells a second*")

"""Tests of what is said while a session runs: bars on a terminal, lines anywhere else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from savedmodel_compat.matrix.cells import Outcome, Result
from savedmodel_compat.matrix.exports import Exporter, Order
from savedmodel_compat.report.live import Live

ORDER = Order(
    exporter=Exporter(name="cnn", file=Path("cnn.py"), function="export"),
    producer="2.11.1",
    strip=False,
)


@pytest.fixture
def pipe() -> Console:
    """Return a console that is no terminal."""
    return Console(file=io.StringIO(), force_terminal=False, width=40)


@pytest.fixture
def terminal() -> Console:
    """Return a console that is a terminal."""
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def printed(console: Console) -> str:
    """Return what a console was given."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_step_is_a_line(pipe: Console) -> None:
    """Away from a terminal each step is said once, with its size, however often it is told of."""
    with Live(pipe) as live:
        told = live.progress("2.4.4 wheel")
        for done in (0, 50_000_000, 100_000_000):
            told(done, 100_000_000, "wheel")
        told(1, None, "libraries")
    assert printed(pipe) == "2.4.4 wheel: wheel (100 MB)\n2.4.4 wheel: libraries\n"


def test_an_export_is_a_line(pipe: Console) -> None:
    """An export is said to be done, or why not in one line, and is not broken by the width."""
    with Live(pipe) as live:
        live.exported(ORDER, None)
        live.exported(ORDER, "the exporter raised ValueError: [bold]no[/bold]\nTraceback")
    assert printed(pipe).splitlines() == [
        "cnn of 2.11.1, unstripped: exported",
        "cnn of 2.11.1, unstripped: not exported: the exporter raised ValueError: [bold]no[/bold]",
    ]


def test_a_problem_cannot_write_to_the_terminal(pipe: Console) -> None:
    """What an exporter says is not obeyed."""
    with Live(pipe) as live:
        live.exported(ORDER, "\x1b[2J\x07gone")
    assert "\x1b" not in printed(pipe)
    assert "\x07" not in printed(pipe)


def test_cells_are_silent_in_a_pipe(pipe: Console, result: Callable[..., Result]) -> None:
    """A line for each cell would bury the others."""
    with Live(pipe) as live:
        live.result(result())
    assert printed(pipe) == ""


def test_cells_are_counted_on_a_terminal(
    terminal: Console, result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """On a terminal one line counts cells and failures."""
    with Live(terminal) as live:
        live.result(result())
        live.result(failed())
        live.result(result(outcome=Outcome.NOT_RUN))
    assert "3 cells, 1 failed; 2.4.4" in printed(terminal)


def test_bars_leave_nothing_behind(terminal: Console, result: Callable[..., Result]) -> None:
    """The terminal is left as it was: the cursor is shown and the last line is empty."""
    with Live(terminal) as live:
        live.progress("2.4.4 wheel")(1, 2, "wheel")
        live.result(result())
    text = printed(terminal)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")
    assert text.endswith("\x1b[2K")


def test_a_bar_that_is_done_is_gone(terminal: Console) -> None:
    """A step that is told of again after its end has a bar of its own."""
    with Live(terminal) as live:
        told = live.progress("2.4.4 wheel")
        told(2, 2, "wheel")
        told(1, 2, "wheel")
        told(2, 2, "wheel")
    assert "2.4.4 wheel: wheel" in printed(terminal)


def test_two_sessions_in_turn(terminal: Console, result: Callable[..., Result]) -> None:
    """The same watcher can be entered for each part of a command."""
    live = Live(terminal)
    for consumer in ("2.4.4", "2.21.0"):
        with live:
            live.result(result(consumer=consumer))
    assert "2 cells, 0 failed; 2.21.0" in printed(terminal)

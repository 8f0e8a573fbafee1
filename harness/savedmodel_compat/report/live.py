"""How a session goes, on stderr: live bars on a terminal, a line a step anywhere else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from savedmodel_compat.report.words import cells, printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.exports import Order
    from savedmodel_compat.runtimes.base import Progress as OnBytes


class Live:
    """A watcher for people.

    Args:
        console: stderr's.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._started: set[str] = set()
        self._cells = 0
        self._failed = 0
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._counter = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Live:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing and leave the terminal as it was."""
        # Away from a terminal, older releases of rich end bars that were never drawn with an empty line.
        if self._console.is_terminal:
            self._bars.stop()
            self._counter.stop()
        if self._task is not None:
            self._counter.remove_task(self._task)
            self._task = None

    def progress(self, label: str) -> OnBytes:
        """Return the callback that draws how far a runtime is; it may be called from any thread."""
        tasks: dict[str, TaskID] = {}

        def told(done: int, total: int | None, what: str) -> None:
            with self._lock:
                self._say_once(label, what, total)
                if what not in tasks:
                    tasks[what] = self._bars.add_task(f"{label}: {what}", total=total)
                self._bars.update(tasks[what], completed=done, total=total)
                if total is not None and done >= total:
                    self._bars.remove_task(tasks.pop(what))

        return told

    def exported(self, order: Order, problem: str | None) -> None:
        """Say that an export is done, or why it is not."""
        end = (
            "exported"
            if problem is None
            else f"not exported: {problem.strip().partition(chr(10))[0]}"
        )
        self._say(f"{order.label}: {end}")

    def result(self, result: Result) -> None:
        """Count a cell."""
        self._cells += 1
        self._failed += result.outcome.value == "fail"
        if self._console.is_terminal:
            self._show_count(f"{cells(self._cells)}, {self._failed} failed; {result.cell.consumer}")

    def _show_count(self, text: str) -> None:
        if self._task is None:
            self._bars.stop()
            self._counter.start()
            self._task = self._counter.add_task(text, total=None)
        self._counter.update(self._task, description=text)

    def _say_once(self, label: str, what: str, total: int | None) -> None:
        if self._console.is_terminal or (key := f"{label} {what}") in self._started:
            return
        self._started.add(key)
        size = f" ({total / 1e6:.0f} MB)" if total else ""
        self._say(f"{label}: {what}{size}")

    def _say(self, line: str) -> None:
        self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

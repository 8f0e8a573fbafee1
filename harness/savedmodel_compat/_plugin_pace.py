"""How many cells a pytest run had, how fast they came, and what is noted of them: lines of its summary."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from savedmodel_compat._plugin_record import PROPERTY

_RAN = frozenset(("pass", "fail"))


class Pace:
    """Counts the cells that reports bring; on the controller of xdist, those of all workers."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._cells = 0
        self._ran = 0
        self._compared = 0
        self._noted: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the cells of an item, which the report of its end has all of."""
        if self._began is None:
            # Collecting is not running.
            self._began = time.monotonic() - report.duration
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                cell = json.loads(str(value))
                self._cells += 1
                self._ran += cell["outcome"] in _RAN
                self._compared += cell["compared"] > 0
                if cell["notes"]:
                    # Several items may run one cell.
                    self._noted[cell["id"], cell["path"]] = cell

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it, and each note once, where there were any cells."""
        if not self._cells or self._began is None:
            return
        from savedmodel_compat.report.notes import told
        from savedmodel_compat.report.words import cells

        for note in told(
            (cell["model"], each) for cell in self._noted.values() for each in cell["notes"]
        ):
            terminalreporter.write_line(f"savedmodel-compat: note: {note}")
        seconds = max(time.monotonic() - self._began, 1e-9)
        terminalreporter.write_line(
            f"savedmodel-compat: {cells(self._cells)}, {self._ran} run, {self._compared} compared; "
            f"{self._ran / seconds:.1f} cells a second"
        )

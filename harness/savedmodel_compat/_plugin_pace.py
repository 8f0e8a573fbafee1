"""How many cells a pytest run had, and how fast they came: one line of its summary."""

from __future__ import annotations

import json
import time

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

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it, where there were any."""
        if not self._cells or self._began is None:
            return
        seconds = max(time.monotonic() - self._began, 1e-9)
        terminalreporter.write_line(
            f"savedmodel-compat: {self._cells} cells, {self._ran} run, {self._compared} compared; "
            f"{self._ran / seconds:.1f} cells a second"
        )

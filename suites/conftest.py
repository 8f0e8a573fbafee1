"""What the suites say at the end: the table of predictions and proofs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from savedmodel_compat.report import confusion

SUITE = "suite"
PREDICTION = "prediction"
LEFT_OUT = "left out"
_RECORD = "savedmodel_record"
_SHOWN = 20


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was predicted of the cells of the prediction suite against what became of them."""
    found = list(_properties(terminalreporter))
    cells = [json.loads(value) for name, value in found if name == _RECORD]
    if not cells:
        return
    terminalreporter.section("prediction and proof")
    for line in confusion.as_text(confusion.confusion(cells)):
        terminalreporter.write_line(line)
    unknown = confusion.unknown_cells(cells)
    count = len(list(confusion.predicted_cells(cells)))
    terminalreporter.write_line(f"{len(unknown)} of {count} cells unknown")
    for cell in unknown[:_SHOWN]:
        terminalreporter.write_line(f"  {cell['id']}: {cell['prediction']['why']}")
    for label in dict.fromkeys(value for name, value in found if name == LEFT_OUT):
        terminalreporter.write_line(f"not exported: {label}")


def _properties(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, Any]]:
    """Yield what the items of the prediction suite left in their reports, wherever they ran."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                properties = report.user_properties
                if (SUITE, PREDICTION) in map(tuple, properties):
                    yield from properties

"""The record of a pytest run: what items leave in their reports, gathered where reports arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from savedmodel_compat.errors import InfrastructureError

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.expectations import Judgement

PROPERTY = "savedmodel_record"
GATED = "savedmodel_gated"
"""Ids of the cells of an item that expectations and floors look at, as a JSON list."""
_WORST_FIRST = ("infra-error", "fail", "not-run", "unsupported", "pass")


def keep(item: pytest.Item, results: Sequence[Result], *, gated: bool = False) -> None:
    """Leave the cells' records on the item; its reports carry them to wherever the session is run from.

    Args:
        item: whose cells they are.
        results: one a cell.
        gated: whether expectations and floors look at them.
    """
    from savedmodel_compat.report.record import as_cell

    item.user_properties += [(PROPERTY, json.dumps(as_cell(result))) for result in results]
    if gated:
        item.user_properties.append((GATED, json.dumps([r.cell.id for r in results])))


def worst_first(outcome: str) -> int:
    """Return the place of an outcome, from the worst to the best."""
    return _WORST_FIRST.index(outcome)


class Records:
    """Collects the records that reports bring, and writes them at the end; never on a worker of xdist.

    Args:
        path: the file.
        judgement: tells at the end what expectations say of the session.
    """

    def __init__(self, path: Path, judgement: Callable[[], Judgement | None]) -> None:
        self._path = path.absolute()
        self._judgement = judgement
        self._started = datetime.now(timezone.utc)
        self._cells: dict[tuple[str, str], dict[str, Any]] = {}
        self._problem: InfrastructureError | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the records of an item, which the report of its end has all of."""
        if report.when != "teardown":
            return
        cells = (json.loads(str(v)) for name, v in report.user_properties if name == PROPERTY)
        for (cell_id, path), cell in {(c["id"], c["path"]): c for c in cells}.items():
            # Several items may run one cell; a success must not hide what another of them saw.
            known = self._cells.get((cell_id, path), cell)
            self._cells[cell_id, path] = min(known, cell, key=_badness)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the record, before anybody else may fail and whatever comes of judging it."""
        judgement = None
        try:
            if exitstatus != pytest.ExitCode.INTERRUPTED:
                judgement = self._judgement()
        finally:
            self._write(session, judgement, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)

    def _write(
        self, session: pytest.Session, judgement: Judgement | None, *, interrupted: bool
    ) -> None:
        from savedmodel_compat.report.record import of_cells, write

        record = of_cells(
            [cell for _, cell in sorted(self._cells.items())],
            started=self._started,
            interrupted=interrupted,
            judgement=judgement,
        )
        try:
            write(record, self._path)
        except InfrastructureError as error:
            self._problem = error
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the record is, or why it is nowhere."""
        from savedmodel_compat.report.words import cells

        if self._problem is not None:
            terminalreporter.write_line(f"savedmodel-compat: {self._problem}", red=True)
        else:
            terminalreporter.write_line(
                f"savedmodel-compat: {cells(len(self._cells))} in {self._path}"
            )


def _badness(cell: dict[str, Any]) -> int:
    return worst_first(cell["outcome"])

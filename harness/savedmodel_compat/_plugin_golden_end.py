"""What pytest says of goldens at the end: which were written, which nobody used, and what was not allowed to be written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat._plugin_golden import USED, WRITTEN, ignored
from savedmodel_compat._plugin_options import MARKER

_DESELECTED = "savedmodel_deselected"
_SHOWN = 20
_SHOWN_BY = 3


class Written:
    """Tells at the end which goldens this run has written or proposed; on the controller of xdist.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._written: dict[str, dict[tuple[str, str], dict[str, None]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what was written for an item."""
        for value in _said(report, WRITTEN):
            directory, name, became, by = value
            of_one = self._written.setdefault(directory, {}).setdefault((became, name), {})
            of_one.update({by: None} if by else {})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them, and say so if the mode that was given does not hold."""
        for directory, found in sorted(self._written.items()):
            terminalreporter.write_line(
                f"savedmodel-compat: {_goldens(len(found))} in {directory} written or proposed by this run:"
            )
            lines = [
                f"  {became}: {name}{_by(list(whose))}"
                for (became, name), whose in sorted(found.items())
            ]
            _write(terminalreporter, lines)
            if any(became == "proposed" for became, _ in found):
                terminalreporter.write_line(
                    "  (`savedmodel-compat golden status` shows proposals; `accept` and `reject` decide)"
                )
        said = ignored(self._config)
        if said is not None:
            terminalreporter.write_line(f"savedmodel-compat: {said}")


class Unused:
    """Tells at the end which goldens no test used, where all tests were selected; on the controller of xdist.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._used: dict[Path, set[str]] = {}
        self._deselected = 0
        self._lacking = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what could not be collected."""
        self._lacking = self._lacking or report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of the goldens of an item, and of items that did not come so far as to choose one."""
        for directory, golden in _said(report, USED):
            folder = (self._config.rootpath / directory).resolve()
            self._used.setdefault(folder, set()).add(golden)
        used = any(name == USED for name, _ in report.user_properties)
        if report.when == "setup" and not report.passed and MARKER in report.keywords and not used:
            self._lacking = True

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Take note of what was left out here."""
        self._deselected += len(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take note of what was left out in a worker of xdist."""
        self._deselected += getattr(node, "workeroutput", {}).get(_DESELECTED, 0)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Name the goldens that were not used, if every test was run that could have."""
        if not self._is_whole(exitstatus):
            return
        for folder, used in sorted(self._used.items()):
            unused = [name for name in _there(folder) if name not in used]
            if not unused:
                continue
            root = self._config.rootpath
            directory = folder.relative_to(root) if folder.is_relative_to(root) else folder
            were = "was" if len(unused) == 1 else "were"
            terminalreporter.write_line(
                f"savedmodel-compat: {_goldens(len(unused))} in {directory} {were} used by no test of this run:"
            )
            _write(terminalreporter, [f"  {name}" for name in unused])
            terminalreporter.write_line(
                "  (`savedmodel-compat golden prune` deletes; nothing else does)"
            )

    def _is_whole(self, exitstatus: int) -> bool:
        """Tell whether the session ran all that its folders hold."""
        ended = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        options = self._config.option
        narrowed = options.keyword or options.markexpr or options.collectonly
        left_out = options.ignore or options.ignore_glob or options.maxfail
        named = self._config.args_source is pytest.Config.ArgsSource.ARGS
        return ended and not (narrowed or left_out or named or self._deselected or self._lacking)


class Deselected:
    """Counts, in a worker of xdist, what is left out there, and tells the controller at the end."""

    def __init__(self) -> None:
        self._count = 0

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count."""
        self._count += len(items)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell."""
        output: dict[str, Any] = getattr(session.config, "workeroutput", {})
        output[_DESELECTED] = self._count


def _said(report: pytest.TestReport, name: str) -> Iterator[list[str]]:
    """Yield what an item left under a property; properties are whole in the last of its reports."""
    if report.when == "teardown":
        for key, value in report.user_properties:
            if key == name:
                yield json.loads(str(value))


def _goldens(count: int) -> str:
    return f"{count} golden{'' if count == 1 else 's'}"


def _by(whose: Sequence[str]) -> str:
    """Return who answered, in words: the first few of many."""
    if not whose:
        return ""
    more = f" and {len(whose) - _SHOWN_BY} more" if len(whose) > _SHOWN_BY else ""
    return f" by {', '.join(whose[:_SHOWN_BY])}{more}"


def _write(terminalreporter: pytest.TerminalReporter, lines: Sequence[str]) -> None:
    """Write lines, and of many how many more there are."""
    for line in lines[:_SHOWN]:
        terminalreporter.write_line(line)
    if len(lines) > _SHOWN:
        terminalreporter.write_line(f"  and {len(lines) - _SHOWN} more")


def _there(root: Path) -> Iterator[str]:
    """Yield the names of a store's goldens, of damaged ones too: whoever used one has failed with its name."""
    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.golden.store import Store

    try:
        listing = Store(root).listing()
    except SavedModelCompatError as error:
        yield f"(cannot be listed: {error.message})"
        return
    yield from (key.name for key in listing.keys)
    yield from (each.name for each in listing.damaged if each.key is not None)

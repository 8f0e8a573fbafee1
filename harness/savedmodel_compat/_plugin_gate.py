"""Expectations and floors in pytest: an item is judged where it runs, the session where reports arrive."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from savedmodel_compat._plugin_cells import known
from savedmodel_compat._plugin_golden_end import _DESELECTED
from savedmodel_compat._plugin_options import MARKER, is_given, on_command_line, setting, typed
from savedmodel_compat._plugin_record import GATED, PROPERTY
from savedmodel_compat.errors import UsageError

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.expectations import Expectations, Judgement, Verdict
    from savedmodel_compat.matrix.floors import Shortfall, Tier
    from savedmodel_compat.matrix.matching import Matcher
    from savedmodel_compat.matrix.seen import Seen

EXPECTATIONS = "expectations"
FLOORS = "floors"
NONE = "none"
NARROWED = "savedmodel_narrowed"
"""Left on items that run some of a model's signatures, as their marker says."""


_FILE: pytest.StashKey[Expectations | None] = pytest.StashKey()
_MATCHER: pytest.StashKey[Matcher] = pytest.StashKey()
_JUDGED: pytest.StashKey[list[tuple[Seen, Verdict]]] = pytest.StashKey()
_JUDGED_ENDS = frozenset(
    (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
)
_SHOWN = 40


def expectations(config: pytest.Config) -> Expectations | None:
    """Return the expectations that hold in a session: of the option, else of the configuration; None without.

    Raises:
        ConfigurationError: the file is not there or not sound.
    """
    if _FILE not in config.stash:
        config.stash[_FILE] = _read(config)
    return config.stash[_FILE]


def _read(config: pytest.Config) -> Expectations | None:
    said = setting(config, EXPECTATIONS)
    # Who wants expected failures shown as failures wants these shown, too.
    if said == NONE or config.getoption("runxfail", default=False):
        return None
    from savedmodel_compat.matrix import _expectation_file

    here = known(config)
    path = config.rootpath / said if said else here.configuration.expectations
    return None if path is None else _expectation_file.read(path, here.table)


def floors(config: pytest.Config) -> dict[str, Tier]:
    """Return the floors of every tier; none if the session has no file of them.

    Raises:
        ConfigurationError: the file is not there or not sound.
    """
    said = setting(config, FLOORS)
    if not said or said == NONE:
        return {}
    from savedmodel_compat.matrix import _floors_file

    return _floors_file.read(config.rootpath / said)


def check(config: pytest.Config) -> None:
    """Read the files that were named for this session, so that what is wrong with one is said before anything runs.

    Raises:
        ConfigurationError: a file is not there or not sound.
        UsageError: the floors that were typed are none of this session's releases.
    """
    if is_given(config, EXPECTATIONS):
        expectations(config)
    tiers, on = floors(config), setting(config, "on")
    if tiers and on not in tiers and on_command_line(config, FLOORS):
        raise UsageError(
            f"{setting(config, FLOORS)} has no floors for '{on}' (its tiers are {', '.join(tiers)})",
            hint="mend --savedmodel-on, or write them: savedmodel-compat floors RECORD.json "
            f"--tier '{on}' -o {setting(config, FLOORS)}",
        )


def judged(item: pytest.Item, results: Sequence[Result]) -> list[Result]:
    """Return an item's results, each with whether it was expected; `breaches` and `why_expected` tell the rest.

    Raises:
        ConfigurationError: the file of expectations is not there or not sound.
    """
    file = expectations(item.config)
    if file is None:
        return list(results)
    from dataclasses import replace

    from savedmodel_compat.matrix.expectations import today
    from savedmodel_compat.matrix.matching import Matcher
    from savedmodel_compat.matrix.seen import of_result

    if _MATCHER not in item.config.stash:
        item.config.stash[_MATCHER] = Matcher(file.entries, today())
    matcher = item.config.stash[_MATCHER]
    seen = [of_result(result) for result in results]
    found = [(cell, matcher.verdict(cell)) for cell in seen]
    item.stash[_JUDGED] = found
    marker = item.get_closest_marker(MARKER)
    if marker is not None and marker.kwargs.get("signatures"):
        item.user_properties.append((NARROWED, "true"))
    pairs = zip(results, found, strict=True)
    return [replace(r, expected=True) if verdict.expected else r for r, (_, verdict) in pairs]


def breaches(item: pytest.Item) -> list[str]:
    """Return a paragraph for each cell of an item that is not what is expected of it."""
    found = item.stash.get(_JUDGED, [])
    if all(verdict.breach is None for _, verdict in found):
        return []
    from savedmodel_compat.report.expectations import of_verdict

    return [of_verdict(cell, verdict) for cell, verdict in found if verdict.breach is not None]


def why_expected(item: pytest.Item) -> str:
    """Return in one line why the failures of an item were expected."""
    from savedmodel_compat.report.expectations import why_expected as why

    said = [why(verdict) for _, verdict in item.stash.get(_JUDGED, []) if verdict.expected]
    return "; ".join(dict.fromkeys(said))


class Gate:
    """Judges the session at its end; on the controller of xdist, over the cells of all workers.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._cells: dict[tuple[str, str], Seen] = {}
        self._deselected = 0
        self._uncollected = False
        self._lacking = False
        self._narrowed = False
        self._stopped = False
        self._ended = False
        self._judgement: Judgement | None = None
        self._shortfalls: list[Shortfall] = []
        self._said: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what could not be collected."""
        self._uncollected = self._uncollected or report.failed

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Take note of what was left out here."""
        self._deselected += len(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take note of what was left out in a worker of xdist, each of which collects all."""
        left_out = getattr(node, "workeroutput", {}).get(_DESELECTED, 0)
        self._deselected = max(self._deselected, left_out)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the cells of an item, and note whether it came so far as to have any."""
        gated = [str(value) for name, value in report.user_properties if name == GATED]
        if report.when == "setup" and not report.passed and MARKER in report.keywords and not gated:
            self._lacking = True
        self._narrowed = self._narrowed or (NARROWED, "true") in map(tuple, report.user_properties)
        if report.when != "teardown" or not gated:
            return
        from savedmodel_compat.matrix.seen import of_record

        ids = {each for value in gated for each in json.loads(value)}
        records = (json.loads(str(v)) for name, v in report.user_properties if name == PROPERTY)
        for cell in (of_record(record) for record in records if record["id"] in ids):
            key = (cell.id, cell.path)
            self._cells[key] = _worse(self._cells.get(key, cell), cell)

    def judgement(self) -> Judgement | None:
        """Return what the expectations say of all cells so far; None without expectations, or without cells."""
        if self._judgement is None and self._cells:
            file = expectations(self._config)
            if file is not None:
                from savedmodel_compat.matrix.gate import judge

                whole = not self._lacking and self._partial(EXPECTATIONS) is None
                narrowed = ("signature",) if self._narrowed else ()
                self._judgement = judge(
                    file, list(self._cells.values()), narrowed=narrowed, whole=whole
                )
        return self._judgement

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Make the session's exit status that of a failure, if its cells are fewer, or not what is expected."""
        if exitstatus not in _JUDGED_ENDS or self._config.option.collectonly:
            return
        self._ended = True
        self._stopped = bool(session.shouldfail or session.shouldstop)
        self._hold_floors()
        judgement = self.judgement()
        claimed = judgement is not None and judgement.is_broken
        if (claimed or self._shortfalls) and exitstatus != pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _hold_floors(self) -> None:
        tiers = floors(self._config)
        if not tiers:
            return
        file, on = setting(self._config, FLOORS), setting(self._config, "on")
        partial = self._partial(FLOORS)
        if on not in tiers:
            self._said.append(
                f"{file} has no floors for '{on}' (its tiers are {', '.join(tiers)}): nothing is too few"
            )
        elif partial is not None:
            self._said.append(f"the floors of {file} [{on}] are not looked at: {partial}")
        else:
            from savedmodel_compat.matrix.floors import count, shortfalls

            self._shortfalls = shortfalls(tiers[on], count(self._cells.values(), tiers[on]))
            if self._deselected:
                self._said.append(
                    f"{_deselected(self._deselected)}, and not by what was typed: the floors are looked at all the same"
                )
            if not self._shortfalls:
                self._said.append(f"no number of cells is below its floor in {file} [{on}]")

    def _partial(self, option: str) -> str | None:
        """Return why these are not all cells that the session could have had; None if they are."""
        return next(self._lacks(option), None)

    def _lacks(self, option: str) -> Iterator[str]:
        held = on_command_line(self._config, option)
        # Who types floors wants them held. What addopts leaves out, which is easily forgotten, is no part that was asked for.
        options = typed(self._config) if held and option == FLOORS else self._config.option
        if self._deselected and (options is self._config.option or _deselects(options)):
            yield _deselected(self._deselected)
        if getattr(options, "lf", False) or getattr(options, "stepwise", False):
            yield "only what failed before was run"
        if options.ignore or options.ignore_glob:
            yield "--ignore left something out"
        if self._stopped:
            yield "the run was stopped before its end"
        if self._uncollected:
            yield "a file could not be collected"
        if self._config.args_source is pytest.Config.ArgsSource.ARGS:
            if any("::" in arg for arg in options.file_or_dir):
                yield "single tests were named"
            if not held:
                yield f"paths were named (type --savedmodel-{option} to have all the same looked at)"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was expected, what does not hold about expectations, and of what there are too few."""
        if not self._ended:
            return
        judgement = self.judgement()
        if judgement is not None:
            self._tell(terminalreporter, judgement)
        if self._shortfalls:
            from savedmodel_compat.matrix.floors import advice

            file, on = setting(self._config, FLOORS), setting(self._config, "on")
            terminalreporter.section("savedmodel-compat: fewer cells than before", red=True)
            for each in self._shortfalls[:_SHOWN]:
                terminalreporter.write_line(f"{file} [{on}]: {each}", red=True)
            if len(self._shortfalls) > _SHOWN:
                terminalreporter.write_line(f"and {len(self._shortfalls) - _SHOWN} more")
            terminalreporter.write_line(advice(file, on))
        for line in self._said:
            terminalreporter.write_line(f"savedmodel-compat: {line}")

    def _tell(self, terminalreporter: pytest.TerminalReporter, judgement: Judgement) -> None:
        from dataclasses import replace

        from savedmodel_compat.report.expectations import claims, notes
        from savedmodel_compat.report.words import printable

        # Items have failed with what is broken of theirs, unless their own mark has hidden that.
        failed = terminalreporter.stats.get("failed") or terminalreporter.stats.get("error")
        told = replace(judgement, broken=()) if failed else judgement
        paragraphs = list(claims(told))
        if paragraphs:
            terminalreporter.section("savedmodel-compat: expectations that do not hold", red=True)
            for paragraph in paragraphs:
                terminalreporter.write_line(printable(paragraph), red=True)
        for line in notes(judgement):
            terminalreporter.write_line(f"savedmodel-compat: {printable(line)}")


def _deselects(options: argparse.Namespace) -> bool:
    """Tell whether options leave tests out."""
    names = ("keyword", "markexpr", "deselect", "lf", "stepwise")
    return any(getattr(options, name, None) for name in names)


def _deselected(number: int) -> str:
    return f"{number} {'test was' if number == 1 else 'tests were'} deselected"


def _worse(one: Seen, other: Seen) -> Seen:
    """Return the one of two runs of a cell that more is wrong with."""
    from savedmodel_compat._plugin_record import worst_first

    return min(one, other, key=lambda cell: worst_first(cell.outcome))

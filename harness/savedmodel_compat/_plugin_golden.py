"""Goldens in pytest: what a test's cells are compared with, what is recorded, and which goldens nobody used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from savedmodel_compat._plugin_options import on_command_line, setting

if TYPE_CHECKING:
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner

PROPERTY = "savedmodel_golden"
NONE, NEW, CHANGED, ALL = "none", "new", "changed", "all"
_DESELECTED = "savedmodel_deselected"
_SHOWN = 20
_OFF = frozenset(("", "0", "false"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How the cells of an item use goldens; plain words, so that collecting starts nothing.

    Args:
        directory: the store, relative to pytest's rootdir; empty for none.
        mode: what may be written: ``none``, ``new``, ``changed`` or ``all``.
        recorders: the releases that record, in the order in which they are tried; none leaves it to the model.
        strip: how an exporter exports what is recorded.
    """

    directory: str = ""
    mode: str = NONE
    recorders: tuple[str, ...] = ()
    strip: bool = True


def mode_of(config: pytest.Config) -> str:
    """Return what may be written in this session.

    Where the variable ``CI`` is set, only the command line can allow it: a file or a variable that somebody forgot must
    not make a job agree with itself.
    """
    mode = setting(config, "golden")
    in_ci = os.environ.get("CI", "").lower() not in _OFF
    return NONE if in_ci and not on_command_line(config, "golden") else mode


def prepared(runner: Runner, model: Model, source: str, use: Use, *, seed: int) -> Model:
    """Return a model with its goldens, those recorded first that may be written.

    Args:
        runner: the session's.
        model: what is loaded.
        source: the exporter or path that it is of, as the marker says it.
        use: how goldens are used.
        seed: of weights and inputs.
    """
    from savedmodel_compat.matrix.goldens import with_goldens

    store = store_of(runner, use.directory)
    if use.mode != NONE:
        _record(runner, store, model, source, use, seed)
    [found] = with_goldens([model], store)
    return found


def store_of(runner: Runner, directory: str) -> Store:
    """Return the store of a folder that is relative to pytest's rootdir."""
    from savedmodel_compat.golden.store import Store

    return Store((runner.root / directory).absolute())


def _record(  # noqa: PLR0917 - what `prepared` was given
    runner: Runner, store: Store, model: Model, source: str, use: Use, seed: int
) -> None:
    """Record what may be: one recorder answers for all items of a model, so that it does not matter which comes first."""
    from savedmodel_compat.matrix.golden_session import Order, Recordings
    from savedmodel_compat.matrix.goldens import MISSING, with_goldens
    from savedmodel_compat.matrix.recording import Over

    over = {NEW: Over.PROPOSE, CHANGED: Over.IF_OFF, ALL: Over.ALWAYS}[use.mode]
    [found] = with_goldens([model], store)
    recordings = Recordings(runner, store)
    for case in found.cases:
        against = case.against
        assert against is not None
        if use.mode == NEW and against.cause != MISSING:
            continue
        if not runner.is_first((store.root, against.key, use.mode)):
            continue
        order = Order(
            recorders=use.recorders or None,
            reason=f"recorded by pytest, --savedmodel-golden={use.mode}",
            strip=use.strip,
            signature=case.signature,
            seed=seed,
            over=over,
        )
        recordings.record(source, order)


def note_use(item: pytest.Item, directory: str, names: Sequence[str]) -> None:
    """Leave on an item which goldens its cells were compared with."""
    item.user_properties += [(PROPERTY, json.dumps([directory, name])) for name in names]


class Unused:
    """Tells at the end which goldens no test used, where all tests were selected; on the controller of xdist.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._used: dict[str, set[str]] = {}
        self._deselected = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of the goldens of an item."""
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                directory, golden = json.loads(str(value))
                self._used.setdefault(directory, set()).add(golden)

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
        for directory, used in sorted(self._used.items()):
            unused = [
                name for name in _there(self._config.rootpath / directory) if name not in used
            ]
            if not unused:
                continue
            terminalreporter.write_line(
                f"savedmodel-compat: {len(unused)} goldens in {directory} were used by no test of this run:"
            )
            for name in unused[:_SHOWN]:
                terminalreporter.write_line(f"  {name}")
            if len(unused) > _SHOWN:
                terminalreporter.write_line(f"  and {len(unused) - _SHOWN} more")
            terminalreporter.write_line(
                "  (`savedmodel-compat golden prune` deletes; nothing else does)"
            )

    def _is_whole(self, exitstatus: int) -> bool:
        """Tell whether the session ran all that its folders hold."""
        ended = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        options = self._config.option
        narrowed = options.keyword or options.markexpr or options.collectonly
        stopped = options.maxfail
        named = any("::" in arg or Path(arg).is_file() for arg in self._config.args)
        return ended and not (narrowed or stopped or named or self._deselected)


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


def _there(root: Path) -> Iterator[str]:
    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.golden.store import Store

    try:
        keys = Store(root).keys()
    except SavedModelCompatError as error:
        yield f"(cannot be listed: {error.message})"
        return
    yield from (key.name for key in keys)

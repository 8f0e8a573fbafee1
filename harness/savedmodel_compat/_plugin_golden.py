"""Goldens in pytest: what a test's cells are compared with, and what is recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat._plugin_options import given, on_command_line, setting
from savedmodel_compat.errors import SavedModelCompatError, UsageError

if TYPE_CHECKING:
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.golden_session import Order
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.recording import Recorded
    from savedmodel_compat.matrix.runner import Runner

USED, WRITTEN = "savedmodel_golden", "savedmodel_golden_written"
"""The properties by which items tell the controller of xdist which goldens they used, and which were written for them."""
MODE = "savedmodel_golden_mode"
"""What the controller of xdist tells its workers."""
NONE, NEW, CHANGED, ALL = "none", "new", "changed", "all"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """One golden that was written or proposed.

    Args:
        name: the golden's.
        became: ``recorded``, ``replaced``, ``grew``, ``renewed`` or ``proposed``.
        by: who answered; empty if nobody says.
    """

    name: str
    became: str
    by: str


class Writing:
    """What was recorded in this process: each golden once, for all items that want it."""

    def __init__(self) -> None:
        self._ended: dict[Hashable, SavedModelCompatError | None] = {}
        self._untold: list[Wrote] = []
        self._used: list[str] = []

    def once(self, what: Hashable, record: Callable[[], Sequence[Wrote]]) -> None:
        """Record, unless it was done before.

        Args:
            what: the golden, and how.
            record: does it.

        Raises:
            SavedModelCompatError: it failed, now or for the item that was first: which item that is must not matter.
        """
        if what not in self._ended:
            try:
                self._untold += record()
                self._ended[what] = None
            except SavedModelCompatError as error:
                self._ended[what] = error
        problem = self._ended[what]
        if problem is not None:
            raise problem.with_traceback(None)

    def use(self, names: Sequence[str]) -> None:
        """Take note of goldens that an item is to be compared with, whatever becomes of it."""
        self._used += names

    def used(self) -> list[str]:
        """Return those of which note was taken since this was asked last."""
        told, self._used = self._used, []
        return told

    def news(self) -> list[Wrote]:
        """Return what was written since this was asked last."""
        told, self._untold = self._untold, []
        return told


_WRITING = pytest.StashKey[Writing]()


def writing_of(config: pytest.Config) -> Writing:
    """Return what is remembered of the session's recordings."""
    return config.stash.setdefault(_WRITING, Writing())


def mode_of(config: pytest.Config) -> str:
    """Return what may be written in this session.

    Where the variable ``CI`` is set, only the command line can allow it: a file or a variable that somebody forgot must
    not make a job agree with itself. A worker of xdist does as its controller says, which knows what was typed.
    """
    told = getattr(config, "workerinput", {}).get(MODE)
    if told is not None:
        return str(told)
    return NONE if _only_command_line(config) else setting(config, "golden")


def ignored(config: pytest.Config) -> str | None:
    """Say which mode was given and does not hold, since the variable ``CI`` is set; None if there is none."""
    said = given(config, "golden")
    if said is None or said[0] == NONE or not _only_command_line(config):
        return None
    mode, where = said
    return (
        f"{where}: golden mode '{mode}' is ignored, for CI is set; use --savedmodel-golden={mode}"
    )


def _only_command_line(config: pytest.Config) -> bool:
    """Tell whether nothing may be written, whatever is said elsewhere than on the command line."""
    in_ci = os.environ.get("CI", "").lower() not in _OFF
    return in_ci and not on_command_line(config, "golden")


def prepared(
    runner: Runner, model: Model, source: str, use: Use, *, seed: int, writing: Writing
) -> Model:
    """Return a model with its goldens, those recorded first that may be written.

    Args:
        runner: the session's.
        model: what is loaded.
        source: the exporter or path that it is of, as the marker says it.
        use: how goldens are used.
        seed: of weights and inputs.
        writing: what was recorded before.

    Raises:
        SavedModelCompatError: a golden that is to be written could not be recorded.
    """
    from savedmodel_compat.matrix.goldens import with_goldens

    store = store_of(runner, use.directory)
    if use.mode != NONE:
        _record(runner, store, model, source, use, seed, writing)
    [found] = with_goldens([model], store)
    writing.use([case.against.name for case in found.cases if case.against is not None])
    return found


def store_of(runner: Runner, directory: str) -> Store:
    """Return the store of a folder that is relative to pytest's rootdir."""
    from savedmodel_compat.golden.store import Store

    return Store((runner.root / directory).absolute())


def _record(  # noqa: PLR0917 - what `prepared` was given
    runner: Runner,
    store: Store,
    model: Model,
    source: str,
    use: Use,
    seed: int,
    writing: Writing,
) -> None:
    """Record what may be: one recorder answers for all items of a model, so that it does not matter which comes first."""
    from savedmodel_compat.matrix.golden_session import Order
    from savedmodel_compat.matrix.goldens import MISSING, with_goldens
    from savedmodel_compat.matrix.recording import Over

    over = {NEW: Over.PROPOSE, CHANGED: Over.IF_OFF, ALL: Over.ALWAYS}[use.mode]
    [found] = with_goldens([model], store)
    for case in found.cases:
        against = case.against
        assert against is not None
        what = (store.root, against.key, use.mode)
        if use.mode == NEW and against.cause != MISSING:
            continue
        order = Order(
            recorders=use.recorders or None,
            reason=f"recorded by pytest, --savedmodel-golden={use.mode}",
            strip=use.strip,
            signature=case.signature,
            seed=seed,
            over=over,
            # The one that it is compared with, whatever a new one would be called.
            name=against.key.model,
        )
        writing.once(what, partial(_recorded, runner, store, source, order))


def _recorded(runner: Runner, store: Store, source: str, order: Order) -> list[Wrote]:
    """Record one signature, and return what was written."""
    from savedmodel_compat.matrix.golden_session import Recordings
    from savedmodel_compat.matrix.recording import Became

    try:
        found = Recordings(runner, store).record(source, order)
    except UsageError as error:
        # The command line has another name for it.
        hint = error.hint and error.hint.replace("give --with RELEASE", _NAME_ONE)
        raise UsageError(error.message, hint=hint) from error
    return [_wrote(store, each) for each in found if each.became is not Became.UNCHANGED]


def _wrote(store: Store, made: Recorded) -> Wrote:
    became = made.became.value
    by = "" if became == _PROPOSED else store.manifest(made.key).history[-1].by
    return Wrote(name=made.key.name, became="recorded" if became == NEW else became, by=by)


_PROPOSED = "proposed"
_NAME_ONE = 'name one with golden_with="RELEASE" or --savedmodel-golden-with=RELEASE'


def note_use(item: pytest.Item, directory: str, names: Sequence[str]) -> None:
    """Leave on an item which goldens its cells were compared with."""
    item.user_properties += [(USED, json.dumps([directory, name])) for name in names]


def note_written(item: pytest.Item, directory: str, wrote: Sequence[Wrote]) -> None:
    """Leave on an item which goldens were written or proposed for it."""
    said = [json.dumps([directory, each.name, each.became, each.by]) for each in wrote]
    item.user_properties += [(WRITTEN, each) for each in said]


def proposed_by(results: Sequence[Result]) -> list[Wrote]:
    """Return the goldens that cells have proposed other answers for."""
    return [
        Wrote(name=result.golden, became=_PROPOSED, by=_label_of(result))
        for result in results
        if result.golden is not None and any("is proposed in" in note for note in result.notes)
    ]


def _label_of(result: Result) -> str:
    from savedmodel_compat.matrix.proposals import label_of

    return label_of(result.cell)

"""How the goldens of a store stand: fresh, stale, damaged, unused, or missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import GoldenDamagedError, NotASavedModelError, UsageError
from savedmodel_compat.golden import frozen
from savedmodel_compat.golden.store import Key, Store
from savedmodel_compat.matrix.exports import find_exporter
from savedmodel_compat.matrix.goldens import MISSING
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.sources import source_digest

if TYPE_CHECKING:
    from savedmodel_compat.config import Configuration
    from savedmodel_compat.golden.manifest import Manifest, Source


class State(Enum):
    """What is to be said of a golden; the worst first."""

    DAMAGED = "damaged"
    MISSING = "missing"
    STALE = "stale"
    UNUSED = "unused"
    FRESH = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One golden, or one that ought to be there.

    Args:
        name: the golden's, or as much of it as is known.
        state: how it stands.
        why: in words; empty for a fresh one.
        manifest: who recorded it; None if it cannot be read.
    """

    name: str
    state: State
    why: str = ""
    manifest: Manifest | None = None


def standings(
    store: Store,
    configuration: Configuration,
    *,
    models: Sequence[Path] = (),
    records: Sequence[Mapping[str, Any]] = (),
) -> list[Standing]:
    """Return how all goldens stand, the worst first.

    Args:
        store: the goldens.
        configuration: its exporters are what goldens are recorded from.
        models: models of the user's that ought to have goldens, too.
        records: JSON records of runs; together they are a whole selection, so that a golden which none of them names
            is unused.
    """
    found = [_standing(store, key, configuration) for key in store.keys()]  # noqa: SIM118 - it is no mapping
    if records:
        found = list(_used(found, records))
    found += _missing(store, configuration, models, records, {each.name for each in found})
    order = list(State)
    return sorted(found, key=lambda each: (order.index(each.state), each.name))


def _standing(store: Store, key: Key, configuration: Configuration) -> Standing:
    try:
        manifest = store.read(key).manifest
    except GoldenDamagedError as error:
        return Standing(name=key.name, state=State.DAMAGED, why=error.message)
    state, why = _of_source(manifest.source, store.root, configuration)
    return Standing(name=key.name, state=state, why=why, manifest=manifest)


def _of_source(source: Source, root: Path, configuration: Configuration) -> tuple[State, str]:
    """Return whether what a golden was recorded from is still what it was."""
    if source.frozen is not None:
        return _of_frozen(source, root)
    if source.kind == "model":
        return _of_model(source)
    try:
        file = find_exporter(source.name, configuration).file
    except UsageError as error:
        return State.UNUSED, f"its exporter is gone: {error.message}"
    if source_digest(file) != source.sha256:
        return State.STALE, f"{file.name}, or what it imports, has changed since it was recorded"
    return State.FRESH, ""


def _of_frozen(source: Source, root: Path) -> tuple[State, str]:
    name = str(source.frozen)
    if name not in frozen.names(root):
        return State.UNUSED, f"its frozen model {name} is gone"
    problems = frozen.verify(root, name)
    if problems:
        return State.DAMAGED, f"its frozen model {name} is not whole: {'; '.join(problems)}"
    if saved_models.digest(saved_models.locate(root / "models" / name)) != source.sha256:
        return State.STALE, f"its frozen model {name} is another than the one it was recorded from"
    return State.FRESH, ""


def _of_model(source: Source) -> tuple[State, str]:
    """A user's model may lie elsewhere, or only on the machine that recorded it; then nobody can tell."""
    try:
        digest = saved_models.digest(saved_models.locate(Path(source.name)))
    except NotASavedModelError:
        return State.FRESH, ""
    if digest != source.sha256:
        return State.STALE, f"{source.name} has changed since it was recorded"
    return State.FRESH, ""


def _used(found: Sequence[Standing], records: Sequence[Mapping[str, Any]]) -> Iterator[Standing]:
    named = {cell.get("golden") for record in records for cell in record["cells"]}
    for each in found:
        if each.name in named or each.state is not State.FRESH:
            yield each
        else:
            why = "no cell of the records was compared with it"
            yield Standing(name=each.name, state=State.UNUSED, why=why, manifest=each.manifest)


def _missing(
    store: Store,
    configuration: Configuration,
    models: Sequence[Path],
    records: Sequence[Mapping[str, Any]],
    there: set[str],
) -> Iterator[Standing]:
    wanted = dict.fromkeys(_asked_for(records), "a cell of the records wants it")
    of_models = {key.model.partition("@")[0] for key in store.keys()}  # noqa: SIM118 - it is no mapping
    for exporter in configuration.exporters:
        if exporter not in of_models:
            wanted[exporter] = "a registered exporter without any golden"
    places = _frozen_models(store.root)
    for name, why in _of_signatures(store, places, "a signature of a frozen model"):
        wanted.setdefault(name, why)
    for name, why in _of_signatures(store, models, "a signature of a model that was named"):
        wanted.setdefault(name, why)
    for name, why in wanted.items():
        if name not in there:
            yield Standing(name=name, state=State.MISSING, why=why)


def _asked_for(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for record in records:
        for cell in record["cells"]:
            if MISSING in cell["causes"] and cell.get("golden"):
                yield cell["golden"]


def _frozen_models(root: Path) -> list[Path]:
    return [root / "models" / name for name in frozen.names(root)]


def _of_signatures(store: Store, paths: Sequence[Path], why: str) -> Iterator[tuple[str, str]]:
    from savedmodel_compat.matrix.goldens import key_of

    for model in load_models(paths) if paths else ():
        for case in model.cases:
            yield key_of(model, case.signature, store).name, why

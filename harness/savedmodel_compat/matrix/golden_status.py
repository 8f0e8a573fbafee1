"""How the goldens of a store stand: fresh, stale, damaged, unused, missing, or not to be told from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import (
    GoldenDamagedError,
    GoldenMissingError,
    NotASavedModelError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden import frozen
from savedmodel_compat.golden.store import Key, Store
from savedmodel_compat.matrix.goldens import MISSING, key_of
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
    UNKNOWN = "unknown"
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
    """Return how all goldens stand, the worst first. One that is damaged hides no other.

    Args:
        store: the goldens.
        configuration: its exporters are what goldens are recorded from, and files that are named by a relative path lie
            in its folder, or in the one above the store.
        models: models of the user's that ought to have goldens, too.
        records: JSON records of runs; together they are a whole selection, so that a golden which none of them names
            is unused.

    Raises:
        UsageError: one of `models` is none.
        InfrastructureError: a file of the store cannot be read.
    """
    listing = store.listing()
    found = [
        Standing(name=each.name, state=State.DAMAGED, why=each.error.message)
        for each in listing.damaged
    ]
    sources = _Sources(store.root, configuration)
    for key in listing.keys:
        try:
            found.append(_standing(store, key, sources))
        except GoldenMissingError:
            continue  # removed meanwhile
    if records:
        found = list(_used(found, records))
    frozen_models, damaged = _of_frozen_models(store.root)
    found += damaged
    keys = [*listing.keys, *(each.key for each in listing.damaged if each.key)]
    there = {each.name for each in found} | {key.name for key in keys}
    names = {key.model.partition("@")[0] for key in keys}
    wanted = dict.fromkeys(_asked_for(records), "a cell of the records wants it")
    for exporter in configuration.exporters:
        if exporter not in names:
            wanted[exporter] = "a registered exporter without any golden"
    for name, why in (
        *_of_signatures(store, frozen_models, "a signature of a frozen model"),
        *_of_signatures(store, models, "a signature of a model that was named"),
    ):
        wanted.setdefault(name, why)
    found += [
        Standing(name=name, state=State.MISSING, why=why)
        for name, why in wanted.items()
        if name not in there
    ]
    order = list(State)
    return sorted(found, key=lambda each: (order.index(each.state), each.name))


def _standing(store: Store, key: Key, sources: _Sources) -> Standing:
    try:
        manifest = store.verified(key).manifest
    except GoldenDamagedError as error:
        return Standing(name=key.name, state=State.DAMAGED, why=error.message)
    except UnsupportedError as error:
        return Standing(name=key.name, state=State.UNKNOWN, why=error.message)
    state, why = sources.state(manifest.source)
    return Standing(name=key.name, state=state, why=why, manifest=manifest)


@dataclass(frozen=True, slots=True)
class _Sources:
    """Tells whether what goldens were recorded from is still what it was.

    Args:
        root: the store's.
        configuration: of the repository that has the store.
    """

    root: Path
    configuration: Configuration

    def state(self, source: Source) -> tuple[State, str]:
        """Return what a source makes of its goldens, and why."""
        if source.frozen is not None:
            return self._of_frozen(source)
        return self._of_model(source) if source.kind == "model" else self._of_exporter(source)

    def _of_exporter(self, source: Source) -> tuple[State, str]:
        registered = self.configuration.exporters.get(source.name)
        if registered is None and "::" not in source.name:
            where = self.configuration.path
            if where is None:
                return State.UNKNOWN, f"no pyproject.toml says what its exporter {source.name} is"
            return (
                State.UNUSED,
                f"its exporter is gone: {where} registers none as '{source.name}'",
            )
        file = self._found((registered or source.name).rpartition("::")[0])
        if not file.is_file():
            return State.UNKNOWN, f"its exporter is not here: there is no file {file}"
        try:
            digest = source_digest(file)
        except SyntaxError as error:
            return State.STALE, f"{file} does not parse: {error.msg}, line {error.lineno}"
        if digest != source.sha256:
            why = f"{file.name}, or what it imports, has changed since it was recorded"
            return State.STALE, why
        return State.FRESH, ""

    def _of_frozen(self, source: Source) -> tuple[State, str]:
        name = str(source.frozen)
        if name not in frozen.names(self.root):
            return State.UNUSED, f"its frozen model {name} is gone"
        try:
            problems = frozen.verify(self.root, name)
        except UsageError as error:
            problems = (error.message,)
        if problems:
            return State.DAMAGED, f"its frozen model {name} is not whole: {'; '.join(problems)}"
        if saved_models.digest(saved_models.locate(self.root / "models" / name)) != source.sha256:
            return (
                State.STALE,
                f"its frozen model {name} is another than the one it was recorded from",
            )
        return State.FRESH, ""

    def _of_model(self, source: Source) -> tuple[State, str]:
        """A user's model may lie elsewhere, or only on the machine that recorded it; then nobody can tell."""
        path = self._found(source.name)
        try:
            digest = saved_models.digest(saved_models.locate(path))
        except NotASavedModelError as error:
            return State.UNKNOWN, f"its model is not here: {error.message}"
        if digest != source.sha256:
            return State.STALE, f"{source.name} has changed since it was recorded"
        return State.FRESH, ""

    def _found(self, name: str) -> Path:
        """Return the path that a manifest names; where nothing is, the first in which it might have been."""
        above = self.root.absolute().parent
        path = self.configuration.path
        places = [folder / name for folder in ((path.parent, above) if path else (above,))]
        return next((place for place in places if place.exists()), places[0])


def _used(found: Sequence[Standing], records: Sequence[Mapping[str, Any]]) -> Iterator[Standing]:
    named = {cell.get("golden") for record in records for cell in record["cells"]}
    for each in found:
        if each.name in named or each.state not in {State.FRESH, State.UNKNOWN}:
            yield each
        else:
            why = "no cell of the records was compared with it"
            yield replace(each, state=State.UNUSED, why=why)


def _asked_for(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for record in records:
        for cell in record["cells"]:
            if MISSING in cell["causes"] and cell.get("golden"):
                yield cell["golden"]


def _of_signatures(store: Store, paths: Sequence[Path], why: str) -> Iterator[tuple[str, str]]:
    for model in load_models(paths) if paths else ():
        for case in model.cases:
            yield key_of(model, case.signature, store).name, why


def _of_frozen_models(root: Path) -> tuple[list[Path], list[Standing]]:
    """Return the frozen models that can be loaded, and those that are damaged."""
    whole, damaged = [], []
    for name in frozen.names(root):
        path = root / "models" / name
        try:
            frozen.read(root, name)
            saved_models.locate(path)
        except UsageError as error:
            damaged.append(Standing(name=f"models/{name}", state=State.DAMAGED, why=error.message))
        else:
            whole.append(path)
    return whole, damaged

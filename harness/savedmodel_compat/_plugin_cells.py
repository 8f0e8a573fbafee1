"""From a test's marker to its cells: which there are, known when tests are collected, and what each of them gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat._plugin_golden import NONE, Use, Writing, mode_of, prepared, store_of
from savedmodel_compat._plugin_options import (
    KEYWORDS,
    MARKER,
    OPTIONS,
    as_list,
    setting,
)
from savedmodel_compat.errors import NotASavedModelError, SavedModelCompatError, UsageError

if TYPE_CHECKING:
    from savedmodel_compat.config import Configuration
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.plan import Consumer
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Where
    from savedmodel_compat.runtimes.pins import PinTable

BOTH_ENDS = "on"
"""Instead of a specifier of producers: the releases that read are those that export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a session's tests may name.

    Args:
        configuration: with the exporters.
        table: the pins.
    """

    configuration: Configuration
    table: PinTable


_KNOWN: pytest.StashKey[Known] = pytest.StashKey()
_STRIPS = {"both": (False, True), "on": (True,), "off": (False,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest:
    """What one item is to run; plain words, so that collecting starts nothing.

    Args:
        model: an exporter, or the path of a model, as the marker says it.
        name: what the item calls it.
        producer: the release that exports; None for a path.
        strip: whether default-valued attrs are stripped; None for a path.
        consumer: the release that loads.
        loader: which of its loaders.
        signature: which signature; None for all of them.
        on: the specifier among whose releases a reference is looked for.
        provider: what makes the consumer ready.
        seed: of weights and inputs.
        device: where and how the consumer computes.
        golden: how goldens are used.
    """

    model: str
    name: str
    producer: str | None
    strip: bool | None
    consumer: str
    loader: str
    signature: str | None
    on: str
    provider: str
    seed: int = 0
    device: str = "cpu"
    golden: Use = field(default_factory=Use)

    @property
    def id(self) -> str:
        """The item's name in brackets."""
        strip = {True: "stripped", False: "unstripped", None: None}[self.strip]
        device = None if self.device == "cpu" else self.device
        fields = (
            self.name,
            self.producer,
            strip,
            self.consumer,
            self.loader,
            device,
            self.signature,
        )
        return "-".join(part for part in fields if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """One model, before anybody has said who loads it."""

    model: str
    name: str
    producer: str | None = None
    strip: bool | None = None
    signatures: tuple[str | None, ...] = field(default=(None,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of an item's cells.

    Args:
        results: one a cell.
        problem: why there is no model to load, if there is none.
    """

    results: list[Result]
    problem: SavedModelCompatError | None = None


def plan(config: pytest.Config, marker: pytest.Mark) -> list[CellRequest]:
    """Return the cells of a test, those of one consumer side by side, so that a worker is started once.

    Args:
        config: pytest's.
        marker: the test's.

    Raises:
        UsageError: the marker or an option says what cannot be.
    """
    _check_keywords(marker)
    on, provider = setting(config, "on", marker), setting(config, "provider", marker)
    loaders = as_list(setting(config, "loader", marker))
    devices = as_list(setting(config, "device", marker))
    where_of(on, provider, loaders, devices)
    consumers = releases(config, on, provider)
    sources = list(_sources(config, marker))
    golden = _use(config, marker)
    return [
        CellRequest(
            model=source.model,
            name=source.name,
            producer=source.producer,
            strip=source.strip,
            consumer=consumer,
            loader=loader,
            signature=signature,
            on=on,
            provider=provider,
            seed=marker.kwargs.get("seed", 0),
            device=device,
            golden=golden,
        )
        for consumer in consumers
        for device in devices
        for loader in loaders
        for source in sources
        for signature in source.signatures
    ]


def _use(config: pytest.Config, marker: pytest.Mark) -> Use:
    """Return how the items of a test use goldens, and who records those that may be written."""
    if marker.kwargs.get("golden_dir") == "":
        raise UsageError(
            f"marker {MARKER}, golden_dir is empty", hint="leave it out to compare with no goldens"
        )
    directory = setting(config, "golden_dir", marker)
    if not directory:
        return Use()
    mode = mode_of(config)
    _check_folder(config.rootpath / directory, directory, mode)
    said = setting(config, "golden_with", marker)
    producers = _producers(config, marker)
    recorders = [said] if said else []
    if not said and producers is not None:
        recorders = list(reversed(releases(config, producers, "venv")))
    return Use(
        directory=directory,
        mode=mode,
        recorders=tuple(recorders),
        strip=marker.kwargs.get("strip", "both") != "off",
    )


def _check_folder(folder: Path, said: str, mode: str) -> None:
    """Refuse a folder of goldens that is not there and that nobody will make."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"golden_dir '{said}': {folder} is no folder")
    if mode == NONE and not folder.exists():
        raise UsageError(
            f"golden_dir '{said}': there is no folder {folder}",
            hint="mend the name, or record goldens first: --savedmodel-golden=new, or "
            f"`savedmodel-compat golden record --golden {said}`",
        )


def releases(config: pytest.Config, spec: str, provider: str) -> list[str]:
    """Return the releases of a specifier, oldest first.

    Args:
        config: pytest's; the pins of its rootdir hold.
        spec: releases, ranges or a named set.
        provider: what makes them ready; ``current`` has its own release.
    """
    from savedmodel_compat.runtimes import current, specs

    if provider == "current":
        return [current.make_ready().release]
    return [pin.release for pin in specs.select(spec, known(config).table)]


def known(config: pytest.Config) -> Known:
    """Return what the rootdir's pyproject.toml says; it is read once a session.

    Raises:
        ConfigurationError: it says what cannot be.
    """
    if _KNOWN not in config.stash:
        from savedmodel_compat import config as configuration
        from savedmodel_compat.runtimes import pins

        read = configuration.load(config.rootpath)
        config.stash[_KNOWN] = Known(configuration=read, table=pins.load(read))
    return config.stash[_KNOWN]


def where_of(
    on: str, provider: str, loaders: Sequence[str], devices: Sequence[str] = ("cpu",)
) -> Where:
    """Return the consumers that options name.

    Raises:
        UsageError: the provider has none of the loaders.
    """
    from savedmodel_compat.matrix.session import Where
    from savedmodel_compat.runtimes.base import Loader, Provider

    if provider == "wheel" and "c" not in loaders:
        raise UsageError(
            f"provider 'wheel' has no loader {' or '.join(loaders)}",
            hint="the Python loaders need a TensorFlow that is installed: provider 'venv'",
        )
    return Where(
        on=on,
        provider=Provider(provider),
        loaders=tuple(map(Loader, loaders)),
        devices=tuple(devices),
    )


def run(runner: Runner, wanted: CellRequest, writing: Writing) -> Ran:
    """Run the cells of one item.

    Args:
        runner: the session's.
        wanted: what to run.
        writing: what was recorded before.

    Raises:
        SavedModelCompatError: there is no such model, release or signature.
    """
    consumer = consumer_of(runner, wanted)
    if wanted.producer is not None:
        return _run_export(runner, wanted, consumer, writing)
    model = runner.load(wanted.model, seed=wanted.seed)
    # A consumer that is not ready compares nothing.
    candidates = (
        runner.consumers(where_of(wanted.on, wanted.provider, [wanted.loader], [wanted.device]))
        if consumer.runtime
        else []
    )
    return Ran(results=_run_model(runner, wanted, model, consumer, candidates, writing))


def _run_model(  # noqa: PLR0917 - all of an item
    runner: Runner,
    wanted: CellRequest,
    model: Model,
    consumer: Consumer,
    candidates: list[Consumer],
    writing: Writing,
) -> list[Result]:
    if not wanted.golden.directory:
        return runner.run(model, consumer, candidates=candidates, signature=wanted.signature)
    from savedmodel_compat.matrix.runner import only

    said = only(model, wanted.signature)
    found = prepared(runner, said, wanted.model, wanted.golden, seed=wanted.seed, writing=writing)
    return runner.run(
        found,
        consumer,
        candidates=[],
        signature=wanted.signature,
        goldens=store_of(runner, wanted.golden.directory),
    )


def _run_export(runner: Runner, wanted: CellRequest, consumer: Consumer, writing: Writing) -> Ran:
    from savedmodel_compat.matrix.session import unexported

    exported = runner.export_or_say(
        wanted.model,
        producer=wanted.producer or "",
        strip=bool(wanted.strip),
        seed=wanted.seed,
    )
    if not exported.models:
        return Ran(results=unexported([exported], [consumer]), problem=exported.problem)
    # What the producer recorded is the reference: nobody else has to run the model for one.
    ran = [_run_model(runner, wanted, each, consumer, [], writing) for each in exported.models]
    return Ran(results=[result for results in ran for result in results])


def consumer_of(runner: Runner, wanted: CellRequest) -> Consumer:
    """Return the consumer of an item, made ready."""
    from savedmodel_compat.matrix.runner import one_of

    # The loaders of a provider are known to it alone, and it refuses one that it has nowhere: `c` is everywhere. With
    # containers that would be a second image, and the one for the Python loaders has `v1` everywhere.
    python = wanted.provider == "docker" and wanted.loader != "c"
    loaders = list(dict.fromkeys(("v1" if python else "c", wanted.loader)))
    where = where_of(wanted.consumer, wanted.provider, loaders, [wanted.device])
    return one_of(runner.consumers(where), wanted.consumer, wanted.loader)


def _check_keywords(marker: pytest.Mark) -> None:
    known = [option.name for option in OPTIONS if option.of_a_test]
    known += [keyword.name for keyword in KEYWORDS]
    unknown = [name for name in marker.kwargs if name not in known]
    if unknown:
        raise UsageError(
            f"marker {MARKER} has no keyword '{unknown[0]}'",
            hint=f"its keywords are {', '.join(known)}",
        )
    if not marker.args:
        raise UsageError(
            f"marker {MARKER} names no model",
            hint=f'name exporters or paths first: @pytest.mark.{MARKER}("models/half_plus_two")',
        )
    strip = marker.kwargs.get("strip", "both")
    if strip not in _STRIPS:
        raise UsageError(
            f"marker {MARKER}, strip: there is no {strip!r}", hint=f"it is {', '.join(_STRIPS)}"
        )


def _sources(config: pytest.Config, marker: pytest.Mark) -> Iterator[_Source]:
    registered = known(config).configuration
    producers = _producers(config, marker)
    for model in map(str, marker.args):
        if producers is not None:
            yield from _exports(config, registered, marker, model, producers)
        elif "::" in model or model in registered.exporters:
            raise UsageError(
                f"marker {MARKER}: '{model}' is an exporter, and no producers are named",
                hint=f'@pytest.mark.{MARKER}("{model}", producers="2.11.1")',
            )
        else:
            yield _Source(
                model=model,
                name=_name_of(model),
                signatures=_named(marker) or _signatures_of(config.rootpath / model),
            )


def _producers(config: pytest.Config, marker: pytest.Mark) -> str | None:
    """Return the specifier of a test's producers; None if its models are paths."""
    said = marker.kwargs.get("producers")
    if said is None:
        return None
    text = said if isinstance(said, str) else ",".join(map(str, said))
    return setting(config, "on", marker) if text == BOTH_ENDS else text


def _exports(
    config: pytest.Config,
    registered: Configuration,
    marker: pytest.Mark,
    model: str,
    producers: str,
) -> Iterator[_Source]:
    from savedmodel_compat.matrix.runner import find_exporter_in

    name = find_exporter_in(config.rootpath, model, registered).name
    for producer in releases(config, producers, "venv"):
        for strip in _STRIPS[marker.kwargs.get("strip", "both")]:
            yield _Source(
                model=model,
                name=name,
                producer=producer,
                strip=strip,
                signatures=_named(marker) or (None,),
            )


def _named(marker: pytest.Mark) -> tuple[str, ...]:
    named = marker.kwargs.get("signatures") or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _name_of(model: str) -> str:
    """Return a model's path as the marker says it, unless that holds only on this machine."""
    path = Path(model)
    return path.name if path.is_absolute() else path.as_posix()


def _signatures_of(path: Path) -> tuple[str | None, ...]:
    """Return the signatures of a model; None alone if they cannot be read, and the item says why."""
    from savedmodel_compat.matrix.models import signature_keys

    try:
        return signature_keys(path) or (None,)
    except NotASavedModelError:
        return (None,)

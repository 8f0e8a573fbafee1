"""The documentation page of scenarios: ``python -m savedmodel_compat.report.scenarios_page SCENARIOS.toml RECORD.json… > page.md``.

The records are those of ``run``, ``matrix`` and pytest; the page says which way of making a SavedModel works from which
producer to which consumer, and with which loader. The shell empties the file that is written to before anything is read:
write to another one than the page that is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from savedmodel_compat import _toml
from savedmodel_compat.errors import ConfigurationError, SavedModelCompatError, UsageError
from savedmodel_compat.report import record

_NONE = "·"
_LEGS = {True: "on", False: "off", None: "?"}
_ABSENT = "—"
_WORST_FIRST = ("infra-error", "fail", "pass", "not-run", "unsupported")
_FIELDS = ("model", "producer", "strip", "consumer", "loader", "outcome", "cause")
_USAGE = "python -m savedmodel_compat.report.scenarios_page SCENARIOS.toml RECORD.json…"

Cells = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way of making a SavedModel that users have.

    Args:
        name: a short one.
        title: what it is, in a sentence.
        exporters: ``FILE.py::function``, or names that are registered.
    """

    name: str
    title: str
    exporters: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """What records call the models of its exporters."""
        return tuple(_model_of(exporter) for exporter in self.exporters)


def _model_of(exporter: str) -> str:
    file, separator, function = exporter.partition("::")
    return f"{Path(file).stem}.{function}" if separator else exporter


def read_scenarios(path: Path) -> tuple[Scenario, ...]:
    """Read the scenarios of a TOML file.

    Args:
        path: a file with tables ``[[scenario]]`` of ``name``, ``title`` and ``exporters``.

    Raises:
        ConfigurationError: it is not there, does not parse, or a table is not of that form.
    """
    try:
        document = _toml.parse(path.read_bytes())
    except (OSError, _toml.MalformedError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"the scenarios {path} cannot be read: {why}",
            hint=f"the file of them comes first: {_USAGE}",
        ) from error
    tables = document.get("scenario")
    if not isinstance(tables, list) or not tables:
        raise ConfigurationError(
            f"{path} has no [[scenario]]", hint=f"the file of scenarios comes first: {_USAGE}"
        )
    return tuple(_scenario(each, path) for each in tables)


def _scenario(table: object, path: Path) -> Scenario:
    if not isinstance(table, dict) or not _is_scenario(table):
        has = ", ".join(sorted(table)) if isinstance(table, dict) else "no table"
        raise ConfigurationError(
            f"{path}: a [[scenario]] has {has}", hint="it has name, title and a list of exporters"
        )
    return Scenario(name=table["name"], title=table["title"], exporters=tuple(table["exporters"]))


def _is_scenario(table: Mapping[str, Any]) -> bool:
    if set(table) != {"name", "title", "exporters"}:
        return False
    name, title, exporters = table["name"], table["title"], table["exporters"]
    listed = isinstance(exporters, list) and len(exporters) > 0
    return listed and all(isinstance(each, str) for each in (name, title, *exporters))


def as_markdown(scenarios: Sequence[Scenario], cells: Cells) -> str:
    """Return the page.

    Args:
        scenarios: in the order of the page.
        cells: of all records, as `savedmodel_compat.report.record.as_cell` made them.
    """
    head = _head(cells, elsewhere(scenarios, cells))
    return "\n".join([*head, *(line for one in scenarios for line in _section(one, cells))])


def elsewhere(scenarios: Sequence[Scenario], cells: Cells) -> int:
    """Return how many cells are of models that no scenario has, and so on no row of the page.

    Args:
        scenarios: of the page.
        cells: of all records.
    """
    models = {model for each in scenarios for model in each.models}
    return sum(cell["model"] not in models for cell in cells)


def _head(cells: Cells, left: int) -> Iterator[str]:
    outcomes = [cell["outcome"] for cell in cells]
    counted = ", ".join(f"{outcomes.count(name)} {name}" for name in sorted(set(outcomes)))
    yield "# Scenarios: what works from where to where"
    yield ""
    yield "Made by `python -m savedmodel_compat.report.scenarios_page` from the record of the suites."
    yield (
        "A row is a way of exporting, by the producers and with the `strip_default_attrs` named; rows that read the same stand "
        "together. A column is a consumer. `✓` alone is where every loader of the section gave the answers, `✗` alone where every one failed, "
        "for the causes named; a loader that the consumer does not have is passed over. Where loaders differ, or not all of them were tried, "
        "each is named with what it did. `—` is what a release does not have, `·` what was not tried."
    )
    yield ""
    yield f"{len(cells)} cells: {counted}."
    if left:
        yield ""
        yield f"{_on_no_row(left)}."
    yield ""


def _on_no_row(left: int) -> str:
    verb = "cell is" if left == 1 else "cells are"
    return f"{left} {verb} of models that no scenario has, and on no row"


def _section(scenario: Scenario, cells: Cells) -> Iterator[str]:
    mine = [cell for cell in cells if cell["model"] in scenario.models]
    yield f"## {scenario.title}"
    yield ""
    if not mine:
        yield "Not tried."
        yield ""
        return
    consumers = sorted({cell["consumer"] for cell in mine}, key=_age)
    loaders = sorted({cell["loader"] for cell in mine})
    yield f"Loaders: {_named(loaders)}."
    yield ""
    yield f"| exporter | producer | strip | {' | '.join(consumers)} |"
    yield "|---" * (3 + len(consumers)) + "|"
    for model in scenario.models:
        own = [cell for cell in mine if cell["model"] == model]
        for producers, legs, texts in _rows(own, consumers, loaders):
            yield f"| `{model}` | {producers} | {legs} | {' | '.join(texts)} |"
    yield ""


def _rows(
    cells: Cells, consumers: Sequence[str], loaders: Sequence[str]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield producers, legs and texts; producers that read the same with the same legs stand together."""
    by_source: dict[tuple[str, object], dict[str, Cells]] = {}
    for cell in cells:
        source = (cell["producer"] or "?", cell["strip"])
        by_source.setdefault(source, {}).setdefault(cell["consumer"], []).append(cell)
    by_texts: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for producer in sorted({producer for producer, _ in by_source}, key=_age):
        legs: dict[tuple[str, ...], list[str]] = {}
        for (name, strip), found in by_source.items():
            if name == producer:
                texts = tuple(_text(found.get(consumer, []), loaders) for consumer in consumers)
                legs.setdefault(texts, []).append(_LEGS[strip])  # type: ignore[index] # from JSON
        for texts, strips in legs.items():
            by_texts.setdefault((", ".join(sorted(strips)), texts), []).append(producer)
    for (named, texts), producers in by_texts.items():
        yield ", ".join(producers), named, texts


def _text(cells: Cells, loaders: Sequence[str]) -> str:
    """Return what became of all signatures of one model in one consumer, by loader unless all of ``loaders`` agree."""
    by_loader: dict[str, Cells] = {}
    for cell in cells:
        by_loader.setdefault(cell["loader"], []).append(cell)
    said = {loader: _worst(found) for loader, found in sorted(by_loader.items())}
    if not said:
        return _NONE
    # A loader that the release has not says nothing where the others do.
    telling = {loader: text for loader, text in said.items() if text != _ABSENT}
    if not telling:
        return _ABSENT
    by_text: dict[str, list[str]] = {}
    for loader, text in telling.items():
        by_text.setdefault(text, []).append(loader)
    # A bare sign speaks for every loader of the section, so it must not stand for those that were not asked.
    if len(by_text) == 1 and set(said) == set(loaders):
        return next(iter(by_text))
    return "; ".join(f"{_named(agreeing)} {text}" for text, agreeing in by_text.items())


def _named(loaders: Sequence[str]) -> str:
    return ", ".join(f"`{loader}`" for loader in loaders)


def _worst(cells: Cells) -> str:
    outcomes = {cell["outcome"] for cell in cells}
    worst = next(name for name in _WORST_FIRST if name in outcomes)
    if worst == "fail":
        causes = sorted({cell["cause"] for cell in cells if cell["outcome"] == "fail"})
        return "✗ " + ", ".join(causes)
    return {"pass": "✓", "unsupported": _ABSENT}.get(worst, worst)


def _age(release: str) -> tuple[bool, Version]:
    try:
        return True, Version(release)
    except InvalidVersion:
        return False, Version("0")


def main(arguments: Sequence[str]) -> int:
    """Write the page to stdout, and what is wrong to stderr; return the exit code.

    Args:
        arguments: the file of scenarios and the records.
    """
    try:
        page, left = _page([Path(each) for each in arguments])
    except SavedModelCompatError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    if left:
        sys.stderr.write(f"{_on_no_row(left)}\n")
    sys.stdout.write(page)
    return 0


def _page(paths: Sequence[Path]) -> tuple[str, int]:
    """Return the page, and how many cells are not on it."""
    if len(paths) < 2:
        missing = "record" if paths else "file of scenarios"
        raise UsageError(f"no {missing} is named", hint=_USAGE)
    scenarios = read_scenarios(paths[0])
    cells = [cell for path in paths[1:] for cell in _cells(path)]
    return as_markdown(scenarios, cells), elsewhere(scenarios, cells)


def _cells(path: Path) -> Cells:
    cells: Cells = record.read(path)["cells"]
    lacking = [name for name in _FIELDS if any(name not in cell for cell in cells)]
    if lacking:
        raise UsageError(
            f"{path} is no record of a run: a cell has no {lacking[0]!r}",
            hint="`savedmodel-compat run … --json FILE` and `--savedmodel-json=FILE` write one",
        )
    return cells


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

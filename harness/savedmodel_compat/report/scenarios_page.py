"""The documentation page of scenarios: ``python -m savedmodel_compat.report.scenarios_page SCENARIOS.toml RECORD.json… > docs/scenarios.md``.

The records are those of ``run``, ``matrix`` and pytest; the page says which way of making a SavedModel works from which
producer to which consumer, and with which loader.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from savedmodel_compat.errors import ConfigurationError
from savedmodel_compat.report import record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_NONE = "·"
_LEGS = {True: "on", False: "off", None: "?"}
_WORST_FIRST = ("infra-error", "fail", "pass", "not-run", "unsupported")

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
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    found = tuple(_scenario(each, path) for each in document.get("scenario", []))
    if not found:
        raise ConfigurationError(f"{path} has no [[scenario]]")
    return found


def _scenario(table: Mapping[str, Any], path: Path) -> Scenario:
    if set(table) != {"name", "title", "exporters"} or not table["exporters"]:
        raise ConfigurationError(
            f"{path}: a [[scenario]] has {', '.join(sorted(table))}",
            hint="it has name, title and a list of exporters",
        )
    return Scenario(name=table["name"], title=table["title"], exporters=tuple(table["exporters"]))


def as_markdown(scenarios: Sequence[Scenario], cells: Cells) -> str:
    """Return the page.

    Args:
        scenarios: in the order of the page.
        cells: of all records, as `savedmodel_compat.report.record.as_cell` made them.
    """
    return "\n".join([*_head(cells), *(line for one in scenarios for line in _section(one, cells))])


def _head(cells: Cells) -> Iterator[str]:
    outcomes = [cell["outcome"] for cell in cells]
    counted = ", ".join(f"{outcomes.count(name)} {name}" for name in sorted(set(outcomes)))
    yield "# Scenarios: what works from where to where"
    yield ""
    yield "Made by `python -m savedmodel_compat.report.scenarios_page` from the record of the suites."
    yield (
        "A row is a way of exporting, by the producers and with the `strip_default_attrs` named; rows that read the same stand "
        "together. A column is a consumer. `✓` is where every loader that was tried gave the answers; else each loader is named with "
        "what it did: a cause where it failed. `—` is what a release does not have, `·` what was not tried."
    )
    yield ""
    yield f"{len(cells)} cells: {counted}."
    yield ""


def _section(scenario: Scenario, cells: Cells) -> Iterator[str]:
    mine = [cell for cell in cells if cell["model"] in scenario.models]
    yield f"## {scenario.title}"
    yield ""
    if not mine:
        yield "Not tried."
        yield ""
        return
    consumers = sorted({cell["consumer"] for cell in mine}, key=_age)
    loaders = ", ".join(f"`{loader}`" for loader in sorted({cell["loader"] for cell in mine}))
    yield f"Loaders: {loaders}."
    yield ""
    yield f"| exporter | producer | strip | {' | '.join(consumers)} |"
    yield "|---" * (3 + len(consumers)) + "|"
    for model in scenario.models:
        own = [cell for cell in mine if cell["model"] == model]
        for producers, legs, texts in _rows(own, consumers):
            yield f"| `{model}` | {producers} | {legs} | {' | '.join(texts)} |"
    yield ""


def _rows(cells: Cells, consumers: Sequence[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
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
                texts = tuple(_text(found.get(consumer, [])) for consumer in consumers)
                legs.setdefault(texts, []).append(_LEGS[strip])  # type: ignore[index] # from JSON
        for texts, strips in legs.items():
            by_texts.setdefault((", ".join(sorted(strips)), texts), []).append(producer)
    for (named, texts), producers in by_texts.items():
        yield ", ".join(producers), named, texts


def _text(cells: Cells) -> str:
    """Return what became of all signatures of one model in one consumer, by loader where they differ."""
    by_loader: dict[str, Cells] = {}
    for cell in cells:
        by_loader.setdefault(cell["loader"], []).append(cell)
    said = {loader: _worst(found) for loader, found in sorted(by_loader.items())}
    if not said:
        return _NONE
    words = set(said.values())
    if len(words) == 1:
        return words.pop()
    # A loader that the release has not says nothing where the others do.
    telling = {loader: text for loader, text in said.items() if text != "—"}
    if len(set(telling.values())) == 1:
        return next(iter(telling.values()))
    return "; ".join(f"`{loader}` {text}" for loader, text in telling.items())


def _worst(cells: Cells) -> str:
    outcomes = {cell["outcome"] for cell in cells}
    worst = next(name for name in _WORST_FIRST if name in outcomes)
    if worst == "fail":
        causes = sorted({cell["cause"] for cell in cells if cell["outcome"] == "fail"})
        return "✗ " + ", ".join(causes)
    return {"pass": "✓", "unsupported": "—"}.get(worst, worst)


def _age(release: str) -> tuple[bool, Version]:
    try:
        return True, Version(release)
    except InvalidVersion:
        return False, Version("0")


if __name__ == "__main__":
    scenarios_file, *records = map(Path, sys.argv[1:])
    every = [cell for path in records for cell in record.read(path)["cells"]]
    sys.stdout.write(as_markdown(read_scenarios(scenarios_file), every))

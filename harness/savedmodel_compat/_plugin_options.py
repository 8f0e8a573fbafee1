"""The settings of the pytest plugin: one table, four spellings of each, and the page that documents them.

``python -m savedmodel_compat._plugin_options > docs/options.md`` writes that page anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from savedmodel_compat.errors import UsageError

MARKER = "savedmodel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting and its spellings.

    Args:
        name: the marker's keyword; ``--savedmodel-NAME``, ini ``savedmodel_NAME`` and
            ``SAVEDMODEL_COMPAT_NAME`` are made of it. The first that is given holds, in this order.
        default: what holds if nobody says anything.
        metavar: of its value; empty for a switch, which is ``true`` or ``false`` and on the command
            line has no value.
        help: one sentence.
        noun: what one of its choices is called; empty for the name.
        choices: the only values; empty if there are others.
        several: whether commas part several values.
        of_a_test: whether a marker may set it for its test.
    """

    name: str
    default: str
    metavar: str
    help: str
    noun: str = ""
    choices: tuple[str, ...] = ()
    several: bool = False
    of_a_test: bool = True

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return f"--savedmodel-{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return not self.metavar

    @property
    def ini(self) -> str:
        """The ini file's spelling."""
        return f"savedmodel_{self.name}"

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return f"SAVEDMODEL_COMPAT_{self.name.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword that only the marker has."""

    name: str
    default: str
    help: str


OPTIONS = (
    Option(
        name="on",
        default="smoke",
        metavar="SPEC",
        help="Consumers: releases, ranges or a named set.",
    ),
    Option(
        name="provider",
        default="wheel",
        metavar="NAME",
        help="What makes consumers ready.",
        choices=("wheel", "venv", "docker", "current"),
    ),
    Option(
        name="loader",
        default="c",
        metavar="LOADER,…",
        help="Loaders of the consumers.",
        choices=("c", "v1", "v2", "keras"),
        several=True,
    ),
    Option(
        name="device",
        default="cpu",
        metavar="DEVICE,…",
        help="Devices of the consumers",
        choices=(
            "cpu",
            "gpu",
            "cpu-onednn",
            "cpu-no-onednn",
            "cpu-one-thread",
            "cpu-many-threads",
            "cpu-xla",
        ),
        several=True,
    ),
    Option(
        name="golden_dir",
        default="",
        metavar="DIR",
        help="Feed and compare cells with the goldens there, relative to pytest's rootdir; a golden that is missing fails. "
        "The folder has to be there, unless goldens may be written.",
    ),
    Option(
        name="golden",
        default="none",
        metavar="MODE",
        help="Which goldens may be written: those that are missing, also those that differ, or every one that is selected. "
        "Where `CI` is set, only the command line can say so",
        noun="golden mode",
        choices=("none", "new", "changed", "all"),
        of_a_test=False,
    ),
    Option(
        name="golden_with",
        default="",
        metavar="SPEC",
        help="The release that records goldens; without it the newest of a test's producers, or the pin of a model's own. "
        "If no release of the minor version that wrote a model is pinned, each item that would record is an error.",
    ),
    Option(
        name="strict_prediction",
        default="false",
        metavar="",
        help="Fail an item also if its cell differs from what was predicted of it",
        choices=("true", "false"),
    ),
    Option(
        name="expectations",
        default="",
        metavar="FILE",
        help="Failures that are known, relative to pytest's rootdir: strict expected failures of pytest. Without it, the "
        "file that `[tool.savedmodel-compat]` names as `expectations`; `none` turns that off.",
        of_a_test=False,
    ),
    Option(
        name="floors",
        default="",
        metavar="FILE",
        help="How many cells there are at least, relative to pytest's rootdir; the tier is what `on` says. "
        "`none` turns it off.",
        of_a_test=False,
    ),
    Option(
        name="examples",
        default="200",
        metavar="N",
        help="How many inputs a property tries of each signature.",
    ),
    Option(
        name="random",
        default="false",
        metavar="",
        help="Try other inputs in each session, and those that failed before first; else all sessions try the same",
        choices=("true", "false"),
        of_a_test=False,
    ),
    Option(
        name="counterexamples",
        default="",
        metavar="DIR",
        help="Inputs that once broke a property, relative to pytest's rootdir; they are tried first.",
        of_a_test=False,
    ),
    Option(
        name="keep",
        default="false",
        metavar="",
        help="Keep the smallest inputs that break a property among the counter-examples",
        choices=("true", "false"),
        of_a_test=False,
    ),
    Option(
        name="json",
        default="",
        metavar="FILE",
        help="Write the JSON record of all cells there.",
        of_a_test=False,
    ),
)

KEYWORDS = (
    Keyword(
        name="producers",
        default="none",
        help="Releases that export, as a SPEC, or `'on'`: those that read. The models are exporters then; without it, paths.",
    ),
    Keyword(
        name="strip",
        default="`'both'`",
        help="Export with `strip_default_attrs` (`'on'`), without (`'off'`), or both.",
    ),
    Keyword(
        name="signatures",
        default="all",
        help="The signatures to run, one item each. "
        "Those of an exporter are known only once it has run: unnamed, they share an item.",
    ),
    Keyword(
        name="edges",
        default="`True`",
        help="Whether properties may draw the edges of dtypes: NaN, infinities, denormals, extremes, binary strings.",
    ),
    Keyword(
        name="batched",
        default="`True`",
        help="Whether rows of a batch are independent of each other; `False` where they are meant not to be.",
    ),
    Keyword(
        name="stateful",
        default="`False`",
        help="Whether a model is meant to answer otherwise from one request to the next.",
    ),
    Keyword(
        name="leave_out",
        default="`()`",
        help="Names of properties that are not asked of a model, because it is known that they do not hold.",
    ),
    Keyword(name="seed", default="`0`", help="Of weights and of inputs that are made up."),
)


def setting(config: pytest.Config, name: str, marker: pytest.Mark | None = None) -> str:
    """Return the value of an option: marker, command line, ini, environment, default.

    Args:
        config: pytest's.
        name: the option's.
        marker: the test's, if it has one.

    Raises:
        UsageError: it is none of the option's choices.
    """
    option = next(option for option in OPTIONS if option.name == name)
    value, where = next(_given(config, option, marker), (option.default, "default"))
    if option.is_switch:
        value = value.lower()
    parts = as_list(value) if option.several else [value]
    unknown = [part for part in parts if part not in option.choices]
    if option.choices and unknown:
        noun = option.noun or name
        kind = f"{name} is" if option.is_switch else f"the {noun}s are"
        raise UsageError(
            f"{where}: there is no {noun} '{unknown[0]}'",
            hint=f"{kind} {', '.join(option.choices)}",
        )
    return value


def is_given(config: pytest.Config, name: str) -> bool:
    """Tell whether somebody has set an option for the whole session."""
    return given(config, name) is not None


def given(config: pytest.Config, name: str) -> tuple[str, str] | None:
    """Return what somebody has set an option to for the whole session, and where; None if nobody has."""
    option = next(option for option in OPTIONS if option.name == name)
    return next(_given(config, option, None), None)


def on_command_line(config: pytest.Config, name: str) -> bool:
    """Tell whether an option was typed; what ``addopts`` adds to a command line was not."""
    option = next(option for option in OPTIONS if option.name == name)
    typed = map(str, config.invocation_params.args)
    return any(arg == option.flag or arg.startswith(f"{option.flag}=") for arg in typed)


def as_typed(config: pytest.Config) -> list[str]:
    """Return the options that were typed and decide which cells there are and what is asked of them, as they are typed again."""
    found = []
    for option in OPTIONS:
        decides = option.of_a_test or option.name in {"random", "counterexamples"}
        if decides and on_command_line(config, option.name):
            value = config.getoption(option.ini)
            found.append(option.flag if option.is_switch else f"{option.flag}={value}")
    return found


def typed(config: pytest.Config) -> argparse.Namespace:
    """Return pytest's options as the command line alone gives them, without what ``addopts`` and its variable add to it."""
    arguments = [str(each) for each in config.invocation_params.args]
    return config._parser.parse_known_args(arguments)  # noqa: SLF001 # pytest keeps no such namespace


def as_list(value: str) -> list[str]:
    """Return what stands between the commas of an option's value, each once."""
    return list(dict.fromkeys(part.strip() for part in value.split(",")))


def as_markdown() -> str:
    """Return the page that documents the options."""
    return "\n".join(_page()) + "\n"


def _given(
    config: pytest.Config, option: Option, marker: pytest.Mark | None
) -> Iterator[tuple[str, str]]:
    """Yield the values that were given, the one that holds first, each with where it stands."""
    marked = marker.kwargs.get(option.name) if marker and option.of_a_test else None
    if isinstance(marked, bool):
        yield str(marked).lower(), f"marker {MARKER}, {option.name}"
    elif isinstance(marked, int):
        yield str(marked), f"marker {MARKER}, {option.name}"
    elif marked:
        text = marked if isinstance(marked, str) else ",".join(map(str, marked))
        yield text, f"marker {MARKER}, {option.name}"
    named = (
        (config.getoption(option.ini), option.flag),
        (config.getini(option.ini), f"ini option {option.ini}"),
        (os.environ.get(option.variable), f"environment variable {option.variable}"),
    )
    yield from ((str(value), where) for value, where in named if value)


def _page() -> Iterator[str]:
    yield "# Options of the pytest plugin"
    yield ""
    yield "Each setting has four spellings. The first that is given holds, from left to right."
    yield ""
    yield f"| marker `{MARKER}` | command line | ini file | environment | default | |"
    yield "|---|---|---|---|---|---|"
    yield from map(_option_row, OPTIONS)
    yield ""
    yield (
        f"`@pytest.mark.{MARKER}(MODEL, ..., **keywords)` names the models that the fixture "
        "`savedmodel_cell` is parametrised with: paths, relative to pytest's rootdir, or exporters, by "
        "`FILE.py::function` or by a name that is registered under `[tool.savedmodel-compat.exporters]`. "
        "These keywords are the marker's alone:"
    )
    yield ""
    yield "| keyword | default | |"
    yield "|---|---|---|"
    yield from (f"| `{word.name}` | {word.default} | {word.help} |" for word in KEYWORDS)


def _option_row(option: Option) -> str:
    words = ", ".join(f"`{choice}`" for choice in option.choices)
    cells = (
        f"`{option.name}`" if option.of_a_test else "",
        f"`{option.flag} {option.metavar}`" if option.metavar else f"`{option.flag}`",
        f"`{option.ini}`",
        f"`{option.variable}`",
        f"`{option.default}`" if option.default else "none",
        f"{option.help.removesuffix('.')}: {words}." if words else option.help,
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())

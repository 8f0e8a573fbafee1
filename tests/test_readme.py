"""What the README and the other pages show does exist: commands, options, files, and code that parses."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from savedmodel_compat import cli
from savedmodel_compat._plugin_options import OPTIONS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted({README, *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")})

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def commands_of(page: Path) -> Iterator[str]:
    """The command lines of a page: in code, indented or fenced, with or without a prompt."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^[ \t]*(?:\$ )?savedmodel-compat( [^\n]*)$", text, re.MULTILINE)
    # Synopses show what may stand there, in brackets; they are no command lines.
    return (line for line in found if not re.search(r"[\[\]]|\.\.\.|…", line))


def blocks_of(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it, down to the last subcommand."""
    command: click.Command = cli.cli
    while isinstance(command, click.Group) and not arguments[0].startswith("-"):
        name, *arguments = arguments
        if name not in command.commands:
            raise click.UsageError(f"there is no command '{name}'")
        command = command.commands[name]
    command.make_context(command.name, arguments)


def test_the_readme_shows_the_main_commands() -> None:
    """The README has a command line of `matrix`, of `run` and of `inspect`."""
    shown = {line.split()[0] for line in commands_of(README)}
    assert {"matrix", "run", "inspect"} <= shown


@every_page
def test_commands_parse(page: Path) -> None:
    """Every command line that a page shows has a command, arguments and options that exist."""
    for line in commands_of(page):
        arguments = shlex.split(line.partition(" #")[0].partition(" > ")[0].partition(" | ")[0])
        try:
            parse(arguments)
        except click.exceptions.Exit:
            continue  # --help and --version end while they are parsed
        except click.ClickException as error:
            pytest.fail(f"savedmodel-compat{line}: {error.format_message()}")


@every_page
def test_options_of_the_plugin_exist(page: Path) -> None:
    """Every spelling of a plugin option that a page shows is one of the table's."""
    known = {spelling for o in OPTIONS for spelling in (o.flag, o.ini)}
    known |= {"savedmodel_cell", "savedmodel_check", "savedmodel_export", "savedmodel_run"}
    known |= {"savedmodel_call", "savedmodel_compat", "savedmodel_subject"}
    shown = re.findall(r"--savedmodel-[\w-]+|\bsavedmodel_\w+", page.read_text(encoding="utf-8"))
    assert set(shown) <= known


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert lost == []


@every_page
def test_code_parses(page: Path) -> None:
    """Python blocks compile, and TOML blocks parse."""
    for number, block in enumerate(blocks_of(page, "python")):
        compile(block, f"{page}, Python block {number}", "exec")
    for block in blocks_of(page, "toml"):
        tomllib.loads(block)

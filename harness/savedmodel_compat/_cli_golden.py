"""The commands ``golden``: record what a release answers, look how goldens stand, decide on proposals, remove."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat.errors import EmptySelectionError, UsageError

if TYPE_CHECKING:
    from savedmodel_compat.config import Configuration
    from savedmodel_compat.errors import GoldenDamagedError
    from savedmodel_compat.golden.pending import Proposal
    from savedmodel_compat.golden.store import Key, Store

DEFAULT = "golden"
_NOT_FRESH = 1
_FIRST = (3, 4, 7, 1, 5)
"""Exit codes in the order in which they hold."""
_WORST = ("damaged", "missing", "stale")


def _directory(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that names the store."""
    return click.option(
        "--golden",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        metavar="DIR",
        help="The folder of the goldens.  [default: the configuration's, else ./golden]",
    )(command)


@click.group()
def golden() -> None:
    """Frozen answers: record, look at, accept or reject, and remove them."""


@golden.command()
@click.argument("sources", nargs=-1)
@_directory
@click.option(
    "--with",
    "recorders",
    metavar="SPEC",
    help="The release that answers; of several, the first that an exporter runs in.  "
    "[default: the configuration's; for a model, the pin of its own producer]",
)
@click.option(
    "--reason", default="first recording", show_default=True, help="Kept in the manifest."
)
@click.option("--freeze", is_flag=True, help="Keep the exported model, too, one for each release.")
@click.option(
    "--strip-default-attrs/--no-strip-default-attrs",
    "strip",
    default=True,
    show_default=True,
    help="How an exporter exports.",
)
@click.option("--as", "name", metavar="NAME", help="What the goldens are called.")
@click.option("--tags", metavar="TAG,…", help="Tag set to load.  [default: serve, else the first]")
@click.option("--signature", metavar="KEY", help="Record this signature only.")
@click.option(
    "--inputs",
    "inputs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The typical inputs of a model, as FILE.npz with ALIAS or SIGNATURE/ALIAS.",
)
@click.option(
    "--data-sets",
    metavar="NAME,…",
    default=None,
    help="Which data sets.  [default: typical,one,many,edges]",
)
@click.option(
    "--provider",
    type=click.Choice(["wheel", "venv", "docker"]),
    default=None,
    help="What makes the release ready.  [default: venv for an exporter, wheel for a model]",
)
@click.option(
    "--loader", type=click.Choice(["c", "v1", "v2", "keras"]), default="c", show_default=True
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and inputs.")
@click.option("--yes", is_flag=True, help="Do not ask before large downloads.")
def record(sources: tuple[str, ...], directory: Path | None, **options: Any) -> int:
    """Record goldens of exporters and models; without any, of all registered exporters that have none.

    A golden that is there and holds something else is not touched: what would take its place is proposed.
    """
    from savedmodel_compat import _golden_record
    from savedmodel_compat.report.goldens import counts

    store = _store(directory)
    found, problems = _golden_record.record(store, sources, options)
    if not found and not problems:
        raise _nothing_recorded(sources)
    goldens = "1 golden" if len(found) == 1 else f"{len(found)} goldens"
    click.echo(f"{goldens} in {store.root}: {counts([r.became.value for r in found])}")
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    codes = {problem.exit_code for problem in problems}
    if any(each.became.value == "proposed" for each in found):
        codes.add(_NOT_FRESH)
    return next((code for code in _FIRST if code in codes), 0)


@golden.command()
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@_directory
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A record of a run (--json); give those of all shards. Tells which goldens are unused, and which are missing.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def status(
    models: tuple[Path, ...], directory: Path | None, records: tuple[Path, ...], form: str
) -> int:
    """Say how all goldens stand, and what is proposed; each PATH is a model that ought to have some, too.

    A PATH is a folder, and never the name of a golden.

    Exit code 1 if one is damaged, missing or stale, or if a proposal waits.
    """
    from savedmodel_compat.golden import pending
    from savedmodel_compat.matrix.golden_status import Standing, State, standings
    from savedmodel_compat.report import goldens as report

    store = _store(directory)
    read = _read(records)
    found = standings(store, _configuration(directory), models=models, records=read)
    proposals, damage = pending.listing(store)
    found = [
        *(
            Standing(name=_below(store, each), state=State.DAMAGED, why=each.problem)
            for each in damage
        ),
        *found,
    ]
    if form == "json":
        click.echo(json.dumps(report.as_json(found, proposals), indent=1))
    else:
        click.echo("\n".join(report.status_lines(store.root, found, proposals)))
        if proposals:
            click.echo(_TO_DECIDE, err=True)
        if read and any(each.state is State.UNUSED for each in found):
            click.echo(_of_whole(len(read)), err=True)
    bad = any(each.state.value in _WORST for each in found)
    return _NOT_FRESH if bad or proposals else 0


@golden.command()
@click.argument("names", nargs=-1)
@_directory
@click.option("--reason", required=True, help="Why the new answer is right; kept in the manifest.")
@click.option("--from", "label", metavar="LABEL", help="Whose proposal, if they differ.")
@click.option("--all", "everything", is_flag=True, help="All goldens with a proposal.")
def accept(
    names: tuple[str, ...], directory: Path | None, reason: str, label: str | None, everything: bool
) -> int:
    """Put proposed answers in the place of goldens. NAMES are goldens, MODEL, MODEL:TAGS, or patterns such as 'mnist*'."""
    from savedmodel_compat.golden import pending
    from savedmodel_compat.report.goldens import labels
    from savedmodel_compat.report.words import printable

    store = _store(directory)
    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why the new answer is the right one")
    chosen = _chosen(store, names, label, everything=everything)
    for key, proposals in chosen.items():
        _demand_one(key, proposals)
    for key, proposals in chosen.items():
        pending.accept(store, proposals[0], reason=reason)
        click.echo(printable(f"accepted {key.name} from {labels(proposals)}"))
    return 0


@golden.command()
@click.argument("names", nargs=-1)
@_directory
@click.option("--from", "label", metavar="LABEL", help="Whose proposal; else all of a golden's.")
@click.option("--all", "everything", is_flag=True, help="All proposals.")
def reject(
    names: tuple[str, ...], directory: Path | None, label: str | None, everything: bool
) -> int:
    """Remove proposals; the goldens stay as they are. NAMES are goldens, MODEL, MODEL:TAGS, or patterns such as 'mnist*'."""
    from savedmodel_compat.golden import pending
    from savedmodel_compat.report.words import printable

    store = _store(directory)
    damaged = {_below(store, each): each.path for each in pending.listing(store)[1]}
    paths = damaged if everything and label is None else [one for one in names if one in damaged]
    for name in paths:
        pending.reject_damaged(store, damaged[name])
        click.echo(printable(f"rejected {name}, which was damaged"))
    rest = [name for name in names if name not in damaged]
    if paths and not rest and not (everything and pending.proposals(store)):
        return 0
    for key, proposals in _chosen(store, rest, label, everything=everything).items():
        for proposal in proposals:
            pending.reject(store, proposal)
            click.echo(printable(f"rejected {key.name} from {proposal.label}"))
    return 0


@golden.command()
@click.argument("names", nargs=-1)
@_directory
@click.option(
    "--unused",
    is_flag=True,
    help="Those that `golden status` calls unused; with --record of all shards, those that no cell was compared with, too.",
)
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="As for `golden status`.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(
    names: tuple[str, ...],
    directory: Path | None,
    unused: bool,
    records: tuple[Path, ...],
    yes: bool,
) -> int:
    """Delete goldens; nothing else ever does. NAMES are goldens, MODEL, MODEL:TAGS, or patterns such as 'mnist*'."""
    from savedmodel_compat.matrix.golden_status import State, standings

    store = _store(directory)
    listing = store.listing()
    # One whose manifest says nothing goes by the name of its folder.
    keys = {each.name: each.key for each in listing.damaged if each.key}
    keys |= {key.name: key for key in listing.keys}
    chosen = _meant(names, keys)
    if unused:
        read = _read(records)
        found = standings(store, _configuration(directory), records=read)
        click.echo(_of_whole(len(read)) if read else _OF_RECORDS, err=True)
        chosen |= {each.name for each in found if each.state is State.UNUSED and each.name in keys}
    elif not names:
        raise UsageError("prune: nothing is named", hint="name goldens, or give --unused")
    for name in sorted(chosen):
        click.echo(name)
    if not chosen:
        click.echo("nothing to delete")
        return 0
    asked = not yes and sys.stdin.isatty()
    if not yes and not asked:
        raise UsageError(f"{len(chosen)} goldens would be deleted", hint="give --yes")
    if asked and not click.confirm(f"Delete {len(chosen)} goldens?", err=True):
        raise click.Abort
    for name in sorted(chosen):
        store.remove(keys[name])
    click.echo(f"{len(chosen)} goldens deleted")
    return 0


@golden.command()
@click.argument(
    "records",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
)
def margins(records: tuple[Path, ...], form: str) -> int:
    """Show how far answers were from their references, by device and release, from RECORDS of runs (--json)."""
    from savedmodel_compat.report import margins as report

    read = _read(records)
    rows = report.rows([cell for one in read for cell in one["cells"]])
    if form == "json":
        click.echo(json.dumps([row.as_json() for row in rows], indent=1))
    else:
        click.echo("\n".join(report.as_lines(rows, markdown=form == "markdown")))
    return 0


def _read(records: Sequence[Path]) -> list[dict[str, Any]]:
    from savedmodel_compat.report.record import read

    return [read(path) for path in records]


def _store(directory: Path | None) -> Store:
    from savedmodel_compat import config
    from savedmodel_compat.golden.store import Store

    chosen = directory or config.load().goldens.directory or Path(DEFAULT)
    return Store(chosen.absolute())


def _configuration(directory: Path | None) -> Configuration:
    """Return the configuration that says what the goldens of a store are recorded from."""
    from savedmodel_compat import config

    return config.load(directory)


_TO_DECIDE = "hint: savedmodel-compat golden accept NAME --reason TEXT, or golden reject NAME"
_OF_RECORDS = (
    "note: without --record only exporters that are no longer registered, and frozen models that are gone, tell of"
    " unused goldens; which goldens of models nobody uses is told by the records of all shards only\n"
    "hint: savedmodel-compat run … --json A.json, then --record A.json, once for each shard of the whole selection"
)


def _of_whole(count: int) -> str:
    return (
        f"note: what no cell of {'the record' if count == 1 else f'the {count} records'} was compared with counts as"
        " unused: together they must be of the whole selection, and not of a single model or shard"
    )


def _nothing_recorded(sources: Sequence[str]) -> EmptySelectionError:
    from savedmodel_compat import config

    if sources:
        return EmptySelectionError(
            f"nothing is recorded: there is no signature to record in {', '.join(sources)}"
        )
    found = config.load()
    if found.exporters:
        return EmptySelectionError(
            f"nothing is recorded: every registered exporter has goldens ({len(found.exporters)} are registered)",
            hint="to record one again, name it",
        )
    return EmptySelectionError(
        "nothing is recorded: no exporter is registered, and nothing is named",
        hint="name a model's folder or FILE.py::function, or register exporters under"
        " [tool.savedmodel-compat.exporters]",
    )


def _below(store: Store, error: GoldenDamagedError) -> str:
    """Return the place of a damaged proposal as `golden status` names it, and `golden reject` takes it."""
    return error.path.relative_to(store.root).as_posix()


def _chosen(
    store: Store, names: Sequence[str], label: str | None, *, everything: bool
) -> dict[Key, list[Proposal]]:
    """Return the proposals that a user means, by golden."""
    from savedmodel_compat.golden import pending

    if not names and not everything:
        raise UsageError("no golden is named", hint="name goldens, or give --all")
    found: dict[Key, list[Proposal]] = {}
    there = pending.proposals(store)
    meant = _meant(names, [each.key.name for each in there])
    for each in there:
        if (everything or each.key.name in meant) and label in {None, each.label}:
            found.setdefault(each.key, []).append(each)
    if not found:
        labels = ", ".join(sorted({each.label for each in there})) or "none"
        raise UsageError(f"there is no such proposal in {store.root} (proposed by: {labels})")
    return found


def _meant(said: Sequence[str], known: Collection[str]) -> set[str]:
    """Return the goldens that somebody names: by name, else by pattern, by model, or by model and tags.

    Raises:
        UsageError: a name means none of them.
    """
    found: set[str] = set()
    for one in said:
        # A name that is there means that golden, whatever else it would be a pattern of.
        alike = {name for name in known if fnmatchcase(name, one) or name.startswith(f"{one}:")}
        meant = {one} if one in known else alike
        if not meant:
            raise UsageError(
                f"'{one}' is none of {', '.join(sorted(known))}"
                if known
                else f"'{one}' means nothing here: there is nothing to choose from",
                hint="`savedmodel-compat golden status` lists goldens and proposals",
            )
        found |= meant
    return found


def _demand_one(key: Key, proposals: Sequence[Proposal]) -> None:
    """Refuse to choose between proposals that say different things."""
    contents = {each.digest for each in proposals}
    if len(contents) > 1:
        labels = ", ".join(each.label for each in proposals)
        raise UsageError(
            f"{key.name} has {len(contents)} different proposals, by {labels}",
            hint="say which with --from LABEL",
        )

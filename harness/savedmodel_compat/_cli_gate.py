"""What makes a matrix a gate: the options of `run` and `matrix` for expectations and floors, and the commands about them."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat.errors import (
    EmptySelectionError,
    InfrastructureError,
    SavedModelCompatError,
    UsageError,
)

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.expectations import Expectations, Judgement
    from savedmodel_compat.matrix.floors import Tier
    from savedmodel_compat.matrix.seen import Seen
    from savedmodel_compat.matrix.session import Session
    from savedmodel_compat.runtimes.pins import PinTable

NONE = "none"
"""What turns expectations off."""

_INCOMPATIBLE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the results of a matrix are held against.

    Args:
        expectations: which failures are known; None without.
        narrowed: axes that the user has narrowed.
        floors_file: where the floors are.
        tier: which of them hold.
        floors: how many cells there are at least; None without.
    """

    expectations: Expectations | None = None
    narrowed: tuple[str, ...] = ()
    floors_file: Path | None = None
    tier: str = ""
    floors: Tier | None = None

    @classmethod
    def of(cls, options: dict[str, Any], session: Session) -> Gate:
        """Read what the options name, before any work is done.

        Raises:
            ConfigurationError: a file is not there or not sound.
            UsageError: the floors have no tier of that name.
        """
        tier = "smoke" if options.get("on") is None else options["on"]
        floors_file = options.get("floors_file")
        return cls(
            expectations=_expectations(options, session),
            narrowed=tuple(axis for axis in ("signature", "tags") if options.get(axis)),
            floors_file=floors_file,
            tier=tier,
            floors=None if floors_file is None else _tier(floors_file, tier),
        )

    def judged(self, results: Sequence[Result]) -> tuple[list[Result], Judgement | None]:
        """Return the results, each with whether it was expected, and what else expectations say of them.

        How many were, and what is out of scope, is said on stderr.
        """
        if self.expectations is None:
            return list(results), None
        from savedmodel_compat.matrix.gate import judge
        from savedmodel_compat.matrix.seen import of_result

        cells = [of_result(result) for result in results]
        judgement = judge(self.expectations, cells, narrowed=self.narrowed)
        pairs = zip(results, judgement.expected, strict=True)
        found = [replace(r, expected=True) if said else r for r, said in pairs]
        _say(found, judgement)
        return found, judgement

    def too_few(self, results: Sequence[Result]) -> bool:
        """Say on stderr which floors do not hold, and tell whether there is one."""
        if self.floors is None:
            return False
        from savedmodel_compat.matrix.floors import advice, count, shortfalls
        from savedmodel_compat.matrix.seen import of_result

        assert self.floors_file is not None
        fewer = shortfalls(self.floors, count(map(of_result, results), self.floors))
        for each in fewer:
            click.echo(f"error: {self.floors_file} [{self.tier}]: {each}", err=True)
        if fewer:
            click.echo(f"\nhint: {advice(self.floors_file, self.tier)}", err=True)
        return bool(fewer)


def _say(results: Sequence[Result], judgement: Judgement) -> None:
    """Say what expectations say of a run that came to its end, in few lines."""
    from savedmodel_compat.matrix.session import exit_code
    from savedmodel_compat.report.expectations import notes
    from savedmodel_compat.report.words import printable

    if any(result.reason == "interrupted" for result in results):
        return
    for line in notes(judgement):
        click.echo(printable(line), err=True)
    if any(judgement.expected) and exit_code(results) == EmptySelectionError.exit_code:
        click.echo(
            "hint: failures that are expected do not count as compared; let --on take in a release that runs a model",
            err=True,
        )


def _expectations(options: dict[str, Any], session: Session) -> Expectations | None:
    from savedmodel_compat.matrix import _expectation_file

    said = options.get("expectations_file")
    if said == NONE:
        return None
    path = Path(said) if said else None
    if path is None and options.get("registered"):
        path = session.configuration.expectations
    return None if path is None else _expectation_file.read(path, session.table)


def _tier(path: Path, name: str) -> Tier:
    from savedmodel_compat.matrix import _floors_file

    tiers = _floors_file.read(path)
    if name not in tiers:
        raise UsageError(
            f"{path} has no floors for --on {name}",
            hint=f"its tiers are {', '.join(tiers)}; `savedmodel-compat floors RECORD.json --tier '{name}' -o {path}` "
            "writes one",
        )
    return tiers[name]


def options(command: Any) -> Any:
    """Add the options of `run` and `matrix` that make them a gate."""
    added = [
        click.option(
            "--expectations",
            "expectations_file",
            metavar="FILE",
            help="Failures that are known, strict in both directions; 'none' turns those of the configuration off.",
        ),
        click.option(
            "--floors",
            "floors_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="How many cells there are at least, for this --on.",
        ),
    ]
    for option in reversed(added):
        command = option(command)
    return command


_DAYS = 180
_SOON = 30
_INFRA_ERROR = "infra-error"
_RECORDS = click.argument(
    "records", nargs=-1, type=click.Path(path_type=Path, dir_okay=False), metavar="[RECORD.json]…"
)


@click.group()
def expectations() -> None:
    """Failures that are known: draft them from records, and look how a file of them stands."""


@expectations.command()
@click.argument(
    "records",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RECORD.json…",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write them there; a file that is there is not replaced.  [default: stdout]",
)
@click.option("--owner", help="Who looks after them.  [default: you, by your login]")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help=f"Their last day.  [default: in {_DAYS} days]",
)
def draft(
    records: tuple[Path, ...], output: Path | None, owner: str | None, expires: datetime | None
) -> int:
    """Write expectations for every failure of a record that is not expected yet, and for no other cell."""
    from savedmodel_compat.matrix import drafting, expectations
    from savedmodel_compat.matrix._expectation_text import as_text
    from savedmodel_compat.report.expectations import counted

    if output is not None and output.exists():
        raise UsageError(
            f"{output} is there, and a draft does not replace what people have written",
            hint="write it to another file, or to stdout, and put together what you want of both",
        )
    last = expires.date() if expires else expectations.today() + timedelta(days=_DAYS)
    if last < expectations.today():
        raise UsageError(
            f"--expires {last} is past: the expectations would excuse nothing",
            hint=f"name a day to come, or leave it out for one in {_DAYS} days",
        )
    cells, _ = _cells(records)
    drafted = drafting.draft(cells, _table(), owner=owner or _login(), expires=last)
    for cell in drafted.left:
        click.echo(f"no pattern can name {cell.id}: {cell.cause}", err=True)
    entries = drafted.entries
    text = as_text(entries)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
    failures = sum(cell.failed and not cell.expected for cell in cells) - len(drafted.left)
    unready = sum(cell.outcome == _INFRA_ERROR for cell in cells)
    left_out = f"; {counted(unready, _INFRA_ERROR)} left out, which no model is to blame for"
    click.echo(
        f"{counted(len(entries), 'expectation')} for {counted(failures, 'failure')}"
        + (left_out if unready else ""),
        err=True,
    )
    return _INCOMPATIBLE if drafted.left else 0


@expectations.command(name="check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_RECORDS
def check_file(file: Path, records: tuple[Path, ...]) -> int:
    """Look whether a file of expectations is sound and in date; with records, also what it says of them."""
    from savedmodel_compat.matrix import _expectation_file
    from savedmodel_compat.matrix.expectations import today
    from savedmodel_compat.matrix.gate import judge
    from savedmodel_compat.report.expectations import claims, counted, notes, soon
    from savedmodel_compat.report.words import printable

    found = _expectation_file.read(file, _table())
    day = today()
    for each in found.entries:
        if 0 <= (each.expires - day).days <= _SOON:
            click.echo(f"warning: {soon(each, day)}", err=True)
    cells, whole = _cells(records)
    judgement = judge(found, cells, day=day, whole=whole)
    for paragraph in claims(judgement):
        click.echo(printable(paragraph))
    unexpected = [
        cell
        for cell, said in zip(cells, judgement.expected, strict=True)
        if cell.failed and not said
    ]
    for cell in unexpected:
        click.echo(printable(f"not expected: {cell.id}: {cell.cause}"))
    entries = len(found.entries)
    click.echo(f"{counted(entries, 'expectation')}, {len(judgement.expired)} of them expired")
    if records:
        for line in list(notes(judgement))[1:]:
            click.echo(printable(line))
        others = len(judgement.out_of_scope)
        fail = "fails and is not" if len(unexpected) == 1 else "fail and are not"
        click.echo(
            f"{counted(len(cells), 'cell')}: {sum(judgement.expected)} expected to fail, {len(unexpected)} {fail}; "
            f"{counted(others, 'expectation')} {'is' if others == 1 else 'are'} out of scope"
        )
    return _INCOMPATIBLE if judgement.is_broken or unexpected else 0


@click.command()
@click.argument(
    "records",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RECORD.json…",
)
@click.option("--tier", required=True, metavar="SPEC", help="Which tier: what --on says, as typed.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; its other tiers stay as they are.",
)
def floors(records: tuple[Path, ...], tier: str, output: Path) -> None:
    """Write how many cells a record has as the least that runs of a tier may have; the diff is for review."""
    from savedmodel_compat.matrix import _floors_file
    from savedmodel_compat.matrix.floors import count
    from savedmodel_compat.report.expectations import counted

    _demand_spec(tier)
    cells, whole = _cells(records)
    if not whole:
        raise UsageError(
            "a record of a run that was interrupted says nothing of how many cells there are",
            hint="let it run to its end",
        )
    here = count(cells)
    if not here.total.run:
        raise EmptySelectionError(
            "no cell of these records was run: there is nothing to be a floor"
        )
    unready = sum(cell.outcome == _INFRA_ERROR for cell in cells)
    if unready:
        click.echo(
            f"warning: {counted(unready, _INFRA_ERROR)} in these records: what would have run there is no part of the floors; "
            "mend it, run again and write them anew",
            err=True,
        )
    tiers = _floors_file.read(output) if output.exists() else {}
    before = tiers.get(tier)
    _floors_file.write({**tiers, tier: here}, output)
    total = here.total
    said = f"{total.collected} collected, {total.run} run, {total.compared} compared"
    if before is not None:
        said += f"; before {before.total}"
    click.echo(f"{output} [{tier}]: {said}", err=True)


def _demand_spec(tier: str) -> None:
    """Refuse a tier that no `--on` could be: its floors would never hold anything."""
    from savedmodel_compat.runtimes import specs

    table = _table()
    devices = [each for each in ("cpu", "gpu") if table.on(each)]
    found: list[SavedModelCompatError] = []
    for device in devices:
        try:
            specs.select(tier, table, device=device)
        except SavedModelCompatError as error:
            found.append(error)
    if found and len(found) == len(devices):
        raise UsageError(
            f"--tier {tier} is nothing that --on can be: {found[0].message}", hint=found[0].hint
        )


def _cells(records: Sequence[Path]) -> tuple[list[Seen], bool]:
    """Return the cells of records, and whether all of these were run to their ends."""
    from savedmodel_compat.matrix.seen import of_record
    from savedmodel_compat.report import record

    found = [record.read(path) for path in records]
    cells = []
    for path, said in zip(records, found, strict=True):
        try:
            cells += [of_record(cell) for cell in said["cells"]]
        except (KeyError, TypeError) as error:
            raise UsageError(
                f"{path} has a cell that is not whole: {error}",
                hint="make the record again, with this version of savedmodel-compat",
            ) from error
    return cells, not any(said.get("interrupted") for said in found)


def _table() -> PinTable:
    from savedmodel_compat import config
    from savedmodel_compat.runtimes import pins

    return pins.load(config.load())


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError(
            "nobody is logged in, who could look after the expectations", hint="say --owner NAME"
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from error

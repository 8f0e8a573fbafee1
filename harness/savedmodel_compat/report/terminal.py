"""A matrix in the terminal: one table of outcomes, then each different failure with its cause and what to do.

Then come what differs from its prediction and the notes of the cells, if there are any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version
from rich.console import Console
from rich.table import Table
from rich.text import Text

from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.matrix.cells import Outcome, Result, count_outcomes
from savedmodel_compat.matrix.predicted import disagreements
from savedmodel_compat.report.expectations import claims
from savedmodel_compat.report.notes import told
from savedmodel_compat.report.words import (
    about,
    cells,
    foreseen,
    happened,
    printable,
    what_is_wrong,
)

if TYPE_CHECKING:
    from savedmodel_compat.matrix.expectations import Judgement

_STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.INFRA_ERROR: "bold magenta",
    Outcome.NOT_RUN: "yellow",
    Outcome.UNSUPPORTED: "dim",
}
# The worst of a row's signatures is what its place in the table shows; one that was not asked to run hides no pass.
_WORST_FIRST = (
    Outcome.INFRA_ERROR,
    Outcome.FAIL,
    Outcome.PASS,
    Outcome.NOT_RUN,
    Outcome.UNSUPPORTED,
)
_STRIP = {True: "stripped", False: "unstripped", None: ""}
_MESSAGE = 300
_NAME = 48
_DIFFERS = "≠"
_EXPECTED = "expected"
_BOILERPLATE = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"^Converting GraphDef to Graph has failed with an error: '", ""),
        (r"'? The binary trying to import the GraphDef was built when.*", ""),
        (r" ?\(Check whether your GraphDef-interpreting binary is up to date with.*?\)\.?", ""),
        (
            r" ?Make sure the Op and Kernel are registered in the binary running in this process\.",
            "",
        ),
        (r" ?Note that if you are loading a saved graph which used ops from tf\.contrib.*", ""),
        (r"(Op<name=[^;>]+);.*?(?:>(?=; NodeDef)|$)", r"\1>"),
    )
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table: what was exported, and how."""

    model: str
    tags: tuple[str, ...]
    producer: str | None
    strip: bool | None

    @property
    def cells(self) -> tuple[str, str, str]:
        """The line's head, in columns."""
        # Serving's own tag set goes without saying.
        tags = f" [{','.join(self.tags)}]" if self.tags not in {("serve",), ()} else ""
        model = _cut(printable(f"{self.model}{tags}"))
        return model, printable(self.producer or "?"), _STRIP[self.strip]

    def __str__(self) -> str:
        """Return the row in words."""
        by = f" of {self.producer}" if self.producer else ""
        by += f" {list(self.tags)}" if self.tags not in {("serve",), ()} else ""
        strip = f", {_STRIP[self.strip]}" if self.strip is not None else ""
        return printable(f"{self.model}{by}{strip}")


def _cut(name: str) -> str:
    """Leave room for the outcomes beside a very long name, whose end tells most."""
    return name if len(name) <= _NAME else f"…{name[-_NAME + 1 :]}"


def print_matrix(
    results: Sequence[Result], console: Console, judgement: Judgement | None = None
) -> None:
    """Print the table, the failures and the summary.

    Args:
        results: one a cell.
        console: where; its width decides how many consumers stand side by side.
        judgement: what expectations say of them; None without any.
    """
    for table in _tables(results, console.width):
        console.print(table)
    for outcome, expected, title in (
        (Outcome.FAIL, False, "Why cells fail"),
        (Outcome.FAIL, True, "Why cells fail as expected"),
        (Outcome.INFRA_ERROR, False, "What kept cells from running"),
        (Outcome.NOT_RUN, False, "Not run"),
        (Outcome.UNSUPPORTED, False, "Not supported"),
    ):
        chosen = [r for r in results if r.outcome is outcome and r.expected is expected]
        if chosen:
            console.print(Text(f"\n{title}", style="bold"))
            for members in _alike(chosen):
                _explain(members, console)
    differing = disagreements(results)
    if differing:
        title = f"Where prediction and proof disagree ({_DIFFERS} in the table)"
        console.print(Text(f"\n{title}", style="bold"))
        for members in _alike(differing, by_prediction=True):
            _tell_apart(members, console)
    said = [] if judgement is None else list(claims(judgement))
    _list("Notes", told((r.cell.model, note) for r in results for note in r.notes), console)
    lines = [line for paragraph in said for line in printable(paragraph).split("\n")]
    _list("What does not hold about expectations", lines, console)
    console.print(_summary(results, len(differing), len(said)))


def _list(title: str, lines: Iterable[str], console: Console) -> None:
    """Print a section of lines; nothing where there are none."""
    for number, line in enumerate(lines):
        if not number:
            console.print(Text(f"\n{title}", style="bold"))
        _print(Text(line), console, indent=2)


def _tables(results: Sequence[Result], width: int) -> Iterable[Table]:
    rows = list(dict.fromkeys(_row(result) for result in results))
    columns = _columns(results)
    placed: dict[tuple[_Row, _Column], list[Result]] = {}
    for result in results:
        placed.setdefault((_row(result), _column(result)), []).append(result)
    heads = [max((len(row.cells[i]) for row in rows), default=0) for i in range(3)]
    heads = [
        max(head, len(word)) for head, word in zip(heads, ("model", "producer", ""), strict=True)
    ]
    widest = max((len(_mark(found).plain) for found in placed.values()), default=0)
    named = [name for name in ("loader", "device") if len({getattr(c, name) for c in columns}) > 1]
    lines = [line for column in columns for line in _head(column, named)]
    column = max([widest, *map(len, lines)], default=0) + 1
    room = max(1, (width - sum(heads) - len(heads)) // max(1, column))
    for at in range(0, len(columns), room):
        yield _table(rows, columns[at : at + room], placed, named)


class _Column(NamedTuple):
    """A consumer, as far as it tells columns apart."""

    consumer: str
    loader: str
    device: str


def _column(result: Result) -> _Column:
    cell = result.cell
    return _Column(cell.consumer, cell.loader, cell.device)


def _columns(results: Sequence[Result]) -> list[_Column]:
    return sorted(
        set(map(_column, results)), key=lambda one: (Version(one.consumer), one.loader, one.device)
    )


def _head(column: _Column, named: Sequence[str]) -> list[str]:
    """Return the lines above a column: the release, and what else tells it from others."""
    return [column.consumer, *(getattr(column, name) for name in named)]


def _table(
    rows: Sequence[_Row],
    columns: Sequence[_Column],
    placed: dict[tuple[_Row, _Column], list[Result]],
    named: Sequence[str],
) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    for head in ("model", "producer", ""):
        table.add_column(head, no_wrap=True)
    for column in columns:
        table.add_column("\n".join(_head(column, named)), no_wrap=True)
    for row in rows:
        marks = [_mark(placed.get((row, column), [])) for column in columns]
        table.add_row(*(Text(cell) for cell in row.cells), *marks)
    return table


def _mark(results: Sequence[Result]) -> Text:
    for outcome in _WORST_FIRST:
        found = [result for result in results if result.outcome is outcome]
        unexpected = [result for result in found if not result.expected]
        found = unexpected or found
        if found:
            words = {
                Outcome.PASS: "pass",
                Outcome.FAIL: f"✗ {found[0].stage.value if found[0].stage else ''}",
                Outcome.NOT_RUN: "not-run",
                Outcome.UNSUPPORTED: "unsupp.",
                Outcome.INFRA_ERROR: "infra!",
            }
            differs = f" {_DIFFERS}" if disagreements(results) else ""
            if not unexpected:
                return Text(_EXPECTED + differs, style="yellow")
            return Text(words[outcome] + differs, style=_STYLES[outcome])
    return Text("")


def _row(result: Result) -> _Row:
    cell = result.cell
    return _Row(cell.model, cell.tags, cell.producer, cell.strip)


def _alike(results: Sequence[Result], *, by_prediction: bool = False) -> Sequence[Sequence[Result]]:
    """Return the results in groups of which the same is to be said, the largest first."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        said = result.reason or _gist(result)
        strip = result.cell.strip if result.outcome is Outcome.FAIL else None
        prediction = result.predicted if by_prediction else None
        key = (result.outcome, result.causes, said, strip, prediction)
        groups.setdefault(key, []).append(result)
    return sorted(groups.values(), key=len, reverse=True)


def _gist(result: Result) -> tuple[str | None, ...]:
    """What makes two failures of one cause the same thing to a reader."""
    detail = result.detail
    if detail.op or detail.attr:
        return detail.op, detail.attr
    return (detail.node or result.message,)


def _explain(members: Sequence[Result], console: Console) -> None:
    first = members[0]
    if first.cause is not None:
        head = Text(first.cause, style="bold red")
        head += Text(f"{_about(first)}: {BY_ID[first.cause].meaning}", style="not bold default")
    else:
        head = Text(printable(first.reason or ""), style="bold")
    _print(head, console, indent=2)
    if first.message:
        _print(Text(_said(members)), console, indent=4)
    for line in _where(members):
        _print(Text(f"cells  {line}"), console, indent=4)
    if first.fix:
        advice = Text("do", style="bold")
        _print(advice + Text(f"     {printable(first.fix)}", style="not bold"), console, indent=4)


def _tell_apart(members: Sequence[Result], console: Console) -> None:
    """Say what was predicted of cells, what became of them, and which of the two is to be reported."""
    first = members[0]
    said = first.predicted
    assert said is not None
    head = Text(f"predicted {foreseen(said)}, and it is {happened(first)}", style="bold")
    _print(head, console, indent=2)
    if said.why:
        _print(Text(f"why    {printable(said.why)}"), console, indent=4)
    if first.message:
        _print(Text(f"said   {_said(members)}"), console, indent=4)
    for line in _where(members):
        _print(Text(f"cells  {line}"), console, indent=4)
    advice = Text("do", style="bold")
    _print(advice + Text(f"     {what_is_wrong(first)}", style="not bold"), console, indent=4)


def _said(members: Sequence[Result]) -> str:
    """Return what the first of alike cells says, and that it is this one, where others say something else."""
    first = members[0]
    message = printable(_short(first.message))
    if all(printable(_short(each.message)) == message for each in members):
        return message
    [where] = _where(members[:1])
    several = len({each.cell.loader for each in members}) > 1
    loader = f", loader {first.cell.loader}" if several else ""
    return f"such as {where}{loader}: {message}"


def _print(text: Text, console: Console, *, indent: int) -> None:
    """Print a paragraph wrapped at the console's width, without blanks at the ends of lines."""
    for line in text.wrap(console, max(20, console.width - indent)):
        line.rstrip()
        console.print(Text(" " * indent) + line, soft_wrap=True)


def _short(message: str) -> str:
    """Leave out of TensorFlow's words what says nothing here; the record keeps all of them."""
    for pattern, instead in _BOILERPLATE:
        message = pattern.sub(instead, message)
    message = message.strip()
    return message if len(message) <= _MESSAGE else f"{message[: _MESSAGE - 1]}…"


def _about(result: Result) -> str:
    name = about(result)
    return f" {printable(name)}" if name else ""


def _where(members: Sequence[Result]) -> Iterable[str]:
    """Yield, for each set of consumers in which the same was seen, the models and signatures."""
    seen: dict[_Row, tuple[set[tuple[Version, str]], dict[str, None]]] = {}
    for result in members:
        consumers, signatures = seen.setdefault(_row(result), (set(), {}))
        consumers.add((Version(result.cell.consumer), _consumer(result)))
        if result.cell.signature is not None:
            signatures[printable(result.cell.signature)] = None
    places: dict[str, list[str]] = {}
    for row, (consumers, signatures) in seen.items():
        named = f" [{', '.join(signatures)}]" if signatures else ""
        ordered = ", ".join(name for _, name in sorted(consumers))
        places.setdefault(ordered, []).append(f"{row}{named}")
    for consumers_named, rows in places.items():
        yield f"{'; '.join(rows)} → {consumers_named}"


def _consumer(result: Result) -> str:
    """Return what a consumer is called in a list: its release, and its device unless that is the plain CPU."""
    cell = result.cell
    return cell.consumer if cell.device == "cpu" else f"{cell.consumer} {cell.device}"


def _summary(results: Sequence[Result], differing: int, claimed: int) -> Text:
    counts = count_outcomes(list(results))
    text = Text(f"{cells(len(results))}: ", style="bold")
    parts = [
        Text(f"{counts[outcome.value]} {outcome.value}", style=_STYLES[outcome])
        for outcome in Outcome
        if counts[outcome.value] or outcome is Outcome.PASS
    ]
    text += Text(", ").join(parts)
    expected = sum(result.expected for result in results)
    if expected:
        text += Text(f"; {expected} expected", style="yellow")
    unclassified = sum(result.cause == "unclassified" for result in results)
    if unclassified:
        text += Text(f" ({unclassified} unclassified)", style="bold red")
    if differing:
        text += Text(f"; {differing} not as predicted", style="bold red")
    if claimed:
        broken = f"; {claimed} thing{'' if claimed == 1 else 's'} about expectations do{'es' if claimed == 1 else ''} not hold"
        text += Text(broken, style="bold red")
    return text

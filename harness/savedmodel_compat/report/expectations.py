"""What expectations say of a run, in words and in the record: each thing that does not hold, where it stands, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from savedmodel_compat.matrix.expectations import Breach

if TYPE_CHECKING:
    from savedmodel_compat.matrix.expectations import Expectation, Judgement, Verdict
    from savedmodel_compat.matrix.seen import Seen

_SHOWN = 10
_DO = {
    Breach.PASSED: "remove the expectation, or narrow it to the cells that still fail",
    Breach.OTHER_CAUSE: "look at the new failure first; if it is what is to be expected now, write its cause, op and attr",
    Breach.NOT_RUN: "make it run again (its reason says what is missing), or take the cell out of the expectation",
    Breach.CONTRADICTED: "narrow one of the two, so that each cell is expected to fail for one cause",
}


def claims(judgement: Judgement) -> Iterator[str]:
    """Yield a paragraph for each thing about expectations that does not hold, the first its head.

    Args:
        judgement: what they say of a run.
    """
    groups: dict[tuple[tuple[Expectation, ...], Breach], list[Seen]] = {}
    for broken in judgement.broken:
        assert broken.verdict.breach is not None
        key = (broken.verdict.live, broken.verdict.breach)
        groups.setdefault(key, []).append(broken.cell)
    for (expectations, breach), cells in groups.items():
        yield "\n".join(_broken(expectations, breach, cells))
    for each in judgement.stale:
        yield "\n".join(_stale(each))
    for each in judgement.expired:
        yield "\n".join(_expired(each))


def of_verdict(cell: Seen, verdict: Verdict) -> str:
    """Return a paragraph about one cell that is not what is expected of it."""
    assert verdict.breach is not None
    return "\n".join(_broken(verdict.live, verdict.breach, [cell]))


def why_expected(verdict: Verdict) -> str:
    """Return in one line why a failure was expected, and where that stands."""
    return "; ".join(f"{each.claim}: {each.reason} ({each.place})" for each in verdict.live)


def count(judgement: Judgement) -> str:
    """Return in one line how many failures were expected, and how many expectations are about something else."""
    said = f"{counted(sum(judgement.expected), 'failure')} expected by {judgement.file.path}"
    others = len(judgement.out_of_scope)
    if not others:
        return said
    verb = "is" if others == 1 else "are"
    return f"{said}; {others} of its {len(judgement.file.entries)} {verb} out of scope"


def notes(judgement: Judgement) -> Iterator[str]:
    """Yield what `count` says, and a line for each expectation that seems to mean a model of the run and names none."""
    yield count(judgement)
    for each in judgement.misnamed[:_SHOWN]:
        yield f"{each.expectation.place}: no model is called {each.pattern}; near is {each.near}"
    if len(judgement.misnamed) > _SHOWN:
        yield f"and {len(judgement.misnamed) - _SHOWN} more that name no model, and nearly do"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words, such as ``1 cell`` or ``2 cells``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_json(judgement: Judgement) -> dict[str, Any]:
    """Return it as records have it."""
    return {
        "file": str(judgement.file.path),
        "entries": len(judgement.file.entries),
        "expected": sum(judgement.expected),
        "broken": [
            {
                "cell": broken.cell.id,
                "expectations": [each.place for each in broken.verdict.live],
                "why": broken.verdict.breach.name.lower().replace("_", "-"),
            }
            for broken in judgement.broken
            if broken.verdict.breach is not None
        ],
        "stale": [each.place for each in judgement.stale],
        "expired": [each.place for each in judgement.expired],
        "out_of_scope": [each.place for each in judgement.out_of_scope],
    }


def soon(expectation: Expectation, day: date) -> str:
    """Return that an expectation is about to expire."""
    days = (expectation.expires - day).days
    left = f"{counted(days, 'day')} {'is' if days == 1 else 'are'} left"
    left = left if days else "today is its last day"
    return f"{expectation.place}: expires {expectation.expires}, {left}; {expectation.whose} looks after it"


def _broken(
    expectations: Sequence[Expectation], breach: Breach, cells: Sequence[Seen]
) -> Iterator[str]:
    claim = " and ".join(dict.fromkeys(each.claim for each in expectations))
    first = expectations[0]
    yield f"expected to fail with {claim}, and {breach.value}"
    for each in expectations:
        yield f"  where   {each.place} ({each.whose}): {each.reason}"
    for cell in cells[:_SHOWN]:
        yield f"  cell    {cell.id}: {_became(cell)}"
    if len(cells) > _SHOWN:
        yield f"  and {counted(len(cells) - _SHOWN, 'more cell')}"
    yield f"  do      {_DO[breach]}" + _narrower(first, cells)


def _narrower(expectation: Expectation, cells: Sequence[Seen]) -> str:
    """Name the consumers concerned where the expectation takes in more."""
    releases = list(dict.fromkeys(cell.consumer for cell in cells))
    if len(releases) > _SHOWN:
        return ""
    said = "any" if expectation.consumer is None else expectation.consumer.text
    return f" (its consumer is {said}; concerned: {', '.join(releases)})"


def _became(cell: Seen) -> str:
    if cell.failed:
        about = ".".join(name for name in (cell.op, cell.attr) if name)
        return f"fail, {cell.cause} {about}".rstrip()
    return f"{cell.outcome}, {cell.why}" if cell.why else cell.outcome


def _stale(expectation: Expectation) -> Iterator[str]:
    yield f"expected to fail with {expectation.claim}, and no cell of this run is like that"
    yield f"  where   {expectation.place} ({expectation.whose}): {expectation.reason}"
    yield (
        "  do      remove it, or mend its pattern: the run has its models, releases, loaders, providers and devices, "
        "and no cell with all of them and its tags and signature"
    )


def _expired(expectation: Expectation) -> Iterator[str]:
    yield f"expected to fail with {expectation.claim}, until {expectation.expires}, which is past"
    yield f"  where   {expectation.place} ({expectation.whose}): {expectation.reason}"
    yield (
        "  do      it excuses nothing any more: mend what fails and remove it, or look at it again and set another date"
    )

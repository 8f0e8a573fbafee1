"""Drafting expectations: the fewest patterns that take in the failures of a record, and nothing else of it."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar

from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.matrix.expectations import Expectation
from savedmodel_compat.matrix.matching import takes_model
from savedmodel_compat.matrix.releases import is_release, parse, spell
from savedmodel_compat.matrix.seen import UNKNOWN, Claim, Seen
from savedmodel_compat.runtimes.pins import PinTable

_Key = TypeVar("_Key")
_PLACE = "the draft"
_CURRENT = "current"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was drafted.

    Args:
        entries: the expectations.
        left: failures that no pattern can name: of a release that is no version, for a cause that is not known here, or
            of two cells that differ in nothing that a pattern sees.
    """

    entries: tuple[Expectation, ...]
    left: tuple[Seen, ...] = ()


class Point(NamedTuple):
    """A producer and a consumer."""

    producer: str
    consumer: str


class _Rest(NamedTuple):
    """What a pattern says beside models, loaders and releases; None for any."""

    tags: frozenset[str] | None = None
    provider: str | None = None
    device: str | None = None
    signatures: frozenset[str] | None = None

    def takes(self, cell: Seen) -> bool:
        """Tell whether such a pattern takes in a cell; one that was never started may have any tags and signature."""
        vague = not cell.started
        return (
            (self.tags is None or (vague and not cell.tags) or self.tags == frozenset(cell.tags))
            and self.provider in {None, cell.provider}
            and self.device in {None, cell.device}
            and (
                self.signatures is None
                or (vague and cell.signature is None)
                or (cell.signature or "") in self.signatures
            )
        )


class _Box(NamedTuple):
    """One pattern: whatever is in all of its sets."""

    models: frozenset[str]
    strip: bool | None
    loaders: frozenset[str]
    claim: Claim
    rest: _Rest
    producers: frozenset[str]
    consumers: frozenset[str]


def draft(cells: Sequence[Seen], table: PinTable, *, owner: str, expires: date) -> Draft:
    """Return expectations for every failure that is not expected yet.

    Args:
        cells: of a record, all of them: no pattern takes in one that did not fail in the same way.
        table: the pins that ranges of releases are made over.
        owner: who looks after them.
        expires: their last day.
    """
    pinned = {pin.release for pin in table.on("cpu")}
    boxes: list[_Box] = []
    left: list[Seen] = []
    for key, alike in _grouped(cells, lambda c: (c.model, c.strip, c.loader)).items():
        model, strip, loader = key
        for claim, failures in _grouped(_wanted(alike), lambda c: c.claim).items():
            if not {claim[0], *claim[3]} <= set(BY_ID):
                left += failures
                continue
            head = _Box(
                models=frozenset((model,)),
                strip=strip,
                loaders=frozenset((loader,)),
                claim=claim,
                rest=_Rest(),
                producers=frozenset(),
                consumers=frozenset(),
            )
            found, without = _boxes(head, alike, failures, pinned)
            boxes += found
            left += without
    names = {(c.model, c.full_name) for c in cells}
    known = pinned | {
        each for c in cells for each in (c.producer, c.consumer) if each and is_release(each)
    }
    entries = [
        replace(
            _entry(box, known, table, owner, expires),
            models=tuple(_pattern(model, names) for model in sorted(box.models)),
        )
        for box in _merged(boxes)
    ]
    return Draft(entries=tuple(entries), left=tuple(left))


def _pattern(model: str, names: Iterable[tuple[str, str]]) -> str:
    """Return a pattern that takes in one model: behind a slash where the name is the end of another's, too."""
    found = glob.escape(model)
    others = any(name != model and takes_model((found,), name, full) for name, full in names)
    return f"/{found}" if others else found


def _wanted(cells: Iterable[Seen]) -> list[Seen]:
    return [cell for cell in cells if cell.failed and not cell.expected]


def _grouped(cells: Iterable[Seen], key: Callable[[Seen], _Key]) -> dict[_Key, list[Seen]]:
    groups: dict[_Key, list[Seen]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups


def _point(cell: Seen) -> Point:
    return Point(cell.producer or UNKNOWN, cell.consumer)


def _boxes(
    head: _Box, alike: Sequence[Seen], failures: Sequence[Seen], pinned: Collection[str]
) -> tuple[list[_Box], list[Seen]]:
    """Return patterns for the failures of one claim, and the failures that none can name.

    Args:
        head: what the patterns have in common.
        alike: all cells of the model, the way of stripping and the loader.
        failures: those of the claim.
        pinned: the releases that a pattern may name as consumers of any provider.
    """
    left = [cell for cell in failures if not _spellable(cell, pinned)]
    failures = [cell for cell in failures if _spellable(cell, pinned)]
    points = _grouped(alike, _point)
    wanted = _rests(points, failures, head.claim, pinned)
    boxes = []
    for rest, needed in wanted.items():
        if any(rest.takes(c) and not _fails(c, head.claim) for p in needed for c in points[p]):
            left += [c for c in failures if _point(c) in needed and rest.takes(c)]
            continue
        refused = {
            point
            for point, here in points.items()
            if any(rest.takes(cell) and not _fails(cell, head.claim) for cell in here)
        }
        boxes += [
            head._replace(rest=rest, producers=producers, consumers=consumers)
            for producers, consumers in rectangles(needed, refused)
        ]
    return boxes, left


def _fails(cell: Seen, claim: Claim) -> bool:
    return cell.failed and cell.claim == claim


def _spellable(cell: Seen, pinned: Collection[str]) -> bool:
    """Tell whether a specifier can name the releases of a cell: ``2.11`` is all of its patch releases."""
    producer = cell.producer is None or is_release(cell.producer)
    return producer and (
        cell.consumer in pinned or (cell.provider == _CURRENT and is_release(cell.consumer))
    )


def _rests(
    points: Mapping[Point, Sequence[Seen]],
    failures: Sequence[Seen],
    claim: Claim,
    pinned: Collection[str],
) -> dict[_Rest, set[Point]]:
    """Return what has to be said beside the releases, as little as will do at each point, and where.

    Nothing where all cells of a point fail alike; else tags, provider and device; and signatures where not all fail.
    """
    wanted: dict[_Rest, set[Point]] = {}
    for point, failed in _grouped(failures, _point).items():
        here = points[point]
        if point.consumer in pinned and all(_fails(cell, claim) for cell in here):
            wanted.setdefault(_Rest(), set()).add(point)
            continue
        for (tags, provider, device), some in _grouped(failed, _place).items():
            rest = _Rest(tags=tags, provider=provider, device=device)
            if not all(_fails(cell, claim) for cell in here if rest.takes(cell)):
                rest = rest._replace(signatures=frozenset(c.signature or "" for c in some))
            wanted.setdefault(rest, set()).add(point)
    return wanted


def _place(cell: Seen) -> tuple[frozenset[str], str, str]:
    return frozenset(cell.tags), cell.provider, cell.device


def rectangles(
    needed: set[Point], refused: set[Point]
) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Yield sets of producers and of consumers whose pairs take in all points that are needed, and none that is refused.

    The largest come first. It is a greedy cover: few rectangles, and not always the fewest.

    Args:
        needed: the points to take in; none of them is refused.
        refused: the points to leave out.
    """
    open_points = set(needed)
    while open_points:
        best = max(_candidates(open_points, needed, refused), key=_order)
        _, producers, consumers = best
        yield producers, consumers
        open_points -= {Point(p, c) for p in producers for c in consumers}


def _candidates(
    open_points: set[Point], needed: set[Point], refused: set[Point]
) -> Iterator[tuple[int, frozenset[str], frozenset[str]]]:
    """Yield the rectangles that a row or a column spans, each with how many open points it takes in."""
    rows = _lines(needed, lambda point: (point.producer, point.consumer))
    columns = _lines(needed, lambda point: (point.consumer, point.producer))
    for consumers in {frozenset(rows[point.producer]) for point in open_points}:
        producers = frozenset(
            each
            for each, its in rows.items()
            if its & consumers and not any(Point(each, c) in refused for c in consumers)
        )
        yield _size(open_points, producers, consumers), producers, consumers
    for producers in {frozenset(columns[point.consumer]) for point in open_points}:
        consumers = frozenset(
            each
            for each, its in columns.items()
            if its & producers and not any(Point(p, each) in refused for p in producers)
        )
        yield _size(open_points, producers, consumers), producers, consumers


def _order(candidate: tuple[int, frozenset[str], frozenset[str]]) -> tuple[Any, ...]:
    """Return a key by which the largest comes last; the same one in every run, where several are as large."""
    size, producers, consumers = candidate
    return size, sorted(producers), sorted(consumers)


def _lines(
    points: Iterable[Point], turned: Callable[[Point], tuple[str, str]]
) -> dict[str, set[str]]:
    lines: dict[str, set[str]] = {}
    for point in sorted(points):
        line, place = turned(point)
        lines.setdefault(line, set()).add(place)
    return lines


def _size(points: set[Point], producers: frozenset[str], consumers: frozenset[str]) -> int:
    return sum(point.producer in producers and point.consumer in consumers for point in points)


def _merged(boxes: Iterable[_Box]) -> list[_Box]:
    """Join patterns that differ in nothing but their loader, then those that differ in nothing but their model."""
    by_loader: dict[_Box, frozenset[str]] = {}
    for box in boxes:
        key = box._replace(loaders=frozenset())
        by_loader[key] = by_loader.get(key, frozenset()) | box.loaders
    by_model: dict[_Box, frozenset[str]] = {}
    for one, loaders in by_loader.items():
        key = one._replace(models=frozenset(), loaders=loaders)
        by_model[key] = by_model.get(key, frozenset()) | one.models
    return [one._replace(models=models) for one, models in by_model.items()]


def _entry(
    box: _Box, known: Iterable[str], table: PinTable, owner: str, expires: date
) -> Expectation:
    cause, op, attr, also = box.claim
    assert cause is not None
    known = set(known)
    entry = Expectation(
        place=_PLACE,
        models=tuple(map(glob.escape, sorted(box.models))),
        tags=box.rest.tags,
        strip=UNKNOWN if box.strip is None else box.strip,
        producer=parse(spell(box.producers, known), table),
        consumer=parse(spell(box.consumers, known), table),
        loaders=tuple(sorted(box.loaders)),
        cause=cause,
        or_causes=also,
        op=op,
        attr=attr,
        reason=BY_ID[cause].meaning,
        owner=owner,
        expires=expires,
    )
    rest = box.rest
    return replace(
        entry,
        providers=() if rest.provider is None else (rest.provider,),
        devices=() if rest.device is None else (rest.device,),
        signatures=()
        if rest.signatures is None
        else tuple(glob.escape(each) for each in sorted(rest.signatures)),
    )

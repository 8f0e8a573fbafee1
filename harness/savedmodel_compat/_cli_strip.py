"""The command ``strip``: default-valued attrs taken out of a model that is there, or put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat.model.locate import clipped

if TYPE_CHECKING:
    from collections import Counter

    from savedmodel_compat.model.defaults import MetaGraphReport, Report

_SCHEMA = 1
_SHOWN = 12


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option("--put-back", is_flag=True, help="Put the defaults of absent attrs back instead.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def strip(model: Path, destination: Path, put_back: bool, form: str) -> None:
    """Write MODEL to DEST without the attrs that have their default values, as strip_default_attrs=True does.

    MODEL stays as it is; all of it but those attrs is copied. Which values are defaults, the release says that wrote it.
    """
    from savedmodel_compat.model.defaults import Direction, convert
    from savedmodel_compat.registry import snapshots

    direction = Direction.PUT_BACK if put_back else Direction.STRIP
    report = convert(model, destination, direction, registry=snapshots)
    if form == "json":
        click.echo(json.dumps(as_json(report), indent=1))
    else:
        click.echo("\n".join(as_lines(report)))


def as_json(report: Report) -> dict[str, Any]:
    """Return what was done, ready for `json.dumps`. Version 1 of it may grow, not change.

    Args:
        report: of one model.
    """
    return {
        "schema": _SCHEMA,
        "model": str(report.source),
        "destination": str(report.destination),
        "direction": report.direction.value,
        "changed": not report.is_empty,
        "meta_graphs": [_meta_graph_json(meta_graph) for meta_graph in report.meta_graphs],
        "fingerprint": {"state": report.fingerprint.state.value, "why": report.fingerprint.why},
    }


def _meta_graph_json(report: MetaGraphReport) -> dict[str, Any]:
    changes = report.changes
    return {
        "tags": list(report.tags),
        "producer": report.producer or None,
        "op_defs": [{"of": source, "ops": ops} for source, ops in report.sources.items()],
        "nodes": changes.total,
        "changed_nodes": changes.changed,
        "changed_functions": len(changes.functions),
        "changed_attrs": sum(changes.attrs.values()),
        "attrs": _counted(changes.attrs),
        "unknown_ops": [{"op": op, "nodes": n} for op, n in changes.unknown.most_common()],
        "undecided": _counted(changes.undecided),
    }


def _counted(attrs: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"op": op, "attr": attr, "nodes": n} for (op, attr), n in attrs.most_common()]


def as_lines(report: Report) -> Iterator[str]:
    """Yield what was done, in lines.

    Args:
        report: of one model.
    """
    from savedmodel_compat.report.inspect import printable

    for line in _lines(report):
        # A model chooses the names of its ops, and the terminal must survive them.
        yield printable(line)


def _lines(report: Report) -> Iterator[str]:
    from savedmodel_compat.model.defaults import Direction, State

    done = {Direction.STRIP: "taken out", Direction.PUT_BACK: "put back"}[report.direction]
    yield f"{report.destination}: {report.file} of {report.source}, default-valued attrs {done}"
    for meta_graph in report.meta_graphs:
        yield from _meta_graph_lines(meta_graph, done)
    if report.is_empty:
        yield "nothing was to be done: it is a copy"
    words = {State.RENEWED: "written anew", State.LEFT_OUT: "left out", State.KEPT: "kept"}
    if report.fingerprint.why or report.fingerprint.state is State.RENEWED:
        why = f": {report.fingerprint.why}" if report.fingerprint.why else ""
        yield f"fingerprint.pb is {words[report.fingerprint.state]}{why}"


def _meta_graph_lines(report: MetaGraphReport, done: str) -> Iterator[str]:
    changes = report.changes
    tags = ", ".join(report.tags)
    yield f"MetaGraph [{tags}] of TensorFlow {report.producer or 'unknown'}"
    sources = (f"{source} ({ops} ops)" for source, ops in report.sources.items())
    yield f"  OpDefs of {', '.join(sources) or 'nobody'}"
    where = f"{changes.changed} of {changes.total} nodes, {len(changes.functions)} functions"
    yield f"  {sum(changes.attrs.values())} attrs {done}: {where}"
    ranked = changes.attrs.most_common()
    yield from (
        f"    {count:6} {clipped(op)}.{clipped(attr)}" for (op, attr), count in ranked[:_SHOWN]
    )
    if len(ranked) > _SHOWN:
        yield f"    and {len(ranked) - _SHOWN} more"
    if changes.unknown:
        yield f"  left as they are, for nobody knows their ops: {_some(changes.unknown)}"
    if changes.undecided:
        named = {f"{op}.{attr}": count for (op, attr), count in changes.undecided.most_common()}
        yield f"  left as they are, for their OpDefs do not agree: {_some(named)}"


def _some(counts: dict[str, int]) -> str:
    """Return the names that most nodes have, with the number of nodes."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{clipped(name)} ({count})" for name, count in ranked[:_SHOWN])
    return shown if len(ranked) <= _SHOWN else f"{shown} and {len(ranked) - _SHOWN} more"

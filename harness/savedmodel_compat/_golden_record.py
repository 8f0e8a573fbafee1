"""What the command ``golden record`` does: options to an order, downloads said first, each golden told as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat._downloads import say_downloads
from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix import data_sets, inputs
from savedmodel_compat.matrix.golden_session import Order, Recordings
from savedmodel_compat.matrix.runner import Runner
from savedmodel_compat.matrix.session import Session
from savedmodel_compat.report.words import printable
from savedmodel_compat.runtimes import specs
from savedmodel_compat.runtimes.base import Loader, Provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.recording import Recorded


def record(
    store: Store, sources: Sequence[str], options: dict[str, Any]
) -> tuple[list[Recorded], list[SavedModelCompatError]]:
    """Record, after having said what is to be downloaded.

    Args:
        store: where the goldens go.
        sources: exporters and folders of models; none are all exporters without goldens.
        options: of the command.

    Returns:
        What became of each golden, and what could not be recorded.
    """
    session, order = Session.here(), _order(options)
    said = order.recorders or session.configuration.goldens.recorders
    pins = [pin for one in said for pin in specs.select(one, session.table)]
    say_downloads(pins, order.provider or Provider.VENV, yes=options["yes"])
    with Runner(session) as runner:
        recordings = Recordings(runner, store, told=_tell)
        return recordings.run(sources, order), recordings.problems


def _order(options: dict[str, Any]) -> Order:
    said = options["recorders"]
    file = options["inputs_file"]
    provider = options["provider"]
    reason = options["reason"].strip()
    for option in ("name", "recorders"):
        if options[option] is not None and not options[option].strip():
            raise UsageError(f"--{'as' if option == 'name' else 'with'} is empty")
    if not reason:
        raise UsageError("--reason is empty", hint="say why it is recorded")
    return Order(
        recorders=tuple(said.split(",")) if said else None,
        reason=reason,
        freeze=options["freeze"],
        strip=options["strip"],
        name=options["name"],
        tags=tuple(options["tags"].split(",")) if options["tags"] else None,
        signature=options["signature"],
        given=inputs.Given.read(file) if file else None,
        data_sets=_data_sets(options["data_sets"]),
        provider=Provider(provider) if provider else None,
        loader=Loader(options["loader"]),
        seed=options["seed"],
    )


def _data_sets(text: str | None) -> tuple[str, ...]:
    if text is None:
        return data_sets.NAMES
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in data_sets.NAMES]
    if unknown:
        raise UsageError(
            f"there is no data set '{unknown[0]}'",
            hint=f"the data sets are {', '.join(data_sets.NAMES)}",
        )
    return names


def _tell(recorded: Recorded) -> None:
    click.echo(printable(f"{recorded.became.value:9} {recorded.key.name}"))
    for note in recorded.notes:
        click.echo(printable(f"          {note}"))

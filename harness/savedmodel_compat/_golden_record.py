"""What the command ``golden record`` does: options to an order, downloads said first, each golden told as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix import data_sets, inputs
from savedmodel_compat.matrix.golden_session import Order, Recordings
from savedmodel_compat.matrix.runner import Runner
from savedmodel_compat.matrix.session import Session
from savedmodel_compat.report.words import printable
from savedmodel_compat.runtimes import inventory, specs
from savedmodel_compat.runtimes.base import Loader, Provider

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.golden.store import Store
    from savedmodel_compat.matrix.recording import Recorded


class Recording:
    """One run of the command; a context manager that ends its workers.

    Args:
        store: where the goldens go.
        options: of the command.
    """

    def __init__(self, store: Store, options: dict[str, Any]) -> None:
        self._session = Session.here()
        self._options = options
        self._order = _order(options)
        self._runner = Runner(self._session)
        self._recordings = Recordings(self._runner, store, told=_tell)

    def __enter__(self) -> Recording:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers."""
        self._runner.close()

    @property
    def problems(self) -> list[SavedModelCompatError]:
        """What could not be recorded."""
        return self._recordings.problems

    def run(self, sources: Sequence[str]) -> list[Recorded]:
        """Record, after having said what is to be downloaded."""
        self._say_downloads()
        return self._recordings.run(sources, self._order)

    def _say_downloads(self) -> None:
        said = self._order.recorders or self._session.configuration.goldens.recorders
        pins = [pin for one in said for pin in specs.select(one, self._session.table)]
        provider = self._order.provider or Provider.VENV
        rows = inventory.listing(pins, providers=[provider])
        absent = [row for row in rows if row.state is inventory.State.ABSENT]
        size = sum(row.download_bytes or 0 for row in absent)
        if not size:
            return
        names = ", ".join(row.pin.release for row in absent)
        click.echo(f"to be downloaded once: {size / 1e6:.0f} MB for TensorFlow {names}", err=True)
        asked = not self._options["yes"] and sys.stdin.isatty() and sys.stderr.isatty()
        if asked and not click.confirm("Go on?", default=True, err=True):
            raise click.Abort


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

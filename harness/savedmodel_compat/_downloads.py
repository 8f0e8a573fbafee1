"""What is to be downloaded is said before it is, and asked about where there is somebody to ask."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Provider
    from savedmodel_compat.runtimes.pins import Pin


def say_downloads(pins: Sequence[Pin], provider: Provider, *, yes: bool) -> None:
    """Say how much pins that are not there yet will take to download, and ask.

    Args:
        pins: the releases.
        provider: what makes them ready.
        yes: whether nobody is asked; nobody is, either, where it is no terminal.

    Raises:
        click.Abort: the user does not want it.
    """
    from savedmodel_compat.runtimes import inventory

    rows = inventory.listing(pins, providers=[provider])
    absent = [row for row in rows if row.state is inventory.State.ABSENT]
    size = sum(row.download_bytes or 0 for row in absent)
    if not size:
        return
    names = ", ".join(row.pin.release for row in absent)
    click.echo(f"to be downloaded once: {size / 1e6:.0f} MB for TensorFlow {names}", err=True)
    asked = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    if asked and not click.confirm("Go on?", default=True, err=True):
        raise click.Abort

"""How the controller reaches a worker: bytes to it, bytes from it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

Identity = tuple[int, int]
"""Device and inode of a folder, which are the same wherever one kernel shows it."""


class LostError(Exception):
    """The worker is gone, silent, or speaks no protocol.

    Args:
        how: what is known of its end, in words.
        out_of_memory: whether the kernel ended it for the memory that it and its cells may use.
        from_outside: whether neither the cell nor the worker is known to have caused it, so that asking once more makes sense.
    """

    def __init__(
        self, how: str, *, out_of_memory: bool = False, from_outside: bool = False
    ) -> None:
        super().__init__(how)
        self.out_of_memory = out_of_memory
        self.from_outside = from_outside


class Channel(Protocol):
    """One started worker. It is used by one thread, but for `kill`."""

    @property
    def mounted(self) -> Mapping[str, Identity]:
        """Which folders the worker should find in which places; it is asked."""

    def forget(self, places: Iterable[str]) -> None:
        """Take note of the places in which the worker finds something else."""

    def place(self, model: Path) -> str:
        """Return the name by which the worker finds the folder ``model``.

        Raises:
            WorkerError: it cannot be put there.
        """

    def shown(self, text: str) -> str:
        """Return what the worker said with its names of models replaced by the user's."""

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            LostError: nobody takes them.
        """

    def read(self, deadline: float) -> bytes:
        """Return the bytes that came, at least one.

        Args:
            deadline: when to give up, as `time.monotonic` counts.

        Raises:
            LostError: there will be none, or none came in time.
        """

    def kill(self) -> None:
        """End the worker, from any thread; whoever reads learns of it."""

    def close(self, *, lost: bool = False) -> str:
        """End the worker; return the end of what it printed.

        Args:
            lost: whether its cell may have left something running.
        """

"""Reading a store: of what it holds, no more is decompressed than is asked for."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from savedmodel_compat.registry import _file

if TYPE_CHECKING:
    from savedmodel_compat.registry._pack import Kernels, Registered

# The parts of the sections `names` and `kernels`, in the order in which `_pack` writes them.
_NAMES, _OPS, _NEWEST, _NEWEST_SIZES = range(4)
_FORMS, _FORM_TABLE, _SIZES, _KERNELS, _COUNTS, _PLACES = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a release without decompressing anything.

    Args:
        release: such as ``2.11.1``.
        wheel_sha256: the digest of its wheel.
        graph_def_version: what it writes into the graphs that it makes.
    """

    release: str
    wheel_sha256: str
    graph_def_version: int


class Table:
    """Which of the forms of each name a release has.

    Args:
        names: sorted.
        counts: the number of forms of each name, a byte each.
        table: gives the number of a name's form in each release, a byte each, name by name; 0 for none.
        width: the number of releases.
    """

    def __init__(
        self, names: Sequence[str], counts: bytes, table: Callable[[], bytes], width: int
    ) -> None:
        self._names, self._read, self._width = names, table, width
        self.starts = [0, *accumulate(counts)]

    @cached_property
    def _table(self) -> bytes:
        return self._read()

    def column(self, column: int) -> Mapping[str, int]:
        """Return the number, from 1 on, of each name's form among all forms, in one release."""
        found = zip(self._names, self.starts, self._table[column :: self._width], strict=False)
        return {name: start + form for name, start, form in found if form}

    def number(self, row: int, form: int) -> int:
        """Return the number among all forms of a form of one name; 0 for form 0."""
        return self.starts[row] + form if form else 0

    def row_of(self, number: int) -> int:
        """Return the row that a form of this number belongs to."""
        return bisect_left(self.starts, number) - 1


class Store:
    """A file of registry snapshots.

    Definitions are numbered from 1 on, and so are the kernels of an op.

    Args:
        file: as it was read.
    """

    def __init__(self, file: _file.File) -> None:
        self._file = file
        self.releases = tuple(
            Head(release=release, wheel_sha256=sha256, graph_def_version=version)
            for release, sha256, version in file.head["releases"]
        )

    @classmethod
    def open(cls, path: Path) -> Store:
        """Read the file at ``path``.

        Raises:
            InfrastructureError: it cannot be read, is no store, is of a newer format, or was cut short.
        """
        return cls(_file.read(path))

    @property
    def path(self) -> Path:
        """Return where it was read from."""
        return self._file.path

    @property
    def format(self) -> int:
        """Return the number of its format."""
        return self._file.format

    @cached_property
    def names(self) -> Sequence[str]:
        """Return all names, sorted: the rows of the tables."""
        return self._name_parts[_NAMES].decode().split("\n")

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Return the row of each name."""
        return dict(zip(self.names, range(len(self.names)), strict=True))

    @cached_property
    def ops(self) -> Table:
        """Return the table of definitions."""
        return self._table(self._name_parts[_OPS], lambda: self._file.section("ops"))

    @cached_property
    def kernels(self) -> Table:
        """Return the table of kernels."""
        return self._table(self._kernel_parts[_FORMS], lambda: self._kernel_parts[_FORM_TABLE])

    @property
    def former(self) -> Mapping[str, Sequence[str]]:
        """Return the attrs that older definitions of an op have, and the newest has no more."""
        former: dict[str, list[str]] = self._known["former"]
        return former

    @property
    def places(self) -> Mapping[str, str]:
        """Return the newest place of each op that op libraries have, and no release in itself."""
        places: dict[str, str] = self._known["places"]
        return places

    @cached_property
    def libraries(self) -> Sequence[Mapping[str, Mapping[str, int]]]:
        """Return for each release what each op library adds: the number of its definition, by name."""
        found: list[dict[str, dict[str, int]]] = json.loads(self._file.section("libraries"))
        return [
            {
                place: {name: self.ops.number(self.rows[name], form) for name, form in ops.items()}
                for place, ops in places.items()
            }
            for places in found
        ]

    def newest(self, name: str) -> int:
        """Return the number of the newest definition of an op, of an op library too; 0 for none."""
        row = self.rows.get(name)
        return 0 if row is None else self.ops.number(row, self._name_parts[_NEWEST][row])

    def definition(self, number: int) -> bytes:
        """Return the serialized ``OpDef`` of a number."""
        row = self.ops.row_of(number)
        if number == self.ops.number(row, self._name_parts[_NEWEST][row]):
            ends, ops = self._newest
            return ops[ends[row] : ends[row + 1]]
        ends, ops = self._older
        return ops[ends[number - 1] : ends[number]]

    def kernels_of(self, number: int) -> Kernels:
        """Return the serialized kernels of an op, by their number."""
        return tuple(self.kernel(place) for place in self.kernel_places(number))

    def kernel_places(self, number: int) -> Sequence[int]:
        """Return which of the different kernels an op has, by their number."""
        ends, places = self._kernel_forms
        return places[ends[number - 1] : ends[number]]

    def kernel(self, place: int) -> bytes:
        """Return one of the different kernels: a ``KernelDef`` without op and host memory arguments."""
        ends, kernels = self._different_kernels
        return kernels[ends[place] : ends[place + 1]]

    def registered(self, column: int) -> Registered:
        """Return all of what one release registers."""
        # Only those who write need it.
        from savedmodel_compat.registry._pack import Registered

        head = self.releases[column]
        return Registered(
            release=head.release,
            wheel_sha256=head.wheel_sha256,
            graph_def_version=head.graph_def_version,
            ops={name: self.definition(n) for name, n in self.ops.column(column).items()},
            kernels={name: self.kernels_of(n) for name, n in self.kernels.column(column).items()},
            libraries={
                place: {name: self.definition(number) for name, number in ops.items()}
                for place, ops in self.libraries[column].items()
            },
        )

    def _table(self, counts: bytes, table: Callable[[], bytes]) -> Table:
        return Table(self.names, counts, table, len(self.releases))

    @cached_property
    def _known(self) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._file.section("known"))
        return found

    @cached_property
    def _name_parts(self) -> Sequence[bytes]:
        return _file.parted(self._file.section("names"))

    @cached_property
    def _newest(self) -> tuple[Sequence[int], bytes]:
        return _ends(self._name_parts[_NEWEST_SIZES]), self._file.section("newest")

    @cached_property
    def _older(self) -> tuple[Sequence[int], bytes]:
        sizes, ops = _file.parted(self._file.section("older"))
        return _ends(sizes), ops

    @cached_property
    def _kernel_parts(self) -> Sequence[bytes]:
        return _file.parted(self._file.section("kernels"))

    @cached_property
    def _different_kernels(self) -> tuple[Sequence[int], bytes]:
        return _ends(self._kernel_parts[_SIZES]), self._kernel_parts[_KERNELS]

    @cached_property
    def _kernel_forms(self) -> tuple[Sequence[int], Sequence[int]]:
        return _ends(self._kernel_parts[_COUNTS]), _file.numbered(self._kernel_parts[_PLACES])


def _ends(sizes: bytes) -> Sequence[int]:
    """Return where each of the things of these sizes ends, the first of which begins at 0."""
    return [0, *accumulate(_file.numbered(sizes))]

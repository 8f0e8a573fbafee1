"""Where definitions are parsed, once a process, and numbered, in one way for all stores of a process."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from savedmodel_compat.model import schema
from savedmodel_compat.registry._store import Store

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import OpDef
    from savedmodel_compat.registry._pack import Kernels
    from savedmodel_compat.registry._values import Kernel

SHIPPED = Path(__file__).with_name("snapshots.z")
"""The store of the pinned releases."""

_numbering = Lock()
_ops: dict[int, OpDef] = {}
_kernels: dict[int, tuple[Kernel, ...]] = {}


class Source:
    """A store, with the values that are made of what it holds.

    Args:
        store: what is read.
        first: whether the numbers of its definitions hold as they are.
    """

    def __init__(self, store: Store, *, first: bool = False) -> None:
        self.store = store
        self._first = first

    @cached_property
    def op_numbers(self) -> Sequence[int]:
        """Return the number in this process of each definition, by its number in the store."""
        own = range(self.store.ops.starts[-1] + 1)
        return own if self._first else _numbered(_op_numbers, _definitions(self.store))

    @cached_property
    def kernel_numbers(self) -> Sequence[int]:
        """Return the number in this process of each op's kernels, by their number in the store."""
        own = range(self.store.kernels.starts[-1] + 1)
        return own if self._first else _numbered(_kernel_numbers, _all_kernels(self.store))

    @cached_property
    def _places(self) -> dict[int, Kernel]:
        return {}

    def op(self, number: int) -> OpDef:
        """Return the definition of a number in the store; one object for all that are equal."""
        shared = self.op_numbers[number]
        found = _ops.get(shared)
        if found is None:
            parsed = schema.parse(schema.OpDef, self.store.definition(number))
            found = _ops.setdefault(shared, parsed)
        return found

    def kernels(self, number: int) -> tuple[Kernel, ...]:
        """Return the kernels of a number in the store."""
        shared = self.kernel_numbers[number]
        found = _kernels.get(shared)
        if found is None:
            made = tuple(self._kernel(place) for place in self.store.kernel_places(number))
            found = _kernels.setdefault(shared, made)
        return found

    def _kernel(self, place: int) -> Kernel:
        # Who asks for definitions alone does without it.
        from savedmodel_compat.registry._values import Kernel

        found = self._places.get(place)
        if found is None:
            found = self._places.setdefault(place, Kernel.parse(self.store.kernel(place)))
        return found


@cache
def shipped() -> Source:
    """Return the store that is shipped."""
    return Source(Store.open(SHIPPED), first=True)


def _numbered(
    numbers: Callable[[], dict[Hashable, int]], forms: Iterable[Hashable]
) -> Sequence[int]:
    with _numbering:
        known = numbers()
        return [0, *(known.setdefault(form, len(known) + 1) for form in forms)]


@cache
def _op_numbers() -> dict[Hashable, int]:
    return {form: number for number, form in enumerate(_definitions(shipped().store), 1)}


@cache
def _kernel_numbers() -> dict[Hashable, int]:
    return {form: number for number, form in enumerate(_all_kernels(shipped().store), 1)}


def _definitions(store: Store) -> Iterator[bytes]:
    return (store.definition(number) for number in range(1, store.ops.starts[-1] + 1))


def _all_kernels(store: Store) -> Iterator[tuple[str, Kernels]]:
    starts = store.kernels.starts
    for name, row in store.rows.items():
        for number in range(starts[row] + 1, starts[row + 1] + 1):
            yield name, store.kernels_of(number)

"""Writing a store: what several releases register, each definition once."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from savedmodel_compat.model import schema
from savedmodel_compat.registry import _file

# Which form a release has is kept in a byte.
_FORMS_LIMIT = 255

Kernels = tuple[bytes, ...]
"""The kernels of one op, serialized and sorted."""

_Form = TypeVar("_Form", bound=Hashable)
_Numbered = Mapping[str, Mapping[_Form, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What one build of TensorFlow registers.

    Args:
        release: such as ``2.11.1``.
        wheel_sha256: the digest of its wheel.
        graph_def_version: what it writes into the graphs that it makes.
        ops: serialized OpDefs without descriptions, by name.
        kernels: serialized KernelDefs without op and host memory arguments, by op.
        libraries: the ops that each op library beside its own adds, by the library's place.
    """

    release: str
    wheel_sha256: str
    graph_def_version: int
    ops: Mapping[str, bytes]
    kernels: Mapping[str, Kernels]
    libraries: Mapping[str, Mapping[str, bytes]]

    @property
    def all_ops(self) -> Sequence[Mapping[str, bytes]]:
        """Return its own ops, and then those of each op library."""
        return (self.ops, *self.libraries.values())


def pack(releases: Sequence[Registered]) -> bytes:
    """Return the content of the file of a store.

    Args:
        releases: oldest first.
    """
    names = sorted({name for r in releases for names in (r.kernels, *r.all_ops) for name in names})
    ops = _numbered(names, chain.from_iterable(release.all_ops for release in releases))
    kernels = _numbered(names, (release.kernels for release in releases))
    newest = _newest(releases)
    head = {"releases": [[r.release, r.wheel_sha256, r.graph_def_version] for r in releases]}
    sections = {
        "names": _file.joined(_name_parts(ops, newest)),
        "ops": _table(ops, [release.ops for release in releases]),
        "newest": b"".join(newest.get(name, b"") for name in names),
        "older": _file.joined(_older_parts(ops, newest)),
        "known": _json(_known(ops, newest, releases)),
        "libraries": _json([_places(release, ops) for release in releases]),
        "kernels": _file.joined(_kernel_parts(kernels, releases)),
    }
    return _file.compose(head, sections)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _numbered(names: Sequence[str], columns: Iterable[Mapping[str, _Form]]) -> _Numbered[_Form]:
    """Number the different forms of each name as they come up, from 1 on: 0 stands for none."""
    numbered: dict[str, dict[_Form, int]] = {name: {} for name in names}
    for column in columns:
        for name, form in column.items():
            forms = numbered[name]
            forms.setdefault(form, len(forms) + 1)
            if len(forms) > _FORMS_LIMIT:
                raise ValueError(f"{name} has more than {_FORMS_LIMIT} different definitions")
    return numbered


def _table(numbered: _Numbered[_Form], columns: Sequence[Mapping[str, _Form]]) -> bytes:
    """Return the number of each name's form in each column, a byte each, name by name."""
    return bytes(
        forms[column[name]] if name in column else 0
        for name, forms in numbered.items()
        for column in columns
    )


def _places(release: Registered, ops: _Numbered[bytes]) -> Mapping[str, Mapping[str, int]]:
    return {
        place: {name: ops[name][op] for name, op in sorted(found.items())}
        for place, found in sorted(release.libraries.items())
    }


def _newest(releases: Sequence[Registered]) -> Mapping[str, bytes]:
    """Return each op as the newest release has it, in itself rather than in an op library."""
    newest: dict[str, bytes] = {}
    for release in releases:
        for ops in reversed(release.all_ops):
            newest.update(ops)
    return newest


def _known(
    ops: _Numbered[bytes], newest: Mapping[str, bytes], releases: Sequence[Registered]
) -> Mapping[str, object]:
    """Return what is to be known of all releases together."""
    own = {name for release in releases for name in release.ops}
    places = {
        name: place
        for release in releases
        for place, found in release.libraries.items()
        for name in found
        if name not in own
    }
    return {"former": dict(_former(ops, newest)), "places": places}


def _former(
    ops: _Numbered[bytes], newest: Mapping[str, bytes]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the attrs that older forms of an op have, and the newest has no more."""
    for name, forms in ops.items():
        if len(forms) > 1:
            gone = set().union(*map(_attrs, forms)) - _attrs(newest[name])
            if gone:
                yield name, sorted(gone)


def _attrs(op: bytes) -> set[str]:
    return {attr.name for attr in schema.parse(schema.OpDef, op).attr}


def _name_parts(ops: _Numbered[bytes], newest: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield names, how many forms each has, which of them is the newest, and the size of that one."""
    yield "\n".join(ops).encode()
    yield bytes(map(len, ops.values()))
    yield bytes(forms[newest[name]] if forms else 0 for name, forms in ops.items())
    yield _file.numbers(len(newest.get(name, b"")) for name in ops)


def _older_parts(ops: _Numbered[bytes], newest: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the sizes of all forms, 0 in the place of those that are the newest, and the others themselves."""
    older = [b"" if form == newest[name] else form for name, forms in ops.items() for form in forms]
    yield _file.numbers(map(len, older))
    yield b"".join(older)


def _kernel_parts(kernels: _Numbered[Kernels], releases: Sequence[Registered]) -> Iterator[bytes]:
    """Yield numbers of forms, the table, the different kernels, and which of them each form is made of."""
    forms = [form for forms in kernels.values() for form in forms]
    different = sorted(set(chain.from_iterable(forms)))
    places = {kernel: place for place, kernel in enumerate(different)}
    yield bytes(map(len, kernels.values()))
    yield _table(kernels, [release.kernels for release in releases])
    yield _file.numbers(map(len, different))
    yield b"".join(different)
    yield _file.numbers(map(len, forms))
    yield _file.numbers(places[kernel] for form in forms for kernel in form)

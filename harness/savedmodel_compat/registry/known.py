"""Every op that a pinned release of TensorFlow knows, in its newest form.

The data lie in ``ops.z`` beside this file and are made anew from the pinned wheels, which are
fetched if they are not there, by::

    python -m savedmodel_compat.registry.make --write

Do that, and commit the file, whenever a pin is added or changed; `make` says how it is done.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.model import schema

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import OpDef

FILE = Path(__file__).with_name("ops.z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What the file holds.

    Args:
        wheels: SHA-256 of the wheel of each release that it was made of, oldest release first.
        ops: each op's serialized OpDef of the newest release that has it, by name, sorted.
        former: attrs that an op had in an older release and has no more, by op.
        libraries: the op library of the ops that no release has in itself, by op; see `op_library`.
    """

    wheels: Mapping[str, str]
    ops: Mapping[str, bytes]
    former: Mapping[str, tuple[str, ...]]
    libraries: Mapping[str, str]


def pack(data: Data) -> bytes:
    """Return the content of the file: a line of JSON, then the OpDefs, compressed together."""
    head = {
        "wheels": dict(data.wheels),
        "former": {op: list(data.former[op]) for op in sorted(data.former)},
        "libraries": {op: data.libraries[op] for op in sorted(data.libraries)},
        "names": sorted(data.ops),
        "sizes": [len(data.ops[name]) for name in sorted(data.ops)],
    }
    line = json.dumps(head, separators=(",", ":")).encode()
    body = b"".join(data.ops[name] for name in sorted(data.ops))
    return zlib.compress(line + b"\n" + body, 9)


def unpack(content: bytes) -> Data:
    """Return what `pack` packed."""
    line, _, body = zlib.decompress(content).partition(b"\n")
    head = json.loads(line)
    ends = list(accumulate(head["sizes"]))
    starts = [0, *ends]
    return Data(
        wheels=head["wheels"],
        ops={
            name: body[start:end]
            for name, start, end in zip(head["names"], starts, ends, strict=False)
        },
        former={op: tuple(names) for op, names in head["former"].items()},
        libraries=head["libraries"],
    )


@cache
def shipped() -> Data:
    """Return the data that are shipped."""
    return unpack(FILE.read_bytes())


def op(name: str) -> OpDef | None:
    """Return an op's definition of the newest pinned release that has it; None if none has.

    It has no descriptions, and must not be changed: every caller gets the same one.
    """
    return _parsed(name) if name in shipped().ops else None


def attrs(name: str) -> frozenset[str]:
    """Return the attrs that an op has in any pinned release; none for an op that is not known."""
    return _attrs(name) if name in shipped().ops else frozenset()


# Only names that are known are kept: a model may hold any number of others.
@cache
def _parsed(name: str) -> OpDef:
    return schema.parse(schema.OpDef, shipped().ops[name])


@cache
def _attrs(name: str) -> frozenset[str]:
    newest = {attr.name for attr in _parsed(name).attr}
    return frozenset(newest.union(shipped().former.get(name, ())))


def op_library(name: str) -> str | None:
    """Return which op library of TensorFlow's package has an op that TensorFlow itself never had.

    Such as ``contrib/resampler``: the op is known only where Python has imported that package, or
    where the server was built with it.

    Args:
        name: of the op; None is returned for one that is not known.
    """
    return shipped().libraries.get(name)


def releases() -> tuple[str, ...]:
    """Return the releases that the data were taken from, oldest first."""
    return tuple(shipped().wheels)

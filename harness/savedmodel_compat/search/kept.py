"""Inputs that once broke a property, in files: those that are tried first ever after, and those that a command line takes."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from savedmodel_compat.cache import default_root
from savedmodel_compat.golden import tensorfile

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.wire import Arrays
    from savedmodel_compat.search.subject import Asked

Array = np.ndarray[Any, Any]

_SIDE = "inputs"
_LONGEST_NAME = 100


def read(folder: Path, asked: Asked, name: str) -> Iterator[tuple[Path, Arrays]]:
    """Yield the kept inputs of a property of a signature, with their files.

    Args:
        folder: of all that is kept.
        asked: the signature.
        name: of the property.

    Raises:
        GoldenDamagedError: a file is not what was written.
    """
    place = _place(folder, asked, name)
    for file in sorted(place.glob(f"[!.]*{tensorfile.SUFFIX}")) if place.is_dir() else []:
        yield file, {each.alias: each.array for each in tensorfile.read(file)}


def write(folder: Path, asked: Asked, name: str, feed: Arrays) -> Path:
    """Keep inputs; return their file, whose name is their digest.

    Args:
        folder: of all that is kept.
        asked: the signature.
        name: of the property.
        feed: the inputs.
    """
    place = _place(folder, asked, name)
    place.mkdir(parents=True, exist_ok=True)
    dtypes = {port.alias: port.dtype for port in asked.case.inputs}
    tensors = [
        tensorfile.stored(_SIDE, alias, array, _dtype_of(array, dtypes.get(alias)))
        for alias, array in feed.items()
    ]
    temporary = place / f".{os.getpid()}{tensorfile.SUFFIX}"
    temporary.unlink(missing_ok=True)
    tensorfile.write(temporary, tensors)
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:12]
    return temporary.replace(place / f"{digest}{tensorfile.SUFFIX}")


def commands(asked: Asked, feed: Arrays, against: str | None = None) -> Iterator[str]:
    """Yield the command that runs a model on inputs, whose file it writes; none if a command line cannot take them.

    Args:
        asked: the signature.
        feed: the inputs.
        against: the release whose answers are right; without it none are compared.
    """
    ports = {port.alias for port in asked.case.inputs}
    if set(feed) != ports or any(map(_loses, feed.values())):
        return
    arrays = {alias: _as_text(array) for alias, array in feed.items()}
    said = repr((asked.subject.model.sha256, sorted((n, a.tobytes()) for n, a in arrays.items())))
    folder = default_root() / "counterexamples"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(said.encode()).hexdigest()[:12]}.npz"
    # numpy's own function has names of its own among its keywords, such as `file`.
    with zipfile.ZipFile(file, "w") as archive:
        for alias, array in arrays.items():
            with archive.open(f"{alias}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    consumer = asked.subject.consumer
    yield shlex.join(
        [
            "savedmodel-compat",
            "run",
            str(asked.subject.model.path),
            "--on",
            ",".join(dict.fromkeys((consumer.release, against or consumer.release))),
            *(["--reference", against] if against else []),
            "--provider",
            consumer.provider,
            "--loader",
            consumer.loader,
            "--tags",
            ",".join(asked.subject.model.tags),
            "--signature",
            asked.case.signature,
            "--inputs",
            str(file),
        ]
    )


def _place(folder: Path, asked: Asked, name: str) -> Path:
    model = asked.subject.model.exporter or asked.subject.model.name
    return folder / _plain(model) / _plain(asked.case.signature) / name


def _plain(name: str) -> str:
    """Return a name that every file system takes; one that had to be changed gets a digest, so that no two become one."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    if plain == name and not name.startswith(".") and len(name) <= _LONGEST_NAME:
        return name
    return f"{plain.strip('._')[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _dtype_of(array: Array, dtype: str | None) -> str | None:
    """Return the dtype that the signature has for an array, if the array is of it."""
    from savedmodel_compat.tensors import dtype_from_name

    return dtype if dtype is not None and dtype_from_name(dtype).numpy == array.dtype else None


def _loses(array: Array) -> bool:
    """Tell whether numpy's own format would lose something.

    It has no objects and none of the types that others add to numpy, and its strings end before their zero bytes.
    """
    if array.dtype != object:
        return bool(array.dtype.isbuiltin != 1)
    return any(item.endswith(b"\0") for item in array.ravel().tolist())


def _as_text(array: Array) -> Array:
    return array.astype("S") if array.dtype == object else array

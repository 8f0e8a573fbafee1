"""Making the list of known ops from the wheels of the pinned releases.

Each runtime of the provider ``wheel`` keeps the op list of its library. Beside that library, wheels
carry op libraries that only a part of the Python package loads, nearly all of them ``tf.contrib``'s:
each is loaded after the others in a process of its own, and its ops are added.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import schema
from savedmodel_compat.registry.known import FILE, Data, pack
from savedmodel_compat.runtimes import download, manifest, pins, wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from savedmodel_compat.model.schema import OpDef
    from savedmodel_compat.runtimes.base import Runtime

_ROOTS = ("tensorflow", "tensorflow_core")
_MICROFRONTEND = "lite/experimental/microfrontend"
# Beginnings of what lies among the op libraries: parts that several share, and bindings.
_NO_OPS = ("lib", "_wrap_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The ops of one release.

    Args:
        release: such as ``2.11.1``.
        sha256: of its wheel.
        ops: those of its library.
        libraries: those that each op library adds, by the library's place in the package.
    """

    release: str
    sha256: str
    ops: tuple[OpDef, ...]
    libraries: Mapping[str, tuple[OpDef, ...]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the data file anew from every pinned wheel, or say what it would hold."""
    parser = argparse.ArgumentParser(prog="python -m savedmodel_compat.registry.make")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    chosen = parser.parse_args(arguments)
    cache = Cache(root=default_root())
    found = []
    for pin in pins.load().on("cpu"):
        found.append(of_release(wheel.make_ready(pin, cache=cache), cache))
        extra = sum(map(len, found[-1].libraries.values()))
        sys.stderr.write(f"{pin.release}: {len(found[-1].ops)} ops, {extra} in op libraries\n")
    data = merge(found)
    content = pack(data)
    sys.stderr.write(f"{len(data.ops)} ops of {len(found)} releases, {len(content)} bytes\n")
    if chosen.write:
        FILE.write_bytes(content)


def of_release(runtime: Runtime, cache: Cache) -> Release:
    """Return what one release knows.

    Args:
        runtime: of the provider ``wheel``.
        cache: where its wheel is.
    """
    own = ops_in(runtime.ops)
    names = {op.name for op in own}
    added: dict[str, list[OpDef]] = {}
    for library, ops in _of_libraries(runtime, cache):
        added.setdefault(library, []).extend(op for op in ops if op.name not in names)
    return Release(
        release=runtime.release,
        sha256=manifest.read(runtime.folder).wheel_sha256,
        ops=own,
        libraries={library: tuple(ops) for library, ops in sorted(added.items()) if ops},
    )


def merge(releases: Sequence[Release]) -> Data:
    """Return what all releases know together.

    Args:
        releases: oldest first.
    """
    newest: dict[str, OpDef] = {}
    attrs: dict[str, set[str]] = {}
    libraries: dict[str, str] = {}
    wheels = {}
    for release in releases:
        wheels[release.release] = release.sha256
        for library, op in _all(release):
            newest[op.name] = op
            attrs.setdefault(op.name, set()).update(attr.name for attr in op.attr)
            if library:
                libraries[op.name] = library
    own = {op.name for release in releases for op in release.ops}
    former = {
        name: tuple(sorted(attrs[name] - {attr.name for attr in op.attr}))
        for name, op in newest.items()
    }
    return Data(
        wheels=wheels,
        ops={name: _bare(newest[name]) for name in sorted(newest)},
        former={name: names for name, names in former.items() if names},
        libraries={name: libraries[name] for name in libraries if name not in own},
    )


def _all(release: Release) -> Iterator[tuple[str | None, OpDef]]:
    for library, ops in release.libraries.items():
        for op in ops:
            yield library, op
    for op in release.ops:
        yield None, op


def _bare(op: OpDef) -> bytes:
    """Return an op without its descriptions, which are most of its bytes, serialized."""
    copy = schema.OpDef()
    copy.CopyFrom(op)
    for message in (copy, *copy.input_arg, *copy.output_arg, *copy.attr):
        message.ClearField("description")
    copy.ClearField("summary")
    return bytes(copy.SerializeToString(deterministic=True))


def ops_in(file: Path) -> tuple[OpDef, ...]:
    """Return the ops of a serialized ``OpList``."""
    return tuple(schema.parse(schema.OpList, file.read_bytes()).op)


def _of_libraries(runtime: Runtime, cache: Cache) -> Iterator[tuple[str, tuple[OpDef, ...]]]:
    """Yield the place of each op library of a wheel with all ops that are known once it is loaded."""
    archive = download.wheel_of(runtime.pin, cache)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as opened:
        found = [(place(name), name) for name in sorted(opened.namelist())]
        # All are unpacked first, for one may need another one beside it.
        paths = [(library, opened.extract(name, folder)) for library, name in found if library]
        ops = Path(folder) / "ops.pb"
        for library, path in paths:
            if Path(path).name.startswith(_NO_OPS):
                continue
            # The C API is asked of the last one, so that one is named again.
            ordered = (*runtime.libraries, Path(path), runtime.libraries[-1])
            try:
                wheel.describe_libraries(runtime.python, ordered, ops)
            except InfrastructureError as error:
                # Some releases moved these ops into TensorFlow itself and kept the library.
                if "already exists" not in str(error).lower():
                    raise
                continue
            yield library, ops_in(ops)


def place(name: str) -> str | None:
    """Return where in TensorFlow's package an op library belongs, such as ``contrib/resampler``.

    Args:
        name: of a file in a wheel; None is returned for one that is none, nor needed by one.
    """
    path = PurePosixPath(name)
    start = next((index for index, part in enumerate(path.parts) if part in _ROOTS), None)
    if start is None or ".so" not in path.name:
        return None
    inner = path.parts[start + 1 :]
    if inner[0] == "contrib" and "lite" not in inner:
        return "/".join(inner[:2])
    return _MICROFRONTEND if "/".join(inner).startswith(f"{_MICROFRONTEND}/") else None


if __name__ == "__main__":
    main()

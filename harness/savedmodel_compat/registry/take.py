"""Taking the snapshot of a release from its wheel: what its libraries register once they are loaded.

Beside the library of the C API, wheels carry op libraries that only a part of the Python package
loads, nearly all of them ``tf.contrib``'s: each is loaded after the others, in a process of its own,
and the ops that it adds are noted with its place.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import schema
from savedmodel_compat.registry import _texts, _wire
from savedmodel_compat.registry._pack import Kernels, Registered
from savedmodel_compat.runtimes import download, manifest, processes, wheel

if TYPE_CHECKING:
    from savedmodel_compat.cache import Cache
    from savedmodel_compat.runtimes.base import Runtime

_ROOTS = ("tensorflow", "tensorflow_core")
_MICROFRONTEND = "lite/experimental/microfrontend"
# Beginnings of what lies among the op libraries: parts that several share, and bindings.
_NO_OPS = ("lib", "_wrap_")


def take(runtime: Runtime, cache: Cache) -> Registered:
    """Return what a release registers, as its own libraries say now.

    Args:
        runtime: of the provider ``wheel``.
        cache: where its wheel is, or will be.

    Raises:
        InfrastructureError: the libraries cannot be loaded, or say what is not understood.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel.describe_registry(runtime.python, runtime.libraries, folder)
        try:
            ops, kernels = ops_in(folder / "ops.pb"), kernels_in(folder)
            graph = schema.parse(schema.GraphDef, (folder / "graph.pb").read_bytes())
        except (DecodeError, ValueError, OSError) as error:
            raise InfrastructureError(
                f"what TensorFlow {runtime.release} registers is not understood: {error}",
                hint="a newer savedmodel-compat may understand it",
            ) from error
    return Registered(
        release=runtime.release,
        wheel_sha256=manifest.read(runtime.folder).wheel_sha256,
        graph_def_version=graph.versions.producer,
        ops=ops,
        kernels=kernels,
        libraries=_added(_of_libraries(runtime, cache), ops),
    )


def take_all(
    runtimes: Sequence[Runtime], cache: Cache, *, jobs: int
) -> Iterator[Registered | InfrastructureError]:
    """Yield what each release registers, or why that is not known, in the order of the releases.

    Args:
        runtimes: of the provider ``wheel``.
        cache: as for `take`.
        jobs: how many at a time.
    """

    def one(runtime: Runtime) -> Registered | InfrastructureError:
        try:
            return take(runtime, cache)
        except InfrastructureError as error:
            return error

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            yield from pool.map(one, runtimes)
        except BaseException:
            # An interrupt, or a reader of our output that has gone: nobody waits for the others.
            pool.shutdown(wait=False, cancel_futures=True)
            processes.stop_all()
            raise


def ops_in(file: Path) -> Mapping[str, bytes]:
    """Return the ops of a serialized ``OpList`` without their descriptions, serialized, by name.

    Raises:
        WireError: the file holds none.
    """
    ops = (_wire.bare_op(op) for op in _wire.entries(file.read_bytes()))
    return {_wire.name_of(op): op for op in ops}


def kernels_in(folder: Path) -> Mapping[str, Kernels]:
    """Return the kernels of each op, from the list that a library wrote or else from its texts.

    Args:
        folder: what ``_probe.py --registry`` wrote into.

    Raises:
        ValueError: neither is understood.
        OSError: neither is there.
    """
    listed = folder / "kernels.pb"
    if listed.exists():
        return from_list(listed.read_bytes())
    return from_texts(json.loads((folder / "kernels.json").read_bytes()))


def from_list(kernels: bytes) -> Mapping[str, Kernels]:
    """Return the kernels of a serialized ``KernelList``, by op.

    Raises:
        WireError: it is none.
    """
    return _by_op((_wire.name_of(k), _wire.bare_kernel(k)) for k in _wire.entries(kernels))


def from_texts(texts: Mapping[str, str]) -> Mapping[str, Kernels]:
    """Return the kernels that texts tell of, by op.

    Raises:
        ValueError: a text is not understood.
    """
    return _by_op(
        (op, kernel.SerializeToString(deterministic=True))
        for op, text in texts.items()
        for kernel in _texts.kernels_in(text)
    )


def _by_op(kernels: Iterable[tuple[str, bytes]]) -> Mapping[str, Kernels]:
    # The order of the registry changes from run to run.
    found: dict[str, list[bytes]] = {}
    for op, kernel in kernels:
        found.setdefault(op, []).append(kernel)
    return {op: tuple(sorted(some)) for op, some in sorted(found.items())}


def _added(
    libraries: Iterable[tuple[str, Mapping[str, bytes]]], own: Mapping[str, bytes]
) -> Mapping[str, Mapping[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for place_, ops in libraries:
        new = {name: op for name, op in ops.items() if name not in own}
        if new:
            found.setdefault(place_, {}).update(new)
    return dict(sorted(found.items()))


def _of_libraries(runtime: Runtime, cache: Cache) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """Yield the place of each op library of a wheel with all ops that are known once it is loaded."""
    archive = download.wheel_of(runtime.pin, cache)
    with tempfile.TemporaryDirectory() as name, wheel.opened(archive) as opened:
        folder = Path(name)
        found = [(place(name), name) for name in sorted(opened.namelist())]
        # All are unpacked, for one may need another one beside it.
        unpacked = [
            (library, Path(opened.extract(name, folder))) for library, name in found if library
        ]
        libraries = [
            (library, path) for library, path in unpacked if not path.name.startswith(_NO_OPS)
        ]
        if not libraries:
            return
        paths = [path for _, path in libraries]
        wheel.describe_each(runtime.python, runtime.libraries, paths, folder)
        for index, (library, path) in enumerate(libraries):
            ops = folder / f"{index}.pb"
            if ops.exists():
                yield library, ops_in(ops)
                continue
            said = (folder / f"{index}.txt").read_text(encoding="utf-8", errors="replace")
            # Some releases moved these ops into TensorFlow itself and kept the library.
            if "already exists" not in said.lower():
                raise InfrastructureError(
                    f"the op library {path.name} of TensorFlow {runtime.release} cannot be loaded: "
                    f"{said.strip() or 'it said nothing'}"
                )


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

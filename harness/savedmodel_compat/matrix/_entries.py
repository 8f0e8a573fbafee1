"""What exports are called in the cache: by the digest of all that they are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import savedmodel_compat
from savedmodel_compat.runtimes.worker import _frames

if TYPE_CHECKING:
    from savedmodel_compat.matrix.exports import Order
    from savedmodel_compat.runtimes.base import Runtime


def entry_of(order: Order, runtime: Runtime, *, derived: Mapping[str, str] | None = None) -> str:
    """Return the name of an export's entry in the cache.

    Args:
        order: what is wanted.
        runtime: the producer.
        derived: what makes it of the other leg; None if the exporter itself makes it.
    """
    digest = _digest(order, runtime, derived or {})
    return f"exports/{order.exporter.name}-{order.producer}-{digest}"


def _digest(order: Order, runtime: Runtime, derived: Mapping[str, str]) -> str:
    """Digest all that the model is made of: the exporter, the files beside it, the producer, the options."""
    made_of: dict[str, Any] = {
        "harness": savedmodel_compat.__version__,
        "worker": _sources(Path(_frames.__file__)),
        "producer": runtime.folder.name,
        "function": order.exporter.function,
        "file": order.exporter.file.name,
        "strip": order.strip,
        "seed": order.seed,
        "sources": _sources(order.exporter.file),
        **({"derived": dict(derived)} if derived else {}),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _sources(file: Path) -> dict[str, str]:
    """Digest the exporter's file and all that lies in its folder, which it may import or read.

    Python files count by their content, others, which may be large, by size and time.
    """
    found = {file.name: content_digest(file)}
    for path in sorted(file.parent.rglob("*")):
        name = path.relative_to(file.parent)
        if not path.is_file() or any(p.startswith(".") or p == "__pycache__" for p in name.parts):
            continue
        if path.suffix == ".py":
            found[name.as_posix()] = content_digest(path)
        else:
            status = path.stat()
            found[name.as_posix()] = f"{status.st_size} {status.st_mtime_ns}"
    return found


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""What exports are called in the cache: by the digest of all that they are made of."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import savedmodel_compat
from savedmodel_compat.runtimes.worker import _frames

# What finds a module without an import statement, or may read a file of Python as any other.
_DYNAMIC = re.compile(
    r"importlib|__import__|runpy|exec\(|eval\(|sys\.path|pkgutil|open\(|read_text|read_bytes|__file__"
)

_NOT_IN_EXPORTS = frozenset(("_native.py", "_image.py", "_keras.py", "_describe.py"))
_PARSING = threading.Lock()

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
        "worker": _worker(),
        "producer": runtime.folder.name,
        "function": order.exporter.function,
        "file": order.exporter.file.name,
        "strip": order.strip,
        "seed": order.seed,
        "sources": _needed(order.exporter.file),
        **({"derived": dict(derived)} if derived else {}),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _worker() -> dict[str, str]:
    """Digest the worker that exports run in, without what only cells use."""
    sources = _sources(Path(_frames.__file__))
    return {name: digest for name, digest in sources.items() if name not in _NOT_IN_EXPORTS}


def _needed(file: Path) -> dict[str, str]:
    """Digest an exporter's file, the Python files of its folder that it imports, and all other files there, which it may read.

    If any of them finds modules otherwise than with an import statement, or is a package, all Python files count.
    """
    all_of_them = _sources(file)
    imported = _imported(file)
    if imported is None:
        return all_of_them
    return {
        name: digest
        for name, digest in all_of_them.items()
        if not name.endswith(".py") or name in imported
    }


def _imported(file: Path) -> set[str] | None:
    """Return the names of the files that a file imports from its folder, itself included; None if nobody can tell."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path.name in found:
            continue
        found.add(path.name)
        names = _module_names(path, _stamp(path))
        if names is None or any((file.parent / name).is_dir() for name in names):
            return None
        beside = (file.parent / f"{name}.py" for name in names)
        waiting += [each for each in beside if each.is_file()]
    return found


def _stamp(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written; a session asks for the same few files once for each of its exports."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1024)
def _module_names(path: Path, stamp: tuple[int, int, int]) -> frozenset[str] | None:  # noqa: ARG001 - the cache's key
    """Return the first part of the name of each module that a file imports; None if nobody can tell."""
    text = path.read_bytes().decode("utf-8", "replace")
    if _DYNAMIC.search(text):
        return None
    try:
        # CPython 3.11 counts the depth of all threads' trees as one, and then gives up with a SystemError.
        with _PARSING:
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # An exporter's file is no part of a package, and a relative import fails there.
            names.add((node.module or "").partition(".")[0])
    return frozenset(names - {""})


def _sources(file: Path) -> dict[str, str]:
    """Digest a file and all that lies in its folder, or that links there lead to.

    Python files count by their content, others, which may be large, by size and time.
    """
    found = {file.name: _digest_of(file, _stamp(file))}
    real = file.parent.resolve()
    seen: set[Path] = set()
    for folder, inner, files in os.walk(file.parent, followlinks=True):
        at = Path(folder)
        below, target = at.relative_to(file.parent), at.resolve()
        if target in seen:
            # A link, maybe to a folder that it lies in: what is there counts once, and where the link goes.
            found[below.as_posix()] = f"-> {os.path.relpath(target, real)}"
            inner.clear()
            continue
        seen.add(target)
        inner[:] = sorted(name for name in inner if _counts(name))
        for path in (at / name for name in files if _counts(name)):
            if path.is_file():
                found[(below / path.name).as_posix()] = _state(path)
    return found


def _counts(name: str) -> bool:
    return not name.startswith(".") and name != "__pycache__"


def _state(path: Path) -> str:
    """Return what changes with a file."""
    if path.suffix == ".py":
        return _digest_of(path, _stamp(path))
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


@lru_cache(maxsize=1024)
def _digest_of(path: Path, stamp: tuple[int, int, int]) -> str:  # noqa: ARG001 - the cache's key
    return content_digest(path)


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

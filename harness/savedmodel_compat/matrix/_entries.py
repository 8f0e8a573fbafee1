"""What exports are called in the cache: by the digest of all that they are made of."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import savedmodel_compat
from savedmodel_compat.runtimes.worker import _frames

# What finds a module without an import statement, or may read a file of Python as any other.
_DYNAMIC = re.compile(
    r"importlib|__import__|runpy|exec\(|eval\(|sys\.path|pkgutil|open\(|read_text|read_bytes|__file__"
)

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
        "sources": _needed(order.exporter.file),
        **({"derived": dict(derived)} if derived else {}),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


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
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            names = _module_names(ast.parse(text))
        except (SyntaxError, ValueError):
            return None
        if _DYNAMIC.search(text) or any((file.parent / name).is_dir() for name in names):
            return None
        beside = (file.parent / f"{name}.py" for name in names)
        waiting += [each for each in beside if each.is_file()]
    return found


def _module_names(tree: ast.AST) -> set[str]:
    """Return the first part of the name of each module that is imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # An exporter's file is no part of a package, and a relative import fails there.
            names.add((node.module or "").partition(".")[0])
    return names - {""}


def _sources(file: Path) -> dict[str, str]:
    """Digest a file and all that lies in its folder.

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

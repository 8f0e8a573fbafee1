"""What an exporter is made of: its file, and the files beside it that it imports."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


def source_digest(file: Path) -> str:
    """Return the digest of an exporter's file and of the files beside it that it imports, themselves or through others.

    Args:
        file: the exporter's.
    """
    found = hashlib.sha256()
    for path in sorted(_imported(file, set()), key=lambda path: path.name):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _imported(file: Path, seen: set[Path]) -> set[Path]:
    if file in seen:
        return seen
    seen.add(file)
    for name in _modules(file):
        beside = file.parent / f"{name}.py"
        if beside.is_file():
            _imported(beside, seen)
    return seen


def _modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]

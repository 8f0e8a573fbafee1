"""What requests say to a worker, as their frames carry it; see ``worker/_native.py`` and ``worker/_python.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.requests import Call, Export, Live, LoadAndRun


def loading(operation: str, work: LoadAndRun) -> dict[str, Any]:
    """Return the header of a request that loads."""
    return {
        "op": operation,
        "tags": list(work.tags),
        "loader": work.loader,
        "signature": work.signature,
        "outputs": [[port.alias, port.tensor] for port in work.outputs],
    }


def live(work: Live) -> dict[str, Any]:
    """Return the header of a request that holds what an exporter saves."""
    return {
        "op": "hold",
        "file": str(work.file),
        "function": work.function,
        "strip_default_attrs": work.strip_default_attrs,
        "seed": work.seed,
        "tags": list(work.tags),
        "signature": work.signature,
        "outputs": [[port.alias, port.tensor] for port in work.outputs],
    }


def export(work: Export) -> dict[str, Any]:
    """Return the header of a request that exports."""
    return {
        "op": "export",
        "file": str(work.file),
        "function": work.function,
        "directory": str(work.directory),
        "strip_default_attrs": work.strip_default_attrs,
        "seed": work.seed,
    }


def call(work: Call) -> dict[str, Any]:
    """Return the header of a request that calls a function."""
    return {
        "op": "call",
        "file": str(work.file),
        "function": work.function,
        "arguments": dict(work.arguments),
    }

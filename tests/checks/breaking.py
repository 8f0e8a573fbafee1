"""Frozen models, one edit to them, and what all rules say then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.checks.run import check
from savedmodel_compat.model import schema

MODELS = Path(__file__).parent.parent / "models"
GOOD = ("builder-1.15.5", "module-2.21.0")


def edit(folder: Path, change: Callable[[schema.SavedModel], object]) -> None:
    """Change the message of a model in place; its fingerprint, which no longer holds, goes.

    Args:
        folder: the model's.
        change: gets the message and bends it.
    """
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    change(proto)
    file.write_bytes(proto.SerializeToString())
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def findings(folder: Path, *, notes: bool = False) -> list[Finding]:
    """Return what all rules say of a model; notes only if they are asked for."""
    return [
        finding for finding in check(folder).findings if notes or finding.severity.value != "note"
    ]


def rules(folder: Path, *, notes: bool = False) -> list[str]:
    """Return the ids of the rules that a model breaks, each once, sorted."""
    return sorted({finding.rule for finding in findings(folder, notes=notes)})

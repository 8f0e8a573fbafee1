"""Tests of what an exporter is made of."""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat.matrix.sources import source_digest


def test_what_it_imports_counts_and_what_lies_beside_does_not(tmp_path: Path) -> None:
    """A change of a file that it imports, itself or through another, is a change of the exporter."""
    exporter = tmp_path / "exporter.py"
    exporter.write_text("import numpy\nfrom _saving import save\n")
    (tmp_path / "_saving.py").write_text("def save():\n    import _deep\n")
    (tmp_path / "_deep.py").write_text("import exporter\n")
    first = source_digest(exporter)
    (tmp_path / "stranger.py").write_text("x = 1\n")
    assert source_digest(exporter) == first
    (tmp_path / "_deep.py").write_text("import exporter  # changed\n")
    assert source_digest(exporter) != first

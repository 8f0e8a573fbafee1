"""A fault in an exporter turns its cells red, and no others: its goldens know what it has to answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat import cli

ROOT = Path(__file__).parent.parent
EXPORTERS = ("half_plus_two", "mnist_cnn", "vocabulary")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this repository's exporters, and of the goldens of three of them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "suites" / "exporters", tmp_path / "suites" / "exporters")
    for name in EXPORTERS:
        shutil.copytree(ROOT / "golden" / "tensors" / name, tmp_path / "golden" / "tensors" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cells(folder: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Run three exporters in two consumers with their goldens; return the cells by model, consumer and signature."""
    path = folder / "record.json"
    where = ("--with", "2.11.1", "--on", "2.4.4,2.21.0", "--strip", "on")
    assert cli.run(["matrix", *EXPORTERS, *where, "--golden", "golden", "--json", str(path)]) < 2
    found = json.loads(path.read_text())["cells"]
    return {(cell["model"], cell["consumer"], cell["signature"]): cell for cell in found}


def replace(path: Path, old: str, new: str) -> None:
    """Seed a fault."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_without_a_fault(repository: Path) -> None:
    """All of them pass."""
    assert {cell["outcome"] for cell in cells(repository).values()} == {"pass"}


def test_a_weight(repository: Path) -> None:
    """One bias that is off by a thousandth part fails the cells of its model, and they say by how much."""
    exporter = repository / "suites" / "exporters" / "half_plus_two.py"
    replace(exporter, 'variable("b", np.float32(2.0))', 'variable("b", np.float32(2.002))')
    for (model, _, _), cell in cells(repository).items():
        expected = ("fail", "output-mismatch") if model == "half_plus_two" else ("pass", None)
        assert (cell["outcome"], cell["cause"]) == expected, cell["id"]


def test_the_name_of_a_signature(repository: Path) -> None:
    """The signature that has another name has no golden, and fails for that; those beside it pass."""
    exporter = repository / "suites" / "exporters" / "half_plus_two.py"
    replace(exporter, '"regress_x_to_y": GraphSignature', '"regress_x_to_z": GraphSignature')
    found = cells(repository)
    red = {key: cell["cause"] for key, cell in found.items() if cell["outcome"] != "pass"}
    assert set(red) == {
        ("half_plus_two", consumer, "regress_x_to_z") for consumer in ("2.4.4", "2.21.0")
    }
    assert set(red.values()) == {"golden-missing"}


def test_the_text_of_an_asset(repository: Path) -> None:
    """Another word in a vocabulary file fails the cells of its model, and only them."""
    replace(repository / "suites" / "exporters" / "vocabulary.py", 'b"quick"', 'b"quack"')
    red = {key for key, cell in cells(repository).items() if cell["outcome"] != "pass"}
    assert red
    assert {model for model, _, _ in red} == {"vocabulary"}

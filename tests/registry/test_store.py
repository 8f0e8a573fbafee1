"""Tests of the file that snapshots lie in: what is written comes back, and no more is read than is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.made import definition, kernel, release, written

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import schema
from savedmodel_compat.registry import _file, snapshots
from savedmodel_compat.registry._pack import pack
from savedmodel_compat.registry._source import SHIPPED
from savedmodel_compat.registry._store import Store

FIRST = release(
    "1.0.0",
    ops={"Add": definition("Add", T="type"), "Gone": definition("Gone")},
    kernels={"Add": (kernel("CPU", 1), kernel("CPU", 3)), "Gone": (kernel("CPU"),)},
    libraries={"contrib/new": {"New": definition("New")}},
)
SECOND = release(
    "2.0.0",
    ops={"Add": definition("Add", T="type", Tout="type"), "New": definition("New", T="type")},
    kernels={"Add": (kernel("CPU", 1),), "Orphan": (kernel("GPU"), kernel("GPU"))},
)
THIRD = release("3.0.0", ops={"Add": FIRST.ops["Add"]}, kernels={"Add": FIRST.kernels["Add"]})


def test_what_is_packed_comes_back(tmp_path: Path) -> None:
    """Every release comes back as it was: forms that return, op libraries, kernels that are there twice."""
    store = written(tmp_path / "store.z", FIRST, SECOND, THIRD)
    assert [store.registered(column) for column in range(3)] == [FIRST, SECOND, THIRD]


def test_what_is_shipped_comes_back(tmp_path: Path) -> None:
    """Reading all that is shipped and writing it again loses nothing, as when a release is added."""
    store = Store.open(SHIPPED)
    releases = [store.registered(column) for column in range(len(store.releases))]
    again = written(tmp_path / "store.z", *releases)
    assert [again.registered(column) for column in range(len(again.releases))] == releases
    assert pack(releases) == pack(releases)


def test_equal_definitions_are_stored_once(tmp_path: Path) -> None:
    """A definition that returns after another one has its old number, and so have kernels."""
    store = written(tmp_path / "store.z", FIRST, SECOND, THIRD)
    assert [store.ops.column(column)["Add"] for column in range(3)] == [1, 2, 1]
    assert [store.kernels.column(column)["Add"] for column in range(3)] == [1, 2, 1]
    assert store.definition(1) == FIRST.ops["Add"]


def test_nothing_is_parsed_at_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a file decompresses nothing, listing a release's ops two tables, an op what has the newest forms."""
    sections: list[str] = []
    parsed: list[object] = []
    section = _file.File.section

    def counted(self: _file.File, name: str) -> bytes:
        sections.append(name)
        return section(self, name)

    monkeypatch.setattr(_file.File, "section", counted)
    monkeypatch.setattr(schema, "parse", lambda message, _: parsed.append(message))
    store = Store.open(SHIPPED)
    assert len(store.releases) == len(snapshots.releases())
    assert sections == []
    assert len(store.ops.column(0)) > 700
    assert sections == ["names", "ops"]
    store.definition(store.newest("Conv2D"))
    store.definition(store.newest("MatMul"))
    assert sections == ["names", "ops", "newest"]
    assert parsed == []


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_file_cut_short(tmp_path: Path, kept: int) -> None:
    """A file that lost its end is named, with what to do, rather than read in part."""
    path = tmp_path / "cut.z"
    path.write_bytes(SHIPPED.read_bytes()[:kept])
    with pytest.raises(InfrastructureError, match="is damaged") as raised:
        Store.open(path)
    assert str(path) in raised.value.message
    assert "runtime snapshot" in str(raised.value.hint)


def test_a_file_with_a_changed_byte(tmp_path: Path) -> None:
    """A byte that changed anywhere behind the first line is found when the file is opened."""
    path = tmp_path / "changed.z"
    content = bytearray(SHIPPED.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        InfrastructureError, match=f"{len(content)} bytes are cut short, or changed"
    ):
        Store.open(path)


def test_a_newer_format(tmp_path: Path) -> None:
    """A file of a format that is not known is not guessed at: the error names both formats."""
    path = tmp_path / "newer.z"
    newer = b"registry %d " % (_file.FORMAT + 1)
    path.write_bytes(SHIPPED.read_bytes().replace(b"registry %d " % _file.FORMAT, newer, 1))
    with pytest.raises(InfrastructureError) as raised:
        Store.open(path)
    assert f"{path} has format {_file.FORMAT + 1}" in raised.value.message
    assert f"up to {_file.FORMAT}" in raised.value.message


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"savedmodel-compat registry x\n"])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no store is told so."""
    path = tmp_path / "other.z"
    path.write_bytes(content)
    with pytest.raises(InfrastructureError, match="its first line is not that of a store"):
        Store.open(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The path and the system's reason stand in the error."""
    with pytest.raises(InfrastructureError, match="absent.z cannot be read: No such file"):
        Store.open(tmp_path / "absent.z")

"""Tests of golden folders that lead elsewhere, or that nobody may look into."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.golden.stored import files_below, golden

from savedmodel_compat.errors import GoldenDamagedError
from savedmodel_compat.golden import _folders
from savedmodel_compat.golden.store import Store

AS_NOBODY = """
import os, pathlib, sys
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.golden import _folders
from savedmodel_compat.golden.store import Key, Store
if os.geteuid() == 0:
    os.setuid(65534)
store = Store(pathlib.Path(sys.argv[1]))
key = Key(model="half_plus_two", tags=("serve",), signature="serving_default")
for look in (
    store.keys,
    lambda: store.read(key),
    lambda: _folders.entries(store.root / "tensors" / "half_plus_two"),
    lambda: _folders.check_inside(store.root, store.place(key)),
):
    try:
        look()
    except InfrastructureError as error:
        print(error.message)
"""


@pytest.mark.parametrize("name", ["tensors", "pending"])
@pytest.mark.parametrize("mark", ["@new", "@old"])
def test_nothing_is_removed_through_a_link(tmp_path: Path, name: str, mark: str) -> None:
    """What looks like a dead writer's folder, behind a link, is somebody's own, and stays."""
    root, elsewhere = tmp_path / "golden", tmp_path / "elsewhere"
    (elsewhere / f".keep{mark}").mkdir(parents=True)
    (elsewhere / f".keep{mark}" / "data").write_text("precious")
    root.mkdir()
    (root / name).symlink_to("../elsewhere")
    before = files_below(elsewhere)
    _folders.sweep(root / name, 5)
    assert files_below(elsewhere) == before

    store = Store(root)
    if name == "tensors":
        with pytest.raises(GoldenDamagedError, match="symbolic link"):
            store.write(golden())
    else:
        store.write(golden())
    assert files_below(elsewhere) == before


def test_a_dead_writer_s_folder_goes_below_a_root_that_is_a_link(tmp_path: Path) -> None:
    """The root itself may be a link: what lies below it is ours."""
    (tmp_path / "real" / "tensors" / ".left@new").mkdir(parents=True)
    (tmp_path / "golden").symlink_to("real")
    Store(tmp_path / "golden").write(golden())
    assert os.listdir(tmp_path / "real" / "tensors") == ["half_plus_two"]


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_looked_into(mode: int) -> None:
    """It is no damage and no fault of the harness: the folder is named, and what is refused."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        store = Store(Path(folder) / "golden")
        store.write(golden())
        hidden = store.root / "tensors" / "half_plus_two"
        hidden.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(store.root)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        hidden.chmod(0o755)
    assert done.stderr == ""
    said = done.stdout.splitlines()
    # Whoever may list a folder and not enter it gets its names.
    assert len(said) == (4 if mode == 0 else 3)
    for line in said:
        assert line.startswith(str(hidden))
        assert line.endswith("cannot be read: Permission denied")


def test_nothing_is_removed_through_a_link_further_down(tmp_path: Path) -> None:
    """A link in the place of a model's folder is refused before anything behind it is put right."""
    root, elsewhere = tmp_path / "golden", tmp_path / "elsewhere"
    made = golden()
    place = Store(root).place(made.key)
    dead = elsewhere / place.parent.name / f".{place.name}@new"
    dead.mkdir(parents=True)
    (dead / "data").write_text("precious")
    place.parent.parent.parent.mkdir(parents=True)
    place.parent.parent.symlink_to(elsewhere)
    store = Store(root)
    for look in (
        lambda: store.write(made),
        lambda: store.add(made),
        lambda: store.read(made.key),
        lambda: store.manifest(made.key),
    ):
        with pytest.raises(GoldenDamagedError, match="link"):
            look()
    assert (dead / "data").read_text() == "precious"

"""Tests of `savedmodel_compat.model.defaults`: the copy of a model is whole, or it is not there."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from savedmodel_compat.errors import InfrastructureError, NotASavedModelError, UsageError
from savedmodel_compat.model import files, read, schema
from savedmodel_compat.model.defaults import put_back
from savedmodel_compat.registry import snapshots

FROZEN = Path(__file__).parent.parent / "models" / "module-2.21.0"
AS_CHILD = """
import os, sys
from savedmodel_compat.model.defaults import put_back
from savedmodel_compat.registry import snapshots
{before}
try:
    put_back(sys.argv[1], sys.argv[2], registry=snapshots)
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a model, with more in it than loaders look at."""
    model = Path(shutil.copytree(FROZEN, tmp_path / "model"))
    (model / "assets.extra").mkdir()
    (model / "assets.extra/tf_serving_warmup_requests").write_bytes(b"warm")
    (model / "debug").mkdir()
    (model / "debug/saved_model_debug_info.pb").write_bytes(b"\x0a\x01x")
    (model / "keras_metadata.pb").write_bytes(b"keras")
    (model / "notes/of/mine").mkdir(parents=True)
    (model / "notes/of/mine/README").write_text("mine")
    (model / "empty").mkdir()
    return model


def run(folder: Path, destination: Path) -> None:
    """Put the defaults back, which changes the model's file and its fingerprint."""
    put_back(folder, destination, registry=snapshots)


def child(folder: Path, destination: Path, before: str = "") -> subprocess.Popen[str]:
    """The same in a process of its own, which does something else before."""
    source = AS_CHILD.format(before=before)
    return subprocess.Popen(
        [sys.executable, "-c", source, str(folder), str(destination)],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_all_files_are_copied(folder: Path, tmp_path: Path) -> None:
    """Whatever lies in the folder, known to TensorFlow or not, with empty folders and permissions."""
    (folder / "notes/of/mine/README").chmod(0o640)
    (folder / "notes").chmod(0o750)
    before = files.manifest(folder)

    run(folder, tmp_path / "out")

    after = {file.name: file for file in files.manifest(tmp_path / "out")}
    changed = [file.name for file in before if after.pop(file.name) != file]
    assert changed == ["fingerprint.pb", "saved_model.pb"]
    assert after == {}
    assert (tmp_path / "out/empty").is_dir()
    assert stat.S_IMODE((tmp_path / "out/notes/of/mine/README").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "out/notes").stat().st_mode) == 0o750


def test_the_model_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    """Nothing is written into it, nor beside it but the copy."""
    before = files.digest(folder)
    run(folder, tmp_path / "out")

    assert files.digest(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out"]


def test_links_stay_links(folder: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts a model: what is changed is the file that the links lead to."""
    data = folder / "..2024"
    data.mkdir()
    for name in ("saved_model.pb", "fingerprint.pb"):
        (folder / name).rename(data / name)
        (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to("..2024")
    (folder / "absolute").symlink_to(folder / "notes/of")
    (folder / "notes/round").symlink_to("../../model/notes/of/mine/README")
    (folder / "itself").symlink_to(".")

    run(folder, tmp_path / "out")

    links = {
        str(path.relative_to(tmp_path / "out")): str(path.readlink())
        for path in sorted((tmp_path / "out").rglob("*"))
        if path.is_symlink()
    }
    assert links == {
        "..data": "..2024",
        "absolute": "notes/of",
        "fingerprint.pb": "..2024/fingerprint.pb",
        "itself": ".",
        "notes/round": "of/mine/README",
        "saved_model.pb": "..2024/saved_model.pb",
    }
    assert not read(tmp_path / "out").meta_graphs[0].stripped_default_attrs


def test_a_link_to_what_is_left_out_goes_too(folder: Path, tmp_path: Path) -> None:
    """A fingerprint that is left out leaves no link that leads nowhere."""
    said = schema.FingerprintDef.FromString((folder / "fingerprint.pb").read_bytes())
    said.graph_def_program_hash = 7
    (folder / "notes/fingerprint.pb").write_bytes(said.SerializeToString())
    (folder / "fingerprint.pb").unlink()
    (folder / "fingerprint.pb").symlink_to("notes/fingerprint.pb")

    run(folder, tmp_path / "out")

    assert not os.path.lexists(tmp_path / "out/fingerprint.pb")
    assert not (tmp_path / "out/notes/fingerprint.pb").exists()


@pytest.mark.parametrize("target", ["/etc/hostname", "../secret", "nowhere", "loop"])
def test_links_out_of_the_model_are_not_followed(target: str, folder: Path, tmp_path: Path) -> None:
    """Nor copied: where they led would be another place."""
    (tmp_path / "secret").write_text("secret")
    (folder / "loop").symlink_to(target)

    with pytest.raises(NotASavedModelError, match="loop is a link to") as refused:
        run(folder, tmp_path / "out")
    assert "cp -rL" in (refused.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_what_is_no_file_is_refused(folder: Path, tmp_path: Path) -> None:
    """A pipe has no end to copy."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(NotASavedModelError, match="neither a file nor a folder"):
        run(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["variables/variables.index", "saved_model.pb", "notes"])
def test_what_cannot_be_read_is_named(name: str, folder: Path) -> None:
    """Nothing is copied without it."""
    # What is read of the package itself is read before, as it may lie where nobody may look.
    nobody = (
        "import farmhash\nfrom savedmodel_compat.registry import snapshots\n"
        "snapshots.releases()\nif os.geteuid() == 0: os.setuid(65534)"
    )
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        root.chmod(0o777)
        shutil.copytree(folder, root / "model")
        (root / "model" / name).chmod(0)
        process = child(root / "model", root / "out", nobody)
        told = process.communicate()[1]
        left = [path.name for path in root.iterdir()]
        (root / "model" / name).chmod(0o700)

    assert process.returncode == 1
    assert f"{name} cannot be read" in told
    assert left == ["model"]


def test_an_empty_folder_may_be_filled(folder: Path, tmp_path: Path) -> None:
    """It is there already, but nothing is lost."""
    (tmp_path / "out").mkdir()
    run(folder, tmp_path / "out")
    assert (tmp_path / "out/saved_model.pb").is_file()


def test_a_link_to_an_empty_folder_may_be_filled(folder: Path, tmp_path: Path) -> None:
    """What it leads to is filled, and the link stays."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    run(folder, tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk/saved_model.pb").is_file()


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_not_written_over(kind: str, folder: Path, tmp_path: Path) -> None:
    """Whatever it is."""
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
        (out / "mine").write_text("mine")
    elif kind == "file":
        out.write_text("mine")
    else:
        out.symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        run(folder, out)


@pytest.mark.parametrize("name", ["out", "variables/out", "empty", "../model/out"])
def test_the_copy_is_not_put_into_the_model(name: str, folder: Path) -> None:
    """It would be in the copy in turn."""
    with pytest.raises(UsageError, match="is inside of"):
        run(folder, folder / name)


def test_a_new_version_beside_the_one_that_is_served(folder: Path, tmp_path: Path) -> None:
    """Of a base folder the highest version is taken; the copy may become the next one."""
    (tmp_path / "base").mkdir()
    folder.rename(tmp_path / "base/00000123")

    run(tmp_path / "base", tmp_path / "base/124")

    assert sorted(path.name for path in (tmp_path / "base").iterdir()) == ["00000123", "124"]
    assert (tmp_path / "base/124/saved_model.pb").is_file()


def test_parents_are_made(folder: Path, tmp_path: Path) -> None:
    """As `mkdir -p` does."""
    run(folder, tmp_path / "a/b/out")
    assert (tmp_path / "a/b/out/saved_model.pb").is_file()


def test_a_parent_that_is_a_file(folder: Path, tmp_path: Path) -> None:
    """What the system says is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        run(folder, tmp_path / "file/out")


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_disk_that_is_full_leaves_nothing(size: int, folder: Path, tmp_path: Path) -> None:
    """Whether the model's file does not fit, or one beside it."""
    (folder / "assets.extra/large").write_bytes(b"x" * 200_000)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    process = child(folder, tmp_path / "out", limit)
    told = process.communicate()[1]

    assert process.returncode == 1
    assert told.startswith(f"InfrastructureError: {tmp_path}/out cannot be written")
    assert "cannot be written" in told
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.fixture
def slow(folder: Path) -> Iterator[Path]:
    """A model with a file that takes a while to copy."""
    with (folder / "assets.extra/large").open("wb") as opened:
        opened.truncate(20 << 30)
    yield folder
    (folder / "assets.extra/large").unlink()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_copy_that_is_cut_short_is_not_there(
    sent: signal.Signals, slow: Path, tmp_path: Path
) -> None:
    """It has its name only when it is whole; an interrupt leaves nothing at all."""
    process = child(slow, tmp_path / "out")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.*/made/assets.extra/large")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(sent)
    process.communicate()

    assert not (tmp_path / "out").exists()
    if sent is signal.SIGINT:
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
    for left in tmp_path.glob(".out.*"):
        shutil.rmtree(left)

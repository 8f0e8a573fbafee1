"""The command ``runtime snapshot``: against real wheels, and in a checkout of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.test_cli_runtime import linked

import savedmodel_compat
from savedmodel_compat import cli
from savedmodel_compat.cache import VARIABLE, Cache, default_root
from savedmodel_compat.model import schema
from savedmodel_compat.registry import keep, snapshots
from savedmodel_compat.registry._pack import Registered
from savedmodel_compat.registry._store import Store
from savedmodel_compat.runtimes import download, pins, wheel
from savedmodel_compat.runtimes.base import Runtime

TAKEN = "2.4.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A copy of the package in a folder of its own, as a clone of the repository has it."""

    root: Path

    @property
    def store(self) -> Path:
        """Where its snapshots lie."""
        return self.root / "harness/savedmodel_compat/registry/snapshots.z"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its command line."""
        return subprocess.run(
            [sys.executable, "-m", "savedmodel_compat", *arguments],
            env={**os.environ, "PYTHONPATH": str(self.root / "harness")},
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def seed(self, change: Callable[[Registered], Registered]) -> None:
        """Change what is shipped of one release."""
        everything = keep.shipped()
        everything[TAKEN] = change(everything[TAKEN])
        keep.in_file(everything.values(), self.store)


@pytest.fixture
def checkout(tmp_path: Path, wheel_runtime: Callable[[str], Runtime]) -> Checkout:
    """A checkout whose pins are the shipped ones; the release that is taken is ready."""
    wheel_runtime(TAKEN)
    package = Path(savedmodel_compat.__file__).parent
    shutil.copytree(package, tmp_path / "harness/savedmodel_compat")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "savedmodel-compat"\n')
    return Checkout(root=tmp_path)


def faulty(snapshot: Registered) -> Registered:
    """The snapshot with an op less, another default of an attr, and another constraint of a kernel."""
    ops, kernels = dict(snapshot.ops), dict(snapshot.kernels)
    del ops["MatMul"]
    conv = schema.parse(schema.OpDef, ops["Conv2D"])
    [attr] = [attr for attr in conv.attr if attr.name == "data_format"]
    attr.default_value.s = b"NCHW"
    ops["Conv2D"] = conv.SerializeToString(deterministic=True)
    first, *others = kernels["Sum"]
    kernel = schema.parse(schema.KernelDef, first)
    kernel.constraint[0].allowed_values.list.type[0] = 7
    changed = [kernel.SerializeToString(deterministic=True), *others]
    kernels["Sum"] = tuple(sorted(changed))
    return replace(snapshot, ops=ops, kernels=kernels)


def test_snapshots_are_checked(checkout: Checkout) -> None:
    """An op that was lost, a default and a constraint that changed are found and told; else all is well."""
    sound = checkout.run("runtime", "snapshot", TAKEN, "--check")
    assert sound.returncode == 0, sound.stderr
    assert "1 snapshots taken, 0 differences from what is shipped" in sound.stderr
    checkout.seed(faulty)
    seeded = checkout.store.read_bytes()
    found = checkout.run("runtime", "snapshot", TAKEN, "--check")
    assert found.returncode == 1, found.stderr
    told = found.stdout.splitlines()[2:]
    assert told[0] == (
        f"{TAKEN}: op Conv2D: attr 'data_format': "
        'default_value was {s: "NCHW"}, and is {s: "NHWC"}'
    )
    assert told[1] == f"{TAKEN}: op MatMul is new"
    assert [line.startswith(f"{TAKEN}: op Sum: the kernel ") for line in told[2:]] == [True, True]
    assert "DT_STRING" in told[2]
    assert told[2].endswith("is gone")
    assert told[3].endswith("is new")
    assert "4 differences" in found.stderr
    assert checkout.store.read_bytes() == seeded


def test_a_release_is_added_to_the_package(checkout: Checkout) -> None:
    """`--shipped` puts a release next to those that are there, and leaves out what is pinned no more."""
    everything = keep.shipped()
    former = replace(everything["1.4.1"], release="1.3.0")
    others = [one for release, one in everything.items() if release != TAKEN]
    keep.in_file([former, *others], checkout.store)
    done = checkout.run("runtime", "snapshot", TAKEN, "--shipped")
    assert done.returncode == 0, done.stderr
    assert "left out, since they are pinned no more: 1.3.0" in done.stderr
    store = Store.open(checkout.store)
    again = [store.registered(column) for column in range(len(store.releases))]
    assert again == list(everything.values())


def test_the_first_snapshot_of_a_package(checkout: Checkout) -> None:
    """`--shipped` needs nothing that is shipped: the file may be lost."""
    checkout.store.unlink()
    missing = checkout.run("runtime", "snapshot", TAKEN, "--check")
    assert missing.returncode == 1, missing.stderr
    assert f"{TAKEN}: no snapshot of it is shipped" in missing.stdout
    done = checkout.run("runtime", "snapshot", TAKEN, "--shipped")
    assert done.returncode == 0, done.stderr
    [only] = snapshots.read(checkout.store)
    assert only.release == TAKEN


def test_an_installed_package_is_left_alone(checkout: Checkout) -> None:
    """Where the package lies in no checkout of its repository, `--shipped` is a mistake, said at once."""
    (checkout.root / "pyproject.toml").write_text('[project]\nname = "another"\n')
    before = checkout.store.read_bytes()
    refused = checkout.run("runtime", "snapshot", TAKEN, "--shipped")
    assert refused.returncode == 4
    assert "is an installed package, not a checkout" in refused.stderr
    assert "hint: " in refused.stderr
    assert refused.stdout == ""
    assert checkout.store.read_bytes() == before


def test_a_snapshot_in_a_file(
    tmp_path: Path, wheel_runtime: Callable[[str], Runtime], capfd: pytest.CaptureFixture[str]
) -> None:
    """`-o` writes one file, and the row on stdout tells what is in it."""
    wheel_runtime(TAKEN)
    path = tmp_path / "taken.z"
    assert cli.run(["runtime", "snapshot", TAKEN, "-o", str(path)]) == 0
    head, row = capfd.readouterr().out.splitlines()
    [taken], shipped = snapshots.read(path), snapshots.get(TAKEN)
    assert shipped is not None
    assert head.split() == ["release", "ops", "added", "kernels", "GraphDef", "wheel"]
    assert row.split() == [TAKEN, "1552", "1", "8665", "561", shipped.wheel_sha256]
    assert [taken.form(op) for op in taken.ops] == [shipped.form(op) for op in shipped.ops]


def test_a_snapshot_in_the_cache(
    table: pins.PinTable,
    wheel_runtime: Callable[[str], Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Without options a snapshot lies in the cache, where it is found by its wheel; again is no other."""
    wheel_runtime(TAKEN)
    mine, users = Cache(root=tmp_path / "cache"), Cache(root=default_root())
    download.wheel_of(table.get(TAKEN), users)
    for entry in (wheel.entry_of(table.get(TAKEN)), download.entry_of(table.get(TAKEN))):
        shutil.copytree(users.path(entry), mine.path(entry), copy_function=linked)
    monkeypatch.setenv(VARIABLE, str(mine.root))
    for _ in range(2):
        assert cli.run(["runtime", "snapshot", TAKEN]) == 0
    [file] = (mine.root / "snapshots").glob("*/*")
    assert f"{TAKEN}: {file}" in capfd.readouterr().err
    [taken], shipped = snapshots.read(file), snapshots.get(TAKEN)
    assert shipped is not None
    assert (taken.ops, taken.wheel_sha256) == (shipped.ops, shipped.wheel_sha256)


def test_a_snapshot_that_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A release without a wheel is infrastructure, and nothing is written rather than a part."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    path = tmp_path / "taken.z"
    assert cli.run(["runtime", "snapshot", "1.7.1", "-o", str(path)]) == 7
    err = capfd.readouterr().err
    assert "tensorflow==1.7.1 for CPython 3.6 could not be fetched" in err
    assert "the snapshots of 1 of 1 releases could not be taken; nothing is written" in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--check", "--shipped"], "-o, --shipped and --check exclude one another"),
        (["-o", "absent/taken.z"], "absent/taken.z cannot be written: there is no folder absent"),
    ],
)
def test_options_that_cannot_be(
    options: list[str], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What cannot be is said as a mistake of usage, before any work is done."""
    assert cli.run(["runtime", "snapshot", "all", *options]) == 4
    out, err = capfd.readouterr()
    assert told in err
    assert out == ""

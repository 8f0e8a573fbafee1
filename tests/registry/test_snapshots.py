"""Tests of `savedmodel_compat.registry.snapshots`: what each release registers, as it is shipped and as it is cached."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache as cached
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.registry import keep, snapshots
from savedmodel_compat.registry._pack import Registered
from savedmodel_compat.registry._source import SHIPPED
from savedmodel_compat.runtimes import pins, wheel
from savedmodel_compat.runtimes.manifest import Manifest

ROOT = Path(__file__).parent.parent.parent
FLOAT, HALF = 1, 19
OTHER_WHEEL = "ab" * 32


def shipped(release: str) -> snapshots.Snapshot:
    """The shipped snapshot of a release."""
    found = snapshots.get(release)
    assert found is not None
    return found


@cached
def everything() -> dict[str, Registered]:
    """All that is shipped, by release."""
    return keep.shipped()


def in_full(release: str) -> Registered:
    """All that the shipped snapshot of a release holds."""
    return everything()[release]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(root=tmp_path / "cache")


def test_they_are_of_the_pins(table: pins.PinTable) -> None:
    """Each pin has a snapshot, taken from the very wheel that is pinned."""
    assert snapshots.releases() == tuple(pin.release for pin in table.on("cpu"))
    for pin in pins.load(machine=keep.MACHINE).on("cpu"):
        assert shipped(pin.release).wheel_sha256 == pin.sha256
        assert snapshots.of_pin(pin) is snapshots.get(pin.release)


def test_the_file_is_small() -> None:
    """All releases together take a small part of the package."""
    assert SHIPPED.stat().st_size < 250_000


@pytest.mark.parametrize(
    ("release", "version"),
    [("1.4.1", 24), ("1.12.3", 27), ("1.13.2", 27), ("2.4.4", 561), ("2.21.0", 2474)],
)
def test_graph_def_versions(release: str, version: int) -> None:
    """The GraphDef version is the one that a build writes into its graphs."""
    assert shipped(release).graph_def_version == version


def test_a_release_has_its_own_ops() -> None:
    """Conv2D took its explicit paddings in 1.14; what came later is not in a release before."""
    old, new = shipped("1.13.2"), shipped("2.21.0")
    for snapshot, has_it in ((old, False), (new, True)):
        op = snapshot.op("Conv2D")
        assert op is not None
        assert ("explicit_paddings" in {attr.name for attr in op.attr}) is has_it
    assert "DisableCopyOnRead" in new
    assert "DisableCopyOnRead" not in old
    assert old.op("DisableCopyOnRead") is None
    assert old.form("DisableCopyOnRead") is None


def test_ops_are_sorted_names() -> None:
    """The names of ops come sorted, and each is in the snapshot."""
    snapshot = shipped("2.11.1")
    assert list(snapshot.ops) == sorted(snapshot.ops)
    assert all(name in snapshot for name in snapshot.ops)
    assert 42 not in snapshot


def test_flags_of_ops_are_kept() -> None:
    """What is said of an op beside its signature is there: state, commutativity, deprecation."""
    snapshot = shipped("2.4.4")
    ops = {
        name: snapshot.op(name) for name in ("VarHandleOp", "Add", "Assign", "BatchIFFT", "AddV2")
    }
    assert all(op is not None for op in ops.values())
    assert ops["VarHandleOp"].is_stateful  # type: ignore[union-attr]
    assert ops["AddV2"].is_commutative  # type: ignore[union-attr]
    assert ops["AddV2"].is_aggregate  # type: ignore[union-attr]
    assert ops["Assign"].allows_uninitialized_input  # type: ignore[union-attr]
    assert ops["BatchIFFT"].deprecation.version == 15  # type: ignore[union-attr]


def test_ops_of_op_libraries_are_apart() -> None:
    """What only a part of the Python package registers is named by its place, and no op of the release."""
    snapshot = shipped("1.15.5")
    assert "Resampler" in snapshot.op_libraries["contrib/resampler"]
    assert "Resampler" not in snapshot
    assert shipped("2.21.0").op_libraries.keys() == {"lite/experimental/microfrontend"}


def test_equal_numbers_are_equal_definitions() -> None:
    """Over all releases and ops, two numbers of definitions are equal if and only if the definitions are."""
    numbers: dict[bytes, set[int | None]] = {}
    for release in snapshots.releases():
        snapshot = shipped(release)
        for name, op in in_full(release).ops.items():
            numbers.setdefault(op, set()).add(snapshot.form(name))
    assert all(len(found) == 1 for found in numbers.values())
    assert len(set().union(*numbers.values())) == len(numbers)


def test_equal_numbers_are_equal_kernels() -> None:
    """The numbers of kernels do the same for each op; 0 is the number of none."""
    numbers: dict[tuple[str, tuple[bytes, ...]], set[int]] = {}
    for release in snapshots.releases():
        snapshot, all_kernels = shipped(release), in_full(release).kernels
        for name in snapshot.ops:
            key = (name, all_kernels.get(name, ()))
            numbers.setdefault(key, set()).add(snapshot.kernel_form(name))
    assert all(len(found) == 1 for found in numbers.values())
    assert all((found == {0}) is (kernels == ()) for (_, kernels), found in numbers.items())
    assert len(set().union(*numbers.values()) - {0}) == sum(bool(k) for _, k in numbers)


def test_one_object_for_all_equal_definitions() -> None:
    """Releases that define an op alike hand out one object."""
    assert shipped("2.20.0").op("MatMul") is shipped("2.21.0").op("MatMul")
    assert shipped("2.20.0").kernels("MatMul") is shipped("2.20.0").kernels("MatMul")


def test_kernels_tell_device_and_types() -> None:
    """A kernel says on what it runs, with which label, and for which values of which attrs."""
    kernels = shipped("1.12.3").kernels("Conv2D")
    on_cpu = [kernel for kernel in kernels if kernel.device == "CPU"]
    assert {kernel.label for kernel in on_cpu} == {""}
    [constraints] = {len(kernel.constraints) for kernel in on_cpu}
    assert constraints == 1
    allowed = [kernel.constraints[0].allowed.list.type[0] for kernel in on_cpu]
    assert sorted(allowed) == [FLOAT, 2, HALF]
    assert {kernel.constraints[0].attr for kernel in on_cpu} == {"T"}


def test_the_oldest_releases_have_kernels() -> None:
    """Releases that tell their kernels in words only have them as values all the same."""
    for release in ("1.4.1", "1.7.1"):
        types = {
            kernel.constraints[0].allowed.list.type[0]
            for kernel in shipped(release).kernels("Conv2D")
            if kernel.device == "CPU"
        }
        assert types == {FLOAT, HALF}
        assert shipped(release).kernels("Const")[0].constraints == ()


def test_an_op_that_lost_its_kernels() -> None:
    """BoostedTreesBucketize is registered to this day, and has no kernel from 2.9 on."""
    old, new = shipped("2.8.4"), shipped("2.9.3")
    assert [kernel.device for kernel in old.kernels("BoostedTreesBucketize")] == ["CPU"]
    assert "BoostedTreesBucketize" in new
    assert new.kernels("BoostedTreesBucketize") == ()
    assert new.kernel_form("BoostedTreesBucketize") == 0
    assert new.kernels("NoSuchOp") == ()


def test_kernels_that_come_with_a_session() -> None:
    """Up to 2.3 XLA's device is there unasked, with kernels of ops that have no other; later XLA stays out of it."""
    assert {kernel.device for kernel in shipped("2.3.4").kernels("XlaDot")} == {
        "XLA_CPU",
        "XLA_CPU_JIT",
    }
    assert [kernel.device for kernel in shipped("2.4.4").kernels("XlaDot")] == ["CPU", "GPU"]


def test_an_unknown_release() -> None:
    """A release that is neither shipped nor cached has no snapshot."""
    assert snapshots.get("2.99.0") is None


@pytest.mark.parametrize("release", ["..", "/etc", "*", "2.4.4/../2.4.4", "", "\0"])
def test_a_release_is_no_path(release: str, cache: Cache) -> None:
    """A model may name any release as its producer: it is looked up, and leads nowhere."""
    keep.in_cache(in_full("2.4.4"), cache)
    assert snapshots.get(release, cache=cache) is None


def test_another_wheel_of_a_release(cache: Cache) -> None:
    """The snapshot of a wheel is not taken for that of another one of the same release."""
    assert snapshots.get("2.4.4", wheel_sha256=OTHER_WHEEL, cache=cache) is None
    file = keep.in_cache(replace(in_full("2.4.4"), wheel_sha256=OTHER_WHEEL), cache)
    found = snapshots.get("2.4.4", wheel_sha256=OTHER_WHEEL, cache=cache)
    assert found is not None
    assert found.wheel_sha256 == OTHER_WHEEL
    assert str(file) in repr(found)
    assert snapshots.get("2.4.4", cache=cache) is shipped("2.4.4")


def test_a_release_that_is_not_shipped(cache: Cache) -> None:
    """A release of the user's own is found in the cache, and its definitions have the shipped numbers."""
    ops = dict(in_full("2.4.4").ops)
    del ops["MatMul"]
    ops["Add"] = in_full("1.4.1").ops["Add"]
    ops["Mine"] = ops["AddV2"].replace(b"AddV2", b"AddV3")
    kernels = {"Add": in_full("2.4.4").kernels["Add"], "Sub": in_full("2.4.4").kernels["Sub"][:1]}
    keep.in_cache(replace(in_full("2.4.4"), release="2.4.99", ops=ops, kernels=kernels), cache)
    mine, theirs = snapshots.get("2.4.99", cache=cache), shipped("2.4.4")
    assert mine is not None
    assert mine.form("MatMul") is None
    assert mine.form("Conv2D") == theirs.form("Conv2D")
    assert mine.op("Conv2D") is theirs.op("Conv2D")
    assert mine.form("Add") == shipped("1.4.1").form("Add")
    assert mine.kernel_form("Add") == theirs.kernel_form("Add")
    assert mine.kernel_form("Sub") not in {0, theirs.kernel_form("Sub")}
    assert len(mine.kernels("Sub")) == 1
    all_numbers = {
        shipped(release).form(op) for release in snapshots.releases() for op in shipped(release).ops
    }
    assert mine.form("Mine") not in all_numbers


def test_a_snapshot_that_is_taken_again(cache: Cache) -> None:
    """What is put into the cache a second time is what is found from then on."""
    first = replace(in_full("2.4.4"), release="2.4.98")
    keep.in_cache(first, cache)
    assert "MatMul" in (snapshots.get("2.4.98", cache=cache) or ())
    keep.in_cache(replace(first, ops={}), cache)
    assert "MatMul" not in (snapshots.get("2.4.98", cache=cache) or ())


def test_a_damaged_file_in_the_cache(cache: Cache) -> None:
    """A damaged snapshot of the release that is asked for is an error that names the file."""
    file = keep.in_cache(replace(in_full("2.4.4"), release="2.4.97"), cache)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InfrastructureError, match=str(file)):
        snapshots.get("2.4.97", cache=cache)
    assert snapshots.get("2.4.96", cache=cache) is None


def test_a_pin_without_a_digest(cache: Cache, table: pins.PinTable) -> None:
    """A pin that tells no digest means the wheel that its runtime was made of; without one, no snapshot."""
    pin = replace(table.get("2.4.4"), sha256=None)
    assert snapshots.of_pin(pin, cache=cache) is None
    folder = cache.path(wheel.entry_of(pin))
    folder.mkdir(parents=True)
    digest = shipped("2.4.4").wheel_sha256
    Manifest(harness="0", release="2.4.4", wheel="w.whl", wheel_sha256=digest, libraries=()).write(
        folder
    )
    assert snapshots.of_pin(pin, cache=cache) is shipped("2.4.4")


def test_the_snapshots_of_a_file(tmp_path: Path) -> None:
    """A file that was written for somebody else is read from where it lies, oldest release first."""
    path = tmp_path / "some.z"
    keep.in_file([in_full("2.11.1"), in_full("2.4.4")], path)
    assert [snapshot.release for snapshot in snapshots.read(path)] == ["2.4.4", "2.11.1"]
    assert snapshots.read(path)[0].ops == shipped("2.4.4").ops


def test_what_is_shipped_is_found_without_the_cache() -> None:
    """Asking about a release that is shipped imports neither the cache nor what it needs."""
    code = (
        "import sys; from savedmodel_compat.registry import snapshots; "
        "assert snapshots.get('2.4.4').form('Add'); "
        "assert not {'filelock', 'platformdirs'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_table_in_the_documentation() -> None:
    """The page on snapshots counts what is shipped."""
    lines = (ROOT / "docs/registry.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith(("| 1.", "| 2."))]
    assert rows == [
        [
            release,
            str(len(one.ops)),
            str(sum(map(len, one.libraries.values()))),
            str(sum(map(len, one.kernels.values()))),
            str(one.graph_def_version),
        ]
        for release, one in everything().items()
    ]

"""Tests of `savedmodel_compat.registry.known`: the ops that are shipped with the package."""

from __future__ import annotations

import pytest

from savedmodel_compat.registry import known, snapshots
from savedmodel_compat.runtimes import pins


def test_an_op_is_the_newest_one() -> None:
    """An op of today has the attrs of today, and its arguments with their types."""
    op = known.op("VarHandleOp")
    assert op is not None
    assert "debug_name" in [attr.name for attr in op.attr]
    assert [output.name for output in op.output_arg] == ["resource"]


def test_what_nobody_has_is_not_known() -> None:
    """An op that is no release's is None and has no attrs, rather than an error."""
    assert known.op("NoSuchOp") is None
    assert known.attrs("NoSuchOp") == frozenset()
    assert known.op_library("NoSuchOp") is None


def test_an_op_that_is_gone_is_known() -> None:
    """An op that only old releases have is still an op of TensorFlow."""
    assert known.op("Rpc") is not None
    assert known.op_library("Rpc") is None


def test_an_attr_that_is_gone_is_known() -> None:
    """An attr that the newest form has no more may stand in an older model."""
    op = known.op("CustomAggregator")
    assert op is not None
    assert "initial_num_bins" not in {attr.name for attr in op.attr}
    assert "initial_num_bins" in known.attrs("CustomAggregator")


@pytest.mark.parametrize(
    ("op", "library"),
    [
        ("Resampler", "contrib/resampler"),
        ("AudioMicrofrontend", "lite/experimental/microfrontend"),
        ("GatherTree", "contrib/seq2seq"),
        ("MatMul", None),
        ("_Arg", None),
        # It was in tf.contrib up to 1.4, and moved into TensorFlow itself.
        ("LSTMBlockCell", None),
    ],
)
def test_ops_of_op_libraries_are_told(op: str, library: str | None) -> None:
    """An op that TensorFlow never had in itself is known with the place that has it."""
    assert known.op(op) is not None
    assert known.op_library(op) == library


def test_it_is_of_the_pins(table: pins.PinTable) -> None:
    """The data are of exactly the releases that are pinned."""
    assert known.releases() == tuple(pin.release for pin in table.on("cpu"))


def test_every_op_of_every_release_is_known() -> None:
    """Each op of each release is known with every attr that it has there, its op libraries' too."""
    for release in known.releases():
        snapshot = snapshots.get(release)
        assert snapshot is not None
        for name in snapshot.ops:
            op = snapshot.op(name)
            assert op is not None
            assert {attr.name for attr in op.attr} <= known.attrs(name), name
            assert known.op_library(name) is None
        for place, names in snapshot.op_libraries.items():
            for name in names:
                assert known.op(name) is not None
                assert known.op_library(name) in {place, None}


def test_the_newest_release_is_taken_first() -> None:
    """What the newest release defines is what is known."""
    newest = snapshots.get(known.releases()[-1])
    assert newest is not None
    assert all(known.op(name) is newest.op(name) for name in newest.ops)


def test_it_has_no_documentation() -> None:
    """Descriptions are left out of every op, its arguments and its attrs."""
    newest = snapshots.get(known.releases()[-1])
    assert newest is not None
    for name in (*newest.ops, "Resampler"):
        op = known.op(name)
        assert op is not None
        assert not op.summary
        assert not op.description
        parts = [*op.input_arg, *op.output_arg, *op.attr]
        assert not any(part.description for part in parts)

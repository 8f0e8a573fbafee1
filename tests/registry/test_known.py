"""Tests of `savedmodel_compat.registry.known`: the ops that are shipped with the package."""

from __future__ import annotations

import pytest

from savedmodel_compat.registry import known
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


def test_it_was_made_of_the_pins(table: pins.PinTable) -> None:
    """The data are of exactly the releases and the wheels that are pinned."""
    assert known.releases() == tuple(pin.release for pin in table.on("cpu"))
    x86 = pins.load(machine="x86_64").on("cpu")
    assert known.shipped().wheels == {pin.release: pin.sha256 for pin in x86}


def test_it_is_small_and_without_documentation() -> None:
    """The file is a small part of the package, since descriptions are left out."""
    assert known.FILE.stat().st_size < 150_000
    for name in known.shipped().ops:
        op = known.op(name)
        assert op is not None
        assert not op.summary
        assert not op.description
        assert not any(attr.description for attr in op.attr)


def test_packing_is_undone_by_unpacking() -> None:
    """What is packed comes back whole, and again as the same bytes."""
    data = known.shipped()
    assert known.unpack(known.pack(data)) == data
    assert known.pack(data) == known.pack(known.unpack(known.pack(data)))

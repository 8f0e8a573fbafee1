"""What a definition does not grant, each kind on real definitions."""

from __future__ import annotations

from typing import Any

import pytest

from savedmodel_compat.model import schema
from savedmodel_compat.prediction.faults import Fault, Kind, faults_of
from savedmodel_compat.prediction.kernels import device_fault, kernel_fault
from savedmodel_compat.prediction.usage import Demand
from savedmodel_compat.registry import snapshots

FLOAT, INT32, STRING, INT64, BOOL = 1, 3, 7, 9, 10


def _of_type(number: int) -> bytes:
    return bytes(schema.AttrValue(type=number).SerializeToString())


def _of(op: str, inputs: int, device: str = "", label: str = "", **attrs: Any) -> Demand:
    return Demand(
        op=op, inputs=inputs, attrs=tuple(sorted(attrs.items())), label=label, device=device
    )


def _faults(demand: Demand, release: str, reference: str = "2.21.0") -> list[Fault]:
    definition = snapshots.get(release).op(demand.op)  # type: ignore[union-attr]
    assert definition is not None
    told = snapshots.get(reference).op(demand.op)  # type: ignore[union-attr]
    return list(faults_of(demand, definition, told, producer=2000))


def test_a_node_that_fits_has_none() -> None:
    """A plain MatMul fits every release."""
    demand = _of("MatMul", 2, T=_of_type(FLOAT), transpose_a=None, transpose_b=None)
    for release in snapshots.releases():
        assert _faults(demand, release) == []


def test_an_unknown_attr_at_its_default() -> None:
    """Conv2D.explicit_paddings came after 1.13; an empty list is its default."""
    empty = schema.AttrValue()
    empty.list.SetInParent()
    demand = _of(
        "Conv2D",
        2,
        T=_of_type(FLOAT),
        strides=None,
        padding=bytes(schema.AttrValue(s=b"SAME").SerializeToString()),
        explicit_paddings=bytes(empty.SerializeToString()),
    )
    [fault] = _faults(demand, "1.13.2")
    assert (fault.kind, fault.attr, fault.default) == (Kind.ATTR, "explicit_paddings", True)
    assert _faults(demand, "1.15.5") == []


def test_an_unknown_attr_with_another_value() -> None:
    """blank_index came after 2.5, and its default is -1."""
    attrs: dict[str, Any] = {
        "T": _of_type(FLOAT),
        "merge_repeated": None,
        "blank_index": bytes(schema.AttrValue(i=0).SerializeToString()),
    }
    [fault] = _faults(_of("CTCGreedyDecoder", 2, **attrs), "2.5.3")
    assert (fault.attr, fault.default) == ("blank_index", False)


def test_an_attr_that_no_release_knows() -> None:
    """Nobody tells its default."""
    attrs: dict[str, Any] = {
        "T": _of_type(FLOAT),
        "invented": bytes(schema.AttrValue(i=7).SerializeToString()),
    }
    [fault] = _faults(_of("Neg", 1, **attrs), "2.4.4")
    assert (fault.kind, fault.default) == (Kind.ATTR, None)


@pytest.mark.parametrize(
    ("op", "inputs", "attr", "kind"),
    [("Placeholder", 0, "dtype", Kind.UNTYPED), ("VariableV2", 0, "shape", Kind.MISSING)],
)
def test_a_missing_attr_without_default(op: str, inputs: int, attr: str, kind: Kind) -> None:
    """Without one that gives types, not even the graph can be made."""
    attrs: dict[str, Any] = {} if attr == "dtype" else {"dtype": _of_type(FLOAT)}
    demand = _of(op, inputs, **attrs)
    assert [(fault.kind, fault.attr) for fault in _faults(demand, "2.11.1")] == [(kind, attr)]


def test_a_type_that_is_not_allowed() -> None:
    """Neg has no bool."""
    [fault] = _faults(_of("Neg", 1, T=_of_type(BOOL)), "2.11.1")
    assert fault.kind is Kind.VALUE
    assert "bool" in fault.said


def test_a_string_that_is_not_allowed() -> None:
    """Conv2D allows EXPLICIT as padding from 1.15 on."""
    padding = bytes(schema.AttrValue(s=b"EXPLICIT").SerializeToString())
    demand = _of("Conv2D", 2, T=_of_type(FLOAT), strides=None, padding=padding)
    assert [fault.kind for fault in _faults(demand, "1.13.2")] == [Kind.VALUE]
    assert _faults(demand, "1.15.5") == []


def test_a_number_below_its_minimum() -> None:
    """AddN takes at least one input."""
    number = bytes(schema.AttrValue(i=0).SerializeToString())
    assert [f.kind for f in _faults(_of("AddN", 0, T=_of_type(FLOAT), N=number), "2.11.1")] == [
        Kind.VALUE
    ]


def test_a_value_of_another_kind() -> None:
    """A number where a type belongs."""
    number = bytes(schema.AttrValue(i=5).SerializeToString())
    assert [f.kind for f in _faults(_of("Neg", 1, T=number), "2.11.1")] == [Kind.MISTYPED]


def test_inputs_that_came_later() -> None:
    """TensorListStack takes a shape besides from 1.15 on."""
    demand = _of("TensorListStack", 2, element_dtype=_of_type(FLOAT), num_elements=None)
    [fault] = _faults(demand, "1.13.2")
    assert fault.kind is Kind.INPUTS
    assert "takes 1 inputs, and the node has 2" in fault.said
    assert _faults(demand, "1.15.5") == []


def test_an_input_whose_type_was_fixed() -> None:
    """TopKV2 took only int32 as k up to 2.12; a model with int64 does not fit there, one with int32 does."""
    wide = _of("TopKV2", 2, T=_of_type(FLOAT), Tk=_of_type(INT64), sorted=None)
    kinds = [(fault.kind, fault.attr) for fault in _faults(wide, "2.12.1")]
    assert kinds == [(Kind.ATTR, "Tk"), (Kind.INPUTS, None)]
    plain = _of("TopKV2", 2, T=_of_type(FLOAT), Tk=_of_type(INT32), sorted=None)
    assert [fault.kind for fault in _faults(plain, "2.12.1")] == [Kind.ATTR]
    assert _faults(wide, "2.13.1") == []


def test_an_output_whose_type_was_fixed() -> None:
    """TopKV2 gave only int32 indices up to 2.12."""
    demand = _of("TopKV2", 2, T=_of_type(FLOAT), index_type=_of_type(INT64), sorted=None)
    assert Kind.INPUTS in [fault.kind for fault in _faults(demand, "2.12.1")]


@pytest.mark.parametrize(
    ("taken", "fits"),
    [
        ((), True),
        (("0",), True),
        (("0", "1"), False),
        (("values:0",), True),
        (("values",), True),
        (("indices:0",), False),
        (("indices",), False),
    ],
)
def test_an_output_of_another_type_matters_if_it_is_taken(
    taken: tuple[str, ...], fits: bool
) -> None:
    """By number as in a graph, or by name as in a body: one of that name, or all."""
    attrs: dict[str, Any] = {"T": _of_type(FLOAT), "index_type": _of_type(INT64), "sorted": None}
    demand = _of("TopKV2", 2, **attrs)._replace(taken=taken)
    kinds = [fault.kind for fault in _faults(demand, "2.12.1")]
    assert kinds == ([Kind.ATTR] if fits else [Kind.ATTR, Kind.INPUTS])


@pytest.mark.parametrize(("taken", "fits"), [(("0",), True), (("2",), False)])
def test_an_output_that_came_later(taken: tuple[str, ...], fits: bool) -> None:
    """CustomAggregator gave one output up to 2.16, and gives four from 2.17 on: that matters if one of those is taken."""
    demand = _of("CustomAggregator", 1)._replace(taken=taken)
    said = [fault.said for fault in _faults(demand, "2.15.1") if fault.kind is Kind.INPUTS]
    assert said == ([] if fits else ["has no output 2, and the producer's has one, which is taken"])


def test_an_op_that_was_removed() -> None:
    """A deprecated op is refused in graphs made after its end."""
    demand = _of("BatchMatrixDiag", 1, T=_of_type(FLOAT))
    definition = snapshots.get("2.11.1").op("BatchMatrixDiag")  # type: ignore[union-attr]
    assert definition is not None
    [fault] = faults_of(demand, definition, definition, producer=14)
    assert fault.kind is Kind.DEPRECATED
    assert faults_of(demand, definition, definition, producer=13) == ()


def _kernels(demand: Demand, release: str, devices: frozenset[str]) -> Fault | None:
    snapshot = snapshots.get(release)
    assert snapshot is not None
    definition = snapshot.op(demand.op)
    assert definition is not None
    return kernel_fault(demand, snapshot.kernels(demand.op), definition, devices)


CPU = frozenset(("CPU",))


def test_an_op_that_lost_its_kernel() -> None:
    """BoostedTreesBucketize stays registered, and has no kernel from 2.9 on."""
    number = bytes(schema.AttrValue(i=1).SerializeToString())
    demand = _of("BoostedTreesBucketize", 2, num_features=number)
    assert _kernels(demand, "2.8.4", CPU) is None
    fault = _kernels(demand, "2.9.3", CPU)
    assert fault is not None
    assert fault.said == "has no kernel for CPU"


def test_a_type_without_kernel() -> None:
    """Round allows complex64, for which the CPU has no kernel; XLA has one."""
    demand = _of("Round", 1, T=_of_type(8))
    fault = _kernels(demand, "2.11.1", CPU)
    assert fault is not None
    assert "T=complex64" in fault.said
    assert _kernels(demand, "2.3.4", CPU | {"XLA_CPU"}) is None
    assert _kernels(_of("Round", 1, T=_of_type(FLOAT)), "2.11.1", CPU) is None


def test_a_type_left_at_its_default_chooses_a_kernel() -> None:
    """A node may leave out an attr that has a default, also one that kernels differ by."""
    demand = _of("ArgMax", 2, T=_of_type(FLOAT))
    assert _kernels(demand, "2.11.1", CPU) is None


def test_a_kernel_that_is_asked_for_by_name() -> None:
    """With a label only a kernel of that label will do."""
    fault = _kernels(_of("Neg", 1, label="invented", T=_of_type(FLOAT)), "2.11.1", CPU)
    assert fault is not None


@pytest.mark.parametrize(
    "device",
    [
        "",
        "/device:CPU:0",
        "/cpu:0",
        "/job:localhost/replica:0/task:0/device:CPU:0",
        "/device:CPU:*",
    ],
)
def test_a_device_that_is_there(device: str) -> None:
    """The one CPU of a process of its own."""
    assert device_fault(device, CPU) is None


@pytest.mark.parametrize(
    "device",
    [
        "/device:GPU:0",
        "/gpu:0",
        "/job:worker/task:1",
        "/device:CPU:1",
        "/job:localhost/replica:1",
        "/device:TPU:0",
    ],
)
def test_a_device_that_is_not_there(device: str) -> None:
    """Anything else."""
    fault = device_fault(device, CPU)
    assert fault is not None
    assert device in fault.said


@pytest.mark.parametrize(
    "device",
    ["/task:0" * 40 + "!", "/device:*" * 40 + "!", "/replica:0" * 40 + "x", "A" * 5_000_000],
)
def test_a_device_that_nobody_can_read(device: str) -> None:
    """However long it is, it is looked at once, and not repeated in full."""
    fault = device_fault(device, CPU)
    assert fault is not None
    assert "no name of a device" in fault.said
    assert len(fault.said) < 400

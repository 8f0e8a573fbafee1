"""Tests of `savedmodel_compat.registry.difference`: a seeded fault of each kind is told in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from savedmodel_compat.model import schema
from savedmodel_compat.registry import keep
from savedmodel_compat.registry._pack import Registered
from savedmodel_compat.registry.difference import differences

FLOAT, HALF = 1, 19


@pytest.fixture(scope="module")
def shipped() -> Registered:
    """The shipped snapshot of a release, with an op library."""
    return keep.shipped()["2.4.4"]


def with_op(snapshot: Registered, name: str, change: Callable[[Any], object]) -> Registered:
    """The snapshot with the definition of one op changed."""
    op = schema.parse(schema.OpDef, snapshot.ops[name])
    change(op)
    return replace(snapshot, ops={**snapshot.ops, name: op.SerializeToString(deterministic=True)})


def attr(op: Any, name: str) -> Any:
    """An attr of an op."""
    return next(attr for attr in op.attr if attr.name == name)


def test_a_snapshot_is_no_other_than_itself(shipped: Registered) -> None:
    """Nothing is told of what is equal."""
    assert list(differences(shipped, replace(shipped))) == []


def test_ops_that_come_and_go(shipped: Registered) -> None:
    """An op that only one of them has is told by its name."""
    ops = dict(shipped.ops)
    del ops["MatMul"]
    less = replace(shipped, ops=ops)
    assert list(differences(shipped, less)) == ["op MatMul is gone"]
    assert list(differences(less, shipped)) == ["op MatMul is new"]


@pytest.mark.parametrize(
    ("op", "change", "told"),
    [
        (
            "Conv2D",
            lambda op: setattr(attr(op, "use_cudnn_on_gpu").default_value, "b", False),
            "attr 'use_cudnn_on_gpu': default_value was {b: true}, and is {b: false}",
        ),
        (
            "Conv2D",
            lambda op: attr(op, "use_cudnn_on_gpu").ClearField("default_value"),
            "attr 'use_cudnn_on_gpu': default_value was {b: true}, and is not set",
        ),
        (
            "Conv2D",
            lambda op: attr(op, "T").allowed_values.list.type.pop(),
            "attr 'T': allowed_values was {list { type: DT_HALF",
        ),
        ("Conv2D", lambda op: op.attr.remove(attr(op, "dilations")), "attr 'dilations' is gone"),
        ("Conv2D", lambda op: op.attr.add(name="colour"), "attr 'colour' is new"),
        ("Conv2D", lambda op: op.input_arg.pop(), "input 'filter' is gone"),
        (
            "Conv2D",
            lambda op: setattr(op.output_arg[0], "is_ref", True),
            "output 'output': is_ref was not set, and is True",
        ),
        (
            "VarHandleOp",
            lambda op: op.ClearField("is_stateful"),
            "is_stateful was True, and is not set",
        ),
        (
            "BatchIFFT",
            lambda op: setattr(op.deprecation, "version", 16),
            "deprecation was {version: 15",
        ),
        ("Conv2D", lambda op: op.attr.insert(0, op.attr.pop()), "bytes changed to"),
    ],
)
def test_definitions_that_change(
    shipped: Registered, op: str, change: Callable[[Any], object], told: str
) -> None:
    """What changed in a definition is told with the op's name, before and after."""
    [line] = differences(shipped, with_op(shipped, op, change))
    assert line.startswith(f"op {op}: ")
    assert told in line


def test_kernels_that_change(shipped: Registered) -> None:
    """A kernel with another constraint is one that is gone and one that is new, each in words."""
    kernel = schema.KernelDef(device_type="CPU", label="mine", priority=3)
    kernel.constraint.add(name="T").allowed_values.list.type.extend([FLOAT, HALF])
    before = (kernel.SerializeToString(deterministic=True),)
    kernel.constraint[0].allowed_values.list.type.pop()
    after = (kernel.SerializeToString(deterministic=True),)
    old = replace(shipped, kernels={**shipped.kernels, "MatMul": before})
    new = replace(shipped, kernels={**shipped.kernels, "MatMul": after})
    assert list(differences(old, new)) == [
        f"op MatMul: the kernel CPU; label 'mine'; T in {{list {{ {types} }}}}; priority 3 is {what}"
        for types, what in (("type: DT_FLOAT type: DT_HALF", "gone"), ("type: DT_FLOAT", "new"))
    ]


def test_kernels_that_are_there_twice(shipped: Registered) -> None:
    """A second registration of a kernel is a change: it makes the choice between them ambiguous."""
    twice = {**shipped.kernels, "NoOp": (*shipped.kernels["NoOp"], *shipped.kernels["NoOp"])}
    told = list(differences(shipped, replace(shipped, kernels=twice)))
    assert told
    assert all(line.startswith("op NoOp: the kernel ") and line.endswith("is new") for line in told)


def test_all_else_that_changes(shipped: Registered) -> None:
    """The wheel, the GraphDef version and the ops of op libraries are compared too."""
    other = replace(shipped, wheel_sha256="0" * 64, graph_def_version=1, libraries={})
    assert list(differences(shipped, other)) == [
        f"it was taken from the wheel {shipped.wheel_sha256}, and now from {'0' * 64}",
        "the GraphDef version was 561, and is 1",
        "op library lite/experimental/microfrontend: op AudioMicrofrontend is gone",
    ]

"""Conv3D knows its dilations long before its kernel for the CPU takes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from savedmodel_compat.matrix.cells import Foreseen, Stage
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.model import schema
from savedmodel_compat.prediction import known_ops
from savedmodel_compat.prediction.usage import Demand
from savedmodel_compat.runtimes.base import Runtime

FLOAT, DOUBLE = 1, 2


def _conv3d(rates: list[int], dtype: int) -> Demand:
    dilations = schema.AttrValue()
    dilations.list.i.extend(rates)
    attrs = {"T": schema.AttrValue(type=dtype), "dilations": dilations}
    return Demand(
        op="Conv3D",
        inputs=2,
        attrs=tuple((name, value.SerializeToString()) for name, value in attrs.items()),
        label="",
        device="",
    )


@pytest.mark.parametrize(
    ("rates", "dtype", "release", "sure"),
    [
        ([1, 1, 1, 1, 1], FLOAT, "2.8.4", []),
        ([1, 2, 2, 2, 1], FLOAT, "1.7.1", []),
        ([1, 2, 2, 2, 1], FLOAT, "1.12.3", [True]),
        ([1, 2, 2, 2, 1], FLOAT, "2.8.4", [True]),
        ([1, 2, 2, 2, 1], FLOAT, "2.9.3", []),
        ([1, 2, 2, 2, 1], DOUBLE, "2.9.3", [False]),
    ],
)
def test_what_its_kernel_refuses(
    rates: list[int], dtype: int, release: str, sure: list[bool]
) -> None:
    """All but rates of 1, unless it is older than the check, or oneDNN takes the type."""
    found = list(known_ops.faults(_conv3d(rates, dtype), release))
    assert [fault.sure for fault in found] == sure
    assert all(fault.at_run for fault in found)


def test_the_release_says_so(
    exported: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """What is predicted is what the C++ loader does: it loads the model, and cannot run it."""
    model = exported("suites/exporters/attr_carriers.py::conv3d_dilations_set")
    consumer = Consumer(
        release="2.8.4", provider="wheel", loader="c", device="cpu", runtime=wheel_runtime("2.8.4")
    )
    [result] = run_matrix([model], [consumer], Options())
    assert result.predicted is not None
    assert (result.predicted.outcome, result.predicted.stage) == (Foreseen.FAIL, Stage.RUN)
    assert (result.stage, result.causes) == (Stage.RUN, ("kernel-missing",))
    assert agreement(result) is Agreement.AGREES

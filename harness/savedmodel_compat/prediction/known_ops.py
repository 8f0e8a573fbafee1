"""Ops whose kernels refuse what the registries grant, whatever the model looks like otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from packaging.version import Version

from savedmodel_compat.prediction.faults import Fault, Kind, parsed

if TYPE_CHECKING:
    from savedmodel_compat.prediction.usage import Demand

# A Python function lives in the process that made the graph, and in no file
# (python/lib/core/py_func.cc).
_PYTHON = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc"))
# From then on oneDNN takes channels first on a CPU; before, most kernels refuse (core/kernels/conv_ops.cc).
_TAKES_CHANNELS_FIRST = Version("2.9.3")
_CHANNELS_FIRST = frozenset((b"NCHW", b"NCDHW", b"NCHW_VECT_C"))


def faults(demand: Demand, release: str) -> Iterator[Fault]:
    """Yield what only a kernel knows.

    Args:
        demand: what the nodes ask for.
        release: such as ``2.11.1``.
    """
    if demand.op in _PYTHON:
        said = "calls a Python function, which is not in the model"
        yield Fault(kind=Kind.FUNCTION, said=said)
    if demand.op == "XlaCallModule":
        said = "holds a module that is compiled when it runs, of a version that this release may not read"
        yield Fault(kind=Kind.KERNEL, said=said, at_run=True)
    value = dict(demand.attrs).get("data_format")
    if value is None or Version(release) >= _TAKES_CHANNELS_FIRST:
        return
    if parsed(value).s in _CHANNELS_FIRST:
        said = f"has the data format {parsed(value).s.decode()}, which kernels of a CPU may refuse"
        yield Fault(kind=Kind.KERNEL, attr="data_format", said=said, at_run=True)

"""Ops whose kernels refuse, when they run, what the registries grant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from savedmodel_compat.prediction.faults import Fault, Kind, parsed
from savedmodel_compat.prediction.loaders import Switch

if TYPE_CHECKING:
    from savedmodel_compat.prediction.usage import Demand

# A Python function lives in the process that made the graph, and in no file
# (python/lib/core/py_func.cc).
_PYTHON = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc"))
# Up to 2.8 their kernels for the CPU refuse channels first; then oneDNN takes them, of some types
# (core/kernels/conv_ops.cc, core/kernels/mkl).
_ONEDNN_TAKES = Switch(last_without="2.8.4", first_with="2.9.3")
_CHANNELS_LAST = frozenset(
    (
        "AvgPool",
        "AvgPool3D",
        "Conv2D",
        "Conv2DBackpropFilter",
        "Conv2DBackpropInput",
        "Conv3D",
        "DepthwiseConv2dNative",
        "MaxPool",
        "MaxPool3D",
    )
)
# Up to 1.7 its kernel for the CPU passes over them, and from 1.12 on it refuses them, but for oneDNN
# (core/kernels/conv_ops_3d.cc).
_MINDS_DILATIONS = Switch(last_without="1.7.1", first_with="1.12.3")
_DILATED = frozenset(("Conv3D",))
# These may take them, by their other attrs and by the processor.
_DEPENDING = frozenset(
    ("DepthToSpace", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "SpaceToDepth")
)
# Up to 1.7 it took only tables that can be written to (core/kernels/lookup_table_op.h).
_IMPORTS = frozenset(("LookupTableImport", "LookupTableImportV2"))
_IMPORTS_ANYWHERE = Switch(last_without="1.7.1", first_with="1.12.3")
_CHANNELS_FIRST = frozenset((b"NCHW", b"NCDHW", b"NCHW_VECT_C"))
_FLOAT, _HALF, _BFLOAT16 = 1, 19, 14


def faults(demand: Demand, release: str) -> Iterator[Fault]:
    """Yield what only a kernel knows.

    Args:
        demand: what the nodes ask for.
        release: such as ``2.11.1``.
    """
    if demand.op in _PYTHON:
        said = "calls a Python function, which is not in the model"
        yield Fault(kind=Kind.FUNCTION, said=said)
    elif demand.op == "XlaCallModule":
        said = "holds a module that is compiled when it runs, of a version that this release may not read"
        yield Fault(kind=Kind.KERNEL, said=said, at_run=True)
    elif demand.op in _IMPORTS and not _IMPORTS_ANYWHERE.at(release):
        said = "fills a table, which not all tables of this release let it do"
        yield Fault(kind=Kind.KERNEL, said=said, at_run=True)
    else:
        yield from _channels_first(demand, release)
        if demand.op in _DILATED:
            yield from _dilated(demand, release)


def _channels_first(demand: Demand, release: str) -> Iterator[Fault]:
    value = dict(demand.attrs).get("data_format")
    if value is None or parsed(value).s not in _CHANNELS_FIRST:
        return
    named = parsed(value).s.decode()
    takes = _ONEDNN_TAKES.at(release)
    number = _type(demand)
    if demand.op in _DEPENDING:
        if takes is not True or number != _FLOAT:
            said = f"has the data format {named}, which kernels of a CPU may refuse"
            yield Fault(kind=Kind.KERNEL, attr="data_format", said=said, at_run=True)
    elif demand.op in _CHANNELS_LAST and (takes is not True or number not in (_FLOAT, _BFLOAT16)):
        sure = takes is False or number != _HALF
        said = f"has the data format {named}, which its kernel for the CPU refuses"
        yield Fault(kind=Kind.KERNEL, attr="data_format", said=said, at_run=True, sure=sure)


def _dilated(demand: Demand, release: str) -> Iterator[Fault]:
    value = dict(demand.attrs).get("dilations")
    minds = _MINDS_DILATIONS.at(release)
    if value is None or minds is False:
        return
    rates = list(parsed(value).list.i)
    takes = _ONEDNN_TAKES.at(release)
    if set(rates) <= {1} or (takes is True and _type(demand) in (_FLOAT, _BFLOAT16)):
        return
    said = f"has the dilations {rates}, which its kernel for the CPU refuses"
    sure = minds is True and takes is False
    yield Fault(kind=Kind.KERNEL, attr="dilations", said=said, at_run=True, sure=sure)


def _type(demand: Demand) -> int:
    kind = dict(demand.attrs).get("T")
    return _FLOAT if kind is None else int(parsed(kind).type)

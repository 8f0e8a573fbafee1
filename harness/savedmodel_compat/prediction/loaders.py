"""What the C++ loader of each release looks at, as measured in the pinned releases.

A switch is known at the last pin before it and at the first one after: what a release between the two does is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from packaging.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A behaviour that came with some release.

    Args:
        last_without: the last release that was seen without it; empty if all have it.
        first_with: the first that was seen with it; empty if none has it yet.
    """

    last_without: str = ""
    first_with: str = ""

    def at(self, release: str) -> bool | None:
        """Whether a release behaves so; None if it lies between the two that were seen."""
        version = Version(release)
        if self.last_without and version <= Version(self.last_without):
            return False
        if not self.first_with:
            return False
        return True if version >= Version(self.first_with) else None


IGNORES_UNKNOWN_ATTRS = Switch(last_without="2.4.4", first_with="2.5.0")
"""Unknown attrs are left out, where they were errors (``ValidateNodeDef`` in ``core/framework/node_def_util.cc``)."""

BUILDS_CALLED_FUNCTIONS = Switch(last_without="1.13.2", first_with="1.15.5")
"""The bodies of functions that nodes of the graph call are built at load, to see whether the placer must look into them
(``core/common_runtime/placer_inspection_required_ops_utils.cc``)."""

LOWERS_CONTROL_FLOW = Switch(last_without="1.7.1", first_with="1.12.3")
"""Control flow that is marked for it is replaced by the bodies of its branches at load
(``core/common_runtime/lower_functional_ops.cc``)."""

CHECKS_CONSTANTS = Switch(last_without="1.13.2", first_with="1.15.5")
"""Constants without a value are refused wherever they stand (``ValidateSavedTensors`` in ``cc/saved_model/loader.cc``)."""

READIES_LOOPS = Switch(last_without="1.12.3", first_with="1.13.2")
"""The bodies of loops that were replaced at load are made ready with all that runs, whether or not the loop turns."""

FUSES_NODES = Switch(last_without="1.12.3", first_with="1.13.2")
"""Grappler makes one node of several in a body before it runs, without the attrs that it does not know
(``core/grappler/optimizers/remapper.cc``)."""

_HAS_XLA_CPU = Switch(last_without="1.7.1", first_with="1.12.3")
_HIDES_XLA_CPU = Switch(last_without="2.3.4", first_with="2.4.4")

CPU = frozenset(("CPU",))
"""The device that every machine has."""


@lru_cache(maxsize=256)
def devices(release: str) -> frozenset[str]:
    """Return the types of device that a release has, or may have, on a machine without accelerators.

    From 1.12 to 2.3 there is one that compiles with XLA; it takes what has no kernel for the CPU
    (``compiler/jit/xla_cpu_device.cc``).
    """
    if _HAS_XLA_CPU.at(release) is False or _HIDES_XLA_CPU.at(release):
        return CPU
    return CPU | {"XLA_CPU"}


# DataType in core/framework/types.proto: the first pin that has each number beyond those of 1.4.
_NEWER_TYPES = {
    22: "1.7.1",
    23: "1.7.1",
    24: "2.12.1",
    25: "2.12.1",
    29: "2.15.1",
    30: "2.15.1",
    26: "2.19.1",
    27: "2.19.1",
    28: "2.19.1",
    31: "2.20.0",
    32: "2.20.0",
    33: "2.21.0",
}
_TYPES = frozenset(range(1, 22))


@lru_cache(maxsize=256)
def types(release: str) -> frozenset[int]:
    """Return the numbers of the element types that a release has."""
    version = Version(release)
    newer = (number for number, first in _NEWER_TYPES.items() if version >= Version(first))
    return _TYPES.union(newer)


READS_PACKED_TABLES = Switch(last_without="1.4.1", first_with="1.7.1")
"""The index of a checkpoint may be compressed with Snappy (``core/lib/io/format.cc``)."""

KNOWS_STRIPPED = Switch(last_without="1.4.1", first_with="1.7.1")
"""The text of a model may say that its default attrs are stripped (``stripped_default_attrs`` in
``core/protobuf/meta_graph.proto``); a text with a field that is not known is refused, while in a binary file such a field
is passed over."""

BUILDS_CALLED_IN_PYTHON = Switch(last_without="1.13.2", first_with="1.15.5")
"""Python, too, makes graphs of the functions that nodes of the graph call, for their shapes
(``core/common_runtime/shape_refiner.cc``)."""

IMPORTS_THROUGH_C = Switch(last_without="1.7.1", first_with="1.12.3")
"""``import_graph_def`` of Python hands the graph to C++, which looks at every node; before, a node was looked at when it ran
(``python/framework/importer.py``)."""

OPS_OF_PYTHON = {"AudioMicrofrontend": Switch(last_without="1.13.2", first_with="1.15.5")}
"""Ops that only the Python package registers, from a library beside the C++ one."""

_PYTHON_FUNCTIONS = Switch(last_without="2.11.1", first_with="2.12.1")

KERNELS_OF_PYTHON = {
    "AudioMicrofrontend": Switch(last_without="1.13.2", first_with="1.15.5"),
    "SobolSample": Switch(last_without="2.3.4", first_with="2.4.4"),
    "PyFunc": _PYTHON_FUNCTIONS,
    "PyFuncStateless": _PYTHON_FUNCTIONS,
    "EagerPyFunc": _PYTHON_FUNCTIONS,
}
"""Ops whose kernels only the Python package has."""

TESTS_ONLY_IN_PYTHON = Switch(last_without="2.11.1", first_with="2.12.1")
"""Ops of TensorFlow's own tests moved from the C++ library to one that the Python package loads."""

HAS_V2 = Switch(last_without="1.15.5", first_with="2.0.0")
"""``tf.saved_model.load`` reads models of both formats."""


def has(loader: str, release: str) -> bool:
    """Whether a release has a loader."""
    return loader != "v2" or bool(HAS_V2.at(release))

"""What a worker is asked to do, and what it may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.runtimes.wire import Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one cell may use.

    Args:
        seconds: wall-clock time.
        megabytes: memory over what the loaded runtime already uses; 0 for no limit.
    """

    seconds: float = 60.0
    megabytes: int = 4096


@dataclass(frozen=True, slots=True)
class Port:
    """A dense tensor of a signature.

    Args:
        alias: what a request calls it.
        tensor: its name in the graph.
        dtype: TensorFlow's name of its element type.
    """

    alias: str
    tensor: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a cell's nodes are wanted, and whether it is to be told where they ran.

    Args:
        device: such as ``GPU:0``, which must be there; None for wherever TensorFlow puts them.
        trace: whether the answer says which nodes ran where.
        compiled: whether XLA is to compile what it can; to be told needs ``trace``.
        cpus: how many devices the CPU is divided into.
    """

    device: str | None = None
    trace: bool = False
    compiled: bool = False
    cpus: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAndRun:
    """One cell's work: load a MetaGraph and run one signature on some sets of inputs.

    Args:
        model: folder of the SavedModel.
        tags: tag set of the MetaGraph.
        loader: ``c``, ``v1``, ``v2`` or ``keras``.
        signature: its key; None loads only.
        inputs: of the signature.
        outputs: of the signature; empty loads only.
        feeds: the sets of inputs.
        placement: of the nodes; None for that of the runtime's device.
    """

    model: Path
    tags: tuple[str, ...]
    loader: str
    signature: str | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    feeds: Sequence[Arrays] = ()
    placement: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function inside a runtime that has TensorFlow installed.

    Args:
        file: the file that holds it.
        function: its name there; it returns arrays by name.
        arguments: by name, of what JSON has.
    """

    file: Path
    function: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export: run an exporter's function inside its producer."""

    file: Path
    function: str
    directory: Path
    strip_default_attrs: bool
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What an exporter saves, called without saving and loading: by the function that it gives as ``call``.

    Args:
        file: the exporter's.
        function: its name there.
        strip_default_attrs: as for the export.
        seed: as for the export.
        tags: tag set of the MetaGraph.
        signature: its key.
        inputs: of the signature.
        outputs: of the signature.
    """

    file: Path
    function: str
    strip_default_attrs: bool
    seed: int
    tags: tuple[str, ...]
    signature: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

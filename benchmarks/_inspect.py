"""``savedmodel-compat inspect``, against TensorFlow's ``saved_model_cli show --all``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import NEWEST, Bench, run_process, runtime
from _measure import Row, Target, Unit, interleaved, ratio_of, row_of, timed
from savedmodel_compat.model import read, schema
from savedmodel_compat.report.inspect import as_text
from savedmodel_compat.runtimes.base import Provider

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime

_OURS = "from savedmodel_compat.cli import main; main()"
_THEIRS = "tensorflow.python.tools.saved_model_cli"
_FLOAT = 1
_BALLAST_FLOATS = 12_000_000


def rows(bench: Bench) -> Iterator[Row]:
    """Measure both commands on a small model and on one of 48 MB.

    Args:
        bench: how much is measured, and with what.
    """
    small = bench.small_model().path
    large = _with_ballast(small, bench.folder / "large")
    theirs = runtime(NEWEST, Provider.VENV)
    for path, name in ((small, "small model"), (large, "48 MB model")):
        yield from _rows_of(bench, path, name, theirs)


def _rows_of(bench: Bench, path: Path, name: str, theirs: Runtime) -> Iterator[Row]:
    taken = interleaved(
        {
            "ours": timed(partial(_inspect, path, bench.folder / "bytecode")),
            "theirs": timed(partial(_show, path, theirs)),
            "in process": timed(lambda: as_text(read(path), None)),
        },
        bench.rounds,
    )
    ours = taken["ours"]
    yield row_of(f"{name}: saved_model_cli show --all", Unit.MILLISECONDS, taken["theirs"])
    yield row_of(f"{name}: inspect, whole process", Unit.MILLISECONDS, ours, Target(limit=400))
    target = Target(limit=10, at_least=True)
    yield ratio_of(f"{name}: saved_model_cli / inspect", taken["theirs"], ours, target)
    in_process = taken["in process"]
    yield row_of(f"{name}: inspect, in process", Unit.MILLISECONDS, in_process, Target(limit=20))


def _inspect(path: Path, bytecode: Path) -> None:
    environment = {"PYTHONPYCACHEPREFIX": str(bytecode)}
    run_process((sys.executable, "-c", _OURS, "inspect", path), environment)


def _show(path: Path, theirs: Runtime) -> None:
    command = (theirs.python, "-I", "-m", _THEIRS, "show", "--all", "--dir", path)
    run_process(command, {**theirs.environment, "TF_CPP_MIN_LOG_LEVEL": "3"})


def _with_ballast(source: Path, destination: Path) -> Path:
    """Copy a model and add a constant that nothing uses to its graph."""
    shutil.copytree(source, destination)
    file = destination / "saved_model.pb"
    saved = schema.SavedModel.FromString(file.read_bytes())
    node = saved.meta_graphs[0].graph_def.node.add(name="ballast", op="Const")
    node.attr["dtype"].type = _FLOAT
    tensor = node.attr["value"].tensor
    tensor.dtype = _FLOAT
    tensor.tensor_shape.dim.add(size=_BALLAST_FLOATS)
    tensor.tensor_content = bytes(range(256)) * (_BALLAST_FLOATS * 4 // 256)
    file.write_bytes(saved.SerializeToString())
    return destination

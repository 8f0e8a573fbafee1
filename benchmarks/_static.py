"""What is said of a model without running it: ``inspect`` and ``check``, against ``saved_model_cli show --all``."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import NEWEST, Bench, run_process, runtime
from _measure import Row, Sample, Target, Unit, interleaved, ratio_of, row_of, timed
from savedmodel_compat.checks.run import Options, check
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import read, schema
from savedmodel_compat.report.inspect import as_text
from savedmodel_compat.runtimes.base import Provider

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.base import Runtime

_OURS = "from savedmodel_compat.cli import main; main()"
# The same, and then what the process had in memory at most, in kilobytes. (getrusage would count what this process had
# when it started the other.)
_OURS_MEASURED = """
import re, sys
from pathlib import Path
from savedmodel_compat import cli
code = cli.run(sys.argv[1:])
print(re.search("VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
_THEIRS = "tensorflow.python.tools.saved_model_cli"
_WRITE_VARIABLES = """
import sys
import tensorflow as tf
module = tf.Module()
module.parts = [
    tf.Variable(tf.random.uniform([1 << 24], seed=part)) for part in range(int(sys.argv[2]))
]
tf.saved_model.save(module, sys.argv[1])
"""
_FLOAT = 1
_FLOAT_BYTES = 4
_MODELS = 100
# Of one variable that is written for the checksums.
_PART_BYTES = (1 << 24) * _FLOAT_BYTES


def rows(bench: Bench) -> Iterator[Row]:
    """Measure both commands on a small model and on large ones, checksums, and a folder of models.

    Args:
        bench: how much is measured, and with what.
    """
    small = bench.small_model().path
    theirs = runtime(NEWEST, Provider.VENV)
    module = bench.export("mnist_cnn_module", NEWEST).path
    large = _with_ballast(small, bench.folder / "large", 48)
    for path, name in ((small, "small model"), (module, "v2 model"), (large, "48 MB model")):
        yield from _rows_of(bench, path, name, theirs)
    yield from _huge_rows(bench, small)
    yield from _checksum_rows(bench, theirs)
    yield from _folder_rows(bench, small)


def _rows_of(bench: Bench, path: Path, name: str, theirs: Runtime) -> Iterator[Row]:
    options = Options(tensor_data=False)
    taken = interleaved(
        {
            "inspect": timed(partial(_ours, bench, "inspect", path)),
            "check": timed(partial(_ours, bench, "check", path)),
            "theirs": timed(partial(_show, path, theirs)),
            "inspect in process": timed(lambda: as_text(read(path, tensor_data=False), None)),
            "check in process": timed(lambda: _clean(path, options)),
        },
        bench.rounds,
    )
    yield row_of(f"{name}: saved_model_cli show --all", Unit.MILLISECONDS, taken["theirs"])
    for command in ("inspect", "check"):
        ours, inside = taken[command], taken[f"{command} in process"]
        yield row_of(
            f"{name}: {command}, whole process", Unit.MILLISECONDS, ours, Target(limit=400)
        )
        target = Target(limit=10, at_least=True)
        yield ratio_of(f"{name}: saved_model_cli / {command}", taken["theirs"], ours, target)
        yield row_of(f"{name}: {command}, in process", Unit.MILLISECONDS, inside, Target(limit=20))


def _huge_rows(bench: Bench, small: Path) -> Iterator[Row]:
    path = _with_ballast(small, bench.folder / "huge", 200)
    taken = interleaved({"check": timed(partial(_ours, bench, "check", path))}, bench.rounds)
    yield row_of(
        "200 MB saved_model.pb: check, whole process",
        Unit.SECONDS,
        taken["check"],
        Target(limit=5),
    )
    shutil.rmtree(path)


def _checksum_rows(bench: Bench, theirs: Runtime) -> Iterator[Row]:
    parts = 4 if bench.is_quick else 16
    path = bench.folder / "variables"
    command = (theirs.python, "-I", "-c", _WRITE_VARIABLES, path, str(parts))
    run_process(command, {**theirs.environment, "TF_CPP_MIN_LOG_LEVEL": "3"})
    size = parts * _PART_BYTES
    taken = interleaved(
        {
            "with": timed(lambda: _clean(path, Options())),
            "without": timed(lambda: _clean(path, Options(tensor_data=False))),
        },
        bench.rounds,
    )
    spent = Sample(
        tuple(
            full - bare
            for full, bare in zip(taken["with"].seconds, taken["without"].seconds, strict=True)
        )
    )
    yield Row(
        what=f"checksums of {size / 1e9:.2f} GB of variables",
        unit=Unit.GIGABYTES_PER_SECOND,
        value=size / spent.median / 1e9,
        least=size / max(spent.seconds) / 1e9,
        most=size / min(spent.seconds) / 1e9,
        target=Target(limit=1, at_least=True),
    )
    said = _ours(bench, "check", path, code=_OURS_MEASURED)
    yield Row(
        what="the same: memory of the whole process at most",
        unit=Unit.MEGABYTES,
        value=int(said.splitlines()[-1]) / 1024,
        target=Target(limit=200),
    )
    shutil.rmtree(path)


def _folder_rows(bench: Bench, small: Path) -> Iterator[Row]:
    folder = bench.folder / "models"
    for number in range(_MODELS):
        shutil.copytree(small, folder / f"model_{number}")
    taken = interleaved({"check": timed(partial(_ours, bench, "check", folder))}, bench.rounds)
    yield row_of(
        f"a folder of {_MODELS} small models: check, whole process", Unit.SECONDS, taken["check"]
    )
    shutil.rmtree(folder)


def _clean(path: Path, options: Options) -> None:
    """Check a model that is good: a check that finds something is no measurement of one that does not."""
    report = check(path, options)
    if report.failing():
        raise SavedModelCompatError(f"{path}: {report.findings[0].message}")


def _ours(bench: Bench, *arguments: str | Path, code: str = _OURS) -> str:
    environment = {"PYTHONPYCACHEPREFIX": str(bench.folder / "bytecode")}
    return run_process((sys.executable, "-c", code, *arguments), environment)


def _show(path: Path, theirs: Runtime) -> None:
    command = (theirs.python, "-I", "-m", _THEIRS, "show", "--all", "--dir", path)
    run_process(command, {**theirs.environment, "TF_CPP_MIN_LOG_LEVEL": "3"})


def _with_ballast(source: Path, destination: Path, megabytes: int) -> Path:
    """Copy a model and add a constant that nothing uses to its graph."""
    shutil.copytree(source, destination)
    file = destination / "saved_model.pb"
    saved = schema.SavedModel.FromString(file.read_bytes())
    node = saved.meta_graphs[0].graph_def.node.add(name="ballast", op="Const")
    node.attr["dtype"].type = _FLOAT
    tensor = node.attr["value"].tensor
    tensor.dtype = _FLOAT
    tensor.tensor_shape.dim.add(size=megabytes * 1_000_000 // _FLOAT_BYTES)
    tensor.tensor_content = os.urandom(megabytes * 1_000_000)
    file.write_bytes(saved.SerializeToString())
    return destination

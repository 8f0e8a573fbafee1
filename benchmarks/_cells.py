"""One cell in a forked child, against a fresh Python process that does the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from _bench import NEWEST, Bench, case_of, run_cell, run_process, runtime
from _measure import Row, Target, Unit, interleaved, ratio_of, row_of, timed
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.runtimes.base import Provider
from savedmodel_compat.runtimes.client import Worker

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.runtimes.base import Runtime

_SIGNATURE = "serving_default"
_FRESH = """
import json, sys
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures[sys.argv[2]]
x = tf.constant(json.loads(sys.argv[3]), tf.float32)
print(json.dumps(serve(x=x)["y"].numpy().tolist()))
"""


def rows(bench: Bench) -> Iterator[Row]:
    """Measure a native cell, Python cells and a fresh Python process, in turn.

    Args:
        bench: how much is measured, and with what.
    """
    model = bench.small_model()
    case = case_of(model, _SIGNATURE)
    whole = runtime(NEWEST, Provider.VENV)
    with ExitStack() as stack:
        native = stack.enter_context(Worker(runtime(NEWEST, Provider.WHEEL), native=True))
        python = stack.enter_context(Worker(whole, native=False))
        taken = interleaved(
            {
                "native": timed(partial(run_cell, native, model, case)),
                "v1": timed(partial(run_cell, python, model, case, "v1")),
                "v2": timed(partial(run_cell, python, model, case, "v2")),
                "fresh": timed(partial(_run_fresh, whole, model, case)),
            },
            bench.rounds,
        )
    fresh = taken["fresh"]
    yield row_of(f"fresh Python TensorFlow {NEWEST}: load and run", Unit.MILLISECONDS, fresh)
    yield row_of("native cell", Unit.MILLISECONDS, taken["native"], Target(limit=80))
    target = Target(limit=40, at_least=True)
    yield ratio_of("fresh Python / native cell", fresh, taken["native"], target)
    for loader in ("v1", "v2"):
        yield row_of(f"forked Python cell, loader {loader}", Unit.MILLISECONDS, taken[loader])


def _run_fresh(whole: Runtime, model: Model, case: Case) -> None:
    """Do what a cell does in a new interpreter, and check its answer as a cell's is checked."""
    [feed], [expected] = case.feeds, case.expected or ()
    arguments = (str(model.path), case.signature, json.dumps(feed["x"].tolist()))
    environment = {**whole.environment, "TF_CPP_MIN_LOG_LEVEL": "3"}
    printed = run_process((whole.python, "-I", "-c", _FRESH, *arguments), environment)
    if not np.allclose(json.loads(printed), expected["y"]):
        raise SavedModelCompatError(f"a fresh process answered {printed.strip()}")

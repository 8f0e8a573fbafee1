"""The documentation page of predictions: ``python -m savedmodel_compat.report.prediction_page [--anew] RECORD.json… > docs/prediction.md``.

The records are those of ``run`` and ``matrix``; the page tells how often prediction and proof agree in them. With ``--anew`` their models
are predicted as they are now, beside what was proved then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

from savedmodel_compat.errors import UsageError
from savedmodel_compat.prediction import loaders
from savedmodel_compat.prediction.loaders import Switch
from savedmodel_compat.registry import snapshots
from savedmodel_compat.report.anew import predict_anew
from savedmodel_compat.report.confusion import (
    as_markdown,
    confusion,
    predicted_cells,
    unknown_cells,
)
from savedmodel_compat.tensors import dtype_name

PROOF = "## Prediction and proof"
"""The heading of what the records say; what stands before it needs none."""

_SWITCHES: tuple[tuple[str, Switch, str], ...] = (
    (
        "all",
        loaders.IGNORES_UNKNOWN_ATTRS,
        "an attr that the op does not have is left out; until then it is an error",
    ),
    (
        "all",
        loaders.KNOWS_STRIPPED,
        "a model in text may say that it was stripped",
    ),
    (
        "`c`",
        loaders.BUILDS_CALLED_FUNCTIONS,
        "the bodies of functions that nodes of the graph call are built at load; until then, when they run",
    ),
    (
        "`c`",
        loaders.LOWERS_CONTROL_FLOW,
        "control flow that is marked for it is replaced by its branches at load",
    ),
    ("`c`", loaders.CHECKS_CONSTANTS, "a constant without a value is refused wherever it stands"),
    (
        "`c`",
        loaders.READIES_LOOPS,
        "the body of a loop that was replaced is made ready whether or not the loop turns",
    ),
    (
        "`c`, `v1`",
        loaders.FUSES_NODES,
        "nodes of a body that runs may be made one, such as Conv2D and BiasAdd, and lose the attrs that are not known",
    ),
    (
        "`c`",
        loaders.READS_PACKED_TABLES,
        "an index of variables that is compressed can be read",
    ),
    (
        "`v1`",
        loaders.BUILDS_CALLED_IN_PYTHON,
        "the bodies of functions that nodes of the graph call are built at load",
    ),
    (
        "`v1`",
        loaders.IMPORTS_THROUGH_C,
        "every node of the graph is looked at when it is imported; until then, when it runs",
    ),
    ("`v2`", loaders.HAS_V2, "there is such a loader, for models of both formats"),
    (
        "`v1`, `v2`",
        loaders.TESTS_ONLY_IN_PYTHON,
        "the Python package registers ops of TensorFlow's own tests that its C++ library lacks",
    ),
)

_HEAD = """# Prediction

Which releases load a model, and why the others do not, can be said without running it: from the model and from what each release registers
([registry.md](registry.md)). `check --target` says it by itself; `run` and `matrix` put it beside what the releases really do, cell by cell
([record.md](record.md)). Where the two differ, one of them has a bug: such cells are marked, told apart at the end, and an error with `--strict-prediction`.

## What is looked at

Every node of the graph and of all functions in its library, against the definition of its op in that release: whether the op is registered, each attr
(known, missing, its kind, its bounds, its allowed values, its element type), the number and types of inputs, and of outputs that something takes, ops that were removed, a kernel
for the CPU with these types, the device that it is pinned to, the functions that it names; and `min_consumer` and `bad_consumers` of the graph. Besides, what the rules
of `check` say of the model's own files, such as a variable that the checkpoint lacks, keeps every release from loading it, and an asset's tensor that is
listed twice keeps the C++ loader from it, which feeds it twice.

When a loader comes upon it depends on where the node stands:

| where it stands | `c` | `v1` | `v2`, with an object graph | `v2`, without |
|---|---|---|---|---|
| a node of the graph, whether or not anything runs it | at load | at load; kernel and device when anything runs for the first time. Unknown attrs are removed first if the producer's op list in the model tells that they have their defaults | never | at load, as `v1` |
| a function that the graph calls, and those that it calls | op, inputs and outputs at load; the rest when it runs | op, inputs, outputs and missing attrs at load; the rest when it runs | at load; kernel and device when it runs | as with one |
| a branch or a body of control flow that is replaced at load | op, inputs, outputs, kernel, device and allowed values at load; the rest when it is made ready | when anything runs for the first time | as above | as above |
| a branch of control flow that is kept | op, inputs and outputs when the control flow runs; the rest when the branch is taken | as `c` | as above | as above |
| a function that nothing reaches | never | never | at load | at load |

What the restore op and the init op of the graph run is run by every load. An attr that is left out fails a cell (`attr-ignored`) if the load or the
signature runs such a node and its value is not the producer's default, or has none.

What changed between releases, as seen in the pinned ones; what a release between the two does is unknown:"""

_UNKNOWN = """## What cannot be known

The answer is `unknown`, with the reason, where something of the above is in the way only

- if a branch is taken, a loop turns, or a function runs that a node only names, such as the map of a data set;
- if Grappler fuses or removes a node of a body before anybody looks at its attrs, which up to 2.4 are errors;
- if XLA does not compile what has no kernel: releases 1.12 to 2.3 have a device for that;
- if a file of the model is missing or damaged, in a part that a load or a run may not read;
- in a release that has no snapshot, or that lies between two pins that behave differently.

Nothing is said of GPUs. Not looked at, so that a cell may fail for it though it is predicted to pass: the data of the variables, shapes, the values of inputs,
assertions in the graph, memory, time, and ops that a custom library would register. Such a failure speaks neither for nor against the prediction, unless the
cell came further than was predicted."""


def page(records: Sequence[dict[str, Any]]) -> str:
    """Return the page, in Markdown.

    Args:
        records: of `run` and `matrix`.

    Raises:
        UsageError: no cell of them has a prediction.
    """
    return "\n".join((*general(), "", *_proof(records))) + "\n"


def general() -> Iterator[str]:
    """Yield the lines that no record is needed for."""
    yield _HEAD
    yield ""
    yield "| loader | last without | first with | what |"
    yield "|---|---|---|---|"
    yield from (
        f"| {loader} | {switch.last_without or '—'} | {switch.first_with or '—'} | {what} |"
        for loader, switch, what in _SWITCHES
    )
    yield ""
    yield f"Element types that came later than {snapshots.releases()[0]}: {_types()}."
    yield ""
    yield _UNKNOWN


def _types() -> str:
    """Return which pinned release first has which types."""
    known = loaders.types(snapshots.releases()[0])
    found = []
    for release in snapshots.releases()[1:]:
        new = sorted(loaders.types(release) - known)
        if new:
            found.append(f"{', '.join(f'`{dtype_name(number)}`' for number in new)} ({release})")
            known |= frozenset(new)
    return ", ".join(found)


def _proof(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    cells = list(predicted_cells(cell for record in records for cell in record["cells"]))
    if not cells:
        raise UsageError(
            "no cell of these records has a prediction",
            hint="make one: savedmodel-compat matrix EXPORTER… --with all --on all --json FILE",
        )
    yield PROOF
    yield ""
    yield (
        "What was predicted, and what the release did, in cells; the causes are those of [causes.md](causes.md). A prediction names all causes that "
        "are in the way, TensorFlow one of them. `—` stands where one says nothing about the other."
    )
    for loader in dict.fromkeys(cell["loader"] for cell in cells):
        yield ""
        yield from _of_loader(loader, [cell for cell in cells if cell["loader"] == loader])


def _of_loader(loader: str, cells: Sequence[dict[str, Any]]) -> Iterator[str]:
    unknown = unknown_cells(cells)
    differing = sum(cell["prediction"]["agrees"] is False for cell in cells)
    models = {(cell["model"], cell["producer"], cell["strip"]) for cell in cells}
    producers = {producer for _, producer, _ in models}
    consumers = sorted({cell["consumer"] for cell in cells}, key=Version)
    yield f"### Loader `{loader}`"
    yield ""
    yield (
        f"{len(models)} models ({_named(sorted({cell['model'] for cell in cells}))}) of {len(producers)} producers, in {len(consumers)} "
        f"consumers from {consumers[0]} to {consumers[-1]}: {len(cells)} cells, {differing} of them not as predicted, {len(unknown)} unknown "
        f"({100 * len(unknown) / len(cells):.2f} %)."
    )
    yield ""
    yield from as_markdown(confusion(cells))
    if unknown:
        yield ""
        yield "Unknown:"
        yield ""
        for why, where in _reasons(unknown).items():
            yield f"- {why}: {len(where)} cells, such as {where[0]}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _reasons(cells: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(cell["prediction"]["why"], []).append(cell["id"])
    return found


def _read(path: Path, *, is_anew: bool) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if is_anew:
        record["cells"] = list(predict_anew(record["cells"]))
    return record


def _main(arguments: Sequence[str]) -> None:
    paths = [Path(argument) for argument in arguments if argument != "--anew"]
    sys.stdout.write(page([_read(path, is_anew="--anew" in arguments) for path in paths]))


if __name__ == "__main__":
    _main(sys.argv[1:])

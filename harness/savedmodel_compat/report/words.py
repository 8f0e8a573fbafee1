"""One result in words: what a test report or a log shows of a cell that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.matrix.cells import Foreseen, Outcome

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Predicted, Result

_LOG_LINES = 15


def printable(text: str) -> str:
    """Return ``text`` without what a terminal would obey; lines stay lines.

    Names of models and nodes are anybody's, and so is what a cell prints.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd"
        for character in text.expandtabs(4)
    )


def cells(count: int) -> str:
    """Return a number of cells: ``1 cell``, ``2 cells``."""
    return f"{count} cell{'' if count == 1 else 's'}"


def about(result: Result) -> str:
    """Return what in the model the first cause is about, such as ``Conv2D.explicit_paddings``; or nothing."""
    detail = result.detail
    if detail.op and detail.attr:
        return f"{detail.op}.{detail.attr}"
    return detail.op or detail.attr or detail.node or ""


def in_words(result: Result) -> str:
    """Return a paragraph about a failed cell.

    Args:
        result: of a cell that failed.
    """
    cell = result.cell
    by = f" of TensorFlow {cell.producer}" if cell.producer else ""
    stage = result.stage.value if result.stage else "load"
    lines = [
        f"{cell.model}{by} fails in TensorFlow {cell.consumer} at {stage}: {', '.join(result.causes)}"
    ]
    lines += [f"  {cause}: {BY_ID[cause].meaning}" for cause in result.causes]
    if about(result):
        lines.append(f"  where:   {about(result)}")
    lines.append(f"  message: {result.message}")
    if result.fix:
        lines.append(f"  do:      {result.fix}")
    lines.append(f"  model:   {cell.path}, tags {list(cell.tags)}, signature {cell.signature}")
    lines.append(f"  cell:    {cell.id}")
    tail = [line for line in result.log.splitlines() if line.strip()][-_LOG_LINES:]
    if tail:
        lines += ["  the end of what it printed:", *(f"    {line}" for line in tail)]
    return printable("\n".join(lines))


def foreseen(said: Predicted) -> str:
    """Return a prediction as a part of a sentence, such as ``fail at load, attr-unknown``."""
    stage = f" at {said.stage.value}" if said.stage else ""
    causes = f", {', '.join(said.causes)}" if said.causes else ""
    return f"{said.outcome.value}{stage}{causes}"


def happened(result: Result) -> str:
    """Return what became of a cell in the same form, or as the reason for which it was not run."""
    if result.outcome is not Outcome.FAIL:
        return f"{result.outcome.value}, {result.reason}" if result.reason else result.outcome.value
    stage = f" at {result.stage.value}" if result.stage else ""
    return f"fail{stage}, {', '.join(result.causes)}"


def what_is_wrong(result: Result) -> str:
    """Return which of two has the bug, prediction or proof, and what to report.

    Args:
        result: of a cell that differs from what was predicted of it.
    """
    release = result.cell.consumer
    report = "report it with the record (--json) and saved_model.pb"
    said = result.predicted
    if result.outcome is not Outcome.FAIL and said is not None and said.outcome is Foreseen.FAIL:
        check = f"`savedmodel-compat runtime snapshot {release} --check`"
        return (
            f"{release} does what it was predicted not to do, so the prediction is wrong, or the snapshot "
            f"that it comes from is of another build ({check} tells): {report}"
        )
    return (
        "either the prediction misses what the message names, or the cause was read wrongly from the "
        f"message: {report}"
    )


def disagreement(result: Result) -> str:
    """Return a paragraph about a cell that differs from what was predicted of it.

    Args:
        result: its result, with the prediction.
    """
    cell, said = result.cell, result.predicted
    assert said is not None
    by = f" of TensorFlow {cell.producer}" if cell.producer else ""
    lines = [
        f"{cell.model}{by} in TensorFlow {cell.consumer}: prediction and proof disagree",
        f"  predicted: {foreseen(said)}",
        *([f"  because:   {said.why}"] if said.why else []),
        f"  happened:  {happened(result)}",
        *([f"  message:   {result.message}"] if result.message else []),
        f"  do:        {what_is_wrong(result)}",
        f"  cell:      {cell.id}",
    ]
    return printable("\n".join(lines))

"""One result in words: what a test report or a log shows of a cell that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.matrix.causes import BY_ID

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result

_LOG_LINES = 15


def printable(text: str) -> str:
    """Return ``text`` without what a terminal would obey; lines stay lines.

    Names of models and nodes are anybody's, and so is what a cell prints.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd"
        for character in text.expandtabs(4)
    )


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

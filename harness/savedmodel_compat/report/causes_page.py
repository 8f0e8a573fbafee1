"""The documentation page of the causes: ``python -m savedmodel_compat.report.causes_page > docs/causes.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from savedmodel_compat.matrix.causes import BY_ID, Cause
from savedmodel_compat.matrix.cells import Stage

_TITLES = {
    Stage.LOAD: "At load",
    Stage.RUN: "At run",
    Stage.COMPARE: "In the comparison",
    None: "At any stage",
}


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Causes"
    yield ""
    yield "Why a cell fails: a closed list. A cell carries all that were found, the most telling first."
    yield "A cause of the load can show at run too: up to 1.13 ops inside functions are looked at only there."
    yield "Where a release's words tell more, so does the advice of a cell: whose op it is, say, or what a channels-first graph needs."
    yield "[Known breakages](breakages.md) has what is reported from the field, with the cause of each."
    for stage, title in _TITLES.items():
        yield from ("", f"## {title}", "", "| cause | meaning | what to do |", "|---|---|---|")
        yield from (_row(cause) for cause in BY_ID.values() if cause.stage is stage)


def _row(cause: Cause) -> str:
    fix = cause.fix.format(op="the op", attr="the attr", node="the node")
    return f"| `{cause.id}` | {_cell(cause.meaning)} | {_cell(fix)} |"


def _cell(text: str) -> str:
    for name in ("the op", "the attr", "the node"):
        text = text.replace(f"'{name}'", name)
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())

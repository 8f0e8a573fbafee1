"""The page of known breakages: ``python -m savedmodel_compat.report.breakages_page > docs/breakages.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from savedmodel_compat.matrix.breakages import BREAKAGES, Breakage
from savedmodel_compat.registry.op_libraries import EXAMPLES, library_of


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Known breakages"
    yield ""
    yield "What is reported of SavedModels that fail elsewhere than where they were made, the most frequent first; which of the"
    yield "[causes](causes.md) each is in a record, and what shows it before its users do. A rule in brackets is one of [check](rules.md)."
    yield ""
    yield "| breakage | cause | shown by | what to do |"
    yield "|---|---|---|---|"
    yield from map(_row, BREAKAGES)
    yield ""
    yield "## Whose op it is"
    yield ""
    yield "Ops that TensorFlow does not have in itself, or that need what few builds and machines have. The names were read from the"
    yield "libraries themselves; what is not here, and not TensorFlow's either, is somebody's own."
    yield ""
    yield "| op, such as | whose | package | what to do |"
    yield "|---|---|---|---|"
    yield from map(_library, EXAMPLES)


def _row(breakage: Breakage) -> str:
    causes = ", ".join(f"`{cause}`" for cause in breakage.causes)
    rules = f" ({', '.join(breakage.rules)})" if breakage.rules else ""
    shown = ", ".join(tool.value for tool in breakage.shown) or "nothing here"
    # As text and not as code: one of the names begins like those of the plugin's fixtures, which the documentation may not invent.
    name = breakage.name.replace("_", "\\_")
    cells = (name, causes or breakage.instead or "", shown + rules, breakage.fix)
    return _cells(*cells)


def _library(op: str) -> str:
    library = library_of(op)
    assert library is not None, op
    package = f"`{library.package}`" if library.package else ""
    return _cells(f"`{op}`", library.name, package, library.advice)


def _cells(*texts: str) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"


if __name__ == "__main__":
    sys.stdout.write(page())

"""The documentation page of the rules: ``python -m savedmodel_compat.report.rules_page > docs/rules.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from savedmodel_compat.checks.rules import RULES, Rule

_TITLES = {
    "L": "Layout",
    "M": "MetaGraphs",
    "S": "Signatures",
    "V": "Variables",
    "W": "Warm-up",
    "T": "Targets (`--target`)",
}


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "What `savedmodel-compat check` demands of a SavedModel, without TensorFlow and without running it. `--disable` turns a rule off,"
    yield "`--error` makes an error of it, by id; so do `disable` and `error` under `[tool.savedmodel-compat.check]` in pyproject.toml."
    yield ""
    yield "An **error** means that some loader, server or request fails, or answers with other numbers; a **warning**, that it works, or may, and"
    yield "likely not as its owner thinks; a **note** is worth knowing. The source is the file of TensorFlow (TF) or TensorFlow Serving (TFS)"
    yield "that enforces the rule."
    for letter, title in _TITLES.items():
        rules = [rule for rule in RULES if rule.id.startswith(letter)]
        yield from (
            "",
            f"## {title}",
            "",
            "| rule | severity | what it demands | source | what to do |",
        )
        yield "|---|---|---|---|---|"
        yield from map(_row, rules)


def _row(rule: Rule) -> str:
    cells = (f"`{rule.id}`", rule.severity.value, rule.title, rule.source, rule.fix)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())

"""The table of rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from savedmodel_compat.checks.rules import NOBODY, RULES, Rule

HERE = Path(__file__).parent


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_all_that_it_must(rule: Rule) -> None:
    """An id of the scheme, one sentence, who enforces it, and what to do."""
    assert re.fullmatch(r"[LMSVWT][1-9]\d*", rule.id)
    assert rule.title.endswith(".")
    assert rule.title[0].isupper() or rule.title[0].islower()
    assert re.search(r"\b(TF|TFS) [\w/]+|keras src/", rule.source) or rule.source == NOBODY
    assert rule.fix
    assert not rule.fix.endswith(".")


def test_ids_are_unique() -> None:
    """No two rules share an id."""
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)


def test_every_rule_has_a_seeded_fault() -> None:
    """Each rule's id stands in a test of its subject, where the fault is seeded and exactly it is found."""
    tests = "".join(
        file.read_text(encoding="utf-8")
        for file in HERE.glob("test_*.py")
        if file.name not in {"test_rules.py", "test_damage.py", "test_no_false_alarms.py"}
    )
    assert [rule.id for rule in RULES if f'"{rule.id}"' not in tests] == []

"""Rules that a user turns off, or up."""

from __future__ import annotations

from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.checks.findings import Severity, found
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.errors import ConfigurationError, UsageError

FINDINGS = (found("L1", "a", "x"), found("L13", "b", "y"), found("M1", "c", "z"))


def test_a_disabled_rule_is_silent() -> None:
    """Its findings are dropped, the others stay."""
    left = Policy.of(disable=["l1, M1"]).judge(FINDINGS)
    assert [finding.rule for finding in left] == ["L13"]


def test_a_rule_may_be_made_an_error() -> None:
    """A note becomes an error, and nothing else changes."""
    judged = Policy.of(error=["L13"]).judge(FINDINGS)
    assert [finding.severity for finding in judged] == [
        Severity.ERROR,
        Severity.ERROR,
        Severity.WARNING,
    ]


def test_the_command_line_holds_over_the_configuration() -> None:
    """What it disables cannot be made an error by the file, and the other way round."""
    said = Policy.of(disable=["L1"], error=["M1"])
    filed = Policy.of(disable=["M1", "L13"], error=["L1", "S1"])
    assert said.over(filed) == Policy.of(disable=["L1", "L13"], error=["M1", "S1"])


def test_an_unknown_rule_is_refused() -> None:
    """A misspelt id is an error, not a rule that is never found."""
    with pytest.raises(UsageError, match="there is no rule L99"):
        Policy.of(disable=["L99"])


def test_a_rule_cannot_be_off_and_an_error() -> None:
    """A contradiction is said."""
    with pytest.raises(UsageError, match="both disabled and made an error"):
        Policy.of(disable=["L1"], error=["L1"])


def test_the_configuration_names_rules(tmp_path: Path) -> None:
    """The table of pyproject.toml makes a policy."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.savedmodel-compat.check]\ndisable = ["L13"]\nerror = ["M1"]\n'
    )
    assert Policy.of_configuration(config.load(tmp_path)) == Policy.of(
        disable=["L13"], error=["M1"]
    )


def test_an_unknown_rule_in_the_configuration_names_the_file(tmp_path: Path) -> None:
    """The error says which file holds it."""
    (tmp_path / "pyproject.toml").write_text('[tool.savedmodel-compat.check]\ndisable = ["Q1"]\n')
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml.*there is no rule Q1"):
        Policy.of_configuration(config.load(tmp_path))

"""What a user makes of the rules: some turned off, some turned into errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.checks.rules import BY_ID, Severity
from savedmodel_compat.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from savedmodel_compat.config import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules that are turned off, or up.

    Args:
        disable: ids of rules whose findings are dropped.
        error: ids of rules whose findings are errors, whatever the rule says.
    """

    disable: frozenset[str] = frozenset()
    error: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *, disable: Iterable[str] = (), error: Iterable[str] = ()) -> Policy:
        """Return the policy that ids make; commas part several, case does not matter.

        Raises:
            UsageError: there is no such rule, or one is both off and an error.
        """
        off, up = _ids(disable), _ids(error)
        both = sorted(off & up)
        if both:
            raise UsageError(f"rule {both[0]} is both disabled and made an error")
        return cls(disable=off, error=up)

    @classmethod
    def of_configuration(cls, configuration: Configuration) -> Policy:
        """Return the policy that ``[tool.savedmodel-compat.check]`` makes.

        Raises:
            ConfigurationError: as `of`, with the file's name.
        """
        try:
            return cls.of(disable=configuration.disable, error=configuration.error)
        except UsageError as error:
            raise ConfigurationError(
                f"{configuration.path}: tool.savedmodel-compat.check: {error.message}",
                hint=error.hint,
            ) from error

    def over(self, other: Policy) -> Policy:
        """Return what holds if this one is asked first, and the other where it is silent."""
        return Policy(
            disable=self.disable | (other.disable - self.error),
            error=self.error | (other.error - self.disable),
        )

    def judge(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings that are left, with the severities that hold."""
        return tuple(
            dataclasses.replace(finding, severity=Severity.ERROR)
            if finding.rule in self.error
            else finding
            for finding in findings
            if finding.rule not in self.disable
        )


def _ids(texts: Iterable[str]) -> frozenset[str]:
    ids = {part.strip().upper() for text in texts for part in text.split(",")} - {""}
    unknown = sorted(ids - set(BY_ID))
    if unknown:
        raise UsageError(
            f"there is no rule {unknown[0]}",
            hint="savedmodel-compat check --list-rules shows them",
        )
    return frozenset(ids)

"""What outputs are compared with, and comparing them."""

from __future__ import annotations

from dataclasses import dataclass

from savedmodel_compat.golden.compare import Difference, compare
from savedmodel_compat.runtimes.verdicts import Answer, Verdict
from savedmodel_compat.runtimes.wire import Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the outputs of one signature are compared with.

    Args:
        name: ``export``, ``golden``, or the release that computed them.
        outputs: one for each feed; None where the reference itself refused it.
        unstable: how it differs from a second process of itself; None if it does not.
    """

    name: str
    outputs: tuple[Arrays | None, ...]
    unstable: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to be found: every set of inputs was answered, or it is of no use."""
        return self.unstable is not None or all(output is not None for output in self.outputs)

    def filled_by(self, older: Reference) -> Reference:
        """Return this reference with the answers of an older release where this one refused.

        What only the older one answers is a regression of the newer one, not a fault of the inputs.
        """
        if older.unstable is not None:
            return self
        pairs = zip(self.outputs, older.outputs, strict=True)
        filled = tuple(mine if mine is not None else theirs for mine, theirs in pairs)
        return Reference(name=self.name, outputs=filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How outputs are compared; None leaves the default of the element type."""

    rtol: float | None = None
    atol: float | None = None


def reference_of(name: str, first: Verdict, second: Verdict, policy: Policy) -> Reference | None:
    """Return what a release answered as a reference, checked against a second process of itself.

    Args:
        name: the release.
        first: its verdict.
        second: the verdict of another process that did the same.
        policy: how to compare the two.

    Returns:
        None if it ran no feed.
    """
    outputs = tuple(answer.outputs for answer in first.answers)
    if all(output is None for output in outputs):
        return None
    candidate = Reference(name=name, outputs=outputs)
    if not second.completed:
        unstable = f"a second process of {name} did not complete"
        return Reference(name=name, outputs=outputs, unstable=unstable)
    found, _ = compare_answers(second.answers, candidate, policy)
    if found:
        text = f"a second process of {name} differs: {found[0].text}"
        return Reference(name=name, outputs=outputs, unstable=text)
    return candidate


def compare_answers(
    answers: tuple[Answer, ...], reference: Reference, policy: Policy
) -> tuple[list[Difference], int]:
    """Return how answers differ from a reference, and how many outputs were compared.

    Args:
        answers: one for each feed; what was refused, by either side, is passed over.
        reference: what to compare with.
        policy: how.
    """
    found: list[Difference] = []
    compared = 0
    for answer, expected in zip(answers, reference.outputs, strict=True):
        if answer.outputs is None or expected is None:
            continue
        compared += len(expected)
        found += compare(expected, answer.outputs, rtol=policy.rtol, atol=policy.atol)
    return found, compared

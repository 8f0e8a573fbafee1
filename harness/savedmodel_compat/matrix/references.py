"""What outputs are compared with, and comparing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from savedmodel_compat.golden.compare import Comparison, Difference, Observed, compare
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.runtimes.verdicts import Answer, Verdict
from savedmodel_compat.runtimes.wire import Arrays

if TYPE_CHECKING:
    from savedmodel_compat.matrix.goldens import Against


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the outputs of one signature are compared with.

    Args:
        name: ``export``, ``golden``, or the release that computed them.
        outputs: one for each feed; None where the reference itself refused it.
        unstable: how it differs from a second process of itself; None if it does not.
        against: the golden that the outputs are of; None if they are of none.
    """

    name: str
    outputs: tuple[Arrays | None, ...]
    unstable: str | None = None
    against: Against | None = None

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
    found = compare_answers(second.answers, candidate, policy).differences
    if found:
        text = f"a second process of {name} differs: {found[0].text}"
        return Reference(name=name, outputs=outputs, unstable=text)
    return candidate


def compare_answers(
    answers: tuple[Answer, ...], reference: Reference, policy: Policy
) -> Comparison:
    """Return how answers differ from a reference, how many outputs were compared, and how far they are apart.

    Args:
        answers: one for each feed; what was refused, by either side, is passed over.
        reference: what to compare with.
        policy: how.
    """
    found: list[Comparison] = []
    differences: list[Difference] = []
    against, count = reference.against, len(reference.outputs)
    for index, (answer, expected) in enumerate(zip(answers, reference.outputs, strict=True)):
        if answer.outputs is None or expected is None:
            continue
        one = compare(
            expected,
            answer.outputs,
            policy,
            expected_dtypes=against.dtypes[index] if against else None,
            actual_dtypes=answer.dtypes if against else None,
        )
        found.append(one)
        where = f"call {index + 1} of {count}: " if count > 1 else ""
        if against:
            where = f"data set '{against.data_sets[index]}': "
        differences += [replace(each, text=f"{where}{each.text}") for each in one.differences]
    return Comparison(
        differences=tuple(differences),
        observed=tuple(_merged([each for one in found for each in one.observed])),
        compared=sum(one.compared for one in found),
    )


def _merged(observed: Sequence[Observed]) -> Iterator[Observed]:
    """Yield one for each output, over all sets of inputs."""
    by_output: dict[str, list[Observed]] = {}
    for each in observed:
        by_output.setdefault(each.output, []).append(each)
    for members in by_output.values():
        elements = sum(each.elements for each in members)
        steps = [each.max_ulp for each in members if each.max_ulp is not None]
        yield replace(
            members[0],
            elements=elements,
            off=sum(each.off for each in members),
            max_abs=max(each.max_abs for each in members),
            mean_abs=sum(each.mean_abs * each.elements for each in members) / max(1, elements),
            max_rel=max(each.max_rel for each in members),
            mean_rel=sum(each.mean_rel * each.elements for each in members) / max(1, elements),
            max_ulp=max(steps, default=None),
            used=max(each.used for each in members),
        )

"""What outputs are compared with."""

from __future__ import annotations

import numpy as np

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.references import Reference, compare_answers, reference_of
from savedmodel_compat.runtimes.verdicts import Answer, Failure, Verdict

REFUSED = Answer(failure=Failure(text="no", type="INVALID_ARGUMENT"))


def answered(*values: float | None) -> Verdict:
    """A verdict with an answer for each set of inputs; None is a refusal."""
    answers = [
        REFUSED if value is None else Answer(outputs={"y": np.array([value], np.float32)})
        for value in values
    ]
    return Verdict(stage="run", answers=tuple(answers))


def reference(name: str, *values: float | None) -> Reference:
    """The reference that a release makes which answers the same twice."""
    made = reference_of(name, answered(*values), answered(*values), Policy())
    assert made is not None
    return made


def test_a_set_that_was_refused_is_looked_for_elsewhere() -> None:
    """What the newest release refuses and an older one answers is part of the reference: refusing it is a regression."""
    newest, older = reference("2.21.0", 1, None), reference("2.4.4", 1, 2)
    assert not newest.is_complete
    filled = newest.filled_by(older)
    assert filled.is_complete
    assert filled.name == "2.21.0"
    assert [output is not None and output["y"].tolist() for output in filled.outputs] == [[1], [2]]


def test_an_unstable_release_fills_nothing() -> None:
    """A release that answers differently in a second process is no reference for any set."""
    unstable = reference_of("2.4.4", answered(1, 2), answered(1, 3), Policy())
    assert unstable is not None
    assert unstable.unstable is not None
    assert unstable.is_complete
    assert not reference("2.21.0", 1, None).filled_by(unstable).is_complete


def test_a_release_that_refuses_everything_is_no_reference() -> None:
    """Without a single answer there is nothing to compare with."""
    assert reference_of("2.21.0", answered(None), answered(None), Policy()) is None


def test_a_mismatch_in_a_row_of_calls_says_which_call() -> None:
    """Of several sets of inputs the one that differs is named; of a single one there is nothing to name."""
    [found] = compare_answers(
        answered(1, 5, 3).answers, reference("export", 1, 2, 3), Policy()
    ).differences
    assert found.text.startswith("call 2 of 3: output 'y'")
    [found] = compare_answers(answered(5).answers, reference("export", 1), Policy()).differences
    assert found.text.startswith("output 'y'")

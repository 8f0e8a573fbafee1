"""What should hold of every SavedModel in every release, whatever it is fed; it needs the extra ``[hypothesis]``.

Each property is a function of a subject: a model in one release with one loader. It draws inputs for each signature, asks the
model, which stays loaded, and raises where an answer is not what it should be, with the smallest inputs that show it. A property
that says nothing of a model raises `DoesNotApplyError`, which the pytest plugin makes a skip. With the plugin ::

    @pytest.mark.parametrize("holds", properties.ALL, ids=properties.name_of)
    @pytest.mark.savedmodel("models/half_plus_two", on="smoke")
    def test_shapes(savedmodel_subject, holds):
        holds(savedmodel_subject)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.errors import UnsupportedError, UsageError
from savedmodel_compat.search import across, by_itself, refusals, rows
from savedmodel_compat.search.subject import (
    BrokenError,
    DoesNotApplyError,
    Search,
    Subject,
    Tally,
)

if TYPE_CHECKING:
    from savedmodel_compat.search.subject import Asked

__all__ = [
    "ALL",
    "BrokenError",
    "DoesNotApplyError",
    "Found",
    "Search",
    "Subject",
    "Tally",
    "answers_as_exported",
    "answers_twice_alike",
    "check_all",
    "defaults_hold",
    "find_all",
    "mismatches_refused",
    "name_of",
    "outputs_as_declared",
    "releases_agree",
    "rows_are_independent",
    "survives_saving_again",
]


def answers_as_exported(subject: Subject) -> Tally:
    """A reloaded model gives what its producer computed before it saved.

    The recorded calls are made again, in their order, in a fresh process. Other inputs are drawn if the exporter can still be
    asked: if it records, beside inputs and outputs, the ``call`` that it saved.

    Args:
        subject: a model with recordings, such as an exporter's.

    Raises:
        BrokenError: it gives something else.
        DoesNotApplyError: nothing was recorded, or it does not load here.
    """
    return _over_signatures(subject, across.answers_as_exported)


def outputs_as_declared(subject: Subject) -> Tally:
    """Each answer has the outputs, dtypes and shapes that the signature declares, whatever values it was made from.

    Args:
        subject: the model.

    Raises:
        BrokenError: an answer has others, or the process ended.
        DoesNotApplyError: no inputs can be drawn, none is answered, or it does not load here.
    """
    return _over_signatures(subject, by_itself.outputs_as_declared)


def answers_twice_alike(subject: Subject) -> Tally:
    """The same inputs get the same answer again, whatever was asked between, unless the model is said to keep state.

    Args:
        subject: the model.

    Raises:
        BrokenError: they do not.
        DoesNotApplyError: it is said to keep state, and as `outputs_as_declared`.
    """
    return _over_signatures(subject, by_itself.answers_twice_alike)


def rows_are_independent(subject: Subject) -> Tally:
    """A batch of n gives what n batches of one give, and in another order the same in that order.

    It is asked of signatures all of whose inputs and outputs are dense and have an open first dimension. That a batch is refused
    and each of its rows is answered breaks it, too; that an input is refused does not.

    Args:
        subject: the model.

    Raises:
        BrokenError: a row's answer depends on the others.
        DoesNotApplyError: no batch dimension is declared, and as `answers_twice_alike`.
    """
    return _over_signatures(subject, rows.rows_are_independent)


def mismatches_refused(subject: Subject) -> Tally:
    """Inputs that do not fit never end the process, and are refused wherever that loader checks.

    Which loader checks what was measured; see `savedmodel_compat.search.checking`.

    Args:
        subject: the model.

    Raises:
        BrokenError: the process ended, or what is checked was answered.
        DoesNotApplyError: no inputs can be drawn, or it does not load here.
    """
    return _over_signatures(subject, refusals.mismatches_refused)


def defaults_hold(subject: Subject) -> Tally:
    """The declared defaults are answered wherever other values are, and are what leaving the inputs out meant.

    No loader of TensorFlow fills them in: whoever asks does, as Serving. What leaving out meant is known where the exporter can
    still be asked; see `answers_as_exported`.

    Args:
        subject: the model.

    Raises:
        BrokenError: they are refused, or mean something else.
        DoesNotApplyError: no defaults are declared, and as `answers_twice_alike`.
    """
    return _over_signatures(subject, by_itself.defaults_hold)


def survives_saving_again(subject: Subject) -> Tally:
    """A model that its loader loads and the saver of the same API saves again keeps its signatures, its ops and its answers.

    It is asked of loader ``v2`` and what `tf.saved_model.save` wrote, and of ``v1`` and what a builder wrote, without assets:
    either API loses what the other has written (docs/search.md).

    Args:
        subject: the model, in a release that has TensorFlow installed.

    Raises:
        BrokenError: it cannot be saved, or is another model then.
        DoesNotApplyError: the loader is none of ``v1`` and ``v2``, and as `answers_twice_alike`.
    """
    return _over_signatures(subject, across.survives_saving_again)


def releases_agree(subject: Subject) -> Tally:
    """An answer is that of the subject's reference, within tolerance, and what one refuses the other refuses.

    Args:
        subject: the model; its reference is the release that wrote it, or the newest selected one that runs it.

    Raises:
        BrokenError: they differ.
        DoesNotApplyError: the subject is the reference, and as `answers_twice_alike`.
    """
    return _over_signatures(subject, across.releases_agree)


ALL: tuple[Callable[[Subject], Tally], ...] = (
    answers_as_exported,
    outputs_as_declared,
    answers_twice_alike,
    rows_are_independent,
    mismatches_refused,
    defaults_hold,
    releases_agree,
    survives_saving_again,
)
"""Every property, the cheapest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one property of one signature.

    Args:
        property: its name.
        signature: which signature; None if the model has none.
        tally: what was tried; None if it does not apply, or was broken.
        broken: how it was broken; None if it was not.
        why_not: why it does not apply; None if it does.
    """

    property: str
    signature: str | None
    tally: Tally | None = None
    broken: str | None = None
    why_not: str | None = None


def find_all(subject: Subject) -> list[Found]:
    """Ask every property of every signature; return what came of each, and raise nothing.

    Args:
        subject: the model.
    """
    if not subject.model.cases:
        return [_found(holds, subject, None) for holds in ALL]
    # Signature by signature, so that each is loaded once for all properties.
    return [
        _found(holds, one, one.model.cases[0].signature)
        for one in subject.narrowed()
        for holds in ALL
    ]


def check_all(subject: Subject) -> list[Found]:
    """Ask every property of every signature.

    Args:
        subject: the model.

    Returns:
        What came of each.

    Raises:
        BrokenError: at least one is broken; with all that are.
        DoesNotApplyError: none applies; with the reasons.
    """
    found = find_all(subject)
    broken = [each.broken for each in found if each.broken is not None]
    if broken:
        raise BrokenError("\n\n".join(broken))
    if all(each.tally is None for each in found):
        reasons = dict.fromkeys(f"{each.property}: {each.why_not}" for each in found)
        raise DoesNotApplyError("; ".join(reasons))
    return found


def _found(holds: Callable[[Subject], Tally], subject: Subject, signature: str | None) -> Found:
    name = name_of(holds)
    try:
        return Found(property=name, signature=signature, tally=holds(subject))
    except DoesNotApplyError as error:
        return Found(property=name, signature=signature, why_not=error.message)
    except (BrokenError, UsageError) as error:
        return Found(property=name, signature=signature, broken=str(error))


def name_of(holds: Callable[[Subject], Tally]) -> str:
    """Return what a property is called: for ``ids`` of ``pytest.mark.parametrize``."""
    return str(getattr(holds, "__name__", holds))


def _over_signatures(subject: Subject, one: Callable[[Asked], Tally]) -> Tally:
    """Ask about each signature; what applies to none applies not."""
    if one.__name__ in subject.search.leave_out:
        raise DoesNotApplyError("it is left out")
    total, why = Tally(), []
    applied = False
    for asked in subject.signatures():
        try:
            tally = one(asked)
        except DoesNotApplyError as error:
            why.append(f"{asked.case.signature}: {error.message}")
            continue
        except UnsupportedError as error:
            why.append(f"{asked.case.signature}: {error.message}")
            continue
        applied = True
        total.tried += tally.tried
        total.answered += tally.answered
        total.refused += tally.refused
    if not applied:
        raise DoesNotApplyError("; ".join(why))
    return total

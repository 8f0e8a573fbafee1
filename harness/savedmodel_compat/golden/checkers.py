"""Checkers of answers that are right in more than one way: ties, orders, signs. A manifest names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden import _check_ranks, _check_unordered, _check_vectors
from savedmodel_compat.golden._elements import Kind
from savedmodel_compat.golden.compare import Checker
from savedmodel_compat.golden.tolerances import Check

_RANKED = frozenset((Kind.FLOAT, Kind.WHOLE))
_WIDE = frozenset((Kind.FLOAT, Kind.COMPLEX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is known of an output without a look at its values.

    Args:
        dtype: its element type by TensorFlow's name.
        kind: how its elements are told apart.
        shape: its dimensions.
    """

    dtype: str
    kind: Kind
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Return it as messages name it."""
        return f"{self.dtype} {list(self.shape)}"


Forms = Mapping[str, Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChecker:
    """One of the built-in checkers.

    Args:
        text: what it accepts, in one line.
        function: judges.
        unfit: says which outputs cannot be judged so, whatever their values, and why.
        outputs: options that name an output each.
        required: options that must be given.
        optional: options that may be.
    """

    text: str
    function: Checker
    unfit: Callable[[Check, Forms], str | None]
    outputs: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """All options."""
        return (*self.required, *self.optional)


def _no_indices(check: Check, forms: Forms) -> str | None:
    source, axis = str(check.options["of"]), int(check.options.get("axis", -1))
    scores = forms[source]
    depth = len(scores.shape)
    if scores.kind not in _RANKED or not -depth <= axis < depth:
        return f"'{source}' ({scores}) has no axis {axis} of numbers"
    axis %= depth
    wanted = scores.shape[:axis] + scores.shape[axis + 1 :]
    for name in check.outputs:
        if forms[name].kind is not Kind.WHOLE or forms[name].shape != wanted:
            return f"'{name}' ({forms[name]}) holds no indices along axis {axis} of '{source}' ({scores})"
    return None


def _no_ranks(check: Check, forms: Forms) -> str | None:
    values, indices = str(check.options["values"]), str(check.options["indices"])
    if others := sorted(set(check.outputs) - {values, indices}):
        return f"'{others[0]}' is neither its values, '{values}', nor its indices, '{indices}'"
    one, other = forms[values], forms[indices]
    if other.kind is not Kind.WHOLE or not one.shape or one.shape != other.shape:
        return f"'{indices}' ({other}) holds no indices of '{values}' ({one})"
    if one.kind not in _RANKED:
        return f"'{values}' ({one}) has no largest values"
    source = check.options.get("of")
    if source is None:
        return None
    scores = forms[source]
    alike = scores.dtype == one.dtype and scores.shape[:-1] == one.shape[:-1]
    if not alike or len(scores.shape) != len(one.shape):
        return f"'{source}' ({scores}) does not hold the scores of which '{values}' ({one}) are the largest"
    return None


def _no_vectors(check: Check, forms: Forms) -> str | None:
    values = check.options.get("values")
    for name in check.outputs:
        form = forms[name]
        if form.kind not in _WIDE or len(form.shape) < 2:
            return f"'{name}' ({form}) holds no matrices of floats"
        if values is None:
            continue
        one = forms[values]
        if one.kind not in _WIDE or one.shape != (*form.shape[:-2], form.shape[-1]):
            return f"'{values}' ({one}) does not hold the eigenvalues of '{name}' ({form})"
    return None


def _no_rows(check: Check, forms: Forms) -> str | None:
    first = forms[check.outputs[0]]
    for name in check.outputs:
        if not forms[name].shape:
            return f"'{name}' ({forms[name]}) has no rows"
        if forms[name].shape[0] != first.shape[0]:
            return (
                f"'{name}' ({forms[name]}) has not as many rows as '{check.outputs[0]}' ({first})"
            )
    return None


CHECKERS: Mapping[str, KnownChecker] = MappingProxyType(
    {
        "argmax": KnownChecker(
            text="an index of any of the largest scores; `of` names the output with the scores",
            function=_check_ranks.argmax,
            unfit=_no_indices,
            outputs=("of",),
            required=("of",),
            optional=("axis",),
        ),
        "argmin": KnownChecker(
            text="an index of any of the smallest scores; `of` names the output with the scores",
            function=_check_ranks.argmin,
            unfit=_no_indices,
            outputs=("of",),
            required=("of",),
            optional=("axis",),
        ),
        "top-k": KnownChecker(
            text="the largest values of each row and their `indices`, in any order, with any of those that tie for the last place; `of`"
            " names the output with the scores, if there is one",
            function=_check_ranks.top_k,
            unfit=_no_ranks,
            outputs=("values", "indices", "of"),
            required=("values", "indices"),
            optional=("of",),
        ),
        "eigenvectors": KnownChecker(
            text="columns up to sign or phase; those of equal eigenvalues, which `values` names, up to their subspace",
            function=_check_vectors.eigenvectors,
            unfit=_no_vectors,
            outputs=("values",),
            optional=("values",),
        ),
        "unordered": KnownChecker(
            text="the same rows in any order; rows of several outputs belong together",
            function=_check_unordered.unordered,
            unfit=_no_rows,
        ),
    }
)
"""The built-in checkers by name."""


def needed(check: Check) -> set[str]:
    """Return all outputs that a check looks at: those that it judges, and those that its options name."""
    known = CHECKERS.get(check.checker)
    named = (check.options.get(option) for option in (known.outputs if known else ()))
    return {*check.outputs, *(name for name in named if isinstance(name, str))}


def resolve(
    checks: Sequence[Check], outputs: Sequence[str], own: Mapping[str, Checker]
) -> list[tuple[Check, Checker]]:
    """Return each check with the function that does it.

    Args:
        checks: from a manifest.
        outputs: aliases of the reference's outputs.
        own: checkers beside the built-in ones, by name.

    Raises:
        UsageError: a check names what is not there, or an option is missing or not known.
    """
    if shadowed := sorted(set(own) & set(CHECKERS)):
        raise UsageError(
            f"checker '{shadowed[0]}' is built in and cannot be replaced",
            hint="give your own checker another name",
        )
    return [(check, _resolved(check, outputs, own)) for check in checks]


def _resolved(check: Check, outputs: Sequence[str], own: Mapping[str, Checker]) -> Checker:
    name = check.checker
    if name not in CHECKERS and name not in own:
        known = ", ".join([*CHECKERS, *sorted(own)])
        raise UsageError(f"there is no checker '{name}'; known are {known}", hint=_hint("checker"))
    if not check.outputs:
        raise UsageError(f"checker '{name}' is given no outputs to judge", hint=_hint("outputs"))
    if name in CHECKERS:
        _check_options(check, CHECKERS[name])
    if unknown := sorted(needed(check) - set(outputs)):
        known = ", ".join(f"'{output}'" for output in sorted(outputs))
        raise UsageError(
            f"checker '{name}' names an output '{unknown[0]}' that the reference has not; it has {known}",
            hint=_hint("outputs"),
        )
    return own[name] if name in own else CHECKERS[name].function


def _check_options(check: Check, known: KnownChecker) -> None:
    """Refuse options that are missing, unknown, or no name of an output where one is due.

    Raises:
        UsageError: so it is.
    """
    possible = known.options
    said = ", ".join(possible) or "none"
    for option in known.required:
        if option not in check.options:
            raise UsageError(
                f"checker '{check.checker}' needs the option '{option}'; its options are {said}",
                hint=_hint("options"),
            )
    for option, value in check.options.items():
        if option not in possible:
            raise UsageError(
                f"checker '{check.checker}' has no option '{option}'; its options are {said}",
                hint=_hint("options"),
            )
        if option in known.outputs and not isinstance(value, str):
            raise UsageError(
                f"option '{option}' of checker '{check.checker}' is {value!r}, and not the name of an output",
                hint=_hint("options"),
            )


def _hint(what: str) -> str:
    return f"mend the {what} of the check in the golden's manifest"

"""Checkers of answers that are right in more than one way: ties, orders, signs. A manifest names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden import _check_ranks, _check_unordered, _check_vectors
from savedmodel_compat.golden.compare import Checker
from savedmodel_compat.golden.tolerances import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChecker:
    """One of the built-in checkers.

    Args:
        text: what it accepts, in one line.
        function: judges.
        outputs: options that name an output each.
        required: options that must be given.
        optional: options that may be.
    """

    text: str
    function: Checker
    outputs: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


CHECKERS: Mapping[str, KnownChecker] = MappingProxyType(
    {
        "argmax": KnownChecker(
            text="an index of any of the largest scores; `of` names the output with the scores",
            function=_check_ranks.argmax,
            outputs=("of",),
            required=("of",),
            optional=("axis",),
        ),
        "argmin": KnownChecker(
            text="an index of any of the smallest scores; `of` names the output with the scores",
            function=_check_ranks.argmin,
            outputs=("of",),
            required=("of",),
            optional=("axis",),
        ),
        "top-k": KnownChecker(
            text="the largest values of each row and their `indices`, in any order, with any of those that tie for the last place",
            function=_check_ranks.top_k,
            outputs=("values", "indices"),
            required=("values", "indices"),
        ),
        "eigenvectors": KnownChecker(
            text="columns up to sign or phase; those of equal eigenvalues, which `values` names, up to their subspace",
            function=_check_vectors.eigenvectors,
            outputs=("values",),
            optional=("values",),
        ),
        "unordered": KnownChecker(
            text="the same rows in any order; rows of several outputs belong together",
            function=_check_unordered.unordered,
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
    possible = (*known.required, *known.optional)
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

"""What is known of a model besides what its process did: it amends the result of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.matrix.attrs import IgnoredAttr
from savedmodel_compat.matrix.causes import BY_ID, Explanation
from savedmodel_compat.matrix.cells import Detail, Outcome, Result, Stage
from savedmodel_compat.matrix.judge import one_line

# Causes of a load that came up at a run: TensorFlow's text says what they are about.
_CLASSIFIED = frozenset((Stage.LOAD,))


def with_unreadable(result: Result, error: DamagedModelError) -> Result:
    """Return the result of a model whose file does not parse, with what the file is.

    A loader takes an empty file, or a frozen GraphDef, for a SavedModel without MetaGraphs, and says that the tags are
    missing; some releases load what is left of a file that was cut short.

    Args:
        result: of loading it all the same.
        error: of reading it.
    """
    cause = "not-a-savedmodel" if error.misnamed else "file-damaged"
    if result.outcome is Outcome.NOT_RUN:
        said = f"{result.cell.consumer} loads it all the same: {error.message}"
        return replace(result, reason="unreadable", message=one_line(said))
    if result.outcome is not Outcome.FAIL or result.cause == cause:
        return replace(result, notes=(*result.notes, error.message))
    others = tuple(
        other for other in result.causes if other not in {"tags-not-found", "unclassified"}
    )
    return replace(
        result,
        causes=(cause, *others),
        message=one_line(f"{error.message}. TensorFlow says: {result.message}"),
        detail=Detail(),
        fix=error.hint or BY_ID[cause].fix,
    )


def with_ignored(result: Result, ignored: Sequence[IgnoredAttr]) -> Result:
    """Return the result of a cell whose consumer ignores attrs.

    One that is not the default where the signature reaches makes it a failure; all others are notes.

    Args:
        result: of comparing the outputs.
        ignored: what the consumer leaves out.
    """
    notes = result.notes + tuple(str(attr) for attr in ignored)
    telling = [attr for attr in ignored if attr.default is False and attr.reached]
    if not telling or result.outcome not in {Outcome.PASS, Outcome.FAIL}:
        return replace(result, notes=notes)
    if result.cause is not None and BY_ID[result.cause].stage in _CLASSIFIED:
        # What TensorFlow itself named comes first; nobody knows whether the dropped attr is behind it.
        return replace(result, causes=(*result.causes, "attr-ignored"), notes=notes)
    first = telling[0]
    detail = Detail(op=first.op, attr=first.attr, node=first.node, function=first.function)
    explanation = Explanation(cause=BY_ID["attr-ignored"], detail=detail)
    said = result.message or "the outputs agree all the same"
    message = "; ".join([*map(str, telling), said])
    return replace(
        result,
        outcome=Outcome.FAIL,
        causes=("attr-ignored", *result.causes),
        message=one_line(message),
        detail=detail,
        fix=explanation.fix,
        notes=notes,
    )

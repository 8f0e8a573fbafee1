"""Inputs that do not fit, which are to be refused, and never to end the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat import strategies
from savedmodel_compat.matrix.inputs import wanted
from savedmodel_compat.search import checking
from savedmodel_compat.search._mismatches import RANK, SIZE, fits, mismatch_of
from savedmodel_compat.search.asking import counted
from savedmodel_compat.search.engine import Property, search
from savedmodel_compat.search.subject import (
    BrokenError,
    Tally,
    TookTooMuchError,
    TooMuchError,
)

if TYPE_CHECKING:
    from savedmodel_compat.search.subject import Asked


def mismatches_refused(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.mismatches_refused`."""
    loaded = asked.subject.load(asked.case)
    needed = wanted(asked.signature, asked.meta_graph)
    loader = asked.subject.consumer.loader
    used = checking.used_inputs(asked.meta_graph, asked.signature)

    def holds(drawn: strategies.Mismatch, tally: Tally) -> None:
        try:
            [answer] = loaded.ask([drawn.feed])
        except TooMuchError as error:
            raise TookTooMuchError(str(error)) from None
        is_refused = not counted(answer, tally)
        if not is_refused and looks_at(drawn):
            raise BrokenError(f"it is answered, and loader {loader} refuses such: {drawn.text}")

    def looks_at(drawn: strategies.Mismatch) -> bool:
        if drawn.kind in {RANK, SIZE} and loader == "v1":
            # A session knows nothing of the signature, and its placeholder may take more.
            tensor = asked.signature.inputs[drawn.alias].name
            shape = checking.shape_of_placeholder(asked.meta_graph, tensor or "")
            if fits(drawn.feed[drawn.alias].shape, shape):
                return False
        return checking.checks(loader, drawn.kind, is_used=drawn.alias in used)

    return search(
        Property(
            name="mismatches_refused",
            asked=asked,
            strategy=strategies.mismatched(asked.signature, asked.meta_graph),
            holds=holds,
            loaded=[loaded],
            feed_of=lambda drawn: drawn.feed,
            value_of=lambda feed: mismatch_of(needed, feed),
            unfit=lambda feed: None if mismatch_of(needed, feed).alias else "it fits the signature",
            is_answered=False,
        )
    )

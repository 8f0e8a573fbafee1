"""Inputs that do not fit, which are to be refused, and never to end the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat import strategies
from savedmodel_compat.matrix.inputs import wanted
from savedmodel_compat.search import checking
from savedmodel_compat.search._mismatches import mismatch_of
from savedmodel_compat.search.engine import Property, search
from savedmodel_compat.search.subject import BrokenError, Tally, TooMuchError

if TYPE_CHECKING:
    from savedmodel_compat.search.subject import Asked


def mismatches_refused(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.mismatches_refused`."""
    loaded = asked.subject.load(asked.case)
    needed = wanted(asked.signature, asked.meta_graph)
    loader = asked.subject.consumer.loader
    used = checking.used_inputs(asked.meta_graph, asked.signature)

    def holds(drawn: strategies.Mismatch, tally: Tally) -> None:
        # To have been asked and not ended counts.
        tally.answered += 1
        try:
            [answer] = loaded.ask([drawn.feed])
        except TooMuchError as error:
            raise BrokenError(str(error)) from None
        if answer.failure is not None:
            tally.refused += 1
        elif checking.checks(loader, drawn.kind, is_used=drawn.alias in used):
            raise BrokenError(f"it is answered, and loader {loader} refuses such: {drawn.text}")

    return search(
        Property(
            name="mismatches_refused",
            asked=asked,
            strategy=strategies.mismatched(asked.signature, asked.meta_graph),
            holds=holds,
            loaded=[loaded],
            feed_of=lambda drawn: drawn.feed,
            value_of=lambda feed: mismatch_of(needed, feed),
        )
    )

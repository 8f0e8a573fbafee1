"""What a model answers beside what others do: its producer, another release, itself saved again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.runtimes.verdicts import Answer
from savedmodel_compat.search import resaved
from savedmodel_compat.search._words import as_source, shapes
from savedmodel_compat.search.asking import (
    Arrays,
    counted,
    demand_no_state,
    feeds,
    named,
    search_feeds,
)
from savedmodel_compat.search.engine import some
from savedmodel_compat.search.subject import BrokenError, DoesNotApplyError, Loaded, Tally

if TYPE_CHECKING:
    from savedmodel_compat.search.subject import Asked


def answers_as_exported(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.answers_as_exported`."""
    if asked.case.expected is None:
        raise DoesNotApplyError("nobody recorded what its producer computed")
    loaded = asked.subject.load(asked.case)
    tally = _replayed(asked, loaded)
    live = None if asked.case.stateful else asked.subject.load_live(asked.case)
    if live is None:
        return tally

    def holds(feed: Arrays, tally: Tally) -> None:
        [expected] = live.ask([feed])
        [actual] = loaded.ask([feed])
        counted(actual, tally)
        different = asked.differences(expected, actual)
        if different:
            raise BrokenError(f"before it was saved, it answered otherwise: {different}")

    return search_feeds("answers_as_exported", asked, holds, [live, loaded])


def _replayed(asked: Asked, loaded: Loaded) -> Tally:
    """Make the recorded calls again, in their order, in a process without a past."""
    case, tally = asked.case, Tally()
    assert case.expected is not None
    loaded.renew()
    answers = loaded.ask(case.feeds)
    for feed, expected, answer in zip(case.feeds, case.expected, answers, strict=True):
        different = asked.differences(Answer(outputs=expected), answer)
        if different:
            raise BrokenError(
                f"{named('answers_as_exported', asked)}: {different}\n"
                f"  recorded inputs: {shapes(feed)}\n    @example({as_source(feed)})"
            )
        tally.tried += 1
        tally.answered += 1
    return tally


def releases_agree(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.releases_agree`."""
    demand_no_state(asked)
    reference = asked.subject.load_reference(asked.case)
    loaded = asked.subject.load(asked.case)

    def holds(feed: Arrays, tally: Tally) -> None:
        [expected] = reference.ask([feed])
        [actual] = loaded.ask([feed])
        counted(actual, tally)
        different = asked.differences(expected, actual)
        if different:
            raise BrokenError(f"{reference.where} answers otherwise: {different}")

    return search_feeds("releases_agree", asked, holds, [reference, loaded])


def survives_saving_again(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.survives_saving_again`."""
    demand_no_state(asked)
    _demand_saver(asked)
    drawn = some(asked, feeds(asked))
    answers = asked.subject.load(asked.case).ask(drawn)
    tally = Tally(tried=len(drawn))
    with asked.subject.saved_again() as again:
        differs = resaved.departure(asked, again)
        if differs is not None:
            raise BrokenError(f"{named('survives_saving_again', asked)}: {differs}")
        try:
            saved = asked.subject.load_other(again, asked.case).ask(drawn)
        except DoesNotApplyError as error:
            raise BrokenError(
                f"{named('survives_saving_again', asked)}: saved again, {error.message}"
            ) from None
    for feed, before, after in zip(drawn, answers, saved, strict=True):
        counted(before, tally)
        different = asked.differences(before, after)
        if different:
            raise BrokenError(
                f"{named('survives_saving_again', asked)}: saved again, it answers otherwise: {different}\n"
                f"  inputs: {shapes(feed)}\n    @example({as_source(feed)})"
            )
    return tally


def _demand_saver(asked: Asked) -> None:
    """Demand a model that the loader's API can save: across the two, and with assets in the older one, it loses its state."""
    loader, meta_graph = asked.subject.consumer.loader, asked.meta_graph
    if loader not in {"v1", "v2"}:
        raise DoesNotApplyError(f"loader {loader} goes with no saver")
    is_object = meta_graph.proto.HasField("object_graph_def")
    if is_object and loader == "v1":
        raise DoesNotApplyError("the builder of TensorFlow 1 saves no variables of a tf.Module")
    if not is_object and loader == "v2":
        raise DoesNotApplyError("tf.saved_model.save saves no variables of a graph of TensorFlow 1")
    if meta_graph.assets and loader == "v1":
        raise DoesNotApplyError("a builder is told by its user which files are assets")

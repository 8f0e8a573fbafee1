"""What a model answers beside what others do: its producer, another release, itself saved again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savedmodel_compat.matrix.judge import one_line
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
from savedmodel_compat.search.engine import Property, search, some
from savedmodel_compat.search.subject import (
    BrokenError,
    DoesNotApplyError,
    Loaded,
    Tally,
    TookTooMuchError,
    TooMuchError,
)

if TYPE_CHECKING:
    from savedmodel_compat.search.subject import Asked


def answers_as_exported(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.answers_as_exported`."""
    if asked.case.expected is None:
        raise DoesNotApplyError("nobody recorded what its producer computed")
    loaded = asked.subject.load(asked.case)
    tally = _replayed(asked, loaded)
    is_stateful = asked.case.stateful or asked.subject.search.stateful
    live = None if is_stateful else asked.subject.load_live(asked.case)
    if live is None:
        return tally

    def holds(feed: Arrays, tally: Tally) -> None:
        [expected] = live.ask([feed])
        actual = _answer(loaded, feed, expected, live)
        counted(actual, tally)
        if expected.failure is not None and actual.failure is None:
            raised = f"{expected.failure.type}: {one_line(expected.failure.text)}"
            raise BrokenError(
                f"it is answered, and before it was saved the exporter's `call` raised {raised}"
            )
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
        actual = _answer(loaded, feed, expected, reference)
        counted(actual, tally)
        different = asked.differences(expected, actual)
        if different:
            raise BrokenError(f"{reference.where} answers otherwise: {different}")

    return search(
        Property(
            name="releases_agree",
            asked=asked,
            strategy=feeds(asked),
            holds=holds,
            loaded=[reference, loaded],
            against=_asked_alike(asked),
        )
    )


def _asked_alike(asked: Asked) -> str | None:
    """Return the reference's release, if it is made ready and read in the same way."""
    if asked.subject.reference is None:
        return None
    one, other = asked.subject.consumer, asked.subject.reference[0]
    is_alike = (one.provider, one.loader) == (other.provider, other.loader)
    return other.release if is_alike else None


def _answer(loaded: Loaded, feed: Arrays, expected: Answer, other: Loaded) -> Answer:
    """Return an answer; one that takes too much, where another gave one, is a difference."""
    try:
        [answer] = loaded.ask([feed])
    except TooMuchError as error:
        if expected.failure is not None:
            raise
        raise TookTooMuchError(f"{other.where} answers, and {error}") from None
    return answer


def survives_saving_again(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.survives_saving_again`."""
    demand_no_state(asked)
    _demand_saver(asked)
    loaded = asked.subject.load(asked.case)
    asked_for = [(feed, _answer_or_none(loaded, feed)) for feed in some(asked, feeds(asked))]
    drawn = [feed for feed, answer in asked_for if answer is not None]
    answers = [answer for _, answer in asked_for if answer is not None]
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
    if not tally.answered:
        raise DoesNotApplyError(
            f"{named('survives_saving_again', asked)}: none of {tally.tried} inputs was answered, so that nothing is known"
        )
    return tally


def _answer_or_none(loaded: Loaded, feed: Arrays) -> Answer | None:
    """Return an answer; None of inputs that take too much."""
    try:
        [answer] = loaded.ask([feed])
    except TooMuchError:
        return None
    return answer


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

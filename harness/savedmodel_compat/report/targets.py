"""What is predicted for target releases, as text for people and as the JSON record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from savedmodel_compat.prediction.values import Ignored, Prediction, Reason, Verdict, When

if TYPE_CHECKING:
    from savedmodel_compat.prediction.outlook import Floor, Outlook

LOADERS = {
    "c": "the C++ loader",
    "v1": "tf.compat.v1.saved_model.load",
    "v2": "tf.saved_model.load",
}
"""What each loader is called in sentences."""

_SHOWN = 4
_MARKS = {Verdict.YES: "✓", Verdict.NO: "✗", Verdict.UNKNOWN: "?"}


def as_record(outlook: Outlook) -> dict[str, Any]:
    """Return what is predicted, ready for `json.dumps`: by target."""
    return {one.release: _prediction_record(one) for one in outlook.predictions}


def floor_record(floor: Floor) -> dict[str, Any]:
    """Return the oldest release that will do, ready for `json.dumps`."""
    return {
        "release": floor.release,
        "refusing": floor.refusing,
        "reason": None if floor.reason is None else _reason_record(floor.reason),
        "words": floor.words,
    }


def advice_record(outlook: Outlook) -> list[dict[str, Any]]:
    """Return what would help, ready for `json.dumps`."""
    return [{"what": advice.what, "releases": list(advice.releases)} for advice in outlook.advice]


def _prediction_record(prediction: Prediction) -> dict[str, Any]:
    return {
        "loads": prediction.loads.as_json,
        "reasons": [_reason_record(reason) for reason in prediction.reasons],
        "signatures": {key: verdict.as_json for key, verdict in prediction.runs.items()},
        "ignored": [_ignored_record(attr) for attr in prediction.ignored],
        "doubt": prediction.doubt,
        "loader": prediction.loader,
        "device": "cpu",
    }


def _reason_record(reason: Reason) -> dict[str, Any]:
    return {
        "cause": reason.cause,
        "op": reason.op,
        "attr": reason.attr,
        "node": reason.node,
        "function": reason.function,
        "count": reason.count,
        "place": reason.place.value,
        "stage": reason.when.value,
        "signatures": list(reason.signatures),
        "default": reason.default,
        "certain": reason.certain,
        "message": reason.message,
    }


def _ignored_record(attr: Ignored) -> dict[str, Any]:
    return {
        "op": attr.op,
        "attr": attr.attr,
        "node": attr.node,
        "function": attr.function,
        "count": attr.count,
        "default": attr.default,
        "place": attr.place.value,
        "signatures": list(attr.signatures),
        "value": attr.value,
    }


def lines(outlook: Outlook) -> Iterator[tuple[str, str, str]]:
    """Yield what to read: a mark, a head and a text for each line; those without a head go on."""
    for prediction in outlook.predictions:
        first, *others = _said(prediction)
        yield _mark(prediction), prediction.release, first
        for other in others:
            yield "", "", other
    yield "", "", ""
    yield "", "", outlook.floor.words
    for advice in outlook.advice:
        yield "", "advice", advice.words


def _mark(prediction: Prediction) -> str:
    if prediction.loads is not Verdict.YES:
        return _MARKS[prediction.loads]
    if Verdict.NO in prediction.runs.values():
        return _MARKS[Verdict.NO]
    if any(attr.is_telling for attr in prediction.ignored):
        return "!"
    unsure = Verdict.UNKNOWN in prediction.runs.values()
    return _MARKS[Verdict.UNKNOWN if unsure else Verdict.YES]


def _said(prediction: Prediction) -> list[str]:
    at_load = [one for one in prediction.reasons if one.when is When.LOAD]
    if prediction.loads is Verdict.NO:
        return _listed("fails: ", [one for one in at_load if one.certain])
    telling = [attr for attr in prediction.ignored if attr.is_telling]
    if prediction.loads is Verdict.UNKNOWN:
        said = [f"unknown: {prediction.doubt}"]
    else:
        said = ["loads" + _but_ignores(telling)]
    for signature, verdict in prediction.runs.items():
        mine = [one for one in prediction.reasons if signature in one.signatures]
        if verdict is not Verdict.YES and mine:
            head = "fails" if verdict is Verdict.NO else "may fail"
            said += _listed(f"signature '{signature}' {head} when it runs: ", mine[:1])
    return said


def _but_ignores(attrs: list[Ignored]) -> str:
    if not attrs:
        return ""
    named = [
        f"{attr.op}.{attr.attr}" + ("" if attr.value is None else f"={attr.value}")
        for attr in attrs
    ]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f" but ignores {', '.join(named[:_SHOWN])}{more}"


def _listed(head: str, reasons: list[Reason]) -> list[str]:
    said = [f"{head}{_words(reasons[0])}"] if reasons else [head]
    said += [f"{'':{len('fails: ')}}{_words(reason)}" for reason in reasons[1:_SHOWN]]
    if len(reasons) > _SHOWN:
        said.append(f"{'':{len('fails: ')}}and {len(reasons) - _SHOWN} reasons more")
    return said


def _words(reason: Reason) -> str:
    if reason.node is None:
        return f"{reason.cause}: {reason.message}"
    more = f" and {reason.count - 1} more" if reason.count > 1 else ""
    return f"{reason.cause}: {reason.message}; {reason.where}{more}, {reason.place.words}"


def table(outlooks: Mapping[str, Outlook]) -> Iterator[str]:
    """Yield a table of several models: a line each, a column a target, a mark in each cell.

    Args:
        outlooks: by the name of the model.
    """
    releases = list(
        dict.fromkeys(one.release for found in outlooks.values() for one in found.predictions)
    )
    if not releases:
        return
    width = max(map(len, outlooks))
    yield f"{'':{width}}  {'  '.join(releases)}"
    for name, found in outlooks.items():
        marks = {one.release: _mark(one) for one in found.predictions}
        cells = [f"{marks.get(release, ' '):<{len(release)}}" for release in releases]
        yield f"{name:{width}}  {'  '.join(cells)}".rstrip()
    yield "✓ loads   ! loads, but ignores what matters   ✗ fails   ? unknown"

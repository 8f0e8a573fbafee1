"""What exporters recorded in their producers, held against the goldens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.goldens import key_of
from savedmodel_compat.matrix.references import Reference, compare_answers
from savedmodel_compat.model import wire
from savedmodel_compat.runtimes.verdicts import Answer

if TYPE_CHECKING:
    import numpy as np

    from savedmodel_compat.golden.store import DataSet, Store
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.runtimes.wire import Arrays


def departure(model: Model, case: Case, store: Store, *, by_value: bool = False) -> str | None:
    """Return how what was recorded of a signature is not what its golden says; None if it is.

    What cannot be compared is a departure, too: no recording, other inputs, another number of calls of a signature that
    remembers.

    Args:
        model: as it was exported.
        case: the signature, with what was recorded of it.
        store: the goldens.
        by_value: whether its only input and its only output are called otherwise than the golden's, which is all the same.

    Raises:
        GoldenMissingError: the signature has no golden.
    """
    if case.expected is None:
        return "nothing was recorded"
    calls = list(zip(case.feeds, case.expected, strict=True))
    if by_value:
        calls = [(_only(fed), _only(said)) for fed, said in calls]
    sets = [
        _call(each, by_value) for each in store.read(key_of(model, case.signature, store)).data_sets
    ]
    if case.stateful is not None and len(calls) != len(sets):
        return (
            f"it remembers, and {len(calls)} calls were recorded where the golden has {len(sets)}"
        )
    in_a_row = case.stateful is not None or len(calls) > 1
    pairs = zip(calls, sets, strict=False) if in_a_row else _found(calls[0], sets)
    told = [(said, golden) for (fed, said), (other, golden) in pairs if _same(fed, other)]
    if len(told) != len(calls):
        return "the golden has other inputs"
    reference = Reference(name="golden", outputs=tuple(golden for _, golden in told))
    answers = tuple(Answer(outputs=said) for said, _ in told)
    found = compare_answers(answers, reference, Policy())
    return found.differences[0].text if found.differences else None


Call = tuple["Arrays", "Arrays"]


def _call(one: DataSet, by_value: bool) -> Call:
    return (_only(one.inputs), _only(one.outputs)) if by_value else (one.inputs, one.outputs)


def _only(arrays: Arrays) -> Arrays:
    """Return the only array under a name of its own."""
    [array] = arrays.values()
    return {"it": array}


def _found(call: Call, sets: list[Call]) -> Iterator[tuple[Call, Call]]:
    """Yield one call with the first data set of the same inputs."""
    for each in sets:
        if _same(call[0], each[0]):
            yield call, each
            return


def _same(fed: Arrays, other: Arrays) -> bool:
    return set(fed) == set(other) and all(_equal(fed[alias], other[alias]) for alias in other)


def _equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Tell whether two inputs are the same to a model, NaN like NaN and an Example like one in another order."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype != object:
        return bool(one.tobytes() == other.tobytes())
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return all(a == b or _features(a) == _features(b) != [] for a, b in pairs)


def _features(example: bytes) -> list[bytes]:
    """Return the features of a serialized ``tf.train.Example`` in one order; none of what is something else.

    The order in which they stand is that of a hash in some releases of Protobuf, though the message is serialized
    deterministically.
    """
    found: list[bytes] = []
    for features in _members(example):
        found += _members(features)
    return sorted(found)


def _members(message: bytes) -> list[bytes]:
    """Return what field 1 of a message holds, each time that it is there; nothing if it has other fields or is none."""
    found, at = [], 0
    try:
        while at < len(message):
            tag, start, at = wire.field(message, at)
            if tag != wire.tag_of(1) or at > len(message):
                return []
            found.append(message[start:at])
    except wire.WireError:
        return []
    return found

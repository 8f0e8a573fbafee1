"""What the suites say where an exporter records something else than its golden: goldens that are there, with seeded faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suites.recorded import departure

from savedmodel_compat.golden.store import Key, Store
from savedmodel_compat.matrix.models import Case, Model
from savedmodel_compat.model import wire

STORE = Store(Path(__file__).parent.parent / "golden")
Arrays = Mapping[str, "np.ndarray[Any, Any]"]


def recorded(
    exporter: str, signature: str = "serving_default", *, stateful: str | None = None
) -> tuple[Model, Case]:
    """Return a model whose exporter recorded in a signature just what its golden has."""
    key = Key(model=exporter, tags=("serve",), signature=signature)
    sets = STORE.read(key).data_sets
    case = Case(
        signature=key.signature,
        inputs=(),
        outputs=(),
        feeds=tuple(each.inputs for each in sets),
        expected=tuple(each.outputs for each in sets),
        stateful=stateful,
    )
    model = Model(
        name=exporter,
        path=Path("gone"),
        sha256="",
        tags=key.tags,
        strip=True,
        producer="2.11.1",
        cases=(case,),
        meta_graph=None,
        exporter=exporter,
    )
    return model, case


def calls(case: Case, number: int) -> Case:
    """Return a signature with the first of its calls."""
    assert case.expected is not None
    return replace(case, feeds=case.feeds[:number], expected=case.expected[:number])


def named(arrays: Arrays, name: str) -> Arrays:
    """Return the only array by another name."""
    [array] = arrays.values()
    return {name: array}


def test_without_a_fault() -> None:
    """One call is found among the golden's, several are compared in their order."""
    model, case = recorded("half_plus_two")
    assert departure(model, calls(case, 1), STORE) is None
    assert case.expected is not None
    last = replace(case, feeds=case.feeds[-1:], expected=case.expected[-1:])
    assert departure(model, last, STORE) is None
    model, case = recorded("counter", stateful="it counts")
    assert departure(model, case, STORE) is None


def test_fewer_calls_of_what_remembers() -> None:
    """One call of a counter, where the golden has three in a row, does not show that it counts."""
    model, case = recorded("counter", stateful="it counts")
    said = departure(model, calls(case, 1), STORE)
    assert said == "it remembers, and 1 calls were recorded where the golden has 3"


def test_calls_in_another_order() -> None:
    """Calls in a row are held against the golden's, one by one."""
    model, case = recorded("odd_shapes")
    turned = replace(case, feeds=case.feeds[::-1])
    assert departure(model, turned, STORE) == "the golden has other inputs"


@pytest.mark.parametrize("exporter", ["keras_sequential", "keras_subclassed"])
def test_what_keras_names_otherwise_is_compared_by_value(exporter: str) -> None:
    """Other names are no fault; weights that are NaN are."""
    model, case = recorded(exporter)
    assert case.expected is not None
    feeds = tuple(named(fed, "hidden_input") for fed in case.feeds[:1])
    other = replace(
        case, feeds=feeds, expected=tuple(named(s, "scores") for s in case.expected[:1])
    )
    assert departure(model, other, STORE, by_value=True) is None
    assert departure(model, other, STORE) == "the golden has other inputs"
    spoilt = {"scores": np.full_like(next(iter(case.expected[0].values())), np.nan)}
    said = departure(model, replace(other, expected=(spoilt,)), STORE, by_value=True)
    assert said is not None
    assert "NaN" in said


def test_what_was_not_recorded() -> None:
    """A signature of which nothing was recorded, or of other inputs, is told and not passed over."""
    model, case = recorded("half_plus_two")
    assert departure(model, replace(case, expected=None), STORE) == "nothing was recorded"
    [(alias, array)] = case.feeds[0].items()
    fed = replace(calls(case, 1), feeds=({alias: array + 1},))
    assert departure(model, fed, STORE) == "the golden has other inputs"


def test_inputs_that_are_nan() -> None:
    """NaN is NaN, as long as its bits are the same."""
    model, case = recorded("every_dtype", "float32")
    assert np.isnan(case.feeds[0]["x"]).any()
    assert departure(model, calls(case, 1), STORE) is None


def test_examples_in_another_order() -> None:
    """An Example is the same whatever the order of its features, which differs from Protobuf to Protobuf, and no other is."""
    model, case = recorded("tf_example")
    first = calls(case, 1)
    [(alias, array)] = first.feeds[0].items()

    def fed(one: bytes) -> Case:
        changed = np.array([one, *array.tolist()[1:]], dtype=object)
        return replace(first, feeds=({alias: changed},))

    example: bytes = array.tolist()[0]
    assert departure(model, fed(turned(example)), STORE) is None
    assert turned(example) != example
    other = turned(example).replace(b"ape", b"owl")
    assert departure(model, fed(other), STORE) == "the golden has other inputs"
    assert departure(model, fed(b"strange"), STORE) == "the golden has other inputs"


def turned(example: bytes) -> bytes:
    """Return an Example with its features in the opposite order."""
    _, start, end = wire.field(example, 0)
    assert end == len(example)
    found, at = [], start
    while at < end:
        begin = at
        _, _, at = wire.field(example, at)
        found.append(example[begin:at])
    return example[:start] + b"".join(reversed(found))

"""Drafts of expectations: they take in every failure of their record, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.matrix.made_cells import DAY, TABLE, cell, failing, judged

from savedmodel_compat.matrix._expectation_file import read
from savedmodel_compat.matrix._expectation_text import as_text
from savedmodel_compat.matrix.drafting import Draft, Point, draft, rectangles
from savedmodel_compat.matrix.expectations import Expectation
from savedmodel_compat.matrix.seen import Seen

PINS = [pin.release for pin in TABLE.on("cpu")]


def drafted(cells: Sequence[Seen]) -> Draft:
    """Draft for somebody, for a year."""
    return draft(cells, TABLE, owner="ops", expires=date(2027, 12, 31))


def said(entry: Expectation) -> tuple[Any, ...]:
    """What an entry says of models and releases."""
    assert entry.producer is not None
    assert entry.consumer is not None
    return entry.models, entry.producer.text, entry.consumer.text


def test_a_rectangle_of_releases() -> None:
    """What fails for one cause in neighbouring releases is one entry, whose ranges are exact over the pins."""
    old = [each for each in PINS if each.startswith("1.")]
    cells = [
        (failing if consumer in old[:4] else cell)("cnn", consumer, producer=producer)
        for producer in ("1.15.5", "2.11.1", "2.21.0")
        for consumer in PINS
    ]
    [entry] = drafted(cells).entries
    assert said(entry) == (("cnn",), "1.15.5,2.11.1,2.21.0", "<1.15")
    assert entry.claim == "attr-unknown Conv2D.explicit_paddings"
    assert entry.reason.startswith("A node carries an attr")
    assert (entry.strip, entry.loaders) == (False, ("c",))


def test_models_and_loaders_share_an_entry() -> None:
    """Models, and loaders, that fail in the same releases in the same way are listed together."""
    cells = [failing(model, loader=loader) for model in ("cnn", "mlp") for loader in ("c", "v1")]
    [entry] = drafted([*cells, failing("rnn")]).entries[:1]
    assert (entry.models, entry.loaders) == (("cnn", "mlp"), ("c", "v1"))


def test_a_hole_is_left_out() -> None:
    """A pair of releases that passes is taken in by no entry."""
    cells = [
        (cell if (p, c) == ("2.11.1", "2.4.4") else failing)("cnn", c, producer=p)
        for p in ("1.15.5", "2.11.1")
        for c in ("2.3.4", "2.4.4")
    ]
    entries = drafted(cells).entries
    assert len(entries) == 2
    assert not judged(entries, cells).is_broken


def test_a_signature_of_several() -> None:
    """Where one signature fails and another passes, the entry names the one that fails."""
    cells = [failing(signature="bad[0]"), cell(signature="good"), cell(signature="bad0")]
    [entry] = drafted(cells).entries
    assert entry.signatures == ("bad[[]0]",)
    assert not judged([entry], cells).is_broken


def test_a_device_of_several() -> None:
    """What fails on one device alone is expected there alone."""
    cells = [failing(device="cpu-xla"), cell()]
    [entry] = drafted(cells).entries
    assert (entry.devices, entry.signatures) == (("cpu-xla",), ())


def test_what_is_expected_already_is_not_drafted() -> None:
    """A failure that a live expectation covers needs no second one."""
    assert drafted([failing(expected=True)]).entries == ()


def test_a_model_whose_name_ends_anothers() -> None:
    """Where one model's name is the end of another's, the entry is about the one that fails."""
    cells = [failing("half", path="/r/half"), cell("models/half", path="/r/models/half")]
    [entry] = drafted(cells).entries
    assert entry.models == ("/half",)
    assert not judged([entry], cells).is_broken
    [entry] = drafted([cells[0], failing("models/half", path="/r/models/half")]).entries
    assert entry.models == ("/half", "models/half")


def test_what_no_pattern_can_name() -> None:
    """A release that is no version, and two cells that differ in nothing that a pattern sees, are left and told."""
    vendor = failing(producer="a vendor's")
    twins = [failing("twin"), cell("twin")]
    found = drafted([vendor, *twins])
    assert found.entries == ()
    assert found.left == (vendor, twins[0])


def test_few_rectangles() -> None:
    """A triangle of three steps takes three rectangles, not six."""
    needed = {Point(p, c) for p in "123" for c in "123" if p <= c}
    refused = {Point(p, c) for p in "123" for c in "123" if p > c}
    found = list(rectangles(needed, refused))
    assert len(found) == 3
    assert {(p, c) for ps, cs in found for p in ps for c in cs} == needed


WAYS = st.sampled_from(
    [
        {"outcome": "pass"},
        {"outcome": "unsupported"},
        {"outcome": "infra-error", "started": False, "signature": None, "tags": ()},
        {"outcome": "fail", "cause": "attr-unknown", "op": "Conv2D", "attr": "explicit_paddings"},
        {"outcome": "fail", "cause": "attr-unknown", "op": "Conv2D", "attr": None},
        {"outcome": "fail", "cause": "attr-unknown"},
        {"outcome": "fail", "cause": "run-failed"},
        {"outcome": "fail", "cause": "op-not-registered", "signature": None},
    ]
)
PLACES = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["cnn", "c*n", "[a]", "a/cnn", "b/a/cnn"]),
        "consumer": st.sampled_from(["1.15.5", "2.3.4", "2.4.4", "2.5.3", "2.21.0"]),
        "producer": st.sampled_from(["1.15.5", "2.11.1", "2.7.0", None]),
        "strip": st.sampled_from([True, False, None]),
        "signature": st.sampled_from(["a", "a*", "serving_default"]),
        "loader": st.sampled_from(["c", "v2"]),
        "device": st.sampled_from(["cpu", "cpu-xla"]),
        "tags": st.sampled_from([("serve",), ("serve", "gpu")]),
    }
)
POINTS = st.builds(Point, st.sampled_from("abcdef"), st.sampled_from("123456"))
RECORDS = st.lists(st.tuples(PLACES, WAYS), min_size=1, max_size=40)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(record=RECORDS)
def test_a_draft_leaves_nothing_to_say(
    tmp_path: Path, record: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """Of any record: what was drafted, written and read again expects each failure that it can, and nothing breaks."""
    made = [cell(**(place | way)) for place, way in record]
    cells = list({each.id: each for each in made}.values())
    found = drafted(cells)
    file = tmp_path / "draft.toml"
    file.write_text(as_text(found.entries), encoding="utf-8")
    judgement = judged(read(file, TABLE).entries, cells, day=DAY)
    assert not judgement.is_broken
    assert not judgement.out_of_scope
    left = {each.id for each in found.left}
    for each, expected in zip(cells, judgement.expected, strict=True):
        assert expected == (each.failed and each.id not in left), each.id


@settings(max_examples=100, deadline=None)
@given(st.sets(POINTS, min_size=1), st.sets(POINTS))
def test_rectangles_are_exact(needed: set[Point], others: set[Point]) -> None:
    """Whatever points are needed and refused, all of the former are taken in and none of the latter."""
    refused = others - needed
    taken = {(p, c) for ps, cs in rectangles(needed, refused) for p in ps for c in cs}
    assert needed <= taken
    assert not taken & refused

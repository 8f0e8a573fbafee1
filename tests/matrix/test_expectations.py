"""What expectations say of a run: strict in both directions."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from tests.matrix.made_cells import DAY, cell, expectation, failing, judged

from savedmodel_compat.matrix.expectations import Breach, Expectation, Judgement
from savedmodel_compat.matrix.seen import Seen


def breaches(judgement: Judgement) -> list[Breach | None]:
    """How cells are not what is expected of them."""
    return [broken.verdict.breach for broken in judgement.broken]


def test_a_failure_that_is_known_is_expected() -> None:
    """A cell that fails for the cause is expected, and nothing is said about the others."""
    said = judged([expectation(consumer="<2.5")], [failing(), cell(consumer="2.21.0")])
    assert said.expected == (True, False)
    assert not said.is_broken
    assert said.used == {"expectations.toml:1": 1}


def test_a_failure_that_nobody_knows_stays_one() -> None:
    """Seeded fault: a failure in a release that no expectation takes in is not expected."""
    said = judged([expectation(consumer="<2.5")], [failing(), failing(consumer="2.11.1")])
    assert said.expected == (True, False)


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({"outcome": "pass", "cause": None, "op": None, "attr": None}, Breach.PASSED),
        ({"cause": "op-not-registered"}, Breach.OTHER_CAUSE),
        ({"op": "Conv3D"}, Breach.OTHER_CAUSE),
        ({"attr": "dilations"}, Breach.OTHER_CAUSE),
        ({"outcome": "not-run", "cause": None}, Breach.NOT_RUN),
        ({"outcome": "unsupported", "cause": None}, Breach.NOT_RUN),
        ({"outcome": "infra-error", "cause": None}, Breach.NOT_RUN),
    ],
)
def test_what_is_expected_has_to_happen(changes: dict[str, Any], breach: Breach) -> None:
    """Seeded faults: an expected cell that passes, fails in another way or was not run breaks its expectation."""
    exact = expectation(op="Conv2D", attr="explicit_paddings")
    said = judged([exact], [failing(**changes)])
    assert breaches(said) == [breach]
    assert said.expected == (False,)
    assert said.is_broken


def test_one_of_several_causes_has_to_come() -> None:
    """Where which cause comes first changes from run to run, each of those that are named will do, and no other."""
    either = replace(expectation(), or_causes=("attr-value-not-allowed",))
    cells = [failing(), failing(cause="attr-value-not-allowed"), failing(cause="crashed")]
    said = judged([either], cells)
    assert said.expected == (True, True, False)
    assert breaches(said) == [Breach.OTHER_CAUSE]
    assert judged([either, expectation()], cells[:1]).expected == (True,)


def test_another_cause_beside_the_expected_one_is_no_expected_failure() -> None:
    """Seeded fault: numbers that are wrong, too, where an attr that is ignored was all that was known."""
    ignored = replace(expectation(), cause="attr-ignored")
    right, wrong = (
        failing(cause="attr-ignored"),
        failing(cause="attr-ignored", also=("output-mismatch",)),
    )
    said = judged([ignored], [right, wrong])
    assert said.expected == (True, False)
    assert breaches(said) == [Breach.OTHER_CAUSE]
    assert judged([replace(ignored, or_causes=("output-mismatch",))], [right, wrong]).expected == (
        True,
        True,
    )


def test_op_and_attr_are_compared_where_they_are_said() -> None:
    """An expectation without op takes any; a failure that names none is not the one of an op."""
    assert judged([expectation()], [failing(op="Conv3D")]).expected == (True,)
    assert breaches(judged([expectation(op="Conv2D")], [failing(op=None)])) == [Breach.OTHER_CAUSE]


def test_the_last_day() -> None:
    """An expectation holds on its last day; the day after it excuses nothing and is itself reported, once."""
    cells = [failing(), failing(consumer="2.3.4")]
    last = expectation(expires=DAY)
    assert judged([last], cells).expected == (True, True)
    said = judged([last], cells, day=DAY + timedelta(days=1))
    assert said.expected == (False, False)
    assert said.expired == (last,)
    assert not said.broken
    assert not said.stale


def test_an_expired_one_of_another_run() -> None:
    """An expectation past its date is reported wherever its file is used, with cells of it or without."""
    past = expectation(models=("other",), expires=date(2026, 1, 1))
    assert judged([past], [cell()]).is_broken


def test_a_live_one_excuses_beside_an_expired_one() -> None:
    """Who has set another date in a second expectation has set it."""
    past = expectation(expires=date(2026, 1, 1))
    assert judged([past, expectation()], [failing()]).expected == (True,)


def test_two_causes_for_one_cell() -> None:
    """Seeded fault: a cell that two expectations want to fail for different causes breaks both, whatever it does."""
    both = [expectation(), expectation(cause="op-not-registered", place="expectations.toml:9")]
    for one in (failing(), cell(), failing(cause="op-not-registered")):
        said = judged(both, [one])
        assert breaches(said) == [Breach.CONTRADICTED]
        assert said.expected == (False,)


def test_a_broad_and_a_narrow_one() -> None:
    """A cause and the same cause with an op are no contradiction; the cell has to satisfy both."""
    both = [expectation(), expectation(op="Conv2D", place="expectations.toml:9")]
    assert judged(both, [failing()]).expected == (True,)
    assert breaches(judged(both, [failing(op="Conv3D")])) == [Breach.OTHER_CAUSE]


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        ({"models": ("c?n", "x")}, {"model": "mlp"}),
        ({"tags": frozenset(("serve",))}, {"tags": ("serve", "gpu")}),
        ({"strip": False}, {"strip": True}),
        ({"strip": "unknown"}, {"strip": False}),
        ({"producer": "2.11"}, {"producer": "2.21.0"}),
        ({"producer": "unknown"}, {"producer": "2.21.0"}),
        ({"consumer": "<2.5"}, {"consumer": "2.5.3"}),
        ({"loaders": ("c", "v1")}, {"loader": "v2"}),
        ({"providers": ("wheel",)}, {"provider": "venv"}),
        ({"devices": ("cpu",)}, {"device": "cpu-xla"}),
        ({"signatures": ("serving_*",)}, {"signature": "predict"}),
        ({"signatures": ("",)}, {"signature": "predict"}),
    ],
    ids=lambda value: next(iter(value.items()))[0] if isinstance(value, dict) else None,
)
def test_each_axis_narrows(pattern: dict[str, Any], other: dict[str, Any]) -> None:
    """A cell has to be what the expectation says on every axis that it names."""
    mine: dict[str, Any] = {
        "strip": None if pattern.get("strip") == "unknown" else False,
        "producer": None if pattern.get("producer") == "unknown" else "2.11.1",
        "signature": None if pattern.get("signatures") == ("",) else "serving_default",
    }
    cells = [failing(**mine), failing(**(mine | other))]
    assert judged([expectation(**pattern)], cells).expected == (True, False)


@pytest.mark.parametrize(
    ("pattern", "model", "path", "is_meant"),
    [
        ("half", "models/half", "/r/models/half", True),
        ("h?lf", "models/half", "/r/models/half", True),
        ("models/half", "half", "/r/models/half", True),
        ("models/half", "models/half", "/r/models/half", True),
        ("/models/half", "models/half", "/r/models/half", True),
        ("/half", "models/half", "/r/models/half", False),
        ("a/half", "b/half", "/r/b/half", False),
        ("a/half", "half", "/r/b/half", False),
        ("half", "models/behalf", "/r/models/behalf", False),
        ("half", "models/half/00000123", "/r/models/half/00000123", False),
        ("half/00000123", "models/half/00000123", "/r/models/half/00000123", True),
        ("cache/model", "exporter", "/cache/model", False),
        ("model", "exporter", "/cache/model", False),
    ],
)
def test_what_a_model_is_called(pattern: str, model: str, path: str, is_meant: bool) -> None:
    """A name, or the end of a path, is the same model wherever it is run from; what has more folders is exact."""
    said = judged([expectation(models=(pattern,))], [failing(model, path=path)])
    assert said.expected == (is_meant,)
    assert bool(said.out_of_scope) is not is_meant


def test_a_folder_tells_models_apart() -> None:
    """Of two models in folders of one name, an expectation with a folder is about its own; one without, about both."""
    cells = [failing("a/x", path="/r/a/x"), cell("b/x", path="/r/b/x")]
    said = judged([expectation(models=("a/x",))], cells)
    assert said.expected == (True, False)
    assert not said.is_broken
    assert breaches(judged([expectation(models=("x",))], cells)) == [Breach.PASSED]


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("half_plus_tow", "models/half_plus_two"),
        ("other/half_plus_two", "models/half_plus_two"),
        ("half_plus_three", None),
        ("mlp", None),
    ],
)
def test_a_name_that_is_near(pattern: str, near: str | None) -> None:
    """Seeded faults: an expectation that nearly names a model of the run is told with it; one about another model is not."""
    cells = [cell("models/half_plus_two", path="/r/models/half_plus_two"), cell()]
    said = judged([expectation(models=(pattern,))], cells)
    assert [(each.pattern, each.near) for each in said.misnamed] == (
        [(pattern, near)] if near else []
    )
    assert not said.is_broken
    assert not judged([expectation(models=(pattern,))], cells, whole=False).misnamed


def test_what_was_never_started_may_have_any_signature() -> None:
    """An export that gave no model has neither tags nor signatures; an expectation about one of them was not run."""
    gone = cell(outcome="unsupported", started=False, tags=(), signature=None)
    said = judged([expectation(tags=frozenset(("serve",)), signatures=("f",))], [gone])
    assert breaches(said) == [Breach.NOT_RUN]


def test_one_that_matches_nothing_is_stale() -> None:
    """Seeded fault: the run has its model, releases and strip, and no cell with all of them."""
    cells = [cell(strip=True), cell(consumer="2.21.0", strip=False)]
    lost = expectation(consumer="2.4", strip=False)
    said = judged([lost], cells)
    assert (said.stale, said.out_of_scope) == ((lost,), ())
    assert said.is_broken


@pytest.mark.parametrize("axis", ["signatures", "tags"])
def test_a_signature_that_is_no_longer_there(axis: str) -> None:
    """Seeded fault: a signature or tag set that was renamed leaves its expectation behind, unless the user asked for others."""
    lost = expectation(**{axis: ("gone",) if axis == "signatures" else frozenset(("gone",))})
    assert judged([lost], [failing()]).stale == (lost,)
    narrowed = (axis.removesuffix("s") if axis == "signatures" else axis,)
    assert judged([lost], [failing()], narrowed=narrowed).out_of_scope == (lost,)


@pytest.mark.parametrize(
    "about",
    [
        {"models": ("mlp",)},
        {"producer": "2.21"},
        {"consumer": "<2"},
        {"loaders": ("v1",)},
        {"providers": ("docker",)},
        {"devices": ("gpu",)},
        {"strip": True},
    ],
    ids=lambda about: next(iter(about)),
)
def test_one_about_another_run_is_out_of_scope(about: dict[str, Any]) -> None:
    """A run without a release, model, loader, provider or device says nothing of expectations about it."""
    other = expectation(**about)
    said = judged([other], [cell()])
    assert said.out_of_scope == (other,)
    assert not said.is_broken


def test_scope_is_that_of_the_models() -> None:
    """A producer of which the run has another model only is out of scope for this one."""
    cells = [cell("cnn"), cell("mlp", producer="1.15.5")]
    said = judged([expectation(producer="1.15.5")], cells)
    assert len(said.out_of_scope) == 1


def test_a_part_of_a_run_finds_nothing_stale() -> None:
    """Where not all cells are there, what matches none of them may match one that is not."""
    lost = expectation(consumer="2.4", strip=False)
    said = judged([lost], [cell(strip=True), cell(consumer="2.21.0")], whole=False)
    assert not said.is_broken
    assert said.out_of_scope == (lost,)


def many(count: int) -> list[Seen]:
    """As many failing cells, of twenty models and all pins."""
    one = failing()
    return [
        replace(
            one,
            id=str(i),
            model=f"model_{i % 20}",
            consumer=("1.15.5", "2.4.4", "2.11.1", "2.21.0")[i // 20 % 4],
            signature=f"f{i // 80}",
        )
        for i in range(count)
    ]


def test_many_cells_and_expectations_take_seconds() -> None:
    """100,000 cells are held against 500 expectations in less than five seconds of a processor."""
    entries: list[Expectation] = [
        expectation(
            place=str(i),
            models=(f"model_{i % 20}", f"x{i}*"),
            consumer=("<2", ">=2.4,<2.6", "2.11", "2.21.0")[i // 20 % 4],
        )
        for i in range(500)
    ]
    cells = many(100_000)
    started = time.process_time()
    said = judged(entries, cells)
    assert time.process_time() - started < 5
    assert all(said.expected)

"""Floors: what is counted, what is too few, and the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.matrix.made_cells import cell, failing

from savedmodel_compat.errors import ConfigurationError
from savedmodel_compat.matrix import _floors_file
from savedmodel_compat.matrix.floors import AXES, Count, Tier, advice, count, shortfalls

CELLS = [
    cell("cnn", "2.4.4"),
    cell("cnn", "2.11.1"),
    failing("cnn", "1.15.5"),
    cell("mlp", "2.4.4", outcome="unsupported", compared=0),
    cell("mlp", "2.11.1", producer=None, strip=None),
]


def test_what_is_counted() -> None:
    """Cells that were planned, that passed or failed, that had an output compared: in all, and of each value."""
    found = count(CELLS)
    assert found.total == Count(collected=5, run=4, compared=3)
    assert found.values["model"] == {
        "cnn": Count(collected=3, run=3, compared=2),
        "mlp": Count(collected=2, run=1, compared=1),
    }
    assert found.values["consumer"]["2.4.4"] == Count(collected=2, run=1, compared=1)
    assert found.values["producer"]["unknown"] == Count(collected=1, run=1, compared=1)
    assert set(found.values["strip"]) == {"unknown", "unstripped"}
    assert set(found.values) == set(AXES)


def test_a_cell_counts_once() -> None:
    """A cell that several tests ran, or that stands in two records, is one."""
    assert count([*CELLS, *CELLS]) == count(CELLS)


def test_as_many_and_more_are_enough() -> None:
    """A run is not below its own floors, and one with more is not, either."""
    floors = count(CELLS)
    assert shortfalls(floors, floors) == []
    assert shortfalls(floors, count([*CELLS, cell("rnn", "2.21.0")])) == []


def test_fewer_are_told_with_their_axis() -> None:
    """Seeded faults: a cell that is gone, one that is no longer run, one that is no longer compared."""
    floors = count(CELLS)
    gone = list(map(str, shortfalls(floors, count(CELLS[1:]))))
    assert "in all: 4/3/2, floor 5/4/3 (collected/run/compared)" in gone
    assert "consumer 2.4.4: 1/0/0, floor 2/1/1 (collected/run/compared)" in gone
    unrun = [cell("cnn", "2.4.4", outcome="not-run", compared=0), *CELLS[1:]]
    said = list(map(str, shortfalls(floors, count(unrun))))
    assert "in all: 5/3/2, floor 5/4/3 (collected/run/compared)" in said
    uncompared = [cell("cnn", "2.4.4", compared=0), *CELLS[1:]]
    said = list(map(str, shortfalls(floors, count(uncompared))))
    assert "model cnn: 3/3/1, floor 3/3/2 (collected/run/compared)" in said
    assert len(said) == len(set(said))


def test_a_value_that_is_missing() -> None:
    """Seeded fault: a release that nothing is run in any more is named, though there are as many cells."""
    floors = count(CELLS)
    others = [cell("cnn", "2.21.0"), *CELLS[1:]]
    moved = [each for each in others if each.consumer != "1.15.5"] + [cell("cnn", "2.20.0")]
    [first, *_] = shortfalls(floors, count(moved))
    assert first.missing
    assert str(first) == "consumer 1.15.5: 0/0/0, floor 1/1/0 (collected/run/compared)"


def test_what_is_gone_is_told_first() -> None:
    """Values that are gone stand before the total and what there is less of."""
    said = shortfalls(count(CELLS), count(CELLS[3:4]))
    missing = [each.missing for each in said]
    assert missing == sorted(missing, reverse=True)
    assert said[0].value == "cnn"
    assert next(each.axis for each in said if not each.missing) == ""


@pytest.mark.parametrize(
    ("floor", "models", "holds"),
    [
        ("x", ["models/x"], True),
        ("models/x", ["x"], True),
        ("other/x", ["models/x"], False),
        ("other/x", ["x"], False),
        ("x", ["models/x", "more/x"], False),
        ("x", ["models/x", "x"], True),
    ],
)
def test_a_model_by_another_name(floor: str, models: list[str], holds: bool) -> None:
    """A model counts under the name that its floor has for it, be it with more folders or fewer; never two under one."""
    floors = Tier(values={"model": {floor: Count(collected=1)}})
    folders = {"x": "/r/models/x"}
    cells = [cell(model, path=folders.get(model, f"/r/{model}")) for model in models]
    found = count(cells, floors)
    assert found.total.collected == len(models)
    assert (shortfalls(floors, found) == []) is holds


def test_a_floor_that_is_the_models_own() -> None:
    """Where floors have a model's name and the end of it, its cells count under the name, and the other is gone."""
    floors = Tier(values={"model": {"x": Count(run=1), "models/x": Count(run=1)}})
    found = count([cell("models/x", path="/r/models/x")], floors)
    assert list(found.values["model"]) == ["models/x"]
    assert [each.value for each in shortfalls(floors, found)] == ["x"]


def test_what_to_do() -> None:
    """What to do names the command that writes the floors anew."""
    assert advice("floors.toml", ">=2.4").endswith("--tier '>=2.4' -o floors.toml")


def test_a_floor_that_nobody_set() -> None:
    """A file written by hand may set some floors and leave others."""
    floors = Tier(values={"loader": {"c": Count(compared=4)}})
    assert list(map(str, shortfalls(floors, count(CELLS)))) == [
        "loader c: 5/4/3, floor -/-/4 (collected/run/compared)"
    ]


def test_the_file_comes_back(tmp_path: Path) -> None:
    """What is written is read again, tiers with any name; releases stand in their order."""
    file = tmp_path / "floors.toml"
    tiers = {"smoke": count(CELLS), ">=2.4,<2.16": count([cell('a "b"', "2.4.4")])}
    _floors_file.write(tiers, file)
    assert _floors_file.read(file) == tiers
    text = file.read_text()
    assert text.index('"2.4.4" =') < text.rindex('"2.11.1" =')
    assert _floors_file.as_text(_floors_file.read(file)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "have no tier"),
        ("[smoke]\n", "no floor above zero"),
        ("[smoke]\ntotal = { run = 0 }\n", "no floor above zero"),
        ("[smoke.consumer]\n", "no floor above zero"),
        ("smoke = 3\n", "smoke is 3"),
        ("[smoke]\ntotals = { run = 1 }\n", "unknown key 'totals'"),
        ("[smoke]\ntotal = { ran = 1 }\n", "unknown key 'ran'"),
        ("[smoke]\ntotal = { run = -1 }\n", "smoke.total.run is -1"),
        ("[smoke]\ntotal = { run = true }\n", "smoke.total.run is True"),
        ('[smoke]\ntotal = { run = "1" }\n', "smoke.total.run is '1'"),
        ("[smoke]\ntotal = { run = [1] }\n", "smoke.total.run is an array, where"),
        (f"smoke = {'1' * 80!r}\n", "1…, where a table"),
        ("[smoke]\ntotal = [{ run = 1 }]\n", "smoke.total is an array, where a table"),
        ("[[expectation]]\nreason = 'long'\n" * 99, "toml is a file of expectations, where floors"),
        ("[[scenario]]\nname = 'long'\n" * 99, "toml is a file of [[scenario]], where floors"),
        ("[smoke\n", "do not parse"),
        (f"a = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    """Seeded faults: floors that nothing could be below are no floors, and what is misspelled is told."""
    file = tmp_path / "floors.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        _floors_file.read(file)
    assert said in str(caught.value)
    assert len(caught.value.message) < 300
    assert "floors.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named and is gone is an error, and no run without floors."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        _floors_file.read(tmp_path / "gone.toml")

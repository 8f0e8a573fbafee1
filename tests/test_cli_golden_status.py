"""`golden status`, `prune`, `accept` and `reject` beside damage, elsewhere, and with little to go by; no release is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.golden import stored
from tests.golden.stored import data_set, golden, key

from savedmodel_compat import cli
from savedmodel_compat.golden import pending
from savedmodel_compat.golden.manifest import Source
from savedmodel_compat.golden.store import Key, Store
from savedmodel_compat.matrix.sources import source_digest

EXPORTERS = Path(__file__).parent.parent / "suites" / "exporters"
HALF = key(model="half")
OTHER = key(model="other")
PROJECT = '[tool.savedmodel-compat.exporters]\nhalf = "half_plus_two.py::export_module"\n'
CASES: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda path: path.write_text(path.read_text().replace("[]", "[,]", 1)),
    "a key unknown": lambda path: stored.edit(path, lambda document: document.update(more=1)),
    "missing": lambda path: path.unlink(),
    "a checker unknown": lambda path: stored.edit(
        path,
        lambda document: document["checkers"].append(
            {"checker": "argmaxx", "outputs": ["y"], "reason": "ties"}
        ),
    ),
    "an edited mean": lambda path: stored.edit(
        path, lambda document: document["data_sets"][0]["outputs"][0].update(mean=17.0)
    ),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two exporters, by name and by file, and a golden of each; the working directory."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("half_plus_two.py", "_saving.py"):
        shutil.copy(EXPORTERS / name, folder / name)
    (folder / "pyproject.toml").write_text(PROJECT)
    source = replace(stored.SOURCE, sha256=source_digest(folder / "half_plus_two.py"))
    store = Store(folder / "golden")
    store.write(golden(HALF, source=replace(source, name="half")))
    store.write(golden(OTHER, source=replace(source, name="half_plus_two.py::export_module")))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def store(repository: Path) -> Store:
    """Its goldens."""
    return Store(repository / "golden")


def run(*arguments: str) -> int:
    """Run a command of ``golden`` and return its exit code."""
    return cli.run(["golden", *arguments])


def states(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    """Return the state of each golden by name."""
    capsys.readouterr()
    run("status", "--format", "json", *arguments)
    return {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)["goldens"]}


def add(store: Store, which: Key, **said: Any) -> None:
    """Add a golden of another source."""
    store.write(golden(which, source=Source(**{**_FIELDS, **said})))


_FIELDS: dict[str, Any] = {
    "kind": "model",
    "name": "models/net",
    "sha256": "0" * 64,
    "strip_default_attrs": None,
    "seed": None,
}


@pytest.mark.parametrize("case", CASES)
def test_one_damaged_golden_is_one_row(
    case: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was done to one manifest, the row names golden and file, and the other golden has its own."""
    CASES[case](store.place(HALF) / "manifest.json")
    assert run("status") == 1
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"damaged  {HALF.name}  ")
    assert str(store.place(HALF)) in first
    assert second.startswith(f"fresh    {OTHER.name} ")


def test_prune_works_beside_damage(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A golden is deleted whatever another one is like, and a damaged one by its name."""
    (store.place(HALF) / "manifest.json").write_text("{")
    assert run("prune", "other*", "--yes") == 0
    assert not store.has(OTHER)
    assert run("prune", HALF.name, "--yes") == 0
    assert not store.has(HALF)


def test_a_damaged_proposal_hides_no_golden(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a row of its own, with its folder."""
    left = pending.leave(store, golden(HALF, factor=2), "2.11.1-wheel-c-cpu", summary="off")
    (left.path / "proposal.json").write_text("{")
    assert run("status") == 1
    said = capsys.readouterr().out
    name = left.path.relative_to(store.root).as_posix()
    assert f"damaged  {name}  " in said
    assert "proposal.json" in said
    assert said.count("fresh  ") == 2
    whole = pending.leave(store, golden(HALF, factor=3), "2.4.4-wheel-c-cpu", summary="off")
    assert run("reject", name) == 0
    assert not left.path.exists()
    assert whole.path.exists()
    assert run("reject", "--all") == 0
    assert run("status") == 0


def test_a_damaged_frozen_model_hides_no_golden(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said of a frozen model may be unreadable, or its folder gone; both are rows."""
    models = store.root / "models"
    models.mkdir()
    for name in ("a", "b"):
        (models / f"{name}.json").write_text("{")
        add(store, key(model=name), name=name, frozen=name)
    assert states(capsys) == {
        "a:serve:serving_default": "damaged",
        "b:serve:serving_default": "damaged",
        "models/a": "damaged",
        "models/b": "damaged",
        HALF.name: "fresh",
        OTHER.name: "fresh",
    }


def test_status_from_elsewhere(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --golden the configuration and files are those beside the goldens, not those of the working directory."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "half_plus_two.py").write_text("another = 1\n")
    (elsewhere / "pyproject.toml").write_text(PROJECT.replace("half =", "something ="))
    monkeypatch.chdir(elsewhere)
    assert states(capsys, "--golden", str(store.root)) == {HALF.name: "fresh", OTHER.name: "fresh"}
    assert run("prune", "--unused", "--golden", str(store.root), "--yes") == 0
    assert len(store.keys()) == 2


def test_a_source_that_is_not_here_is_unknown(
    store: Store, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exporter's file or a model that is not there makes a golden neither stale nor unused, and is no error."""
    add(store, key(model="net"))
    (repository / "half_plus_two.py").unlink()
    assert states(capsys) == dict.fromkeys(
        (HALF.name, "net:serve:serving_default", OTHER.name), "unknown"
    )
    assert run("status") == 0
    said = capsys.readouterr().out
    assert f"its exporter is not here: there is no file {repository / 'half_plus_two.py'}" in said
    assert "its model is not here" in said
    assert str(repository / "models" / "net") in said
    assert run("prune", "--unused", "--yes") == 0
    assert len(store.keys()) == 3


def test_goldens_without_any_configuration_are_unknown(
    store: Store, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no file says which exporters are registered, a name may be registered elsewhere."""
    (repository / "pyproject.toml").unlink()
    assert states(capsys) == {HALF.name: "unknown", OTHER.name: "fresh"}


def test_an_exporter_that_is_registered_no_longer_is_unused(
    store: Store, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A golden of a name that the repository's file does not have any more is what --unused deletes."""
    (repository / "pyproject.toml").write_text("[tool.savedmodel-compat.exporters]\n")
    add(store, key(model="icy"), name="icy", frozen="icy")
    assert states(capsys) == {
        HALF.name: "unused",
        "icy:serve:serving_default": "unused",
        OTHER.name: "fresh",
    }
    assert run("prune", "--unused", "--yes") == 0
    assert store.keys() == (OTHER,)


def test_an_exporter_that_does_not_parse_is_stale(
    store: Store, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It did when the golden was recorded, so that it has changed since."""
    (repository / "half_plus_two.py").write_text("def (:\n")
    assert states(capsys) == {HALF.name: "stale", OTHER.name: "stale"}


def record_of(path: Path, *names: str) -> str:
    """Write the record of a run whose cells were compared with some goldens."""
    path.write_text(json.dumps({"cells": [{"golden": name, "causes": []} for name in names]}))
    return str(path)


def test_unused_says_what_it_goes_by(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without records hardly anything is known to be unused; with them it depends on what they are of."""
    assert run("prune", "--unused") == 0
    told = capsys.readouterr()
    assert "nothing to delete" in told.out
    assert "the records of all shards only" in told.err
    assert "hint: " in told.err

    add(store, key(model="net"))
    record = record_of(tmp_path / "record.json", HALF.name)
    assert states(capsys, "--record", record) == {
        HALF.name: "fresh",
        OTHER.name: "unused",
        "net:serve:serving_default": "unused",
    }
    assert run("prune", "--unused", "--record", record, "--yes") == 0
    assert "must be of the whole selection" in capsys.readouterr().err
    assert store.keys() == (HALF,)


def test_nothing_to_record(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That nothing was selected is exit code 5, with the reason."""
    assert run("record") == 5
    assert "every registered exporter has goldens (1 are registered)" in capsys.readouterr().err
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "pyproject.toml").touch()
    monkeypatch.chdir(bare)
    assert run("record") == 5
    assert "no exporter is registered" in capsys.readouterr().err


LABELS = ("2.11.1-wheel-c-cpu", "2.4.4-wheel-c-cpu")
SUMMARY = "; ".join(
    (
        f"data set 'typical': output 'y': 3 of 3 elements differ {'x' * 400}",
        "data set 'typical': output 'z': 1 of 3 elements differ",
        "data set 'one': output 'y': 1 of 1 elements differ; at [0] 4.0, the reference has 2.0",
    )
)


@pytest.fixture
def proposed(store: Store) -> Store:
    """Two consumers that answer the same instead of a golden, and a third that does not."""
    for label in LABELS:
        pending.leave(store, golden(HALF, factor=2), label, summary=SUMMARY)
    pending.leave(store, golden(HALF, factor=3), "2.21.0-wheel-c-cpu", summary="another")
    pending.leave(store, golden(OTHER, data_set(factor=2)), LABELS[0], summary=SUMMARY)
    return store


def test_equal_answers_are_told_once(proposed: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Who answered the same stands in one row, with a line for each data set that nobody has to scroll along."""
    assert run("status") == 1
    lines = capsys.readouterr().out.splitlines()
    start = lines.index(f"proposed {HALF.name}  by {', '.join(LABELS)} (the same answer)")
    typical, one, path = lines[start + 1 : start + 4]
    assert typical.startswith("         data set 'typical': output 'y': 3 of 3 elements differ xxx")
    assert typical.endswith("…; and 1 more outputs")
    assert one.strip() == SUMMARY[SUMMARY.index("data set 'one'") :]
    assert path.strip() == str(pending.proposals(proposed)[0].path)
    assert max(len(line) for line in lines[start + 1 : start + 3]) <= 209
    assert lines[start + 4].startswith(f"proposed {HALF.name}  by 2.21.0-wheel-c-cpu")


@pytest.mark.parametrize("name", ["half", "half:serve", HALF.name, "ha*"])
def test_a_model_names_its_goldens(
    name: str, proposed: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """MODEL and MODEL:TAGS are names, too; what is accepted takes one line."""
    assert run("accept", name, "--from", LABELS[0], "--reason", "retrained") == 0
    assert capsys.readouterr().out == f"accepted {HALF.name} from {LABELS[0]}\n"
    assert {each.key for each in pending.proposals(proposed)} == {OTHER}
    assert run("reject", "other:serve") == 0
    assert run("prune", name, "--yes") == 0
    assert proposed.keys() == (OTHER,)


def test_a_part_of_a_name_is_none(proposed: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Only whole models and tag sets name their goldens."""
    for name in ("hal", "half:serv", "serve"):
        assert run("reject", name) == 4
        assert f"'{name}' is none of" in capsys.readouterr().err


def test_status_says_that_it_takes_paths(capsys: pytest.CaptureFixture[str]) -> None:
    """Its arguments are folders of models."""
    assert run("status", "--help") == 0
    assert "never the name of a golden" in " ".join(capsys.readouterr().out.split())

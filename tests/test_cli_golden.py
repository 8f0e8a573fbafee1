"""`golden` and `run --golden` at work on real models and releases: record, compare, propose, accept, reject, prune."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savedmodel_compat import cli
from savedmodel_compat.golden.store import DataSet, Golden, Store
from savedmodel_compat.matrix.models import Model

RELEASE = "2.11.1"
NAME = "half:serve:serving_default"
ALL = [f"half:serve:{key}" for key in ("classify_x_to_y", "regress_x_to_y", "serving_default")]


@pytest.fixture
def model(exported: Callable[..., Model], tmp_path: Path) -> Path:
    """A model of a user's, y = x / 2 + 2, with three signatures."""
    return Path(shutil.copytree(exported("half_plus_two").path, tmp_path / "half"))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Inputs of its serving signature."""
    path = tmp_path / "inputs.npz"
    np.savez(path, x=np.array([[1], [2], [4]], np.float32))
    return path


@pytest.fixture
def store(model: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The goldens of the model's serving signature, as 2.11.1 answers."""
    monkeypatch.chdir(tmp_path)
    serving = ("--signature", "serving_default", "--inputs", str(inputs))
    assert golden("record", str(model), "--with", RELEASE, *serving) == 0
    return Store(tmp_path / "golden")


def golden(command: str, *arguments: str) -> int:
    """Run a command of ``golden`` and return its exit code."""
    return cli.run(["golden", command, *arguments])


def run(model: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Compare a model with its goldens in 2.11.1; return the exit code and the cells."""
    record = model.parent / "record.json"
    serving = ("--signature", "serving_default", "--golden", str(model.parent / "golden"))
    code = cli.run(
        ["run", str(model), "--on", RELEASE, *serving, "--json", str(record), *arguments]
    )
    return code, json.loads(record.read_text())["cells"]


def changed(store: Store, change: Callable[[DataSet], dict[str, np.ndarray[Any, Any]]]) -> None:
    """Write a golden with other outputs in the place of the only one."""
    [key] = store.keys()
    was = store.read(key)
    sets = tuple(
        DataSet(
            name=s.name, inputs=s.inputs, outputs=change(s), dtypes=typed(s, change(s)), why=s.why
        )
        for s in was.data_sets
    )
    store.write(Golden(key=key, manifest=was.manifest, data_sets=sets))


def typed(data_set: DataSet, outputs: dict[str, np.ndarray[Any, Any]]) -> dict[str, str]:
    """Return the types of the inputs, as they were, and of other outputs."""
    kept = {place: name for place, name in data_set.dtypes.items() if place.startswith("inputs/")}
    names = {alias: array.dtype.name for alias, array in outputs.items()}
    strings = {a: "string" if name == "object" else name for a, name in names.items()}
    return kept | {f"outputs/{alias}": name for alias, name in strings.items()}


def test_recorded_by_a_release_and_agreed_with_by_another(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What 2.11.1 answered is what the cells of another release are fed and compared with."""
    [key] = store.keys()
    assert key.name == NAME
    manifest = store.manifest(key)
    assert [each.name for each in manifest.data_sets] == ["typical", "one", "many", "edges"]
    assert manifest.recorded_by == "2.11.1 wheel c cpu"
    assert manifest.surroundings["tensorflow"]["release"] == RELEASE
    assert manifest.source.kind == "model"

    code, [cell] = run(model, "--on", "2.4.4")
    assert (code, cell["outcome"], cell["reference"], cell["golden"]) == (0, "pass", "golden", NAME)
    assert cell["compared"] == 4
    [observed] = cell["observed"]
    assert (observed["output"], observed["off"]) == ("y", 0)


def test_a_missing_golden_fails(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signature without a golden loads, runs, and fails; it does not pass for want of something to compare with."""
    code = cli.run(["run", str(model), "--on", RELEASE, "--golden", str(store.root)])
    assert code == 1
    said = capsys.readouterr().out
    assert "golden-missing" in said
    assert "3 cells: 1 pass, 2 fail" in said


def test_a_damaged_golden_fails_and_names_its_file(store: Store, model: Path) -> None:
    """A file that was cut short is told from an answer that changed."""
    [key] = store.keys()
    path = store.place(key) / "many.tensors"
    path.write_bytes(path.read_bytes()[:-20])
    code, [cell] = run(model)
    assert (code, cell["cause"], cell["stage"]) == (1, "golden-damaged", "compare")
    assert "many.tensors" in cell["message"]
    assert not (store.root / "pending").exists()


def test_a_manifest_edited_by_hand_fails(store: Store, model: Path) -> None:
    """A digest in the manifest that is not the file's is damage, whoever was right."""
    [key] = store.keys()
    path = store.place(key) / "manifest.json"
    digest = store.manifest(key).data_sets[0].outputs[0].sha256
    path.write_text(path.read_text().replace(digest, digest[::-1]))
    code, [cell] = run(model)
    assert (code, cell["cause"]) == (1, "golden-damaged")
    assert "SHA-256" in cell["message"]


def test_a_golden_of_other_inputs_is_stale(store: Store, model: Path) -> None:
    """A golden that was recorded for another signature cannot be fed to this one, and says so."""
    [key] = store.keys()
    was = store.read(key)
    sets = tuple(
        DataSet(
            name=s.name,
            inputs={"image": s.inputs["x"]},
            outputs=s.outputs,
            dtypes={"inputs/image": "float32", "outputs/y": "float32"},
        )
        for s in was.data_sets
    )
    store.write(Golden(key=key, manifest=was.manifest, data_sets=sets))
    code, [cell] = run(model)
    assert (code, cell["cause"]) == (1, "golden-stale")
    assert "image: float32" in cell["message"]
    assert "x: float32" in cell["message"]


FAULTS = {
    "one element": (
        lambda s: {"y": np.where(np.arange(s.outputs["y"].size)[:, None] == 0, 99, s.outputs["y"])},
        "output-mismatch",
        "1 of 3 elements differ",
    ),
    "int64": (
        lambda s: {"y": s.outputs["y"].astype(np.int64)},
        "output-dtype-differs",
        "dtype float32, the reference has int64",
    ),
    "transposed": (
        lambda s: {"y": s.outputs["y"].T},
        "output-shape-differs",
        "shape [3, 1], the reference has [1, 3]",
    ),
    "lost": (lambda s: {**s.outputs, "z": s.outputs["y"]}, "output-names-differ", "missing: ['z']"),
    "nan": (
        lambda s: {"y": s.outputs["y"] * np.float32("nan")},
        "output-mismatch",
        "NaN of the reference",
    ),
    "string": (
        lambda s: {"y": s.outputs["y"].astype("S").astype(object)},
        "output-dtype-differs",
        "the reference has string",
    ),
    "empty": (
        lambda s: {"y": s.outputs["y"][:0]},
        "output-shape-differs",
        "the reference has [0, 1]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_caught_and_described(fault: str, store: Store, model: Path) -> None:
    """Whatever the golden says otherwise than the model answers is named, with the data set, the numbers and the place."""
    change, cause, said = FAULTS[fault]
    changed(store, lambda s: {a: np.ascontiguousarray(v) for a, v in change(s).items()})  # type: ignore[no-untyped-call]
    code, [cell] = run(model)
    assert (code, cell["cause"]) == (1, cause)
    assert said in cell["message"]
    assert "data set 'typical'" in cell["message"]


def test_a_difference_is_proposed_accepted_and_remembered(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer that differs waits with its numbers; once accepted it is the golden, and the reason is in its history."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    before = store.read(*store.keys()).manifest
    _, [cell] = run(model)
    assert any("is proposed in" in note for note in cell["notes"])
    capsys.readouterr()

    assert golden("status") == 1
    said = capsys.readouterr().out
    assert f"proposed {NAME}  by 2.11.1-wheel-c-cpu" in said
    assert "3 of 3 elements differ" in said

    assert golden("accept", "half:*", "--reason", "the bias is 2 after all") == 0
    after = store.read(*store.keys()).manifest
    assert after.digest != before.digest
    assert [event.what for event in after.history] == ["recorded", "accepted"]
    assert after.history[-1].reason == "the bias is 2 after all"
    assert after.surroundings == before.surroundings
    code, [cell] = run(model)
    assert (code, cell["outcome"]) == (0, "pass")
    assert golden("status") == 0


def test_a_rejected_proposal_leaves_the_golden(store: Store, model: Path) -> None:
    """Nothing of it stays, and the next run proposes it anew."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    digest = store.read(*store.keys()).manifest.digest
    run(model)
    assert golden("reject", NAME) == 0
    assert store.read(*store.keys()).manifest.digest == digest
    assert golden("status") == 0
    run(model)
    assert golden("status") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["accept", "--reason", "because"], "no golden is named"),
        (["accept", NAME, "--reason", " "], "--reason is empty"),
        (["accept", "nobody:*", "--reason", "because"], "'nobody:*' is none of"),
        (["reject", "--all", "--from", "1.0-wheel-c-cpu"], "there is no such proposal"),
        (["prune"], "nothing is named"),
        (["prune", "half:*"], "give --yes"),
        (["record", "half", "--data-sets", "typical,odd"], "no data set 'odd'"),
        (["record", "nowhere"], "nowhere"),
        (["record", "half", "--as", ""], "--as is empty"),
    ],
)
def test_what_is_said_wrong(
    arguments: list[str], said: str, store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is a usage error, and nothing is changed."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    run(model)
    before = {p: p.read_bytes() for p in store.root.rglob("*") if p.is_file()}
    capsys.readouterr()
    assert golden(*arguments) == 4
    assert said in capsys.readouterr().err
    assert {p: p.read_bytes() for p in store.root.rglob("*") if p.is_file()} == before


def test_record_does_not_touch_what_differs(
    store: Store, model: Path, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recording what is there and holds something else proposes it, and says so with its exit code."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    digest = store.read(*store.keys()).manifest.digest
    serving = ("--signature", "serving_default", "--inputs", str(inputs))
    assert golden("record", str(model), "--with", RELEASE, *serving) == 1
    assert "1 proposed" in capsys.readouterr().out
    assert store.read(*store.keys()).manifest.digest == digest


def test_record_again_leaves_every_byte(store: Store, model: Path, inputs: Path) -> None:
    """The same answer again is no news: not even the date changes."""
    [key] = store.keys()
    path = store.place(key) / "manifest.json"
    before = path.read_bytes()
    serving = ("--signature", "serving_default", "--inputs", str(inputs))
    assert golden("record", str(model), "--with", RELEASE, *serving, "--reason", "again") == 0
    assert path.read_bytes() == before


def test_a_golden_grows_by_a_data_set(
    model: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set that was not there is added; those that were stay bit for bit."""
    monkeypatch.chdir(tmp_path)
    serving = ("--signature", "serving_default", "--inputs", str(inputs), "--with", RELEASE)
    assert golden("record", str(model), *serving, "--data-sets", "typical") == 0
    store = Store(tmp_path / "golden")
    [key] = store.keys()
    first = store.manifest(key).data_sets[0]
    assert golden("record", str(model), *serving, "--reason", "more of it") == 0
    manifest = store.manifest(key)
    assert [each.name for each in manifest.data_sets] == ["typical", "one", "many", "edges"]
    assert manifest.data_sets[0] == first
    assert [event.reason for event in manifest.history] == ["first recording", "more of it"]


def test_what_is_refused_is_left_out_and_said(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signature that parses examples takes no strings that are no text: that data set is left out, in words."""
    monkeypatch.chdir(tmp_path)
    assert golden("record", str(model), "--with", RELEASE) == 0
    said = capsys.readouterr().out
    assert "without data set 'edges': its inputs are refused" in said
    assert [key.name for key in list(Store(tmp_path / "golden").keys())] == ALL


def test_a_signature_that_answers_by_chance_is_not_frozen(
    exported: Callable[..., Model],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An answer that a second process does not give is no golden."""
    monkeypatch.chdir(tmp_path)
    misbehaving = Path(__file__).parent / "matrix" / "misbehaving.py"
    assert golden("record", f"{misbehaving}::chance", "--with", RELEASE) == 1
    assert "a second process answers something else" in capsys.readouterr().err
    assert not list(Store(tmp_path / "golden").keys())


def test_status_tells_stale_from_fresh(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that is not the one that was recorded makes its golden stale."""
    assert golden("status") == 0
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "note.txt").write_text("another model")
    capsys.readouterr()
    assert golden("status") == 1
    assert f"stale    {NAME}" in capsys.readouterr().out


def test_a_stale_golden_is_renewed_where_the_answer_stayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exporter that changed makes its goldens stale; recording them again keeps every tensor, and says why."""
    monkeypatch.chdir(tmp_path)
    exporters = Path(__file__).parent.parent / "suites" / "exporters"
    for name in ("half_plus_two.py", "_saving.py"):
        shutil.copy(exporters / name, tmp_path / name)
    record = ("record", "half_plus_two.py::export_module", "--with", RELEASE)
    assert golden(*record) == 0
    store = Store(tmp_path / "golden")
    [key] = store.keys()
    before = (store.place(key) / "typical.tensors").read_bytes()
    with (tmp_path / "_saving.py").open("a") as file:
        file.write("# another line\n")
    capsys.readouterr()
    assert golden("status") == 1
    assert "stale " in capsys.readouterr().out
    assert golden(*record, "--reason", "a comment was added") == 0
    assert "renewed " in capsys.readouterr().out
    assert golden("status") == 0
    assert (store.place(key) / "typical.tensors").read_bytes() == before
    reasons = [event.reason for event in store.manifest(key).history]
    assert reasons == ["first recording", "a comment was added"]


def test_status_names_what_models_and_records_lack(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signatures without a golden are missing; goldens that no cell was compared with are unused."""
    run(model)
    other = Store(store.root)
    [key] = store.keys()
    was = store.read(key)
    alone = type(key)(model="alone", tags=key.tags, signature=key.signature)
    import dataclasses

    manifest = dataclasses.replace(was.manifest, model="alone")
    other.write(Golden(key=alone, manifest=manifest, data_sets=was.data_sets))
    capsys.readouterr()
    record = str(model.parent / "record.json")
    assert golden("status", str(model), "--record", record, "--format", "json") == 1
    found = {g["name"]: g["state"] for g in json.loads(capsys.readouterr().out)["goldens"]}
    assert found == {
        "half:serve:classify_x_to_y": "missing",
        "half:serve:regress_x_to_y": "missing",
        NAME: "fresh",
        "alone:serve:serving_default": "unused",
    }
    assert golden("prune", "--unused", "--record", record, "--yes") == 0
    assert [each.name for each in list(store.keys())] == [NAME]


def test_prune_deletes_what_is_named_and_nothing_else(store: Store, model: Path) -> None:
    """Only a golden that a pattern names goes."""
    assert golden("record", str(model), "--with", RELEASE, "--signature", "regress_x_to_y") == 0
    assert golden("prune", "*regress*", "--yes") == 0
    assert [each.name for each in list(store.keys())] == [NAME]


def test_a_frozen_model_is_kept_with_its_goldens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that was frozen is run from the folder, and one changed byte of it is told."""
    monkeypatch.chdir(tmp_path)
    exporters = Path(__file__).parent.parent / "suites" / "exporters"
    exporter = f"{exporters / 'half_plus_two.py'}::export_module"
    assert golden("record", exporter, "--with", RELEASE, "--freeze", "--as", "half") == 0
    frozen = tmp_path / "golden" / "models" / "half"
    assert cli.run(["run", str(frozen), "--on", "2.4.4", "--golden", "golden"]) == 0
    assert golden("status") == 0
    data = frozen / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\7")
    capsys.readouterr()
    assert golden("status") == 1
    assert "its frozen model half is not whole" in capsys.readouterr().out


def test_margins_show_what_was_observed(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table of a record has a row for each release, device and element type."""
    run(model, "--on", "2.4.4,2.11.1", "--device", "cpu,cpu-one-thread")
    capsys.readouterr()
    record = str(model.parent / "record.json")
    assert golden("margins", record, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["device"], row["consumer"]) for row in rows} == {
        (device, release) for device in ("cpu", "cpu-one-thread") for release in ("2.4.4", "2.11.1")
    }
    assert all(row["dtype"] == "float32" and not row["off"] for row in rows)
    assert golden("margins", record) == 0
    assert "rtol 1e-05, atol 1e-06" in capsys.readouterr().out


def test_a_tolerance_of_the_manifest_holds(store: Store, model: Path) -> None:
    """An override with a reason lets an answer pass that the default would not; without a reason it is refused."""
    changed(store, lambda s: {"y": s.outputs["y"] + np.float32(0.25)})
    code, [cell] = run(model)
    assert (code, cell["cause"]) == (1, "output-mismatch")
    [key] = store.keys()
    path = store.place(key) / "manifest.json"
    text = path.read_text()
    for reason, cause in (('"the scale is rough"', None), ('""', "golden-damaged")):
        tolerance = f'"tolerances": [{{"output": "y", "atol": 0.3, "reason": {reason}}}]'
        path.write_text(text.replace('"tolerances": []', tolerance))
        _, [cell] = run(model)
        assert cell["cause"] == cause


def test_a_tolerance_of_an_output_that_is_gone_stops_nothing(store: Store, model: Path) -> None:
    """An answer with other outputs is told and proposed, though the manifest speaks of one that it has not."""
    changed(store, lambda s: {"z": s.outputs["y"]})
    [key] = store.keys()
    path = store.place(key) / "manifest.json"
    tolerance = '"tolerances": [{"output": "z", "atol": 0.3, "reason": "rough"}]'
    path.write_text(path.read_text().replace('"tolerances": []', tolerance))
    code, [cell] = run(model)
    assert (code, cell["cause"]) == (1, "output-names-differ")
    assert "is proposed in" in cell["notes"][-1]


@pytest.mark.parametrize(
    "arguments",
    [("--inputs", "inputs.npz"), ("--reference", "2.11.1")],
    ids=["inputs", "reference"],
)
def test_a_golden_has_its_own_inputs_and_answers(
    arguments: tuple[str, str], store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would be ignored is refused."""
    assert cli.run(["run", str(model), "--golden", str(store.root), *arguments]) == 4
    assert f"{arguments[0]} does not go with --golden" in capsys.readouterr().err


def test_an_answer_that_waits_is_said(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run ends with how many answers wait for review, and where to look."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    capsys.readouterr()
    run(model)
    assert "1 answer waits for review: savedmodel-compat golden status" in capsys.readouterr().err


def test_what_cannot_be_recorded_keeps_nothing_else_from_it(
    store: Store, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source that is none, and a signature that refuses what is made up, are told; all else is recorded."""
    nowhere, other = tmp_path / "nowhere", tmp_path / "other"
    shutil.copytree(model, other)
    capsys.readouterr()
    assert golden("record", str(nowhere), str(other), "--with", RELEASE) == 4
    said = capsys.readouterr()
    assert "there is no folder" in said.err
    assert "3 goldens" in said.out


def test_a_retrained_model_is_told_from_another_release(store: Store, model: Path) -> None:
    """The advice says that it is the model that is another one, and the accepted golden names it."""
    changed(store, lambda s: {"y": s.outputs["y"] + 1})
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "note.txt").write_text("another model")
    _, [cell] = run(model)
    assert "the model is not the one that the golden was recorded from" in cell["fix"]
    assert golden("accept", NAME, "--reason", "trained again") == 0
    assert golden("status") == 0
    assert store.manifest(*store.keys()).source.sha256 == cell["model_sha256"]


def test_made_up_inputs_are_several_and_their_edges_all_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the batch is open, three rows are made up, and every edge has its row."""
    monkeypatch.chdir(tmp_path)
    serving = ("--signature", "serving_default")
    assert golden("record", str(model), "--with", RELEASE, *serving) == 0
    store = Store(tmp_path / "golden")
    sets = {each.name: each.inputs["x"] for each in store.read(*store.keys()).data_sets}
    assert len(np.unique(sets["typical"])) == 3
    assert sets["many"].shape == (17, 1)
    assert {0.0, 1.0, -1.0, 100.0} <= set(sets["edges"].ravel().tolist())


def test_a_name_means_that_golden_also_where_it_is_a_pattern(
    store: Store, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed can be given back: it deletes what it names, not what it would match."""
    serving = ("--signature", "serving_default", "--with", RELEASE)
    for name in ("m[1]", "m1"):
        assert golden("record", str(model), *serving, "--as", name) == 0
    assert golden("prune", "m[1]:serve:serving_default", "--yes") == 0
    assert [key.model for key in list(store.keys())] == ["half", "m1"]


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"cells": [1]}', "\0"])
@pytest.mark.parametrize(
    "command", [("status", "--record"), ("margins",)], ids=["status", "margins"]
)
def test_what_is_no_record(
    command: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is something else is a usage error that names it."""
    path = tmp_path / "record.json"
    path.write_text(text)
    assert golden(*command, str(path)) == 4
    assert f"{path} is no record of a run" in capsys.readouterr().err


def test_inputs_of_unknown_rank_are_the_likeliest(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third-party model whose signatures do not say how many dimensions they take is recorded all the same."""
    monkeypatch.chdir(tmp_path)
    assert golden("record", str(corpus / "half_plus_two_cpu"), "--with", "1.15.5") == 0
    assert len(list(Store(tmp_path / "golden").keys())) == 5

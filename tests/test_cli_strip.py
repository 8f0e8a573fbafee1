"""The command ``strip``: what it prints, and its exit codes."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.model.unstripped import add_node

from savedmodel_compat import cli
from savedmodel_compat.checks.run import check
from savedmodel_compat.model import read, schema

MODELS = Path(__file__).parent / "models"
MODULE = MODELS / "module-2.21.0"
BUILDER = MODELS / "builder-1.15.5"


def put_back(folder: Path, model: Path = MODULE) -> Path:
    """Write a model with its defaults put back, and return where it is."""
    assert cli.run(["strip", str(model), str(folder), "--put-back"]) == 0
    return folder


def test_what_was_taken_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each MetaGraph says whose it is, whose OpDefs were used, and which attrs went from how many nodes."""
    source = put_back(tmp_path / "unstripped", BUILDER)
    capsys.readouterr()

    assert cli.run(["strip", str(source), str(tmp_path / "out")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"{tmp_path}/out: saved_model.pb of {source}, default-valued attrs taken out"
    )
    assert lines[1] == "MetaGraph [serve] of TensorFlow 1.15.5"
    assert lines[2] == "  OpDefs of 1.15.5 (24 ops)"
    assert "attrs taken out: " in lines[3]
    assert " of 56 nodes, 0 functions" in lines[3]
    assert any(line.endswith("VariableV2.shared_name") for line in lines[4:])
    assert check(tmp_path / "out").findings == check(BUILDER).findings


def test_what_was_put_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, the other way round; and the fingerprint is that of the changed model."""
    put_back(tmp_path / "out")

    out = capsys.readouterr().out
    assert "default-valued attrs put back" in out.splitlines()[0]
    assert out.splitlines()[-1] == "fingerprint.pb is written anew"
    assert not read(tmp_path / "out").meta_graphs[0].stripped_default_attrs
    assert check(tmp_path / "out").findings == ()


def test_nothing_to_do_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is stripped already is copied."""
    assert cli.run(["strip", str(MODULE), str(tmp_path / "out")]) == 0
    assert "nothing was to be done: it is a copy" in capsys.readouterr().out
    copied = (tmp_path / "out/saved_model.pb").read_bytes()
    assert copied == (MODULE / "saved_model.pb").read_bytes()


def test_what_is_left_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ops that nobody knows, and attrs on which OpDefs do not agree; names are fit for a terminal."""
    proto = read(BUILDER).proto
    graph = proto.meta_graphs[0]
    add_node(graph.graph_def.node, "mine", "My\x1b[31mOp", a="i: 1")
    [op] = [op for op in graph.meta_info_def.stripped_op_list.op if op.name == "VariableV2"]
    next(attr for attr in op.attr if attr.name == "container").default_value.s = b"other"
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").write_bytes(proto.SerializeToString())

    assert cli.run(["strip", str(tmp_path / "model"), str(tmp_path / "out"), "--put-back"]) == 0

    out = capsys.readouterr().out
    assert r"for nobody knows their ops: My\x1b[31mOp (1)" in out
    assert "for their OpDefs do not agree: " in out
    assert "VariableV2.container (" in out
    assert "\x1b" not in out


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that the text says, and the whole list."""
    arguments = ["strip", str(BUILDER), str(tmp_path / "out"), "--put-back", "--format", "json"]
    assert cli.run(arguments) == 0

    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    graph, second = said.pop("meta_graphs")
    assert said == {
        "schema": 1,
        "model": str(BUILDER),
        "destination": str(tmp_path / "out"),
        "direction": "put-back",
        "changed": True,
        "fingerprint": {"state": "absent", "why": ""},
    }
    assert (graph["tags"], graph["producer"], graph["nodes"]) == (["serve"], "1.15.5", 56)
    assert graph["op_defs"] == [{"of": "1.15.5", "ops": 24}]
    assert (graph["unknown_ops"], graph["undecided"], graph["changed_functions"]) == ([], [], 0)
    assert sum(attr["nodes"] for attr in graph["attrs"]) == graph["changed_attrs"]
    assert set(graph["attrs"][0]) == {"op", "attr", "nodes"}
    assert second["tags"] == list(read(BUILDER).meta_graphs[1].tags)


def test_a_base_folder_of_serving(tmp_path: Path) -> None:
    """The version is taken that would be served."""
    for version, model in (("1", BUILDER), ("00000010", MODULE)):
        shutil.copytree(model, tmp_path / "base" / version)

    put_back(tmp_path / "out", tmp_path / "base")

    assert read(tmp_path / "out").meta_graphs[0].tensorflow_version == "2.21.0"


def test_usage_is_exit_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No model, a damaged one, a place that is taken, a place in the model."""
    (tmp_path / "damaged").mkdir()
    content = (MODULE / "saved_model.pb").read_bytes()
    (tmp_path / "damaged/saved_model.pb").write_bytes(content[:-100])
    taken = tmp_path / "taken"
    shutil.copytree(MODULE, taken)
    out = str(tmp_path / "out")

    assert cli.run(["strip", str(tmp_path / "lost"), out]) == 4
    assert cli.run(["strip", str(tmp_path / "damaged"), out]) == 4
    assert cli.run(["strip", str(MODULE), str(taken)]) == 4
    assert cli.run(["strip", str(taken), str(taken / "out")]) == 4
    assert cli.run(["strip", str(MODULE)]) == 4
    assert capsys.readouterr().err.count("hint: ") == 4
    assert not (tmp_path / "out").exists()


def test_no_disk_is_exit_code_7(tmp_path: Path) -> None:
    """What cannot be written is told, and nothing is left."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [sys.executable, "-m", "savedmodel_compat", "strip", str(MODULE), f"{tmp_path}/out"]
    ran = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)

    assert ran.returncode == 7
    assert ran.stderr.startswith(f"error: {tmp_path}/out cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_unknown_fields_survive(tmp_path: Path) -> None:
    """What a newer TensorFlow added is in the copy, too."""
    shutil.copytree(BUILDER, tmp_path / "model")
    with (tmp_path / "model/saved_model.pb").open("ab") as opened:
        opened.write(b"\x9a\x06\x03new")

    put_back(tmp_path / "out", tmp_path / "model")

    assert (tmp_path / "out/saved_model.pb").read_bytes().endswith(b"\x9a\x06\x03new")
    assert schema.parse(schema.SavedModel, (tmp_path / "out/saved_model.pb").read_bytes())

"""Rules L6 and L7: one edit to a good model, and exactly that finding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.checks.breaking import MODELS, rules

from savedmodel_compat.checks.findings import Finding, Severity
from savedmodel_compat.checks.identity import check as identity
from savedmodel_compat.checks.run import Options, check, look
from savedmodel_compat.model import payloads, schema

DEBUG = "debug/saved_model_debug_info.pb"
AS_NOBODY = """
import json, os, sys
from savedmodel_compat.checks.run import check
# What is imported late may not be readable to everyone.
check(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
print(json.dumps([(found.rule, found.where) for found in check(sys.argv[1]).findings]))
"""


def said(folder: Path, *, tensor_data: bool = True) -> list[Finding]:
    """Return what these rules alone say of a model."""
    return list(identity(look(folder, Options(tensor_data=tensor_data))))


def stale(folder: Path) -> str:
    """Return the message of the one finding, which is of L7."""
    [finding] = said(folder)
    assert (finding.rule, finding.severity) == ("L7", Severity.WARNING)
    assert (finding.where, finding.file) == ("fingerprint.pb", "fingerprint.pb")
    return finding.message


def rename_tag(folder: Path) -> None:
    """Edit saved_model.pb so that no other rule minds."""
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    proto.meta_graphs[0].graph_def.node[0].device = "/cpu:0"
    file.write_bytes(proto.SerializeToString())


def other_variables(folder: Path) -> None:
    """Put the variables of another good model in the place of the model's own."""
    shutil.rmtree(folder / "variables")
    shutil.copytree(MODELS / "builder-1.15.5" / "variables", folder / "variables")


@pytest.mark.parametrize("name", ["builder-1.15.5", "module-2.21.0"])
def test_good_models_have_no_finding(name: str) -> None:
    """With a fingerprint and without."""
    assert said(MODELS / name) == []


def test_an_edited_graph(module: Path) -> None:
    """An edit after the export is found, with both checksums, and nothing else is."""
    rename_tag(module)

    assert rules(module) == ["L7"]
    assert "saved_model.pb" in stale(module)
    assert "was changed after the export" in stale(module)


def test_other_variables(module: Path) -> None:
    """Variables of another export are found by their index."""
    other_variables(module)

    assert "variables are not those of the export" in stale(module)


def test_a_fingerprint_of_another_model(module: Path) -> None:
    """If nothing agrees, the fingerprint itself is the stranger: one finding, not two."""
    rename_tag(module)
    other_variables(module)

    assert "of another model" in stale(module)


@pytest.mark.parametrize("content", [b"", b"\x08", b"\xff" * 20])
def test_a_damaged_fingerprint(module: Path, content: bytes) -> None:
    """A fingerprint that does not parse is found."""
    (module / "fingerprint.pb").write_bytes(content)

    assert rules(module) == ["L7"]
    assert "empty" in stale(module) or f"({len(content)} bytes)" in stale(module)


def test_damage_of_other_files_is_not_told_twice(module: Path) -> None:
    """A missing or damaged index, or a damaged graph, has a finding already."""
    index = module / "variables/variables.index"
    index.write_bytes(index.read_bytes()[:-1])
    assert said(module) == []
    index.unlink()
    assert said(module) == []
    (module / "saved_model.pb").write_bytes(b"\xff")
    assert said(module) == []


def test_a_version_that_is_not_known(module: Path) -> None:
    """A fingerprint that a newer TensorFlow takes otherwise is no breach."""
    file = module / "fingerprint.pb"
    proto = schema.parse(schema.FingerprintDef, file.read_bytes())
    proto.version.producer = 99
    file.write_bytes(proto.SerializeToString())
    rename_tag(module)

    assert said(module) == []


def test_in_a_hurry_large_files_are_not_hashed(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without tensor data, only what is read anyway is hashed."""
    rename_tag(module)
    monkeypatch.setattr(payloads, "SMALLEST_FILE", 1000)

    assert said(module, tensor_data=False) == []
    assert len(said(module)) == 1


@pytest.mark.parametrize("content", [b"\x0a", b"\x12\x05abc", b"\xff" * 30])
def test_damaged_debug_information(builder: Path, content: bytes) -> None:
    """The C++ loader parses it: damage is an error, with the file's size."""
    (builder / "debug").mkdir()
    (builder / DEBUG).write_bytes(content)

    assert rules(builder) == ["L6"]
    [finding] = said(builder)
    assert (finding.severity, finding.where, finding.file) == (Severity.ERROR, DEBUG, DEBUG)
    assert f"its {len(content)} byte" in finding.message


def test_whole_debug_information(builder: Path) -> None:
    """What TensorFlow writes there parses, old form and new."""
    info = schema.GraphDebugInfo(files=["model.py"])
    info.traces["x@f"].file_line_cols.add(line=3, func="call", code="y = x")
    info.frames_by_id[7].line = 3
    info.traces_by_id[9].frame_id.append(7)
    info.name_to_trace_id["x@f"] = 9
    (builder / "debug").mkdir()
    (builder / DEBUG).write_bytes(info.SerializeToString())

    assert check(builder).findings == ()


def test_links_that_lead_out_are_not_followed(module: Path, tmp_path: Path) -> None:
    """Neither file is read where it does not belong to the model."""
    (tmp_path / "garbage").write_bytes(b"\xff" * 20)
    (module / "fingerprint.pb").unlink()
    (module / "fingerprint.pb").symlink_to(tmp_path / "garbage")
    (module / "debug").mkdir()
    (module / DEBUG).symlink_to(tmp_path / "garbage")

    assert said(module) == []


@pytest.mark.parametrize(("name", "rule"), [("fingerprint.pb", "L7"), (DEBUG, "L6")])
def test_a_folder_in_the_place_of_a_file(module: Path, name: str, rule: str) -> None:
    """It is found as such, once."""
    (module / name).unlink(missing_ok=True)
    (module / name).mkdir(parents=True)
    [finding] = said(module)

    assert (finding.rule, finding.where, finding.file) == (rule, name, name)
    assert finding.message == "it is a folder, and should be a file"


@pytest.mark.parametrize("name", ["fingerprint.pb", DEBUG])
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_in_the_place_of_a_file(module: Path, name: str, linked: bool) -> None:
    """It is not read, and a rule of the layout tells it."""
    (module / name).unlink(missing_ok=True)
    (module / name).parent.mkdir(exist_ok=True)
    pipe = module / ("pipe" if linked else name)
    os.mkfifo(pipe)
    if linked:
        (module / name).symlink_to(pipe)

    assert said(module) == []
    assert "L17" in rules(module, notes=True)


@pytest.mark.parametrize("name", ["fingerprint.pb", "debug", DEBUG])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_what_may_not_be_read(name: str, mode: int) -> None:
    """A closed file or folder has one finding, L9, and what is in it has none."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(shutil.copytree(MODELS / "module-2.21.0", f"{made}/model"))
        (folder / "debug").mkdir()
        (folder / DEBUG).write_bytes(b"")
        for path in (Path(made), folder, *folder.rglob("*")):
            path.chmod(0o755)
        (folder / name).chmod(mode)
        ran = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(folder)],
            check=True,
            capture_output=True,
            text=True,
        )
        (folder / "debug").chmod(0o700)
    closed = mode == 0 or name == "debug"

    assert {rule for rule, _ in json.loads(ran.stdout)} == ({"L9"} if closed else set())

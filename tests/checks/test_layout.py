"""Rules of the folder: a good model has no finding, one edit makes exactly one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tests.checks.breaking import GOOD, MODELS, edit, findings

from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.checks.run import check
from savedmodel_compat.model import schema, tree

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234567\n"
HEX = "0123456789abcdef0123456789abcdef"
NOBODY = 65534

Edit = Callable[[Path], object]


def only(folder: Path) -> Finding:
    """The one finding of a model, notes included."""
    found = findings(folder, notes=True)
    assert len(found) == 1, found
    return found[0]


def write(name: str, content: bytes = b"x") -> Edit:
    """Return an edit that puts a file into the model."""

    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return change


def move(name: str, to: str) -> Edit:
    """Return an edit that moves a part of the model."""

    def change(folder: Path) -> None:
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(folder / to)

    return change


def copy(name: str, to: str) -> Edit:
    """Return an edit that copies a file of the model."""
    return lambda folder: write(to, (folder / name).read_bytes())(folder)


def link(name: str, target: str) -> Edit:
    """Return an edit that puts a link in the place of a file."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def asset(name: str) -> Edit:
    """Return an edit that renames the asset in every list of it."""

    def bend(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            for definition in meta_graph.asset_file_def:
                definition.filename = name

    return lambda folder: edit(folder, bend)


def together(*edits: Edit) -> Edit:
    """Return an edit that is several."""

    def change(folder: Path) -> None:
        for one in edits:
            one(folder)

    return change


def replace(name: str, kind: str) -> Edit:
    """Return an edit that puts a folder or a pipe in the place of a file."""

    def change(folder: Path) -> None:
        (folder / name).unlink()
        if kind == "folder":
            (folder / name).mkdir()
        else:
            os.mkfifo(folder / name)

    return change


def remove(name: str) -> Edit:
    """Return an edit that removes a file."""
    return lambda folder: (folder / name).unlink()


SHARDS = f"variables/variables_temp_{HEX}"
FAULTS: list[tuple[Edit, str, str, str]] = [
    (remove("saved_model.pb"), "L1", "saved_model.pb", "not there, though assets/, variables/"),
    (write("saved_model.pb", b""), "L1", "saved_model.pb", "it is empty"),
    (write("saved_model.pb", b"\x08\x01\x12\x7f"), "L1", "saved_model.pb", "cut short"),
    (replace("saved_model.pb", "folder"), "L1", "saved_model.pb", "is a folder"),
    (move("saved_model.pb", "saved_model.cpb"), "L1", "saved_model.cpb", "no open-source loader"),
    (write(f"saved_model.pb.tmp{HEX}"), "L2", f"saved_model.pb.tmp{HEX}", "stopped while it wrote"),
    (write(f"fingerprint.pb.tmp{HEX}"), "L2", f"fingerprint.pb.tmp{HEX}", "stopped while it wrote"),
    (
        write("variables/variables.index.tempstate17"),
        "L2",
        "variables/variables.index.tempstate17",
        "stopped while it wrote the variables",
    ),
    (
        write("variables/variables.data-00000-of-00001.tempstate9128374"),
        "L2",
        "variables/variables.data-00000-of-00001.tempstate9128374",
        "stopped while it wrote the variables",
    ),
    (
        together(
            write(f"{SHARDS}/part-00000-of-00002.index"),
            write(f"{SHARDS}/part-00000-of-00002.data-00000-of-00001"),
        ),
        "L2",
        SHARDS,
        "not merged (entries: 2)",
    ),
    (
        write("variables/variables_temp/part-00000-of-00001.data-00000-of-00001"),
        "L2",
        "variables/variables_temp",
        "not merged (entries: 1)",
    ),
    (
        write("variables/variables.part-00000-of-00001.index"),
        "L2",
        "variables/variables.part-00000-of-00001.index",
        "not merged",
    ),
    (write(".saved_model.pb.a1B2c3"), "L2", ".saved_model.pb.a1B2c3", "a copy leaves"),
    (
        write("variables/variables.data-00000-of-00001_.gstmp"),
        "L2",
        "variables/variables.data-00000-of-00001_.gstmp",
        "a copy leaves",
    ),
    (remove("assets/words.txt"), "L4", "assets/words.txt", "no such file"),
    (replace("assets/words.txt", "folder"), "L4", "assets/words.txt", "it is a folder"),
    (move("assets/words.txt", "assets.extra/words.txt"), "L4", "assets/words.txt", "assets.extra/"),
    (
        write("assets/tf_serving_warmup_requests", b""),
        "L5",
        "assets/tf_serving_warmup_requests",
        "in assets.extra/",
    ),
    (write("saved_model_config.pb"), "L5", "saved_model_config.pb", "in assets.extra/"),
    (
        write("assets_extra/tf_serving_warmup_requests", b""),
        "L5",
        "assets_extra/tf_serving_warmup_requests",
        "in assets.extra/",
    ),
    (
        write("assets.extra/tf_serving_warmup_requests.tfrecord", b""),
        "L5",
        "assets.extra/tf_serving_warmup_requests.tfrecord",
        "no file of another name",
    ),
    (write("keras_metadata.pb"), "L10", "keras_metadata.pb", "Keras 2"),
    (write("saved_model.pbtxt"), "L11", "saved_model.pbtxt", "this file is not"),
    (write("assets/notes.txt"), "L13", "assets/notes.txt", "no MetaGraph lists it (1 byte)"),
    (write("assets/a/b.txt"), "L13", "assets/a/b.txt", "no MetaGraph lists it"),
    (
        copy("variables/variables.index", "variables.index"),
        "L14",
        "variables.index",
        "looks for it in variables/",
    ),
    (
        copy("saved_model.pb", "variables/saved_model.pb"),
        "L14",
        "variables/saved_model.pb",
        "in the model's own folder",
    ),
    (
        copy("saved_model.pb", "assets/fingerprint.pb"),
        "L14",
        "assets/fingerprint.pb",
        "in the model's own folder",
    ),
    (
        write("saved_model_debug_info.pb", b""),
        "L14",
        "saved_model_debug_info.pb",
        "looks for it in debug/",
    ),
    (write("debug"), "L14", "debug", "is a file"),
    (write("README.md"), "L15", "README.md", "belongs to no SavedModel (1 byte)"),
    (write("variables/notes/a.txt"), "L15", "variables/notes", "is a folder"),
    (write("extra/a/b.txt"), "L15", "extra", "is a folder"),
    (copy("saved_model.pb", "1/saved_model.pb"), "L15", "1", "is another SavedModel"),
    (write(".DS_Store"), "L15", ".DS_Store", "macOS"),
    (write("assets/.DS_Store"), "L15", "assets/.DS_Store", "macOS"),
    (write("__MACOSX/assets/._words.txt"), "L15", "__MACOSX", "macOS"),
    (write("variables/.ipynb_checkpoints/a"), "L15", "variables/.ipynb_checkpoints", "Jupyter"),
    (write("Thumbs.db"), "L15", "Thumbs.db", "Windows"),
    (link("saved_model.pb", "gone"), "L16", "saved_model.pb", "where there is nothing"),
    (link("saved_model.pb", "/etc/hostname"), "L1", "saved_model.pb", "nothing of the graph was"),
    (link("assets/words.txt", "../../x"), "L16", "assets/words.txt", "a link to ../../x, where"),
    (link("assets/up", "../.."), "L23", "assets/up", "outside of the model"),
    (link("assets/up", ".."), "L16", "assets/up", "in circles"),
    (link("assets/here", "."), "L16", "assets/here", "in circles"),
    (link("assets/here", "here"), "L16", "assets/here", "where there is nothing"),
    (link("assets/words.txt", "/etc/hostname"), "L23", "assets/words.txt", "outside of the model"),
    (link("extra", "/etc"), "L23", "extra", "outside of the model"),
    (link("extra", "."), "L16", "extra", "in circles"),
    (lambda folder: os.mkfifo(folder / "pipe"), "L17", "pipe", "neither file nor folder"),
    (write("assets/words.txt", LFS), "L22", "assets/words.txt", "a Git LFS pointer of 72 bytes"),
    (write("fingerprint.pb", LFS), "L22", "fingerprint.pb", "a Git LFS pointer of 72 bytes"),
    (
        write("debug/saved_model_debug_info.pb", LFS),
        "L22",
        "debug/saved_model_debug_info.pb",
        "a Git LFS pointer of 72 bytes",
    ),
    (
        lambda folder: os.truncate(folder / "saved_model.pb", 2**31),
        "L19",
        "saved_model.pb",
        "has 2147483648 bytes",
    ),
    (write("assets.extra/" + "/".join("x" * 40)), "L19", ".", "folders more than 32 deep"),
]


@pytest.mark.parametrize("model", GOOD)
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault[1]}-{fault[2][:40]}" for fault in FAULTS])
def test_one_fault_one_finding(
    copy_of: Callable[[str], Path], model: str, fault: tuple[Edit, str, str, str]
) -> None:
    """Each edit of a good model makes one finding, of the right rule, in the right place."""
    change, rule, where, words = fault
    folder = copy_of(model)
    change(folder)
    found = findings(folder, notes=True)

    assert [(f.rule, f.where) for f in found] == [(rule, where)]
    assert words in found[0].message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../../../etc/hostname", "leads to ../../../etc/hostname"),
        ("../variables/variables.index", "leads to variables/variables.index"),
        ("..", "leads to ."),
        ("a/../../saved_model.pb", "leads to saved_model.pb"),
        ("/etc/hostname", "it is absolute"),
        ("..\\..\\x", "on Windows"),
        ("C:\\x", "on Windows"),
    ],
)
def test_asset_names_that_lead_out(module: Path, name: str, words: str) -> None:
    """A name that leaves assets/, on whatever system, is an error of its own; then nothing lists the file."""
    asset(name)(module)
    found = findings(module, notes=True)

    assert [f.rule for f in found] == ["L12", "L13"]
    assert words in found[0].message
    assert found[0].file == "saved_model.pb"


@pytest.mark.parametrize("name", ["words.txt", "./words.txt", "a/../words.txt", "deep/words.txt"])
def test_asset_names_that_stay(module: Path, name: str) -> None:
    """A name of another form that still means a file in assets/ is no fault."""
    (module / "assets/a").mkdir()
    if name == "deep/words.txt":
        move("assets/words.txt", "assets/deep/words.txt")(module)
    asset(name)(module)

    assert findings(module, notes=True) == []


@pytest.mark.parametrize(
    "name", [".DS_Store", "notes~", "fingerprint.pb", "tf_serving_warmup_requests", "deep/.git/x"]
)
def test_listed_assets_may_have_any_name(module: Path, name: str) -> None:
    """What a MetaGraph lists is no litter and not astray, whatever it is called."""
    move("assets/words.txt", f"assets/{name}")(module)
    asset(name)(module)

    assert findings(module, notes=True) == []


def test_an_asset_without_a_name(module: Path) -> None:
    """An empty name means the folder itself, which no op can read."""
    asset("")(module)
    missing, unlisted = findings(module, notes=True)

    assert (missing.rule, missing.where, unlisted.rule) == ("L4", "assets", "L13")
    assert "an asset without a name" in missing.message


def test_an_asset_of_another_case(module: Path) -> None:
    """Where a file is missing, one that is nearly named so is told."""
    move("assets/words.txt", "assets/Words.txt")(module)
    missing, unlisted = findings(module, notes=True)

    assert (missing.rule, unlisted.rule) == ("L4", "L13")
    assert "there is assets/Words.txt" in missing.message
    assert "rename assets/Words.txt to assets/words.txt" in missing.fix
    assert unlisted.fix == "do not remove it: it may be the missing assets/words.txt, renamed"


@pytest.mark.parametrize(("name", "rule"), [("assets/words.txt", "L4"), ("saved_model.pb", "L1")])
def test_a_pipe_in_the_place_of_a_file(module: Path, name: str, rule: str) -> None:
    """It is an error where a loader looks, and odd elsewhere."""
    replace(name, "pipe")(module)

    assert [(f.rule, f.where) for f in findings(module)] == [(rule, name), ("L17", name)]


def test_what_keras_reads_of_its_own(module: Path) -> None:
    """TensorFlow 1.15 wrote the architecture of a Keras model beside its assets."""
    write("assets/saved_model.json")(module)

    assert findings(module, notes=True) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: setattr(a.tensor_info, "name", "gone:0"), "the graph has no node 'gone'"),
        (lambda a: setattr(a.tensor_info, "name", "Const:9"), "is not there: node 'Const'"),
        (lambda a: a.tensor_info.ClearField("name"), "'' is not the name of a tensor"),
    ],
)
def test_an_asset_whose_tensor_is_not_there(
    module: Path, change: Callable[[Any], object], words: str
) -> None:
    """C++ and v1 feed it, and refuse the model."""
    edit(module, lambda model: change(model.meta_graphs[0].asset_file_def[0]))

    assert only(module).rule == "M20"
    assert only(module).where == "MetaGraph [serve]: asset 'words.txt'"
    assert words in only(module).message


def test_a_tensor_that_is_fed_two_assets(module: Path) -> None:
    """C++ feeds a tensor once."""

    def bend(proto: schema.SavedModel) -> None:
        [first] = proto.meta_graphs[0].asset_file_def
        second = proto.meta_graphs[0].asset_file_def.add()
        second.CopyFrom(first)
        second.tensor_info.name = first.tensor_info.name.removesuffix(":0")

    edit(module, bend)

    assert only(module).rule == "M20"
    assert "is fed 2 times, also with 'words.txt', which C++ refuses" in only(module).message


def test_a_folder_hides_the_text_form(module: Path) -> None:
    """A loader that finds anything of the binary file's name does not look for the text."""
    proto = schema.parse(schema.SavedModel, (module / "saved_model.pb").read_bytes())
    write("saved_model.pbtxt", text_format.MessageToString(proto).encode())(module)
    (module / "fingerprint.pb").unlink()
    replace("saved_model.pb", "folder")(module)

    assert (only(module).rule, only(module).where) == ("L1", "saved_model.pb")


def test_an_asset_listed_twice_is_told_once(builder: Path) -> None:
    """Two MetaGraphs that list one missing file make one finding, which names the first."""
    (builder / "assets/words.txt").unlink()

    assert only(builder).message.startswith("MetaGraph [serve] lists it")


@pytest.mark.parametrize("model", GOOD)
def test_a_mount_of_kubernetes(copy_of: Callable[[str], Path], model: str) -> None:
    """Files and folders that are links into ..data are as good as others."""
    folder = copy_of(model)
    data = folder / "..2024_01_01_10_00_00.123456789"
    data.mkdir()
    for name in ("saved_model.pb", "assets", "variables", "fingerprint.pb"):
        if (folder / name).exists():
            (folder / name).rename(data / name)
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to(data.name)

    assert findings(folder, notes=True) == []
    (data / "assets/words.txt").unlink()
    assert only(folder).rule == "L4"


def test_the_model_may_be_a_link(module: Path) -> None:
    """A root that is a link is no link out of the model."""
    (module.parent / "link").symlink_to(module)

    assert findings(module.parent / "link", notes=True) == []


def test_links_within_the_model(module: Path) -> None:
    """A link from one file of the model to another is no fault."""
    move("assets/words.txt", "assets/deep/words.txt")(module)
    link("assets/words.txt", "deep/words.txt")(module)

    assert findings(module, notes=True) == []


@pytest.mark.parametrize(
    "name",
    [
        "tfhub_module.pb",
        "variables/checkpoint",
        "assets.extra/anything/at.all",
        "assets.extra/saved_model_config.pb",
    ],
)
def test_what_others_put_there(module: Path, name: str) -> None:
    """Files that TensorFlow Hub, a Saver or Serving put into a model are no fault."""
    write(name)(module)

    assert findings(module, notes=True) == []


def test_empty_folders_are_no_fault(module: Path) -> None:
    """Keras leaves an empty assets/ in every model."""
    for name in ("assets.extra", "debug"):
        (module / name).mkdir()

    assert findings(module, notes=True) == []


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (("Words.txt", "words.txt"), "L18"),
        ((unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")), "L18"),
        (("straße", "STRASSE"), "L18"),
        (("a", "b"), None),
    ],
)
def test_names_that_are_one_elsewhere(
    module: Path, names: tuple[str, str], rule: str | None
) -> None:
    """Two names of one folder that differ only in case or form; of two folders they do not clash."""
    for name in names:
        write(f"assets.extra/{name}")(module)
    found = findings(module, notes=True)

    assert [f.rule for f in found] == ([] if rule is None else [rule])
    for number, name in enumerate(names):
        move(f"assets.extra/{name}", f"assets.extra/{number}/{name}")(module)
    assert findings(module, notes=True) == []


def test_names_that_are_no_text(module: Path) -> None:
    """A name of bytes that are no UTF-8 is told like any other."""
    write(os.fsdecode(b"\xff\xfe"))(module)

    assert os.fsencode(only(module).where) == b"\xff\xfe"


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "assets/words.txt"])
def test_what_nobody_may_read(module: Path, name: str) -> None:
    """A file without any right to read is told even to root, who reads it."""
    (module / name).chmod(0)
    found = [f for f in findings(module, notes=True) if f.where == name]

    assert [f.rule for f in found] == ["L9"]
    assert found[0].message.endswith("may read it (mode 0000)")


AS_NOBODY = f"""
import json, os, sys
from pathlib import Path
from savedmodel_compat.checks import layout, variables
from savedmodel_compat.checks.run import Options, look
good, bad = map(Path, sys.argv[1:])
list(layout.check(look(good, Options())))
if os.geteuid() == 0:
    os.setuid({NOBODY})
subject = look(bad, Options())
found = [*layout.check(subject), *variables.check(subject)]
print(json.dumps([[f.rule, f.where, f.message] for f in found]))
"""


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("saved_model.pb", 0o200, "nobody may read it (mode 0200)"),
        ("saved_model.pb", 0o240, "this process may not read it (mode 0240)"),
        ("assets/words.txt", 0o240, "this process may not read it (mode 0240)"),
        ("assets", 0o000, "nobody may read it (mode 0000)"),
        ("assets", 0o300, "nobody may read it (mode 0300)"),
        (
            "variables/variables.data-00000-of-00001",
            0o240,
            "this process may not read it (mode 0240)",
        ),
        ("variables", 0o450, "this process may not read it (mode 0450)"),
        ("variables", 0o150, "this process may not read it (mode 0150)"),
    ],
)
def test_what_another_user_may_not_read(name: str, mode: int, words: str) -> None:
    """What cannot be read is one finding: neither the graph file nor the asset is said to be lost."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(shutil.copytree(MODELS / "module-2.21.0", Path(made) / "model"))
        Path(made).chmod(0o755)
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, 0)
        (folder / name).chmod(mode)
        ran = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(MODELS / "builder-1.15.5"), str(folder)],
            check=True,
            capture_output=True,
            text=True,
        )
        (folder / name).chmod(0o700)
    [[rule, where, message]] = json.loads(ran.stdout)

    assert (rule, where) == ("L9", name)
    assert words in message


def test_too_many_entries(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing is said to be missing: only that not all was looked at."""
    defaults = tree.walk.__kwdefaults__ or {}
    monkeypatch.setattr(tree.walk, "__kwdefaults__", {**defaults, "entries": 3})
    found = {f.rule for f in findings(module, notes=True)}

    assert "L19" in found
    assert not found & {"L1", "L4", "L13", "L16"}


def test_many_faults_are_counted(module: Path) -> None:
    """A folder of a thousand strange files makes a short report."""
    for number in range(1000):
        write(f"{number:03}.txt")(module)
    found = findings(module, notes=True)

    assert {f.rule for f in found} == {"L15"}
    assert len(found) == 21
    assert "… and 980 more" in {f.message for f in found}


def test_many_bad_links_do_not_hide_a_lost_graph_file(module: Path) -> None:
    """Each rule is counted for itself."""
    (module / "saved_model.pb").unlink()
    (module / "assets.extra").mkdir()
    for number in range(30):
        link(f"assets.extra/{number}", "gone")(module)

    assert {f.rule for f in findings(module, notes=True)} == {"L1", "L16"}


def test_a_hostile_list_of_assets_is_quick(module: Path) -> None:
    """Names of any length and number are neither echoed in full nor followed for long."""

    def bend(proto: schema.SavedModel) -> None:
        for number in range(20_000):
            proto.meta_graphs[0].asset_file_def.add().filename = f"{number}"
        proto.meta_graphs[0].asset_file_def.add().filename = "a/../" * 100_000 + "\0\n"
        proto.meta_graphs[0].asset_file_def.add().filename = "../" * 100_000

    edit(module, bend)
    report = check(module)
    text = "".join(f.where + f.message for f in report.findings)

    assert {"L4", "L12"} <= {f.rule for f in report.findings}
    assert len(text) < 50_000
    assert report.seconds < 3


def test_a_broken_model_in_a_base_folder(tmp_path: Path, module: Path) -> None:
    """The model that is served is checked, and named by its base folder."""
    shutil.copytree(module, tmp_path / "base/3")
    (tmp_path / "base/3/assets/words.txt").unlink()

    assert only(tmp_path / "base").rule == "L4"

"""Exports: made inside producers, kept by what made them, refused when they are not what they say."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.cache import default_root
from savedmodel_compat.config import Configuration
from savedmodel_compat.errors import ExportError, UnsupportedError, UsageError
from savedmodel_compat.matrix import _derived, _entries
from savedmodel_compat.matrix.exports import (
    Exporter,
    Order,
    export_model,
    export_to,
    find_exporter,
)
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.model import read, walk
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

PRODUCER = "2.11.1"
LIMITS = Limits(seconds=120, megabytes=0)
DOUBLE = """
    import numpy as np
    import tensorflow as tf

    def export(directory, *, strip_default_attrs, seed):
        module = tf.Module()
        module.serve = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        tf.saved_model.save(module, directory, signatures={"serving_default": module.serve})
        x = np.array([1, 2], np.float32)
        recorded = {"serving_default": {"inputs": {"x": x}, "outputs": {"y": 2 * x}}}
        return recorded
"""


# Into a version folder, as TensorFlow Serving takes it.
ALWAYS_STRIPS = DOUBLE.replace(
    "        module = tf.Module()",
    """        if not strip_default_attrs:
            __import__("os").mkdir(directory)  # it has begun already
            raise NotImplementedError("there is no switch.")
        directory += "/1"
        module = tf.Module()""",
)
NEVER_STRIPS = """
    import numpy as np
    import tensorflow.compat.v1 as tf

    def export(directory, *, strip_default_attrs, seed):
        if strip_default_attrs:
            raise NotImplementedError("there is no such argument.")
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.placeholder(tf.float32, [None], "x")
            tf.saved_model.simple_save(session, directory, {"x": x}, {"y": tf.cast(2 * x, tf.int32)})
        x = np.array([1, 2], np.float32)
        return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": (2 * x).astype(np.int32)}}}
"""


@pytest.fixture(scope="module")
def runtime(venv_runtime: Callable[[str], Runtime]) -> Runtime:
    """The producer."""
    return venv_runtime(PRODUCER)


@pytest.fixture(scope="module")
def worker(runtime: Runtime) -> Iterator[Worker]:
    """A worker of the producer; each export has a process of its own."""
    with Worker(runtime, native=False) as worker:
        yield worker


def order(folder: Path, source: str = DOUBLE, *, strip: bool = True, seed: int = 0) -> Order:
    """An export by a file with ``source``."""
    file = folder / "double.py"
    file.write_text(textwrap.dedent(source))
    exporter = Exporter(name=name_in(folder), file=file, function="export")
    return Order(exporter=exporter, producer=PRODUCER, strip=strip, seed=seed)


def name_in(folder: Path) -> str:
    """A name that no other test gives its exporter: they share the cache."""
    return f"double_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def kept(folder: Path) -> set[str]:
    """The exports of a test that the cache holds."""
    exports = default_root() / "exports"
    return {path.name for path in exports.glob(f"{name_in(folder)}-*")}


def test_an_export(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """The model is what the exporter wrote, its reference what the exporter recorded."""
    model = export_model(worker, runtime, order(tmp_path), LIMITS)
    assert (model.name, model.producer, model.strip) == (name_in(tmp_path), PRODUCER, True)
    [case] = model.cases
    assert case.signature == "serving_default"
    assert case.expected is not None
    assert case.expected[0]["y"].tolist() == [2.0, 4.0]
    assert [port.alias for port in case.inputs] == ["x"]


def test_it_is_made_once(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """The second time the cache has it: the exporter is not asked, and the producer is not started."""
    wanted = order(tmp_path)
    first = export_model(worker, runtime, wanted, LIMITS)
    unstarted = Worker(replace(runtime, python=tmp_path / "no-python"), native=False)
    second = export_model(unstarted, runtime, wanted, LIMITS)
    assert (first.path, first.sha256) == (second.path, second.sha256)


@pytest.mark.parametrize(
    "change", ["source", "imported", "data", "seed", "strip", "function", "producer"]
)
def test_it_is_made_anew_when_what_made_it_changes(
    change: str, tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """Exporter, what it imports or may read, seed, stripping, function and producer are all part of what a model is."""
    (tmp_path / "helper.py").write_text("import further\n")
    (tmp_path / "further.py").write_text("x = 0\n")
    wanted = order(tmp_path, DOUBLE + "    import helper\n")
    first = export_model(worker, runtime, wanted, LIMITS)
    if change == "source":
        wanted = order(tmp_path, DOUBLE + "    import helper  # changed\n")
    elif change == "imported":
        (tmp_path / "further.py").write_text("x = 1\n")
    elif change == "data":
        (tmp_path / "words.txt").write_text("x\n")
    elif change == "seed":
        wanted = order(tmp_path, seed=1)
    elif change == "strip":
        wanted = order(tmp_path, strip=False)
    elif change == "function":
        source = textwrap.dedent(DOUBLE + "    import helper\n") + "\n\nother = export\n"
        wanted = order(tmp_path, source)
        wanted = replace(wanted, exporter=replace(wanted.exporter, function="other"))
    else:
        runtime = replace(runtime, folder=runtime.folder.with_name("another"))
    assert export_model(worker, runtime, wanted, LIMITS).path != first.path


def test_a_file_that_it_does_not_import_is_no_part_of_it(
    tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """Of many exporters in a folder, a change of one leaves what the others made."""
    wanted = order(tmp_path)
    first = export_model(worker, runtime, wanted, LIMITS)
    (tmp_path / "another.py").write_text("x = 1\n")
    assert export_model(worker, runtime, wanted, LIMITS).path == first.path


def test_a_package_that_is_a_link(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """What lies behind a link beside the exporter counts as if it lay there, and so does where the link goes."""
    for name in ("far", "elsewhere"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "__init__.py").write_text("x = 0\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "far").symlink_to(tmp_path / "far")
    wanted = order(home, DOUBLE + "    if False: import far.inner\n")
    first = export_model(worker, runtime, wanted, LIMITS)
    assert export_model(worker, runtime, wanted, LIMITS).path == first.path
    (tmp_path / "far" / "inner" / "__init__.py").write_text("x = 1\n")
    second = export_model(worker, runtime, wanted, LIMITS)
    assert second.path != first.path


@pytest.mark.parametrize("target", [".", "..", "inner", "inner/back", "absent"])
def test_links_that_go_round(target: str, tmp_path: Path) -> None:
    """A link to a folder that it lies in, to another link or to nothing ends the search there; another target counts."""
    home = tmp_path / "home"
    (home / "inner").mkdir(parents=True)
    (home / "inner" / "deep.py").write_text("x = 0\n")
    (home / "inner" / "back").symlink_to(home)
    (home / "a").symlink_to(target)
    (home / "export.py").write_text("import importlib\n")
    found = _entries._sources(home / "export.py")
    assert len(found) < 12
    inner = [name for name in found if name.endswith("deep.py")]
    assert len(inner) == 1
    (home / "a").unlink()
    (home / "a").symlink_to("inner" if target != "inner" else ".")
    assert _entries._sources(home / "export.py") != found


@pytest.mark.parametrize(
    "way", ["import importlib", "exec('')", "import folder", "x =", "open('another.py')"]
)
def test_all_files_are_part_of_what_nobody_can_tell(
    way: str, tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """Where modules may be found in other ways than by import statements, every Python file of the folder counts."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "helper.py").write_text(f"{way}\n")
    wanted = order(tmp_path, DOUBLE + "    if False: import helper\n")
    first = export_model(worker, runtime, wanted, LIMITS)
    (tmp_path / "folder" / "another.py").write_text("x = 1\n")
    assert export_model(worker, runtime, wanted, LIMITS).path != first.path


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no weights')", "raised ValueError(.|\n)*no weights"),
        ("import sys; sys.exit(3)", "raised SystemExit"),
        ("import os; os.abort()", "ended with signal 6"),
        ("import os; os._exit(4)", "ended with exit status 4"),
        ("return {}", "wrote no SavedModel"),
        ("return None", "the exporter's recording is wrong: the exporter returned NoneType"),
        ("import time; time.sleep(60)", "did not end in 2 s"),
    ],
)
def test_an_exporter_that_fails(
    body: str, words: str, tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """However it fails, the error says how, and the cache keeps nothing that is half-made."""
    source = f"def export(directory, *, strip_default_attrs, seed):\n    {body}\n"
    limits = Limits(seconds=2, megabytes=0) if "sleep" in body else LIMITS
    with pytest.raises(ExportError, match=words):
        export_model(worker, runtime, order(tmp_path, source), limits)
    assert kept(tmp_path) == set()


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ('{"gone": {"inputs": {}, "outputs": {}}}', "recorded no outputs of signature 'gone'"),
        (
            '{"serving_default": {"inputs": {"x": x}, "outputs": {"y": x}}, "gone": {"inputs": {"x": x}, "outputs": {"y": x}}}',
            r"recorded signatures \['gone'\]",
        ),
        (
            '{"serving_default": {"inputs": {"z": x}, "outputs": {"y": x}}}',
            r"recorded inputs \['z'\]",
        ),
        ('{"serving_default": {"inputs": {"x": x}, "outputs": {}}}', "recorded no outputs"),
        (
            '{"serving_default": {"inputs": {"x": x}, "outputs": {"z": x}}}',
            r"recorded outputs \['z'\]",
        ),
    ],
)
def test_a_recording_that_does_not_fit_the_model(
    recorded: str, words: str, tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """A recording of what the model does not have is an error that names both sides, and is not kept."""
    source = DOUBLE.replace("return recorded", f"return {recorded}")
    with pytest.raises(ExportError, match=words):
        export_model(worker, runtime, order(tmp_path, source), LIMITS)
    assert kept(tmp_path) == set()


def test_what_a_producer_does_not_have(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """NotImplementedError is the exporter's way to say so; its words are kept."""
    source = """
        def export(directory, *, strip_default_attrs, seed):
            raise NotImplementedError("no such thing here.")
    """
    with pytest.raises(UnsupportedError, match=r"^no such thing here\.$"):
        export_model(worker, runtime, order(tmp_path, source), LIMITS)


@pytest.mark.parametrize(
    ("source", "strip", "words"),
    [
        (
            ALWAYS_STRIPS,
            False,
            "defaults were put back into the stripped export, for: there is no switch.",
        ),
        (
            NEVER_STRIPS,
            True,
            "attrs were taken out of the unstripped export, for: there is no such",
        ),
    ],
    ids=["always strips", "never strips"],
)
def test_the_leg_that_an_exporter_cannot_make(
    *, source: str, strip: bool, words: str, tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """It is made from the other one, with the same recordings, and says so."""
    made = export_model(worker, runtime, order(tmp_path, source, strip=not strip), LIMITS)
    model = export_model(worker, runtime, order(tmp_path, source, strip=strip), LIMITS)

    assert (model.strip, made.strip) == (strip, not strip)
    assert model.meta_graph is not None
    assert model.meta_graph.stripped_default_attrs is strip
    assert attrs_in(model) != attrs_in(made)
    assert words in model.notes[0]
    assert made.notes == ()
    assert model.path.name == made.path.name
    assert repr([case.expected for case in model.cases]) == repr(
        [case.expected for case in made.cases]
    )


def attrs_in(model: Model) -> list[tuple[str, ...]]:
    """The names of the attrs of each node of a model."""
    assert model.meta_graph is not None
    return [tuple(sorted(found.node.attr)) for found in walk(model.meta_graph.proto)]


def test_the_other_leg_is_made_once(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """The second time the cache has it, and neither exporter nor producer is asked."""
    wanted = order(tmp_path, ALWAYS_STRIPS, strip=False)
    first = export_model(worker, runtime, wanted, LIMITS)
    unstarted = Worker(replace(runtime, python=tmp_path / "no-python"), native=False)
    second = export_model(unstarted, runtime, wanted, LIMITS)

    assert (first.path, first.notes) == (second.path, second.notes)
    assert len(kept(tmp_path)) == 2


def test_the_other_leg_is_made_anew_when_its_maker_changes(
    tmp_path: Path, worker: Worker, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What puts the defaults back is part of what the model is."""
    wanted = order(tmp_path, ALWAYS_STRIPS, strip=False)
    first = export_model(worker, runtime, wanted, LIMITS)
    monkeypatch.setattr(_derived, "key", lambda producer: {"defaults.py": f"another's, {producer}"})
    assert export_model(worker, runtime, wanted, LIMITS).path != first.path


def test_what_neither_leg_can_do(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """The words are those of the leg that was asked for."""
    source = """
        def export(directory, *, strip_default_attrs, seed):
            raise NotImplementedError("stripped" if strip_default_attrs else "unstripped")
    """
    for strip, words in ((True, "^stripped$"), (False, "^unstripped$")):
        with pytest.raises(UnsupportedError, match=words):
            export_model(worker, runtime, order(tmp_path, source, strip=strip), LIMITS)
    assert kept(tmp_path) == set()


def test_the_other_leg_that_fails(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """An exporter that is broken is no release that cannot do it."""
    source = """
        def export(directory, *, strip_default_attrs, seed):
            if not strip_default_attrs:
                raise NotImplementedError("no switch")
            raise ValueError("no weights")
    """
    with pytest.raises(ExportError, match="no weights"):
        export_model(worker, runtime, order(tmp_path, source, strip=False), LIMITS)
    assert kept(tmp_path) == set()


def test_the_other_leg_that_cannot_be_copied(
    tmp_path: Path, worker: Worker, runtime: Runtime
) -> None:
    """What an exporter left beside its model is told, and the cache keeps nothing of the copy."""
    source = ALWAYS_STRIPS.replace(
        "return recorded", "__import__('os').mkfifo(directory + '/pipe'); return recorded"
    )
    with pytest.raises(
        ExportError, match="unstripped cannot be made: .*neither a file nor a folder"
    ):
        export_model(worker, runtime, order(tmp_path, source, strip=False), LIMITS)
    assert len(kept(tmp_path)) == 1


def test_a_file_that_is_no_python(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """A syntax error in the exporter is shown with its line."""
    with pytest.raises(ExportError, match=r"SyntaxError(.|\n)*def export\("):
        export_model(worker, runtime, order(tmp_path, "def export("), LIMITS)


def test_a_function_that_is_not_there(tmp_path: Path, worker: Worker, runtime: Runtime) -> None:
    """A function that the file does not have is named, and no frame of the harness is shown."""
    with pytest.raises(ExportError, match=r"double\.py: the file has no function 'export'$"):
        export_model(worker, runtime, order(tmp_path, "x = 1"), LIMITS)


def test_into_a_folder_of_the_user_s(tmp_path: Path, worker: Worker) -> None:
    """`export` writes where it is told and says where the model is."""
    path = export_to(worker, order(tmp_path), tmp_path / "out", LIMITS)
    assert (path / "saved_model.pb").is_file()


def test_the_other_leg_into_a_folder_of_the_user_s(tmp_path: Path, worker: Worker) -> None:
    """`export` makes it too, and says how."""
    said: list[str] = []
    wanted = order(tmp_path, ALWAYS_STRIPS, strip=False)
    path = export_to(worker, wanted, tmp_path / "out", LIMITS, note=said.append)

    assert path == tmp_path / "out" / "1"
    assert not read(path).meta_graphs[0].stripped_default_attrs
    assert said == ["the defaults were put back into the stripped export, for: there is no switch."]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["double.py", "out"]


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, worker: Worker) -> None:
    """Nothing of the user's is written over."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export_to(worker, order(tmp_path), tmp_path / "out", LIMITS)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_exporters_by_name_and_by_file(tmp_path: Path) -> None:
    """A registered name wins; FILE.py::function needs no registration."""
    file = tmp_path / "mine.py"
    file.write_text("")
    configuration = Configuration(exporters={"cnn": f"{file}::build"})
    assert find_exporter("cnn", configuration) == Exporter(name="cnn", file=file, function="build")
    found = find_exporter(f"{file}::other", configuration)
    assert (found.name, found.function) == ("mine.other", "other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", r"no exporter is registered as 'nobody' \(registered: cnn\)"),
        ("gone.py::f", "there is no file"),
    ],
)
def test_an_exporter_that_is_not_there(text: str, words: str) -> None:
    """An unknown name lists the known ones; a missing file is named."""
    with pytest.raises(UsageError, match=words):
        find_exporter(text, Configuration(exporters={"cnn": "/x.py::f"}))

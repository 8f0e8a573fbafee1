"""Tests of the causes: what each release said when something was wrong, and what is made of it."""

from __future__ import annotations

import re
import time

import pytest
from tests.matrix.said import OLDER, Said
from tests.matrix.said_of_files import FILES
from tests.matrix.said_of_graphs import GRAPHS
from tests.matrix.said_of_runs import RUNS

from savedmodel_compat.matrix import causes
from savedmodel_compat.matrix.causes import BY_ID, CAUSES, Cause, explain
from savedmodel_compat.matrix.cells import Stage

LOAD, RUN, COMPARE = Stage.LOAD, Stage.RUN, Stage.COMPARE

CLOSED = {
    LOAD: "file-missing file-damaged not-a-savedmodel tags-not-found op-not-registered attr-unknown "
    "attr-missing attr-value-not-allowed node-inputs-changed kernel-missing device-not-available "
    "version-gate function-missing shape-rejected variable-missing asset-missing init-failed "
    "object-graph-rejected keras-rejected",
    RUN: "signature-missing input-rejected run-failed",
    COMPARE: "output-names-differ output-dtype-differs output-shape-differs output-mismatch attr-ignored golden-missing golden-damaged golden-stale",
    None: "crashed timed-out out-of-memory unclassified",
}
SEEN = [*GRAPHS, *FILES, *RUNS]
_FLAGS = re.DOTALL | re.MULTILINE


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen.id)
def test_what_was_seen(seen: Said) -> None:
    """Each text has its cause, and the names that it gives."""
    explanation = explain(seen.text, seen.stage, trace=seen.trace)
    assert explanation.cause.id == seen.cause
    assert explanation.detail == seen.detail


@pytest.mark.parametrize(
    ("cause", "pattern"),
    [(cause.id, sign.pattern) for cause in CAUSES for sign in cause.signs],
)
def test_every_sign_was_seen(cause: str, pattern: str) -> None:
    """No sign is there that no text was seen for."""
    compiled = re.compile(pattern, _FLAGS)
    texts = [seen.text for seen in SEEN if seen.cause == cause]
    assert any(compiled.search(text) for text in texts)


def test_the_list_is_closed() -> None:
    """The causes are those that the record promises, each at its stage."""
    stages = {cause: stage for stage, ids in CLOSED.items() for cause in ids.split()}
    assert {cause.id: cause.stage for cause in BY_ID.values()} == stages
    assert len(CAUSES) == len(BY_ID)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.id)
def test_every_cause_says_what_it_means_and_what_to_do(cause: Cause) -> None:
    """Meaning and fix are sentences, and no sign captures what the detail does not have."""
    assert cause.meaning.endswith(".")
    assert cause.fix
    groups = {name for sign in cause.signs for name in re.compile(sign.pattern).groupindex}
    assert groups <= {"op", "attr", "node", "function"}


@pytest.mark.parametrize(
    ("op", "advice"),
    [
        ("SentencepieceOp", "'SentencepieceOp' belongs to tensorflow_text: import tensorflow_text"),
        ("SimpleMLInferenceOpWithHandle", "import tensorflow_decision_forests"),
        ("TRTEngineOp", "only GPU builds"),
        ("DisableCopyOnRead", "from 2.10.1 on: tf.saved_model.save from 2.12 on writes it"),
        ("Rpc", "TensorFlow had 'Rpc' from 1.12.3 to 2.4.4: upgrade the consumer, or export"),
        ("Einsum", "TensorFlow has 'Einsum' from 1.15.5 on: upgrade the consumer"),
        ("NoSuchOp", "no TensorFlow that is known here has 'NoSuchOp'"),
    ],
)
def test_a_fix_for_an_op_says_whose_it_is(op: str, advice: str) -> None:
    """What to do about an op depends on the library, or the releases, that have it."""
    assert advice in explain(f"Op type not registered '{op}' in binary running on vm.", LOAD).fix


def test_a_fix_for_a_kernel_says_what_it_needs() -> None:
    """An op that few machines can run is not mended by another release."""
    text = (
        "No OpKernel was registered to support Op '{}' used by {{{{node p}}}} with these attrs: []"
    )
    assert "Python process that exported" in explain(text.format("EagerPyFunc"), LOAD).fix
    assert explain(text.format("MatMul"), LOAD).fix == BY_ID["kernel-missing"].fix


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("Generic conv implementation only supports NHWC tensor format for now.", "channels last"),
        (
            "CPU implementation of Conv3D currently only supports dilated rates of 1.",
            "oneDNN switched on, by default from 2.9, take dilations of Conv3D",
        ),
        ("could not find registered platform with id: 0x1", "without jit_compile"),
        ("File system scheme 's3' not implemented (file: 's3://b')", "copy the model to a disk"),
        ("Missing py trampoline. Most likely, it is a link error.", "tf.py_function"),
        ("./my.so: undefined symbol: _ZN10tensorflow8OpKernel", "built for another TensorFlow"),
    ],
)
def test_words_that_mean_more_than_their_cause(text: str, advice: str) -> None:
    """Where the words tell more than the cause, so does the fix."""
    explanation = explain(text, RUN)
    assert advice in explanation.fix
    assert explanation.fix != explanation.cause.fix


def test_a_fix_without_names() -> None:
    """A fix whose names the text does not give still reads."""
    fixes = [explain(seen.text, seen.stage, trace=seen.trace).fix for seen in SEEN]
    assert not [fix for fix in fixes if "{" in fix or "}" in fix]


WRAPPED = [seen for seen in GRAPHS if not seen.trace and "GraphDef version was" not in seen.text]


@pytest.mark.parametrize("seen", WRAPPED, ids=lambda seen: seen.id)
def test_a_hint_about_versions_hides_no_cause(seen: Said) -> None:
    """What a loader says of the ages of producer and consumer does not hide the error that it wraps."""
    assert explain(OLDER.format(seen.text), seen.stage).cause.id == seen.cause


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\x1b[31m\ud800",
        "{{node ",
        "{{function_node f}}",
        "{{node }}",
        "'" * 1000,
        "Op type not registered '",
        "No OpKernel was registered to support Op '",
        "NodeDef: " * 500,
        "Value for attr 'T' of x is not in the list of allowed values" + "\n" * 500,
        "{op} {0} %s {}",
    ],
)
def test_any_text_is_explained(text: str, stage: Stage) -> None:
    """Whatever a process says, there is a cause, and a fix that formats."""
    explanation = explain(text, stage, trace=text)
    assert explanation.cause.id in BY_ID
    assert isinstance(explanation.fix, str)


def test_names_with_braces_do_not_break_a_fix() -> None:
    """A name is put into the fix as it is, whatever it looks like."""
    text = "NodeDef missing attr '{attr}' from Op<name=Mul; signature=x:T -> z:T>"
    assert "'{attr}'" in explain(text, LOAD).fix
    assert "'{op}'" in explain("Op type not registered '{op}' in binary", LOAD).fix


def test_a_run_cause_is_no_cause_of_a_load() -> None:
    """At load nobody fed anything, so a text about inputs is not taken for one."""
    text = "You must feed a value for placeholder tensor 'x' with dtype float"
    assert explain(text, LOAD).cause.id == "unclassified"


@pytest.mark.parametrize(
    ("text", "at_load", "at_run"),
    [
        ("assertion failed: [0]\n\t [[{{node Assert}}]]", "init-failed", "run-failed"),
        (
            "/data/x.txt; No such file or directory\n\t [[{{node r}}]]",
            "asset-missing",
            "run-failed",
        ),
        ("/m/saved_model.pb; No such file or directory", "file-missing", "run-failed"),
        ("The name 'y' refers to an Operation not in the graph.", "init-failed", "run-failed"),
        (
            "Tensor y:0, specified in either feed_devices or fetch_devices was not found",
            "init-failed",
            "signature-missing",
        ),
    ],
)
def test_words_that_mean_another_thing_at_run(text: str, at_load: str, at_run: str) -> None:
    """At load only the restore op and the init op run; at run it is the signature, on anybody's inputs."""
    assert explain(text, LOAD).cause.id == at_load
    assert explain(text, RUN).cause.id == at_run


def test_no_text_takes_long() -> None:
    """A message that a model's names have filled with the beginnings of known words is explained in time."""
    beginnings = {re.split(r"[\\(\[{.*+?|^$]", sign.pattern)[0] for c in CAUSES for sign in c.signs}
    began = time.perf_counter()
    for beginning in sorted(beginnings - {""}):
        explain(f"{beginning} " * (200_000 // (len(beginning) + 1)), LOAD)
    assert (time.perf_counter() - began) / len(beginnings) < 0.5


def test_an_ordinary_text_takes_no_time() -> None:
    """A thousand messages that no sign fits are explained in a second."""
    began = time.perf_counter()
    for number in range(1000):
        explain(f"InternalError: {number} things that nobody has seen\n\t [[{{{{node a}}}}]]", RUN)
    assert time.perf_counter() - began < 1


def test_the_middle_of_a_long_text_is_left_out() -> None:
    """What is wrong stands at the beginning or at the end of a message; between them there are graphs and stacks."""
    middle = "x" * (causes._HEAD + causes._TAIL)
    said = "Op type not registered 'NoSuchOp' in binary running on vm. "
    assert explain(said + middle, LOAD).detail.op == "NoSuchOp"
    assert explain(middle + said, LOAD).detail.op == "NoSuchOp"

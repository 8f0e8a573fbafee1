"""Tests of what is made of a cell's process: every branch, from verdicts made by hand."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.amend import with_ignored, with_unreadable
from savedmodel_compat.matrix.attrs import IgnoredAttr
from savedmodel_compat.matrix.cells import Cell, Detail, Outcome, Result, Stage
from savedmodel_compat.matrix.judge import is_about_inputs, judge, one_line, without_stack
from savedmodel_compat.matrix.references import Reference, reference_of
from savedmodel_compat.runtimes.verdicts import Answer, Failure, Verdict
from savedmodel_compat.runtimes.wire import Arrays

CELL = Cell(
    model="m",
    path=Path("/m"),
    model_sha256="",
    tags=("serve",),
    strip=False,
    producer="2.11.1",
    consumer="2.4.4",
    provider="wheel",
    loader="c",
    signature="serving_default",
)
ONE = {"y": np.array([1], np.float32)}
TWO = {"y": np.array([2], np.float32)}
REFERENCE = Reference(name="2.21.0", outputs=(ONE,))
SECONDS = {"cell": 1.25}
UNKNOWN_ATTR = (
    "NodeDef mentions attr 'extra' not in Op<name=Conv2D; signature=>; NodeDef: {{node c}}"
)


def ran(*answers: Answer) -> Verdict:
    """Return the verdict of a process that ran to its end."""
    return Verdict(stage="run", answers=answers, seconds=SECONDS, log="the log")


def answered(outputs: Arrays) -> Answer:
    """Return a run's answer."""
    return Answer(outputs=outputs)


def refused(text: str, kind: str = "INVALID_ARGUMENT") -> Answer:
    """Return a run's refusal."""
    return Answer(failure=Failure(text=text, type=kind))


def result(verdict: Verdict, reference: Reference | None = REFERENCE, cell: Cell = CELL) -> Result:
    """Judge a verdict."""
    return judge(cell, verdict, reference, Policy(), "2.4.4")


def test_pass() -> None:
    """Outputs that agree with the reference pass, and are counted."""
    reference = Reference(name="export", outputs=(ONE, TWO))
    found = result(ran(answered(ONE), answered(TWO)), reference)
    assert (found.outcome, found.stage, found.reference) == (Outcome.PASS, Stage.COMPARE, "export")
    assert (found.compared, found.seconds, found.tensorflow_version) == (2, 1.25, "2.4.4")
    assert found.causes == ()
    assert found.log == ""


def test_mismatch() -> None:
    """Another value fails with the numbers, the output's name and the log."""
    found = result(ran(answered(TWO)))
    assert (found.outcome, found.stage) == (Outcome.FAIL, Stage.COMPARE)
    assert found.causes == ("output-mismatch",)
    assert "at [0] 2.0, the reference has 1.0" in found.message
    assert (found.detail.node, found.compared, found.log) == ("y", 1, "the log")
    assert found.fix


def test_every_kind_of_difference_is_a_cause() -> None:
    """Several differences give several causes, each once."""
    actual: Arrays = {
        "y": np.array([2], np.float32),
        "z": np.array([1], np.float64),
        "w": np.array([1], np.float32),
    }
    expected: Arrays = {
        "y": np.array([1], np.float32),
        "z": np.array([1], np.float32),
        "x": np.array([1], np.float32),
    }
    reference = Reference(name="2.21.0", outputs=(expected, expected))
    found = result(ran(answered(actual), answered(actual)), reference)
    assert found.causes == ("output-names-differ", "output-dtype-differs", "output-mismatch")


def test_the_policy_is_used() -> None:
    """A tolerance of the user's decides."""
    found = judge(CELL, ran(answered(TWO)), REFERENCE, Policy(atol=1.0), "2.4.4")
    assert found.outcome is Outcome.PASS


def test_lost_worker() -> None:
    """A lost worker says nothing of the cell."""
    found = result(Verdict(worker_lost="it was killed by\x1b signal 9", log="last words"))
    assert (found.outcome, found.stage) == (Outcome.INFRA_ERROR, None)
    assert found.reason == "the worker was lost: it was killed by\ufffd signal 9"
    assert found.log == "last words"


@pytest.mark.parametrize(("stage", "expected"), [("load", Stage.LOAD), ("run", Stage.RUN)])
def test_timed_out(stage: str, expected: Stage) -> None:
    """A process that was killed for its time failed where it was."""
    found = result(Verdict(stage=stage, timed_out=True, seconds={"cell": 5.04}, log="hm"))
    assert (found.outcome, found.stage, found.cause) == (Outcome.FAIL, expected, "timed-out")
    assert found.message == "no answer after 5.0 s"
    assert found.log == "hm"


def test_crash_before_any_stage() -> None:
    """A process that died before it began failed to load."""
    assert result(Verdict(signal=signal.SIGSEGV, seconds=SECONDS)).stage is Stage.LOAD


def test_crash_with_a_check_failure() -> None:
    """Of a crash the line that tells is shown, not the last, which is a stack frame."""
    log = "I am fine\n2026: F tensorflow/core/x.cc:7] Check failed: a == b\n    @ 0x7f frame\n"
    found = result(Verdict(stage="run", signal=signal.SIGABRT, seconds=SECONDS, log=log))
    assert found.cause == "crashed"
    assert found.message == (
        "the process was ended by SIGABRT; 2026: F tensorflow/core/x.cc:7] Check failed: a == b"
    )


def test_crash_without_a_word() -> None:
    """A process that printed nothing is said to have."""
    found = result(Verdict(stage="run", signal=signal.SIGSEGV, seconds=SECONDS))
    assert found.message == "the process was ended by SIGSEGV; it printed nothing"


def test_crash_with_the_last_line() -> None:
    """Where no line tells, the last one is shown."""
    found = result(Verdict(stage="run", signal=signal.SIGBUS, seconds=SECONDS, log="one\ntwo\n\n"))
    assert found.message == "the process was ended by SIGBUS; two"


def test_a_signal_without_a_name() -> None:
    """A real-time signal has a number only."""
    found = result(Verdict(stage="run", signal=signal.SIGRTMIN + 3, seconds=SECONDS))
    assert f"ended by signal {signal.SIGRTMIN + 3};" in found.message


def test_an_exit_without_an_answer() -> None:
    """A process that leaves by itself has crashed, whatever its status."""
    found = result(Verdict(stage="run", status=0, seconds=SECONDS, log="Exiting the process"))
    assert found.cause == "crashed"
    assert found.message.startswith("the process ended with status 0 and no answer; Exiting")


@pytest.mark.parametrize(
    "line",
    [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "libc++abi: Resource temporarily unavailable",
        "OpenBLAS blas_thread_init: pthread_create() failed",
        "MemoryError",
    ],
)
def test_an_abort_for_memory(line: str) -> None:
    """An abort that memory explains is told from a crash."""
    log = f"before\n{line}\nafter"
    found = result(Verdict(stage="run", signal=signal.SIGABRT, seconds=SECONDS, log=log))
    assert found.cause == "out-of-memory"
    assert found.message == f"the process was ended by SIGABRT; {line}"


def test_a_kill_is_no_sign_of_memory() -> None:
    """Whoever sends SIGKILL, the words in the log are not the reason."""
    log = "bad_alloc"
    found = result(Verdict(stage="run", signal=signal.SIGKILL, seconds=SECONDS, log=log))
    assert found.cause == "crashed"


@pytest.mark.parametrize("kind", ["RESOURCE_EXHAUSTED", "ResourceExhaustedError", "MemoryError"])
def test_refused_memory(kind: str) -> None:
    """The code says that it was memory, whatever the text."""
    verdict = Verdict(stage="load", failure=Failure(text="no", type=kind), seconds=SECONDS)
    assert result(verdict).cause == "out-of-memory"


def test_damage_by_its_code() -> None:
    """A text that nobody knows, with the code of a data loss, is damage."""
    failure = Failure(text="strange", type="DATA_LOSS")
    assert result(Verdict(stage="load", failure=failure)).cause == "file-damaged"


def test_load_failure() -> None:
    """A refused load has its cause, its names, what to do, and the log with the trace."""
    failure = Failure(text=UNKNOWN_ATTR, type="INVALID_ARGUMENT", trace="Traceback")
    found = result(Verdict(stage="load", failure=failure, log="log\n", seconds=SECONDS))
    assert (found.outcome, found.stage, found.cause) == (Outcome.FAIL, Stage.LOAD, "attr-unknown")
    assert found.detail == Detail(op="Conv2D", attr="extra", node="c")
    assert "strip_default_attrs=True" in (found.fix or "")
    assert found.log == "log\nTraceback"


def test_the_fix_of_a_stripped_model() -> None:
    """Nobody is told to strip what is stripped."""
    verdict = Verdict(stage="load", failure=Failure(text=UNKNOWN_ATTR, type="INVALID_ARGUMENT"))
    fix = result(verdict, cell=replace(CELL, strip=True)).fix or ""
    assert fix.startswith("the model is stripped, so 'extra' is not the producer's default")


def test_a_failure_of_the_whole_run() -> None:
    """A process that failed after its load failed to run."""
    failure = Failure(text="x", type="INTERNAL")
    assert result(Verdict(stage="run", failure=failure)).stage is Stage.RUN


def test_a_long_log_keeps_its_end() -> None:
    """Of a long log the end is kept in the result."""
    failure = Failure(text="x", type="INTERNAL")
    found = result(Verdict(stage="load", failure=failure, log="a" * 9000 + "end"))
    assert len(found.log) == 4000
    assert found.log.endswith("end")


def test_no_signature() -> None:
    """A model that loads and has no signature was not run."""
    found = result(Verdict(stage="load"), None, replace(CELL, signature=None))
    assert (found.outcome, found.stage) == (Outcome.NOT_RUN, Stage.LOAD)
    assert found.reason == "no-signatures"


def test_no_outputs() -> None:
    """A signature that answers nothing was not run."""
    found = result(Verdict(stage="load"))
    assert (found.outcome, found.reason) == (Outcome.NOT_RUN, "no-outputs")


def test_no_reference() -> None:
    """Outputs that nothing can be compared with are no pass."""
    found = result(ran(answered(ONE)), None)
    assert (found.outcome, found.stage) == (Outcome.NOT_RUN, Stage.RUN)
    assert (found.reason, found.compared) == ("no-reference", 0)


def test_unstable_reference() -> None:
    """A reference that differs from itself is none, and the message says how."""
    found = result(ran(answered(ONE)), replace(REFERENCE, unstable="'y' differs by 3"))
    assert (found.outcome, found.reason) == (Outcome.NOT_RUN, "no-reference")
    assert found.message == "the reference is unstable: 'y' differs by 3"


def test_inputs_that_nobody_accepts() -> None:
    """A refusal where no reference says better is put down to the inputs."""
    found = result(ran(refused("assertion failed: [x]")), None)
    assert (found.outcome, found.stage, found.reason) == (
        Outcome.NOT_RUN,
        Stage.RUN,
        "inputs-refused",
    )
    assert found.message == "assertion failed: [x]"


def test_inputs_that_the_reference_refuses_too() -> None:
    """What the reference refused, any consumer may refuse."""
    reference = Reference(name="2.21.0", outputs=(None, ONE))
    found = result(ran(refused("assertion failed"), answered(ONE)), reference)
    assert (found.outcome, found.compared) == (Outcome.PASS, 1)


def test_inputs_that_the_reference_accepts() -> None:
    """What the reference accepted, a consumer must not refuse, even if it accepts the rest."""
    reference = Reference(name="2.21.0", outputs=(ONE, ONE))
    found = result(ran(answered(ONE), refused("assertion failed")), reference)
    assert (found.outcome, found.stage, found.cause) == (Outcome.FAIL, Stage.RUN, "run-failed")


def test_a_refusal_that_no_inputs_explain() -> None:
    """An op that is missing is a failure, reference or not."""
    found = result(ran(refused("Op type not registered 'X' in binary", "NOT_FOUND")), None)
    assert (found.outcome, found.stage, found.cause) == (
        Outcome.FAIL,
        Stage.RUN,
        "op-not-registered",
    )


def test_a_reference_that_refused_all_that_was_accepted() -> None:
    """Where consumer and reference accept different sets of inputs, nothing is compared."""
    reference = Reference(name="2.21.0", outputs=(None, None))
    found = result(ran(refused("no"), answered(ONE)), reference)
    assert (found.outcome, found.reason) == (Outcome.NOT_RUN, "no-reference")
    assert found.message == "2.21.0 refused every set of inputs that 2.4.4 accepted"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expects arg[0] to be float but int32 is provided", True),
        ("indices[0] = 9 is not in [0, 3)", True),
        ("Op type not registered 'X'", False),
        ("OOM when allocating tensor", False),
        ("Attempting to use uninitialized value w", False),
    ],
)
def test_what_may_be_the_inputs_fault(text: str, expected: bool) -> None:
    """Only a text that knows no better reason may be about the inputs."""
    assert is_about_inputs(Failure(text=text, type="UNKNOWN")) is expected


def test_a_stable_reference() -> None:
    """Two processes that agree make a reference, with a place for each set of inputs."""
    verdict = ran(answered(ONE), refused("no"))
    assert reference_of("2.21.0", verdict, verdict, Policy()) == Reference(
        name="2.21.0", outputs=(ONE, None)
    )


def test_an_unstable_reference_says_how() -> None:
    """Two processes that differ make an unstable one."""
    made = reference_of("2.21.0", ran(answered(ONE)), ran(answered(TWO)), Policy())
    assert made is not None
    assert made.unstable is not None
    assert made.unstable.startswith("a second process of 2.21.0 differs: output 'y': 1 of 1")


def test_a_reference_whose_second_process_died() -> None:
    """A second process that did not end makes an unstable one."""
    second = Verdict(stage="run", signal=signal.SIGSEGV)
    made = reference_of("2.21.0", ran(answered(ONE)), second, Policy())
    assert made is not None
    assert made.unstable == "a second process of 2.21.0 did not complete"


def test_no_reference_of_refusals() -> None:
    """A release that refused everything is no reference."""
    verdict = ran(refused("no"), refused("no"))
    assert reference_of("2.21.0", verdict, verdict, Policy()) is None


IGNORED = IgnoredAttr(
    op="TopKV2", attr="index_type", node="k", function="f", default=False, reached=True
)


def test_an_ignored_attr_fails_a_pass() -> None:
    """An attr that is dropped and not its default fails, even if the values agree."""
    found = with_ignored(result(ran(answered(ONE))), [IGNORED])
    assert (found.outcome, found.causes) == (Outcome.FAIL, ("attr-ignored",))
    assert found.message == (
        "TopKV2.index_type is ignored (not its default; function f, node k); the outputs agree all the same"
    )
    assert found.detail == Detail(op="TopKV2", attr="index_type", node="k", function="f")
    assert "'index_type' of TopKV2 does nothing there" in (found.fix or "")


def test_an_ignored_attr_leads_a_mismatch() -> None:
    """On top of a mismatch it is the more telling cause, and both are told."""
    found = with_ignored(result(ran(answered(TWO))), [IGNORED])
    assert found.causes == ("attr-ignored", "output-mismatch")
    assert "TopKV2.index_type" in found.message
    assert "1 of 1 elements differ" in found.message


@pytest.mark.parametrize(
    "harmless",
    [
        replace(IGNORED, default=True),
        replace(IGNORED, default=None),
        replace(IGNORED, reached=False),
    ],
    ids=["default", "unknown", "not reached"],
)
def test_a_harmless_ignored_attr_is_a_note(harmless: IgnoredAttr) -> None:
    """A default, a value that nobody can judge, or a place that is not reached does not fail."""
    found = with_ignored(result(ran(answered(ONE))), [harmless])
    assert found.outcome is Outcome.PASS
    assert found.notes == (str(harmless),)


def test_an_ignored_attr_of_what_was_not_run() -> None:
    """What was not compared does not become a failure."""
    found = with_ignored(result(ran(answered(ONE)), None), [IGNORED])
    assert (found.outcome, found.notes) == (Outcome.NOT_RUN, (str(IGNORED),))


def unreadable(misnamed: bool) -> DamagedModelError:
    """Return the error of a file that does not parse."""
    return DamagedModelError("/m/saved_model.pb is odd", hint="fetch it again", misnamed=misnamed)


@pytest.mark.parametrize(
    ("misnamed", "cause"), [(True, "not-a-savedmodel"), (False, "file-damaged")]
)
def test_tags_of_what_is_no_savedmodel(misnamed: bool, cause: str) -> None:
    """Where the loader misses the tags, the file is what is wrong."""
    failure = Failure(text="Could not find meta graph def matching supplied tags", type="NOT_FOUND")
    found = with_unreadable(result(Verdict(stage="load", failure=failure)), unreadable(misnamed))
    assert (found.causes, found.fix) == ((cause,), "fetch it again")
    assert found.message.startswith("/m/saved_model.pb is odd. TensorFlow says: Could not find")


def test_what_is_unreadable_and_loads() -> None:
    """A file that a release loads all the same was not run, and the message says so."""
    loaded = result(Verdict(stage="load"), None, replace(CELL, signature=None))
    found = with_unreadable(loaded, unreadable(False))
    assert (found.outcome, found.reason) == (Outcome.NOT_RUN, "unreadable")
    assert found.message == "2.4.4 loads it all the same: /m/saved_model.pb is odd"


def test_one_line() -> None:
    """A text of many lines becomes one, without what a terminal would obey."""
    assert one_line(" a\n\tb  c \x1b[31mred\x07\u202e ") == "a b c \ufffd[31mred\ufffd\ufffd"


def test_one_line_is_cut() -> None:
    """A line has an end."""
    assert one_line("x" * 600) == "x" * 600
    assert one_line("x" * 601) == "x" * 599 + "…"


GRAPH_ERROR = """Graph execution error:

Detected at node 'save/RestoreV2' defined at (most recent call last):
    File "/worker/_python.py", line 121, in _run
      loaded = load(path)
Node: 'save/RestoreV2'
Read less bytes than requested
\t [[{{node save/RestoreV2}}]]

Original stack trace for 'save/RestoreV2':
  File "worker/_python.py", line 121, in _run
"""


@pytest.mark.parametrize(
    "text",
    [
        GRAPH_ERROR,
        GRAPH_ERROR.replace("Node: 'save/RestoreV2'\n", "").replace("'save/RestoreV2' d", "r d"),
        f"Restoring from checkpoint failed. This is most likely.  Original error:\n\n{GRAPH_ERROR}",
        GRAPH_ERROR.partition("'\n")[2],
    ],
)
def test_without_stack(text: str) -> None:
    """Whatever the release wraps around it, what went wrong is what is left."""
    left = one_line(without_stack(text))
    assert left == "Read less bytes than requested [[{{node save/RestoreV2}}]]"


def test_without_stack_where_there_is_none() -> None:
    """A list that is indented is no stack."""
    text = "Could not find matching function. Got:\n  Positional arguments (1 total):\n    * x"
    assert without_stack(text) == text


def test_a_stack_and_nothing_else() -> None:
    """A text that is all stack is kept."""
    assert without_stack("Graph execution error:\n") == "Graph execution error:\n"

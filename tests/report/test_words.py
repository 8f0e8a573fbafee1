"""One cell in words."""

from __future__ import annotations

from collections.abc import Callable

from savedmodel_compat.matrix.cells import Detail, Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.report.words import about, disagreement, happened, in_words


def test_a_failed_cell(failed: Callable[..., Result]) -> None:
    """What, where, TensorFlow's words, what to do, and the end of the log."""
    text = in_words(failed())
    assert text.startswith(
        "cnn of TensorFlow 2.11.1 fails in TensorFlow 2.4.4 at load: attr-unknown"
    )
    for words in (
        "Conv2D.explicit_paddings",
        "NodeDef mentions attr",
        "strip it",
        "/models/cnn",
        "line two",
    ):
        assert words in text
    assert "cell:    cnn:serve:unstripped:2.11.1:2.4.4:wheel:c:cpu:" in text


def test_every_cause_is_explained(failed: Callable[..., Result]) -> None:
    """Each cause of a cell has its sentence."""
    text = in_words(failed(causes=("attr-ignored", "output-mismatch")))
    assert "drops an attr" in text
    assert "other values than the reference" in text


def test_a_long_log_is_cut_at_its_beginning(failed: Callable[..., Result]) -> None:
    """The end of a log tells most."""
    text = in_words(failed(log="\n".join(f"line {number}" for number in range(100))))
    assert "line 99" in text
    assert "line 50" not in text


def test_what_it_is_about(failed: Callable[..., Result]) -> None:
    """Op and attr if both are known, else the one, else the node, else nothing."""
    details = [
        Detail(op="A", attr="b", node="n"),
        Detail(op="A", node="n"),
        Detail(attr="b"),
        Detail(node="n"),
        Detail(),
    ]
    assert [about(failed(detail=detail)) for detail in details] == ["A.b", "A", "b", "n", ""]


def test_hostile_words(failed: Callable[..., Result]) -> None:
    """Whatever a model is called and a process prints, a terminal obeys none of it."""
    text = in_words(failed(model="cnn\x1b[2J", log="one\r\x07\ttwo\x1b]0;title\x07\nthree"))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.endswith("two\ufffd]0;title\ufffd\n    three")


def test_a_cell_that_is_not_as_predicted(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """What was predicted and why, what happened, which of the two is wrong, and which cell it is."""
    said = Predicted(
        outcome=Foreseen.FAIL, stage=Stage.LOAD, causes=("kernel-missing",), why="no kernel; node n"
    )
    text = disagreement(result(predicted=said))
    assert text.startswith(
        "cnn of TensorFlow 2.11.1 in TensorFlow 2.4.4: prediction and proof disagree"
    )
    for words in (
        "predicted: fail at load, kernel-missing",
        "because:   no kernel; node n",
        "happened:  pass",
        "`savedmodel-compat runtime snapshot 2.4.4 --check` tells",
        "cell:      cnn:serve:unstripped:2.11.1:2.4.4:wheel:c:cpu:serving_default",
    ):
        assert words in text
    text = disagreement(failed(predicted=said))
    assert "happened:  fail at load, attr-unknown" in text
    assert "message:   NodeDef mentions attr" in text
    assert "the cause was read wrongly from the message" in text


def test_what_became_of_a_cell(result: Callable[..., Result]) -> None:
    """Outcomes that are no verdicts carry their reason."""
    not_run = result(outcome=Outcome.NOT_RUN, stage=Stage.LOAD, reason="no-inputs")
    assert happened(not_run) == "not-run, no-inputs"
    assert happened(result()) == "pass"

"""The matrix in the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from savedmodel_compat.matrix.cells import Detail, Foreseen, Outcome, Predicted, Result, Stage
from savedmodel_compat.report.terminal import print_matrix

RELEASES = ["1.4.1", "1.15.5", "2.4.4", "2.5.3", "2.11.1", "2.15.1", "2.18.1", "2.20.0", "2.21.0"]


def drawn(results: Sequence[Result], width: int = 120) -> list[str]:
    """The lines, without colours."""
    stream = io.StringIO()
    print_matrix(results, Console(file=stream, width=width, highlight=False))
    return stream.getvalue().splitlines()


def test_a_small_matrix(result: Callable[..., Result], failed: Callable[..., Result]) -> None:
    """A row for each way of exporting, a column for each consumer, oldest first; then what fails, and the sum."""
    results = [
        result(consumer="2.21.0"),
        failed(consumer="2.4.4"),
        result(consumer="2.4.4", strip=True),
        result(consumer="2.21.0", strip=True),
    ]
    assert [line.rstrip() for line in drawn(results)] == [
        "model producer            2.4.4  2.21.0",
        "cnn   2.11.1   unstripped ✗ load pass",
        "cnn   2.11.1   stripped   pass   pass",
        "",
        "Why cells fail",
        "  attr-unknown Conv2D.explicit_paddings: A node carries an attr that the consumer's op does not have; up to 2.4 that is",
        "  an error.",
        "    NodeDef mentions attr 'explicit_paddings' not in Op<name=Conv2D>; NodeDef: {{node conv}}.",
        "    cells  cnn of 2.11.1, unstripped → 2.4.4",
        "    do     strip it",
        "4 cells: 3 pass, 1 fail",
    ]


def test_the_worst_signature_shows(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """Several signatures share a place; the one that failed is what stands there, and is named below."""
    results = [
        result(signature="a"),
        failed(signature="b", stage=Stage.RUN),
        result(signature="c"),
    ]
    lines = drawn(results)
    assert lines[1].split()[-2:] == ["✗", "run"]
    assert any("unstripped [b] → 2.4.4" in line for line in lines)


def test_every_outcome_has_its_word(result: Callable[..., Result]) -> None:
    """No outcome is told by colour alone."""
    results = [
        result(consumer="2.1.4", outcome=Outcome.UNSUPPORTED, reason="no interpreter", stage=None),
        result(consumer="2.3.4", outcome=Outcome.NOT_RUN, reason="no-reference", stage=Stage.RUN),
        result(consumer="2.4.4", outcome=Outcome.INFRA_ERROR, reason="no disk", stage=None),
        result(consumer="2.5.3"),
    ]
    lines = drawn(results)
    assert lines[1].split()[-4:] == ["unsupp.", "not-run", "infra!", "pass"]
    text = "\n".join(lines)
    for words in ("no interpreter", "no-reference", "no disk"):
        assert words in text
    assert lines[-1] == "4 cells: 1 pass, 1 unsupported, 1 not-run, 1 infra-error"


def test_many_consumers_in_a_narrow_terminal(result: Callable[..., Result]) -> None:
    """What does not fit beside stands below; no line is cut, none is wider than the terminal."""
    lines = drawn([result(consumer=release) for release in RELEASES], width=70)
    assert max(map(len, lines)) <= 70
    heads = [line for line in lines if line.startswith("model")]
    assert len(heads) > 1
    assert [word for head in heads for word in head.split()[2:]] == RELEASES
    assert not any("…" in line for line in lines)


def test_two_loaders_are_told_apart(result: Callable[..., Result]) -> None:
    """With several loaders each has a column."""
    lines = drawn([result(loader="c"), result(loader="v1")])
    assert lines[0].split() == ["2.4.4", "2.4.4"]
    assert lines[1].split() == ["model", "producer", "c", "v1"]


def test_the_same_failure_is_told_once(failed: Callable[..., Result]) -> None:
    """Cells that fail for the same reason are listed together, consumers in order."""
    results = [failed(consumer=release) for release in ("2.4.4", "1.15.5")]
    results += [failed(consumer="1.15.5", model="other")]
    lines = drawn(results)
    assert sum("attr-unknown" in line for line in lines) == 1
    assert "    cells  cnn of 2.11.1, unstripped → 1.15.5, 2.4.4" in lines
    assert "    cells  other of 2.11.1, unstripped → 1.15.5" in lines


def test_a_message_that_is_not_that_of_all_names_its_cell(failed: Callable[..., Result]) -> None:
    """Of cells that fail alike, one's numbers are not told as if they were those of the others."""
    one = {"detail": Detail(op="MatMul"), "message": "is off by 3"}
    cells = [failed(**one), failed(**(one | {"consumer": "2.5.3", "message": "is off by 40"}))]
    assert "    such as cnn of 2.11.1, unstripped → 2.4.4: is off by 3" in drawn(cells)
    cells[1] = failed(**one, consumer="2.5.3")
    assert "    is off by 3" in drawn(cells)


def test_a_loader_is_named_where_loaders_say_different_things(
    failed: Callable[..., Result],
) -> None:
    """One release may say it in other words to another loader."""
    one = {"detail": Detail(op="MatMul")}
    cells = [failed(**one, message="no", loader="v1"), failed(**one, message="never", loader="c")]
    assert any(line.endswith("2.4.4, loader v1: no") for line in drawn(cells))


def test_notes_are_told_once(result: Callable[..., Result]) -> None:
    """Each note once, that of most cells first, with the cells and models that have it."""
    made_up = "the exporter recorded nothing of signature 'train', and its inputs are made up"
    cells = [
        result(notes=("another",)),
        result(consumer="2.5.3", notes=(made_up,)),
        result(model="mlp", notes=(made_up,)),
    ]
    lines = drawn(cells)
    at = lines.index("Notes")
    assert lines[at + 1 : at + 3] == [
        f"  {made_up} (2 cells of cnn, mlp)",
        "  another (1 cell of cnn)",
    ]


def test_many_notes_are_cut(result: Callable[..., Result]) -> None:
    """What is left out is counted."""
    lines = drawn([result(notes=tuple(f"note {at}" for at in range(25)))])
    assert "  … and 5 more, which the record (--json) has" in lines
    assert sum("note " in line for line in lines) == 20


def test_without_notes_nothing_is_said_of_them(result: Callable[..., Result]) -> None:
    """No empty section."""
    assert "Notes" not in drawn([result()])


def test_no_line_ends_in_blanks_below_the_table(failed: Callable[..., Result]) -> None:
    """Long texts are wrapped and leave nothing at the ends of lines."""
    lines = drawn([failed(message="word " * 200)], width=60)
    below = lines[lines.index("Why cells fail") :]
    assert all(line == line.rstrip() for line in below)
    assert max(map(len, below)) <= 60


def test_a_hostile_name_cannot_write_to_the_terminal(failed: Callable[..., Result]) -> None:
    """Control codes of a model's names come out as text; so does the console's own markup."""
    results = [
        failed(
            model="\x1b[31mred[/bold]", signature="a\x07", message="bell \x07", fix="\x1b]0;t\x07"
        )
    ]
    text = "\n".join(drawn(results))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[/bold]" in text


def test_unclassified_cells_are_counted(failed: Callable[..., Result]) -> None:
    """What no pattern knows stands in the summary."""
    assert (
        drawn([failed(causes=("unclassified",))])[-1] == "1 cell: 0 pass, 1 fail (1 unclassified)"
    )


def test_no_cells(result: Callable[..., Result]) -> None:
    """An empty matrix is an empty summary, not an error."""
    assert drawn([])[-1] == "0 cells: 0 pass"


def test_other_tag_sets_are_named(failed: Callable[..., Result]) -> None:
    """A tag set that is not Serving's own is told."""
    lines = drawn([failed(tags=("serve", "gpu"))])
    assert any("cnn of 2.11.1 ['serve', 'gpu'], unstripped" in line for line in lines)


def test_no_color(failed: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there are colours, unless NO_COLOR is set; the words are the same."""
    texts = []
    for colour in (True, False):
        if not colour:
            monkeypatch.setenv("NO_COLOR", "1")
        stream = io.StringIO()
        print_matrix(
            [failed()], Console(file=stream, width=120, force_terminal=True, highlight=False)
        )
        texts.append(stream.getvalue())
    coloured = [re.findall(r"\x1b\[[0-9;]*3[0-7]m", text) for text in texts]
    assert coloured[0]
    assert not coloured[1]
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in texts]
    assert plain[0] == plain[1]
    assert "✗ load" in plain[1]


REFUSED = Predicted(
    outcome=Foreseen.FAIL,
    stage=Stage.LOAD,
    causes=("op-not-registered",),
    why="Foo is not registered; node \x1bfoo",
)


def test_what_is_not_as_predicted(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """A sign in the table, a section of its own, and the number at the end; what agrees is not in it."""
    results = [
        result(consumer="2.5.3", predicted=REFUSED),
        result(consumer="2.6.5", predicted=REFUSED),
        failed(predicted=REFUSED, causes=("op-not-registered",)),
        result(consumer="2.21.0", predicted=Predicted(outcome=Foreseen.PASS)),
    ]
    lines = [line.rstrip() for line in drawn(results, width=140)]
    assert lines[:2] == [
        "model producer            2.4.4  2.5.3  2.6.5  2.21.0",
        "cnn   2.11.1   unstripped ✗ load pass ≠ pass ≠ pass",
    ]
    at = lines.index("Where prediction and proof disagree (≠ in the table)")
    assert at > lines.index("Why cells fail")
    assert lines[at + 1 : at + 4] == [
        "  predicted fail at load, op-not-registered, and it is pass",
        "    why    Foo is not registered; node \ufffdfoo",
        "    cells  cnn of 2.11.1, unstripped [serving_default] → 2.5.3, 2.6.5",
    ]
    assert lines[at + 4].startswith("    do     2.5.3 does what it was predicted not to do")
    assert lines[-1] == "4 cells: 3 pass, 1 fail; 2 not as predicted"


def test_a_failure_that_was_not_predicted(failed: Callable[..., Result]) -> None:
    """TensorFlow's words stand beside it, and that one of two readings of them is wrong."""
    lines = drawn([failed(predicted=Predicted(outcome=Foreseen.PASS))], width=140)
    assert lines[1].rstrip().endswith("✗ load ≠")
    text = "\n".join(lines)
    assert "predicted pass, and it is fail at load, attr-unknown" in text
    assert "said   NodeDef mentions attr 'explicit_paddings'" in text
    assert "the prediction misses what the message names, or the cause was read wrongly" in text
    assert "saved_model.pb" in text


def test_without_a_disagreement_nothing_is_said(
    result: Callable[..., Result], failed: Callable[..., Result]
) -> None:
    """What agrees, or is unknown, or has no prediction, adds no word to the report."""
    unknown = Predicted(outcome=Foreseen.UNKNOWN, stage=Stage.LOAD, why="?")
    plain = drawn([failed(), result(consumer="2.21.0")])
    agreed = Predicted(outcome=Foreseen.FAIL, stage=Stage.LOAD, causes=("attr-unknown",), why="?")
    assert drawn([failed(predicted=agreed), result(consumer="2.21.0", predicted=unknown)]) == plain

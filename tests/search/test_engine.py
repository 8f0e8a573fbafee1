"""What a search does beside asking: it draws the same in each session, and says what is wrong with what was kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from tests.search.seeding import broken, seeded

from savedmodel_compat import properties, strategies
from savedmodel_compat.errors import UsageError, WorkerError
from savedmodel_compat.properties import BrokenError, Search
from savedmodel_compat.runtimes.verdicts import Answer, Failure
from savedmodel_compat.search import by_itself, kept
from savedmodel_compat.search.engine import Property, search

if TYPE_CHECKING:
    from savedmodel_compat.model import TensorSpec
    from savedmodel_compat.properties import Subject
    from savedmodel_compat.runtimes.wire import Arrays
    from savedmodel_compat.search.subject import Asked, Loaded

DRAW = """
import hashlib, sys
from types import SimpleNamespace

sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    __import__(name)

from savedmodel_compat import strategies
from savedmodel_compat.model.values import Signature, TensorSpec
from savedmodel_compat.search._words import as_source
from savedmodel_compat.search.engine import some

x = TensorSpec(name="x:0", dtype="float32", shape=(None, 3))
words = TensorSpec(name="words:0", dtype="string", shape=None)
signature = Signature(key="s", method_name="", inputs={"x": x, "words": words}, outputs={}, defaults={})
asked = SimpleNamespace(subject=SimpleNamespace(search=SimpleNamespace(examples=150, random=False)))
said = "".join(map(as_source, some(asked, strategies.from_signature(signature))))
print(hashlib.sha256(said.encode()).hexdigest())
"""


def one_of(subject: Subject) -> Asked:
    """The only signature of a subject."""
    [asked] = subject.signatures()
    return asked


def test_the_same_in_each_session(tmp_path: Path) -> None:
    """Whatever else is imported, the same is drawn: Hypothesis would take constants from modules that lie about."""
    numbers = ", ".join(str(number * 7 + 3) for number in range(150))
    (tmp_path / "constants.py").write_text(
        f"NUMBERS = [{numbers}]\nWORDS = ['seven', 'eleven', 'b', 'zz']\nBYTES = [b'seven', b'zz']\n"
    )

    def drawn(*modules: str) -> str:
        command = [sys.executable, "-c", DRAW, str(tmp_path), *modules]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert drawn() == drawn("constants")


@seeded("export_batch_norm", examples="30")
def test_what_no_process_confirms(
    savedmodel_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is told where no process can be started to show it once more."""
    loaded = savedmodel_subject.load(one_of(savedmodel_subject).case)

    def fails() -> None:
        loaded._refused = properties.DoesNotApplyError("nothing can be started")

    monkeypatch.setattr(loaded, "renew", fails)
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert "is not what it is alone" in found
    assert "(once more: nothing can be started)" in found


@seeded("export_right")
@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ({"y": np.ones((1, 1), np.float32)}, "input 'x' is missing"),
        ({"x": np.ones((1, 1), np.int32)}, "input 'x' is int32"),
        ({"x": np.ones((), np.float32)}, r"input 'x' is float32 \[\], the signature wants"),
        (
            {"x": np.ones((1, 1), np.float32), "z": np.ones((), np.float32)},
            "there is no input 'z'",
        ),
    ],
)
def test_what_does_not_fit_any_more(
    savedmodel_subject: Subject, feed: dict[str, np.ndarray], words: str, tmp_path: Path
) -> None:
    """Inputs that were kept for another signature are no silent pass."""
    asked = one_of(savedmodel_subject)
    savedmodel_subject.search = replace(savedmodel_subject.search, kept=tmp_path)
    file = kept.write(tmp_path, asked, "rows_are_independent", feed)
    with pytest.raises(UsageError, match=words) as error:
        properties.rows_are_independent(savedmodel_subject)
    assert str(file) in str(error.value)
    # All others are asked all the same.
    found = {each.property: each for each in properties.find_all(savedmodel_subject)}
    assert str(file) in str(found["rows_are_independent"].broken)
    assert found["outputs_as_declared"].tally


@seeded("export_right")
def test_what_fits_by_now(savedmodel_subject: Subject, tmp_path: Path) -> None:
    """Nor are inputs that once did not fit, and do now."""
    asked = one_of(savedmodel_subject)
    savedmodel_subject.search = replace(savedmodel_subject.search, kept=tmp_path)
    kept.write(tmp_path, asked, "mismatches_refused", {"x": np.ones((1, 1), np.float32)})
    with pytest.raises(UsageError, match="it fits the signature"):
        properties.mismatches_refused(savedmodel_subject)


@seeded("export_batch_norm", examples="30")
def test_what_cannot_be_kept(savedmodel_subject: Subject, tmp_path: Path) -> None:
    """A folder that takes nothing hides no fault."""
    (tmp_path / "kept").write_text("no folder")
    search = replace(savedmodel_subject.search, kept=tmp_path / "kept", keep=True)
    savedmodel_subject.search = search
    found = broken(properties.rows_are_independent, savedmodel_subject)
    assert "is not what it is alone" in found
    assert "could not be kept:" in found


@seeded("export_right", examples="5")
def test_a_long_name(savedmodel_subject: Subject, tmp_path: Path) -> None:
    """A signature's key may be longer than a file's name, and two of them stay two."""
    asked = one_of(savedmodel_subject)
    files = {
        kept.write(
            tmp_path,
            replace(asked, case=replace(asked.case, signature="k" * 300 + last)),
            "rows_are_independent",
            {"x": np.ones((1, 1), np.float32)},
        )
        for last in "ab"
    }
    assert len(files) == 2


def test_a_search_of_nothing() -> None:
    """The defaults of a search: what the documentation says."""
    assert (Search().examples, Search().random, Search().edges) == (200, False, True)
    assert issubclass(BrokenError, AssertionError)


class Process:
    """What a search asks, as far as it matters to it: it has a past, until it is renewed.

    Args:
        patience: how many questions it answers as it should.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.asked = 0

    def ask(self, feeds: list[object]) -> list[object]:
        """Answer."""
        self.asked += len(feeds)
        return []

    def renew(self) -> None:
        """Forget."""
        self.asked = 0


def searched(subject: Subject, process: Process, *, answers: bool = True) -> None:
    """Search with a property that holds of a process as long as it has patience."""

    def holds(drawn: object, tally: properties.Tally) -> None:
        process.ask([drawn])
        tally.answered += answers
        if process.asked > process.patience:
            raise BrokenError("it is otherwise")

    asked = one_of(subject)
    search(
        Property(
            name="any",
            asked=asked,
            strategy=strategies.from_signature(asked.signature),
            holds=holds,
            loaded=[cast("Loaded", process)],
        )
    )


@seeded("export_right", examples="20")
def test_what_only_a_past_shows(savedmodel_subject: Subject) -> None:
    """It is no fault of the inputs, and is told as what it is."""
    searched(savedmodel_subject, Process(patience=100))
    with pytest.raises(BrokenError, match="and as they should be by a fresh one, such as: it is"):
        searched(savedmodel_subject, Process(patience=3))
    with pytest.raises(BrokenError, match="^any, signature 'serving_default' .*: it is otherwise"):
        searched(savedmodel_subject, Process(patience=0))


def children() -> set[int]:
    """The processes that this one has started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found.add(int(status.parent.name))
    return found


@seeded("export_right")
def test_a_worker_that_is_killed(
    savedmodel_subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as what it is, is no fault of the model, and the next question has another worker."""
    loaded = savedmodel_subject.load(one_of(savedmodel_subject).case)
    savedmodel_subject.worker.close()
    before = children()
    loaded.ask([])
    [worker] = children() - before
    asked, count = loaded.ask, 0

    def ask(feeds: Sequence[Arrays]) -> list[Answer]:
        nonlocal count
        count += 1
        if count == 5:
            os.kill(worker, signal.SIGKILL)
        return asked(feeds)

    monkeypatch.setattr(loaded, "ask", ask)
    with pytest.raises(WorkerError, match=r"the worker of 2\.11\.1 .* was lost: .*signal 9"):
        properties.outputs_as_declared(savedmodel_subject)
    assert properties.outputs_as_declared(savedmodel_subject).answered


@seeded("export_right", examples="20", stateful=True)
def test_a_past_that_is_meant(savedmodel_subject: Subject) -> None:
    """Of a model that is said to keep state nobody demands to forget."""
    searched(savedmodel_subject, Process(patience=3))


@seeded("export_right", examples="20")
def test_what_nobody_answers(savedmodel_subject: Subject) -> None:
    """A property of which nothing was seen does not hold, and is not broken."""
    with pytest.raises(properties.DoesNotApplyError, match="none of 20 inputs was answered"):
        searched(savedmodel_subject, Process(patience=100), answers=False)


@seeded("export_right", examples="5")
def test_outputs_that_are_declared_otherwise(savedmodel_subject: Subject) -> None:
    """Names, dtypes and shapes of answers are those of the signature."""
    asked = one_of(savedmodel_subject)
    [(alias, spec)] = asked.signature.outputs.items()

    def declared(outputs: dict[str, TensorSpec]) -> Asked:
        signature = replace(asked.signature, outputs=outputs)
        signatures = {**asked.meta_graph.signatures, asked.case.signature: signature}
        return replace(asked, meta_graph=replace(asked.meta_graph, signatures=signatures))

    assert by_itself.outputs_as_declared(declared({alias: spec})).answered
    for outputs, words in (
        ({}, r"the outputs are \['y'\], and declared are \[\]"),
        ({alias: replace(spec, dtype="int32")}, "output 'y' is float32, and int32 is declared"),
        ({alias: replace(spec, shape=(None, 2))}, r"the shape \[\d+, 1\], and \['\?', 2\] is"),
        ({alias: replace(spec, shape=(None,))}, r"the shape \[\d+, 1\], and \['\?'\] is declared"),
    ):
        with pytest.raises(BrokenError, match=words):
            by_itself.outputs_as_declared(declared(outputs))


@seeded("export_right")
def test_answers_and_refusals(savedmodel_subject: Subject) -> None:
    """One that answers what another refuses differs from it, either way; two that refuse do not."""
    asked = one_of(savedmodel_subject)
    answer = Answer(outputs={"y": np.ones(1, np.float32)}, dtypes={"y": "float32"})
    refusal = Answer(failure=Failure(text="no such thing", type="KeyError"))
    assert asked.differences(answer, answer) is None
    assert asked.differences(refusal, refusal) is None
    assert asked.differences(answer, refusal) == "it is refused: no such thing"
    assert asked.differences(refusal, answer) == (
        "it is answered, where it should be refused: no such thing"
    )

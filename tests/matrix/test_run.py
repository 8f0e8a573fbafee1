"""Tests of the matrix on real runtimes: references, cells, order, interrupts, and models that misbehave."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.matrix.cells import Outcome, Result, Stage
from savedmodel_compat.matrix.models import Model, load_models
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.run import Interrupted, run_matrix
from savedmodel_compat.runtimes import pins
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.requests import Limits

SMOKE = ("1.15.5", "2.4.4", "2.11.1", "2.21.0")
OPTIONS = Options(limits=Limits(seconds=30, megabytes=2000), jobs=2)

MakeConsumers = Callable[..., list[Consumer]]
MakeModel = Callable[[str], Model]


@pytest.fixture(scope="session")
def everywhere(consumers: MakeConsumers) -> list[Consumer]:
    """Return the consumers of the smoke set."""
    return consumers(*SMOKE)


def outcomes(results: Sequence[Result]) -> list[tuple[str, Outcome]]:
    """Return consumer and outcome of each cell."""
    return [(result.cell.consumer, result.outcome) for result in results]


def workers_left() -> list[str]:
    """Return the command lines of workers and cells that are this process' own, or nobody's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
        if "runtimes/worker" in command and parent in {1, os.getpid()}:
            found.append(command)
    return found


def test_the_newest_is_the_reference(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """Where nobody recorded outputs, those of the newest release are what all are compared with."""
    results = run_matrix([misbehaving("refuse_batches")], everywhere, OPTIONS)
    assert outcomes(results) == [(release, Outcome.PASS) for release in SMOKE]
    assert {result.reference for result in results} == {"2.21.0"}


def test_the_newest_that_runs_is_the_reference(
    misbehaving: MakeModel, everywhere: list[Consumer]
) -> None:
    """Releases that do not load a model are passed over, and have one cell without a signature."""
    results = run_matrix([misbehaving("lose_kernel")], everywhere, OPTIONS)
    assert outcomes(results) == [
        ("1.15.5", Outcome.PASS),
        ("2.4.4", Outcome.PASS),
        ("2.11.1", Outcome.FAIL),
        ("2.21.0", Outcome.FAIL),
    ]
    assert {result.reference for result in results[:2]} == {"2.4.4"}
    assert [result.cell.signature for result in results] == ["serving_default"] * 2 + [None] * 2
    assert {(r.stage, r.cause) for r in results[2:]} == {(Stage.LOAD, "kernel-missing")}
    assert {r.detail.op for r in results[2:]} == {"BoostedTreesBucketize"}


def test_a_reference_that_is_named(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """A release that is named is the reference, whatever is newer."""
    options = replace(OPTIONS, reference="1.15.5")
    results = run_matrix([misbehaving("refuse_batches")], everywhere, options)
    assert {(result.outcome, result.reference) for result in results} == {(Outcome.PASS, "1.15.5")}


def test_a_named_reference_that_does_not_run(
    misbehaving: MakeModel, everywhere: list[Consumer]
) -> None:
    """No other release takes the place of one that is named."""
    options = replace(OPTIONS, reference="2.21.0")
    results = run_matrix([misbehaving("lose_kernel")], everywhere, options)
    assert [result.reason for result in results] == ["no-reference", "no-reference", None, None]


def test_a_recording_is_the_reference(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """What the exporter recorded comes before any release, and a false recording fails everywhere."""
    results = run_matrix([misbehaving("honest"), misbehaving("liar")], everywhere, OPTIONS)
    assert {result.reference for result in results} == {"export"}
    assert [result.cause for result in results] == [None] * 4 + ["output-mismatch"] * 4
    assert "3 of 3 elements differ" in results[4].message
    assert "at most by 0.001" in results[4].message


def test_a_model_of_chance_has_no_reference(
    misbehaving: MakeModel, everywhere: list[Consumer]
) -> None:
    """Answers that change from process to process are not compared."""
    results = run_matrix([misbehaving("chance")], everywhere, OPTIONS)
    assert {(r.outcome, r.stage, r.reason) for r in results} == {
        (Outcome.NOT_RUN, Stage.RUN, "no-reference")
    }
    assert "a second process of 2.21.0 differs" in results[0].message


def test_state_does_not_leak(corpus: Path, everywhere: list[Consumer]) -> None:
    """A model that counts its calls starts anew in every cell."""
    models = load_models([corpus / "counter_stateful"])
    results = run_matrix(models, everywhere, OPTIONS)
    assert len(results) == 4 * len(SMOKE)
    assert {result.outcome for result in results} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("name", "stage", "reason"),
    [
        ("without_signatures", Stage.LOAD, "no-signatures"),
        ("without_outputs", Stage.LOAD, "no-outputs"),
        ("refuse", Stage.RUN, "inputs-refused"),
    ],
)
def test_not_run(
    name: str,
    stage: Stage,
    reason: str,
    misbehaving: MakeModel,
    everywhere: list[Consumer],
) -> None:
    """What cannot be compared is not run, for a reason, in every consumer."""
    results = run_matrix([misbehaving(name)], everywhere, OPTIONS)
    assert outcomes(results) == [(release, Outcome.NOT_RUN) for release in SMOKE]
    assert {(result.stage, result.reason) for result in results} == {(stage, reason)}
    assert {result.compared for result in results} == {0}


def test_inputs_that_cannot_be_made_up(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """A signature without inputs says why, and does not keep its neighbour from running."""
    results = run_matrix([misbehaving("handle")], everywhere, OPTIONS)
    said = [(r.cell.signature, r.outcome, r.reason) for r in results]
    assert said == [
        ("by_handle", Outcome.NOT_RUN, "no-inputs"),
        ("serving_default", Outcome.PASS, None),
    ] * len(SMOKE)
    assert "input 'resource' cannot be made up" in results[0].message


def test_consumers_that_are_not_ready(misbehaving: MakeModel, consumers: MakeConsumers) -> None:
    """A consumer without a runtime has a cell for each signature, and is no reference."""
    common = Consumer(release="2.21.0", provider="venv", loader="v1", device="cpu")
    unready = [
        replace(common, reason="no CPython 3.11\n\x1b[2J"),
        replace(common, loader="v2", outcome=Outcome.INFRA_ERROR, reason="no disk"),
    ]
    models = [misbehaving("handle"), misbehaving("without_signatures")]
    results = run_matrix(models, [*consumers("2.11.1"), *unready], OPTIONS)
    told = [r for r in results if r.cell.provider == "venv"]
    assert [(r.cell.signature, r.cell.loader, r.outcome) for r in told] == [
        ("by_handle", "v1", Outcome.UNSUPPORTED),
        ("serving_default", "v1", Outcome.UNSUPPORTED),
        ("by_handle", "v2", Outcome.INFRA_ERROR),
        ("serving_default", "v2", Outcome.INFRA_ERROR),
        (None, "v1", Outcome.UNSUPPORTED),
        (None, "v2", Outcome.INFRA_ERROR),
    ]
    assert told[0].reason == "no CPython 3.11 \ufffd[2J"
    assert [r.reference for r in results if r.outcome is Outcome.PASS] == ["2.11.1"]


def test_the_order_does_not_depend_on_jobs(
    misbehaving: MakeModel, exported: Callable[..., Model], everywhere: list[Consumer]
) -> None:
    """Ids are unique and come in the order of models and consumers, however many work."""
    models = [
        exported("half_plus_two"),
        misbehaving("lose_kernel"),
        misbehaving("handle"),
        exported("half_plus_two", strip=False),
    ]
    runs = [run_matrix(models, everywhere, replace(OPTIONS, jobs=jobs)) for jobs in (1, 3)]
    ids = [[result.cell.id for result in results] for results in runs]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    assert [r.outcome for r in runs[0]] == [r.outcome for r in runs[1]]
    seen = dict.fromkeys((result.cell.model, result.cell.strip) for result in runs[0])
    assert list(seen) == [(model.name, model.strip) for model in models]


def test_results_are_told_as_they_come(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """Whoever listens is told each result once, in the caller's own thread."""
    told: list[tuple[str, int]] = []

    def listen(result: Result) -> None:
        told.append((result.cell.id, threading.get_ident()))

    results = run_matrix([misbehaving("handle")], everywhere, OPTIONS, listen)
    assert sorted(each for each, _ in told) == sorted(result.cell.id for result in results)
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_an_interrupt_carries_all_cells(misbehaving: MakeModel, everywhere: list[Consumer]) -> None:
    """After an interrupt every cell has its place, done or not, and nothing runs any more."""
    models = [misbehaving("handle"), misbehaving("honest")]

    def interrupt(result: Result) -> None:
        if result.cell.signature == "serving_default":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        run_matrix(models, everywhere, replace(OPTIONS, jobs=1), interrupt)
    results = stopped.value.results
    whole = run_matrix(models, everywhere, OPTIONS)
    assert [r.cell.id for r in results] == [r.cell.id for r in whole]
    interrupted = [r for r in results if r.reason == "interrupted"]
    assert {r.outcome for r in interrupted} == {Outcome.NOT_RUN}
    assert 0 < len(interrupted) < len(results)
    assert workers_left() == []


def test_an_interrupt_in_the_midst_of_a_model(
    misbehaving: MakeModel, consumers: MakeConsumers
) -> None:
    """Ctrl-C does not wait for the signatures of a model that hangs."""
    model, consumer = misbehaving("hang_thrice"), consumers("2.21.0")
    options = Options(limits=Limits(seconds=60, megabytes=500))
    timer = threading.Timer(3.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(Interrupted) as stopped:
        run_matrix([model], consumer, options)
    assert time.monotonic() - began < 30
    assert [result.reason for result in stopped.value.results] == ["interrupted"] * 3
    assert workers_left() == []


def test_a_runtime_that_breaks(
    misbehaving: MakeModel, everywhere: list[Consumer], tmp_path: Path
) -> None:
    """A worker that does not start is an error of its cells alone; a newest one is no reference."""
    library = tmp_path / "libtensorflow_cc.so.2"
    library.write_bytes(b"\x7fELF" + bytes(100))
    newest = everywhere[-1]
    assert newest.runtime is not None
    broken = replace(newest, runtime=replace(newest.runtime, libraries=(library,)))
    results = run_matrix([misbehaving("handle")], [*everywhere[:-1], broken], OPTIONS)
    failed = [result for result in results if result.cell.consumer == "2.21.0"]
    assert {result.outcome for result in failed} == {Outcome.INFRA_ERROR}
    assert "libtensorflow_cc" in (failed[0].reason or "")
    assert [r.reference for r in results if r.outcome is Outcome.PASS] == ["2.11.1"] * 3


def test_a_release_that_is_not_what_it_says(
    misbehaving: MakeModel, consumers: MakeConsumers
) -> None:
    """A consumer whose library names another release is noted."""
    [consumer] = consumers("2.11.1")
    [result] = run_matrix([misbehaving("honest")], [replace(consumer, release="2.11.0")], OPTIONS)
    assert result.notes == ("the consumer says that it is TensorFlow 2.11.1",)
    assert result.tensorflow_version == "2.11.1"


MISCHIEF_IN = ("1.15.5", "2.11.1", "2.21.0")
ABORTS = "Abort_op intentional failure; seeded abort"
MISCHIEF: dict[str, tuple[Stage, str, str]] = {
    "abort": (Stage.RUN, "crashed", ABORTS),
    "leave": (Stage.RUN, "crashed", "status 0 and no answer"),
    "hang": (Stage.RUN, "timed-out", "no answer after 5."),
    "hog": (Stage.RUN, "out-of-memory", "OOM when allocating tensor with shape[1024,1024,1024]"),
    "abort_in_init": (Stage.LOAD, "crashed", ABORTS),
    "hang_in_init": (Stage.LOAD, "timed-out", "no answer after 5."),
    "fail_in_init": (Stage.LOAD, "init-failed", "assertion failed: [seeded refusal]"),
}
ALONE = "honest"


@pytest.fixture(scope="module")
def mischief(misbehaving: MakeModel, consumers: MakeConsumers) -> dict[tuple[str, str], Result]:
    """Run all that misbehaves, and one model that does not, in one matrix."""
    found = {}
    # With oneDNN, which depends on the processor, TensorFlow tries for ten seconds to get memory.
    for seconds, names in ((5, [n for n in MISCHIEF if n != "hog"]), (40, ["hog", "swell"])):
        models = [misbehaving(name) for name in (*names, ALONE)]
        # Most of them wait for something that does not come, and take no processor from each other.
        options = Options(limits=Limits(seconds=seconds, megabytes=500), jobs=6)
        results = run_matrix(models, consumers(*MISCHIEF_IN), options)
        assert len(results) == len(models) * len(MISCHIEF_IN)
        found.update({(result.cell.model, result.cell.consumer): result for result in results})
    return found


@pytest.mark.parametrize("release", MISCHIEF_IN)
@pytest.mark.parametrize("name", MISCHIEF)
def test_mischief(name: str, release: str, mischief: dict[tuple[str, str], Result]) -> None:
    """Each way to misbehave has its stage, its cause and its words, and the log is kept."""
    stage, cause, words = MISCHIEF[name]
    result = mischief[name, release]
    assert (result.outcome, result.stage, result.causes) == (Outcome.FAIL, stage, (cause,))
    assert words in result.message
    assert result.cell.signature == (None if stage is Stage.LOAD else "serving_default")
    if cause == "crashed":
        assert result.log


@pytest.mark.parametrize("release", MISCHIEF_IN)
def test_an_allocator_that_throws(release: str, mischief: dict[tuple[str, str], Result]) -> None:
    """Memory that is refused below TensorFlow ends the cell.

    The strings of 2.4 and of some later releases write through the null pointer instead of throwing: a crash that
    leaves no sign of memory.
    """
    result = mischief["swell", release]
    expected = {"2.11.1": "crashed"}.get(release, "out-of-memory")
    assert (result.stage, result.cause) == (Stage.RUN, expected)


@pytest.mark.parametrize("release", MISCHIEF_IN)
def test_mischief_stays_alone(release: str, mischief: dict[tuple[str, str], Result]) -> None:
    """A model beside all that misbehaves passes."""
    assert mischief[ALONE, release].outcome is Outcome.PASS


def test_mischief_leaves_nothing_behind(mischief: dict[tuple[str, str], Result]) -> None:
    """Not a process is left of a matrix whose cells crash and hang."""
    assert mischief
    assert workers_left() == []


CAUSES = {
    "Op type not registered": "op-not-registered",
    "NodeDef mentions attr": "attr-unknown",
    "Saved model contains node": "attr-missing",
    "Unable to read file": "file-damaged",
    "Key ": "variable-missing",
}
# Nobody measured these two with the models of the corpus.
UNMEASURED = {"2.5.3", "2.17.1"}
RELEASES = [
    pin.release for pin in pins.load(machine="x86_64").on("cpu") if pin.release not in UNMEASURED
]


def cause_of(text: str) -> str | None:
    """Return the cause that a recorded text begins with; None if it was cut before its reason."""
    _, separator, inner = text.partition("has failed with an error: '")
    begun = inner if separator else text
    return next((cause for head, cause in CAUSES.items() if begun.startswith(head)), None)


@pytest.mark.parametrize("release", RELEASES)
def test_third_party_models(
    release: str, corpus: Path, table: pins.PinTable, wheel_runtime: Callable[[str], Runtime]
) -> None:
    """Models of others load where they were measured to load, and fail for the recorded reason."""
    truth = json.loads((corpus / "c-loader.json").read_text())
    assert any(release in seen for seen in truth.values())
    consumer = Consumer(
        release=table.get(release).release,
        provider="wheel",
        loader="c",
        device="cpu",
        runtime=wheel_runtime(release),
    )
    found = load_models([corpus / name for name in sorted(truth)])
    models = [replace(model, cases=()) for model in found]
    results = run_matrix(models, [consumer], replace(OPTIONS, jobs=1))
    refused = {r.cell.model: r for r in results if r.outcome is Outcome.FAIL}
    assert {r.stage for r in results} == {Stage.LOAD}
    assert set(refused) == {name for name, seen in truth.items() if seen.get(release) is not None}
    for name, result in refused.items():
        assert result.cause == (cause_of(truth[name][release]) or result.cause)
        assert result.cause != "unclassified"


def test_third_party_models_answer(corpus: Path, everywhere: list[Consumer]) -> None:
    """Models of others answer the same wherever they load."""
    models = load_models([folder for folder in sorted(corpus.iterdir()) if folder.is_dir()])
    results = run_matrix(models, everywhere, OPTIONS)
    assert not [result for result in results if result.stage is not Stage.LOAD and result.causes]
    passed = [result for result in results if result.outcome is Outcome.PASS]
    assert len(passed) > 100
    assert {result.reference for result in passed} == {"2.21.0"}

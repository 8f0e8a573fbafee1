"""Rules of TensorFlow that a search turned up: the smallest inputs that show each, and the releases that have it.

``docs/search.md`` lists them. They are asked of TensorFlow's C++ loader in every pinned release, and of the Python loaders in four.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from packaging.version import Version

from savedmodel_compat.matrix.ends import cause_and_message
from savedmodel_compat.matrix.examples import encode_example
from savedmodel_compat.matrix.runner import one_of
from savedmodel_compat.matrix.session import Where
from savedmodel_compat.runtimes import pins, specs
from savedmodel_compat.runtimes.base import Loader, Provider
from savedmodel_compat.runtimes.held import Held
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun
from savedmodel_compat.search import checking

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.runtimes.verdicts import Verdict

ALL = [pin.release for pin in specs.select("all", pins.load())]
SMOKE = [pin.release for pin in specs.select("smoke", pins.load())]
Ask = Callable[..., list[str]]
Arrays = dict[str, np.ndarray[Any, Any]]

ROWS = np.ones((2, 1), np.float32)
# Of half_plus_two, which computes with whatever it is given: what refuses these is the loader.
WRONG: dict[str, list[dict[str, Any]]] = {
    "missing": [{}],
    "extra": [{"x": ROWS, "not_in_the_signature": np.zeros((), np.float32)}],
    "dtype": [
        {"x": ROWS.astype(np.int32)},
        {"x": ROWS.astype(np.float64)},
        {"x": ROWS.astype(bool)},
        {"x": np.full((2, 1), b"1", object)},
    ],
    "rank": [{"x": np.ones((), np.float32)}, {"x": np.ones((2, 1, 1), np.float32)}],
    "size": [{"x": np.ones((2, 3), np.float32)}],
}


@pytest.fixture
def verdicts(savedmodel_runner: Runner) -> Callable[..., list[Verdict]]:
    """A function that asks a signature of an exporter's model, one set of inputs after the other."""

    def asked(
        exporter: str,
        release: str,
        *feeds: dict[str, Any],
        loader: str = "c",
        key: str = "serving_default",
    ) -> list[Verdict]:
        model = savedmodel_runner.export(exporter, producer="1.15.5", strip=True)
        provider = Provider.WHEEL if loader == "c" else Provider.VENV
        where = Where(on=release, provider=provider, loaders=(Loader(loader),))
        consumer = one_of(savedmodel_runner.consumers(where), release, loader)
        assert consumer.runtime is not None
        worker = savedmodel_runner.worker(consumer.runtime, native=loader == "c")
        with Held(worker, work_on(model, loader, key), Limits(seconds=60)) as held:
            return [held.ask([feed]) for feed in feeds]

    return asked


@pytest.fixture
def ask(verdicts: Callable[..., list[Verdict]]) -> Ask:
    """A function that says in a word what became of each set of inputs."""

    def asked(exporter: str, release: str, *feeds: dict[str, Any], **how: str) -> list[str]:
        return [word(verdict) for verdict in verdicts(exporter, release, *feeds, **how)]

    return asked


@pytest.fixture
def answers(verdicts: Callable[..., list[Verdict]]) -> Callable[..., list[Arrays]]:
    """A function that returns the answer to each set of inputs."""

    def asked(exporter: str, release: str, *feeds: dict[str, Any]) -> list[Arrays]:
        found = []
        for verdict in verdicts(exporter, release, *feeds):
            [answer] = verdict.answers
            assert answer.outputs is not None, word(verdict)
            found.append(dict(answer.outputs))
        return found

    return asked


def work_on(model: Model, loader: str, key: str) -> LoadAndRun:
    """A signature of a model, as a request."""
    case = next(case for case in model.cases if case.signature == key)
    return LoadAndRun(
        model=model.path,
        tags=model.tags,
        loader=loader,
        signature=case.signature,
        inputs=case.inputs,
        outputs=case.outputs,
    )


def word(verdict: Verdict) -> str:
    """What became of one set of inputs: how it ended the process, or whether it was answered."""
    if verdict.broke_off:
        return ": ".join(cause_and_message(verdict))
    if verdict.failure is not None:
        return "not loaded"
    [answer] = verdict.answers
    return "answered" if answer.failure is None else f"refused: {answer.failure.text}"


def as_it_says(release: str, loader: str, ask: Ask) -> None:
    """Fail where a loader looks at something else than it is said to."""
    feeds = [(kind, feed) for kind, several in WRONG.items() for feed in several]
    said = ask("half_plus_two", release, *(feed for _, feed in feeds), loader=loader)
    for (kind, feed), found in zip(feeds, said, strict=True):
        refuses = checking.checks(loader, kind, is_used=True)
        assert found.startswith("refused" if refuses else "answered"), (kind, feed)


@pytest.mark.parametrize("release", ALL)
def test_what_the_cpp_loader_looks_at(release: str, ask: Ask) -> None:
    """Names and dtypes; a graph that can compute with another shape does."""
    as_it_says(release, "c", ask)


@pytest.mark.parametrize(
    ("release", "loader"),
    [(release, "v1") for release in SMOKE]
    + [(release, "v2") for release in SMOKE if Version(release).major > 1],
)
def test_what_the_python_loaders_look_at(release: str, loader: str, ask: Ask) -> None:
    """A session compares shapes and converts dtypes, even of text; a function compares dtypes and no shapes."""
    as_it_says(release, loader, ask)


@pytest.mark.parametrize("release", SMOKE)
def test_an_input_that_no_output_needs(release: str, ask: Ask) -> None:
    """A session does not miss it."""
    assert ask("counter", release, {})[0].startswith("refused")
    assert ask("counter", release, {}, key="look") == ["answered"]


@pytest.mark.parametrize("release", ALL)
def test_an_image_without_dimensions(release: str, ask: Ask) -> None:
    """From 2.9 on, where oneDNN is on by default, it ends the process of a convolution; before, it is refused."""
    [said] = ask("mnist_cnn", release, {"image": np.zeros((), np.float32)})
    if Version(release) < Version("2.9"):
        assert said.startswith("refused: input must be 4-dimensional")
    else:
        assert said.startswith("crashed: the process was ended by SIGABRT")
        assert "tensor_format.h" in said


@pytest.mark.parametrize("release", ALL)
def test_a_batch_without_images(release: str, ask: Ask) -> None:
    """From 2.9 on two convolutions in a row refuse a batch of 0, which every release before answers."""
    [said] = ask("mnist_cnn", release, {"image": np.zeros((0, 28, 28, 1), np.float32)})
    if Version(release) < Version("2.9"):
        assert said == "answered"
    else:
        assert said.startswith("refused: input depth must be evenly divisible by filter depth")


@pytest.mark.parametrize("release", [r for r in ALL if Version(r) >= Version("1.15")])
def test_a_negative_number_of_steps(release: str, ask: Ask) -> None:
    """A list of a negative length ends the process up to 2.1, and is refused from 2.3 on."""
    feed = {"steps": np.array(-2, np.int32), "x": np.zeros((0, 3), np.float32)}
    [said] = ask("control_flow_v2", release, feed)
    if Version(release) < Version("2.3"):
        assert said.startswith("crashed: the process was ended by SIGABRT")
        assert "length_error" in said
    else:
        assert said.startswith("refused: The num_elements to reserve must be a non negative number")


@pytest.mark.parametrize("release", [r for r in ALL if Version(r) >= Version("1.15")])
def test_sizes_that_overflow(release: str, ask: Ask) -> None:
    """A height and a width whose product no number holds end the process up to 2.3, and are refused from 2.4 on."""
    largest = np.array(2**31 - 1, np.int32)
    feed = {"image": np.zeros((1, 9, 9, 3), np.float32), "height": largest, "width": largest}
    [said] = ask("segmentation", release, feed)
    if Version(release) < Version("2.4"):
        assert said.startswith("crashed: the process was ended by SIGABRT")
        assert "tensor_shape.cc" in said
    else:
        assert said.startswith("refused: Encountered overflow when multiplying")


@pytest.mark.parametrize("release", SMOKE)
def test_words_of_any_number(release: str, answers: Callable[..., list[Arrays]]) -> None:
    """They are padded to the most that an Example of the batch has: what an Example gets depends on the others."""
    numbers = np.zeros(2, np.float32)
    none, two = (
        encode_example({b"numbers": numbers, b"words": np.array(words, object)})
        for words in ([], [b"a", b"b"])
    )
    alone, beside = answers(
        "tf_example",
        release,
        {"examples": np.array([none], object)},
        {"examples": np.array([none, two], object)},
    )
    assert alone["words"].shape == (1, 0)
    assert beside["words"].tolist() == [[b"", b""], [b"a", b"b"]]


@pytest.mark.parametrize("release", ALL)
def test_a_pixel_that_is_no_number(release: str, answers: Callable[..., list[Arrays]]) -> None:
    """It makes an answer NaN, or is taken for 0 without a word; in 1.7 and 1.12 a row's answer depends on whether it is alone."""
    images = np.zeros((2, 28, 28, 1), np.float32)
    images[0, 0, 1] = np.nan
    alone, beside = (
        int(np.isnan(answer["softmax"][0]).sum())
        for answer in answers("mnist_cnn", release, {"image": images[:1]}, {"image": images})
    )
    if release in {"1.7.1", "1.12.3"}:
        assert alone == 10
        assert 0 < beside < 10
    elif Version(release) < Version("2.9"):
        assert alone == beside == (0 if release == "2.1.4" else 10)
    else:
        # oneDNN chooses its kernels by the processor.
        assert alone == beside
        assert alone in {0, 10}

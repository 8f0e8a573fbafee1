"""Models that are loaded and saved again, and what is lost by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat import properties
from savedmodel_compat.matrix.session import Where
from savedmodel_compat.properties import BrokenError, DoesNotApplyError, Search, Subject
from savedmodel_compat.runtimes.base import Loader, Provider
from savedmodel_compat.search.resaved import departure

if TYPE_CHECKING:
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner

Open = Callable[..., Subject]


@pytest.fixture
def subject(savedmodel_runner: Runner) -> Open:
    """A function that gives an exporter's model in the release that wrote it, in a loader."""

    def opened(model: Model, loader: str, kind: type[Subject] = Subject) -> Subject:
        where = Where(on="2.11.1", provider=Provider.VENV, loaders=(Loader(loader),))
        [consumer] = savedmodel_runner.consumers(where)
        assert consumer.runtime is not None
        worker = savedmodel_runner.worker(consumer.runtime, native=False)
        return kind(model, consumer, worker, search=Search(examples=5))

    return opened


def exported(runner: Runner, name: str, seed: int = 0) -> Model:
    """The model of an exporter."""
    return runner.export(name, producer="2.11.1", strip=True, seed=seed)


@pytest.mark.parametrize(
    ("exporter", "loader"),
    [
        ("mnist_cnn_module", "v2"),
        ("static_hash_table_module", "v2"),
        ("simple_save", "v1"),
        ("main_op", "v1"),
    ],
)
def test_within_one_api(
    exporter: str, loader: str, savedmodel_runner: Runner, subject: Open
) -> None:
    """Each API saves again what it wrote: variables, tables and what runs after loading included."""
    with subject(exported(savedmodel_runner, exporter), loader) as loaded:
        tally = properties.survives_saving_again(loaded)
    assert tally.answered


@pytest.mark.parametrize(
    ("exporter", "loader", "words"),
    [
        ("mnist_cnn_module", "v1", "saves no variables of a tf.Module"),
        ("simple_save", "v2", "saves no variables of a graph"),
        ("vocabulary", "v1", "which files are assets"),
    ],
)
def test_across(
    exporter: str, loader: str, words: str, savedmodel_runner: Runner, subject: Open
) -> None:
    """Of what the other API wrote, nothing is asked: that it is lost is known."""
    with (
        subject(exported(savedmodel_runner, exporter), loader) as loaded,
        pytest.raises(DoesNotApplyError, match=words),
    ):
        properties.survives_saving_again(loaded)


@pytest.mark.parametrize(
    ("exporter", "loader", "words"),
    [
        ("mnist_cnn_module", "v1", "Could not find variable"),
        ("simple_save", "v2", "uninitialized value"),
    ],
)
def test_what_is_lost_across(
    exporter: str, loader: str, words: str, savedmodel_runner: Runner, subject: Open
) -> None:
    """It is saved and loads again without a word, and has no variables."""
    with (
        subject(exported(savedmodel_runner, exporter), loader) as loaded,
        loaded.saved_again() as again,
    ):
        case = loaded.model.cases[0]
        [answer] = loaded.load_other(again, case).ask(case.feeds[:1])
    assert answer.failure is not None
    assert words in answer.failure.text


def test_other_weights(savedmodel_runner: Runner, subject: Open) -> None:
    """A model that comes back with other weights is told by its answers."""
    other = exported(savedmodel_runner, "mnist_cnn_module", seed=1).path

    class Fake(Subject):
        @contextmanager
        def saved_again(self) -> Iterator[Path]:
            yield other

    with (
        subject(exported(savedmodel_runner, "mnist_cnn_module"), "v2", Fake) as loaded,
        pytest.raises(BrokenError, match="saved again, it answers otherwise"),
    ):
        properties.survives_saving_again(loaded)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("odd_shapes", "half_plus_two", "and not this one"),
        ("half_plus_two_module", "half_plus_two", "its outputs are|its inputs are|lost the ops"),
        ("half_plus_two", "simple_save", "and not this one|its inputs are"),
    ],
)
def test_departures(
    before: str, after: str, words: str, savedmodel_runner: Runner, subject: Open
) -> None:
    """Signatures, inputs, outputs and ops that are gone are told."""
    other = exported(savedmodel_runner, after).path
    with subject(exported(savedmodel_runner, before), "v1") as loaded:
        for asked in loaded.signatures():
            assert departure(asked, loaded.model.path) is None
        said = [departure(asked, other) for asked in loaded.signatures()]

    assert any(each is not None and re.search(words, each) for each in said), said

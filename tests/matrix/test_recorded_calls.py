"""What an exporter may record beside one call of each signature: several calls, and several MetaGraphs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from savedmodel_compat.errors import ExportError
from savedmodel_compat.matrix.exports import Exporter, Order, export_models
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

PRODUCER = "2.11.1"
TWO = """
    import numpy as np
    import tensorflow.compat.v1 as tf

    def side(value):
        return np.array(value, np.float32)

    def export(directory, *, strip_default_attrs, seed):
        builder = tf.saved_model.Builder(directory)
        with tf.Graph().as_default() as graph, tf.Session() as session:
            total = tf.get_variable("total", initializer=np.float32(0), use_resource=False)
            step = tf.placeholder(tf.float32, [], "step")
            after = tf.identity(tf.assign_add(total, step, use_locking=True))
            session.run(tf.global_variables_initializer())
            described = tf.saved_model.predict_signature_def({"step": step}, {"after": after})
            once = dict(signature_def_map={"count": described}, strip_default_attrs=strip_default_attrs)
            builder.add_meta_graph_and_variables(session, ["serve"], **once)
            builder.add_meta_graph(["serve", "gpu"], **once)
            builder.save()
        calls = [
            {"inputs": {"step": side(by)}, "outputs": {"after": side(total)}}
            for by, total in [(1, 1), (2, 3), (3, 6)]
        ]
        return RECORDED
"""

Export = Callable[[str], "tuple[Model, ...]"]


@pytest.fixture
def export(
    tmp_path: Path, venv_runtime: Callable[[str], Runtime], worker: Worker
) -> Callable[[str], tuple[Model, ...]]:
    """Export two MetaGraphs, and record what an expression says."""

    def made(recorded: str) -> tuple[Model, ...]:
        path = tmp_path / "two.py"
        path.write_text(textwrap.dedent(TWO).replace("RECORDED", recorded))
        exporter = Exporter(name="two", file=path, function="export")
        order = Order(exporter=exporter, producer=PRODUCER, strip=True)
        limits = Limits(seconds=120, megabytes=0)
        return export_models(worker, venv_runtime(PRODUCER), order, limits)

    return made


@pytest.fixture
def worker(venv_runtime: Callable[[str], Runtime]) -> Iterator[Worker]:
    """A worker of the producer."""
    with Worker(venv_runtime(PRODUCER), native=False) as worker:
        yield worker


def test_several_calls(export: Export) -> None:
    """A list is a row of calls: each has its inputs, and its answer comes after the answers before it."""
    [model] = export('{"count": calls}')
    [case] = model.cases
    assert [feed["step"].item() for feed in case.feeds] == [1, 2, 3]
    assert case.expected is not None
    assert [outputs["after"].item() for outputs in case.expected] == [1, 3, 6]


def test_a_meta_graph_for_each_tag_set(export: Export) -> None:
    """A pair of tags and signature is a recording of that MetaGraph; that which is served comes first."""
    both = '{(("serve", "gpu"), "count"): calls, "count": calls[0]}'
    served, other = export(both)
    assert (served.tags, len(served.cases[0].feeds)) == (("serve",), 1)
    assert set(other.tags) == {"serve", "gpu"}
    assert len(other.cases[0].feeds) == 3


def test_meta_graphs_that_are_not_served(export: Export) -> None:
    """Where only others were recorded, there is no model of that which is served."""
    [model] = export(
        '{(["gpu", "serve"], "count"): calls}'.replace('["gpu", "serve"]', '("gpu", "serve")')
    )
    assert set(model.tags) == {"serve", "gpu"}


def test_nothing_recorded(export: Export) -> None:
    """Without any recording it is the model that is served, whose inputs are made up."""
    [model] = export("{}")
    assert model.tags == ("serve",)
    assert model.cases[0].expected is None


def test_what_was_not_recorded_is_told(export: Export) -> None:
    """A MetaGraph of which nothing was recorded is not looked at, a signature is run with made-up inputs; both are notes."""
    [model] = export('{"count": calls}')
    assert [note for note in model.notes if "not looked at" in note and "gpu" in note]
    [model] = export("{}")
    assert [note for note in model.notes if "signature 'count'" in note and "made up" in note]


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ('{(("train",), "count"): calls}', "train"),
        ('{(("serve",), "count"): calls, "count": calls}', "both with its tags and without any"),
        ('{("serve", "count"): calls}', "no signature, nor a pair"),
        ('{("a", "b", "c"): calls}', "no signature, nor a pair"),
        ('{"count": []}', "recorded no call"),
        ('{"count": calls[1], (None, "count"): calls[0]}', "recorded signature 'count' twice"),
        ('{"count": [calls]}', "is not {signature"),
        (
            '{"count": {"inputs": {"step": side([1])}, "outputs": calls[0]["outputs"]}}',
            "recorded inputs 'step' with the shape \\[1\\], and the model has \\[\\]",
        ),
        ('{"count": [{"inputs": {}, "outputs": {}}]}', "recorded no outputs"),
        (
            '{"count": [calls[0], {"inputs": {}, "outputs": calls[1]["outputs"]}]}',
            "recorded inputs \\[\\]",
        ),
    ],
)
def test_what_is_no_recording(recorded: str, words: str, export: Export) -> None:
    """It is refused, and the text says what is wrong."""
    with pytest.raises(ExportError, match=words):
        export(recorded)


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ("None", "the exporter returned NoneType, not {signature"),
        ('{"count": tuple(calls)}', "signature 'count' are in a tuple; several calls are a list"),
        ('{"count": {"inputs": None, "outputs": {}}}', "the inputs of signature 'count'"),
        ('{"count": {"inputs": {1: side(1)}, "outputs": {}}}', "the inputs of signature 'count'"),
        (
            '{"count": {"inputs": {"step": None}, "outputs": calls[0]["outputs"]}}',
            "inputs 'step' of signature 'count': 'step' holds a NoneType",
        ),
        (
            '{"count": {"inputs": calls[0]["inputs"], "outputs": {"after": np.datetime64(0, "s")}}}',
            "outputs 'after' of signature 'count'",
        ),
        ('{"count": {"inputs": calls[0]["inputs"], "outputs": {"after": after}}}', "'after'"),
    ],
)
def test_a_wrong_recording_is_no_error_of_the_program(
    recorded: str, words: str, export: Export
) -> None:
    """What a function returned is told as that: nothing was raised in it, and frames of the harness say nothing to its author.

    That holds for a tensor of a graph too, which numpy refuses with the exception by which an exporter says that it cannot.
    """
    with pytest.raises(ExportError) as caught:
        export(recorded)
    assert "the exporter's recording is wrong: " in caught.value.message
    assert words in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "raised" not in caught.value.message


def test_two_recordings_of_one_meta_graph_name_their_exporter(export: Export) -> None:
    """Whoever reads the error of a matrix with many exporters learns whose it is, and of which release."""
    both = '{(("serve", "gpu"), "count"): calls, (("gpu", "serve"), "count"): calls}'
    with pytest.raises(
        ExportError, match=r"^two of 2\.11\.1, stripped recorded .*'gpu', 'serve'.* twice"
    ):
        export(both)

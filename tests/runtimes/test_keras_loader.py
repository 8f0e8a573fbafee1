"""The loader ``keras``: what Keras builds of a folder, called as Keras calls it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.config import Configuration
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.matrix import ready
from savedmodel_compat.matrix.cells import Outcome, Result, Stage
from savedmodel_compat.matrix.exports import Order, export_model, find_exporter
from savedmodel_compat.matrix.models import Model, load_models
from savedmodel_compat.matrix.plan import Options
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.matrix.session import Where, demand_loaders
from savedmodel_compat.runtimes.base import Loader, Provider, Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

FROZEN = Path(__file__).parent.parent.parent / "golden" / "models"
PRODUCER = "2.11.1"

Saved = Callable[[str], Model]
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def saved(venv_runtime: Callable[[str], Runtime]) -> Saved:
    """Save a Keras model of `keras_models/exporters.py` in 2.11.1, or take what the cache has."""

    def save(name: str) -> Model:
        exporter = find_exporter(
            f"{Path(__file__).parent / 'keras_models' / 'exporters.py'}::{name}", Configuration()
        )
        order = Order(exporter=exporter, producer=PRODUCER, strip=False)
        runtime = venv_runtime(PRODUCER)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return save


@pytest.fixture
def run(venv_runtime: Callable[[str], Runtime]) -> Run:
    """Run a model's only signature in a release."""

    def one(model: Model, release: str, loader: Loader = Loader.KERAS) -> Result:
        runtime = venv_runtime(release)
        readied = [(runtime.pin, runtime)]
        consumers = ready.consumers(readied, Provider.VENV, [loader], "cpu")
        [result] = run_matrix([model], consumers, Options())
        return result

    return one


@pytest.mark.parametrize("release", ["2.11.1", "2.15.1"])
def test_keras_2_calls_the_model(release: str, saved: Saved, run: Run) -> None:
    """Inputs and outputs go by the signature's names, in whatever order the model has them."""
    result = run(saved("keras_model"), release)
    assert (result.outcome, result.compared) == (Outcome.PASS, 2)
    assert "loaded by tf.keras.models.load_model; the Keras model was called" in result.notes


def test_what_answers_is_what_keras_built(saved: Saved, run: Run, tmp_path: Path) -> None:
    """With another activation in Keras's own file the graph answers as before, and the Keras model does not."""
    model = saved("keras_model")
    changed = tmp_path / "changed"
    shutil.copytree(model.path, changed)
    metadata = changed / "keras_metadata.pb"
    content = metadata.read_bytes()
    assert b'"activation": "relu"' in content
    metadata.write_bytes(content.replace(b'"activation": "relu"', b'"activation": "selu"'))
    other = replace(model, path=changed)
    assert run(other, PRODUCER, Loader.V2).outcome is Outcome.PASS
    result = run(other, PRODUCER)
    assert (result.outcome, result.cause) == (Outcome.FAIL, "output-mismatch")
    assert "output 'total'" in result.message


def test_keras_3_wraps_the_signature(saved: Saved, run: Run) -> None:
    """What Keras 2 saved answers through a layer, which has to be taught several inputs."""
    result = run(saved("keras_model"), "2.21.0")
    assert (result.outcome, result.compared) == (Outcome.PASS, 2)
    [note] = [note for note in result.notes if note.startswith("loaded by")]
    assert "a subclass of keras.layers.TFSMLayer" in note
    assert "'serving_default' its 2 inputs" in note


def test_a_signature_of_ones_own_runs_as_keras_kept_it(saved: Saved, run: Run) -> None:
    """It is not the model's call, and the result says so."""
    result = run(saved("keras_signature"), PRODUCER)
    assert (result.outcome, result.compared) == (Outcome.PASS, 1)
    [note] = [note for note in result.notes if note.startswith("loaded by")]
    assert "signature 'doubled' ran through its `signatures`" in note


def test_what_it_was_compiled_with_has_to_be_known(saved: Saved, run: Run) -> None:
    """A loss of somebody's own keeps load_model from loading, and Keras 3's layer does not look at it."""
    model = saved("keras_compiled")
    result = run(model, PRODUCER)
    assert (result.stage, result.cause) == (Stage.LOAD, "keras-rejected")
    assert "Unknown loss function: 'distance'" in result.message
    assert "compile=False" in str(result.fix)
    assert run(model, "2.21.0").outcome is Outcome.PASS


def test_metadata_of_a_later_keras(saved: Saved, run: Run) -> None:
    """Up to 2.4 Keras does not know of keras_metadata.pb."""
    result = run(saved("keras_model"), "2.4.4")
    assert (result.stage, result.cause) == (Stage.LOAD, "keras-rejected")
    assert "keras_metadata.pb" in str(result.fix)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mnist_cnn_module-2.4.4", "gives a _UserObject, which is no Keras model"),
        ("mnist_cnn-1.15.5", "list index (0) out of range"),
    ],
)
def test_what_is_no_keras_model(name: str, said: str, run: Run) -> None:
    """Neither a module nor a graph of TensorFlow 1 is one."""
    [model] = load_models([FROZEN / name], seed=0)
    result = run(model, PRODUCER)
    assert (result.stage, result.cause) == (Stage.LOAD, "keras-rejected")
    assert said in result.message


def test_releases_without_it(venv_runtime: Callable[[str], Runtime]) -> None:
    """Keras of TensorFlow 1 reads no SavedModel folders; that is no failure of a model."""
    older, newer = venv_runtime("1.15.5"), venv_runtime("2.21.0")
    readied = [(each.pin, each) for each in (older, newer)]
    [without, having] = ready.consumers(readied, Provider.VENV, [Loader.KERAS], "cpu")
    assert (without.runtime, without.outcome) == (None, Outcome.UNSUPPORTED)
    assert "from TensorFlow 2.0 on" in str(without.reason)
    assert having.runtime is newer


def test_a_provider_without_it() -> None:
    """Libraries of a wheel have no Python, and the only loader that is asked for is nowhere."""
    with pytest.raises(UnsupportedError, match="no loader keras"):
        demand_loaders(Where(loaders=(Loader.KERAS,)))

"""What can be trained further after it has been loaded learns as it did before it was saved.

The interface is that of reusable SavedModels: ``__call__`` with ``training``, ``variables``, ``trainable_variables``,
``regularization_losses``. Who exported such a model trained it after it had been saved, and left in the folder what it saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from savedmodel_compat.matrix.calls import Called
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Call = Callable[..., "list[Called]"]
Kept = Mapping[str, "np.ndarray[Any, Any]"]

MODULE = "suites/exporters/reusable_module.py::export_module"
KERAS = "suites/exporters/keras_reusable.py::export_save"
TRAIN = "suites/programs/fine_tuning.py::train"
AS_LAYER = "suites/programs/fine_tuning.py::train_as_layer"

KERAS_2 = {"2.4.4": "2.4.4,2.11.1,2.15.1", "2.11.1": "2.11.1,2.15.1"}
# A step or two further, releases differ by a few units in the last place of what they sum in other orders.
RTOL = 1e-5
ATOL = 1e-6

# 2.0 is the first with an object to load, and 2.15 the last whose Keras writes one that can be trained. From 2.8 on what
# assigns in a function has an attr that 2.4 does not know, and from 2.12 on what saves has an op that came with 2.10.
EXPORTS = [
    (MODULE, "2.4.4", "2.0.4,2.4.4,2.11.1,2.21.0"),
    (MODULE, "2.11.1", "2.6.5,2.11.1,2.21.0"),
    (MODULE, "2.21.0", "2.11.1,2.21.0"),
    (KERAS, "2.4.4", "2.4.4,2.11.1,2.21.0"),
    (KERAS, "2.11.1", "2.6.5,2.11.1,2.21.0"),
    (KERAS, "2.15.1", "2.11.1,2.21.0"),
]
IDS = [f"{each.split('/')[-1].split('.')[0]}-{by}" for each, by, _ in EXPORTS]


@pytest.mark.parametrize(("exporter", "producer", "consumers"), EXPORTS, ids=IDS)
def test_it_learns_as_it_did_before_it_was_saved(
    exporter: str, producer: str, consumers: str, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """Names, shapes, penalties, gradients, the losses of each step and the variables after the last are what the exporter saw."""
    model = savedmodel_export(exporter, producer=producer, strip=True)
    kept = kept_in(model.path)
    assert kept["losses"][-1] < 0.9 * kept["losses"][0]
    for answer in savedmodel_call(TRAIN, on=consumers, directory=str(model.path)):
        assert answer.failure is None, (answer.release, answer.failure)
        assert_same(answer.arrays, kept, answer.release)


def test_2_0_has_no_gradients_through_functions_of_a_later_keras(
    savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """A Keras model of 2.4 loads in 2.0 and cannot be trained there, though it can in 2.1, and one of 2.0 can in both."""
    later = savedmodel_export(KERAS, producer="2.4.4", strip=True)
    [refused] = savedmodel_call(TRAIN, on="2.0.4", directory=str(later.path))
    assert refused.failure is not None
    assert "No gradient defined for op: StatefulPartitionedCall" in refused.failure.text
    own = savedmodel_export(KERAS, producer="2.0.4", strip=True)
    for model, consumers in ((later, "2.1.4"), (own, "2.0.4,2.1.4")):
        for answer in savedmodel_call(TRAIN, on=consumers, directory=str(model.path)):
            assert answer.failure is None, (answer.release, answer.failure)
            assert_same(answer.arrays, kept_in(model.path), answer.release)


@pytest.mark.parametrize("producer", KERAS_2)
def test_it_learns_in_a_keras_model_around_it(
    producer: str, savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """As a layer of a Keras 2 model, with an optimizer of Keras, it takes the same steps."""
    model = savedmodel_export(MODULE, producer=producer, strip=True)
    kept = kept_in(model.path)
    for answer in savedmodel_call(AS_LAYER, on=KERAS_2[producer], directory=str(model.path)):
        assert answer.failure is None, (answer.release, answer.failure)
        wanted = {key: kept[key] for key in kept if key == "losses" or key.startswith("variable_")}
        assert_same(answer.arrays, wanted, answer.release)


def test_penalties_without_gradients_are_noticed(
    savedmodel_export: Export, savedmodel_call: Call
) -> None:
    """Cut off from the variables, the penalties leave the first loss as it is, and change the gradients and what comes after."""
    model = savedmodel_export(MODULE, producer="2.11.1", strip=True)
    kept = kept_in(model.path)
    [answer] = savedmodel_call(TRAIN, on="2.21.0", directory=str(model.path), cut=True)
    assert answer.failure is None
    losses = answer.arrays["losses"]
    np.testing.assert_allclose(losses[0], kept["losses"][0], rtol=RTOL)
    assert not np.allclose(losses[1:], kept["losses"][1:], rtol=RTOL)
    with pytest.raises(AssertionError, match="gradient_0"):
        assert_same(answer.arrays, kept, answer.release)


def kept_in(path: Path) -> Kept:
    """Return what the exporter saw in training."""
    with np.load(path / "assets.extra" / "fine_tuning.npz") as file:
        return {key: file[key] for key in file.files}


def assert_same(seen: Kept, kept: Kept, release: str) -> None:
    """Check everything that a program gave back against what its exporter kept under the same name."""
    fed = {"x", "targets", "rate"}
    assert sorted(seen) == sorted(set(kept) - fed), release
    for key, wanted in kept.items():
        if key in fed:
            continue
        found = seen[key]
        said = f"{key} in {release}"
        if wanted.dtype.kind == "U":
            assert [as_text(each) for each in found] == list(wanted), said
        else:
            np.testing.assert_allclose(found, wanted, rtol=RTOL, atol=ATOL, err_msg=said)


def as_text(item: object) -> str:
    """Return a string that came as bytes."""
    return item.decode() if isinstance(item, bytes) else str(item)

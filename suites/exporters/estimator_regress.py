"""An Estimator that is exported, trained further, and exported again: both exports stay, each with the weights of its time.

Nobody collects the older ones, so the base folder grows with each export; TensorFlow Serving serves the newest.
"""

import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from _estimating import (
    add,
    estimators,
    examples,
    export_estimator,
    gradient_descent,
    once,
    predicted,
)
from _parsing import Dense, parse
from _saving import Recording, v1, variable

_FEATURES = 2
_EXAMPLES = 4
_RATE = 0.05


def export_twice(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export after one step and after two, with a receiver that parses: a regress signature.

    Args:
        directory: becomes the base folder, with two exports in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and of the examples.

    Returns:
        What the newer export computes.

    Raises:
        NotImplementedError: this release has no Estimators, or cannot strip.
    """
    api = estimators()
    numbers = np.random.RandomState([seed, 1]).uniform(-2, 2, size=(_EXAMPLES, _FEATURES))
    fed = {"numbers": numbers.astype(np.float32)}
    targets = {"target": numbers.sum(axis=1, keepdims=True).astype(np.float32)}
    with tempfile.TemporaryDirectory() as scratch:
        estimator = api.Estimator(_model, model_dir=scratch, params={"seed": seed})
        for _ in range(2):
            estimator.train(lambda: (once(fed), once(targets)["target"]), steps=1)
            export_estimator(
                estimator, directory, _receiver, strip_default_attrs=strip_default_attrs
            )
        answers = predicted(estimator, lambda: once(fed))
    serialized = examples([{"numbers": row} for row in fed["numbers"]])
    return {"serving_default": {"inputs": {"inputs": serialized}, "outputs": answers}}


# Without annotations, which 1.4 does not take of a model function.
def _model(features, labels, mode, params):
    drawn = np.random.RandomState(params["seed"]).uniform(-1, 1, size=(_FEATURES, 1))
    kernel = variable("kernel", drawn.astype(np.float32))
    bias = variable("bias", np.zeros(1, np.float32))
    value = add(v1.matmul(features["numbers"], kernel), bias, name="value")
    api = v1.estimator
    key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if mode != api.ModeKeys.TRAIN:
        return api.EstimatorSpec(
            mode,
            predictions={"outputs": value},
            export_outputs={key: api.export.RegressionOutput(value)},
        )
    loss = v1.reduce_sum(v1.square(value - labels))
    return api.EstimatorSpec(mode, loss=loss, train_op=gradient_descent(loss, _RATE))


def _receiver() -> Any:
    """Return what receives examples; its op that parses them is known to every consumer."""
    serialized = v1.placeholder(tf.string, [None], name="serialized")
    features = parse(serialized, {"numbers": Dense(tf.float32, [_FEATURES])})
    return v1.estimator.export.ServingInputReceiver(features, {"examples": serialized})

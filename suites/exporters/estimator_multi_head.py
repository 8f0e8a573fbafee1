"""An Estimator with several heads over one network, one of which answers where a request names none.

It receives `tf.Example`s, or, as an alternative, the numbers that would have been parsed out of them: each head that can be fed so
is one more signature, ``numbers:KEY``. A head that classifies or regresses takes nothing but examples, so it has none there.
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

_FEATURES = 3
_UNITS = 4
_EXAMPLES = 4
_CLASSES = 3
_RATE = 0.1


def export_parsing(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a predict head, which is the default, one that classifies and one that regresses.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and of the examples.

    Raises:
        NotImplementedError: this release has no Estimators, or cannot strip.
    """
    api = estimators()
    drawn = np.random.RandomState([seed, 1]).uniform(-2, 2, size=(_EXAMPLES, _FEATURES))
    numbers = drawn.astype(np.float32)
    targets = numbers.sum(axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as scratch:
        estimator = api.Estimator(_model, model_dir=scratch, params={"seed": seed})
        estimator.train(
            lambda: (once({"numbers": numbers}), once({"target": targets})["target"]), steps=1
        )
        answers = predicted(estimator, lambda: once({"numbers": numbers}))
        export_estimator(estimator, directory, _receiver, strip_default_attrs=strip_default_attrs)
    serialized = examples([{"numbers": row} for row in numbers])
    default = {"value": answers["value"], "scores": answers["scores"]}
    return {
        "serving_default": {"inputs": {"examples": serialized}, "outputs": default},
        "numbers:serving_default": {"inputs": {"numbers": numbers}, "outputs": default},
        "kind": {"inputs": {"inputs": serialized}, "outputs": {"scores": answers["scores"]}},
        "amount": {"inputs": {"inputs": serialized}, "outputs": {"outputs": answers["value"]}},
    }


# Without annotations, which 1.4 does not take of a model function.
def _model(features, labels, mode, params):
    random = np.random.RandomState(params["seed"])
    hidden = v1.nn.relu(v1.matmul(features["numbers"], _weights(random, "shared", _UNITS)))
    logits = v1.matmul(hidden, _weights(random, "kind", _CLASSES, inputs=_UNITS))
    scores = v1.nn.softmax(logits, name="scores")
    weighted = v1.matmul(hidden, _weights(random, "amount", 1, inputs=_UNITS))
    value = add(weighted, variable("bias", np.ones(1, np.float32)), name="value")
    api = v1.estimator
    key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    outputs = {"value": value, "scores": scores}
    heads = {
        key: api.export.PredictOutput(outputs),
        "kind": api.export.ClassificationOutput(scores=scores),
        "amount": api.export.RegressionOutput(value),
    }
    if mode != api.ModeKeys.TRAIN:
        return api.EstimatorSpec(mode, predictions=outputs, export_outputs=heads)
    loss = v1.reduce_sum(v1.square(value - labels))
    return api.EstimatorSpec(mode, loss=loss, train_op=gradient_descent(loss, _RATE))


def _weights(
    random: np.random.RandomState, name: str, units: int, *, inputs: int = _FEATURES
) -> tf.Variable:
    drawn = random.uniform(-1, 1, size=(inputs, units))
    return variable(name, drawn.astype(np.float32))


def _receiver() -> Any:
    serialized = v1.placeholder(tf.string, [None], name="serialized")
    features = parse(serialized, {"numbers": Dense(tf.float32, [_FEATURES])})
    return v1.estimator.export.ServingInputReceiver(
        features, {"examples": serialized}, {"numbers": {"numbers": features["numbers"]}}
    )

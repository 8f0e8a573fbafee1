"""An Estimator that was trained for one step and classifies `tf.Example`s, parsed as TensorFlow's own receiver parses them.

That is the op ParseExample up to 2.0, and ParseExampleV2 from 2.1 on.
"""

import tempfile

import numpy as np
import tensorflow as tf

from _estimating import (
    estimators,
    examples,
    export_estimator,
    gradient_descent,
    once,
    predicted,
)
from _saving import Recording, v1, variable

_FEATURES = 3
_EXAMPLES = 4
_CLASSES = (b"ape", b"bee", b"cow")
_RATE = 0.5


def export_parsing(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with a parsing receiver: a classify signature with ``classes`` and ``scores``.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and of the examples.

    Raises:
        NotImplementedError: this release has no Estimators, or cannot strip.
    """
    api = estimators()
    numbers = np.random.RandomState([seed, 1]).uniform(-2, 2, size=(_EXAMPLES, _FEATURES))
    fed = {"numbers": numbers.astype(np.float32)}
    labels = {"label": np.arange(_EXAMPLES, dtype=np.int64) % len(_CLASSES)}
    with tempfile.TemporaryDirectory() as scratch:
        estimator = api.Estimator(_model, model_dir=scratch, params={"seed": seed})
        estimator.train(lambda: (once(fed), once(labels)["label"]), steps=1)
        answers = predicted(estimator, lambda: once(fed))
        spec = {"numbers": v1.FixedLenFeature([_FEATURES], tf.float32)}
        receiver = api.export.build_parsing_serving_input_receiver_fn(spec)
        export_estimator(estimator, directory, receiver, strip_default_attrs=strip_default_attrs)
    serialized = examples([{"numbers": row} for row in fed["numbers"]])
    return {"serving_default": {"inputs": {"inputs": serialized}, "outputs": answers}}


# Without annotations, which 1.4 does not take of a model function.
def _model(features, labels, mode, params):
    drawn = np.random.RandomState(params["seed"]).uniform(-1, 1, size=(_FEATURES, len(_CLASSES)))
    kernel = variable("kernel", drawn.astype(np.float32))
    bias = variable("bias", np.zeros(len(_CLASSES), np.float32))
    logits = v1.nn.bias_add(v1.matmul(features["numbers"], kernel), bias)
    scores = v1.nn.softmax(logits, name="scores")
    classes = v1.tile(tf.constant([_CLASSES]), [v1.shape(scores)[0], 1], name="classes")
    api = v1.estimator
    key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    outputs = {key: api.export.ClassificationOutput(scores=scores, classes=classes)}
    predictions = {"scores": scores, "classes": classes}
    if mode != api.ModeKeys.TRAIN:
        return api.EstimatorSpec(mode, predictions=predictions, export_outputs=outputs)
    wanted = v1.one_hot(labels, len(_CLASSES))
    loss = -v1.reduce_sum(wanted * v1.nn.log_softmax(logits))
    return api.EstimatorSpec(mode, loss=loss, train_op=gradient_descent(loss, _RATE))

"""An Estimator that was never trained: it is exported from a checkpoint that lies elsewhere, and receives raw tensors.

Beside the model, ``assets.extra/`` has a file that TensorFlow copies there and never reads.
"""

import os
import tempfile
from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _estimating import add, estimators, export_estimator, once, predicted
from _saving import Arrays, Recording, v1, variable

_FEATURES = 3
_UNITS = 2
_EXAMPLES = 4
_STEP = 12
_NOTES = "notes/about.txt"


def export_raw(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with a raw serving input receiver: ``numbers`` and ``shift`` to ``sums`` and ``largest``.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no Estimators, or cannot strip.
    """
    api = estimators()
    fed = _inputs(seed)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = _checkpoint(os.path.join(scratch, "weights"), _weights(seed))
        notes = os.path.join(scratch, "notes.txt")
        with open(notes, "w") as file:
            file.write("exported from step {}\n".format(_STEP))
        estimator = api.Estimator(_model, model_dir=os.path.join(scratch, "model"))
        answers = predicted(estimator, lambda: once(fed), checkpoint_path=checkpoint)
        export_estimator(
            estimator,
            directory,
            _receiver(api),
            strip_default_attrs=strip_default_attrs,
            checkpoint_path=checkpoint,
            assets_extra={_NOTES: notes},
        )
    return {"serving_default": {"inputs": fed, "outputs": answers}}


# Without annotations, which 1.4 does not take of a model function.
def _model(features, mode):
    """Return the model as an Estimator wants it; its initial values are those of no checkpoint."""
    kernel = variable("kernel", np.zeros((_FEATURES, _UNITS), np.float32))
    bias = variable("bias", np.zeros(_UNITS, np.float32))
    product = v1.nn.bias_add(v1.matmul(features["numbers"], kernel), bias)
    sums = add(product, features["shift"], name="sums")
    outputs = {"sums": sums, "largest": v1.argmax(sums, axis=1)}
    api = v1.estimator
    key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    return api.EstimatorSpec(
        mode, predictions=outputs, export_outputs={key: api.export.PredictOutput(outputs)}
    )


def _receiver(api: Any) -> Any:
    """Return the function that makes what receives requests.

    The placeholders are made of tensors whose first dimension alone is forgotten, in a graph of their own.
    """
    with tf.Graph().as_default():
        features = {
            "numbers": v1.placeholder(tf.float32, [1, _FEATURES], name="numbers"),
            "shift": v1.placeholder(tf.float32, [1, 1], name="shift"),
        }
    return api.export.build_raw_serving_input_receiver_fn(features)


def _checkpoint(prefix: str, weights: Arrays) -> str:
    """Save weights as ``tf.train.Saver`` does, with the step that an Estimator wants, and return the checkpoint's name."""
    with tf.Graph().as_default(), v1.Session() as session:
        for name, value in weights.items():
            variable(name, value)
        variable("global_step", np.int64(_STEP))
        session.run(v1.global_variables_initializer())
        return v1.train.Saver().save(session, prefix, global_step=_STEP)


def _weights(seed: int) -> Arrays:
    random = np.random.RandomState(seed)
    return {
        "kernel": random.uniform(-1, 1, size=(_FEATURES, _UNITS)).astype(np.float32),
        "bias": random.uniform(-1, 1, size=_UNITS).astype(np.float32),
    }


def _inputs(seed: int) -> Dict[str, np.ndarray]:
    random = np.random.RandomState([seed, 1])
    return {
        "numbers": random.uniform(-4, 4, size=(_EXAMPLES, _FEATURES)).astype(np.float32),
        "shift": random.uniform(-4, 4, size=(_EXAMPLES, 1)).astype(np.float32),
    }

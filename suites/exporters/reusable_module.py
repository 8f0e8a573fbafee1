"""A regressor that can be trained further after it has been loaded, by the interface of reusable SavedModels.

It has ``__call__`` with ``training``, ``variables``, ``trainable_variables`` and ``regularization_losses``. The exporter trains
it for some steps after it has been saved, and leaves what it saw in ``assets.extra/fine_tuning.npz`` of the SavedModel, a place that TensorFlow does not look at.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _fine_tuning import keep_training
from _saving import ModuleSignature, Recording, require_module, save_module

_FEATURES = 3
_HIDDEN = 4
_MOMENTUM = 0.75
_PENALTY = 0.01


class _Regressor(tf.train.Checkpoint):
    """Two dense layers over inputs from which their moving mean is taken, which training moves on.

    It is no ``tf.Module``: there, ``variables`` are a property, and no part of the object that is saved.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        random = np.random.RandomState(seed)
        matrix, weights = (
            random.standard_normal((_FEATURES, _HIDDEN)),
            random.standard_normal((_HIDDEN, 1)),
        )
        mean = random.uniform(-0.5, 0.5, size=_FEATURES)
        self.matrix = tf.Variable(matrix.astype(np.float32), name="matrix")
        self.bias = tf.Variable(np.zeros(_HIDDEN, np.float32), name="bias")
        self.weights = tf.Variable(weights.astype(np.float32) / 2, name="weights")
        self.mean = tf.Variable(mean.astype(np.float32), trainable=False, name="mean")
        self.variables = [self.matrix, self.bias, self.weights, self.mean]
        self.trainable_variables = [self.matrix, self.bias, self.weights]
        self.regularization_losses = [self.matrix_penalty, self.weights_penalty]

    # Without annotations: 2.0 writes those of a function into the SavedModel, and fails, as it knows no types.
    @tf.function
    def __call__(self, x, training=False):
        """Return the regressed values; in training, move the mean on first."""
        if training:
            batch = tf.reduce_mean(x, axis=0)
            self.mean.assign(_MOMENTUM * self.mean + (1 - _MOMENTUM) * batch)
        hidden = tf.tanh(tf.matmul(x - self.mean, self.matrix) + self.bias)
        return tf.matmul(hidden, self.weights)

    @tf.function(input_signature=[])
    def matrix_penalty(self):
        """Return the penalty on large entries of the matrix."""
        return _PENALTY * tf.reduce_sum(tf.square(self.matrix))

    @tf.function(input_signature=[])
    def weights_penalty(self):
        """Return the penalty on large weights."""
        return _PENALTY * tf.reduce_sum(tf.square(self.weights))


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``tf.saved_model.save``: a predict signature, and functions for serving and for training.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the weights, the recorded inputs and the examples of the training.

    Raises:
        NotImplementedError: this release cannot save such an object, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    regressor = _Regressor(seed)
    x, targets = _examples(seed)
    for training in (False, True):
        regressor.__call__.get_concrete_function(
            tf.TensorSpec([None, _FEATURES], tf.float32, name="x"), training=training
        )

    @tf.function(input_signature=[tf.TensorSpec([None, _FEATURES], tf.float32, name="x")])
    def serve(x):
        return {"y": regressor(x, training=False)}

    recording = save_module(
        regressor, {"serving_default": ModuleSignature(serve, {"x": x})}, directory
    )
    keep_training(regressor, x, targets, directory)
    return recording


def _examples(seed: int) -> Any:
    """Draw inputs, and targets that are to be learnt from them."""
    random = np.random.RandomState([seed, 1])
    x = random.uniform(-1, 1, size=(8, _FEATURES))
    return x.astype(np.float32), np.sin(x.sum(axis=1, keepdims=True)).astype(np.float32)

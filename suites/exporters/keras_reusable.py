"""A Keras model that can be trained further after it has been loaded: ``Model.save`` writes the interface of reusable SavedModels.

Its regularization losses are in it as functions. What ``Model.export`` writes has neither ``__call__`` nor these.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _fine_tuning import keep_training
from _keras_saving import IS_KERAS_3, draw_weights, require_keras, save_keras
from _saving import Recording

_FEATURES = 3


def export_save(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``Model.save``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights, the recorded inputs and the examples of the training.

    Raises:
        NotImplementedError: this release has no such way of saving, or would strip what is to be kept.
    """
    if IS_KERAS_3:
        raise NotImplementedError(
            "Model.save of Keras 3 writes no SavedModel, and Model.export none that can be called in training; this is "
            "TensorFlow {}.".format(tf.__version__)
        )
    require_keras(strip_default_attrs)
    random = np.random.RandomState([seed, 1])
    x = random.uniform(-1, 1, size=(8, _FEATURES))
    targets = np.sin(x.sum(axis=1, keepdims=True)).astype(np.float32)
    x = x.astype(np.float32)
    model = _model(seed)
    recording = save_keras(model, x, directory)
    keep_training(model, x, targets, directory)
    return recording


def _model(seed: int) -> Any:
    layers = tf.keras.layers
    penalty = tf.keras.regularizers.l2(0.01)
    x = layers.Input([_FEATURES], name="x")
    hidden = layers.BatchNormalization(name="normalized")(x)
    hidden = layers.Dense(4, activation="tanh", kernel_regularizer=penalty, name="hidden")(hidden)
    y = layers.Dense(1, kernel_regularizer=penalty, name="y")(hidden)
    model = tf.keras.Model(x, y, name="regressor")
    draw_weights(model, seed)
    return model

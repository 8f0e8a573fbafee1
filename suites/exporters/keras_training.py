"""A Keras model with BatchNormalization and Dropout, which compute other things in training than they do in serving.

Its signature serves: the moving statistics and no dropout. Its function, in what ``Model.save`` writes, takes ``training``.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, require_keras_export, save_keras
from _saving import Recording

_SIDE = 6
_CLASSES = 3


def export_save(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export as Keras of the release does: ``Model.save`` up to 2.15, ``Model.export`` from 2.16 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    return save_keras(_model(seed), {"image": _images(seed)}, directory)


def export_export(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``Model.export``, in Keras 2 from TensorFlow 2.13 on, and in Keras 3.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release has no such method, or would strip what is to be kept.
    """
    require_keras_export(strip_default_attrs)
    return save_keras(_model(seed), {"image": _images(seed)}, directory, exporting=True)


def _model(seed: int) -> Any:
    layers = tf.keras.layers
    image = layers.Input([_SIDE, _SIDE, 2], name="image")
    hidden = layers.Conv2D(4, 3, use_bias=False, name="convolution")(image)
    hidden = layers.BatchNormalization(name="normalized")(hidden)
    hidden = layers.ReLU(name="rectified")(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    hidden = layers.Dropout(0.5, name="dropout")(hidden)
    scores = layers.Dense(_CLASSES, activation="softmax", name="scores")(hidden)
    model = tf.keras.Model({"image": image}, {"scores": scores}, name="normalizing")
    draw_weights(model, seed)
    return model


def _images(seed: int) -> np.ndarray:
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(2, _SIDE, _SIDE, 2))
    return drawn.astype(np.float32)

"""A Sequential Keras model, saved and exported; Keras names its signature's inputs and outputs.

The name of the output is the last layer's for ``Model.save`` and ``output_0`` for ``Model.export``, so goldens of one way do not
hold for the other.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, require_keras_export, save_keras
from _saving import Recording

_FEATURES = 5


def export_save(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export as Keras of the release does: ``Model.save`` up to 2.15, ``Model.export`` from 2.16 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    return save_keras(_model(seed), _numbers(seed), directory)


def export_export(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``Model.export``, in Keras 2 from TensorFlow 2.13 on, and in Keras 3.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no such method, or would strip what is to be kept.
    """
    require_keras_export(strip_default_attrs)
    return save_keras(_model(seed), _numbers(seed), directory, exporting=True)


def _model(seed: int) -> Any:
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input([_FEATURES], name="x"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="scores"),
        ]
    )
    draw_weights(model, seed)
    return model


def _numbers(seed: int) -> np.ndarray:
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(3, _FEATURES))
    return drawn.astype(np.float32)

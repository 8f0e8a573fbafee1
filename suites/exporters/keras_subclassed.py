"""A subclassed Keras model with a layer that holds a layer, which is what Keras can say least about.

Keras names its input and, up to 2.2, its output: goldens of one release need not hold for another.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, require_keras_export, save_keras
from _saving import Recording

_FEATURES = 4


class _Gated(tf.keras.layers.Layer):
    """Weighs what a layer makes of its input with what another one does."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.values = tf.keras.layers.Dense(units, name="values")
        self.gates = tf.keras.layers.Dense(units, activation="sigmoid", name="gates")

    def build(self, input_shape: Any) -> None:
        """Make the weights of both layers, in this order."""
        self.values.build(input_shape)
        self.gates.build(input_shape)
        super().build(input_shape)

    # Without annotations: 2.0 writes those of `call` into the SavedModel, and fails, as it knows no types.
    def call(self, inputs):
        """Return the gated values."""
        return self.values(inputs) * self.gates(inputs)


class _Model(tf.keras.Model):
    """Two gated layers, and noise that only training sees."""

    def __init__(self) -> None:
        super().__init__(name="gated")
        self.first = _Gated(6, name="first")
        self.dropout = tf.keras.layers.Dropout(0.5, name="dropout")
        self.last = _Gated(2, name="last")

    def call(self, inputs, training=False):
        """Return the values by name."""
        hidden = self.dropout(self.first(inputs), training=training)
        return {"y": self.last(hidden)}


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
    numbers = _numbers(seed)
    return save_keras(_model(seed, numbers), numbers, directory)


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
    numbers = _numbers(seed)
    return save_keras(_model(seed, numbers), numbers, directory, exporting=True)


def _model(seed: int, numbers: np.ndarray) -> Any:
    model = _Model()
    model(tf.constant(numbers))
    draw_weights(model, seed)
    return model


def _numbers(seed: int) -> np.ndarray:
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(3, _FEATURES))
    return drawn.astype(np.float32)

"""A functional Keras model with a layer of its own kind, which Keras has been told of, or has not.

Keras 2 writes the layer's name and configuration beside the graph, and a loader that has the class registered makes it anew from
them; any other revives it from the functions in the SavedModel. A SavedModel of Keras 3 has no layers.
"""

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, save_keras
from _saving import Recording

_FEATURES = 4


class _Polynomial(tf.keras.layers.Layer):
    """A polynomial of each input, with weights of its own."""

    def __init__(self, degree: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.degree = degree

    def build(self, input_shape: Any) -> None:
        """Make a coefficient of each power for each input."""
        shape = [self.degree + 1, int(input_shape[-1])]
        self.coefficients = self.add_weight(
            name="coefficients", shape=shape, initializer="zeros", trainable=True
        )
        super().build(input_shape)

    # Without annotations: 2.0 writes those of `call` into the SavedModel, and fails, as it knows no types.
    def call(self, inputs):
        """Return the polynomials' values, by Horner's rule."""
        coefficients = tf.convert_to_tensor(self.coefficients)
        value = tf.zeros_like(inputs)
        for power in range(self.degree, -1, -1):
            value = value * inputs + coefficients[power]
        return value

    def get_config(self) -> Dict[str, Any]:
        """Return what makes the layer anew."""
        config = super().get_config()
        config["degree"] = self.degree
        return config


class _Registered(_Polynomial):
    """The same layer under a name that Keras is told."""


def export_registered(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with a layer registered with ``register_keras_serializable``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot register, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    if not hasattr(tf.keras.utils, "register_keras_serializable"):
        raise NotImplementedError(
            "register_keras_serializable came with TensorFlow 2.1; this is {}.".format(
                tf.__version__
            )
        )
    register = tf.keras.utils.register_keras_serializable(package="Suites", name="Polynomial")
    return _export(register(_Registered), directory, seed)


def export_unregistered(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with a layer that Keras knows nothing of.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    return _export(_Polynomial, directory, seed)


def _export(kind: Any, directory: str, seed: int) -> Recording:
    x = tf.keras.layers.Input([_FEATURES], name="x")
    y = kind(degree=3, name="y")(x)
    model = tf.keras.Model({"x": x}, {"y": y}, name="polynomials")
    draw_weights(model, seed)
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(3, _FEATURES))
    return save_keras(model, {"x": drawn.astype(np.float32)}, directory)

"""A functional Keras model of two inputs and two outputs that share a layer.

Its inputs and outputs have the same names in each release: the outputs are given by name, and their layers are named alike.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, require_keras_export, save_keras
from _saving import Arrays, Recording

_WORDS = 12
_STEPS = 4
_FEATURES = 3


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
    return save_keras(_model(seed), _inputs(seed), directory)


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
    return save_keras(_model(seed), _inputs(seed), directory, exporting=True)


def _model(seed: int) -> Any:
    layers = tf.keras.layers
    words = layers.Input([_STEPS], dtype="int32", name="words")
    numbers = layers.Input([_FEATURES], name="numbers")
    embedded = layers.Embedding(_WORDS, 6, name="embedding")(words)
    hidden = layers.Concatenate(name="joined")(
        [layers.GlobalAveragePooling1D(name="mean")(embedded), numbers]
    )
    shared = layers.Dense(8, activation="tanh", name="shared")(hidden)
    outputs = {
        "scores": layers.Dense(3, activation="softmax", name="scores")(shared),
        "value": layers.Dense(1, name="value")(shared),
    }
    model = tf.keras.Model({"words": words, "numbers": numbers}, outputs, name="two_heads")
    draw_weights(model, seed)
    return model


def _inputs(seed: int) -> Arrays:
    random = np.random.RandomState([seed, 1])
    return {
        "words": random.randint(0, _WORDS, size=(3, _STEPS)).astype(np.int32),
        "numbers": random.uniform(-1, 1, size=(3, _FEATURES)).astype(np.float32),
    }

"""Recurrent Keras models: LSTM and GRU over sequences of any length.

Keras 2 writes a body that runs on cuDNN where there is a GPU, and one that runs anywhere, and lets Grappler choose.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, require_keras_export, save_keras
from _saving import Recording

_STEPS = 5
_FEATURES = 3
_UNITS = 4
_CLASSES = 2


def export_lstm(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export an LSTM as Keras of the release does: ``Model.save`` up to 2.15, ``Model.export`` from 2.16 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded sequences.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    return save_keras(_model(tf.keras.layers.LSTM, seed), _inputs(seed), directory)


def export_gru(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a GRU as Keras of the release does: ``Model.save`` up to 2.15, ``Model.export`` from 2.16 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded sequences.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    return save_keras(_model(tf.keras.layers.GRU, seed), _inputs(seed), directory)


def export_lstm_export(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export an LSTM with ``Model.export``, in Keras 2 from TensorFlow 2.13 on, and in Keras 3.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded sequences.

    Raises:
        NotImplementedError: this release has no such method, or would strip what is to be kept.
    """
    require_keras_export(strip_default_attrs)
    model = _model(tf.keras.layers.LSTM, seed)
    return save_keras(model, _inputs(seed), directory, exporting=True)


def _model(layer: Any, seed: int) -> Any:
    layers = tf.keras.layers
    sequence = layers.Input([None, _FEATURES], name="sequence")
    last = layer(_UNITS, name="last")(sequence)
    scores = layers.Dense(_CLASSES, name="scores")(last)
    model = tf.keras.Model({"sequence": sequence}, {"scores": scores}, name="recurrent")
    draw_weights(model, seed)
    return model


def _inputs(seed: int) -> Any:
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(2, _STEPS, _FEATURES))
    return {"sequence": drawn.astype(np.float32)}

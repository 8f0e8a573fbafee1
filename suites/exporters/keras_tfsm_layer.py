"""A Keras 3 model around a SavedModel: ``TFSMLayer`` takes one in, and the whole is exported again."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict

import numpy as np
import tensorflow as tf

from _keras_saving import RELEASE, draw_weights, save_keras
from _saving import Recording, require_module

_FIRST = (2, 16)
_FEATURES = 4


def export_export(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``Model.export`` a model whose first layer is a SavedModel of ``tf.saved_model.save``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``TFSMLayer``, or would strip what is to be kept.
    """
    if RELEASE < _FIRST:
        raise NotImplementedError(
            "keras.layers.TFSMLayer came with TensorFlow 2.16; this is {}.".format(tf.__version__)
        )
    require_module(strip_default_attrs)
    layers = tf.keras.layers
    with TemporaryDirectory() as folder:
        inner = str(Path(folder) / "inner")
        tf.saved_model.save(_inner(seed), inner)
        x = layers.Input([_FEATURES], name="x")
        wrapped = layers.TFSMLayer(inner, call_endpoint="serving_default", name="wrapped")
        scores = layers.Dense(2, activation="softmax", name="scores")(wrapped(x)["features"])
        model = tf.keras.Model({"x": x}, {"scores": scores}, name="around")
        draw_weights(model, seed)
        drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(3, _FEATURES))
        return save_keras(model, {"x": drawn.astype(np.float32)}, directory)


def _inner(seed: int) -> "tf.Module":
    module = tf.Module()
    drawn = np.random.RandomState([seed, 2]).standard_normal((_FEATURES, 3))
    module.matrix = tf.Variable(drawn.astype(np.float32), name="matrix")

    @tf.function(input_signature=[tf.TensorSpec([None, _FEATURES], tf.float32, name="x")])
    def serve(x: tf.Tensor) -> Dict[str, tf.Tensor]:
        return {"features": tf.tanh(tf.matmul(x, module.matrix))}

    module.serve = serve
    return module

"""MobileNet, a quarter as wide as it was, for images of 32 x 32, with made-up weights: a Keras application as people export them."""

import numpy as np
import tensorflow as tf

from _keras_saving import draw_weights, require_keras, save_keras
from _saving import Recording

_SIDE = 32
_CLASSES = 4


def export_save(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export as Keras of the release does: ``Model.save`` up to 2.15, ``Model.export`` from 2.16 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as Keras always strips.
        seed: of the weights and the recorded image.

    Raises:
        NotImplementedError: this release has no TensorFlow 2, or would strip what is to be kept.
    """
    require_keras(strip_default_attrs)
    image = tf.keras.layers.Input([_SIDE, _SIDE, 3], name="image")
    features = tf.keras.applications.MobileNet(
        input_tensor=image, alpha=0.25, weights=None, include_top=False, pooling="avg"
    ).output
    scores = tf.keras.layers.Dense(_CLASSES, activation="softmax", name="scores")(features)
    model = tf.keras.Model({"image": image}, {"scores": scores}, name="mobilenet")
    draw_weights(model, seed)
    drawn = np.random.RandomState([seed, 1]).uniform(-1, 1, size=(1, _SIDE, _SIDE, 3))
    return save_keras(model, {"image": drawn.astype(np.float32)}, directory)

"""A small network whose ops stand in functions: one that is called, one that is called by its name, and control flow.

Stripping goes through all of them, and every attr that it finds in the graph of `mnist_cnn` is found here in a body.
"""

from typing import Dict

import numpy as np
import tensorflow as tf

from _saving import (
    GraphSignature,
    ModuleSignature,
    Recording,
    require_module,
    save_graph,
    save_module,
    v1,
)

_SIDE = 8
_STEPS = 3


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: the signature calls a ``tf.function`` and a ``Defun``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release has no ``tf.function``.
    """
    if not hasattr(tf, "function"):
        raise NotImplementedError(
            "tf.function came with TensorFlow 1.14; this is {}.".format(tf.__version__)
        )
    from tensorflow.python.framework import function  # no public name was ever given to it

    filters = _filters(seed)

    @function.Defun(tf.float32, func_name="halved")
    def halved(x: tf.Tensor) -> tf.Tensor:
        return v1.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")

    graph = tf.Graph()
    with graph.as_default():
        image = v1.placeholder(tf.float32, [None, _SIDE, _SIDE, 1], name="image")
        features = tf.function(_network)(image, tf.constant(filters))
        outputs = {"features": tf.identity(halved(features), name="features")}
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    feed = {"image": _images(seed)}
    signatures = {"serving_default": GraphSignature(method, {"image": image}, outputs, feed)}
    return save_graph(graph, signatures, directory, strip_default_attrs=strip_default_attrs)


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` with ``tf.saved_model.save``: the same network.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.filters = tf.Variable(_filters(seed), name="filters")

    @tf.function(input_signature=[tf.TensorSpec([None, _SIDE, _SIDE, 1], tf.float32, name="image")])
    def serve(image: tf.Tensor) -> Dict[str, tf.Tensor]:
        features = _network(image, module.filters)
        return {"features": v1.nn.max_pool(features, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")}

    return save_module(
        module, {"serving_default": ModuleSignature(serve, {"image": _images(seed)})}, directory
    )


def _network(image: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """Convolve an image some times over, in a loop, and take one of two branches."""

    def convolved(step: tf.Tensor, hidden: tf.Tensor):
        return step + 1, v1.nn.relu(v1.nn.conv2d(hidden, filters, [1, 1, 1, 1], "SAME"))

    _, hidden = tf.while_loop(lambda step, _: step < _STEPS, convolved, [tf.constant(0), image])
    return tf.cond(
        tf.reduce_mean(hidden) > 0,
        lambda: v1.nn.max_pool(hidden, [1, 2, 2, 1], [1, 1, 1, 1], "SAME"),
        lambda: tf.cast(tf.cast(hidden, tf.float64), tf.float32),
    )


def _filters(seed: int) -> np.ndarray:
    drawn = np.random.RandomState(seed).standard_normal((3, 3, 1, 1)) / 3
    return drawn.astype(np.float32)


def _images(seed: int) -> np.ndarray:
    drawn = np.random.RandomState([seed, 1]).uniform(size=(2, _SIDE, _SIDE, 1))
    return drawn.astype(np.float32)

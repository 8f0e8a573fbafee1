"""A small convolutional network of the MNIST tutorials' kind, with made-up weights.

Its Conv2D and MaxPool gained the attr ``explicit_paddings`` in 1.14 and 2.4, so the releases before
refuse an export that keeps default-valued attrs.
"""

from pathlib import Path
from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _saving import (
    Arrays,
    GraphSignature,
    ModuleSignature,
    Recording,
    require_module,
    save_graph,
    save_module,
    v1,
    variable,
)

_IMAGES = 4
_SIDE = 28
_SQUARE = 7
_CLASSES = 10
_VERSION = "1"


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder`` into the version folder ``1``, devices cleared.

    Args:
        directory: becomes the base folder, as TensorFlow Serving takes it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.device("/device:CPU:0"):
        weights = {name: variable(name, value) for name, value in _weights(seed).items()}
        image = v1.placeholder(tf.float32, [None, _SIDE, _SIDE, 1], name="image")
        outputs = _network(image, weights)
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    images = _images(seed)
    signatures = {
        "serving_default": GraphSignature(method, {"image": image}, outputs, {"image": images}),
        "predict_images": GraphSignature(
            method, {"images": image}, {"scores": outputs["softmax"]}, {"images": images}
        ),
    }
    return save_graph(
        graph,
        signatures,
        str(Path(directory) / _VERSION),
        strip_default_attrs=strip_default_attrs,
        clear_devices=True,
    )


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` with ``tf.saved_model.save`` into the version folder ``1``.

    Args:
        directory: becomes the base folder, as TensorFlow Serving takes it.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    drawn = _weights(seed)
    module.weights = {name: tf.Variable(value, name=name) for name, value in drawn.items()}
    shape = [None, _SIDE, _SIDE, 1]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    def serve(image: tf.Tensor) -> Dict[str, tf.Tensor]:
        return _network(image, module.weights)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="images")])
    def predict_images(images: tf.Tensor) -> Dict[str, tf.Tensor]:
        return {"scores": _network(images, module.weights)["softmax"]}

    images = _images(seed)
    signatures = {
        "serving_default": ModuleSignature(serve, {"image": images}),
        "predict_images": ModuleSignature(predict_images, {"images": images}),
    }
    return save_module(module, signatures, str(Path(directory) / _VERSION))


def _weights(seed: int) -> Arrays:
    """Return the weights by name: filters ``[height, width, in, out]``, a matrix, biases."""
    random = np.random.RandomState(seed)
    return {
        "conv1_filter": _drawn(random, 5, 5, 1, 8),
        "conv1_bias": _biases(random, 8),
        "conv2_filter": _drawn(random, 5, 5, 8, 16),
        "conv2_bias": _biases(random, 16),
        "dense_matrix": _drawn(random, (_SIDE // 4) ** 2 * 16, _CLASSES),
        "dense_bias": _biases(random, _CLASSES),
    }


def _drawn(random: np.random.RandomState, *shape: int) -> np.ndarray:
    """Draw weights whose scale keeps the activations near 1, whatever the number of inputs."""
    scale = np.sqrt(2.0 / np.prod(shape[:-1]))
    return (random.standard_normal(shape) * scale).astype(np.float32)


def _biases(random: np.random.RandomState, count: int) -> np.ndarray:
    return random.uniform(-0.1, 0.1, size=count).astype(np.float32)


def _images(seed: int) -> np.ndarray:
    # Squares of black and white: a model takes any two images of plain noise for the same class.
    squares = _SIDE // _SQUARE
    random = np.random.RandomState([seed, 1])
    drawn = random.randint(0, 2, size=(_IMAGES, squares, squares, 1))
    return drawn.repeat(_SQUARE, axis=1).repeat(_SQUARE, axis=2).astype(np.float32)


def _network(image: tf.Tensor, weights: Dict[str, Any]) -> Dict[str, tf.Tensor]:
    """Return what the network makes of images, float32 ``[n, 28, 28, 1]``.

    Returns:
        ``softmax``, float32 ``[n, 10]``, and ``prediction``, int64 ``[n]``.
    """
    hidden = _pooled(_convolved(image, weights, "conv1"))
    hidden = _pooled(_convolved(hidden, weights, "conv2"))
    flat = v1.reshape(hidden, [-1, int(weights["dense_matrix"].shape[0])])
    product = v1.matmul(flat, weights["dense_matrix"])
    logits = v1.nn.bias_add(product, weights["dense_bias"])
    return {"softmax": v1.nn.softmax(logits), "prediction": v1.argmax(logits, axis=1)}


def _convolved(image: tf.Tensor, weights: Dict[str, Any], name: str) -> tf.Tensor:
    # The arguments are given by position: their names are not the same in every release.
    convolved = v1.nn.conv2d(image, weights[name + "_filter"], [1, 1, 1, 1], "SAME")
    return v1.nn.relu(v1.nn.bias_add(convolved, weights[name + "_bias"]))


def _pooled(image: tf.Tensor) -> tf.Tensor:
    return v1.nn.max_pool(image, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

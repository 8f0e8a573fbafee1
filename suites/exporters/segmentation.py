"""A small atrous network that segments an image to a size that the request gives, in MetaGraphs for training, inference and a phone."""

from typing import Any, Dict, NamedTuple

import numpy as np
import tensorflow as tf

from _meta_graphs import SERVE, MetaGraph, Recordings, predict, save_meta_graphs
from _saving import Arrays, v1, variable

_SIDE = 9
_HEIGHT = 7
_WIDTH = 12
_CHANNELS = 4
_CLASSES = 3
_RATE = 2
_MOBILE = ("serve", "mobile")


class _Inputs(NamedTuple):
    """The placeholders of one graph.

    Args:
        image: float32 ``[n, height, width, 3]``.
        height: of the map, int32.
        width: of the map, int32.
    """

    image: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: ``image``, ``height``, ``width`` -> ``segmentation_map``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded images.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    meta_graphs = [_training(seed), _inference(seed), _mobile(seed)]
    return save_meta_graphs(meta_graphs, directory, strip_default_attrs=strip_default_attrs)


def _training(seed: int) -> MetaGraph:
    """Return what takes a step of gradient descent with every call, and answers with the loss before it."""
    graph = tf.Graph()
    with graph.as_default():
        inputs = _inputs()
        wanted = v1.placeholder(tf.int32, [None, None, None], name="wanted")
        logits = _resized(_logits(inputs.image, _weights(seed)), inputs)
        probabilities = v1.nn.softmax(logits)
        away = v1.squared_difference(probabilities, v1.one_hot(wanted, _CLASSES))
        loss = v1.reduce_mean(away)
        step = v1.train.GradientDescentOptimizer(1.0).minimize(loss)
        with v1.control_dependencies([step]):
            answer = tf.identity(loss, name="loss")
        feed = _feed(seed, _HEIGHT, _WIDTH)
        drawn = np.random.RandomState([seed, 2]).randint(0, _CLASSES, (2, _HEIGHT, _WIDTH))
        feed["wanted"] = drawn.astype(np.int32)
        fed = dict(inputs._asdict(), wanted=wanted)
        signatures = {"train_step": predict(fed, {"loss": answer}, feed, feed)}
    return MetaGraph(graph, signatures, tags=(v1.saved_model.tag_constants.TRAINING,))


def _inference(seed: int) -> MetaGraph:
    graph = tf.Graph()
    with graph.as_default():
        inputs = _inputs()
        logits = _resized(_logits(inputs.image, _weights(seed)), inputs)
        found = v1.argmax(logits, axis=3, name="segmentation_map")
        feeds = [_feed(seed, _HEIGHT, _WIDTH), _feed(seed + 1, 1, 1)]
        outputs = {"segmentation_map": found}
        signatures = {"serving_default": predict(dict(inputs._asdict()), outputs, *feeds)}
    return MetaGraph(graph, signatures, tags=SERVE)


def _mobile(seed: int) -> MetaGraph:
    """Return what looks at half the resolution and answers in bytes."""
    graph = tf.Graph()
    with graph.as_default():
        inputs = _inputs()
        small = v1.nn.avg_pool(inputs.image, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
        logits = _resized(_logits(small, _weights(seed)), inputs)
        found = tf.cast(v1.argmax(logits, axis=3), tf.uint8, name="segmentation_map")
        outputs = {"segmentation_map": found}
        feed = _feed(seed, _HEIGHT, _WIDTH)
        signatures = {"serving_default": predict(dict(inputs._asdict()), outputs, feed)}
    return MetaGraph(graph, signatures, tags=_MOBILE)


def _inputs() -> _Inputs:
    return _Inputs(
        image=v1.placeholder(tf.float32, [None, None, None, 3], name="image"),
        height=v1.placeholder(tf.int32, [], name="height"),
        width=v1.placeholder(tf.int32, [], name="width"),
    )


def _feed(seed: int, height: int, width: int) -> Arrays:
    drawn = np.random.RandomState([seed, 1]).uniform(size=(2, _SIDE, _SIDE, 3))
    return {
        "image": drawn.astype(np.float32),
        "height": np.array(height, np.int32),
        "width": np.array(width, np.int32),
    }


def _weights(seed: int) -> Dict[str, Any]:
    """Return the variables by name, the same in every graph."""
    random = np.random.RandomState(seed)
    shapes = {
        "conv": (3, 3, 3, _CHANNELS),
        "atrous": (3, 3, _CHANNELS, _CHANNELS),
        "classes": (1, 1, _CHANNELS, _CLASSES),
    }
    drawn = {name: random.standard_normal(shape) / 2 for name, shape in sorted(shapes.items())}
    return {name: variable(name, value.astype(np.float32)) for name, value in drawn.items()}


def _logits(image: tf.Tensor, weights: Dict[str, Any]) -> tf.Tensor:
    hidden = v1.nn.relu(v1.nn.conv2d(image, weights["conv"], [1, 1, 1, 1], "SAME"))
    hidden = v1.nn.relu(v1.nn.atrous_conv2d(hidden, weights["atrous"], _RATE, "SAME"))
    return v1.nn.conv2d(hidden, weights["classes"], [1, 1, 1, 1], "SAME")


def _resized(logits: tf.Tensor, inputs: _Inputs) -> tf.Tensor:
    size = tf.stack([inputs.height, inputs.width])
    return v1.image.resize_bilinear(logits, size, align_corners=True)

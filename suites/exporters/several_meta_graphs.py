"""Three MetaGraphs with other tag sets over the same variables: one for training, one to serve, one to serve on a GPU."""

import numpy as np
import tensorflow as tf

from _meta_graphs import SERVE, MetaGraph, Recordings, drawn, predict, save_meta_graphs
from _old_ops import add
from _saving import v1, variable

_SIZE = 3


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: y = w * x, the distance from it, and y twice over, each in a MetaGraph.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    meta_graphs = [_training(seed), _serving(seed), _serving_on_a_gpu(seed)]
    return save_meta_graphs(meta_graphs, directory, strip_default_attrs=strip_default_attrs)


def _training(seed: int) -> MetaGraph:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        wanted = v1.placeholder(tf.float32, [None, _SIZE], name="wanted")
        away = v1.squared_difference(_weighted(x, seed), wanted)
        loss = v1.reduce_mean(away, name="loss")
        feed = {"x": drawn(seed, 2, _SIZE), "wanted": np.zeros((2, _SIZE), np.float32)}
        signatures = {"loss": predict({"x": x, "wanted": wanted}, {"loss": loss}, feed)}
    return MetaGraph(graph, signatures, tags=(v1.saved_model.tag_constants.TRAINING,))


def _serving(seed: int) -> MetaGraph:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        y = tf.identity(_weighted(x, seed), name="y")
        signatures = {"serving_default": predict({"x": x}, {"y": y}, {"x": drawn(seed, 2, _SIZE)})}
    return MetaGraph(graph, signatures, tags=SERVE)


def _serving_on_a_gpu(seed: int) -> MetaGraph:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        y = _weighted(x, seed)
        twice = add(y, y, name="twice")
        feed = {"x": drawn(seed, 2, _SIZE)}
        signatures = {"serving_default": predict({"x": x}, {"twice": twice}, feed)}
    constants = v1.saved_model.tag_constants
    return MetaGraph(graph, signatures, tags=(constants.SERVING, constants.GPU))


def _weighted(x: tf.Tensor, seed: int) -> tf.Tensor:
    return v1.multiply(x, variable("weight", drawn(seed + 1, _SIZE)))

"""A main op that runs when the model has been loaded: what it computes stands in no checkpoint, and a signature needs it."""

import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, drawn, local_variable, predict, save_meta_graphs
from _saving import v1, variable

_SIZE = 3


def export_main_op(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder`` and its argument ``main_op``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, "main_op")


def export_legacy_init_op(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export the same with the argument ``legacy_init_op``, which up to 1.11 is a collection of its own.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, "legacy_init_op")


def _export(directory: str, strip_default_attrs: bool, seed: int, argument: str) -> Recordings:
    graph = tf.Graph()
    with graph.as_default():
        weight = variable("weight", drawn(seed + 1, _SIZE))
        squared = local_variable("squared", drawn(seed + 2, _SIZE))
        init = v1.group(v1.assign(squared, v1.square(weight)), name="init")
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        y = v1.multiply(x, squared, name="y")
        signatures = {"serving_default": predict({"x": x}, {"y": y}, {"x": drawn(seed, 2, _SIZE)})}
    meta_graph = MetaGraph(graph, signatures, **{argument: init})
    return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)

"""A saver of the exporter's own: it keeps one variable by another name, and leaves one out that only training has."""

import inspect

import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, drawn, predict, save_meta_graphs
from _saving import v1, variable

_SIZE = 3


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder`` and its argument ``saver``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: the builder of this release takes no saver.
    """
    builder = v1.saved_model.builder.SavedModelBuilder
    if "saver" not in inspect.signature(builder.add_meta_graph_and_variables).parameters:
        raise NotImplementedError(
            "the SavedModelBuilder of TensorFlow {} takes no saver.".format(tf.__version__)
        )
    graph = tf.Graph()
    with graph.as_default():
        weight = variable("weight", drawn(seed + 1, _SIZE))
        variable("slot", drawn(seed + 2, _SIZE))
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        y = v1.multiply(x, weight, name="y")
        signatures = {"serving_default": predict({"x": x}, {"y": y}, {"x": drawn(seed, 2, _SIZE)})}
        saver = v1.train.Saver({"renamed/weight": weight})
    meta_graph = MetaGraph(graph, signatures, saver=saver)
    return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)
